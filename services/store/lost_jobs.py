"""Jobs whose worker died: begun anew, but not for ever, for what has killed three workers would kill the next.

A worker is dead when it has said nothing for a minute; one that stops in order hands its job back before, and that is
no loss.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, LiteralString

from services.domain.sentences.problem import problem
from services.store.connection import Connection

ALIVE: Final = timedelta(minutes=1)
"""A worker that has said nothing for so long has lost its job."""
MOST_LOSSES: Final = 3
PROBLEM: Final = problem("lost")


def let_go(conn: Connection, table: LiteralString) -> None:
    """Jobs of dead workers wait again; those that were lost too often have failed.

    Args:
        table: a table of jobs with the columns state, worker, beat_at, progress, losses, problem and finished_at.
    """
    statement: LiteralString = f"""
        UPDATE {table} SET worker = NULL, progress = 0, losses = losses + 1,
               state = CASE WHEN losses + 1 < %(most)s THEN 'waiting' ELSE 'failed' END,
               problem = CASE WHEN losses + 1 < %(most)s THEN NULL ELSE %(problem)s END,
               finished_at = CASE WHEN losses + 1 < %(most)s THEN NULL ELSE clock_timestamp() END
         WHERE state = 'running' AND beat_at < clock_timestamp() - %(alive)s
    """
    conn.execute(statement, {"most": MOST_LOSSES, "problem": PROBLEM, "alive": ALIVE})
