//! Arguments of the commands that show what is recorded.

use super::LedgerArgs;
use clap::Args;
use std::path::PathBuf;

/// Arguments of the commands that print a table.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay leaderboard
  assay leaderboard --as-of 1200 --json
  assay epochs --netuid 78")]
pub struct TableArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// As of this position instead of the newest.
    #[arg(long, value_name = "POSITION")]
    pub as_of: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay explain`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay explain --miner 5F… --epoch 0
  assay explain --miner 5F… --epoch 0 --json")]
pub struct ExplainArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The miner's hotkey.
    #[arg(long, value_name = "HOTKEY")]
    pub miner: String,
    /// The epoch.
    #[arg(long, value_name = "E")]
    pub epoch: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay heatmap`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay heatmap --challenge q-1 --out q-1.svg
  assay heatmap --challenge q-1 --attempt 2 --all --out q-1.png")]
pub struct HeatmapArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The challenge.
    #[arg(long, value_name = "ID")]
    pub challenge: String,
    /// The attempt; the newest when none is given.
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Show answers that filters dropped, too.
    #[arg(long)]
    pub all: bool,
    /// The file to write; its ending says whether SVG or PNG.
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `assay narrative`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay narrative --challenge q-1
  assay narrative --challenge q-1 --attempt 2 --json")]
pub struct NarrativeArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The challenge.
    #[arg(long, value_name = "ID")]
    pub challenge: String,
    /// The attempt; the newest when none is given.
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay rules`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay rules
  assay rules --show loosh/readme > my-rules.json
  assay rules --show conversion/0.1.0 --json
  assay rules --mock cgp

Known weaknesses of a rule set go to standard error, or into the JSON.")]
pub struct RulesArgs {
    /// Print one rule set's canonical JSON.
    #[arg(long, value_name = "NAME")]
    pub show: Option<String>,
    /// Play the mock run of a subnet's document, where it has one: cgp (\"Mined 37 tags\").
    #[arg(long, value_name = "SUBNET", conflicts_with_all = ["show", "json"])]
    pub mock: Option<String>,
    /// Print JSON, with the known weaknesses.
    #[arg(long)]
    pub json: bool,
}
