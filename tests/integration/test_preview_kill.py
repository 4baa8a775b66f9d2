"""An API that is killed in the middle of a preview: the work ends with it, and the next start makes it anew."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx

from services.domain.alert import Verdict
from services.store.connection import Connection, connect, transaction
from services.store.lost_jobs import ALIVE
from services.store.previews import PreviewRepository, PreviewState
from tests.api_server import new_key
from tests.integration.test_api_previews import END, asking, previewer
from tests.integration.test_backtest_database import stored
from tests.integration.test_cli_api import api
from tests.integration.test_tune_database import history, told_and_judged
from tests.waiting import wait_until

ORDER = {"changes": {"continuous_min_h": 30.0, "continuous_vendor_h": 30.0}, "end": END}
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'citygauge-preview%'"


def workers(conn: Connection) -> int:
    """Connections of processes that make a preview."""
    row = conn.execute(AT_WORK).fetchone()
    assert row is not None
    return int(row[0])


def test_the_next_start_takes_over_what_a_killed_api_left(
    database_url: str, tmp_path: Path
) -> None:
    folder = history(tmp_path / "one")
    stored(database_url, folder)
    told_and_judged(database_url, folder, {"M1": Verdict.REAL, "M2": Verdict.LEGITIMATE_USE})
    headers = {"Authorization": f"Bearer {new_key(database_url, 'operate')}"}
    with connect(database_url, "test", autocommit=True) as conn:
        previews = PreviewRepository(conn)
        with (
            api(database_url, tmp_path) as (url, process),
            connect(database_url, "test") as other,
            transaction(other),
        ):
            other.execute("LOCK TABLE water_reading")  # nothing is done before it is killed
            asked = httpx.post(f"{url}/v1/rules/previews", json=ORDER, headers=headers)
            preview = UUID(asked.json()["id"])
            wait_until(lambda: workers(conn), what="the preview to be made")
            process.kill()
            wait_until(lambda: not process.running, what="the API to be gone")
            assert previews.get(preview).state is PreviewState.RUNNING
        wait_until(lambda: not workers(conn), what="its work to end with it")
        assert previews.take("another") is None, "not lost yet: it may be alive"
        silent = ALIVE + timedelta(seconds=1)
        conn.execute("UPDATE rule_preview SET beat_at = beat_at - %s", (silent,))
        with asking(database_url, previewer(database_url)) as client:
            place = f"/v1/rules/previews/{preview}"
            wait_until(
                lambda: client.get(place).json()["state"] not in {"waiting", "running"},
                what="the preview to end",
            )
            found = client.get(place).json()
        assert (found["state"], found["problem"]) == ("done", None)
        assert (found["result"]["kept"], found["result"]["lost"]) == (1, 1)
