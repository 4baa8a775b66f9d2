"""Ingest: MQTT messages become stored readings, or are kept with the reason why not; then they are acknowledged."""
