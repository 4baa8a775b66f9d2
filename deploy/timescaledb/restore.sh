#!/bin/sh
# Reads a dump of backup.sh from standard input into a new database `citygauge`. Stop the services first. The database
# that is there is kept under another name, to be dropped by a person who has looked at the result.
# The TimescaleDB that restores must have the version of the one that dumped.
set -eu
run() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

kept="citygauge_before_$(date -u +%Y%m%d_%H%M%S)"
if [ "$(run --dbname=postgres --command="SELECT count(*) FROM pg_database WHERE datname = 'citygauge'")" = 1 ]; then
    run --dbname=citygauge --output=/dev/null --command='SELECT _timescaledb_functions.stop_background_workers()'
    run --dbname=postgres --command="ALTER DATABASE citygauge RENAME TO $kept"
    echo "The database that was there is now called $kept." >&2
fi
run --dbname=postgres --command='CREATE DATABASE citygauge OWNER citygauge TEMPLATE template0'
run --dbname=postgres --command='REVOKE ALL ON DATABASE citygauge FROM PUBLIC'
run --dbname=citygauge --command='CREATE EXTENSION IF NOT EXISTS timescaledb'
run --dbname=citygauge --output=/dev/null --command='SELECT timescaledb_pre_restore()'
pg_restore --exit-on-error --dbname=citygauge
run --dbname=citygauge --output=/dev/null --command='SELECT timescaledb_post_restore()'
run --dbname=citygauge --command='ANALYZE'
echo "Restored." >&2
