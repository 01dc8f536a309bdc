//! Which ledger a command means: `--ledger ORIGIN`, `--netuid N`, or the only one there is.

use crate::cli::LedgerArgs;
use crate::database::Database;
use anyhow::{Context, Result, bail};
use ledger::LedgerReader;

/// A ledger to read, and the database that must stay open meanwhile.
pub struct OpenLedger {
    /// The ledger.
    pub reader: LedgerReader,
    /// Its database.
    pub database: Database,
}

/// Opens the ledger that the arguments name.
pub async fn open(args: &LedgerArgs) -> Result<OpenLedger> {
    let database = Database::open(args.database.database.as_deref()).await?;
    let all = LedgerReader::list(&database.url).await.context("the ledgers cannot be listed")?;
    let origins: Vec<String> = all.into_iter().map(|ledger| ledger.origin).collect();
    let origin = choose(args, &origins)?;
    let reader = LedgerReader::open(&database.url, &origin).await.with_context(|| format!("ledger {origin}"))?;
    Ok(OpenLedger { reader, database })
}

fn choose(args: &LedgerArgs, origins: &[String]) -> Result<String> {
    if let Some(origin) = &args.ledger {
        return Ok(origin.clone());
    }
    let netuid = args.netuid.map(|netuid| netuid.to_string());
    let of_subnet = |origin: &&String| netuid.as_deref().is_none_or(|netuid| origin.split('/').nth(2) == Some(netuid));
    let candidates: Vec<&String> = origins.iter().filter(of_subnet).collect();
    match candidates.as_slice() {
        [only] => Ok((*only).clone()),
        [] if origins.is_empty() => bail!("the database holds no ledger yet; start a validator, or `assay demo`"),
        [] => bail!("no ledger of subnet {}; there are:\n  {}", netuid.unwrap_or_default(), origins.join("\n  ")),
        several => {
            let list: Vec<&str> = several.iter().map(|origin| origin.as_str()).collect();
            bail!("several ledgers; name one with --ledger ORIGIN:\n  {}", list.join("\n  "))
        }
    }
}
