//! Connections, each in the part it plays: a writer's or a reader's session has that part's rights only.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgConnection};

use crate::error::{Error, Result};

/// How long a connection may take to be made or to come free.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The rights of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Writer,
    Reader,
    Eraser,
}

impl Part {
    /// `SET ROLE` rather than a login of its own: one URL serves all parts, and no statement has more than it needs.
    fn statement(self) -> &'static str {
        match self {
            Self::Writer => "SET ROLE assay_writer",
            Self::Reader => "SET ROLE assay_reader; SET default_transaction_read_only = on",
            Self::Eraser => "SET ROLE assay_eraser",
        }
    }
}

fn options(url: &str, application: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(Error::database("read the database URL"))?;
    Ok(options.application_name(application).disable_statement_logging())
}

/// One connection, in no part yet.
pub(crate) async fn connect(url: &str, application: &str) -> Result<PgConnection> {
    let options = options(url, application)?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    connecting
        .map_err(|_| sqlx::Error::PoolTimedOut)
        .and_then(|connected| connected)
        .map_err(Error::database("connect to the database"))
}

/// One connection in a part.
pub(crate) async fn connect_as(url: &str, application: &str, part: Part) -> Result<PgConnection> {
    let mut connection = connect(url, application).await?;
    play(&mut connection, part).await?;
    Ok(connection)
}

/// Gives up every right but the part's.
pub(crate) async fn play(connection: &mut PgConnection, part: Part) -> Result<()> {
    connection.execute(part.statement()).await.map(drop).map_err(Error::database("take a role of the ledger"))
}

/// So many readers' connections at most, opened as they are needed.
pub(crate) fn reader_pool(url: &str, connections: u32) -> Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(Part::Reader.statement()).await.map(drop) })
        })
        .connect_lazy_with(options(url, "assay reader")?);
    Ok(pool)
}
