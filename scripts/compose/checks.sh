# What compose-test.sh checks, in the order of a deployment's life. Sourced by it.

ONCE="provision migrate models"
LONG_RUNNING="db localnet validator miner-ada miner-bela miner-chen miner-copycat miner-spammer miner-malformed api auditor"

run_checks() {
    comes_up
    is_confined
    is_private
    answers_from_outside
    is_small
    takes_a_miner
    takes_a_miner_of_the_host
    survives_a_killed_validator
    survives_stop_and_start
    survives_the_database
    is_backed_up_and_restored
    is_observed
    is_encrypted
    becomes_a_main_network_that_refuses
    runs_with_a_wallet_and_a_node
    leaves_nothing
}

# Repeats a command until it succeeds.
within() { # SECONDS WHAT COMMAND…
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what did not come in time"
        sleep 1
    done
}

# Runs a command and shows what it said if it fails.
quiet() {
    "$@" >"$work/last.log" 2>&1 || { tail -n 8 "$work/last.log" >&2; fail "$*"; }
}

container() { compose ps -q "$1" | head -n 1; }
# docker-compose 1.29 lists those that ended, too; Compose v2 when it is asked for all.
ended_container() { compose ps -aq "$1" 2>/dev/null || container "$1"; }
assay() { compose exec -T auditor assay "$@"; }
healthy() { [ "$("$DOCKER" inspect --format '{{.State.Health.Status}}' "$(container "$1")")" = healthy ]; }
all_healthy() { for service in $LONG_RUNNING; do healthy "$service" || return 1; done; }
logs() { compose logs --no-color "$1" 2>/dev/null; }
audits() { logs auditor | grep -c 'audit: equal'; }
another_audit() { [ "$(audits)" -gt "$1" ]; }
# A field of a JSON object on standard input, by the path after `data`.
field() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else value[name]
print(value if isinstance(value, str) else json.dumps(value))' "$1"; }
query() { # GRAPHQL
    python3 -c 'import json,sys; print(json.dumps({"query": sys.argv[1]}))' "$1" |
        curl --silent --show-error --fail --max-time 10 -H 'Content-Type: application/json' --data @- "http://127.0.0.1:$port/graphql"
}

comes_up() {
    local begun=$SECONDS service
    since=$begun
    compose up -d >"$work/up.log" 2>&1 || { tail -20 "$work/up.log" >&2; fail "docker compose up"; }
    within 300 "the first audited epoch" another_audit 0
    ok "up, and the first epoch is audited: $((SECONDS - begun)) s after \`up\`"
    within 60 "health of every service" all_healthy
    for service in $ONCE; do
        [ "$("$DOCKER" inspect --format '{{.State.ExitCode}}' "$(ended_container "$service")")" = 0 ] ||
            fail "$service did not end well"
    done
    ok "every service is healthy; provision, migrate and models ended with 0"
    logs auditor | sed -n 's/^[^|]*| *\(epoch [0-9]* (included) audit:.*\)/compose-test:      \1/p'
}

# Whether running services have the rights and limits that all have.
confined() { # SERVICE…
    local service users
    limited "$@"
    for service in "$@"; do
        users=$("$DOCKER" top "$(container "$service")" -eo pid,uid) || fail "who runs $service cannot be told"
        if tail -n +2 <<<"$users" | grep -E ' 0$' >/dev/null; then fail "$service runs as root"; fi
    done
}

# The same of services that may have ended.
limited() { # SERVICE…
    local service
    # shellcheck disable=SC2046
    "$DOCKER" inspect $(for service in "$@"; do ended_container "$service"; done) | python3 scripts/compose/confined.py || fail "see above"
}

