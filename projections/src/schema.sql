-- One generation of the read models. Every row carries its ledger and the position of the event that it comes from, so that
-- every query can be asked as of a position. A column that a later event fills has that event's position beside it.
-- Nothing here comes from a clock or a configuration: folding the same events again gives the same rows.

CREATE TABLE ledgers (
    ledger_id      bigint PRIMARY KEY,
    origin         text   NOT NULL UNIQUE,
    netuid         integer NOT NULL,
    hotkey         text   NOT NULL,
    genesis_hash   text   NOT NULL,
    checkpoint_key text   NOT NULL,
    next_position  bigint NOT NULL CHECK (next_position >= 0),
    recorded_at    bigint NOT NULL,
    block          bigint NOT NULL
);
COMMENT ON COLUMN ledgers.next_position IS 'everything before it is folded in; committed together with the rows';

CREATE TABLE events (
    ledger_id      bigint NOT NULL,
    position       bigint NOT NULL,
    recorded_at    bigint NOT NULL,
    block          bigint NOT NULL,
    stream_type    text   NOT NULL,
    stream_id      text   NOT NULL,
    sequence       bigint NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    version        integer NOT NULL,
    cause          bigint NOT NULL,
    payload_length integer NOT NULL,
    leaf_hash      bytea  NOT NULL,
    commitment     bytea  NOT NULL,
    json           text,
    challenge_id   text,
    epoch          bigint,
    erased_at      bigint,
    PRIMARY KEY (ledger_id, position)
);
COMMENT ON COLUMN events.json IS 'JSON part of the payload; shown by the disclosure rule only; NULL once erased';
CREATE INDEX events_by_kind ON events (ledger_id, kind, position);
CREATE INDEX events_by_time ON events (ledger_id, recorded_at, position);
CREATE INDEX events_by_block ON events (ledger_id, block, position);

CREATE TABLE rule_sets (
    ledger_id bigint NOT NULL,
    position  bigint NOT NULL,
    hash      text   NOT NULL,
    name      text   NOT NULL,
    bytes     text   NOT NULL,
    PRIMARY KEY (ledger_id, position)
);

CREATE TABLE slots (
    ledger_id        bigint  NOT NULL,
    uid              integer NOT NULL,
    from_position    bigint  NOT NULL,
    to_position      bigint,
    hotkey           text    NOT NULL,
    coldkey          text    NOT NULL,
    ip               text    NOT NULL,
    port             integer NOT NULL,
    stake            text    NOT NULL,
    validator_permit boolean NOT NULL,
    PRIMARY KEY (ledger_id, uid, from_position)
);
COMMENT ON COLUMN slots.to_position IS 'the observation that ended this state of the slot; NULL while it holds';
CREATE UNIQUE INDEX open_slot ON slots (ledger_id, uid) WHERE to_position IS NULL;
CREATE INDEX slots_of_hotkey ON slots (ledger_id, hotkey, from_position);

CREATE TABLE availability (
    ledger_id   bigint  NOT NULL,
    position    bigint  NOT NULL,
    hotkey      text    NOT NULL,
    recorded_at bigint  NOT NULL,
    available   boolean NOT NULL,
    reason      text    NOT NULL,
    latency_ms  bigint  NOT NULL,
    PRIMARY KEY (ledger_id, hotkey, position)
);

CREATE TABLE challenges (
    ledger_id      bigint NOT NULL,
    challenge_id   text   NOT NULL,
    position       bigint NOT NULL,
    recorded_at    bigint NOT NULL,
    block          bigint NOT NULL,
    commitment     text,
    prompt         text,
    ended_position bigint,
    PRIMARY KEY (ledger_id, challenge_id)
);
COMMENT ON COLUMN challenges.ended_position IS 'evaluation or final abandonment: from there on prompt and answers are shown';
CREATE INDEX challenges_by_position ON challenges (ledger_id, position);

CREATE TABLE rounds (
    ledger_id          bigint  NOT NULL,
    challenge_id       text    NOT NULL,
    attempt            bigint  NOT NULL,
    position           bigint  NOT NULL,
    recorded_at        bigint  NOT NULL,
    block              bigint  NOT NULL,
    rule_set           text,
    seed               text,
    candidates         integer NOT NULL,
    excluded           integer NOT NULL,
    drawn              integer NOT NULL,
    ended_position     bigint,
    ended_at           bigint,
    ended_block        bigint,
    outcome            text,
    abandon_reason     text,
    abandon_detail     text,
    last_attempt       boolean,
    consensus          double precision,
    consensus_achieved boolean,
    best               text,
    components         text,
    labels             text[],
    similarity         bytea,
    PRIMARY KEY (ledger_id, challenge_id, attempt)
);
COMMENT ON COLUMN rounds.similarity IS 'upper triangle with the diagonal, row by row, big-endian f64 cosines';
CREATE INDEX rounds_by_position ON rounds (ledger_id, position);
CREATE INDEX rounds_by_end ON rounds (ledger_id, ended_position);

