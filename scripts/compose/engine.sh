# Finds a Docker engine and Compose, or installs and starts them. Sourced by compose-test.sh.

DOCKER=docker
: >"$work/none.env"

# Compose v2 where it is there, else docker-compose. The repository's .env, which may be that of a validator in force, is not read.
compose() {
    if "$DOCKER" compose version >/dev/null 2>&1; then
        "$DOCKER" compose --env-file "$work/none.env" "$@"
    else
        docker-compose --env-file "$work/none.env" "$@"
    fi
}

has_engine() { "$DOCKER" info >/dev/null 2>&1; }
has_compose() { "$DOCKER" compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1; }

find_engine() {
    if ! has_engine && [ -x /usr/bin/docker ]; then
        # One of Debian's beside a client alone.
        DOCKER=/usr/bin/docker
    fi
    if ! has_engine || ! has_compose; then
        [ "$(id -u)" = 0 ] || none "no Docker engine answers, and only root can start one"
        grep -q '^ID=debian' /etc/os-release 2>/dev/null || none "no Docker engine answers, and this is not Debian"
        install_engine
        has_engine || start_engine
    fi
    engine=yes
    export DOCKER
    say "engine $("$DOCKER" version --format '{{.Server.Version}}'), compose $(compose version --short 2>/dev/null || docker-compose version --short)"
}

install_engine() {
    if [ ! -x /usr/sbin/dockerd ] || ! has_compose; then
        # Debian's package would take its place.
        for other in docker-ce containerd.io moby-engine; do
            if dpkg-query -W -f '${Status}' "$other" 2>/dev/null | grep '^install ok' >/dev/null; then
                none "$other is installed and not ready: start it, and give it Compose"
            fi
        done
        say "installing docker.io and docker-compose"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io docker-compose iptables debootstrap; } \
            >"$work/apt.log" 2>&1 || { tail -3 "$work/apt.log" >&2; none "docker.io cannot be installed"; }
        # Where the package starts a service, that is not left running.
        if systemctl is-active --quiet docker 2>/dev/null; then systemctl stop docker docker.socket >/dev/null 2>&1 || true; fi
    fi
    DOCKER=/usr/bin/docker
}

start_engine() {
    say "starting dockerd"
    # A data folder of its own: an engine of this machine's owner is not touched.
    setsid dockerd --data-root "${ASSAY_DOCKER_ROOT:-/var/lib/assay-docker}" >"$work/dockerd.log" 2>&1 &
    dockerd_pid=$!
    for _ in $(seq 60); do
        if has_engine; then return; fi
        kill -0 "$dockerd_pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -5 "$work/dockerd.log" >&2
    dockerd_pid=
    none "dockerd does not start here"
}
