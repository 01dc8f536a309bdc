# What a deployment survives: a killed validator, a stop, a database that is away, a machine that is lost. Sourced by compose-test.sh.

size() { assay verify | sed -n 's/.*sound; \([0-9]*\) events.*/\1/p'; }
sound() { assay verify | grep '^verify: sound' >/dev/null; }
goes_on() { [ "$(size)" -gt "$1" ]; }

# Miners that stand still keep a round open until its deadline, so that the kill comes in its middle.
survives_a_killed_validator() {
    since=$SECONDS
    local id service before pid validator
    before=$(audits)
    for service in ada bela chen copycat spammer malformed; do "$DOCKER" pause "$(container "miner-$service")" >/dev/null; done
    id=$(assay ask --json "Why is the sky blue?" | field id)
    within 30 "requests of challenge $id" asked "$id"
    validator=$(container validator)
    pid=$("$DOCKER" inspect --format '{{.State.Pid}}' "$validator")
    if scored "$id"; then fail "the round of $id was over before the kill"; fi
    # The engine may run elsewhere, and the number be that of another process here.
    if ! grep -qs "$validator" "/proc/$pid/cgroup" || ! kill -9 "$pid" 2>/dev/null; then
        say "the process is not one that may be killed here: the container is killed and started by hand"
        quiet compose kill validator
        quiet compose up -d --no-deps validator
    fi
    for service in ada bela chen copycat spammer malformed; do "$DOCKER" unpause "$(container "miner-$service")" >/dev/null; done
    within 90 "the validator's return by its restart policy" answers_again "$pid"
    within 90 "the validator's health" healthy validator
    within 90 "what the log says of challenge $id" recorded_as_broken "$id"
    within 120 "the end of challenge $id" ended "$id"
    within 180 "an audit after the validator was killed" another_audit "$before"
    sound || fail "the log is not sound"
    ok "a validator that is killed in mid-round comes back by itself, gives the attempt up and ends the challenge"
}

# Whether the log has requests of the challenge's first attempt.
asked() { # CHALLENGE
    compose exec -T db psql -qtA -U postgres assay -c "SELECT 1 FROM ledger.events WHERE stream_type = 'round' AND stream_id = '$1/1' AND kind = 'ChallengeIssued' LIMIT 1" | grep 1 >/dev/null
}
answers_again() { # FORMER_PID
    local pid
    pid=$("$DOCKER" inspect --format '{{.State.Pid}}' "$(container validator)")
    [ "$pid" != 0 ] && [ "$pid" != "$1" ]
}
recorded_as_broken() { logs auditor | grep "round abandoned  $1 (.*drawn again" >/dev/null; }

# A round that was scored, or that is told to have ended without answers.
ended() { scored "$1" || logs auditor | grep "round abandoned  $1" >/dev/null; }

survives_stop_and_start() {
    since=$SECONDS
    local before known
    known=$(size)
    quiet compose stop
    quiet compose start
    within 180 "health of every service" all_healthy
    before=$(audits)
    within 180 "an audit after the start" another_audit "$before"
    goes_on "$known" || fail "the log has fewer events than the $known before the stop"
    sound || fail "the log is not sound"
    ok "stopped and started, it goes on after the $known events that were there"
}

survives_the_database() {
    since=$SECONDS
    local before known
    known=$(size)
    quiet compose stop db
    sleep 20
    quiet compose start db
    within 180 "health of every service" all_healthy
    before=$(audits)
    within 180 "an audit after the database was away" another_audit "$before"
    goes_on "$known" || fail "the log does not go on after $known events"
    sound || fail "the log is not sound"
    audited_without_a_gap || fail "the auditor left an epoch out"
    ok "the database was away for 20 s; everything recovered by itself, and no epoch was left without its audit"
}

# Also those that closed while the auditor was away.
audited_without_a_gap() {
    logs auditor | sed -n 's/.* epoch \([0-9]*\) ([a-z]*) audit: .*/\1/p' | sort -nu | awk '$1 != NR - 1 { exit 1 } END { exit NR == 0 }'
}

# Over TCP: while a new database is being made the server listens on its socket alone.
db_ready() { compose exec -T db pg_isready -q -h 127.0.0.1 -U postgres; }

# As docs/operations.md says, for a machine that is lost: database, checkpoints and the key that signs them.
is_backed_up_and_restored() {
    since=$SECONDS
    local known before volume
    quiet compose stop auditor api validator
    rm -f "$work/outside.tar"
    outside_volumes :ro -v "$work:/out" "$builder" tar -C /a -cf /out/outside.tar .
    compose exec -T db pg_dump -U postgres --format=custom --create assay >"$work/assay.dump"
    known=$("$DOCKER" exec "$(container db)" psql -qtA -U postgres assay -c 'SELECT count(*) FROM ledger.events')
    quiet compose rm -f -s -v db validator auditor
    for volume in db checkpoints validator; do quiet "$DOCKER" volume rm "${project}_$volume"; done
    quiet compose run --rm --no-deps validator --version
    outside_volumes '' -v "$work:/in:ro" "$builder" tar -C /a -xpf /in/outside.tar
    quiet compose up -d db
    within 90 "a new database" db_ready
    compose exec -T db pg_restore -U postgres --clean --if-exists --create --dbname=postgres <"$work/assay.dump"
    quiet compose up -d
    within 180 "health of every service" all_healthy
    before=$(audits)
    within 180 "an audit after the restore" another_audit "$before"
    sound || fail "the log is not sound"
    goes_on "$known" || fail "the restored log does not go on after $known events"
    rm -f "$work/outside.tar" "$work/assay.dump"
    ok "backed up, removed and restored: $known events, and checkpoints outside of the database vouch for them"
}

outside_volumes() { # OPTIONS-OF-EACH ARGUMENT…
    local options=$1
    shift
    quiet "$DOCKER" run --rm --user 0 -v "${project}_checkpoints:/a/checkpoints$options" -v "${project}_validator:/a/validator$options" "$@"
}
