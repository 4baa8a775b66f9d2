"""The statements of the batch feed. Transaction ids travel as numbers: the driver does not know their type."""

from __future__ import annotations

from typing import Final, LiteralString

from services.store.accounting import ADD

CHANNEL: Final = "citygauge_feed"
"""Told at every append: a hint to poll."""
APPEND: Final[LiteralString] = (
    "INSERT INTO batch_feed (domain, readings, columns) VALUES (%s, %s, %b) "
    f"RETURNING pg_notify('{CHANNEL}', '')"
)
FED: Final[LiteralString] = f"""
        INSERT INTO batch_feed (domain, readings, columns)
        VALUES (%(domain)s, %(readings)s, %(columns)b)
        RETURNING pg_notify('{CHANNEL}', '')
"""
# A row of the feed and the line of the account in one way to the server and back.
CLOSE: Final[LiteralString] = f"""
    WITH fed AS ({FED})
    {ADD}
"""
EPOCH: Final[LiteralString] = "SELECT cluster_epoch()"
POSITION: Final[LiteralString] = (
    "SELECT epoch, xid::text::bigint, id FROM feed_position WHERE consumer = %s"
)
# The horizon guards the epoch of this cluster only: what a dump brought here is committed, all of it.
POLL: Final[LiteralString] = """
    SELECT id, xid, columns
      FROM (SELECT id, xid::text::bigint AS xid, columns, readings, sum(readings) OVER (ORDER BY xid, id) AS total
              FROM (SELECT id, xid, columns, readings FROM batch_feed
                     WHERE epoch = %(epoch)s AND (xid, id) > (%(xid)s::text::xid8, %(id)s)
                       AND (%(closed)s OR xid < pg_snapshot_xmin(pg_current_snapshot()))
                     ORDER BY xid, id LIMIT %(rows)s) AS next_rows) AS with_total
     WHERE total - readings < %(readings)s
     ORDER BY xid, id
"""
# Epochs follow each other in the order of ids: a restored sequence goes on where the dump ended.
NEXT_EPOCH: Final[LiteralString] = """
    SELECT epoch FROM batch_feed
     WHERE epoch <> %(epoch)s
       AND id > greatest(%(id)s, (SELECT coalesce(max(id), 0) FROM batch_feed WHERE epoch = %(epoch)s))
     ORDER BY id LIMIT 1
"""
FIRST_EPOCH: Final[LiteralString] = "SELECT epoch FROM batch_feed ORDER BY id LIMIT 1"
HORIZON: Final[LiteralString] = """
    SELECT cluster_epoch(), (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)
"""
SAVE_FIRST: Final[LiteralString] = """
    INSERT INTO feed_position (consumer, epoch, xid, id) VALUES (%(consumer)s, %(epoch)s, %(xid)s::text::xid8, %(id)s)
    ON CONFLICT (consumer) DO NOTHING
"""
SAVE: Final[LiteralString] = """
    UPDATE feed_position SET epoch = %(epoch)s, xid = %(xid)s::text::xid8, id = %(id)s, updated_at = now()
     WHERE consumer = %(consumer)s AND epoch = %(old_epoch)s AND xid = %(old_xid)s::text::xid8 AND id = %(old_id)s
"""
# Who reads this cluster's own epoch has done all others; who reads an older one has the later ones before it.
LAG: Final[LiteralString] = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8,
           count(*)::bigint, coalesce(sum(readings), 0)::bigint
      FROM batch_feed
     WHERE (epoch = %(epoch)s AND (xid, id) > (%(xid)s::text::xid8, %(id)s))
        OR (epoch <> %(epoch)s AND %(epoch)s <> cluster_epoch()
            AND id > greatest(%(known_id)s, (SELECT coalesce(max(id), 0) FROM batch_feed WHERE epoch = %(epoch)s)))
"""
OLDEST_OPEN: Final[LiteralString] = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""
CLAIM: Final[LiteralString] = "SELECT pg_try_advisory_lock(hashtextextended(%s, 1))"
RELEASE: Final[LiteralString] = "SELECT pg_advisory_unlock(hashtextextended(%s, 1))"
# Rows that a known consumer has not read stay, whatever their age.
PRUNE: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM batch_feed AS f
         WHERE f.id IN (SELECT id FROM batch_feed WHERE written_at < %(before)s ORDER BY id LIMIT %(limit)s)
           AND NOT EXISTS (
               SELECT FROM (SELECT epoch, xid, id FROM feed_position
                            UNION ALL SELECT epoch, xid, id FROM detector_checkpoint_position) AS p
                WHERE CASE WHEN p.epoch = f.epoch THEN (f.xid, f.id) > (p.xid, p.id)
                           WHEN p.epoch = cluster_epoch() THEN false
                           ELSE f.id > (SELECT coalesce(max(id), 0) FROM batch_feed WHERE epoch = p.epoch) END)
        RETURNING f.epoch, f.xid, f.id),
    noted AS (
        INSERT INTO feed_pruned AS p
        SELECT DISTINCT ON (epoch) epoch, xid, id FROM gone ORDER BY epoch, xid DESC, id DESC
            ON CONFLICT (epoch) DO UPDATE SET xid = excluded.xid, id = excluded.id
                                    WHERE (excluded.xid, excluded.id) > (p.xid, p.id))
    SELECT count(*)::bigint FROM gone
"""
# Whether something after a place is gone: pruned, or of another cluster than this one and all that it took over; or
# whether the place is of a later time than this database knows (it was restored from a backup).
LOST: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM feed_pruned
                    WHERE epoch = %(epoch)s AND (xid, id) > (%(xid)s::text::xid8, %(id)s))
           OR (%(epoch)s <> cluster_epoch()
               AND NOT EXISTS (SELECT FROM feed_pruned WHERE epoch = %(epoch)s)
               AND NOT EXISTS (SELECT FROM batch_feed WHERE epoch = %(epoch)s)),
           %(epoch)s = cluster_epoch() AND %(xid)s::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()),
           (SELECT written_at FROM batch_feed ORDER BY id LIMIT 1)
"""


FORGET: Final[LiteralString] = "DELETE FROM feed_position WHERE consumer = %s"
