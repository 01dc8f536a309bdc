-- The read side's own roles and the book of its generations. A generation is a whole set of read models in a schema of its
-- own, assay_read_<n>; which one is live is one row here, so that a rebuilt set is switched to in one transaction.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['assay_projector', 'assay_query'] LOOP
        -- Looked for first: who may not make roles may still migrate where somebody has made them.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = part) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', part);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF NOT pg_has_role(session_user, part, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', part, session_user);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS assay_read AUTHORIZATION assay_projector;

SET LOCAL ROLE assay_projector;

CREATE TABLE IF NOT EXISTS assay_read.generations (
    generation bigint PRIMARY KEY CHECK (generation > 0),
    format     text   NOT NULL,
    state      text   NOT NULL CHECK (state IN ('building', 'live')),
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN assay_read.generations.format IS 'fingerprint of the tables and the folds that filled them';
CREATE UNIQUE INDEX IF NOT EXISTS one_live_generation ON assay_read.generations (state) WHERE state = 'live';

-- Numbers are never used twice, so that a reader of a dropped generation cannot take a new one for it.
CREATE SEQUENCE IF NOT EXISTS assay_read.generation_numbers AS bigint;

GRANT USAGE ON SCHEMA assay_read TO assay_query;
GRANT SELECT ON assay_read.generations TO assay_query;
