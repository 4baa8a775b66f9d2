"""A recording's gaps are silences of its feed: they are no line of a backtest, and no sensor is blamed for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.detect.recorded.backtest import run_case


def test_a_night_without_readings_is_no_alert_of_a_backtest(tmp_path: Path) -> None:
    begin = datetime(2026, 3, 1, 12, tzinfo=UTC)
    lines = ["time,sensor_id,kind,metric,value"]
    for day in range(2):
        for minute in range(0, 240, 5):
            at = (begin + timedelta(days=day, minutes=minute)).isoformat().replace("+00:00", "Z")
            lines += [
                f"{at},T{i},traffic_station,speed_kmh,{90 + minute % 7 + i}" for i in range(5)
            ]
    (tmp_path / "readings.csv").write_text("\n".join(lines) + "\n")
    assert [line["rule"] for line in run_case(tmp_path)] == []
