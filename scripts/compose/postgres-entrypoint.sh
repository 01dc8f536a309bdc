#!/bin/bash
# Stands in for the entry point of the official PostgreSQL image, as far as docker-compose.yml uses it: POSTGRES_USER, POSTGRES_DB,
# POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS, PGDATA, and scripts in /docker-entrypoint-initdb.d for a new database.
set -euo pipefail

: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_INITDB_ARGS:=}"
export PGDATA POSTGRES_USER POSTGRES_DB

if [ "${1:-postgres}" != postgres ]; then
    exec "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is needed for a new database" >&2
        exit 1
    fi
    chmod 0700 "$PGDATA" || true
    # The arguments are words.
    # shellcheck disable=SC2086
    initdb --username "$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    # Only its socket is open until the database is made.
    pg_ctl --wait start --options "-c listen_addresses=''"
    if [ "$POSTGRES_DB" != postgres ]; then
        createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) bash "$file" ;;
            *.sql) psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --file "$file" ;;
        esac
    done
    pg_ctl --wait --mode fast stop
fi
shift || true
exec postgres -c listen_addresses='*' "$@"
