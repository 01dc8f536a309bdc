# Assay's image, and the one that fetches the embedding model.
#
#   docker build -t assay .                                  compiles it: about 10 minutes on two cores, the first time
#   docker build -t assay --build-arg ASSAY_BINARY=dist/assay --build-arg BUILDER=debian:12.12-slim .
#                                                            takes a binary that lies in dist/, no compiler needed
#   docker build -t assay-models --target models .
#
# Works with BuildKit and without. The runtime holds the program, ONNX Runtime's CPU library, the C library, and root
# certificates: no shell and no package manager. Models are not in it; `models` fetches them into a volume.
ARG RUST=rust:1.95.0-bookworm
ARG PYTHON=python:3.11.13-slim-bookworm
# Where the program comes from: an image with Rust, or with ASSAY_BINARY any image of Debian 12.
ARG BUILDER=$RUST

# Fetches the embedding model into the volume /models, once.
FROM $PYTHON AS models
RUN useradd --uid 10001 --user-group --no-create-home assay && install -d -o assay -g assay /models
COPY scripts/setup-models.sh scripts/make_minilm_onnx.py /opt/assay/
# What one user makes here is read by others that share the volume.
ENV ASSAY_HOME=/models ASSAY_MODELS=/models HOME=/tmp PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["sh", "/opt/assay/setup-models.sh"]
CMD ["model"]

FROM models AS onnxruntime
USER root
RUN ASSAY_HOME=/opt/home sh /opt/assay/setup-models.sh runtime

# Dependencies are a layer of their own, which changes with Cargo.lock alone.
FROM $BUILDER AS chef
ARG ASSAY_BINARY=
WORKDIR /source
RUN test -n "$ASSAY_BINARY" || cargo install cargo-chef --version 0.1.78 --locked

FROM chef AS planner
ARG ASSAY_BINARY=
COPY . .
RUN if [ -n "$ASSAY_BINARY" ]; then echo '{}' >/recipe.json; else cargo chef prepare --recipe-path /recipe.json; fi

FROM chef AS build
ARG ASSAY_BINARY=
COPY --from=planner /recipe.json /recipe.json
RUN test -n "$ASSAY_BINARY" || cargo chef cook --release --locked --package assay --bin assay --recipe-path /recipe.json
COPY . .
RUN set -eu; \
    if [ -z "$ASSAY_BINARY" ]; then \
        cargo build --release --locked --package assay --bin assay; \
        strip -o /tmp/assay target/release/assay; ASSAY_BINARY=/tmp/assay; \
    fi; \
    if [ ! -f "$ASSAY_BINARY" ]; then echo "ASSAY_BINARY: there is no file $ASSAY_BINARY in the build's context" >&2; exit 1; fi; \
    install -D -m 0755 "$ASSAY_BINARY" /root-folder/usr/local/bin/assay
COPY --from=onnxruntime /opt/home/onnxruntime/ /onnxruntime/
# Libraries that the program and ONNX Runtime are linked with, and where a service may write when a volume is mounted there.
RUN set -eu; cd /root-folder; \
    install -D -m 0644 "$(readlink -f /onnxruntime/libonnxruntime.so)" usr/lib/libonnxruntime.so; \
    install -D -m 0644 /onnxruntime/LICENSE usr/share/doc/onnxruntime/LICENSE; \
    for file in usr/local/bin/assay usr/lib/libonnxruntime.so; do ldd "$file"; done >/linked; \
    if grep 'not found' /linked; then exit 1; fi; \
    grep -o '/[^ ]*' /linked | sort -u >/libraries; \
    while read -r library; do install -D -m 0755 "$library" ".$library"; done </libraries; \
    install -d etc; install -d -m 1777 tmp; \
    echo 'hosts: files dns' >etc/nsswitch.conf; \
    printf 'root:x:0:0:root:/:/\nassay:x:10001:10001:assay:/var/lib/assay:/\n' >etc/passwd; \
    printf 'root:x:0:\nassay:x:10001:\n' >etc/group; \
    for part in db migrate validator api auditor grafana proxy chain keys; do install -d "/writable/provision/$part"; done; \
    install -d /writable/models /writable/checkpoints /writable/var/lib/assay

FROM scratch AS runtime
COPY --from=build /root-folder/ /
# A new volume takes its owner from what lies below it.
COPY --from=build --chown=10001:10001 /writable/ /
COPY --from=onnxruntime /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV ASSAY_HOME=/var/lib/assay ASSAY_MODELS=/models HOME=/tmp ORT_DYLIB_PATH=/usr/lib/libonnxruntime.so
WORKDIR /var/lib/assay
USER 10001:10001
# Whether everything that it is linked with is there.
RUN ["/usr/local/bin/assay", "--version"]
ENTRYPOINT ["/usr/local/bin/assay"]
CMD ["--help"]
