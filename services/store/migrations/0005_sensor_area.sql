-- A tank's surface: with it a level is a volume, and a zone's net inflow knows what went into storage.

ALTER TABLE sensor ADD COLUMN area_m2 double precision CHECK (area_m2 > 0 AND area_m2 <= 1e6);
