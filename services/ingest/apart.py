"""The way out when our own code fails on a run of messages: take it apart, and keep what it fails on as rejected.

One message must never stall the stream, not even by a fault that nobody has thought of. It refuses to hide the fault:
it is logged with its traceback, and the message can be replayed once it is mended.
"""

from __future__ import annotations

import logging

import psycopg

from services.domain.errors import Unavailable
from services.domain.rejection import RejectReason
from services.domain.sentences.rejected import of_fault
from services.ingest.blocks import Refusal
from services.ingest.intake import Intake
from services.ingest.messages import Messages
from services.ingest.prepared import Prepared
from services.ingest.writer import Outcome, write
from services.store.connection import Connection

log = logging.getLogger("citygauge.ingest")


def store_apart(conn: Connection, worker: str, intake: Intake, messages: Messages) -> Outcome:
    """Stores the messages in smaller and smaller runs; a single one that still fails is kept as DECODER_ERROR.

    Raises:
        DatabaseUnavailable, psycopg.Error: as `writer.write`.
    """
    try:
        return write(conn, worker, intake.assembler, intake.prepare(conn, messages))
    except (Unavailable, psycopg.Error):
        raise
    except Exception as error:
        if len(messages) == 1:
            log.exception("ingest fault: message kept and rejected")
            refusal = Refusal(0, RejectReason.DECODER_ERROR, of_fault(error))
            kept = intake.assembler.kept(messages, refusal)
            return write(conn, worker, intake.assembler, Prepared(messages, [], [kept]))
    middle = len(messages) // 2
    outcome = store_apart(conn, worker, intake, messages.take(0, middle))
    outcome.add(store_apart(conn, worker, intake, messages.take(middle, len(messages))))
    return outcome
