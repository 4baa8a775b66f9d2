-- The first schema: sensors, readings, the batch feed, what was rejected, the accounting, alerts and their log.
-- Works on the Apache edition of TimescaleDB; features of the Community edition are added by `citygauge maintain`.
-- The extension itself is made sure of before any migration runs.

CREATE TABLE sensor (
    number        integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id            text NOT NULL UNIQUE,
    kind          text NOT NULL,
    domain        text NOT NULL,
    name          text,
    lon           double precision,
    lat           double precision,
    zone          text,
    road          text,
    direction     text,
    position_m    double precision,
    lanes         smallint,
    unit          text,
    cadence_s     double precision,
    time_zone     text NOT NULL DEFAULT 'UTC',
    gateway       text,
    shard         smallint NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    revision      bigint NOT NULL
);
-- Writers of the registry take turns, so revisions are in commit order: "changed since" misses nobody.
CREATE SEQUENCE sensor_revision;
CREATE INDEX sensor_revision_order ON sensor (revision);
CREATE INDEX sensor_zone ON sensor (zone) WHERE zone IS NOT NULL;
CREATE INDEX sensor_road ON sensor (road, direction, position_m) WHERE road IS NOT NULL;

-- Sensors that spoke without being registered. Their readings wait in rejected_message.
CREATE TABLE quarantined_sensor (
    id         text PRIMARY KEY,
    domain     text NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    readings   bigint NOT NULL,
    last_topic text NOT NULL
);

CREATE TABLE water_reading (
    time                timestamptz NOT NULL,
    sensor              integer NOT NULL,
    quality             smallint NOT NULL DEFAULT 0,
    received_at         timestamptz NOT NULL,
    stored_at           timestamptz NOT NULL DEFAULT now(),
    register_litres     double precision,
    consumption_litres  double precision,
    flow_litres_per_h   double precision,
    pressure_kpa        double precision,
    level_m             double precision,
    temperature_celsius double precision,
    battery_pct         double precision
);
SELECT create_hypertable('water_reading', by_range('time', interval '7 days'), create_default_indexes => false);
CREATE UNIQUE INDEX water_reading_sensor_time ON water_reading (sensor, time);
CREATE INDEX water_reading_time ON water_reading USING brin (time) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE traffic_reading (
    time           timestamptz NOT NULL,
    sensor         integer NOT NULL,
    quality        smallint NOT NULL DEFAULT 0,
    received_at    timestamptz NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT now(),
    count_veh      double precision,
    flow_veh_per_h double precision,
    speed_km_per_h double precision,
    occupancy_pct  double precision
);
SELECT create_hypertable('traffic_reading', by_range('time', interval '7 days'), create_default_indexes => false);
CREATE UNIQUE INDEX traffic_reading_sensor_time ON traffic_reading (sensor, time);
CREATE INDEX traffic_reading_time ON traffic_reading USING brin (time) WITH (pages_per_range = 32, autosummarize = on);

-- The identity of this cluster. Transaction ids mean nothing in another one, so positions in the feed carry it.
CREATE FUNCTION cluster_epoch() RETURNS bigint LANGUAGE sql STABLE AS
'SELECT system_identifier FROM pg_control_system()';

-- The batch feed: one row for each committed batch, its accepted rows as columns (ReadingBatch.dumps).
CREATE TABLE batch_feed (
    id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    epoch      bigint NOT NULL DEFAULT cluster_epoch(),
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    domain     text NOT NULL,
    readings   integer NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    columns    bytea NOT NULL
);
ALTER TABLE batch_feed ALTER COLUMN columns SET STORAGE EXTERNAL;
CREATE INDEX batch_feed_order ON batch_feed (epoch, xid, id);

