//! Who may push to a validator's routes, as an operator's words say.

use crate::cli::RoutesArgs;
use crate::secrets;
use anyhow::{Result, anyhow};
use domain::ruleset::RuleSet;
use domain::types::Hotkey;
use validator::api::{ApiConfig, ChallengeDefaults, SealedPush, Token};
use validator::outbox;

/// The routes of a subnet under these rules.
///
/// # Errors
/// A token's file that cannot be read, a token that is too short, and what is no hotkey.
pub fn of(args: &RoutesArgs, rule_set: &RuleSet) -> Result<ApiConfig> {
    let mut config = ApiConfig::new(ChallengeDefaults::for_rule_set(&rule_set.name()));
    let token = secrets::given("--token", args.token.as_ref(), args.token_file.as_deref())?;
    config.token = token.as_deref().map(Token::new).transpose()?;
    config.allowed_hotkeys = hotkeys("--allow-hotkey", &args.allow_hotkey)?;
    let pushers = hotkeys("--challenge-hotkey", &args.challenge_hotkey)?;
    let sealed = !pushers.is_empty() && takes_pushes_alone(rule_set);
    config.sealed = sealed.then_some(SealedPush { pushers });
    Ok(config)
}

/// Whether challenges come from nowhere but these routes. Validators of the other subnets make their tasks themselves.
pub fn takes_pushes_alone(rule_set: &RuleSet) -> bool {
    rule_set.algorithm() == outbox::ALGORITHM
}

fn hotkeys(option: &str, texts: &[String]) -> Result<Vec<Hotkey>> {
    let parse = |text: &String| text.parse::<Hotkey>().map_err(|error| anyhow!("{option} {text}: {error}"));
    texts.iter().map(parse).collect()
}
