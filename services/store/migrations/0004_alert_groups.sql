-- One event is told once: alerts that tell of the same event carry the id of the first of them.
ALTER TABLE alert ADD COLUMN group_id uuid;
UPDATE alert SET group_id = id;
ALTER TABLE alert ALTER COLUMN group_id SET NOT NULL;
CREATE INDEX alert_group ON alert (group_id);
