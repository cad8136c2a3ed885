#!/usr/bin/env bash
# The contract of the official image's entrypoint: POSTGRES_USER, _PASSWORD, _DB, _INITDB_ARGS, _HOST_AUTH_METHOD, each
# also as _FILE; an empty data directory is initialised by a temporary server on the socket alone.
set -euo pipefail

# from_file NAME [DEFAULT]: NAME, or the contents of the file that NAME_FILE names; both at once are an error.
from_file() {
  local file=${1}_FILE
  if [ -n "${!1-}" ] && [ -n "${!file-}" ]; then
    echo "both $1 and $file are set" >&2
    exit 1
  fi
  if [ -n "${!file-}" ]; then printf -v "$1" %s "$(< "${!file}")"; fi
  [ -n "${!1-}" ] || printf -v "$1" %s "${2-}"
  export "${1?}"
  unset "$file"
}

local_psql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "$@"; }

initialise() {
  local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
    echo 'Error: Database is uninitialized and superuser password is not specified; set POSTGRES_PASSWORD.' >&2
    exit 1
  fi
  # shellcheck disable=SC2086 # POSTGRES_INITDB_ARGS holds several words.
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS-}
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
  if [ "$POSTGRES_DB" != postgres ]; then
    local_psql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db"'
  fi
  local script
  # shellcheck disable=SC1090
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) local_psql --dbname "$POSTGRES_DB" -f "$script" ;;
      *.sql.gz) gunzip -c "$script" | local_psql --dbname "$POSTGRES_DB" ;;
    esac
  done
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
  echo 'PostgreSQL init process complete; ready for start up.'
}

case ${1-postgres} in
  -*) set -- postgres "$@" ;;
esac
if [ "${1-}" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres {} +
    chmod 3777 /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
  fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_USER postgres
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    initialise
  fi
fi
exec "$@"
