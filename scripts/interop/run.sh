#!/bin/sh
# Python's axon and dendrite against ours, both ways, and the Python SDK on our development chain. Prints one line a check;
# the exit status says whether all hold.
set -eu
cd "$(dirname "$0")/../.."
home="${ASSAY_HOME:-$PWD/.assay}"
sh scripts/setup-interop.sh
python="$home/interop/bin/python"
"${CARGO:-cargo}" build --locked --quiet -p axon --example interop
"${CARGO:-cargo}" build --locked --quiet -p miner --example loosh
"${CARGO:-cargo}" build --locked --quiet -p localnet --example localnet
binary="${CARGO_TARGET_DIR:-target}/debug/examples/interop"
miner="${CARGO_TARGET_DIR:-target}/debug/examples/loosh"
chain="${CARGO_TARGET_DIR:-target}/debug/examples/localnet"
work=$(mktemp -d)
export PYTHONDONTWRITEBYTECODE=1
# The SDK makes folders for wallets in the home of whoever imports it.
python() { HOME="$work" "$python" "$@"; }
ours=""
mines=""
theirs=""
stop() {
    for process in $ours $mines $theirs; do kill "$process" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT INT TERM

# The first line of a server says where it listens.
wait_for() {
    tries=0
    until grep -q ready "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then echo "FAIL  $2 did not start:"; cat "$1"; exit 1; fi
        sleep 0.1
    done
}

"$binary" serve > "$work/ours" 2>&1 &
ours=$!
wait_for "$work/ours" "assay's axon"
read -r _ address hotkey < "$work/ours"

"$miner" > "$work/mines" 2>&1 &
mines=$!
wait_for "$work/mines" "assay's miner"
read -r _ miner_address miner_hotkey < "$work/mines"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkfifo "$work/open"
HOME="$work" "$python" scripts/interop/axon_serves.py "$port" < "$work/open" > "$work/theirs" 2>&1 &
theirs=$!
exec 3> "$work/open"
wait_for "$work/theirs" "Python's axon"

failed=0
python scripts/interop/dendrite_asks.py "$address" "$hotkey" || failed=1
python scripts/interop/dendrite_questions.py "$miner_address" "$miner_hotkey" || failed=1
"$binary" ask "127.0.0.1:$port" || failed=1
exec 3>&-
mkdir "$work/chain"
python scripts/interop/chain.py "$chain" "$work/chain" || failed=1
exit "$failed"
