"""A job that kills its workers is given up, with a sentence that says what to do."""

from datetime import timedelta

import pytest

from services.store.connection import connect
from services.store.lost_jobs import ALIVE, MOST_LOSSES, PROBLEM
from services.store.previews import PreviewRepository
from services.store.query.exports import ExportRepository

AGE = "UPDATE {} SET beat_at = beat_at - %s"


@pytest.mark.parametrize(
    ("repository", "table"),
    [(ExportRepository, "export_job"), (PreviewRepository, "rule_preview")],
)
def test_what_kills_its_workers_is_not_begun_for_ever(
    database_url: str, repository: type[ExportRepository | PreviewRepository], table: str
) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        jobs = repository(conn)
        job = jobs.add({}, "ada", most=1)
        assert job is not None
        for n in range(MOST_LOSSES):
            taken = jobs.take(f"worker {n}")
            assert taken is not None, f"begun anew after {n} losses"
            jobs.release(taken.id, f"worker {n}")  # handed back in order: no loss
            assert jobs.take(f"worker {n} again") is not None
            conn.execute(AGE.format(table), (ALIVE + timedelta(seconds=1),))
        assert jobs.take("one more") is None
        found = jobs.get(job.id)
        assert (found.state.value, found.problem) == ("failed", PROBLEM)
        assert found.finished_at is not None
