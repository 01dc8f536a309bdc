//! `assay rules`: the rule sets that this program ships, and what is known to be wrong with each.

use super::mock_run;
use crate::cli::RulesArgs;
use crate::output::{self, Align};
use anyhow::Result;
use domain::mechanism::{self, Weakness};
use domain::ruleset::RuleSet;
use serde::Serialize;
use std::process::ExitCode;

/// A known weakness for scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownWeakness {
    /// The constant that lets it happen.
    pub constant: &'static str,
    /// What happens.
    pub effect: &'static str,
}

#[derive(Debug, Serialize)]
struct Shipped<'a> {
    name: String,
    hash: String,
    weaknesses: Vec<KnownWeakness>,
    /// The canonical JSON, as text: its bytes are what is hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical: Option<&'a str>,
}

/// Prints names and hashes, one rule set's bytes, or a mock run.
pub fn run(args: &RulesArgs) -> Result<ExitCode> {
    if let Some(subnet) = &args.mock {
        return mock_run::run(subnet);
    }
    match &args.show {
        Some(name) => show(&mechanism::shipped_by_name(name)?, args.json)?,
        None => list(&mechanism::shipped(), args.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(rules: &RuleSet, json: bool) -> Result<()> {
    if json {
        return output::json(&shipped(rules, Some(rules.bytes()))?);
    }
    output::line(rules.bytes());
    // Standard output is the bytes alone, which may become a file of rules.
    notice(rules)
}

fn list(all: &[RuleSet], json: bool) -> Result<()> {
    if json {
        let all = all.iter().map(|rules| shipped(rules, None)).collect::<Result<Vec<_>>>()?;
        return output::json(&all);
    }
    let mut rows = Vec::with_capacity(all.len());
    for rules in all {
        let known = mechanism::open(rules)?.weaknesses().len();
        let known = if known == 0 { "-".to_owned() } else { known.to_string() };
        rows.push(vec![rules.name(), rules.hash().to_string(), known]);
    }
    let columns =
        [("rule set", Align::Left), ("sha-256 of its canonical JSON", Align::Left), ("weaknesses", Align::Right)];
    output::table(&columns, &rows);
    output::notice("`assay rules --show NAME` lists the known weaknesses of one.");
    Ok(())
}

fn shipped<'a>(rules: &RuleSet, canonical: Option<&'a str>) -> Result<Shipped<'a>> {
    Ok(Shipped { name: rules.name(), hash: rules.hash().to_string(), weaknesses: known(rules)?, canonical })
}

/// The known weaknesses of a rule set.
///
/// # Errors
/// A rule set that no mechanism opens.
pub fn known(rules: &RuleSet) -> Result<Vec<KnownWeakness>> {
    let named = |(constant, effect): Weakness| KnownWeakness { constant, effect };
    Ok(mechanism::open(rules)?.weaknesses().into_iter().map(named).collect())
}

/// Names the known weaknesses of a rule set beside the result, if it has any.
///
/// # Errors
/// A rule set that no mechanism opens.
pub fn notice(rules: &RuleSet) -> Result<()> {
    let known = known(rules)?;
    if !known.is_empty() {
        output::notice(format!("known weaknesses of {}:", rules.name()));
    }
    for KnownWeakness { constant, effect } in known {
        output::notice(format!("  {constant}: {effect}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn weaknesses_are_in_the_output_for_scripts() {
        let shown = |name: &str| {
            let rules = mechanism::shipped_by_name(name).unwrap();
            serde_json::to_value(shipped(&rules, Some(rules.bytes())).unwrap()).unwrap()
        };
        let code = shown("conversion/0.1.0");
        assert_eq!(code["weaknesses"][0]["constant"], "gate.answers_read");
        assert!(code["canonical"].as_str().unwrap().starts_with(r#"{"algorithm":"conversion""#));
        assert_eq!(shown("conversion/assay-1")["weaknesses"], serde_json::json!([]));
    }
}
