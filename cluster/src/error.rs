//! What can go wrong with a private cluster, each with what to do next.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a private cluster could not be found, made, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No PostgreSQL server binaries on this machine.
    #[error(
        "no PostgreSQL server binaries found (looked in PG_BIN, PATH and /usr/lib/postgresql/*/bin); \
         install them with `apt-get install --no-install-recommends postgresql`, or set DATABASE_URL"
    )]
    NoBinaries,
    /// Running as root, and no account to drop to.
    #[error("PostgreSQL refuses to run as root and /etc/passwd has neither `postgres` nor `nobody` to run it as")]
    NoAccount,
    /// The account the server runs as cannot reach its directory.
    #[error("the account `{account}` that runs PostgreSQL cannot enter {directory:?}; choose another data directory")]
    Unreachable {
        /// The account's name.
        account: String,
        /// The first directory on the way that it cannot enter.
        directory: PathBuf,
    },
    /// Another process is starting or stopping the same cluster.
    #[error("another process is using the cluster directory {directory:?}; stop it first or choose another directory")]
    Busy {
        /// The cluster's directory.
        directory: PathBuf,
    },
    /// The server cannot be removed because others use it.
    #[error("other processes still use the PostgreSQL server in {directory:?}; nothing was removed")]
    InUse {
        /// The cluster's directory.
        directory: PathBuf,
    },
    /// A name that cannot be a database's.
    #[error("`{name}` is not a database name: use 1 to 63 of a-z, 0-9 and _, starting with a letter")]
    BadName {
        /// The name that was refused.
        name: String,
    },
    /// `initdb` or `pg_ctl` failed.
    #[error("{command} failed with {status}: {output}")]
    Command {
        /// The program and its verb.
        command: String,
        /// Its exit status.
        status: String,
        /// The end of what it printed and of the server's log.
        output: String,
    },
    /// A file or process operation failed.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The server refused a connection or a statement.
    #[error("cannot {action} on the private PostgreSQL server")]
    Database {
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The caller's preparation of a test template failed.
    #[error("cannot prepare the test template database: {reason}")]
    Template {
        /// What the preparation said.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn database(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { action, source }
    }
}
