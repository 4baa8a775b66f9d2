#!/bin/sh
# Writes the whole database to standard output, in pg_dump's custom format. Services may go on working: the dump is one
# consistent snapshot. Runs where the database's superuser can connect (PGHOST, PGPORT, PGUSER, PGPASSWORD).
set -eu
# pg_dump warns of circular foreign keys in TimescaleDB's catalogue; restore.sh is prepared for them.
exec pg_dump --format=custom --dbname="${1:-citygauge}"
