-- Jobs that write history to a file: what was asked, how far each has come, and what its file is. The files themselves
-- are in the API's folder of exports; `expires_at` says until when.
CREATE TABLE export_job (
    id          uuid PRIMARY KEY,
    asked       jsonb NOT NULL,
    asked_by    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text NOT NULL DEFAULT 'waiting',
    worker      text,
    beat_at     timestamptz,
    progress    double precision NOT NULL DEFAULT 0,
    rows        bigint NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    sha256      text,
    problem     text,
    finished_at timestamptz,
    expires_at  timestamptz,
    CONSTRAINT export_job_state CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled', 'expired')),
    CONSTRAINT export_job_done CHECK (state <> 'done' OR (sha256 IS NOT NULL AND expires_at IS NOT NULL))
);
CREATE INDEX export_job_created ON export_job (created_at DESC, id DESC);
CREATE INDEX export_job_open ON export_job (created_at) WHERE state IN ('waiting', 'running');
