"""Previews of rules over HTTP, made by the real process: what comes and goes, what is refused, cancelled, given up."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.api.errors import PreviewFailed
from services.api.neighbours import Neighbours, Previewer
from services.cli.previewer import ProcessPreviewer
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from services.domain.alert import Verdict
from services.domain.instant import DAY_US, isoformat
from tests.api_server import new_key, serving
from tests.integration.test_backtest_database import stored
from tests.integration.test_tune_database import history, told_and_judged
from tests.oracles.feeds import START_US
from tests.waiting import PATIENCE_S, wait_until

END = isoformat(START_US + 25 * DAY_US)


def previewer(url: str, **limits: Any) -> ProcessPreviewer:
    """The one that `citygauge api` uses."""
    given = {"memory_bytes": 1_000_000_000, "seconds": 600.0, **limits}
    return ProcessPreviewer(url, DetectorSettings(), 35.0, **given)


@contextmanager
def asking(
    url: str, given: Previewer | None, scope: str = "operate", **settings: object
) -> Iterator[httpx.Client]:
    """A client of an API with this previewer."""
    beside = Neighbours(rules_of(DetectorSettings()), given)
    with serving(url, neighbours=beside, **settings) as api:
        name = f"key {uuid4()}"
        with api.client(new_key(url, scope, name=name)) as client:
            yield client


def ended(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The preview when it is over."""
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]

    def over() -> bool:
        return client.get(place).json()["state"] not in {"waiting", "running"}

    wait_until(over, what="the preview to end")
    found: dict[str, Any] = client.get(place).json()
    return found


def test_what_other_limits_would_have_told_stands_beside_how_it_ended(
    database_url: str, tmp_path: Path
) -> None:
    folder = history(tmp_path / "one")
    stored(database_url, folder)
    told_and_judged(database_url, folder, {"M1": Verdict.REAL, "M2": Verdict.LEGITIMATE_USE})
    with asking(database_url, previewer(database_url)) as client:
        order = {"changes": {"continuous_min_h": 40.0, "continuous_vendor_h": 40.0}, "end": END}
        done = ended(client, client.post("/v1/rules/previews", json=order))
        assert done["state"] == "done", done["problem"]
        assert done["asked_by"].startswith("key ")
        result = done["result"]
        found = {(item["rule"], item["sensor_id"]): item for item in result["items"]}
        leak, tap = found["continuous_flow", "M1"], found["continuous_flow", "M2"]
        assert (leak["outcome"], leak["verdict"]) == ("kept", "real")
        assert leak["changed"]["told_at"] > leak["present"]["told_at"], "told later"
        assert (tap["outcome"], tap["verdict"], tap["changed"]) == ("lost", "legitimate_use", None)
        other = found["intermittent_leak", "M1"]  # the rule that the slower one held back
        assert (other["outcome"], other["alert_rule"]) == ("gained", "continuous_flow")
        assert (result["kept"], result["gained"], result["lost"]) == (1, 1, 1)
        assert result["present"]["precision"] == 0.5
        assert result["changed"]["precision"] == 1.0
        assert result["changed"]["median_h"] > result["present"]["median_h"]
        assert result["not_again"] == 0
        assert client.get(f"/v1/alerts/{leak['alert_id']}").json()["subject"] == "M1"
        [listed] = client.get("/v1/rules/previews").json()["items"]
        assert (listed["id"], listed["result"]) == (done["id"], None)


@dataclass
class Patient(Previewer):
    """A previewer that works until it is told to stop."""

    begun: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def check(self, changes: Mapping[str, float]) -> None:
        """Everything may be tried."""

    def run(self, asked: Mapping[str, Any], report: Callable[[float], bool]) -> None:
        while report(0.5):
            self.begun.set()
            self.ended.wait(0.02)
        self.ended.set()


def test_one_runs_at_a_time_and_can_be_cancelled(database_url: str, tmp_path: Path) -> None:
    stored(database_url, history(tmp_path / "one"))
    patient = Patient()
    with asking(database_url, patient) as client:
        order = {"changes": {"burst_night_h": 3.0}, "days": 2}
        first = client.post("/v1/rules/previews", json=order).headers["location"]
        second = client.post("/v1/rules/previews", json=order).headers["location"]
        assert patient.begun.wait(PATIENCE_S)
        assert client.get(first).json()["state"] == "running"
        assert client.get(second).json()["state"] == "waiting"
        assert client.delete(second).status_code == 204
        assert client.delete(first).status_code == 204
        assert patient.ended.wait(PATIENCE_S), "the work stops when nobody wants it any more"
        states = [client.get(each).json()["state"] for each in (first, second)]
        assert states == ["cancelled", "cancelled"]


def test_what_cannot_be_tried_is_refused_with_a_reason(database_url: str, tmp_path: Path) -> None:
    def asked(client: httpx.Client, **order: Any) -> tuple[int, str]:
        answer = client.post(
            "/v1/rules/previews", json={"changes": {"burst_night_h": 3.0}, **order}
        )
        return answer.status_code, answer.json().get("detail", "")

    with asking(database_url, previewer(database_url)) as client:
        assert "stored readings" in asked(client)[1]
        stored(database_url, history(tmp_path / "one"))
        for changes in ({"no_such": 1.0}, {"burst_night_h": -1.0}, {"burst_night_h": 2.5}, {}):
            assert asked(client, changes=changes)[0] == 422, changes
        assert asked(client, zone="Nowhere")[0] == 404
        assert asked(client, sensor_id="M1", zone="Z")[0] == 422
        assert asked(client, start=END, end="2026-03-01T00:00:00Z")[0] == 422
    with asking(database_url, previewer(database_url), preview_readings=1000) as client:
        assert "at most 1,000" in asked(client)[1]
    with asking(database_url, None) as client:
        assert asked(client)[0] == 501
    with asking(database_url, previewer(database_url), "read") as client:
        assert asked(client)[0] == 403


def test_a_process_that_takes_too_much_is_given_up(database_url: str) -> None:
    asked = {"changes": {"burst_night_h": 3.0}, "start": isoformat(START_US), "end": END}
    with pytest.raises(PreviewFailed, match="took longer than 0 s"):
        previewer(database_url, seconds=0.0).run(asked, lambda share: True)
    with pytest.raises(PreviewFailed, match="memory"):
        previewer(database_url, memory_bytes=8_000_000).run(asked, lambda share: True)
    assert previewer(database_url).run(asked, lambda share: False) is None
