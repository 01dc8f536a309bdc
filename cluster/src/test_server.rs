//! A database of its own for each test, on one server that all test processes share.
//!
//! `ASSAY_TEST_DATABASE_URL` names a server to use instead. Otherwise the first test that asks starts one, without
//! `fsync`, under the temporary directory. Each test process holds a shared lock while it uses it, and a small watchdog
//! process stops and removes the server when nobody has held that lock for [`IDLE_SECONDS`]. So neither a test runner
//! with a process per test nor a killed one leaves a server behind.

use std::fs::File;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sqlx::{Connection, PgConnection};

use crate::error::{Error, Result};
use crate::server::{Cluster, Options, check_name};

/// How long the shared server outlives its last user.
const IDLE_SECONDS: u32 = 20;
/// Dropping a test's database may take this long; a server of our own is removed whole anyway.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);
/// One key for making templates: `assay` in ASCII.
const TEMPLATE_LOCK: i64 = 0x61_73_73_61_79;

/// Stops and removes the server at `$1` once nobody has used it for `$2` seconds. `$3` is `pg_ctl`, the rest the words
/// that run it as the server's account. File descriptor 7 is the
/// lock of the one watchdog, 8 the starters', 9 the users'.
const WATCHDOG: &str = r#"
base=$1; limit=$2; pg_ctl=$3; shift 3
exec 7>>"$base/watchdog.lock" 8>>"$base/start.lock" 9>>"$base/users.lock"
flock -n -x 7 || exit 0
idle=0
while :; do
  while [ "$idle" -lt "$limit" ]; do
    sleep 1
    if flock -n -x 9; then flock -u 9; idle=$((idle + 1)); else idle=0; fi
  done
  flock -x 8
  if flock -n -x 9; then break; fi
  flock -u 8; idle=0
done
"$@" "$pg_ctl" stop -w -t 30 -m immediate -D "$base/server/data" 7>&- 8>&- 9>&-
rm -rf "$base/server"
"#;

/// A fresh database, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    admin_url: String,
    name: String,
    /// The shared lock on the server; `None` for a server named by the environment.
    _user: Option<File>,
}

