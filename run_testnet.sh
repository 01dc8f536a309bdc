#!/bin/sh
# Runs a validator on the test network: checks what it needs, says what is missing, starts it. See docs/operators.md.
exec sh "$(dirname "$0")/scripts/run-network.sh" test "$@"
