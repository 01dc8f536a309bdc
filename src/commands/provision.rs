//! `assay provision`: makes once what the services of a deployment need from each other, so that nothing secret is shipped,
//! typed, or the same on two machines. What is there is never changed.

use crate::cli::ProvisionArgs;
use crate::demo::genesis;
use crate::output;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Logins of the database. The first one is the server's; the others have the rights of deploy/postgres/10-logins.sh.
const LOGINS: [&str; 5] = ["superuser", "migrate", "validator", "api", "auditor"];
/// Bytes of a password and of the token.
const SECRET_BYTES: usize = 24;

/// Makes what is missing.
pub fn run(args: &ProvisionArgs) -> Result<ExitCode> {
    let host = &args.database_host;
    for (name, value) in [("--database-host", host), ("--database-name", &args.database_name)] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        ensure!(
            !value.is_empty() && value.bytes().all(plain),
            "{name} {value:?} has other characters than letters, digits, '.', '-', '_'"
        );
    }
    let folder = &args.folder;
    for login in LOGINS {
        // The database server runs as another account, and this folder is mounted nowhere else.
        let password = secret(&folder.join("db").join(login), 0o644)?;
        if login != "superuser" {
            let line = format!("{host}:{}:{}:{login}:{password}\n", args.database_port, args.database_name);
            keep(&folder.join(login).join("pgpass"), line.as_bytes(), 0o600)?;
        }
    }
    let token = secret(&folder.join("validator/token"), 0o600)?;
    keep(&folder.join("auditor/token"), token.as_bytes(), 0o600)?;
    // Whoever asks on the development chain may not ask on the main network.
    secret(&folder.join("validator/mainnet-token"), 0o600)?;
    // Grafana's container runs as an account of its own, too.
    secret(&folder.join("grafana/grafana"), 0o644)?;
    chain(folder)?;
    output::line(format!("provision: everything is in {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

/// The genesis holds public keys alone; of the secret ones the validator's hotkey goes to the validator, and no service mounts the others.
fn chain(folder: &Path) -> Result<()> {
    let keys = folder.join("keys");
    let specification = genesis::specification(&keys, false)?;
    keep(&folder.join("chain/genesis.json"), &serde_json::to_vec_pretty(&specification)?, 0o644)?;
    let hotkey = fs::read(keys.join("validator.json")).context("the validator's key cannot be read")?;
    keep(&folder.join("validator/hotkey.json"), &hotkey, 0o600)
}

/// A random secret in hexadecimal digits, or the one that is there.
fn secret(path: &Path, mode: u32) -> Result<String> {
    if !path.exists() {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
        keep(path, hex::encode(bytes).as_bytes(), mode)?;
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.trim().to_owned();
    ensure!(!text.is_empty(), "{} is empty; remove it and repeat", path.display());
    Ok(text)
}

/// Writes a file whole or not at all, unless it exists.
fn keep(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension("new");
        // One that an interrupted run left would keep its rights.
        if fresh.exists() {
            fs::remove_file(&fresh)?;
        }
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    output::line(format!("provision: made {}", path.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    fn args(folder: &Path) -> ProvisionArgs {
        ProvisionArgs {
            folder: folder.to_owned(),
            database_host: "db".to_owned(),
            database_port: 5432,
            database_name: "assay".to_owned(),
        }
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut left = vec![folder.to_owned()];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    found.insert(name, fs::read(path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn a_second_run_changes_nothing_and_mends_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        run(&args(folder.path())).unwrap();
        let first = files(folder.path());
        fs::remove_file(folder.path().join("api/pgpass")).unwrap();
        run(&args(folder.path())).unwrap();
        assert_eq!(files(folder.path()), first);
    }

    #[test]
    fn who_reads_has_no_secret_of_who_writes() {
        let folder = tempfile::tempdir().unwrap();
        run(&args(folder.path())).unwrap();
        let found = files(folder.path());
        let text = |name: &str| String::from_utf8(found[name].clone()).unwrap();
        for login in &LOGINS[1..] {
            assert_eq!(
                text(&format!("{login}/pgpass")),
                format!("db:5432:assay:{login}:{}\n", text(&format!("db/{login}")))
            );
            let mode = fs::metadata(folder.path().join(login).join("pgpass")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let passwords: std::collections::BTreeSet<String> =
            LOGINS.iter().map(|login| text(&format!("db/{login}"))).collect();
        assert_eq!(passwords.len(), LOGINS.len());
        assert_eq!(text("validator/token"), text("auditor/token"));
        assert!(text("chain/genesis.json").contains("\"netuid\": 78"));
    }

    #[test]
    fn a_host_that_would_break_the_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&ProvisionArgs { database_host: "db:x".to_owned(), ..args(folder.path()) }).unwrap_err();
        assert!(error.to_string().contains("--database-host \"db:x\""), "{error}");
        assert!(files(folder.path()).is_empty());
    }
}
