"""How far the database of the history benchmark is: of which city, how many batches are in, whether it is rolled up.

Kept beside the readings and changed in their transactions, so that a load that was ended goes on where it was. It
refuses a folder that holds another city.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, LiteralString

from services.store.connection import Connection

_CREATE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS bench_city (
        city text NOT NULL, batches integer NOT NULL DEFAULT 0, load_s float8 NOT NULL DEFAULT 0,
        loaded boolean NOT NULL DEFAULT false, roll_s float8 NOT NULL DEFAULT 0, rolled boolean NOT NULL DEFAULT false)
"""
_BEGIN: Final[LiteralString] = (
    "INSERT INTO bench_city (city) SELECT %s WHERE NOT EXISTS (SELECT FROM bench_city)"
)
_FOUND: Final[LiteralString] = (
    "SELECT city, batches, load_s, loaded, roll_s, rolled FROM bench_city"
)
_BATCH: Final[LiteralString] = "UPDATE bench_city SET batches = batches + 1, load_s = load_s + %s"
_LOADED: Final[LiteralString] = "UPDATE bench_city SET loaded = true"
_ROLLED: Final[LiteralString] = "UPDATE bench_city SET roll_s = roll_s + %s, rolled = %s"


@dataclass(frozen=True)
class Progress:
    """Batches that are in and the seconds that they took; seconds of rolling up so far; and what is complete."""

    batches: int
    load_s: float
    loaded: bool
    roll_s: float
    rolled: bool


class Kept:
    """What is known of the database behind a connection in autocommit mode."""

    def __init__(self, conn: Connection, city: dict[str, object]) -> None:
        """Of a database that is empty, or holds this city, described by whatever its readings depend on."""
        self._conn = conn
        self._city = json.dumps(city, sort_keys=True)
        conn.execute(_CREATE)
        conn.execute(_BEGIN, (self._city,))
        self.progress()

    def progress(self) -> Progress:
        """How far it is."""
        row = self._conn.execute(_FOUND).fetchone()
        assert row is not None
        if row[0] != self._city:
            raise SystemExit(
                f"this folder holds another city: {row[0]}, not {self._city}; choose another folder, or remove this one"
            )
        return Progress(*row[1:])

    def batch(self, seconds: float) -> None:
        """One more batch is in, which took so long; in the transaction that writes it."""
        self._conn.execute(_BATCH, (seconds,))

    def loaded(self) -> None:
        """All readings are in; in the transaction that writes the last."""
        self._conn.execute(_LOADED)

    def rolled(self, seconds: float, *, complete: bool) -> None:
        """The rollups' keeper has worked for so much longer, and whether it found nothing more to do."""
        self._conn.execute(_ROLLED, (seconds, complete))
