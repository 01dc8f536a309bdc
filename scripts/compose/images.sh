# Builds both images as docker-compose.yml does, from a program that is compiled already. Sourced by compose-test.sh.

# What the program is linked for, and where it is compiled with COMPILE=1.
builder=debian:12.12-slim
compiler=$(sed -n 's/^ARG RUST=//p' Dockerfile)

# The images that the Dockerfile and docker-compose.yml name.
base_images() {
    sed -n 's/^ARG PYTHON=//p' Dockerfile
    sed -nE 's/.*ASSAY_(POSTGRES|PROMETHEUS|CADDY)_IMAGE:-([^}]*)}.*/\2/p' docker-compose.yml
    echo "$builder"
    if [ -n "${COMPILE:-}" ]; then echo "$compiler"; fi
}

# The official names are given back, so that a later pull or `up` takes no stand-in for the image. An engine that was started for the test
# keeps what it made, for the next time, and forgets what is older than a day; anybody else's keeps nothing.
remove_images() {
    local image
    for image in $(base_images); do
        if [ "$("$DOCKER" image inspect --format '{{index .Config.Labels "assay.stand-in"}}' "$image" 2>/dev/null)" = yes ]; then
            "$DOCKER" image rm "$image" >/dev/null 2>&1 || true
        fi
    done
    if [ -n "$dockerd_pid" ]; then
        { "$DOCKER" image prune --force --filter until=24h && "$DOCKER" builder prune --force --filter until=24h; } >/dev/null 2>&1 || true
    else
        # shellcheck disable=SC2046
        "$DOCKER" image rm --force "$ASSAY_IMAGE" "$ASSAY_MODELS_IMAGE" $("$DOCKER" image ls --quiet --filter reference='assay-stand-in:*' | sort -u) \
            >/dev/null 2>&1 || true
    fi
}

make_images() {
    local bytes
    # shellcheck disable=SC2046
    bash scripts/compose/stand-ins.sh "$work" $(base_images) || none "base images can neither be pulled nor made"
    # For miners that run outside of containers.
    sh scripts/setup-models.sh >"$work/models.log" 2>&1 || { tail -3 "$work/models.log" >&2; fail "the embedding model cannot be set up"; }
    if [ -n "${COMPILE:-}" ]; then
        compile_image
    else
        take_program
    fi
    bytes=$("$DOCKER" image inspect --format '{{.Size}}' assay:test)
    ok "both images are built; assay's has $((bytes / 1000000)) MB without models"
    # A program with its debugging aids is larger than what is shipped.
    if [ "$bytes" -gt 150000000 ] && { [ -n "${COMPILE:-}" ] || [[ $outside == *release* ]]; }; then fail "the image has more than 150 MB"; fi
}

build_images() { compose build --quiet models provision >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; fail "the images cannot be built"; }; }

# As the first `up` on a newcomer's machine does.
compile_image() {
    local id
    export ASSAY_BINARY='' ASSAY_BUILDER=$compiler
    say "compiling in the image (about 10 minutes on two cores)"
    build_images
    outside=$work/assay
    id=$("$DOCKER" create assay:test)
    "$DOCKER" cp "$id:/usr/local/bin/assay" "$outside" >/dev/null
    "$DOCKER" rm "$id" >/dev/null
}

take_program() {
    if [ -z "${ASSAY_BINARY:-}" ]; then
        say "building assay in release mode (a first build takes about 8 minutes on two cores)"
        cargo build --release --locked --quiet --package assay --bin assay
        ASSAY_BINARY=target/release/assay
    fi
    outside=$(realpath "$ASSAY_BINARY")
    mkdir -p dist
    strip -o dist/assay-compose-test "$outside"
    export ASSAY_BINARY=dist/assay-compose-test ASSAY_BUILDER=$builder
    build_images
    rm -f dist/assay-compose-test
    rmdir dist 2>/dev/null || true
}
