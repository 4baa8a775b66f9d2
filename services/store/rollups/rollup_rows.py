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
            unit = level.unit_us
            pieces = np.unique(
                np.stack(
                    [
                        spans.sensor[chosen].astype(np.int64),
                        spans.start_us[chosen] // unit * unit,
                        -(-spans.end_us[chosen] // unit) * unit,
                    ]
                ),
                axis=1,
            )
            values = {
                "sensors": Integers(pieces[0]),
                "starts": Times(pieces[1]),
                "ends": Times(pieces[2]),
                "start": from_us(int(pieces[1].min())),
                "end": from_us(int(pieces[2].max())),
            }
            below = None if source is None else Level(source)
            with columnar(conn) as cursor:
                cursor.execute(statements.remove(domain, level), values)
                cursor.execute(statements.roll(domain, level, below), values)


def drop(conn: Connection, domain: Domain, before: datetime) -> None:
    """Remove the rollups of readings that were dropped, in the caller's transaction. Of a continuous aggregate, those
    of the hypertable that holds it: its own refresh comes later, or never for times so long ago.
    """
    for level in Level:
        name = relation(domain, level)
        row = conn.execute(statements.MATERIALIZED, (name,)).fetchone() or ("public", name)
        conn.execute(statements.drop(*row), {"before": before})
