//! Connections, each in the part it plays: the projector writes read models, a query can only read them.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use crate::error::{Error, Result};

/// How long a connection may take to be made or to come free.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The projector waits for no lock for ever; a fold of one batch takes milliseconds.
const PROJECTOR: &str = "SET ROLE assay_projector; SET statement_timeout = '60s'; \
                         SET idle_in_transaction_session_timeout = '60s'";
/// A query may run five seconds; a forgotten transaction ends by itself, so that old read models can be dropped.
const QUERY: &str = "SET ROLE assay_query; SET default_transaction_read_only = on; SET statement_timeout = '5s'; \
                     SET idle_in_transaction_session_timeout = '15s'";

/// The rights of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Projector,
    Query,
}

impl Part {
    fn statement(self) -> &'static str {
        match self {
            Self::Projector => PROJECTOR,
            Self::Query => QUERY,
        }
    }
}

fn options(url: &str, application: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(Error::database("read the database URL"))?;
    Ok(options.application_name(application).disable_statement_logging())
}

/// A pool whose sessions play a part; connections are opened as they are needed.
pub(crate) fn pool(url: &str, application: &str, part: Part, connections: u32) -> Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(part.statement()).await.map(drop) })
        })
        .connect_lazy_with(options(url, application)?);
    Ok(pool)
}

/// One connection of its own with the login's own rights.
pub(crate) async fn plain(url: &str, application: &str) -> Result<PgConnection> {
    let options = options(url, application)?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    connecting
        .map_err(|_| sqlx::Error::PoolTimedOut)
        .and_then(|connected| connected)
        .map_err(Error::database("connect to the database"))
}

/// One connection of its own in the projector's part.
pub(crate) async fn projector(url: &str, application: &str) -> Result<PgConnection> {
    let mut connection = plain(url, application).await?;
    connection.execute(PROJECTOR).await.map_err(Error::database("take a role of the read side"))?;
    Ok(connection)
}

/// Whether this login may fold events into the read models; one that may not reads what others have folded.
///
/// # Errors
/// What the database says.
pub async fn may_fold(url: &str) -> Result<bool> {
    let mut connection = plain(url, "assay").await?;
    let member =
        sqlx::query_scalar("SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'assay_projector'");
    let member: Option<bool> =
        member.fetch_optional(&mut connection).await.map_err(Error::database("look at the login's roles"))?;
    close(connection).await;
    // Who makes the role is its member.
    Ok(member.unwrap_or(true))
}

/// Ends a connection in order.
pub(crate) async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection of the read side ended by itself");
    }
}
