-- Previews: what other limits of the detectors would have told over stored readings. What was asked, by whom, how far
-- it is, and what came out. One runs at a time in a city, whatever the number of API processes: the index says so.
CREATE TABLE rule_preview (
    id          uuid PRIMARY KEY,
    asked       jsonb NOT NULL,
    asked_by    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text NOT NULL DEFAULT 'waiting',
    worker      text,
    beat_at     timestamptz,
    progress    double precision NOT NULL DEFAULT 0,
    result      jsonb,
    problem     text,
    finished_at timestamptz,
    CONSTRAINT rule_preview_state CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    CONSTRAINT rule_preview_done CHECK (state <> 'done' OR result IS NOT NULL)
);
CREATE UNIQUE INDEX rule_preview_one_runs ON rule_preview (state) WHERE state = 'running';
CREATE INDEX rule_preview_created ON rule_preview (created_at DESC, id DESC);
