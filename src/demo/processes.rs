//! The demo's processes: real ones, each with a log file, and none left behind.
//!
//! A child gets a pipe as standard input and is told to end when it closes (`--stop-with-stdin`), so that even a demo that
//! is killed leaves nothing running.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStdin, Command};

/// How long a child may take to end before it is killed: a validator gives its rounds 10 s and its loops 5 s more.
const GRACE: Duration = Duration::from_secs(20);

/// One running child.
pub struct Process {
    /// Its name in messages and of its log file.
    pub name: String,
    log: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `assay ARGUMENTS`, its output going to `<logs>/<name>.log`.
    pub fn start(name: &str, arguments: &[String], logs: &Path, environment: &[(&str, String)]) -> Result<Self> {
        std::fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        // A build may have put another program in this one's place meanwhile.
        let program = if program.exists() { program } else { PathBuf::from("/proc/self/exe") };
        let mut command = Command::new(program);
        command.args(arguments).arg("--stop-with-stdin").stdin(Stdio::piped());
        command.stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        // Ctrl-C goes to the whole foreground group; the demo decides when its children end.
        command.process_group(0);
        // The demo reads the first ledgers, whatever a validator of this shell's goes on with.
        command.env_remove("ASSAY_LEDGER_NUMBER");
        for (key, value) in environment {
            command.env(key, value);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), log, child, stdin })
    }

    /// Says why the process ended, if it did.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended with {status}; the last lines of {}:\n{}", self.name, self.log.display(), self.tail())
            }
        }
    }

    /// Waits until `ready` says so.
    pub async fn await_ready<F>(&mut self, within: Duration, mut ready: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let begun = Instant::now();
        while begun.elapsed() < within {
            self.check()?;
            if ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let seconds = within.as_secs();
        bail!(
            "{} is not ready after {seconds} s; the last lines of {}:\n{}",
            self.name,
            self.log.display(),
            self.tail()
        )
    }

    fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Asks the process to end and waits; kills it after a grace.
    pub async fn stop(mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            tracing::warn!(name = self.name, "did not end by itself and is killed");
            // Already ended is as good.
            let _ = self.child.kill().await;
        }
    }
}

/// Ends when standard input does: the parent is gone or wants this process to stop.
pub async fn stdin_closed() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // A thread of its own: a blocked read of tokio's standard input would keep the runtime from ending.
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        // Whatever comes and however it ends, the parent has let go.
        let _ = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut rest);
        let _ = sender.send(());
    });
    let _ = receiver.await;
}

/// The wanted port of 127.0.0.1, or a free one when it is taken.
///
/// Others are looked for below 32768, where the system picks no ports for outgoing connections: one of those could take the
/// port before the process that is to listen there has started.
pub fn free_port(wanted: u16) -> Result<u16> {
    let begin = 10_000 + (std::process::id() % 500) as u16 * 40;
    let others = (begin..32_768).chain(10_000..begin);
    let mut ports = std::iter::once(wanted).chain(others);
    let free = |port: &u16| {
        let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        !taken.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok() && taken.insert(*port)
    };
    ports.find(free).context("no free port on 127.0.0.1")
}

/// Ports that this process has given out; who is to listen there may not do so yet.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