-- How far a consumer of the feed has come: every row of its epoch with (xid, id) <= these is done.
CREATE TABLE feed_position (
    consumer   text PRIMARY KEY,
    epoch      bigint NOT NULL,
    xid        xid8 NOT NULL,
    id         bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE rejected_message (
    id            bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    received_at   timestamptz NOT NULL,
    topic         text NOT NULL,
    payload       bytea NOT NULL,
    payload_bytes integer NOT NULL,
    reason        text NOT NULL,
    detail        text NOT NULL,
    sensor_id     text,
    readings      integer NOT NULL DEFAULT 1,
    state         text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'discarded')),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    changed_by    text
);
CREATE INDEX rejected_message_new ON rejected_message (id) WHERE state = 'new';
CREATE INDEX rejected_message_sensor ON rejected_message (sensor_id) WHERE state = 'new';

-- received = stored + duplicate + rejected + in flight, by ingest worker and hour; stored counts inserted and merged.
CREATE TABLE ingest_account (
    worker    text NOT NULL,
    hour      timestamptz NOT NULL,
    received  bigint NOT NULL DEFAULT 0,
    stored    bigint NOT NULL DEFAULT 0,
    merged    bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    conflicting bigint NOT NULL DEFAULT 0,
    rejected  bigint NOT NULL DEFAULT 0,
    late      bigint NOT NULL DEFAULT 0,
    messages  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (worker, hour),
    CONSTRAINT ingest_account_balances CHECK (received = stored + duplicate + rejected)
) WITH (fillfactor = 50);

CREATE TABLE ingest_worker (
    worker     text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    in_flight  bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE alert (
    id              uuid PRIMARY KEY,
    rule            text NOT NULL,
    subject         text NOT NULL,
    version         integer NOT NULL,
    severity        text NOT NULL,
    score           double precision NOT NULL,
    sentence        text NOT NULL,
    evidence        jsonb NOT NULL,
    started_at      timestamptz NOT NULL,
    raised_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    cleared_at      timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    shelved_until   timestamptz,
    shelved_reason  text,
    resolved_at     timestamptz,
    resolved_by     text,
    verdict         text,
    previous_id     uuid REFERENCES alert (id)
);
-- The promise: one open alert for each (rule, subject). Nothing in the application can break it.
CREATE UNIQUE INDEX alert_one_open ON alert (rule, subject) WHERE cleared_at IS NULL;
CREATE INDEX alert_raised ON alert (raised_at DESC, id DESC);
CREATE INDEX alert_subject ON alert (subject, rule, raised_at DESC);

CREATE TABLE alert_event (
    position   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id         uuid NOT NULL UNIQUE,
    alert_id   uuid NOT NULL REFERENCES alert (id),
    version    integer NOT NULL,
    kind       text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    data       jsonb NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (alert_id, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'alert_event is append-only'; END $$;
CREATE TRIGGER alert_event_append_only BEFORE UPDATE OR DELETE ON alert_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The outbox: an event that people may have to hear of, until the notifier has made its deliveries.
CREATE TABLE outbox (
    event_id   uuid PRIMARY KEY REFERENCES alert_event (id),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    routed_at  timestamptz
);
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE routed_at IS NULL;

CREATE TABLE delivery (
    event_id        uuid NOT NULL REFERENCES alert_event (id),
    channel         text NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    given_up_at     timestamptz,
    last_error      text,
    PRIMARY KEY (event_id, channel)
);
CREATE INDEX delivery_due ON delivery (channel, next_attempt_at) WHERE sent_at IS NULL AND given_up_at IS NULL;

-- A detector's checkpoint: the state of each shard (versioned bytes) at one position of the feed.
CREATE TABLE detector_checkpoint (
    consumer   text NOT NULL,
    shard      smallint NOT NULL,
    state      bytea NOT NULL,
    PRIMARY KEY (consumer, shard)
);
ALTER TABLE detector_checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE detector_checkpoint_position (
    consumer   text PRIMARY KEY,
    epoch      bigint NOT NULL,
    xid        xid8 NOT NULL,
    id         bigint NOT NULL,
    clock_us   bigint NOT NULL,
    saved_at   timestamptz NOT NULL DEFAULT now()
);

-- Keys of the API: the secret itself is nowhere, only its SHA-256.
CREATE TABLE api_key (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX api_key_name ON api_key (name) WHERE revoked_at IS NULL;
