//! `assay leaderboard`, `epochs` and `explain`: the read models on the terminal.

use crate::cli::{ExplainArgs, LedgerArgs, TableArgs};
use crate::database::Database;
use crate::output::{self, Align};
use anyhow::{Context, Result, bail};
use domain::types::Hotkey;
use projections::queries::{Epoch, Explanation, Leaderboard, epochs, explain, leaderboard};
use projections::{AsOf, Frame, Meta, Projector, ReadModels, Selector, Settings, View};
use std::process::ExitCode;

/// Epochs that the table shows.
const EPOCHS: u32 = 50;

#[derive(serde::Serialize)]
struct EpochList {
    meta: Meta,
    epochs: Vec<Epoch>,
}

pub(super) struct Look {
    pub(super) view: View,
    pub(super) frame: Frame,
    _database: Database,
}

/// Brings the read models up to date, where this login may, and takes one consistent look.
pub(super) async fn look(args: &LedgerArgs, as_of: Option<u64>) -> Result<Look> {
    let database = Database::open(args.database.database.as_deref()).await?;
    if projections::may_fold(&database.url).await? {
        let projector = Projector::open(&database.url, Settings::default()).await.context("the read models")?;
        projector.catch_up().await.context("the read models cannot be brought up to date")?;
    }
    let view = ReadModels::open(&database.url)?.begin().await?;
    let selector = Selector { origin: args.ledger.clone(), netuid: args.netuid };
    let frame = view.frame(&selector, as_of.map_or(AsOf::Newest, AsOf::Position)).await?;
    Ok(Look { view, frame, _database: database })
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"))
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// `assay leaderboard`.
pub async fn leaderboard_command(args: &TableArgs) -> Result<ExitCode> {
    let look = look(&args.ledger, args.as_of).await?;
    let board = leaderboard(&look.view, &look.frame).await?;
    if args.json {
        output::json(&board)?;
    } else {
        print_leaderboard(&board);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_leaderboard(board: &Leaderboard) {
    let rows: Vec<Vec<String>> = board
        .rows
        .iter()
        .map(|row| {
            vec![
                row.rank.to_string(),
                text(row.uid),
                row.hotkey.clone(),
                number(row.average),
                number(row.last_score),
                format!("{}/{}", row.answered, row.drawn),
                text(row.weight),
                row.zero_reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        ("rank", Align::Right),
        ("uid", Align::Right),
        ("hotkey", Align::Left),
        ("average", Align::Right),
        ("last score", Align::Right),
        ("answered", Align::Right),
        ("weight", Align::Right),
        ("zero because", Align::Left),
    ];
    output::table(&columns, &rows);
    output::line(format!("read at position {} of {}", board.meta.position, board.meta.origin));
}

/// `assay epochs`.
pub async fn epochs_command(args: &TableArgs) -> Result<ExitCode> {
    let look = look(&args.ledger, args.as_of).await?;
    let found = epochs(&look.view, &look.frame, None, EPOCHS).await?;
    if args.json {
        output::json(&EpochList { meta: (&look.frame).into(), epochs: found })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|epoch| {
            let derivation = epoch.derivation.as_ref();
            vec![
                epoch.epoch.to_string(),
                derivation.map_or_else(String::new, |derived| format!("{}..{}", derived.range_from, derived.range_to)),
                text(derivation.and_then(|derived| derived.rounds)),
                text(derivation.and_then(|derived| derived.mode.clone())),
                standing(epoch),
                epoch.reason.clone().unwrap_or_default(),
                epoch.rule_set_name.clone().unwrap_or_else(|| epoch.rule_set.clone()),
            ]
        })
        .collect();
    let columns = [
        ("epoch", Align::Right),
        ("positions", Align::Left),
        ("rounds", Align::Right),
        ("mode", Align::Left),
        ("outcome", Align::Left),
        ("because", Align::Left),
        ("rules", Align::Left),
    ];
    output::table(&columns, &rows);
    output::line(format!("read at position {} of {}", look.frame.position, look.frame.ledger.origin));
    Ok(ExitCode::SUCCESS)
}

/// How it ended, or what it waits for.
fn standing(epoch: &Epoch) -> String {
    let awaited = || epoch.reveal_due.map(|block| format!("committed, reveal due at block {block}"));
    epoch.outcome.clone().or_else(awaited).unwrap_or_else(|| "open".to_owned())
}

/// `assay explain`.
pub async fn explain_command(args: &ExplainArgs) -> Result<ExitCode> {
    let hotkey: Hotkey = args.miner.parse().context("--miner")?;
    let look = look(&args.ledger, None).await?;
    let Some(explanation) = explain(&look.view, &look.frame, &hotkey, args.epoch).await? else {
        bail!("epoch {} is not open yet; `assay epochs` lists those that are", args.epoch);
    };
    if args.json {
        output::json(&explanation)?;
    } else {
        print_explanation(&explanation);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_explanation(explanation: &Explanation) {
    output::line(output::bold(&format!("{} in epoch {}", explanation.hotkey, explanation.epoch)));
    output::line(&explanation.verdict);
    for step in &explanation.steps {
        let position = step.position.map_or_else(String::new, |position| format!("  (position {position})"));
        output::line(format!("  {}{position}", step.text));
        for component in &step.components {
            output::line(format!("      {} = {}", component.name, component.value));
        }
    }
    output::line(format!("read at position {} of {}", explanation.meta.position, explanation.meta.origin));
}