is_confined() {
    since=$SECONDS
    local rights
    # shellcheck disable=SC2086
    limited $ONCE
    # shellcheck disable=SC2086
    confined $LONG_RUNNING
    ok "no service runs as root, writes to its root, has capabilities, or has no limits; secrets are files"
    # Each login has the rights of its service and no others.
    rights=$(compose exec -T db psql -qtA -U postgres assay -c "
        SELECT login || ' may be ' || part FROM unnest(ARRAY['validator', 'api', 'auditor']) AS login,
            unnest(ARRAY['assay_owner', 'assay_writer', 'assay_eraser', 'assay_projector', 'postgres']) AS part
        WHERE pg_has_role(login, part, 'MEMBER') ORDER BY 1")
    [ "$rights" = "api may be assay_projector
validator may be assay_writer" ] || fail "the logins' rights: $rights"
    ok "each service's login has its own rights only"
}

reaches() { timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; }

is_private() {
    since=$SECONDS
    local published service own
    published=$(for service in $LONG_RUNNING; do "$DOCKER" port "$(container "$service")"; done)
    [ "$published" = "8080/tcp -> 127.0.0.1:$port" ] || fail "published ports: $published"
    reaches 127.0.0.1 "$port" || fail "the API does not answer on 127.0.0.1:$port"
    # Others may listen on these ports of this machine; a forwarding of the engine's may not.
    for service in 5432 8000 8091 9944; do
        if ss -Hltnp "sport = :$service" 2>/dev/null | grep -q docker-proxy; then fail "port $service is published"; fi
    done
    own=$(ip -4 -o addr show scope global 2>/dev/null | grep -vE ' (docker|br-|veth)' | sed -n 's/.* inet \([0-9.]*\).*/\1/p' | head -n 1)
    if [ -z "$own" ]; then
        say "this machine has no address but its own: that the API is not reachable from others is told by its published address alone"
    elif reaches "$own" "$port"; then
        fail "the API is reachable at $own:$port"
    fi
    ok "nothing but the API is published, and that on 127.0.0.1 alone"
}

hotkeys() { query '{ leaderboard(first: 100) { edges { node { hotkey answered } } } }' | python3 -c 'import json,sys
for edge in json.load(sys.stdin)["data"]["leaderboard"]["edges"]:
    if edge["node"]["answered"]: print(edge["node"]["hotkey"])'; }

# Whether some miner's score history has the challenge.
scored() { # CHALLENGE
    local hotkey
    for hotkey in $(hotkeys); do
        query "{ miner(hotkey: \"$hotkey\") { scoreHistory(first: 50) { edges { node { challengeId score } } } } }" | grep "\"challengeId\":\"$1\"" >/dev/null && return 0
    done
    return 1
}

# The newest epoch whose audit the log of the auditor tells.
last_epoch() { logs auditor | sed -n 's/.*epoch \([0-9]*\) (included) audit: equal.*/\1/p' | tail -n 1; }
exported() { assay export --epoch "$1" --out "/var/lib/assay/epoch-$1.assay"; }

answers_from_outside() {
    since=$SECONDS
    local id epoch before bundle=$work/epoch.assay
    before=$(audits)
    id=$(assay ask --json "What holds an arch of stones up?" | field id)
    within 60 "scores of the challenge $id" scored "$id"
    ok "a challenge of our own, $id, is scored; the API tells its score history"
    within 120 "the audit of its epoch" another_audit "$before"
    epoch=$(last_epoch)
    assay audit --epoch "$epoch" --chain ws://localnet:9944 | tail -n 1
    ok "epoch $epoch is audited by the program in the image, against the chain"
    within 90 "a checkpoint over epoch $epoch" exported "$epoch"
    rm -f "$bundle"
    "$DOCKER" cp "$(container auditor):/var/lib/assay/epoch-$epoch.assay" "$bundle" >/dev/null
    "$outside" audit --bundle "$bundle" | tail -n 1
    ok "and from its bundle by the program outside"
}

is_small() {
    since=$SECONDS
    # shellcheck disable=SC2046
    "$DOCKER" stats --no-stream --format '{{.Name}} {{.MemUsage}}' $(compose ps -q) | python3 -c 'import re,sys
unit = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
total = 0
for name, used in sorted(line.split()[:2] for line in sys.stdin):
    number, word = re.fullmatch(r"([0-9.]+)([A-Za-z]+)", used).groups()
    total += float(number) * unit[word]
    if float(number) == 0: continue  # ran once and ended
    print("compose-test:      idle %-40s %7.1f MiB" % (name.split("_", 1)[-1], float(number) * unit[word] / (1 << 20)))
print("compose-test:      idle %-40s %7.1f MiB" % ("altogether", total / (1 << 20)))
sys.exit(total >= 1.5 * (1 << 30))' || fail "the idle services take 1.5 GiB or more"
    ok "idle memory is below 1.5 GiB"
}

more_hotkeys() { [ "$(hotkeys | wc -l)" -gt "$1" ]; }

rounds() { logs auditor | grep -c '  round  *[0-9]' || true; }
announced() { "$DOCKER" logs "$1" 2>&1 | grep 'axon announced' >/dev/null; }

# Two rounds may end before it is on the leaderboard, besides one that was under way when it came.
joined_in_time() { # HOTKEYS-BEFORE ROUNDS-BEFORE
    within 60 "the leaderboard's row of a miner that joined" more_hotkeys "$1"
    ended_since=$(($(rounds) - $2))
    [ "$ended_since" -le 3 ] || fail "a miner that joined came to the leaderboard after $ended_since rounds"
}

takes_a_miner() {
    since=$SECONDS
    local before id ended_since
    before=$(hotkeys | wc -l)
    id=$(compose run -d miner 2>/dev/null | tail -n 1)
    within 90 "the miner's axon" announced "$id"
    joined_in_time "$before" "$(rounds)"
    ok "a miner of \`docker compose run miner\` is on the leaderboard; $ended_since rounds ended since it announced itself"
    "$DOCKER" rm -f "$id" >/dev/null
}

# As docs/operations.md says: by the address of the network's bridge.
takes_a_miner_of_the_host() {
    since=$SECONDS
    local before chain bridge ended_since
    before=$(hotkeys | wc -l)
    chain=$("$DOCKER" inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(container localnet)")
    bridge=$("$DOCKER" inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' "$(container localnet)")
    bridge=${bridge:-${chain%.*}.1}
    if ! ip -4 addr show 2>/dev/null | grep -q "inet $bridge/"; then
        say "the engine's bridge is not on this machine: A MINER ON THE HOST IS NOT TESTED"
        return
    fi
    rm -f "$work/host-miner.json"
    "$outside" miner --offline --subnet loosh --network local --chain "ws://$chain:9944" --listen "$bridge:$((port + 6))" \
        --hotkey "$work/host-miner.json" >"$work/host-miner.log" 2>&1 &
    outside_pids=$!
    within 60 "the axon of a miner on the host" grep -q 'axon announced' "$work/host-miner.log"
    joined_in_time "$before" "$(rounds)"
    stop_outside
    ok "a miner on the host is on the leaderboard; $ended_since rounds ended since it announced itself"
}

# Processes of this machine that a check started.
outside_pids=
stop_outside() {
    # shellcheck disable=SC2086
    if [ -n "$outside_pids" ]; then kill $outside_pids 2>/dev/null || true; fi
    outside_pids=
}

targets_up() {
    compose --profile observability exec -T prometheus wget -q -O - http://127.0.0.1:9090/api/v1/targets |
        python3 -c 'import json,sys; targets = json.load(sys.stdin)["data"]["activeTargets"]; sys.exit(len(targets) < 9 or any(target["health"] != "up" for target in targets))'
}

# Grafana is in no package of Debian's; where its image cannot be pulled, its files are held to the metrics' names by tests alone.
is_observed() {
    since=$SECONDS
    quiet compose --profile observability up -d prometheus
    within 90 "every target of Prometheus" targets_up
    confined prometheus
    ok "Prometheus reaches every service and takes the alert rules"
    local image
    image=$(sed -n 's/.*ASSAY_GRAFANA_IMAGE:-\([^}]*\)}.*/\1/p' docker-compose.yml)
    if "$DOCKER" image inspect "$image" >/dev/null 2>&1 || timeout 120 "$DOCKER" pull --quiet "$image" >/dev/null 2>&1; then
        quiet compose --profile observability up -d grafana
        within 90 "Grafana's health" healthy grafana
        ok "Grafana is healthy"
    else
        say "$image cannot be pulled and has no stand-in: GRAFANA IS NOT TESTED"
    fi
}

is_encrypted() {
    since=$SECONDS
    export ASSAY_HTTP_PORT=$((port + 1)) ASSAY_HTTPS_PORT=$((port + 2))
    quiet compose --profile tls up -d proxy
    # The certificate is signed by the proxy itself for this name.
    within 60 "the read side behind the proxy" curl --silent --fail --insecure "https://localhost:$ASSAY_HTTPS_PORT/livez"
    confined proxy
    ok "the proxy serves the read side encrypted"
}

profiles_down() { compose --profile observability --profile tls --profile mainnet --profile miner down --volumes --remove-orphans --timeout 20; }

leaves_nothing() {
    since=$SECONDS
    quiet profiles_down
    local rest
    rest=$("$DOCKER" ps -aq --filter "label=com.docker.compose.project=$project"; "$DOCKER" volume ls -q --filter "name=^${project}_"; "$DOCKER" network ls -q --filter "name=^${project}_")
    [ -z "$rest" ] || fail "left behind: $rest"
    ok "taken down; no container, volume or network is left"
}
