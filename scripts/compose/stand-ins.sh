#!/bin/bash
# Makes stand-ins for base images that cannot be pulled, under the same names, from Debian's packages.
#
#   scripts/compose/stand-ins.sh FOLDER IMAGE…
#
# FOLDER keeps Debian's base system for the next time, and the engine keeps what was made as assay-stand-in:NAME. An image that is
# here, or can be pulled, is left alone. A stand-in is for tests on machines without a registry: it has the programs and variables that
# docker-compose.yml uses, no more; it bears the label assay.stand-in, and whoever asked for it removes the official name afterwards.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift
docker=${DOCKER:-docker}
say() { echo "compose-test: $*"; }

# Debian's base system, once.
base() {
    if [ -s "$folder/debian.tar" ]; then
        return
    fi
    command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap >/dev/null
    say "making Debian's base system with debootstrap (about a minute)"
    rm -rf "$folder/root"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/root" >"$folder/debootstrap.log" 2>&1 ||
        { tail -5 "$folder/debootstrap.log" >&2; exit 1; }
    rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/* "$folder"/root/usr/share/{doc,man,locale}/*
    # Whom this machine trusts, its containers trust: a registry may be reached through a mirror of one's own.
    cp /etc/ssl/certs/ca-certificates.crt "$folder/root/etc/ssl/certs/ca-certificates.crt"
    tar -C "$folder/root" -c . >"$folder/debian.tar.new"
    mv "$folder/debian.tar.new" "$folder/debian.tar"
    rm -rf "$folder/root"
}

debian() { # IMAGE
    base
    "$docker" import --change 'CMD ["bash"]' --change 'LABEL assay.stand-in=yes' "$folder/debian.tar" "$1" >/dev/null
}

# Prints the name of the stand-in's own base.
standing_base() {
    "$docker" image inspect assay-stand-in:debian >/dev/null 2>&1 || debian assay-stand-in:debian
    echo assay-stand-in:debian
}

python() { # IMAGE
    local context
    context=$(mktemp -d)
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $(standing_base)
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-pip >/dev/null && rm -rf /var/lib/apt/lists/*
DOCKERFILE
    "$docker" build --quiet --tag "$1" "$context" >/dev/null
    rm -rf "$context"
}

# A program of a package of Debian's, with what health checks call.
packaged() { # IMAGE PACKAGE PROGRAM
    local context
    context=$(mktemp -d)
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $(standing_base)
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends $2 wget >/dev/null && rm -rf /var/lib/apt/lists/*
RUN install -d -o nobody -g nogroup /$2 /data /config
ENTRYPOINT ["$3"]
DOCKERFILE
    "$docker" build --quiet --tag "$1" "$context" >/dev/null
    rm -rf "$context"
}

postgres() { # IMAGE
    local context
    context=$(mktemp -d)
    cp "$here/postgres-entrypoint.sh" "$context/"
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $(standing_base)
RUN groupadd --system --gid 999 postgres && useradd --system --gid 999 --uid 999 --home-dir /var/lib/postgresql postgres
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null && rm -rf /var/lib/apt/lists/*
RUN install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /var/run/postgresql && mkdir /docker-entrypoint-initdb.d
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["bash", "/usr/local/bin/docker-entrypoint.sh"]
CMD ["postgres"]
DOCKERFILE
    "$docker" build --quiet --tag "$1" "$context" >/dev/null
    rm -rf "$context"
}

# The compiler of this machine, on Debian.
rust() { # IMAGE
    local context
    command -v rustc >/dev/null || { say "no stand-in for $1 without rustc on this machine" >&2; exit 1; }
    context=$(mktemp -d)
    cp -a "$(rustc --print sysroot)" "$context/rust"
    rm -rf "$context/rust/share/doc"
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $(standing_base)
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc g++ libc6-dev make pkg-config >/dev/null && rm -rf /var/lib/apt/lists/*
COPY rust /usr/local/rust
ENV PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME=/usr/local/cargo
DOCKERFILE
    "$docker" build --quiet --tag "$1" "$context" >/dev/null
    rm -rf "$context"
}

mkdir -p "$folder"
for image in "$@"; do
    kept=assay-stand-in:$(echo "$image" | tr '/:' '--')
    if "$docker" image inspect "$image" >/dev/null 2>&1; then
        continue
    fi
    if timeout 120 "$docker" pull --quiet "$image" >/dev/null 2>&1; then
        say "pulled $image"
        continue
    fi
    say "$image cannot be pulled: A STAND-IN OF DEBIAN'S PACKAGES TAKES ITS NAME"
    if "$docker" image inspect "$kept" >/dev/null 2>&1; then
        "$docker" tag "$kept" "$image"
        continue
    fi
    case $image in
        debian:*) debian "$image" ;;
        python:*) python "$image" ;;
        postgres:*) postgres "$image" ;;
        prom/prometheus:*) packaged "$image" prometheus /usr/bin/prometheus ;;
        rust:*) rust "$image" ;;
        caddy:*) packaged "$image" caddy /usr/bin/caddy ;;
        *) say "no stand-in is known for $image" >&2; exit 1 ;;
    esac
    "$docker" tag "$image" "$kept"
done
