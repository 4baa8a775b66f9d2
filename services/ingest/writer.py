"""Writes what a run of messages came to in one transaction: readings, feed, rejections, quarantine, account.

A reading that the database refuses is found by halving, kept with the database's reason, and the rest is stored. It
refuses to wait: an unavailable database is the caller's business, who tries the same again.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import errors

from services.domain.batch import ReadingBatch
from services.domain.duplicates import DuplicatePolicy
from services.domain.quality import Quality
from services.domain.rejection import RejectReason
from services.domain.sentences.rejected import of_database
from services.ingest.assemble import Assembler
from services.ingest.blocks import WHOLE, Refusal
from services.ingest.keep import keep
from services.ingest.prepared import Prepared, Rows
from services.ingest.repeats import replayed
from services.ingest.waves import divide
from services.store import feed
from services.store.accounting import Counts
from services.store.connection import CommitUnknown, Connection, DatabaseUnavailable, transaction
from services.store.writing.at_once import MOST_READINGS, store_new
from services.store.writing.readings import ReadingWriter, Written

POISON: Final = (psycopg.DataError, psycopg.IntegrityError, errors.RaiseException)
"""Errors that a value causes. All others mean that something is wrong with the database: wait, do not reject."""


@dataclass(slots=True)
class Outcome:
    """What became of a run of messages, as committed.

    Attributes:
        counts: as in the account.
        redelivered: readings that had been committed before and came again; not in `counts`.
        reasons: rejected readings by reason.
        newest_us: newest observed time; None without an accepted reading.
        commit_s: seconds in transactions.
    """

    counts: Counts = field(default_factory=Counts)
    redelivered: int = 0
    reasons: Counter[RejectReason] = field(default_factory=Counter)
    newest_us: int | None = None
    commit_s: float = 0.0

    def add(self, other: Outcome) -> None:
        """Adds another outcome."""
        names = Counts.__dataclass_fields__
        self.counts = Counts(
            **{name: getattr(self.counts, name) + getattr(other.counts, name) for name in names}
        )
        self.redelivered += other.redelivered
        self.reasons += other.reasons
        self.commit_s += other.commit_s
        known = [each for each in (self.newest_us, other.newest_us) if each is not None]
        self.newest_us = max(known, default=None)


@dataclass(slots=True)
class _Tally:
    inserted: int = 0
    merged: int = 0
    revised: int = 0
    duplicate: int = 0
    conflicting: int = 0
    late: int = 0
    redelivered: int = 0
    accepted: list[ReadingBatch] = field(default_factory=list)

    def add(self, written: Written, repeated: int) -> None:
        """A written wave; `repeated` of its duplicates had been committed before the broker sent them again."""
        self.inserted += written.inserted
        self.merged += written.merged
        self.revised += written.revised
        self.duplicate += written.duplicate - repeated
        self.conflicting += written.conflicting
        self.late += written.late
        self.redelivered += repeated
        self.accepted.append(written.accepted)

    def counts(self, messages: int, rejected_readings: int) -> Counts:
        """As in the account."""
        stored = self.inserted + self.merged + self.revised
        return Counts(
            received=stored + self.duplicate + rejected_readings,
            messages=messages,
            stored=stored,
            merged=self.merged,
            duplicate=self.duplicate,
            conflicting=self.conflicting,
            rejected=rejected_readings,
            late=self.late,
            revised=self.revised,
        )


def write(conn: Connection, worker: str, assembler: Assembler, prepared: Prepared) -> Outcome:
    """Commits all of it; in one transaction unless the database refuses a reading.

    Args:
        conn: in autocommit mode.
        worker: whose account is charged.
        assembler: knows how to keep a part of a message, and the policy for second values.
        prepared: written whole when it was not before; calling again after an error is safe.

    Raises:
        CommitUnknown: mark the messages as delivered before, then try again.
        DatabaseUnavailable: try again later.
        psycopg.Error: something is wrong with the database that waiting may or may not heal.
    """
    try:
        return _write_once(conn, worker, assembler, prepared, len(prepared.messages))
    except POISON as error:
        return _halve(conn, worker, assembler, prepared, error)


def _halve(
    conn: Connection, worker: str, assembler: Assembler, prepared: Prepared, error: psycopg.Error
) -> Outcome:
    """Writes smaller and smaller parts until what is refused is a single reading, and keeps that as rejected."""
    stack, messages = _halves(prepared)[::-1], len(prepared.messages)
    outcome = Outcome()
    if not stack:
        stack = [_refused(assembler, prepared, error)]
    while stack:
        part = stack.pop()
        try:
            outcome.add(_write_once(conn, worker, assembler, part, messages))
            messages = 0
        except POISON as refused:
            stack += _halves(part)[::-1] or [_refused(assembler, part, refused)]
    return outcome


def _halves(prepared: Prepared) -> list[Prepared]:
    """Two smaller parts that say the same together; none where it is a single reading."""
    sizes = [len(rows.batch) for rows in prepared.rows]
    if prepared.kept and prepared.rows:
        return [
            Prepared(prepared.messages, [], prepared.kept),
            Prepared(prepared.messages, prepared.rows),
        ]
    if len(sizes) > 1:
        return [Prepared(prepared.messages, [rows]) for rows in prepared.rows]
    if not sizes or sizes[0] < 2:
        return []
    middle, rows = sizes[0] // 2, prepared.rows[0]
    return [
        Prepared(prepared.messages, [_slice(rows, slice(0, middle))]),
        Prepared(prepared.messages, [_slice(rows, slice(middle, sizes[0]))]),
    ]


def _slice(rows: Rows, part: slice) -> Rows:
    chosen = np.arange(len(rows.batch))[part]
    return Rows(rows.batch.take(chosen), rows.message[part], rows.element[part])


def _refused(assembler: Assembler, part: Prepared, error: psycopg.Error) -> Prepared:
    """The single reading of `part` as a rejection. Raises `error` again where there is no reading to blame."""
    if not part.rows:
        raise error
    rows = part.rows[0]
    position, element = int(rows.message[0]), int(rows.element[0])
    body = None if element == WHOLE else assembler.bodies(part.messages, position, [element])[0]
    refusal = Refusal(position, RejectReason.REFUSED_BY_DATABASE, of_database(error), None, body)
    return Prepared(part.messages, [], [assembler.kept(part.messages, refusal)])


def _write_once(
    conn: Connection, worker: str, assembler: Assembler, prepared: Prepared, messages: int
) -> Outcome:
    started = time.perf_counter()
    at_once = _at_once(conn, worker, prepared, messages)
    if at_once is not None:
        at_once.commit_s = time.perf_counter() - started
        return at_once
    committing = False
    tally, outcome = _Tally(), Outcome()
    try:
        with transaction(conn):
            for rows in prepared.rows:
                _write_rows(conn, rows, prepared.messages.redelivered, assembler.duplicates, tally)
            kept = keep(conn, prepared.kept)
            rejected_readings = sum(each.rejection.readings for each in kept)
            outcome.counts = tally.counts(messages, rejected_readings)
            feed.append_and_account(conn, tally.accepted, worker, outcome.counts)
            committing = True
    except DatabaseUnavailable as error:
        if committing:
            raise CommitUnknown(error.problem, error.sqlstate) from error
        raise
    outcome.redelivered = tally.redelivered + prepared.rejected - rejected_readings
    for each in kept:
        outcome.reasons[each.rejection.reason] += each.rejection.readings
    newest = [int(rows.batch.observed_us.max()) for rows in prepared.rows]
    outcome.newest_us = max(newest, default=None)
    outcome.commit_s = time.perf_counter() - started
    return outcome


def _at_once(conn: Connection, worker: str, prepared: Prepared, messages: int) -> Outcome | None:
    """The outcome where all of it is few new readings of one domain, and committed; None: nothing is written."""
    if len(prepared.rows) != 1 or prepared.kept or prepared.messages.redelivered:
        return None
    batch = prepared.rows[0].batch
    if not 0 < len(batch) <= MOST_READINGS:
        return None
    late = int(np.count_nonzero(batch.quality & Quality.LATE))
    counts = Counts(received=len(batch), messages=messages, stored=len(batch), late=late)
    if not store_new(conn, batch, worker, counts):
        return None
    return Outcome(counts, newest_us=int(batch.observed_us.max()))


def move_to_stored(
    conn: Connection,
    worker: str,
    prepared: Prepared,
    rejected_readings: int,
    duplicates: DuplicatePolicy,
) -> Outcome:
    """Stores readings that were counted as rejected before, in the caller's transaction.

    Args:
        prepared: nothing of it may be rejected.
        rejected_readings: for how many readings the message was counted.
    """
    tally = _Tally()
    for rows in prepared.rows:
        _write_rows(conn, rows, set(), duplicates, tally)
    counts = tally.counts(0, -rejected_readings)
    feed.append_and_account(conn, tally.accepted, worker, counts)
    return Outcome(counts)


def _write_rows(
    conn: Connection, rows: Rows, redelivered: set[int], policy: DuplicatePolicy, tally: _Tally
) -> None:
    writer, revising = ReadingWriter(conn, policy), policy is not DuplicatePolicy.FIRST
    again = np.isin(rows.message, np.fromiter(redelivered, np.int64)) if redelivered else None
    batch = rows.batch
    if again is not None and revising:
        done = replayed(writer, batch, again)
        tally.redelivered += int(done.sum())
        batch, again = batch.take(~done), again[~done]
    waves = divide(batch, revise=revising)
    repeated = 0 if again is None else int(again[waves.duplicate].sum())
    tally.duplicate += len(waves.duplicate) - repeated
    tally.redelivered += repeated
    tally.conflicting += waves.conflicting
    whole = len(waves.rows) == 1 and len(waves.rows[0]) == len(batch)
    for places in waves.rows:
        wave = batch if whole else batch.take(places)
        written = writer.write(wave)
        repeated = 0
        if again is not None and written.duplicate:
            repeated = _repeated(wave, written.accepted, again[places])
        tally.add(written, repeated)


def _repeated(batch: ReadingBatch, accepted: ReadingBatch, again: NDArray[np.bool_]) -> int:
    """How many rows that the broker sent again were not accepted."""
    new = set(zip(accepted.sensor.tolist(), accepted.observed_us.tolist(), strict=True))
    sent = batch.take(again)
    keys = zip(sent.sensor.tolist(), sent.observed_us.tolist(), strict=True)
    return sum(key not in new for key in keys)
