# What compose-test.sh checks, in the order of a deployment's life. Sourced by it.

LONG_RUNNING="db localnet validator miner-ada miner-bela miner-chen miner-copycat miner-spammer miner-malformed api auditor"

run_checks() {
    comes_up
    is_confined
    is_private
    answers_from_outside
    is_small
    takes_a_miner
    survives_a_killed_validator
    survives_stop_and_start
    survives_the_database
    is_backed_up_and_restored
    refuses_the_main_network
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

container() { compose ps -q "$1" | head -n 1; }
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
    local begun=$SECONDS
    since=$begun
    compose up -d >"$work/up.log" 2>&1 || { tail -20 "$work/up.log" >&2; fail "docker compose up"; }
    within 300 "the first audited epoch" another_audit 0
    ok "up, and the first epoch is audited: $((SECONDS - begun)) s after \`up\`"
    within 60 "health of every service" all_healthy
    for service in provision migrate models; do
        [ "$("$DOCKER" inspect --format '{{.State.ExitCode}}' "$(compose ps -aq "$service" 2>/dev/null || compose ps -q "$service")")" = 0 ] ||
            fail "$service did not end well"
    done
    ok "every service is healthy; provision, migrate and models ended with 0"
    logs auditor | sed 's/^[^|]*| //' | grep -E 'audit: equal|round +1/' | head -n 3
}

is_confined() {
    since=$SECONDS
    local service id text
    for service in $LONG_RUNNING; do
        id=$(container "$service")
        text=$("$DOCKER" inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}} {{gt .HostConfig.Memory 0}} {{gt .HostConfig.NanoCpus 0}} {{gt .HostConfig.PidsLimit 0}} {{index .HostConfig.LogConfig.Config "max-size"}} {{.HostConfig.Privileged}}' "$id")
        [ "$text" = "true [ALL] [no-new-privileges:true] unless-stopped true true true 10m false" ] || fail "$service is confined by: $text"
        if "$DOCKER" top "$id" -eo uid | tail -n +2 | grep -qE '^ *0$'; then fail "$service runs as root"; fi
        "$DOCKER" inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$id" | grep -iE '(password|token|secret|key)=..' | grep -v '_FILE=' && fail "$service has a secret in its environment"
    done
    ok "no service runs as root, writes to its root, has capabilities, or has no limits; secrets are files"
    # Each login has the rights of its service and no others.
    compose exec -T db psql -qtA -U postgres assay -c "SELECT 1 WHERE pg_has_role('api','assay_writer','MEMBER') OR pg_has_role('auditor','assay_writer','MEMBER') OR pg_has_role('auditor','assay_projector','MEMBER') OR pg_has_role('validator','assay_owner','MEMBER') OR pg_has_role('validator','assay_projector','MEMBER')" | grep -q 1 && fail "a login has more rights than it needs"
    ok "each service's login has its own rights only"
}

reaches() { timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; }

is_private() {
    since=$SECONDS
    local published service own
    published=$(for service in $LONG_RUNNING; do "$DOCKER" port "$(container "$service")"; done)
    [ "$published" = "8080/tcp -> 127.0.0.1:$port" ] || fail "published ports: $published"
    reaches 127.0.0.1 "$port" || fail "the API does not answer on 127.0.0.1:$port"
    for service in 5432 8000 8091 9944; do
        if reaches 127.0.0.1 "$service" && [ -z "$(ss -Hltn "sport = :$service" 2>/dev/null | grep -v docker)" ]; then fail "port $service is reachable"; fi
    done
    own=$(hostname -I | tr ' ' '\n' | grep -v '^172\.' | head -n 1)
    if [ -n "$own" ] && reaches "$own" "$port"; then fail "the API is reachable at $own:$port"; fi
    ok "nothing but the API is published, and that on 127.0.0.1 alone"
}

score_of() { query "{ scoreHistory(challenge: \"$1\") { x } }"; }

answers_from_outside() {
    since=$SECONDS
    local id epoch bundle
    id=$(assay ask --json "What holds an arch of stones up?" | field id)
    within 60 "scores of the challenge $id" scored "$id"
    ok "a challenge of our own, $id, is scored; its score history comes from the API"
    epoch=$(query '{ epochs(last: 20) { nodes { number outcome } } }' 2>/dev/null | closed_epoch) || epoch=$(logs auditor | sed -n 's/.*epoch \([0-9]*\) (included) audit: equal.*/\1/p' | tail -n 1)
    assay audit --epoch "$epoch" --chain ws://localnet:9944 | tail -n 1
    ok "epoch $epoch is audited by the program in the image, against the chain"
    bundle=$work/epoch.assay
    rm -f "$bundle"
    assay export --epoch "$epoch" --out /var/lib/assay/epoch.assay >/dev/null
    "$DOCKER" cp "$(container auditor):/var/lib/assay/epoch.assay" "$bundle" >/dev/null
    "$outside" audit --bundle "$bundle" | tail -n 1
    ok "and its bundle by the program outside"
}
