#!/bin/sh
# Gives the superuser and the services' role the passwords in this environment (secrets/database.env), after they were
# made anew. Connects as the superuser, as the other scripts here do.
set -eu
: "${POSTGRES_PASSWORD:?}" "${APPLICATION_PASSWORD:?}"
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres <<'END'
\getenv superuser POSTGRES_PASSWORD
\getenv application APPLICATION_PASSWORD
ALTER ROLE CURRENT_USER PASSWORD :'superuser';
ALTER ROLE citygauge PASSWORD :'application';
END
echo "The passwords are set." >&2
