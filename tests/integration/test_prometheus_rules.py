"""Each alarm of deploy/prometheus fires on what it is for, alone and not before its time: promtool reckons it."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deployment import DEPLOY
from tests.prometheus import program

RULES = DEPLOY / "prometheus/rules.yml"
INGEST = '{instance="ingest:9101"}'
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'
STEP_S = 30

STEADY = {
    'up{job="citygauge-ingest"}': "1x240",
    'up{job="citygauge-detect"}': "1x240",
    'up{job="citygauge-notify"}': "1x240",
    'up{job="citygauge-api"}': "1x240",
    f"citygauge_ingest_broker_connected{INGEST}": "1x240",
    f"citygauge_ingest_database_connected{INGEST}": "1x240",
    f"citygauge_ingest_spool_age_seconds{INGEST}": "0x240",
    f"citygauge_ingest_absent_workers{INGEST}": "0x240",
    f"citygauge_ingest_stored_total{INGEST}": "0+3000x240",
    f"citygauge_ingest_received_total{INGEST}": "0+3030x240",
    'citygauge_ingest_rejected_total{reason="not_json"}': "0+30x240",
    'citygauge_detect_leader{instance="detect:9102"}': "1x240",
    'citygauge_detect_leader{instance="standby:9102"}': "0x240",
    "citygauge_detect_feed_lag_seconds": "0.2x240",
    "citygauge_detect_skipped_batches_total": "0x240",
    "citygauge_notify_waiting_events": "0x240",
    "citygauge_notify_undelivered": "0x240",
    'citygauge_notify_route_away{route="crew"}': "0x240",
    'citygauge_notify_given_up_total{route="crew"}': "0x240",
    'citygauge_api_requests_total{status="200"}': "0+100x240",
    'citygauge_api_requests_total{status="503"}': "0+1x240",
}
"""Series -> two hours of a sound service, a value every half minute."""

MOMENTS = {
    'up{job="citygauge-api"}': "1x20 0 0 1x218",
    f"citygauge_ingest_broker_connected{INGEST}": "1x20 0 0 1x218",
    f"citygauge_ingest_database_connected{INGEST}": "1x20 0 0 1x218",
    f"citygauge_ingest_spool_age_seconds{INGEST}": "0x30 0+30x40 0x170",
    f"citygauge_ingest_absent_workers{INGEST}": "0x30 1x10 0x200",
    f"citygauge_ingest_stored_total{INGEST}": "0+3000x100 300000x40 300000+3000x100",
    f"citygauge_ingest_received_total{INGEST}": "0+3030x100 303000x40 303000+3030x100",
    'citygauge_ingest_rejected_total{reason="not_json"}': "0+30x100 3000x40 3000+30x100",
    "citygauge_detect_feed_lag_seconds": "0.2x30 130x8 0.2x202",
    "citygauge_notify_waiting_events": "0x30 12x8 0x202",
    "citygauge_notify_undelivered": "0x30 3x25 0x185",
    'citygauge_notify_route_away{route="crew"}': "0x30 1x15 0x195",
}
"""What a sound service has, too: a restart, a burst, an outage of minutes, twenty minutes without readings."""

FAULTS = {
    "CitygaugeServiceDown": ("3m", {'up{job="citygauge-detect"}': "0x240"}),
    "CitygaugeIngestNotConnected": (
        "3m",
        {f"citygauge_ingest_broker_connected{INGEST}": "0x240"},
    ),
    "CitygaugeIngestWithoutDatabase": (
        "3m",
        {f"citygauge_ingest_database_connected{INGEST}": "0x240"},
    ),
    "CitygaugeIngestSpooling": ("37m", {f"citygauge_ingest_spool_age_seconds{INGEST}": "0+30x240"}),
    "CitygaugeIngestWorkerAway": ("11m", {f"citygauge_ingest_absent_workers{INGEST}": "1x240"}),
    "CitygaugeNoReadings": (
        "16m",
        {
            f"citygauge_ingest_stored_total{INGEST}": "500x240",
            f"citygauge_ingest_received_total{INGEST}": "500x240",
            'citygauge_ingest_rejected_total{reason="not_json"}': "0x240",
        },
    ),
    "CitygaugeManyRejected": (
        "11m",
        {'citygauge_ingest_rejected_total{reason="not_json"}': "0+160x240"},
    ),
    "CitygaugeNobodyDetects": ("3m", {'citygauge_detect_leader{instance="detect:9102"}': "0x240"}),
    "CitygaugeFeedLag": ("6m", {"citygauge_detect_feed_lag_seconds": "130x240"}),
    "CitygaugeBatchSkipped": ("3m", {"citygauge_detect_skipped_batches_total": "0 1x239"}),
    "CitygaugeOutboxWaits": ("6m", {"citygauge_notify_waiting_events": "12x240"}),
    "CitygaugeUndelivered": ("16m", {"citygauge_notify_undelivered": "3x240"}),
    "CitygaugeRouteAway": ("11m", {'citygauge_notify_route_away{route="crew"}': "1x240"}),
    "CitygaugeGivenUp": ("3m", {'citygauge_notify_given_up_total{route="crew"}': "0 1x239"}),
    "CitygaugeApiErrors": ("11m", {'citygauge_api_requests_total{status="503"}': "0+6x240"}),
}
"""Alarm -> when it has fired at the latest, and the series that its fault changes from the beginning."""


def firing(at: str, *alarms: str) -> dict[str, object]:
    """A test of promtool: these alarms and no other fire at this time."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in alarms]
    return {"expr": FIRING, "eval_time": at, "exp_samples": samples}


def reckon(folder: Path, series: dict[str, str], tests: list[dict[str, object]]) -> None:
    """Let promtool run the rules over these series and hold the answers to the tests."""
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP_S}s",
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [{"series": name, "values": each} for name, each in series.items()],
                "promql_expr_test": tests,
            }
        ],
    }
    path = folder / "rules.test.yml"
    path.write_text(yaml.safe_dump(document))
    command = [program("promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alarm_has_its_fault() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    assert set(FAULTS) == {rule["alert"] for group in groups for rule in group["rules"]}


def test_a_sound_service_with_its_moments_alarms_nobody(tmp_path: Path) -> None:
    series = {**STEADY, **MOMENTS}
    reckon(tmp_path, series, [firing(f"{minute}m") for minute in range(0, 120, 2)])


@pytest.mark.parametrize("alarm", list(FAULTS))
def test_a_fault_fires_its_alarm_alone_and_not_at_once(alarm: str, tmp_path: Path) -> None:
    at, changed = FAULTS[alarm]
    reckon(tmp_path, {**STEADY, **changed}, [firing("30s"), firing(at, alarm)])


def test_promtool_accepts_the_configuration() -> None:
    command = [program("promtool"), "check", "config", str(DEPLOY / "prometheus/prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 rules found" in done.stdout
