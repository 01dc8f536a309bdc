//! Rule sets that were in force once, found in the log by their hash.

use std::sync::Arc;

use domain::events::Event;
use domain::mechanism::{self, Mechanism};
use domain::ruleset::RuleSet;
use domain::types::Digest;
use ledger::Ledger;

use crate::Error;
use crate::board::decode;
use crate::shared::Shared;

/// The rule set of that hash, if one was ever adopted and is not erased. Operators adopt few, so all of them are looked at.
///
/// # Errors
/// What the ledger says, and bytes that are no rule set.
pub(crate) async fn adopted(ledger: &Ledger, hash: Digest) -> Result<Option<RuleSet>, Error> {
    let mut before = ledger.size();
    while let Some(stored) = ledger.reader().last_of_kind("RuleSetAdopted", before).await? {
        before = stored.position;
        if let Some(Event::RuleSetAdopted(adopted)) = decode(&stored)?
            && adopted.hash == hash
        {
            return Ok(Some(RuleSet::parse(&adopted.bytes)?));
        }
    }
    Ok(None)
}

/// The mechanism that a round was drawn and evaluated under, whatever is in force now; none when its rule set is erased or
/// this program does not know it any more.
///
/// # Errors
/// What the ledger says.
pub(crate) async fn of_round(shared: &Shared, hash: Digest) -> Result<Option<Arc<dyn Mechanism>>, Error> {
    let in_force = shared.mechanism();
    if in_force.rule_set().hash() == hash {
        return Ok(Some(in_force));
    }
    match adopted(shared.journal.ledger(), hash).await {
        Ok(Some(rule_set)) => Ok(mechanism::open(&rule_set).ok()),
        Ok(None) | Err(Error::RuleSet(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
