//! The way to Loosh's challenge service, as an operator's words say.

use crate::cli::{ChallengeServiceArgs, RoutesArgs};
use crate::secrets;
use anyhow::{Context, Result, ensure};
use domain::ruleset::RuleSet;
use network::keys::Keypair;
use validator::outbox::{self, Outbox};

/// Refuses a service that no rule set has a use for.
///
/// # Errors
/// Names the option and the rule sets.
pub fn is_of_use(given: &ChallengeServiceArgs, routes: &RoutesArgs, rule_sets: &[RuleSet]) -> Result<()> {
    let flag = match (&given.challenge_api, routes.challenge_hotkey.is_empty()) {
        (Some(_), _) => "--challenge-api",
        (None, false) => "--challenge-hotkey",
        (None, true) => return Ok(()),
    };
    ensure!(
        rule_sets.iter().any(|rules| rules.algorithm() == outbox::ALGORITHM),
        "{flag} is for rule sets of loosh; none of {} is one",
        rule_sets.iter().map(RuleSet::name).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

/// Where results of a subnet go, if there is such a place and the rules are of use to it. Nothing is sent.
///
/// # Errors
/// An address that is none, and a key's file that cannot be read.
pub fn outbox(given: &ChallengeServiceArgs, rule_set: &RuleSet, hotkey: &Keypair) -> Result<Option<Outbox>> {
    let address = given.challenge_api.as_ref().filter(|_| rule_set.algorithm() == outbox::ALGORITHM);
    let Some(address) = address else { return Ok(None) };
    let key = secrets::given(
        "--challenge-api-key",
        given.challenge_api_key.as_ref(),
        given.challenge_api_key_file.as_deref(),
    )?;
    let outbox = Outbox::open(address, hotkey.clone(), key).context("--challenge-api")?;
    tracing::info!(service = address, "results go back to a challenge service");
    Ok(Some(Outbox { results_of: given.challenge_api_results.into(), ..outbox }))
}
