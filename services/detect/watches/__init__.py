"""One watch for each kind of sensor: its windows and its detectors, as rows of one set of tables."""
