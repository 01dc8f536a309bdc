-- The ledger's own tables. One ledger is one Merkle tree; ledger_id leads every key, and is the first 63 bits of the
-- SHA-256 of the origin, so that a ledger keeps it when it moves to another database.
SET LOCAL ROLE assay_owner;

CREATE SCHEMA IF NOT EXISTS ledger;

CREATE TABLE IF NOT EXISTS ledger.ledgers (
    ledger_id        bigint NOT NULL PRIMARY KEY CHECK (ledger_id >= 0),
    origin           text   NOT NULL UNIQUE CHECK (octet_length(origin) BETWEEN 1 AND 512),
    size             bigint NOT NULL CHECK (size >= 0),
    frontier         bytea  NOT NULL,
    recorded_at      bigint NOT NULL CHECK (recorded_at >= 0),
    lease_holder     text,
    lease_since      bigint,
    lease_generation bigint NOT NULL DEFAULT 0,
    CHECK (octet_length(frontier) = 32 * bit_count(size::bit(64)))
) WITH (fillfactor = 10);
COMMENT ON COLUMN ledger.ledgers.frontier IS 'roots of the perfect subtrees, largest first, 32 bytes each';
COMMENT ON COLUMN ledger.ledgers.recorded_at IS 'microseconds since 1970 UTC of the last event';

CREATE TABLE IF NOT EXISTS ledger.streams (
    ledger_id      bigint NOT NULL REFERENCES ledger.ledgers,
    stream_type    text COLLATE "C" NOT NULL,
    stream_id      text COLLATE "C" NOT NULL,
    version        bigint NOT NULL CHECK (version > 0),
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL CHECK (last_position >= first_position),
    PRIMARY KEY (ledger_id, stream_type, stream_id)
) WITH (fillfactor = 70);
COMMENT ON COLUMN ledger.streams.version IS 'sequence of the last event; the first has 1';

-- No foreign keys: the events are what everything else is checked against, by hash.
CREATE TABLE IF NOT EXISTS ledger.events (
    ledger_id      bigint  NOT NULL,
    position       bigint  NOT NULL CHECK (position >= 0),
    recorded_at    bigint  NOT NULL,
    block          bigint  NOT NULL,
    sequence       bigint  NOT NULL CHECK (sequence > 0),
    cause          bigint  NOT NULL CHECK (cause <= position),
    version        integer NOT NULL CHECK (version BETWEEN 0 AND 65535),
    payload_length integer NOT NULL,
    stream_type    text COLLATE "C" NOT NULL,
    stream_id      text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    leaf_hash      bytea   NOT NULL CHECK (octet_length(leaf_hash) = 32),
    commitment     bytea   NOT NULL CHECK (octet_length(commitment) = 32),
    salt           bytea   CHECK (octet_length(salt) = 32),
    payload        bytea   CHECK (octet_length(payload) = payload_length),
    PRIMARY KEY (ledger_id, position),
    CHECK ((salt IS NULL) = (payload IS NULL))
) PARTITION BY LIST (ledger_id);
COMMENT ON COLUMN ledger.events.cause IS 'position of the event that led to this one, its own if none';
COMMENT ON COLUMN ledger.events.payload IS 'canonical bytes, never re-encoded; NULL once erased';
-- Large payloads are compressed by lz4 where the server has it; the default takes ten times as long.
DO $$ BEGIN
    ALTER TABLE ledger.events ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;
CREATE INDEX IF NOT EXISTS events_by_stream ON ledger.events (ledger_id, stream_type, stream_id, sequence);
CREATE INDEX IF NOT EXISTS events_by_kind ON ledger.events (ledger_id, kind, position);

CREATE TABLE IF NOT EXISTS ledger.idempotency (
    ledger_id      bigint NOT NULL REFERENCES ledger.ledgers,
    key            text COLLATE "C" NOT NULL,
    request_hash   bytea  NOT NULL CHECK (octet_length(request_hash) = 32),
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    PRIMARY KEY (ledger_id, key)
);

-- How far a subscriber has come; a subscriber that has tables of its own keeps its position beside them instead.
CREATE TABLE IF NOT EXISTS ledger.subscribers (
    ledger_id     bigint NOT NULL REFERENCES ledger.ledgers,
    subscriber    text COLLATE "C" NOT NULL,
    next_position bigint NOT NULL CHECK (next_position >= 0),
    PRIMARY KEY (ledger_id, subscriber)
);

-- Events are facts. The one change that is allowed: the eraser sets salt and payload to NULL after a PayloadErased
-- event whose cause is the position. The opening, the erasures and the checkpoints themselves stay readable.
CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF pg_has_role(current_user, 'assay_eraser', 'MEMBER')
            AND NEW.salt IS NULL AND NEW.payload IS NULL AND OLD.payload IS NOT NULL
            AND OLD.kind NOT IN ('LedgerOpened', 'PayloadErased', 'CheckpointPublished')
            AND (NEW.ledger_id, NEW.position, NEW.recorded_at, NEW.block, NEW.sequence, NEW.cause, NEW.version,
                 NEW.payload_length, NEW.stream_type, NEW.stream_id, NEW.kind, NEW.leaf_hash, NEW.commitment)
              = (OLD.ledger_id, OLD.position, OLD.recorded_at, OLD.block, OLD.sequence, OLD.cause, OLD.version,
                 OLD.payload_length, OLD.stream_type, OLD.stream_id, OLD.kind, OLD.leaf_hash, OLD.commitment)
            AND EXISTS (SELECT 1 FROM ledger.events erased
                         WHERE erased.ledger_id = OLD.ledger_id AND erased.kind = 'PayloadErased'
                           AND erased.cause = OLD.position AND erased.position > OLD.position)
        THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'the ledger is append-only: event % of ledger % cannot be changed', OLD.position, OLD.ledger_id
            USING ERRCODE = 'AL002', HINT = 'append a PayloadErased event and let the eraser clear salt and payload';
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'AL002';
END
$$;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.events
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT USAGE ON SCHEMA ledger TO assay_writer, assay_reader, assay_eraser;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO assay_writer, assay_reader, assay_eraser;
GRANT UPDATE (salt, payload) ON ledger.events TO assay_eraser;
GRANT INSERT, UPDATE, DELETE ON ledger.subscribers TO assay_writer;
