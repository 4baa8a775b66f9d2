"""kill -9 while late data are told: what they reveal is told once, by the process that comes after."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from services.domain.alert import EventKind
from services.domain.batch import ReadingBatch, concatenate
from services.domain.condition import Rule
from services.domain.instant import HOUR_US
from services.embedded.database import EmbeddedDatabase
from tests.acceptance.test_crash_detect import (
    AFTER_H,
    LEAK_H,
    QUIET_H,
    SETTINGS,
    START_US,
    City,
    batches,
    city,
)
from tests.waiting import wait_until


def parts(made: City) -> tuple[ReadingBatch, ReadingBatch]:
    """Everything without the leak of the first meter, and that leak's hours."""
    whole = concatenate(batches(made.numbers))
    begin, end = (START_US + hour * HOUR_US for hour in (QUIET_H - 3, QUIET_H + LEAK_H + 3))
    late = whole.sensor == made.numbers[0]
    late &= (whole.observed_us >= begin) & (whole.observed_us < end)
    return whole.take(~late), whole.take(late)


def told(made: City) -> list[EventKind]:
    """What the log says of the leak."""
    log = made.log()
    ids = {e.event.alert_id for e in log if e.event.data.get("rule") == Rule.CONTINUOUS_FLOW}
    return [entry.event.kind for entry in log if entry.event.alert_id in ids]


@pytest.mark.parametrize("checkpoint_s", [0.0, 3600.0], ids=["checkpoints", "history"])
def test_kill_9_around_what_late_data_reveal_neither_repeats_nor_forgets_it(
    database_server: EmbeddedDatabase, migrated_template: str, checkpoint_s: float
) -> None:
    url = database_server.clone(migrated_template)
    settings = SETTINGS.model_copy(update={"checkpoint_s": checkpoint_s, "late_s": 0.0})
    with city(url, settings) as made:
        rest, late = parts(made)
        made.feed(rest)
        wait_until(made.caught_up, what="what came in time")
        assert told(made) == []
        with psycopg.connect(url) as holder:
            holder.execute("LOCK TABLE alert_event IN EXCLUSIVE MODE")
            made.feed(late)
            wait_until(made.blocked, what="the transaction that tells what the late data say")
            made.kill()
        made.start()
        wait_until(lambda: len(told(made)) == 2, what="the leak to be told")
        made.kill()
        made.start()
        for hour in (1, 2):  # the second is taken when the first has been judged
            nothing = rest.take(np.arange(len(rest)) == len(rest) - 1)
            at = np.full(1, START_US + (QUIET_H + LEAK_H + AFTER_H + hour) * HOUR_US)
            made.feed(
                ReadingBatch(
                    nothing.domain, nothing.sensor, at, at, nothing.quality, nothing.metrics
                )
            )
            wait_until(made.caught_up, what="the hours after")
        assert told(made) == [EventKind.RAISED, EventKind.CLEARED]
