//! `assay replay`: the same facts under other rules, and who moves. One epoch, or all from the first one on.
//!
//! Exit code 0 where scores were compared, 2 where nothing could be.

use super::rules::{KnownWeakness, known, notice};
use crate::cli::ReplayArgs;
use crate::ledgers;
use crate::output::{self, Align};
use anyhow::{Context, Result, bail};
use audit::what_if::{EpochChange, MinerChange, WhatIf};
use audit::{Replay, Settings};
use domain::mechanism;
use domain::ruleset::RuleSet;
use serde::Serialize;
use std::process::ExitCode;

/// Exit code where nothing could be compared, as an audit has it that cannot tell.
const CANNOT_TELL: u8 = 2;

/// What scripts get.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    what_if: &'a WhatIf,
    /// Known weaknesses of the other rule set.
    weaknesses: Vec<KnownWeakness>,
}

/// Replays twice: under the rules in force and under the others.
pub async fn run(args: &ReplayArgs) -> Result<ExitCode> {
    let rules = rules(&args.rules)?;
    let mechanism = mechanism::open(&rules)?;
    let open = ledgers::open(&args.ledger).await?;
    let mut replay = Replay::new(Settings { epoch: args.epoch, chain: None }).under(mechanism);
    match args.epoch {
        Some(epoch) => {
            let Some(range) = open.reader.epoch_range(epoch).await? else {
                bail!("epoch {epoch} is not derived yet; `assay epochs` lists those that are");
            };
            open.reader.feed(&range, &mut replay).await.context("the log cannot be read")?;
        }
        None => {
            let size = open.reader.head().await?.size;
            open.reader.feed_from(0, size, &mut replay).await.context("the log cannot be read")?;
        }
    }
    let (report, mut what_if) = replay.finish_what_if();
    what_if.rule_set = label(&rules);
    if args.json {
        output::json(&Shown { what_if: &what_if, weaknesses: known(&rules)? })?;
    } else {
        notice(&rules)?;
        print(&what_if);
        output::line(report.last_line());
    }
    Ok(if what_if.compared() { ExitCode::SUCCESS } else { ExitCode::from(CANNOT_TELL) })
}

/// The name, and the hash where the bytes are not those that ship under it.
fn label(rules: &RuleSet) -> String {
    let name = rules.name();
    let ships = mechanism::shipped().iter().any(|shipped| shipped.hash() == rules.hash());
    if ships { name } else { format!("{name} as changed ({})", rules.hash()) }
}

/// A shipped rule set by name, else a file.
fn rules(named: &str) -> Result<RuleSet> {
    match mechanism::shipped_by_name(named) {
        Ok(rules) => Ok(rules),
        Err(unknown) => match std::fs::read_to_string(named) {
            Ok(text) => RuleSet::parse(text.trim_end()).with_context(|| format!("{named} is no rule set")),
            Err(error) => Err(unknown).with_context(|| {
                format!("--rules {named:?} is neither a shipped rule set nor a file of text that can be read ({error})")
            }),
        },
    }
}

fn print(what_if: &WhatIf) {
    output::line(format!(
        "under {}: {} rounds, {} scores change, {} stay the same, {} rounds cannot be evaluated",
        what_if.rule_set, what_if.rounds, what_if.scores_changed, what_if.scores_same, what_if.rounds_not_evaluated
    ));
    what_if.reasons.iter().for_each(|reason| output::line(format!("  {reason}")));
    notes(what_if).iter().for_each(output::line);
    what_if.given_up.iter().for_each(|reason| output::line(format!("  {reason}")));
    if !what_if.compared() {
        return output::line("nothing was compared");
    }
    for epoch in &what_if.epochs {
        output::line(format!("{}  {}", output::bold(&format!("epoch {}", epoch.epoch)), moved(epoch)));
        let columns = [
            ("hotkey", Align::Left),
            ("rank", Align::Right),
            ("then", Align::Right),
            ("average", Align::Right),
            ("then", Align::Right),
            ("weight", Align::Right),
            ("then", Align::Right),
            ("share", Align::Right),
            ("then", Align::Right),
        ];
        output::table(&columns, &epoch.miners.iter().map(|miner| row(miner, &epoch.miners)).collect::<Vec<_>>());
    }
}

/// What else is to be known of the comparison; what did not occur is not mentioned.
fn notes(what_if: &WhatIf) -> Vec<String> {
    let all = [
        (what_if.rounds_waiting, "rounds wait for a label under both"),
        (what_if.verdicts_recomputed, "verdicts that no model made are others, and were made once more"),
        (what_if.verdicts_of_other_requests, "verdicts of a model answer other requests than these rules make"),
        (what_if.rounds_given_up, "rounds are given up:"),
    ];
    all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

/// How far rankings and weights lie apart, or why that cannot be said.
fn moved(epoch: &EpochChange) -> String {
    let tau = epoch.kendall_tau.map_or_else(|| "-".to_owned(), |tau| format!("{tau:.4}"));
    match epoch.weight_moved {
        Some(moved) => format!("Kendall's tau {tau}, {:.2} % of the weight moves", 100.0 * moved),
        None if epoch.rounds_not_evaluated > 0 => {
            format!("not comparable: {} rounds up to here cannot be evaluated", epoch.rounds_not_evaluated)
        }
        None => "not comparable: one side pays nobody".to_owned(),
    }
}

fn row(miner: &MinerChange, all: &[MinerChange]) -> Vec<String> {
    let [share, share_after] = miner.shares(all).map(|share| format!("{:.2} %", 100.0 * share));
    let average = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    let rank = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    vec![
        miner.hotkey.to_string(),
        rank(miner.rank),
        rank(miner.rank_after),
        average(miner.average),
        average(miner.average_after),
        miner.weight.to_string(),
        miner.weight_after.to_string(),
        share,
        share_after,
    ]
}
