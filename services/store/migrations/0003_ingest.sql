-- What ingest's workers say of themselves, and readings that were corrected.

-- subscription: the share group and its filters; workers with the same one divide its messages.
-- stopped: it ended and the broker keeps its session, with its share of the messages, for its return.
-- leaving: it has given up its share and drains what the broker still holds for it.
ALTER TABLE ingest_worker
    ADD COLUMN subscription text,
    ADD COLUMN state text NOT NULL DEFAULT 'working' CHECK (state IN ('working', 'stopped', 'leaving'));

-- revised: stored readings that replaced a stored value; they are counted in stored, as merged ones are.
ALTER TABLE ingest_account ADD COLUMN revised bigint NOT NULL DEFAULT 0;

-- A value that a later one replaced, with the quality of its row and when it had come. One row for each metric.
CREATE TABLE reading_revision (
    domain      text NOT NULL,
    sensor      integer NOT NULL,
    time        timestamptz NOT NULL,
    metric      text NOT NULL,
    value       double precision NOT NULL,
    quality     smallint NOT NULL,
    received_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reading_revision_reading ON reading_revision (sensor, time);
CREATE INDEX reading_revision_replaced ON reading_revision (replaced_at);
