-- On the Community edition: chunks of the continuous aggregates as long as those of the tables of the Apache edition
-- (0008). By themselves they are ten times as long as the readings', so that a question for years by days opened many.
SELECT set_chunk_time_interval(
           format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass, l.chunk)
  FROM timescaledb_information.continuous_aggregates AS a
  JOIN (VALUES ('5min', interval '28 days'), ('hour', interval '364 days'), ('day', interval '3640 days'))
       AS l (name, chunk) ON a.view_name IN ('water_' || l.name, 'traffic_' || l.name)
 WHERE a.view_schema = 'public';
