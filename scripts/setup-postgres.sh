#!/bin/sh
# Makes sure that PostgreSQL's server binaries are there; a server is not started and no cluster is made.
#
#   scripts/setup-postgres.sh
#
# Looks where `assay` looks: $PG_BIN, PATH, /usr/lib/postgresql/*/bin. If none are found they are installed with apt
# (Debian and its kin; needs root or sudo). A second run does nothing.
set -eu

say() { echo "setup: $*"; }

found() {
    for folder in "${PG_BIN:-}" $(echo "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin; do
        if [ -n "$folder" ] && [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            echo "$folder"
        fi
    done | tail -n 1
}

folder=$(found)
if [ -n "$folder" ]; then
    say "PostgreSQL's server binaries are in $folder"
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: no PostgreSQL server binaries (initdb, postgres) found; install PostgreSQL 15 or newer, or set PG_BIN" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "setup: PostgreSQL's server binaries are missing; as root: apt-get install --no-install-recommends postgresql" >&2
        exit 1
    }
    as_root=sudo
fi
say "installing PostgreSQL's server binaries with apt (about 60 MB)"
# Debian's package would make and start a cluster of its own; Assay starts private ones.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
$as_root apt-get update -qq
# `env`, because sudo drops the environment.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
folder=$(found)
[ -n "$folder" ] || { echo "setup: apt installed PostgreSQL, but initdb is still not found" >&2; exit 1; }
say "PostgreSQL's server binaries are in $folder"
