"""Replays messages that were rejected, after a fix: the kept bytes go through today's registry and decoders.

What can be stored now moves in the account from rejected to stored (or duplicate), so that received = stored +
duplicate + rejected stays true; a message that now holds more readings than it was counted for adds the difference
to received. What is rejected again stays as it was, with today's reason. It refuses messages of which a part was cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.domain.instant import to_us
from services.domain.rejection import RejectReason
from services.domain.sentences.rejected import of_database
from services.ingest.intake import Intake
from services.ingest.messages import Messages
from services.ingest.parts import assembler_of
from services.ingest.settings import IngestSettings
from services.ingest.writer import POISON, move_to_stored
from services.store import rejected
from services.store.connection import Connection, transaction
from services.store.rejected import MessageState, RejectedMessage
from services.store.writing.seen import explain_again, lock_new, new_messages

WORKER = "replay"
"""Whose account the replayed readings are moved in."""


@dataclass(slots=True)
class Replayed:
    """What came of it: messages that are done, messages that stay rejected, and readings.

    Attributes:
        cut: messages that cannot be replayed because only their beginning was kept.
        reasons: why messages stay, by reason.
    """

    replayed: int = 0
    stay: int = 0
    cut: int = 0
    stored: int = 0
    duplicate: int = 0
    reasons: Counter[RejectReason] = field(default_factory=Counter)


def replay_rejected(
    conn: Connection,
    settings: IngestSettings,
    *,
    by: str,
    ids: Sequence[int] | None = None,
    reason: RejectReason | None = None,
    sensor_id: str | None = None,
) -> Replayed:
    """Replays messages by their ids, or all new ones of a reason and sensor, each in a transaction of its own.

    Args:
        conn: in autocommit mode.
        by: who asks, noted with each message.

    Raises:
        UnknownMessage: an id is not there; what came before it is done.
        DatabaseUnavailable: what was done is done; call again.
    """
    intake = Intake(assembler_of(settings), settings.unknown_sensors)
    intake.refresh(conn)
    result = Replayed()
    if ids is not None:
        for each in ids:
            _replay(conn, intake, rejected.get(conn, each), by, result)
        return result
    for each in new_messages(conn, reason=reason, sensor_id=sensor_id):
        _replay(conn, intake, rejected.get(conn, each), by, result)
    return result


def _replay(
    conn: Connection, intake: Intake, message: RejectedMessage, by: str, result: Replayed
) -> None:
    """One message in a transaction of its own; if the database refuses it, it stays with that reason."""
    try:
        with transaction(conn):
            if lock_new(conn, message.id):
                _replay_locked(conn, intake, message, by, result)
    except POISON as error:
        result.stay += 1
        result.reasons[RejectReason.REFUSED_BY_DATABASE] += 1
        explain_again(conn, message.id, RejectReason.REFUSED_BY_DATABASE, of_database(error))


def _replay_locked(
    conn: Connection, intake: Intake, message: RejectedMessage, by: str, result: Replayed
) -> None:
    if not message.whole:
        result.cut += 1
        return
    received_us = to_us(message.received_at)
    messages = Messages([message.topic.encode()], [message.payload], [received_us])
    prepared = intake.prepare(conn, messages)
    if prepared.kept:
        first = prepared.kept[0].rejection
        result.stay += 1
        result.reasons[first.reason] += 1
        explain_again(conn, message.id, first.reason, first.detail)
        return
    outcome = move_to_stored(conn, WORKER, prepared, message.readings, intake.assembler.duplicates)
    rejected.mark(conn, message.id, MessageState.REPLAYED, by)
    result.replayed += 1
    result.stored += outcome.counts.stored
    result.duplicate += outcome.counts.duplicate
