#!/bin/bash
# Runs docker-compose.yml for real: brings the default profile up, asks, audits, breaks things, and takes everything down.
#
#   scripts/compose-test.sh
#
# Uses the engine that is there. As root on Debian without one it installs docker.io and docker-compose, starts dockerd and stops it
# at the end. Base images that cannot be pulled are replaced by stand-ins of Debian's packages. ASSAY_BINARY=FILE names the program to
# put into the image (linked for Debian 12 or older); without it target/release/assay is built, and with COMPILE=1 the image is compiled as
# a first `docker compose up` does. Ends with 75 where no engine can be had.
set -euo pipefail

cd "$(dirname "$0")/.."
here=$PWD
home=${ASSAY_HOME:-$here/.assay}
work=$home/compose
project=assaytest$$
port=$((20000 + $$ % 10000))
mkdir -p "$work"
say() { echo "compose-test: $*"; }
fail() { echo "compose-test: FAIL $*" >&2; exit 1; }
ok() { echo "compose-test: ok   $* ($((SECONDS - since)) s)"; }
none() { echo "compose-test: $*: DOCKER COMPOSE IS NOT TESTED" >&2; exit 75; }

# From here on every command of Compose means this project and no other.
# shellcheck disable=SC2046
unset COMPOSE_FILE $(sed -nE 's/^#?(ASSAY_[A-Z_]*|COMPOSE_PROFILES)=.*/\1/p' .env.example | grep -v '^ASSAY_BINARY$')
export COMPOSE_PROJECT_NAME=$project ASSAY_API_PORT=$port ASSAY_IMAGE=assay:test ASSAY_MODELS_IMAGE=assay-models:test
engine=
dockerd_pid=
finish() {
    code=$?
    trap - EXIT INT TERM
    if [ -n "$engine" ]; then
        if [ "$code" != 0 ]; then
            compose ps >&2 || true
            compose logs --no-color >"$work/services.log" 2>&1 || true
            grep -E ' (WARN|ERROR) |error:|because:' "$work/services.log" | tail -n 30 | cut -c 1-300 >&2 || true
            say "all logs: $work/services.log" >&2
        fi
        profiles_down >/dev/null 2>&1 || true
        remove_images
    fi
    stop_outside
    rm -rf "$work/node" "$work/wallets"
    if [ -n "$dockerd_pid" ]; then
        say "stopping dockerd"
        kill "$dockerd_pid" 2>/dev/null || true
        for _ in $(seq 60); do kill -0 "$dockerd_pid" 2>/dev/null || break; sleep 0.5; done
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

. scripts/compose/engine.sh
. scripts/compose/images.sh
. scripts/compose/checks.sh
. scripts/compose/survival.sh
. scripts/compose/main-network.sh

since=$SECONDS
find_engine
make_images
run_checks
say "everything holds"
