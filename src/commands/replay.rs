//! `assay replay`: the same facts under other rules, and who moves.

use crate::cli::ReplayArgs;
use crate::ledgers;
use crate::output::{self, Align};
use anyhow::{Context, Result, bail};
use audit::what_if::{MinerChange, WhatIf};
use audit::{Replay, Settings};
use domain::mechanism;
use domain::ruleset::RuleSet;
use std::process::ExitCode;

/// Replays an epoch twice: under the rules in force and under the others.
pub async fn run(args: &ReplayArgs) -> Result<ExitCode> {
    let rules = rules(&args.rules)?;
    let mechanism = mechanism::open(&rules)?;
    let open = ledgers::open(&args.ledger).await?;
    let Some(range) = open.reader.epoch_range(args.epoch).await? else {
        bail!("epoch {} is not derived yet; `assay epochs` lists those that are", args.epoch);
    };
    let mut replay = Replay::new(Settings { epoch: Some(args.epoch), chain: None }).under(mechanism);
    open.reader.feed(&range, &mut replay).await.context("the log cannot be read")?;
    let (report, what_if) = replay.finish_what_if();
    if args.json {
        output::json(&what_if)?;
    } else {
        print(&what_if);
        output::line(report.last_line());
    }
    Ok(ExitCode::SUCCESS)
}

/// A shipped rule set by name, else a file.
fn rules(named: &str) -> Result<RuleSet> {
    match mechanism::shipped_by_name(named) {
        Ok(rules) => Ok(rules),
        Err(unknown) => match std::fs::read_to_string(named) {
            Ok(text) => RuleSet::parse(text.trim_end()).with_context(|| format!("{named} is no rule set")),
            Err(_) => {
                Err(unknown).with_context(|| format!("--rules {named:?} is no shipped rule set and no readable file"))
            }
        },
    }
}

fn print(what_if: &WhatIf) {
    output::line(format!(
        "under {}: {} rounds, {} scores change, {} stay the same, {} rounds cannot be evaluated",
        what_if.rule_set, what_if.rounds, what_if.scores_changed, what_if.scores_same, what_if.rounds_not_evaluated
    ));
    what_if.reasons.iter().for_each(|reason| output::line(format!("  {reason}")));
    for epoch in &what_if.epochs {
        output::line(output::bold(&format!("epoch {}", epoch.epoch)));
        let columns = [
            ("hotkey", Align::Left),
            ("rank", Align::Right),
            ("then", Align::Right),
            ("average", Align::Right),
            ("then", Align::Right),
            ("weight", Align::Right),
            ("then", Align::Right),
        ];
        output::table(&columns, &epoch.miners.iter().map(row).collect::<Vec<_>>());
    }
}

fn row(miner: &MinerChange) -> Vec<String> {
    let average = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    vec![
        miner.hotkey.to_string(),
        miner.rank.to_string(),
        miner.rank_after.to_string(),
        average(miner.average),
        average(miner.average_after),
        miner.weight.to_string(),
        miner.weight_after.to_string(),
    ]
}
