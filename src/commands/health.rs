//! `assay health`: whether a service, or what it stands on, is there, for supervisors in images that hold no other program.

use crate::cli::HealthArgs;
use crate::{chain_connection, database, files, output};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Asks once.
pub async fn run(args: &HealthArgs) -> Result<ExitCode> {
    let limit = Duration::from_millis(args.timeout_ms);
    let asked = tokio::time::timeout(limit, ask(&args.target, limit)).await;
    match asked.unwrap_or_else(|_| anyhow::bail!("no answer in {} ms", args.timeout_ms)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            output::error(&error.context(format!("{} is not healthy", without_login(&args.target))));
            Ok(ExitCode::from(1))
        }
    }
}

async fn ask(target: &str, limit: Duration) -> Result<()> {
    match target.split_once("://").map(|(scheme, _)| scheme) {
        Some("ws" | "wss") => chain_connection::open(target).await?.head().await.map(drop).map_err(Into::into),
        Some("postgres" | "postgresql") => {
            let mut connection = database::connect(target).await?;
            sqlx::query("SELECT 1").execute(&mut connection).await.context("it lets in and answers nothing")?;
            Ok(())
        }
        Some(_) => ask_http(target, limit).await,
        None => files::is_writable(Path::new(target)),
    }
}

/// A URL without the name and password before its host.
fn without_login(target: &str) -> String {
    let Some((scheme, rest)) = target.split_once("://") else { return target.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

async fn ask_http(url: &str, limit: Duration) -> Result<()> {
    let client = reqwest::Client::builder().timeout(limit).redirect(reqwest::redirect::Policy::none()).build()?;
    let reply = client.get(url).send().await.context("it does not answer")?;
    anyhow::ensure!(reply.status().is_success(), "it answers {}", reply.status());
    // Validators and miners say with success that they are not ready yet.
    if let Ok(body) = reply.json::<serde_json::Value>().await {
        anyhow::ensure!(body.get("available") != Some(&false.into()), "it answers, and is not available yet");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_is_not_there_is_not_healthy() {
        let folder = tempfile::tempdir().unwrap();
        let limit = Duration::from_secs(2);
        assert!(ask(folder.path().to_str().unwrap(), limit).await.is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left there");
        for target in ["/nowhere", "http://127.0.0.1:1/", "postgres://a@127.0.0.1:1/b", "ftp://127.0.0.1"] {
            assert!(ask(target, limit).await.is_err(), "{target}");
        }
    }

    #[test]
    fn passwords_are_not_repeated() {
        for (target, shown) in [
            ("postgres://migrate:secret@db:5432/assay", "postgres://db:5432/assay"),
            ("http://127.0.0.1:8080/readyz", "http://127.0.0.1:8080/readyz"),
            ("/provision", "/provision"),
        ] {
            assert_eq!(without_login(target), shown);
        }
    }
}
