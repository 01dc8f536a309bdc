//! A private PostgreSQL cluster started from the machine's own binaries.
//!
//! For a machine without a `DATABASE_URL`: finds `initdb` and `pg_ctl`, makes a data directory, starts a server that
//! only its own account can reach over a unix socket, and stops it again. Run as root it drops to another account,
//! because PostgreSQL refuses root. Several processes can use one server ([`SharedCluster`]). [`test_database`] gives each test a database of its own on one shared server.
//!
//! It must never: download anything, touch a server it did not start itself, switch `fsync` off for anything but tests,
//! or leave a server behind when a [`Cluster`] or the last [`SharedCluster`] is dropped.

mod account;
mod binaries;
mod control;
mod directory;
mod error;
mod server;
mod shared;
mod test_server;

pub use binaries::Binaries;
pub use directory::default_directory;
pub use error::{Error, Result};
pub use server::{Cluster, Location, Options, StopMode};
pub use shared::SharedCluster;
pub use test_server::{TestDatabase, test_database};
