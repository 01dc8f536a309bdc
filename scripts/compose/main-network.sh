# The profile `mainnet`: what it refuses, and that it runs with a wallet and a node. Sourced by compose-test.sh.

# With ASSAY_DEMO=0 the development chain and who plays on it are taken away, and without a wallet nothing takes their place.
becomes_a_main_network_that_refuses() {
    since=$SECONDS
    local running
    mkdir -p "$work/wallets"
    if ASSAY_DEMO=0 ASSAY_WALLET_PATH=$work/wallets compose --profile mainnet up -d >"$work/last.log" 2>&1; then
        fail "a main network's validator came up without a wallet"
    fi
    compose --profile mainnet logs --no-color check-mainnet 2>/dev/null | grep -E 'WRONG +hotkey' | head -n 1 ||
        fail "the check does not name the missing hotkey"
    running=$("$DOCKER" ps --filter "label=com.docker.compose.project=$project" --format '{{.Label "com.docker.compose.service"}}' | sort | tr '\n' ' ')
    case " $running" in
        *" localnet "* | *" miner-"* | *" auditor"* | *" validator"*) fail "these run on a main network: $running" ;;
        *" api "*db*) ;;
        *) fail "the read side or its database is gone: $running" ;;
    esac
    if ASSAY_WALLET_PATH=$work/wallets compose --profile mainnet run --rm --no-deps check-mainnet >"$work/last.log" 2>&1; then
        fail "the check finds nothing wrong without a wallet and with the demonstration beside"
    fi
    grep -E 'WRONG +ASSAY_DEMO' "$work/last.log" >/dev/null || fail "the check does not refuse the demonstration beside"
    ok "ASSAY_DEMO=0 and the profile mainnet leave $running; without a wallet no validator starts, and the check names what is missing"
}

# What an operator does, with a development chain of this machine in place of the main network's node: a folder of wallets, three settings.
runs_with_a_wallet_and_a_node() {
    since=$SECONDS
    local gateway chain id
    gateway=$(ip -4 addr show docker0 2>/dev/null | sed -n 's/.*inet \([0-9.]*\).*/\1/p')
    if [ "$(id -u)" != 0 ] || [ -z "$gateway" ]; then
        say "this takes root and the engine's bridge: A MAIN NETWORK'S VALIDATOR IS NOT RUN"
        return
    fi
    quiet profiles_down
    chain=ws://$gateway:$((port + 3))
    start_a_node "$gateway"
    export COMPOSE_PROFILES=mainnet ASSAY_DEMO=0 ASSAY_NETWORK=local ASSAY_CHAIN=$chain ASSAY_WALLET_PATH=$work/wallets
    quiet compose up -d
    within 60 "the validator's health" healthy validator-mainnet
    compose logs --no-color check-mainnet 2>/dev/null | grep -E ' good, 0 wrong' || fail "the check does not say that all is well"
    id=$(compose exec -T validator-mainnet assay ask --json "Why is the sky blue?" | field id)
    within 60 "scores of the challenge $id" scored "$id"
    within 180 "an audited epoch" audited_on_the_main_network
    compose exec -T auditor-mainnet assay verify | grep '^verify: sound' || fail "the log is not sound"
    limited check-mainnet
    confined validator-mainnet auditor-mainnet
    is_upgraded
    ASSAY_LEDGER_NUMBER=1 quiet compose up -d
    within 90 "an auditor that follows the ledger that was begun anew" follows_the_second_ledger
    unset COMPOSE_PROFILES ASSAY_DEMO ASSAY_NETWORK ASSAY_CHAIN ASSAY_WALLET_PATH
    stop_outside
    rm -rf "$work/node" "$work/wallets"
    ok "with a wallet, a node and three settings the main network's validator sets weights, and its auditor finds them equal"
}

# As docs/operations.md says, to an image that differs in a label: every service of the program runs it then, and the log goes on.
is_upgraded() {
    local new service known
    known=$(size_on_the_main_network)
    printf 'FROM %s\nLABEL assay.version=next\n' "$ASSAY_IMAGE" | quiet "$DOCKER" build --tag "$ASSAY_IMAGE" -
    new=$("$DOCKER" image inspect --format '{{.Id}}' "$ASSAY_IMAGE")
    quiet compose up -d migrate
    compose run --rm check-mainnet 2>/dev/null | grep -E ' good, 0 wrong' >/dev/null || fail "the new version's check finds something wrong"
    quiet compose up -d
    within 60 "the new version's health" healthy validator-mainnet
    for service in migrate check-mainnet validator-mainnet auditor-mainnet api; do
        [ "$("$DOCKER" inspect --format '{{.Image}}' "$(ended_container "$service")")" = "$new" ] || fail "$service runs the former version"
    done
    [ "$(size_on_the_main_network)" -ge "$known" ] || fail "the log lost events in the upgrade"
}

size_on_the_main_network() { compose exec -T auditor-mainnet assay verify | sed -n 's/.*sound; \([0-9]*\) events.*/\1/p'; }

# A chain that knows the wallet's hotkey, and two miners.
start_a_node() { # ADDRESS
    local folder=$work/node name
    rm -rf "$folder" "$work/wallets"
    quiet "$outside" provision "$folder"
    install -D -m 0600 "$folder/keys/validator.json" "$work/wallets/default/hotkeys/default"
    chown -R 10001:10001 "$work/wallets"
    "$outside" localnet --listen "0.0.0.0:$((port + 3))" --serve-other-machines --data "$folder/data" --genesis "$folder/chain/genesis.json" \
        --block-time-ms 100 >"$folder/chain.log" 2>&1 &
    outside_pids=$!
    for name in 4 5; do
        "$outside" miner --offline --subnet loosh --network local --chain "$chain" --listen "$1:$((port + name))" \
            --hotkey "$folder/miner-$name.json" --variant "$name" >"$folder/miner-$name.log" 2>&1 &
        outside_pids="$outside_pids $!"
        within 60 "a miner" grep -q 'axon announced' "$folder/miner-$name.log"
    done
}

audited_on_the_main_network() { logs auditor-mainnet | grep 'audit: equal' >/dev/null; }
follows_the_second_ledger() { logs auditor-mainnet | grep 'follow: .*/1, from' >/dev/null; }
