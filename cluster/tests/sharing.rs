//! Several processes on one private server: started once, stopped by the last, also when that one is killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cluster::{Cluster, Error, Options, SharedCluster};
use sqlx::{Connection, PgConnection};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the directory for [`a_user_in_its_own_process`].
const DIRECTORY: &str = "ASSAY_TEST_SHARED_DIRECTORY";
/// A guard leaves sessions 20 s to end by themselves, and there are none here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that the server's account can enter.
fn home() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap()
}

async fn answers(url: &str) -> bool {
    let Ok(connection) = PgConnection::connect(url).await else { return false };
    connection.close().await.is_ok()
}

/// A process that has ended and that nobody has waited for yet has an empty command line.
fn alive(process: u32) -> bool {
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn ends(process: u32) -> bool {
    let begun = Instant::now();
    while alive(process) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    !alive(process)
}

/// Guards of this directory's users.
fn guards(directory: &Path) -> usize {
    let directory = directory.to_string_lossy().into_owned();
    let lines = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(std::fs::read(entry.ok()?.path().join("cmdline")).ok().unwrap_or_default()));
    let words = lines.map(|line| line.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect::<Vec<_>>());
    words.filter(|words| words.iter().any(|word| word == directory.as_bytes())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_come_at_once_start_one_server_and_the_last_stops_it() {
    let home = home();
    let options = Options::persistent(home.path().join("pg"));
    let attach = || SharedCluster::attach(options.clone());
    let (first, second, third) = tokio::try_join!(attach(), attach(), attach()).unwrap();
    let process = first.process().unwrap();
    assert_eq!([second.process(), third.process()], [Some(process); 2]);
    let busy = Cluster::start(options.clone()).await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "an owner among users: {busy}");

    drop((first, third));
    assert!(answers(&second.url()).await, "stopped under a user");
    drop(second);
    assert!(!alive(process), "the last one leaves the server running");
    assert_eq!(guards(&home.path().join("pg").canonicalize().unwrap()), 0, "a guard is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_waits_for_an_owner_and_not_for_ever() {
    let home = home();
    let mut options = Options::persistent(home.path().join("pg"));
    let owner = Cluster::start(options.clone()).await.unwrap();
    let process = owner.process().unwrap();
    options.timeout = Duration::from_millis(100);
    let busy = SharedCluster::attach(options.clone()).await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    assert!(alive(process), "the user that gave up has stopped the owner's server");

    options.timeout = Duration::from_secs(20);
    let waiting = tokio::spawn(SharedCluster::attach(options));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    tokio::task::spawn_blocking(move || drop(owner)).await.unwrap();
    let user = waiting.await.unwrap().unwrap();
    assert_ne!(user.process(), Some(process));
    assert!(answers(&user.url()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_removed_only_by_its_last_user() {
    let home = home();
    let options = Options::persistent(home.path().join("pg"));
    let first = SharedCluster::attach(options.clone()).await.unwrap();
    let second = SharedCluster::attach(options.clone()).await.unwrap();
    let process = second.process().unwrap();
    let refused = first.remove().unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    assert!(answers(&second.url()).await);
    second.remove().unwrap();
    assert!(!home.path().join("pg").exists());
    assert!(!alive(process));
}

/// Not a test: what the next one starts as another process, kills, and starts again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "only as another test's process"]
async fn a_user_in_its_own_process() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let user = SharedCluster::attach(Options::persistent(directory)).await.unwrap();
    println!("\nserver {}", user.process().unwrap());
    tokio::time::sleep(Duration::from_secs(120)).await;
}

/// Another process that uses the server, and the server's process.
fn user(directory: &Path) -> (Child, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_user_in_its_own_process", "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = lines.filter_map(|line| line.strip_prefix("server ")?.parse().ok());
    let process = said.next().expect("the user came up");
    (child, process)
}

#[test]
fn a_killed_user_leaves_no_server_unless_others_use_it() {
    let home = home();
    let directory = home.path().join("pg");
    let (mut first, process) = user(&directory);
    let (mut second, same) = user(&directory);
    assert_eq!(process, same);
    first.kill().unwrap();
    first.wait().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(alive(process), "the guard of a killed user stopped the server under another one");
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(ends(process), "the server outlives its last user");
    // The next one waits for the guard and starts it again.
    let (mut third, again) = user(&directory);
    assert_ne!(again, process);
    third.kill().unwrap();
    third.wait().unwrap();
    assert!(ends(again));
}
