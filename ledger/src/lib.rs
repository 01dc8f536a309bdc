//! The event store on Postgres: append, lease, read, subscribe, verify
