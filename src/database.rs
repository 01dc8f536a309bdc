//! Which database a command uses: the given URL, else that of the demo, whose private server is started if it is down.

use crate::demo::state::DemoState;
use crate::home::Home;
use anyhow::{Context, Result, bail};
use cluster::{Cluster, Options};

/// A database to work with. A private server that was started for it stops when this is dropped.
pub struct Database {
    /// Its URL. May hold a password: never print it.
    pub url: String,
    _server: Option<Cluster>,
}

impl Database {
    /// Finds the database.
    pub async fn open(given: Option<&str>) -> Result<Self> {
        if let Some(url) = given {
            return Ok(Self { url: url.to_owned(), _server: None });
        }
        let demo = Home::find()?.demo();
        let Some(state) = DemoState::load(&demo)? else {
            bail!(
                "no database: set DATABASE_URL (or --database), or run `assay demo` first, whose database is then used"
            );
        };
        if reachable(&state.database).await {
            return Ok(Self { url: state.database, _server: None });
        }
        let Some(folder) = state.cluster else {
            bail!("the demo's database does not answer; set DATABASE_URL (or --database)");
        };
        tracing::info!(folder = %folder.display(), "starting the demo's private PostgreSQL for this command");
        let server = Cluster::start(Options::persistent(folder)).await.context("the demo's database does not start")?;
        Ok(Self { url: server.url(), _server: Some(server) })
    }
}

impl Database {
    /// Whether it is the demo's.
    pub fn is_of(&self, demo: &DemoState) -> bool {
        self.url == demo.database
    }
}

async fn reachable(url: &str) -> bool {
    use sqlx::Connection;
    let connect = sqlx::PgConnection::connect(url);
    match tokio::time::timeout(std::time::Duration::from_secs(3), connect).await {
        Ok(Ok(connection)) => connection.close().await.is_ok(),
        _ => false,
    }
}
