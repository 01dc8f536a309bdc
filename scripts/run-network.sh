#!/bin/sh
# Checks everything that a validator needs on a public network, says what is missing, and starts it when nothing is. Called by
# run_testnet.sh and run_mainnet.sh with the network's name.
#
#   run-network.sh NETWORK [options of check and validator] [-- options of the validator alone]
#
# ASSAY names the program, by default the release build beside this folder, else the one in PATH.
# ASSAY_YES=1 answers the question that the main network asks.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
network=$1
shift
script="run_${network}net.sh"
if [ "$network" = finney ]; then
    script=run_mainnet.sh
fi

usage() {
    cat <<USAGE
usage: $script --subnet NAME [--wallet.name NAME] [--wallet.hotkey NAME] [-- options of the validator]

  ./$script --subnet cgp --wallet.name validator --wallet.hotkey default
  ./$script --subnet cgp --wallet.name validator --shadow         (derive weights, send none)

Options before -- go to \`assay check\` and to \`assay validator\`, options behind it to \`assay validator\` alone.
DATABASE_URL names the database. \`assay subnets\` lists the subnets.
USAGE
}

if [ $# -eq 0 ]; then
    usage >&2
    exit 2
fi
case $1 in
-h | --help)
    usage
    exit 0
    ;;
esac

# The program: named, built here, or installed.
program=${ASSAY:-}
if [ -z "$program" ]; then
    program=$root/target/release/assay
    if [ ! -x "$program" ]; then
        program=$(command -v assay || true)
    fi
fi
if [ -z "$program" ] || ! command -v "$program" >/dev/null; then
    echo "$script: there is no program to run; build it with \`cargo build --release --locked\`, or name one with ASSAY" >&2
    exit 2
fi

# The list of arguments is walked round once: what stands before -- is kept apart, quoted so that it can be read back.
shared=
alone=
behind=
for argument in "$@"; do
    if [ "$argument" = -- ] && [ -z "$behind" ]; then
        behind=yes
        continue
    fi
    quoted=\'$(printf '%s' "$argument" | sed "s/'/'\\\\''/g")\'
    if [ -n "$behind" ]; then
        alone="$alone $quoted"
    else
        shared="$shared $quoted"
    fi
done

echo "$script: looking at everything that the validator needs"
found=0
eval "\"\$program\" check --network \"\$network\" $shared" || found=$?
if [ "$found" -eq 1 ]; then
    echo "$script: not started; the lines marked WRONG say what is missing and what to do next" >&2
    exit 1
elif [ "$found" -ne 0 ]; then
    echo "$script: not started; the check could not be made" >&2
    exit "$found"
fi

if [ "$network" = finney ] && [ "${ASSAY_YES:-}" != 1 ]; then
    if [ ! -t 0 ]; then
        echo "$script: not started; nobody is there to be asked, and ASSAY_YES=1 is not set" >&2
        exit 1
    fi
    printf '%s: this validator will act with real stake on the main network. Start it? [y/N] ' "$script"
    read -r answer || answer=
    case $answer in
    y | Y | yes | Yes | YES) ;;
    *)
        echo "$script: not started"
        exit 1
        ;;
    esac
fi

eval "exec \"\$program\" validator --network \"\$network\" $shared $alone"
