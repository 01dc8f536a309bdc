#!/bin/sh
# numpy for the bench's peer, in a folder of the project: nothing of the machine's Python is changed.
set -eu
folder="${ASSAY_HOME:?}/python"
if PYTHONPATH="$folder" python3 -c 'import numpy' 2>/dev/null; then
    echo "setup: numpy is there"
    exit 0
fi
echo "setup: fetching numpy from PyPI into $folder (20 MB)"
mkdir -p "$folder"
python3 -m pip install --quiet --no-user --disable-pip-version-check --root-user-action=ignore --target "$folder" 'numpy>=1.26,<3'
