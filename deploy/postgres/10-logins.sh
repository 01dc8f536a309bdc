#!/bin/bash
# Makes the logins of Assay's services in a new database, each a member of the roles that it needs and of no others. The roles have
# no login; migrations give them their rights. Passwords are files that `assay provision` made.
set -euo pipefail

# psql reads the passwords itself: arguments stand in the list of processes. Statements that fail are not logged with them.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set database="$POSTGRES_DB" <<'SQL'
\set migrate `cat /run/assay/migrate`
\set validator `cat /run/assay/validator`
\set api `cat /run/assay/api`
\set auditor `cat /run/assay/auditor`
SET log_min_error_statement = panic;
CREATE ROLE assay_owner NOLOGIN;
CREATE ROLE assay_writer NOLOGIN;
CREATE ROLE assay_reader NOLOGIN;
CREATE ROLE assay_eraser NOLOGIN;
CREATE ROLE assay_projector NOLOGIN;
CREATE ROLE assay_query NOLOGIN;

-- Owns the database and the schema; used by `assay migrate` alone.
CREATE ROLE migrate LOGIN PASSWORD :'migrate' CONNECTION LIMIT 4
    IN ROLE assay_owner, assay_writer, assay_reader, assay_eraser, assay_projector, assay_query;
-- Appends to the log; may change or remove nothing in it.
CREATE ROLE validator LOGIN PASSWORD :'validator' CONNECTION LIMIT 48 IN ROLE assay_writer, assay_reader;
-- Folds the log into the read models, and answers from them.
CREATE ROLE api LOGIN PASSWORD :'api' CONNECTION LIMIT 48 IN ROLE assay_reader, assay_projector, assay_query;
-- Reads, and nothing else.
CREATE ROLE auditor LOGIN PASSWORD :'auditor' CONNECTION LIMIT 24 IN ROLE assay_reader, assay_query;

ALTER DATABASE :"database" OWNER TO migrate;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO migrate, validator, api, auditor;
SQL