impl TestDatabase {
    /// The URL to connect to, as a superuser of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Makes a database for one test, cloned from the template `template`.
///
/// The first caller for a template makes it: `prepare` gets the URL of an empty database, applies migrations and closes
/// its connections. The name must change when what `prepare` does changes, for example by a hash of the migrations.
///
/// # Errors
/// What starting a server can say, a bad template name, or what `prepare` said.
pub async fn test_database<Prepare, Prepared, Reason>(template: &str, prepare: Prepare) -> Result<TestDatabase>
where
    Prepare: FnOnce(String) -> Prepared,
    Prepared: Future<Output = std::result::Result<(), Reason>>,
    Reason: std::fmt::Display,
{
    check_name(template)?;
    let server = SharedServer::attach().await?;
    let mut admin = PgConnection::connect(&server.admin_url).await.map_err(Error::database("connect"))?;
    make_template(&mut admin, &server, template, prepare).await?;
    let name = fresh_name();
    let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
    sqlx::query(&statement).execute(&mut admin).await.map_err(Error::database("clone the template"))?;
    admin.close().await.map_err(Error::database("disconnect"))?;
    Ok(TestDatabase {
        url: with_database(&server.admin_url, &name),
        admin_url: server.admin_url,
        name,
        _user: server.user,
    })
}

async fn make_template<Prepare, Prepared, Reason>(
    admin: &mut PgConnection,
    server: &SharedServer,
    template: &str,
    prepare: Prepare,
) -> Result<()>
where
    Prepare: FnOnce(String) -> Prepared,
    Prepared: Future<Output = std::result::Result<(), Reason>>,
    Reason: std::fmt::Display,
{
    let failed = Error::database("make the template database");
    let statement = "SELECT pg_advisory_lock($1)";
    sqlx::query(statement).bind(TEMPLATE_LOCK).execute(&mut *admin).await.map_err(failed)?;
    let made = make_template_locked(admin, server, template, prepare).await;
    let failed = Error::database("make the template database");
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.map_err(failed)?;
    made
}

async fn make_template_locked<Prepare, Prepared, Reason>(
    admin: &mut PgConnection,
    server: &SharedServer,
    template: &str,
    prepare: Prepare,
) -> Result<()>
where
    Prepare: FnOnce(String) -> Prepared,
    Prepared: Future<Output = std::result::Result<(), Reason>>,
    Reason: std::fmt::Display,
{
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(template).fetch_optional(&mut *admin);
    if found.await.map_err(Error::database("list databases"))?.is_some() {
        return Ok(());
    }
    let draft = fresh_name();
    let create = format!("CREATE DATABASE {draft}");
    sqlx::query(&create).execute(&mut *admin).await.map_err(Error::database("create a database"))?;
    let prepared = prepare(with_database(&server.admin_url, &draft)).await;
    if let Err(reason) = prepared {
        let drop = format!("DROP DATABASE {draft} WITH (FORCE)");
        sqlx::query(&drop).execute(&mut *admin).await.map_err(Error::database("drop a database"))?;
        return Err(Error::Template { reason: reason.to_string() });
    }
    // A pool that was dropped rather than closed ends its sessions a moment later; renaming needs them gone.
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(end).bind(&draft).execute(&mut *admin).await.map_err(Error::database("end sessions"))?;
    let rename = format!("ALTER DATABASE {draft} RENAME TO {template}");
    sqlx::query(&rename).execute(&mut *admin).await.map_err(Error::database("name the template"))?;
    Ok(())
}

/// The server that all tests of this account use.
struct SharedServer {
    admin_url: String,
    user: Option<File>,
}

impl SharedServer {
    async fn attach() -> Result<Self> {
        if let Ok(admin_url) = std::env::var("ASSAY_TEST_DATABASE_URL") {
            return Ok(Self { admin_url, user: None });
        }
        let base = base();
        let (start_lock, user) = {
            let base = base.clone();
            tokio::task::spawn_blocking(move || take_locks(&base))
                .await
                .map_err(|error| Error::io("lock", "")(std::io::Error::other(error)))??
        };
        let mut options = Options::persistent(base.join("server"));
        options.fsync = false;
        options.settings = vec![("max_connections".into(), "200".into()), ("autovacuum".into(), "off".into())];
        let cluster = Cluster::start(options).await?;
        watch(&base, &cluster)?;
        let admin_url = cluster.url_of("postgres");
        drop(cluster.leave_running());
        drop(start_lock);
        Ok(Self { admin_url, user: Some(user) })
    }
}

/// The shared server's folder under the temporary directory. Each account has its own: it cannot use another one's server.
fn base() -> PathBuf {
    let account = std::fs::metadata("/proc/self").map_or_else(|_| String::new(), |own| format!("-{}", own.uid()));
    std::env::temp_dir().join(format!("assay-test-server{account}"))
}

/// The starters' lock, alone, and the users' lock, shared. The order is the watchdog's too.
fn take_locks(base: &Path) -> Result<(File, File)> {
    std::fs::create_dir_all(base).map_err(Error::io("create", base))?;
    let open = |name: &str| -> Result<(File, PathBuf)> {
        let path = base.join(name);
        let file = File::options().create(true).append(true).open(&path).map_err(Error::io("open", &path))?;
        Ok((file, path))
    };
    let (start, path) = open("start.lock")?;
    start.lock().map_err(Error::io("lock", path))?;
    let (users, path) = open("users.lock")?;
    users.lock_shared().map_err(Error::io("lock", path))?;
    Ok((start, users))
}

/// Starts the watchdog unless one is alive, which its lock tells.
fn watch(base: &Path, cluster: &Cluster) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let path = base.join("watchdog.lock");
    let alive = File::options().create(true).append(true).open(&path).map_err(Error::io("open", &path))?;
    if alive.try_lock().is_err() {
        return Ok(());
    }
    drop(alive);
    let pg_ctl = cluster.pg_ctl_program();
    Command::new("sh")
        .args(["-c", WATCHDOG, "assay-test-server-watchdog"])
        .arg(base)
        .arg(IDLE_SECONDS.to_string())
        .arg(pg_ctl)
        .args(cluster.account_words())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(drop)
        .map_err(Error::io("run", "sh"))
}

fn fresh_name() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("t{}_{call}_{now:x}", std::process::id())
}

/// The same server's URL with another database: the path between the authority and the query is replaced.
fn with_database(url: &str, database: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &address[..end])
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        // The test's own runtime may be shutting down, so the last statement gets a thread and a runtime of its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let work = async {
                    let mut admin = PgConnection::connect(&admin_url).await?;
                    sqlx::query(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut admin).await?;
                    admin.close().await
                };
                tokio::time::timeout(DROP_TIMEOUT, work)
                    .await
                    .map_err(std::io::Error::other)?
                    .map_err(std::io::Error::other)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            tracing::debug!(name = self.name, "a test database was not dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_in_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?x=1", "postgres://u:p@h:1/new?x=1"),
            ("postgres://u@h", "postgres://u@h/new"),
            ("postgres:///old?host=/run/a&user=u", "postgres:///new?host=/run/a&user=u"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
