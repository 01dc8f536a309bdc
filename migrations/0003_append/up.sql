-- The writer's only ways in. It holds no right to write the tables: these functions run with the owner's.
SET LOCAL ROLE assay_owner;

-- Makes the partition of a ledger and the segment of 2^20 positions that holds `at`, if they are missing. A segment
-- is made beside the table and attached, which does not wait for readers as CREATE TABLE ... PARTITION OF would.
CREATE OR REPLACE FUNCTION ledger.ensure_segment(wanted_ledger bigint, at bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    width   constant bigint := 1048576;
    number  bigint := at / width;
    whole   text := format('events_%s', lpad(to_hex(wanted_ledger), 16, '0'));
    segment text := format('%s_%s', whole, number);
    head    bigint;
BEGIN
    SELECT size INTO head FROM ledger.ledgers WHERE ledger_id = wanted_ledger;
    IF NOT FOUND OR at < 0 OR at > head + 2 * width THEN
        RAISE EXCEPTION 'no segment of ledger % is due at position %', wanted_ledger, at USING ERRCODE = 'AL003';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(segment, 0));
    IF to_regclass(format('ledger.%I', whole)) IS NULL THEN
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.events INCLUDING CONSTRAINTS INCLUDING COMPRESSION) '
                       'PARTITION BY RANGE (position)', whole);
        EXECUTE format('ALTER TABLE ledger.events ATTACH PARTITION ledger.%I FOR VALUES IN (%s)', whole, wanted_ledger);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', whole);
        EXECUTE format('GRANT SELECT ON ledger.%I TO assay_writer, assay_reader, assay_eraser', whole);
    END IF;
    IF to_regclass(format('ledger.%I', segment)) IS NULL THEN
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.events INCLUDING CONSTRAINTS INCLUDING COMPRESSION)', segment);
        EXECUTE format('ALTER TABLE ledger.%I ATTACH PARTITION ledger.%I FOR VALUES FROM (%s) TO (%s)',
                       whole, segment, number * width, (number + 1) * width);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', segment);
        EXECUTE format('GRANT SELECT ON ledger.%I TO assay_writer, assay_reader, assay_eraser', segment);
    END IF;
END
$$;

-- Begins a ledger that has no event yet.
CREATE OR REPLACE FUNCTION ledger.create_ledger(new_ledger bigint, new_origin text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO ledger.ledgers (ledger_id, origin, size, frontier, recorded_at)
    VALUES (new_ledger, new_origin, 0, '', 0) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- Writes the lease down. The caller holds the session's advisory lock of the ledger. Every append names the generation,
-- so that one which is still under way in a lost session either commits before this statement or never.
CREATE OR REPLACE FUNCTION ledger.take_lease(wanted_ledger bigint, holder text, since bigint)
RETURNS TABLE (generation bigint, size bigint, frontier bytea, recorded_at bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE ledger.ledgers held
       SET lease_holder = holder, lease_since = since, lease_generation = held.lease_generation + 1
     WHERE held.ledger_id = wanted_ledger
    RETURNING held.lease_generation, held.size, held.frontier, held.recorded_at
$$;

CREATE OR REPLACE FUNCTION ledger.release_lease(wanted_ledger bigint, held_generation bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE ledger.ledgers SET lease_holder = NULL, lease_since = NULL
     WHERE ledger_id = wanted_ledger AND lease_generation = held_generation
$$;

-- Appends one batch: the head moves from old_size by a compare-and-set, every stream by another, the events follow. One
-- call is one round trip and, outside a transaction, one commit. stream_of holds each event's 1-based place in the
-- arrays of streams. Everything is checked by the caller; what is checked here protects against a second writer.
CREATE OR REPLACE FUNCTION ledger.append(
    wanted_ledger bigint, held_generation bigint, old_size bigint, new_size bigint, new_frontier bytea, new_recorded_at bigint,
    stream_types text[], stream_ids text[], stream_before bigint[], stream_after bigint[],
    stream_first bigint[], stream_last bigint[],
    stream_of integer[], sequences bigint[], kinds text[], versions integer[], blocks bigint[], causes bigint[],
    leaf_hashes bytea[], commitments bytea[], salts bytea[], payloads bytea[],
    keys text[], request_hashes bytea[], key_first bigint[], key_last bigint[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    moved bigint;
    due   bigint;
BEGIN
    UPDATE ledger.ledgers SET size = new_size, frontier = new_frontier, recorded_at = new_recorded_at
     WHERE ledger_id = wanted_ledger AND size = old_size AND lease_generation = held_generation
       AND recorded_at <= new_recorded_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the head of ledger % is no longer at % under lease %', wanted_ledger, old_size, held_generation
            USING ERRCODE = 'AL001';
    END IF;

    INSERT INTO ledger.streams (ledger_id, stream_type, stream_id, version, first_position, last_position)
    SELECT wanted_ledger, s.t, s.i, s.v, s.f, s.l
      FROM unnest(stream_types, stream_ids, stream_before, stream_after, stream_first, stream_last) AS s (t, i, b, v, f, l)
     WHERE s.b = 0;
    GET DIAGNOSTICS moved = ROW_COUNT;
    due := cardinality(stream_types) - moved;
    IF due > 0 THEN
        UPDATE ledger.streams held SET version = s.v, last_position = s.l
          FROM unnest(stream_types, stream_ids, stream_before, stream_after, stream_last) AS s (t, i, b, v, l)
         WHERE held.ledger_id = wanted_ledger AND held.stream_type = s.t AND held.stream_id = s.i
           AND held.version = s.b AND s.b > 0;
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> due THEN
            RAISE EXCEPTION '% of % streams of ledger % are at other versions', due - moved, due, wanted_ledger
                USING ERRCODE = 'AL004';
        END IF;
    END IF;

    INSERT INTO ledger.events (ledger_id, position, recorded_at, block, sequence, cause, version, payload_length,
                               stream_type, stream_id, kind, leaf_hash, commitment, salt, payload)
    SELECT wanted_ledger, old_size + e.n - 1, new_recorded_at, e.block, e.sequence, e.cause, e.version,
           octet_length(e.payload), stream_types[e.stream], stream_ids[e.stream], e.kind,
           e.leaf_hash, e.commitment, e.salt, e.payload
      FROM unnest(stream_of, sequences, kinds, versions, blocks, causes, leaf_hashes, commitments, salts, payloads)
           WITH ORDINALITY AS e (stream, sequence, kind, version, block, cause, leaf_hash, commitment, salt, payload, n);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> new_size - old_size THEN
        RAISE EXCEPTION 'a batch of % events moves the head of ledger % by %', moved, wanted_ledger, new_size - old_size
            USING ERRCODE = 'AL005';
    END IF;

    IF cardinality(keys) > 0 THEN
        INSERT INTO ledger.idempotency (ledger_id, key, request_hash, first_position, last_position)
        SELECT wanted_ledger, k.k, k.h, k.f, k.l FROM unnest(keys, request_hashes, key_first, key_last) AS k (k, h, f, l);
    END IF;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.ensure_segment, ledger.create_ledger, ledger.take_lease, ledger.release_lease, ledger.append
    TO assay_writer;
