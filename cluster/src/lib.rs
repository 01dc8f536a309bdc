//! A private PostgreSQL cluster started from the machine's own binaries
