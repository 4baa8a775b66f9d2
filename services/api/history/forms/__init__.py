"""A table in the form that its reader asks for: JSON, NDJSON, CSV, Arrow, Parquet; whole or as a stream of blocks."""
