//! Which database a command uses: the given URL, else that of the demo, whose private server is started if it is down and
//! shared with other commands.

use crate::demo::state::DemoState;
use crate::home::Home;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, bail};
use cluster::{Options, SharedCluster};

/// How long a given database may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A database to work with. The demo's private server runs at least until this is dropped, and then no longer than others
/// need it.
pub struct Database {
    /// Its URL. May hold a password: never print it.
    pub url: String,
    _server: Option<SharedCluster>,
}

impl Database {
    /// Finds the database, which must have Assay's tables.
    pub async fn open(given: Option<&str>) -> Result<Self> {
        let found = Self::open_bare(given).await?;
        if given.is_some() && !has_tables(&found.url).await? {
            bail!("the database has no tables of Assay yet; run `assay migrate` as its owner");
        }
        Ok(found)
    }

    /// Finds the database, which may be empty.
    pub async fn open_bare(given: Option<&str>) -> Result<Self> {
        if let Some(url) = given {
            connect(url).await?;
            return Ok(Self { url: url.to_owned(), _server: None });
        }
        let demo = Home::find()?.demo();
        let Some(state) = DemoState::load(&demo)? else {
            bail!(
                "no database: set DATABASE_URL (or --database), or run `assay demo` first, whose database is then used"
            );
        };
        let Some(folder) = state.cluster else {
            if reachable(&state.database).await {
                return Ok(Self { url: state.database, _server: None });
            }
            bail!("the demo's database does not answer; set DATABASE_URL (or --database)");
        };
        // A folder that cannot be looked into is not gone; starting says what is the matter.
        if folder.join("data").try_exists().is_ok_and(|exists| !exists) {
            bail!("the demo's database in {} is gone; run `assay demo` again, or set DATABASE_URL", folder.display());
        }
        tracing::info!(folder = %folder.display(), "using the demo's private PostgreSQL");
        let server = SharedCluster::attach(Options::persistent(folder)).await;
        let server = server.context("the demo's database does not start")?;
        Ok(Self { url: server.url(), _server: Some(server) })
    }
}

impl Database {
    /// Whether it is the demo's.
    pub fn is_of(&self, demo: &DemoState) -> bool {
        self.url == demo.database
    }
}

/// Sees that a public network's ledger goes to a database that somebody named: the demo's is private, and `assay demo --discard` removes
/// it with all that it holds.
///
/// # Errors
/// A public network, and no database named.
pub fn is_named_for(network: NetworkName, given: Option<&str>) -> Result<()> {
    if network != NetworkName::Local && given.is_none() {
        bail!(
            "no database is named, and the demo's private one is for local networks: on {network} name one with DATABASE_URL (or \
             --database), whose schema `assay migrate` makes"
        );
    }
    Ok(())
}

async fn has_tables(url: &str) -> Result<bool> {
    let mut connection = connect(url).await?;
    let found = sqlx::query_scalar("SELECT to_regnamespace('ledger') IS NOT NULL").fetch_one(&mut connection).await;
    Ok(found?)
}

/// Connects, or says why not in words that name the setting and the server, never the password.
pub async fn connect(url: &str) -> Result<sqlx::PgConnection> {
    use sqlx::ConnectOptions;
    let options: sqlx::postgres::PgConnectOptions = url.parse().context(
        "DATABASE_URL (or --database) is no PostgreSQL URL, such as postgres://user:password@host:5432/name",
    )?;
    let (host, port) = (options.get_host(), options.get_port());
    let server = options.get_socket().map_or_else(|| format!("{host}:{port}"), |socket| socket.display().to_string());
    let reached = tokio::time::timeout(PATIENCE, options.connect()).await;
    let refused = || format!("the database server {server} of DATABASE_URL (or --database) cannot be used");
    reached.map_err(anyhow::Error::from).and_then(|reached| Ok(reached?)).with_context(refused)
}

async fn reachable(url: &str) -> bool {
    use sqlx::Connection;
    let connect = sqlx::PgConnection::connect(url);
    match tokio::time::timeout(std::time::Duration::from_secs(3), connect).await {
        Ok(Ok(connection)) => connection.close().await.is_ok(),
        _ => false,
    }
}