CREATE TABLE responses (
    ledger_id         bigint  NOT NULL,
    challenge_id      text    NOT NULL,
    attempt           bigint  NOT NULL,
    hotkey            text    NOT NULL,
    uid               integer NOT NULL,
    place             integer NOT NULL,
    position          bigint  NOT NULL,
    issued_position   bigint,
    request_hash      text,
    answered_position bigint,
    received          boolean,
    failure           text,
    detail            text,
    http_status       integer,
    response_time_ms  bigint,
    signed            boolean,
    body              bytea,
    PRIMARY KEY (ledger_id, challenge_id, attempt, hotkey)
);
COMMENT ON COLUMN responses.place IS 'order of the draw, from 0';
COMMENT ON COLUMN responses.body IS 'the body as received; shown by the disclosure rule only';
CREATE INDEX responses_of_hotkey ON responses (ledger_id, hotkey, position) INCLUDE (answered_position, received);
CREATE INDEX responses_by_answer ON responses (ledger_id, answered_position);

CREATE TABLE scores (
    ledger_id    bigint  NOT NULL,
    position     bigint  NOT NULL,
    recorded_at  bigint  NOT NULL,
    block        bigint  NOT NULL,
    challenge_id text    NOT NULL,
    attempt      bigint  NOT NULL,
    hotkey       text    NOT NULL,
    uid          integer NOT NULL,
    score        double precision NOT NULL,
    counted      boolean NOT NULL,
    filtered     text,
    reason       text,
    components   text    NOT NULL,
    PRIMARY KEY (ledger_id, position)
);
CREATE INDEX scores_of_hotkey ON scores (ledger_id, hotkey, position);
CREATE INDEX scores_of_round ON scores (ledger_id, challenge_id, attempt);

CREATE TABLE epochs (
    ledger_id       bigint NOT NULL,
    epoch           bigint NOT NULL,
    position        bigint NOT NULL,
    recorded_at     bigint NOT NULL,
    block           bigint NOT NULL,
    chain_epoch     bigint NOT NULL,
    rule_set        text   NOT NULL,
    public_position bigint,
    closed_position bigint,
    closed_at       bigint,
    outcome         text,
    reason          text,
    PRIMARY KEY (ledger_id, epoch)
);
COMMENT ON COLUMN epochs.public_position IS 'inclusion, reveal or closing: from there on the weights are shown';

CREATE TABLE derivations (
    ledger_id          bigint  NOT NULL,
    epoch              bigint  NOT NULL,
    revision           integer NOT NULL,
    position           bigint  NOT NULL,
    recorded_at        bigint  NOT NULL,
    range_from         bigint  NOT NULL,
    range_to           bigint  NOT NULL,
    metagraph_position bigint  NOT NULL,
    block              bigint  NOT NULL,
    rule_set           text    NOT NULL,
    mode               text    NOT NULL,
    rounds             bigint  NOT NULL,
    skip               text,
    carried_window     bytea   NOT NULL,
    leaf_hash          bytea   NOT NULL,
    PRIMARY KEY (ledger_id, epoch, revision)
);
CREATE INDEX derivations_by_range ON derivations (ledger_id, range_to) WHERE revision = 0;
CREATE INDEX derivations_by_position ON derivations (ledger_id, position);

CREATE TABLE weights (
    ledger_id bigint  NOT NULL,
    epoch     bigint  NOT NULL,
    revision  integer NOT NULL,
    position  bigint  NOT NULL,
    uid       integer NOT NULL,
    hotkey    text    NOT NULL,
    weight    integer NOT NULL,
    reason    text,
    PRIMARY KEY (ledger_id, epoch, revision, uid, hotkey)
);
CREATE INDEX weights_of_hotkey ON weights (ledger_id, hotkey, epoch);

CREATE TABLE averages (
    ledger_id bigint NOT NULL,
    hotkey    text   NOT NULL,
    epoch     bigint NOT NULL,
    position  bigint NOT NULL,
    place     integer NOT NULL,
    average   double precision,
    last_seen bigint,
    drawn     bigint NOT NULL,
    items     bigint NOT NULL,
    PRIMARY KEY (ledger_id, epoch, hotkey)
);
CREATE INDEX averages_of_hotkey ON averages (ledger_id, hotkey, epoch);

CREATE TABLE chain_steps (
    ledger_id   bigint NOT NULL,
    position    bigint NOT NULL,
    epoch       bigint NOT NULL,
    recorded_at bigint NOT NULL,
    step        text   NOT NULL,
    extrinsic   text,
    block       bigint,
    block_hash  text,
    size        bigint,
    root        text,
    detail      text,
    PRIMARY KEY (ledger_id, position)
);
CREATE INDEX chain_steps_of_epoch ON chain_steps (ledger_id, epoch, position);

CREATE TABLE checkpoints (
    ledger_id   bigint NOT NULL,
    position    bigint NOT NULL,
    recorded_at bigint NOT NULL,
    size        bigint NOT NULL,
    root        text   NOT NULL,
    note        text   NOT NULL,
    PRIMARY KEY (ledger_id, position)
);
