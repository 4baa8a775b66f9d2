"""The statements that count how well alarm system and people do, by week; nothing here decides what is good.

Weeks come as two arrays of instants; a week holds what happened in [start, end). The domain of an alert is that of its
sensor, feed, flood or gateway.
"""

from __future__ import annotations

from typing import Final, LiteralString

_WEEKS: Final[LiteralString] = (
    "unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS week (starts_at, ends_at, number)"
)
_OF_DOMAIN: Final[LiteralString] = """
       (%(domain)s::text IS NULL OR a.subject IN ('feed/' || %(domain)s, 'flood/' || %(domain)s)
        OR EXISTS (SELECT FROM sensor AS s WHERE s.id = a.subject AND s.domain = %(domain)s)
        OR (starts_with(a.subject, 'gateway/')
            AND EXISTS (SELECT FROM sensor AS s WHERE s.gateway = substr(a.subject, 9) AND s.domain = %(domain)s)))
"""
_TOLD: Final[LiteralString] = "coalesce((e.data ->> 'told')::boolean, true)"
_HEARD: Final[LiteralString] = f"""
    heard AS (
        SELECT week.number, week.starts_at, e.alert_id, e.at, e.kind, a.rule, a.subject,
               coalesce(e.data ->> 'severity', a.severity) AS severity,
               {_TOLD} AND e.kind <> 'suppressed' AS told, e.data ? 'flood' AS folded
          FROM {_WEEKS}
          JOIN alert_event AS e ON e.at >= week.starts_at AND e.at < week.ends_at
           AND (e.kind IN ('raised', 'escalated', 'unsuppressed', 'suppressed')
                OR (e.kind = 'unshelved' AND e.actor = 'citygauge'))
          JOIN alert AS a ON a.id = e.alert_id
         WHERE {_OF_DOMAIN})
"""
HEARD: Final[LiteralString] = f"""
    WITH {_HEARD},
    ten AS (
        SELECT number, date_bin('10 minutes', at, starts_at) AS begins, count(*) AS alerts FROM heard
         WHERE (told OR folded) AND rule <> ALL(%(aside)s) GROUP BY 1, 2),
    often AS (
        SELECT number, count(*) AS told, row_number() OVER (PARTITION BY number ORDER BY count(*) DESC) AS place
          FROM heard WHERE told GROUP BY number, rule, subject),
    third AS (
        SELECT number, rule, subject, at - lag(at, 2) OVER (PARTITION BY rule, subject ORDER BY at) AS took
          FROM heard WHERE kind = 'raised'),
    counted AS (
        SELECT number, count(*) FILTER (WHERE told) AS told,
               count(*) FILTER (WHERE kind = 'raised' AND rule <> ALL(%(aside)s)) AS raised,
               count(DISTINCT alert_id) FILTER (WHERE kind = 'suppressed') AS held,
               count(*) FILTER (WHERE folded) AS folded,
               count(*) FILTER (WHERE told AND severity = 'critical') AS critical,
               count(*) FILTER (WHERE told AND severity = 'warning') AS warning,
               count(*) FILTER (WHERE told AND severity = 'info') AS info
          FROM heard GROUP BY number)
    SELECT number::int, told::int, raised::int, held::int, folded::int, critical::int, warning::int, info::int,
           coalesce((SELECT max(alerts) FROM ten WHERE ten.number = counted.number), 0)::int,
           (SELECT count(*) FROM ten WHERE ten.number = counted.number AND ten.alerts > 10)::int,
           (SELECT count(DISTINCT (rule, subject)) FROM third
             WHERE third.number = counted.number AND took <= interval '1 hour')::int,
           coalesce((SELECT sum(often.told) FROM often WHERE often.number = counted.number AND place <= 10), 0)::int
      FROM counted
"""
STANDING: Final[LiteralString] = f"""
    SELECT week.number::int,
           count(*) FILTER (WHERE least(a.cleared_at, a.resolved_at, %(now)s, week.ends_at) - a.raised_at
                                  > interval '24 hours')::int,
           count(*) FILTER (WHERE coalesce(least(a.cleared_at, a.resolved_at), 'infinity')
                                  >= least(week.ends_at, %(now)s))::int
      FROM {_WEEKS}
      JOIN alert AS a ON a.told_at IS NOT NULL AND a.raised_at < week.ends_at
       AND coalesce(least(a.cleared_at, a.resolved_at), 'infinity') > week.starts_at
     WHERE a.raised_at <= %(now)s AND {_OF_DOMAIN}
     GROUP BY week.number
"""
# `services.domain.judgement.was_right`, for many at once; a test asks both about every rule and verdict.
RIGHT: Final[LiteralString] = (
    "(verdict = 'real' OR (verdict = 'sensor_fault' AND rule = ANY(%(of_sensors)s)))"
)
WRONG: Final[LiteralString] = (
    "(verdict = 'legitimate_use' OR (verdict = 'sensor_fault' AND NOT rule = ANY(%(of_sensors)s)))"
)
_CASES: Final[LiteralString] = f"""
    cases AS (
        SELECT week.number, a.rule, a.subject, a.group_id, a.verdict, a.started_at, a.told_at, a.cleared_at,
               a.resolved_at, log.acknowledged_at, log.repaired_at, log.lost, log.per_day, log.delay
          FROM {_WEEKS}
          JOIN alert AS a ON a.raised_at >= week.starts_at AND a.raised_at < week.ends_at
         CROSS JOIN LATERAL (
               SELECT min(e.at) FILTER (WHERE e.kind = 'acknowledged') AS acknowledged_at,
                      min(e.at) FILTER (WHERE e.kind = 'progressed' AND e.data ->> 'work' = 'repaired') AS repaired_at,
                      max((e.data #>> '{{evidence,numbers,litres_so_far}}')::float8) AS lost,
                      max((e.data #>> '{{evidence,numbers,litres_per_day}}')::float8) AS per_day,
                      max((e.data #>> '{{evidence,numbers,delay_vehicle_h}}')::float8) AS delay
                 FROM alert_event AS e WHERE e.alert_id = a.id) AS log
         WHERE a.rule <> ALL(%(aside)s) AND {_OF_DOMAIN})
"""
WORK: Final[LiteralString] = f"""
    WITH {_CASES},
    happened AS (
        SELECT number, group_id, greatest(max(lost), 0) AS lost, greatest(max(per_day), 0) AS per_day,
               greatest(max(delay), 0) AS delay,
               bool_or(verdict = 'real') AND bool_and(cleared_at IS NOT NULL) AS ended
          FROM cases WHERE verdict IS NULL OR NOT ({WRONG} OR verdict = 'duplicate') GROUP BY number, group_id),
    sums AS (
        SELECT number, sum(lost) AS lost, sum(delay) AS delay,
               sum(greatest(per_day * %(unnoticed_days)s::float8 - coalesce(lost, 0), 0)) FILTER (WHERE ended) AS saved
          FROM happened GROUP BY number)
    SELECT number::int, count(*) FILTER (WHERE verdict = 'real')::int,
           count(*) FILTER (WHERE verdict = 'sensor_fault')::int,
           count(*) FILTER (WHERE verdict = 'legitimate_use')::int, count(*) FILTER (WHERE verdict = 'duplicate')::int,
           count(*) FILTER (WHERE verdict = 'unknown')::int, count(*) FILTER (WHERE verdict IS NULL)::int,
           count(*) FILTER (WHERE {RIGHT})::int, count(*) FILTER (WHERE {WRONG})::int,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - started_at)::float8),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM acknowledged_at - told_at)::float8),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM
               coalesce(repaired_at, CASE WHEN verdict = 'real' THEN cleared_at END) - told_at)::float8),
           coalesce(max(sums.lost), 0)::float8, coalesce(max(sums.saved), 0)::float8,
           coalesce(max(sums.delay), 0)::float8
      FROM cases LEFT JOIN sums USING (number) GROUP BY number
"""
RULES: Final[LiteralString] = f"""
    WITH {_CASES}
    SELECT rule, count(*)::int, count(told_at)::int, count(*) FILTER (WHERE {RIGHT})::int,
           count(*) FILTER (WHERE {WRONG})::int
      FROM cases GROUP BY rule ORDER BY rule
"""
FREQUENT: Final[LiteralString] = f"""
    WITH {_HEARD}
    SELECT h.rule, h.subject, s.name, count(*)::int FROM heard AS h LEFT JOIN sensor AS s ON s.id = h.subject
     WHERE h.told AND h.rule <> ALL(%(aside)s) GROUP BY h.rule, h.subject, s.name
     ORDER BY count(*) DESC, h.rule, h.subject LIMIT 20
"""
SITE_ZONE: Final[LiteralString] = """
    SELECT time_zone FROM sensor WHERE %(domain)s::text IS NULL OR domain = %(domain)s
     GROUP BY time_zone ORDER BY count(*) DESC, time_zone LIMIT 1
"""
