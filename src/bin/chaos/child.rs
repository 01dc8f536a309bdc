//! Child processes that can be killed, each with a log file, and none left behind.
//!
//! A child ends when its standard input closes (`--stop-with-stdin`), so that a harness that is itself killed leaves
//! nothing running.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a child that was asked to end may take.
const GRACE: Duration = Duration::from_secs(30);
/// Signal 9.
const SIGKILL: i32 = 9;

/// One `assay` process.
pub(crate) struct Child {
    name: String,
    log: PathBuf,
    process: tokio::process::Child,
    stdin: Option<tokio::process::ChildStdin>,
}

impl Child {
    /// Starts `PROGRAM ARGUMENTS` with its output in `log`.
    pub(crate) fn start(
        program: &Path,
        name: &str,
        arguments: &[String],
        environment: &[(&str, String)],
        log: PathBuf,
    ) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).arg("--stop-with-stdin").stdin(Stdio::piped());
        command.stdout(output.try_clone()?).stderr(output).kill_on_drop(true).process_group(0);
        command.env_remove(validator::faults::VARIABLE).env_remove("DATABASE_URL").env_remove("RUST_LOG");
        command.envs(environment.iter().map(|(key, value)| (*key, value)));
        let started = command.spawn();
        let mut process = started.with_context(|| format!("cannot start {}", program.display()))?;
        let stdin = process.stdin.take();
        Ok(Self { name: name.to_owned(), log, process, stdin })
    }

    /// What it printed.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Where it prints.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// An error that tells how it ended and what it said last.
    pub(crate) fn ended(&self, status: ExitStatus) -> anyhow::Error {
        anyhow::anyhow!("{} ended with {status}; the last lines of {}:\n{}", self.name, self.log.display(), self.tail())
    }

    /// Fails when it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.ended(status)),
        }
    }

    /// Waits until `ready`, which it must live to see.
    pub(crate) async fn await_ready<F>(
        &mut self,
        what: &str,
        within: Duration,
        mut ready: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let begun = Instant::now();
        while begun.elapsed() < within {
            self.check()?;
            if ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let seconds = within.as_secs();
        bail!(
            "{}: {what} not within {seconds} s; the last lines of {}:\n{}",
            self.name,
            self.log.display(),
            self.tail()
        )
    }

    /// How it ends, none when it lives longer than that.
    pub(crate) async fn exit(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        match tokio::time::timeout(within, self.process.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    /// Sends SIGKILL and makes sure that this is what ended it.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.check()?;
        self.process.start_kill()?;
        let status = self.process.wait().await?;
        if was_killed(status) { Ok(()) } else { Err(self.ended(status)) }
    }

    /// Asks it to end and waits: it must do so by itself and in order.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.check()?;
        drop(self.stdin.take());
        match self.exit(GRACE).await? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.ended(status)),
            None => bail!("{} was asked to end and did not within {} s", self.name, GRACE.as_secs()),
        }
    }
}

/// Whether a process was ended by SIGKILL.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}
