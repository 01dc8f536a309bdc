//! What a check finds of the services beside a validator: a server of conversations, Loosh's challenge service. Neither is asked anything.

use super::Finding;
use crate::challenge_service;
use crate::cli::CheckArgs;
use crate::commands::conversations;
use anyhow::Result;
use domain::ruleset::RuleSet;
use network::keys::Keypair;

/// One finding for each that is named.
pub(super) fn look(args: &CheckArgs, rule_sets: &[RuleSet], hotkey: Option<&Keypair>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(address) = &args.conversations.conversations {
        let server = conversations::server(&args.conversations, rule_sets);
        findings.push(Finding::of("conversations", server.map(|_| format!("will be reserved at {address}"))));
    }
    if args.challenge_service.challenge_api.is_some() || !args.routes.challenge_hotkey.is_empty() {
        findings.push(Finding::of("challenge service", usable(args, rule_sets, hotkey)));
    }
    findings
}

fn usable(args: &CheckArgs, rule_sets: &[RuleSet], hotkey: Option<&Keypair>) -> Result<String> {
    let given = &args.challenge_service;
    challenge_service::is_of_use(given, &args.routes, rule_sets)?;
    if let Some(hotkey) = hotkey {
        for rule_set in rule_sets {
            challenge_service::outbox(given, rule_set, hotkey)?;
        }
    }
    Ok(match &given.challenge_api {
        Some(address) => format!("results will go to {address}"),
        None => "may push, and is brought no results: --challenge-api names its address".to_owned(),
    })
}
