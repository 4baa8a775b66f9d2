-- How often a job's worker has died over it: what kills its worker each time shall not be begun anew for ever.
ALTER TABLE export_job ADD COLUMN losses smallint NOT NULL DEFAULT 0;
ALTER TABLE rule_preview ADD COLUMN losses smallint NOT NULL DEFAULT 0;
