//! Running `initdb` and `pg_ctl`, and what a `postmaster.pid` says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The last bytes of a log or of a program's output that go into an error.
const OUTPUT_SHOWN: usize = 4096;

/// How long a server's process may outlive its pid file before nobody waits for it any more.
const LONGEST_END: Duration = Duration::from_secs(5);

/// Runs a command to its end; its output goes into the error, with the end of `log` when there is one.
pub(crate) fn run(name: &str, command: &mut Command, log: Option<&Path>) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command.stdin(Stdio::null()).output().map_err(Error::io("run", program))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if let Some(log) = log.and_then(|log| std::fs::read(log).ok()) {
        text.push_str(&String::from_utf8_lossy(&log[log.len().saturating_sub(OUTPUT_SHOWN)..]));
    }
    let start = text.char_indices().map(|(at, _)| at).find(|at| text.len() - at <= OUTPUT_SHOWN).unwrap_or(0);
    Err(Error::Command {
        command: name.to_owned(),
        status: output.status.to_string(),
        output: text[start..].trim().to_owned(),
    })
}

/// What a running server wrote into `postmaster.pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) process: u32,
    pub(crate) port: u16,
    pub(crate) socket_directory: PathBuf,
    pub(crate) tcp: bool,
}

/// Reads `postmaster.pid`: process, data directory, start time, port, socket directory, address, shared memory, state.
pub(crate) fn read_pid_file(data: &Path) -> Option<Running> {
    parse_pid_file(&std::fs::read_to_string(data.join("postmaster.pid")).ok()?)
}

fn parse_pid_file(text: &str) -> Option<Running> {
    let mut lines = text.lines();
    let process = lines.next()?.trim().parse().ok()?;
    let port = lines.nth(2)?.trim().parse().ok()?;
    let socket_directory = PathBuf::from(lines.next()?.trim());
    let tcp = !lines.next()?.trim().is_empty();
    Some(Running { process, port, socket_directory, tcp })
}

/// Removes a `postmaster.pid` whose process is gone or is no PostgreSQL: after a kill or a reboot its number may belong
/// to another program of the same account, and the server would then refuse to start.
pub(crate) fn remove_stale_pid_file(data: &Path) -> Result<()> {
    let path = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
    let process: Option<u32> = text.lines().next().and_then(|line| line.trim().parse().ok());
    if process.is_some_and(|process| is_postgres(process, data)) {
        return Ok(());
    }
    tracing::info!(path = %path.display(), "removing the pid file of a server that is gone");
    std::fs::remove_file(&path).map_err(Error::io("remove", &path))
}

/// Waits a moment for a server that was stopped: its pid file goes before its process does.
pub(crate) fn wait_for_end(process: u32, data: &Path) {
    let until = Instant::now() + LONGEST_END;
    while Path::new("/proc/self/cmdline").exists() && is_postgres(process, data) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is a PostgreSQL server of this data directory; where `/proc` is missing, PostgreSQL's own check
/// has the last word.
fn is_postgres(process: u32, data: &Path) -> bool {
    if !Path::new("/proc/self/cmdline").exists() {
        return true;
    }
    let Ok(line) = std::fs::read(format!("/proc/{process}/cmdline")) else { return false };
    let mut words = line.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    let is_server = words.next().is_some_and(|program| program.ends_with("postgres"));
    is_server && words.any(|word| Path::new(word.as_ref()) == data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pid_file_says_where_the_server_listens() {
        let text = "42\n/d/data\n1700000000\n5433\n/d/run\n127.0.0.1\n  123 456\nready   \n";
        let expected = Running { process: 42, port: 5433, socket_directory: "/d/run".into(), tcp: true };
        assert_eq!(parse_pid_file(text), Some(expected));
        assert_eq!(parse_pid_file("42\n/d/data\n"), None);
        assert!(!parse_pid_file("42\n/d\n1\n5432\n/d/run\n\n").unwrap().tcp);
    }

    #[test]
    fn a_pid_file_of_another_program_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("postmaster.pid");
        std::fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        remove_stale_pid_file(data.path()).unwrap();
        assert!(!file.exists());
    }
}
