-- Who works on an alert and how far that is, which rule keeps it from being told, and since when people have known.
ALTER TABLE alert
    ADD COLUMN assignee          text,
    ADD COLUMN work              text NOT NULL DEFAULT 'new',
    ADD COLUMN suppressed_by     text,
    ADD COLUMN suppressed_reason text,
    ADD COLUMN told_at           timestamptz;
UPDATE alert AS a SET told_at = first.at
  FROM (SELECT DISTINCT ON (alert_id) alert_id, at FROM alert_event
         WHERE kind IN ('raised', 'escalated', 'unshelved') AND coalesce(data ->> 'told', 'true') <> 'false'
         ORDER BY alert_id, version) AS first
 WHERE first.alert_id = a.id;
CREATE INDEX alert_told ON alert (told_at) WHERE told_at IS NOT NULL;
CREATE INDEX alert_assignee ON alert (assignee) WHERE assignee IS NOT NULL;
-- What the alarm system looks at again and again: open cases, and those that nobody has looked at.
CREATE INDEX alert_unsettled ON alert (raised_at) WHERE resolved_at IS NULL AND (cleared_at IS NULL OR acknowledged_at IS NULL);
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_event_kind ON alert_event (kind, at);

-- What people told us to expect: exemptions (a flushed hydrant, a vacant home) and maintenance windows. A row is what
-- its events say; it is never changed but to be ended, and never removed.
CREATE TABLE suppression (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('exemption', 'maintenance')),
    subjects   text[] NOT NULL,
    rules      text[] NOT NULL,
    domain     text,
    zone       text,
    road       text,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    hours      jsonb NOT NULL,
    time_zone  text NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    CHECK (cardinality(subjects) + cardinality(rules) > 0 OR domain IS NOT NULL OR zone IS NOT NULL OR road IS NOT NULL)
);
CREATE INDEX suppression_live ON suppression (ends_at) WHERE ended_at IS NULL;
CREATE INDEX suppression_order ON suppression (kind, created_at DESC, id DESC);

CREATE TABLE suppression_event (
    position       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    suppression_id uuid NOT NULL REFERENCES suppression (id),
    kind           text NOT NULL CHECK (kind IN ('created', 'ended')),
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    data           jsonb NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (suppression_id, kind)
);
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER suppression_event_append_only BEFORE UPDATE OR DELETE ON suppression_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
