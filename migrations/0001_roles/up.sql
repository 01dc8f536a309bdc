-- The four parts that a connection can play. None can log in: a login is made a member of what it needs.
-- Roles belong to the server, not to the database, so another database may have made them already.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['assay_owner', 'assay_writer', 'assay_reader', 'assay_eraser'] LOOP
        -- Looked for first: who may not make roles may still migrate where somebody has made them.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = part) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', part);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- A superuser may play every part; anybody else who migrates is made a member.
        IF NOT pg_has_role(session_user, part, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', part, session_user);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO assay_owner', current_database());
END
$$;
