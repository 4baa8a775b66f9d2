-- What an alert says, as data: templates and what fills them, so that it can be said in any language and any units.
-- Alerts that were stored before have their English sentence alone.
ALTER TABLE alert ADD COLUMN said jsonb;
