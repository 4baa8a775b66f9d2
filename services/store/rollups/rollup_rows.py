"""The rows of the rollups: marked as not to be trusted, made anew, dropped; each in the caller's transaction.

It refuses to decide when: `rollup.py` does.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.instant import from_us
from services.store.connection import Connection
from services.store.query.columns import Spans
from services.store.rollups import rollup_statements as statements
from services.store.rollups.rollup_level import Level, relation
from services.store.wire import Integers, Times, columnar


def mark(
    conn: Connection, domain: Domain, sensors: NDArray[np.int32], hours_us: NDArray[np.int64]
) -> None:
    """Distrust the rollups of these (sensor, full hour) pairs, until they are rolled up again, in the caller's
    transaction. For those who change or remove stored readings without the feed.
    """
    if len(sensors):
        values = {
            "domain": domain.value,
            "sensors": Integers(sensors),
            "hours": Times(hours_us),
        }
        with columnar(conn) as cursor:
            cursor.execute(statements.MARK, values)


def roll(conn: Connection, domain: Domain, spans: Spans, finest: NDArray[np.int16]) -> None:
    """Roll the spans (whole hours) up anew, in the caller's transaction: each level from the one below it.

    Args:
        finest: (n,) the finest `Level` of each span's sensor.
    """
    for level in Level:
        for source, chosen in ((None, finest == level), (level - 1, finest < level)):
            if not chosen.any():
                continue
            pieces = _units(spans, chosen, level.unit_us)
            values = {
                "sensors": Integers(pieces.sensor),
                "starts": Times(pieces.start_us),
                "ends": Times(pieces.end_us),
                "start": from_us(int(pieces.start_us.min())),
                "end": from_us(int(pieces.end_us.max())),
            }
            below = None if source is None else Level(source)
            with columnar(conn) as cursor:
                cursor.execute(statements.remove(domain, level), values)
                cursor.execute(statements.roll(domain, level, below), values)


def _units(spans: Spans, chosen: NDArray[np.bool_], unit_us: int) -> Spans:
    """The chosen spans, widened to whole units; those of a sensor that meet or overlap are one."""
    sensor = spans.sensor[chosen]
    start = spans.start_us[chosen] // unit_us * unit_us
    end = -(-spans.end_us[chosen] // unit_us) * unit_us
    order = np.lexsort((end, start, sensor))
    sensor, start, end = sensor[order], start[order], end[order]
    # spans are of one length, or of different sensors: the last of those that meet ends last
    begins = np.flatnonzero(
        np.concatenate([[True], (sensor[1:] != sensor[:-1]) | (start[1:] > end[:-1])])
    )
    lasts = np.append(begins[1:], len(sensor)) - 1
    return Spans(sensor[begins], start[begins], end[lasts])


def drop(conn: Connection, domain: Domain, before: datetime) -> None:
    """Remove the rollups of readings that were dropped, in the caller's transaction. Of a continuous aggregate, those
    of the hypertable that holds it: its own refresh comes later, or never for times so long ago.
    """
    for level in Level:
        name = relation(domain, level)
        row = conn.execute(statements.MATERIALIZED, (name,)).fetchone() or ("public", name)
        conn.execute(statements.drop(*row), {"before": before})
