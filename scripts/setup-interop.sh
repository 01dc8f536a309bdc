#!/bin/sh
# The Python SDK that interoperability is checked against, in a virtual environment of its own. A second run does nothing.
# Exit status 75: PyPI cannot be reached.
set -eu
home="${ASSAY_HOME:-$(cd "$(dirname "$0")/.." && pwd)/.assay}"
if "$home/interop/bin/python" -c 'import importlib.metadata as m; assert m.version("bittensor") == "10.5.0"' 2>/dev/null; then
    exit 0
fi
echo "setup: installing bittensor 10.5.0 from PyPI into $home/interop (about a minute)"
mkdir -p "$home"
python3 -m venv "$home/interop"
said="$home/interop/install.log"
if "$home/interop/bin/pip" install --quiet --disable-pip-version-check "bittensor==10.5.0" 2> "$said"; then
    rm -f "$said"
    exit 0
fi
cat "$said" >&2
# What pip says when an index gave it no list of versions, or a download broke off; its warnings are of what it tried again.
if grep -v '^WARNING' "$said" | grep -q -e '(from versions: none)' -e 'Network is unreachable' -e 'NewConnectionError' -e 'ReadTimeoutError'; then
    exit 75
fi
exit 1
