"""The statements of the outbox and its deliveries; nothing here decides anything."""

from __future__ import annotations

from typing import Final, LiteralString

_OPEN: Final[LiteralString] = "sent_at IS NULL AND given_up_at IS NULL"
_KEY: Final[LiteralString] = (
    "event_id = %(event_id)s AND channel = %(channel)s AND round = %(round)s"
)
_LENT: Final[LiteralString] = (
    "d.event_id, d.channel, d.attempts, d.round, d.reason, d.created_at, d.held_until"
)
_SAME: Final[LiteralString] = (
    "d.event_id = chosen.event_id AND d.channel = chosen.channel AND d.round = chosen.round"
)

ROUTED: Final[LiteralString] = """
    UPDATE outbox SET routed_at = clock_timestamp() WHERE event_id = ANY(%s) AND routed_at IS NULL RETURNING event_id
"""
ADD_DELIVERIES: Final[LiteralString] = """
    INSERT INTO delivery (event_id, channel, next_attempt_at, reason, held_until)
    SELECT event_id, channel, coalesce(at, clock_timestamp()), reason, held
      FROM unnest(%(events)s::uuid[], %(channels)s::text[], %(at)s::timestamptz[], %(reasons)s::text[],
                  %(held)s::timestamptz[]) AS planned (event_id, channel, at, reason, held)
        ON CONFLICT DO NOTHING
"""
DUE: Final[LiteralString] = f"""
    UPDATE delivery AS d SET attempts = d.attempts + 1, next_attempt_at = %(until)s
      FROM (SELECT event_id, channel, round FROM delivery
             WHERE {_OPEN} AND next_attempt_at <= %(now)s
               AND (%(channel)s::text IS NULL OR channel = %(channel)s)
               AND (NOT %(gathers)s OR (held_until IS NULL AND digest_id IS NULL))
             ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS chosen
     WHERE {_SAME}
    RETURNING {_LENT}
"""
# The first row is locked without skipping, so that two notifiers never hold halves of one digest.
BEGUN_DIGEST: Final[LiteralString] = f"""
    SELECT digest_id FROM delivery
     WHERE {_OPEN} AND channel = %(channel)s AND digest_id IS NOT NULL AND next_attempt_at <= %(now)s
     ORDER BY digest_id, event_id, round LIMIT 1 FOR UPDATE
"""
DIGEST_AGAIN: Final[LiteralString] = f"""
    UPDATE delivery AS d SET attempts = d.attempts + 1, next_attempt_at = %(until)s
     WHERE {_OPEN} AND channel = %(channel)s AND digest_id = %(digest)s AND next_attempt_at <= %(now)s
    RETURNING {_LENT}
"""
NEW_DIGEST: Final[LiteralString] = f"""
    UPDATE delivery AS d SET attempts = d.attempts + 1, next_attempt_at = %(until)s, digest_id = %(digest)s
      FROM (SELECT event_id, channel, round FROM delivery
             WHERE {_OPEN} AND channel = %(channel)s AND digest_id IS NULL AND held_until IS NOT NULL
               AND next_attempt_at <= %(now)s
             ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS chosen
     WHERE {_SAME}
    RETURNING {_LENT}
"""
SENT: Final[LiteralString] = f"""
    UPDATE delivery SET sent_at = %(at)s, last_error = NULL, receipt = %(receipt)s
     WHERE {_KEY} AND sent_at IS NULL
"""
# Some of them, so that those which never get a number do not stand before the others.
WITH_RECEIPT: Final[LiteralString] = """
    SELECT event_id, round, receipt FROM delivery
     WHERE channel = %(channel)s AND sent_at > %(since)s AND starts_with(receipt, %(beginning)s)
     ORDER BY random() LIMIT %(limit)s
"""
EXCHANGED: Final[LiteralString] = f"UPDATE delivery SET receipt = %(receipt)s WHERE {_KEY}"
AGAIN: Final[LiteralString] = """
    INSERT INTO delivery (event_id, channel, round, reason, next_attempt_at)
    VALUES (%(event_id)s, %(channel)s, %(round)s + 1, 'repeated', %(again_at)s) ON CONFLICT DO NOTHING
"""
FAILED: Final[LiteralString] = f"""
    WITH failed AS (
        UPDATE delivery SET next_attempt_at = %(next)s, last_error = %(error)s
         WHERE {_KEY} AND sent_at IS NULL RETURNING event_id, channel, round, attempts)
    INSERT INTO delivery_attempt (event_id, channel, round, attempt, at, problem)
    SELECT event_id, channel, round, attempts, coalesce(%(at)s::timestamptz, clock_timestamp()), %(error)s FROM failed
        ON CONFLICT DO NOTHING
"""
GIVEN_UP: Final[LiteralString] = f"""
    WITH failed AS (
        UPDATE delivery SET given_up_at = %(at)s, last_error = %(error)s
         WHERE {_KEY} AND sent_at IS NULL RETURNING event_id, channel, round, attempts)
    INSERT INTO delivery_attempt (event_id, channel, round, attempt, at, problem)
    SELECT event_id, channel, round, attempts, %(at)s, %(error)s FROM failed WHERE attempts > 0
        ON CONFLICT DO NOTHING
"""
NEEDLESS: Final[LiteralString] = f"""
    UPDATE delivery SET given_up_at = %(at)s, needless = true, last_error = %(error)s
     WHERE {_KEY} AND sent_at IS NULL
"""
POSTPONE: Final[LiteralString] = f"""
    UPDATE delivery SET next_attempt_at = %(until)s, attempts = greatest(0, attempts - 1)
     WHERE {_KEY} AND sent_at IS NULL
"""
TOLD_BEFORE: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM alert AS a JOIN alert_event AS e ON e.alert_id = a.id
                     JOIN delivery AS d ON d.event_id = e.id
                    WHERE a.group_id = %(group)s AND d.channel = %(channel)s AND d.sent_at IS NOT NULL)
"""
# Others of the same event that still burn and that nobody has.
GROUP_WAITS: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM alert
                    WHERE group_id = %(group)s AND id <> %(alert)s AND cleared_at IS NULL AND resolved_at IS NULL
                      AND acknowledged_at IS NULL)
"""
TOLD_WORSE: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM alert_event AS e JOIN delivery AS d ON d.event_id = e.id
                    WHERE e.alert_id = %(alert)s AND e.position > %(position)s AND e.kind IN ('raised', 'escalated')
                      AND d.channel = %(channel)s AND d.given_up_at IS NULL)
"""
REMOVED: Final[LiteralString] = f"""
    UPDATE delivery SET given_up_at = %(now)s, needless = true,
           last_error = 'the route ' || channel || ' is no longer in the settings'
     WHERE {_OPEN} AND next_attempt_at < %(before)s AND channel <> ALL(%(channels)s::text[])
"""
NEXT_DUE: Final[LiteralString] = f"SELECT min(next_attempt_at) FROM delivery WHERE {_OPEN}"
OF_EVENT: Final[LiteralString] = """
    SELECT event_id, channel, attempts, next_attempt_at, sent_at, given_up_at, last_error, round, reason, needless,
           receipt
      FROM delivery WHERE event_id = %s ORDER BY channel, round
"""
BACKLOG: Final[LiteralString] = f"""
    SELECT (SELECT count(*)::bigint FROM outbox WHERE routed_at IS NULL),
           (SELECT count(*)::bigint FROM delivery
             WHERE {_OPEN} AND (attempts > 0 OR next_attempt_at <= clock_timestamp()))
"""
