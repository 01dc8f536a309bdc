//! `assay rules`: the rule sets that this program ships.

use crate::cli::RulesArgs;
use crate::output::{self, Align};
use anyhow::Result;
use domain::mechanism;
use std::process::ExitCode;

/// Prints names and hashes, or one rule set's bytes.
pub fn run(args: &RulesArgs) -> Result<ExitCode> {
    if let Some(name) = &args.show {
        output::line(mechanism::shipped_by_name(name)?.bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let rows = mechanism::shipped().into_iter();
    let rows: Vec<Vec<String>> = rows.map(|rules| vec![rules.name(), rules.hash().to_string()]).collect();
    output::table(&[("rule set", Align::Left), ("sha-256 of its canonical JSON", Align::Left)], &rows);
    Ok(ExitCode::SUCCESS)
}
