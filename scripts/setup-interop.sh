#!/bin/sh
# The Python SDK that interoperability is checked against, in a virtual environment of its own. A second run does nothing.
set -eu
home="${ASSAY_HOME:-$(cd "$(dirname "$0")/.." && pwd)/.assay}"
if "$home/interop/bin/python" -c 'import importlib.metadata as m; assert m.version("bittensor") == "10.5.0"' 2>/dev/null; then
    exit 0
fi
echo "setup: installing bittensor 10.5.0 from PyPI into $home/interop (about a minute)"
mkdir -p "$home"
python3 -m venv "$home/interop"
"$home/interop/bin/pip" install --quiet --disable-pip-version-check "bittensor==10.5.0"
