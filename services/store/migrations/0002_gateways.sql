-- A gateway can be the subject of an alert: finding its sensors must not read the whole registry.

CREATE INDEX sensor_gateway ON sensor (gateway) WHERE gateway IS NOT NULL;
