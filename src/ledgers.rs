//! Which ledger a command means: `--ledger ORIGIN`, `--netuid N`, or the only one there is.

use crate::cli::LedgerArgs;
use crate::database::Database;
use anyhow::{Context, Result, bail, ensure};
use ledger::{LedgerInfo, LedgerReader};

/// A ledger to read, and the database that must stay open meanwhile.
pub struct OpenLedger {
    /// The ledger.
    pub reader: LedgerReader,
    /// Its database.
    pub database: Database,
}

/// Opens the ledger that the arguments name.
///
/// # Errors
/// Where they name none, or leave several.
pub async fn open(args: &LedgerArgs) -> Result<OpenLedger> {
    open_one(args, |several| {
        let list: Vec<&str> = several.iter().map(|ledger| ledger.origin.as_str()).collect();
        bail!("several ledgers; name one with --ledger ORIGIN:\n  {}", list.join("\n  "))
    })
    .await
}

/// As [`open`], and of several one that somebody writes, and of such the one that was written last.
///
/// # Errors
/// Where the arguments name none.
pub async fn open_live(args: &LedgerArgs) -> Result<OpenLedger> {
    open_one(args, |several| {
        let live = several.iter().max_by_key(|ledger| (ledger.lease.is_some(), ledger.recorded_at));
        live.map(|ledger| ledger.origin.clone()).context("the database holds no ledger yet")
    })
    .await
}

/// Whether a validator writes another one of the ledgers that the arguments mean, in place of this one: because nobody writes this one
/// any more, or because that one was begun anew beside it.
///
/// # Errors
/// What the database says.
pub async fn is_superseded(args: &LedgerArgs, open: &OpenLedger) -> Result<bool> {
    if args.ledger.is_some() {
        return Ok(false);
    }
    let all = LedgerReader::list(&open.database.url).await.context("the ledgers cannot be listed")?;
    Ok(is_replaced(open.reader.origin(), &candidates(args, all)?))
}

fn is_replaced(origin: &str, all: &[LedgerInfo]) -> bool {
    let Some(own) = all.iter().find(|ledger| ledger.origin == origin) else { return true };
    let replaces = |other: &LedgerInfo| {
        let is_anew = series(&other.origin) == series(origin) && other.recorded_at > own.recorded_at;
        other.origin != origin && other.lease.is_some() && (own.lease.is_none() || is_anew)
    };
    all.iter().any(replaces)
}

/// An origin without its number: chain, subnet and hotkey.
fn series(origin: &str) -> Vec<&str> {
    origin.split('/').take(4).collect()
}

async fn open_one(args: &LedgerArgs, among: impl FnOnce(&[LedgerInfo]) -> Result<String>) -> Result<OpenLedger> {
    let database = Database::open(args.database.database.as_deref()).await?;
    let origin = match &args.ledger {
        Some(origin) => origin.clone(),
        None => {
            let all = LedgerReader::list(&database.url).await.context("the ledgers cannot be listed")?;
            match candidates(args, all)?.as_slice() {
                [only] => only.origin.clone(),
                several => among(several)?,
            }
        }
    };
    let reader = LedgerReader::open(&database.url, &origin).await.with_context(|| format!("ledger {origin}"))?;
    Ok(OpenLedger { reader, database })
}

/// The ledgers of the subnet that the arguments name, or all of them; at least one.
fn candidates(args: &LedgerArgs, all: Vec<LedgerInfo>) -> Result<Vec<LedgerInfo>> {
    ensure!(!all.is_empty(), "the database holds no ledger yet; start a validator, or `assay demo`");
    let Some(netuid) = args.netuid.map(|netuid| netuid.to_string()) else { return Ok(all) };
    let origins: Vec<String> = all.iter().map(|ledger| ledger.origin.clone()).collect();
    let found: Vec<LedgerInfo> =
        all.into_iter().filter(|ledger| ledger.origin.split('/').nth(2) == Some(netuid.as_str())).collect();
    ensure!(!found.is_empty(), "no ledger of subnet {netuid}; there are:\n  {}", origins.join("\n  "));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::LeaseInfo;

    fn info(origin: &str, recorded_at: u64, is_written: bool) -> LedgerInfo {
        let lease = is_written.then(|| LeaseInfo { holder: "somebody".to_owned(), since: 1, generation: 1 });
        LedgerInfo { origin: origin.to_owned(), size: 1, recorded_at, lease }
    }

    #[test]
    fn a_ledger_is_replaced_by_one_that_is_written_instead_and_not_by_one_beside_it() {
        let own = |is_written| info("assay/g/78/5F", 10, is_written);
        for (own, other, replaced) in [
            (own(true), info("assay/g/78/5F/1", 20, true), true),
            (own(true), info("assay/g/78/5F/1", 5, true), false),
            (own(false), info("assay/g/78/5F/1", 20, false), false),
            (own(true), info("assay/g/33/5F", 20, true), false),
            (own(false), info("assay/h/78/5F", 5, true), true),
        ] {
            assert_eq!(is_replaced(&own.origin.clone(), &[own, other.clone()]), replaced, "{other:?}");
        }
    }
}
