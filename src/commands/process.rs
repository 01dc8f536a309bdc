//! `assay check --process` and `assay demo --explain`: one round of a subnet, outside of any network, step by step.

use crate::configuration::Configuration;
use crate::demo::first_question;
use crate::judges;
use crate::models;
use crate::output;
use crate::process::{self, Tools};
use anyhow::{Context, Result};
use domain::events::Challenge;
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::sha256;
use inference::ServiceLimits;
use std::sync::Arc;
use validator::judge::Offline;
use validator::sources::{self, TaskSource};

/// Plays one round under each rule set. Verdicts come from the configured models unless `offline`.
///
/// # Errors
/// The step that went wrong, with the rule set's name.
pub async fn rounds(rules: &[String], configuration: &Configuration, offline: bool) -> Result<()> {
    let embeddings = models::embeddings(configuration.embedding.as_ref(), &ServiceLimits::default())?;
    let judge = if offline { Arc::new(Offline) } else { judges::open(configuration)? };
    let tools = Tools { embeddings, judge };
    for name in rules {
        let rule_set = mechanism::shipped_by_name(name)?;
        models::check_accepted(tools.embeddings.identity(), mechanism::open(&rule_set)?.as_ref())?;
        output::line(output::bold(&format!("One round under {name}, outside of any network")));
        if rule_set.algorithm() == "cgp" {
            process::conversation(&rule_set, &tools).await.with_context(|| format!("a conversation under {name}"))?;
            continue;
        }
        let challenge = first_task(&rule_set).await.with_context(|| format!("the first task of {name}"))?;
        process::round(&rule_set, challenge, &tools).await.with_context(|| format!("a round under {name}"))?;
    }
    Ok(())
}

async fn first_task(rule_set: &RuleSet) -> Result<Challenge> {
    let first = match rule_set.algorithm() {
        "twitter" => match sources::twitter::SearchPrompts::shipped("process", || Ok(sha256(b"process"))) {
            Ok(prompts) => prompts.next(0).await,
            Err(problem) => Err(problem),
        },
        "conversion" => sources::conversion::Conversations::of_ledger("process").challenge(0),
        "bettertherapy" => sources::bettertherapy::Questions::of_ledger("process").and_then(|tasks| tasks.shipped(0)),
        _ => {
            let (id, prompt) = first_question()?;
            let challenge = sources::task(id, prompt, String::new());
            return Ok(Challenge { task: None, max_tokens: 512, temperature: 0.7, top_p: 0.95, ..challenge });
        }
    };
    first.map_err(anyhow::Error::msg)
}
