//! The server that both stores write to: private, durable, on a real disk.

use std::path::{Path, PathBuf};

use cluster::{Cluster, Options};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection};

/// postgres-es' table, as its own `init.sql` has it.
pub(crate) const PEER_TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Starts a server that is removed at the end. Memory and WAL are set so that checkpoints do not fall into the runs.
pub(crate) async fn start(directory: Option<PathBuf>) -> Cluster {
    let parent = directory.unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&parent).unwrap();
    let (kind, mount) = file_system(&parent.canonicalize().unwrap());
    assert!(
        !["tmpfs", "ramfs"].contains(&kind.as_str()),
        "{parent:?} is on {kind} at {mount}: name a --directory on a disk"
    );
    println!("# data in {} on {kind} at {mount}", parent.display());
    let mut options = Options::temporary();
    options.parent = Some(parent);
    for (name, value) in [
        ("shared_buffers", "1GB"),
        ("wal_buffers", "64MB"),
        ("max_wal_size", "16GB"),
        ("checkpoint_timeout", "30min"),
        ("max_connections", "200"),
    ] {
        options.settings.push((name.into(), value.into()));
    }
    Cluster::start(options).await.unwrap()
}

/// The kind of file system that holds a path, and where it is mounted.
fn file_system(path: &Path) -> (String, String) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let found = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (mount, kind) = (words.next()?, words.next()?);
        path.starts_with(mount).then(|| (kind.to_owned(), mount.to_owned()))
    });
    found.max_by_key(|(_, mount)| mount.len()).unwrap()
}

/// Version and settings that matter for durability and memory.
pub(crate) async fn print_server(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let version: String = sqlx::query_scalar("SELECT version()").fetch_one(&mut connection).await.unwrap();
    println!("# {version}");
    let names = "'fsync','synchronous_commit','full_page_writes','shared_buffers','wal_buffers','max_wal_size','wal_sync_method'";
    let settings: Vec<String> = sqlx::query_scalar(&format!(
        "SELECT name || '=' || current_setting(name) FROM pg_settings WHERE name IN ({names}) ORDER BY name"
    ))
    .fetch_all(&mut connection)
    .await
    .unwrap();
    println!("# {}", settings.join(" "));
    assert!(settings.contains(&"fsync=on".to_owned()) && settings.contains(&"synchronous_commit=on".to_owned()));
}

/// Ends the last run's debts before the next: its dirty pages and the vacuum of its rows.
pub(crate) async fn settle(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CHECKPOINT").await.unwrap();
    connection.close().await.unwrap();
}

/// So many connections, all open.
pub(crate) async fn pool(url: &str, connections: usize) -> PgPool {
    let connections = connections as u32;
    PgPoolOptions::new().min_connections(connections).max_connections(connections).connect(url).await.unwrap()
}
