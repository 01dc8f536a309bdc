-- Whoever reads the ledger may see which migrations the database has: a program that finds nothing missing needs no
-- owner's login to start.
GRANT USAGE ON SCHEMA assay TO assay_reader;
GRANT SELECT ON assay.migrations TO assay_reader;
