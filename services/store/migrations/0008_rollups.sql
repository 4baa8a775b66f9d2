-- Rollups of readings: 5 minutes, hours and days (UTC) of each sensor, under one name in both editions.
-- Apache: tables, kept by `citygauge maintain`. Community: continuous aggregates, refreshed by it. In both, what is
-- listed in rollup_dirty is not to be trusted until it has been worked off: queries read the readings themselves.

DO $$
DECLARE
    domain   record;
    level    record;
    metric   text;
    columns  text;
    selected text;
    continuous boolean := coalesce(current_setting('timescaledb.license', true), '') = 'timescale';
BEGIN
    FOR domain IN SELECT * FROM (VALUES
        ('water', ARRAY['register_litres', 'consumption_litres', 'flow_litres_per_h', 'pressure_kpa', 'level_m',
                        'temperature_celsius', 'battery_pct']),
        ('traffic', ARRAY['count_veh', 'flow_veh_per_h', 'speed_km_per_h', 'occupancy_pct'])
    ) AS listed (name, metrics) LOOP
        columns := '';
        selected := '';
        FOREACH metric IN ARRAY domain.metrics LOOP
            columns := columns || format(
                ', %1$I integer NOT NULL, %2$I float8, %3$I float8, %4$I float8, %5$I float8, %6$I float8',
                metric || '_count', metric || '_sum', metric || '_min', metric || '_max', metric || '_first',
                metric || '_last');
            selected := selected || format(
                ', count(%7$I)::integer AS %1$I, sum(%7$I) AS %2$I, min(%7$I) AS %3$I, max(%7$I) AS %4$I,'
                ' first(%7$I, time) FILTER (WHERE %7$I IS NOT NULL) AS %5$I,'
                ' last(%7$I, time) FILTER (WHERE %7$I IS NOT NULL) AS %6$I',
                metric || '_count', metric || '_sum', metric || '_min', metric || '_max', metric || '_first',
                metric || '_last', metric);
        END LOOP;
        FOR level IN SELECT * FROM (VALUES
            ('5min', interval '5 minutes', interval '28 days'),
            ('hour', interval '1 hour', interval '364 days'),
            ('day', interval '1 day', interval '3640 days')
        ) AS listed (name, width, chunk) LOOP
            IF continuous THEN
                EXECUTE format(
                    'CREATE MATERIALIZED VIEW %I WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
                     SELECT sensor, time_bucket(%L::interval, time) AS bucket, count(*)::integer AS readings,
                            bit_or(quality) AS quality %s
                       FROM %I GROUP BY 1, 2 WITH NO DATA',
                    domain.name || '_' || level.name, level.width, selected, domain.name || '_reading');
            ELSE
                EXECUTE format(
                    'CREATE TABLE %I (sensor integer NOT NULL, bucket timestamptz NOT NULL, readings integer NOT NULL,
                                      quality smallint NOT NULL %s)',
                    domain.name || '_' || level.name, columns);
                PERFORM create_hypertable(
                    format('%I', domain.name || '_' || level.name)::regclass, by_range('bucket', level.chunk),
                    create_default_indexes => false);
                EXECUTE format(
                    'CREATE UNIQUE INDEX %I ON %I (sensor, bucket)',
                    domain.name || '_' || level.name || '_sensor_bucket', domain.name || '_' || level.name);
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- Hours of a sensor in which readings were stored or changed since they were last rolled up.
CREATE TABLE rollup_dirty (
    domain text NOT NULL,
    sensor integer NOT NULL,
    hour   timestamptz NOT NULL,
    PRIMARY KEY (domain, sensor, hour)
);
CREATE INDEX rollup_dirty_hour ON rollup_dirty (hour);

-- The sensors whose rollups are kept: from the finest level on (0: 5 minutes, 1: hour, 2: day), and from when on.
CREATE TABLE rollup_sensor (
    domain text NOT NULL,
    sensor integer NOT NULL,
    finest smallint NOT NULL,
    since  timestamptz NOT NULL,
    PRIMARY KEY (domain, sensor)
) WITH (fillfactor = 70);
CREATE INDEX rollup_sensor_unbuilt ON rollup_sensor (since) WHERE since > '-infinity';
