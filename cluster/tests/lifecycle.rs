//! A real server through its life: made, asked, stopped both ways, started again, adopted after a kill.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cluster::{Cluster, Error, Options, StopMode, test_database};
use sqlx::{Connection, PgConnection, Row};

async fn ask(url: &str, statement: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let row = sqlx::query(statement).fetch_one(&mut connection).await.unwrap();
    row.get(0)
}

/// A process that has ended and that nobody has waited for yet has an empty command line.
fn alive(process: u32) -> bool {
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn data_survives_a_stop_and_a_crash() {
    let directory =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let mut options = Options::persistent(directory.path().join("pg"));
    options.tcp_port = Some(0);
    let mut cluster = Cluster::start(options.clone()).await.unwrap();
    assert_eq!(ask(&cluster.url(), "SHOW fsync").await, "on");
    assert_eq!(ask(&cluster.tcp_url().unwrap(), "SHOW synchronous_commit").await, "on");
    let mut connection = PgConnection::connect(&cluster.url()).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 'yes'::text AS answer").execute(&mut connection).await.unwrap();
    cluster.stop(StopMode::Immediate).unwrap();
    cluster.restart().unwrap();
    assert_eq!(ask(&cluster.url(), "SELECT answer FROM kept").await, "yes");

    let busy = Cluster::start(options.clone()).await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");

    let process = cluster.process().unwrap();
    drop(cluster.leave_running());
    let adopted = Cluster::start(options.clone()).await.unwrap();
    assert_eq!(adopted.process(), Some(process));
    assert_eq!(ask(&adopted.url(), "SELECT answer FROM kept").await, "yes");
    drop(adopted);
    assert!(!alive(process), "dropping stops the server");

    // A pid file whose number now belongs to another program must not keep the server from starting.
    std::fs::write(directory.path().join("pg/data/postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    let again = Cluster::start(options).await.unwrap();
    assert_eq!(ask(&again.url(), "SELECT answer FROM kept").await, "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_cluster_leaves_nothing() {
    let cluster = Cluster::start(Options::temporary()).await.unwrap();
    let (directory, process) = (cluster.directory().to_owned(), cluster.process().unwrap());
    drop(cluster);
    assert!(!directory.exists());
    assert!(!alive(process));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_test_database_is_its_own_and_starts_as_the_template() {
    let prepare = |url: String| async move {
        let mut connection = PgConnection::connect(&url).await?;
        sqlx::query("CREATE TABLE t AS SELECT 'template'::text AS word").execute(&mut connection).await?;
        connection.close().await
    };
    let template = format!("template_{}", std::process::id());
    let first = test_database(&template, prepare).await.unwrap();
    let second = test_database(&template, prepare).await.unwrap();
    let mut connection = PgConnection::connect(first.url()).await.unwrap();
    sqlx::query("UPDATE t SET word = 'changed'").execute(&mut connection).await.unwrap();
    assert_eq!(ask(second.url(), "SELECT word FROM t").await, "template");
    let failing = test_database("template_that_fails", |_| async { Err::<(), _>("no such thing") }).await.unwrap_err();
    assert!(failing.to_string().contains("no such thing"), "{failing}");
    assert!(matches!(test_database("Bad Name", prepare).await.unwrap_err(), Error::BadName { .. }));
}

#[tokio::test]
async fn a_name_that_is_no_plain_word_is_refused() {
    let mut options = Options::temporary();
    options.database = "x; DROP DATABASE y".to_owned();
    assert!(matches!(Cluster::start(options).await.unwrap_err(), Error::BadName { .. }));
}
