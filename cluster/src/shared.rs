//! One private server for several processes: the first starts it, the last stops it.
//!
//! Two lock files lie in the cluster's directory. `start.lock` is held, alone and briefly, by whoever looks at, starts or
//! stops the server. `lock` is held by each user as long as it lives, shared; an owner by [`Cluster::start`] holds it alone.
//! So two commands that find the server down start it once, and nobody stops it under another one.
//!
//! A user that is killed cannot stop the server. Each has a guard: a small process that sees its end, because a pipe closes,
//! and then stops the server if nobody else uses it. Without `flock` on the machine the guard does nothing, and the
//! next user adopts the server. It must never: wait for a lock without a limit.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::directory::make_directory;
use crate::error::{Error, Result};
use crate::server::{Cluster, Options, StopMode, check_name};

/// How often a lock that another process holds is tried.
const LOOK: Duration = Duration::from_millis(50);
/// Starting and stopping each take at most [`Options::timeout`]; a guard gives sessions that are ending 20 s before that.
const WAITS: u32 = 3;

/// Waits for the end of standard input, then stops the server in `$1` with the `pg_ctl` `$2` unless others use it; the rest
/// are the words that run a program as the server's account. File descriptor 8 is the starters' lock, 9 the users'. The
/// processes that a killed one has started may take a while to end, so sessions are first left to end by themselves.
const GUARD: &str = r#"
directory=$1; pg_ctl=$2; shift 2
trap '' HUP INT TERM
while read -r _; do :; done
command -v flock >/dev/null || exit 0
exec 8>>"$directory/start.lock" 9>>"$directory/lock" || exit 0
flock -x -w 120 8 || exit 0
flock -x -w 2 9 || exit 0
stop() { "$@" -D "$directory/data" 8>&- 9>&-; }
stop "$@" "$pg_ctl" stop -w -t 20 -m smart || stop "$@" "$pg_ctl" stop -w -t 60 -m fast
"#;

/// One use of a shared server. Dropping it ends the use, and stops the server when it was the last.
#[derive(Debug)]
pub struct SharedCluster {
    cluster: Cluster,
    guard: Child,
    ended: bool,
}

impl SharedCluster {
    /// Uses the server of a directory, and starts it if it is down. Others that start or stop it are waited for.
    ///
    /// # Errors
    /// As [`Cluster::start`]; [`Error::Busy`] when an owner or a starter is still there after three times
    /// [`Options::timeout`].
    pub async fn attach(options: Options) -> Result<Self> {
        check_name(&options.database)?;
        let database = options.database.clone();
        let (shared, turn) = tokio::task::spawn_blocking(move || Self::attach_blocking(options))
            .await
            .map_err(|error| Error::io("start a server in", "")(std::io::Error::other(error)))??;
        let created = shared.cluster.create_database(&database).await;
        // Before `shared` can be dropped, which takes its turn again.
        drop(turn);
        created?;
        Ok(shared)
    }

    /// The use, and the starters' lock, which is to be held until the database is there.
    fn attach_blocking(options: Options) -> Result<(Self, File)> {
        let binaries = Binaries::find()?;
        let directory = make_directory(&options)?;
        let deadline = Instant::now() + options.timeout * WAITS;
        let turn = take_turn(&directory, deadline)?;
        let path = directory.join("lock");
        let lock = open(&path)?;
        wait_for(&directory, &path, deadline, || lock.try_lock_shared())?;
        let account = Account::choose(&directory.join("owner"))?;
        // Before the server is there: nobody can be killed between its start and the guard's.
        let guard = start_guard(&directory, &binaries, &account)?;
        // When this fails, the guard sees its pipe closed and stops what may have started.
        let cluster = Cluster::start_locked(options, binaries, directory, account, lock)?;
        Ok((Self { cluster: cluster.leave_running(), guard, ended: false }, turn))
    }

    /// The URL of the cluster's own database, over the unix socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url()
    }

    /// The cluster's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.cluster.directory()
    }

    /// The process id of the server, when it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.cluster.process()
    }

    /// Ends this use, stops the server and removes its directory.
    ///
    /// # Errors
    /// [`Error::InUse`] when others use the server: nothing is removed. Else what stopping and removing said.
    pub fn remove(mut self) -> Result<()> {
        let directory = self.directory().to_owned();
        let removed = self.end(|| std::fs::remove_dir_all(&directory).map_err(Error::io("remove", &directory)))?;
        if removed { Ok(()) } else { Err(Error::InUse { directory }) }
    }

    /// Lets go, stops the server and does `then` if nobody else uses it; says whether that was so.
    fn end(&mut self, then: impl FnOnce() -> Result<()>) -> Result<bool> {
        self.ended = true;
        let directory = self.directory().to_owned();
        let path = directory.join("lock");
        self.cluster.lock.unlock().map_err(Error::io("unlock", &path))?;
        let _turn = take_turn(&directory, Instant::now() + self.cluster.timeout() * WAITS)?;
        let last = match self.cluster.lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(source)) => return Err(Error::Io { action: "lock", path, source }),
        };
        if last {
            if self.process().is_some() {
                self.cluster.stop_server(StopMode::Fast)?;
            }
            then()?;
        }
        // Only now: had anything above failed, the guard would try again.
        let ended = self.guard.kill().and_then(|()| self.guard.wait());
        ended.map_err(Error::io("end the guard of", directory))?;
        Ok(last)
    }
}

impl Drop for SharedCluster {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Err(error) = self.end(|| Ok(())) {
            tracing::warn!(%error, "the private PostgreSQL server did not stop");
        }
    }
}

/// Waits for `start.lock`. Whoever held it before may have removed the directory with it: then the new one's is taken.
fn take_turn(directory: &Path, deadline: Instant) -> Result<File> {
    let path = directory.join("start.lock");
    loop {
        let file = open(&path)?;
        wait_for(directory, &path, deadline, || file.try_lock())?;
        let held = file.metadata().map_err(Error::io("read", &path))?.ino();
        if std::fs::metadata(&path).is_ok_and(|named| named.ino() == held) {
            return Ok(file);
        }
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    }
}

fn wait_for(
    directory: &Path,
    path: &Path,
    deadline: Instant,
    take: impl Fn() -> std::result::Result<(), TryLockError>,
) -> Result<()> {
    loop {
        match take() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => {
                return Err(Error::Io { action: "lock", path: path.to_owned(), source });
            }
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(Error::Busy { directory: directory.to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    }
}

fn open(path: &PathBuf) -> Result<File> {
    File::options().create(true).append(true).open(path).map_err(Error::io("open", path))
}

/// Starts the guard of this process, out of reach of the terminal's signals.
fn start_guard(directory: &Path, binaries: &Binaries, account: &Account) -> Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD, "assay-server-guard"])
        .arg(directory)
        .arg(binaries.program("pg_ctl"))
        .args(account.words())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(Error::io("run", "sh"))
}
