#!/bin/sh
# Makes sure that PostgreSQL's server binaries are there; a server is not started and no cluster is made.
#
#   scripts/setup-postgres.sh
#
# Looks where `assay` looks: $PG_BIN, PATH, /usr/lib/postgresql/*/bin. If none are found they are installed with apt
# (Debian and its kin; needs root or sudo). A second run does nothing.
set -eu

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

found() {
    packaged=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t / -k 5,5nr)
    # Word splitting is wanted; a folder with a space in its name is passed over.
    for folder in ${PG_BIN:-} $(echo "$PATH" | tr ':' ' ') $packaged; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then
            echo "$folder"
            return
        fi
    done
}

# Runs apt-get as root, silently unless it fails.
apt() {
    # `env`, because sudo drops the environment.
    said=$($as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" 2>&1) && return
    echo "$said" >&2
    fail "apt-get $1 failed; install PostgreSQL 15 or newer yourself, or set PG_BIN to the folder of initdb and postgres"
}

folder=$(found)
if [ -n "$folder" ]; then
    say "PostgreSQL's server binaries are in $folder"
    exit 0
fi
command -v apt-get >/dev/null 2>&1 ||
    fail "no PostgreSQL server binaries (initdb, postgres) found; install PostgreSQL 15 or newer, or set PG_BIN to their folder"
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 ||
        fail "PostgreSQL's server binaries are missing and this is not root; run as root, then try again: apt-get update && apt-get install -y --no-install-recommends postgresql"
    as_root=sudo
fi
say "installing PostgreSQL's server binaries with apt (about 60 MB, half a minute); no cluster is made"
# Debian's package would make and start a cluster of its own; Assay starts private ones.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
apt update
apt install -y --no-install-recommends postgresql
folder=$(found)
[ -n "$folder" ] || fail "apt installed PostgreSQL, but initdb is still not found"
say "PostgreSQL's server binaries are in $folder"
