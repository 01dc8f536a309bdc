//! Arguments of the commands that recompute and compare.

use super::LedgerArgs;
use clap::Args;
use std::path::PathBuf;

/// The chain that recorded facts are compared with.
#[derive(Debug, Clone, Default, Args)]
pub struct ComparedChainArgs {
    /// URL of the chain that audits compare with; several, with commas between, are tried in order.
    #[arg(long, env = "ASSAY_CHAIN", value_name = "URL")]
    pub chain: Option<String>,
    /// The same by the network's name (test, finney): its public node, where --chain names none.
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
}

/// Arguments of `assay audit`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  assay audit --epoch 3\n  assay audit --from-genesis\n  assay audit --bundle epoch-3.assay --json\n\nExit codes: 0 equal, 1 differs, 2 cannot tell.",
    group = clap::ArgGroup::new("what").required(true)
)]
pub struct AuditArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The epoch.
    #[arg(long, value_name = "E", group = "what")]
    pub epoch: Option<u64>,
    /// Every epoch from the first to the last closed one.
    #[arg(long, group = "what")]
    pub from_genesis: bool,
    /// A bundle file; needs no database and no network.
    #[arg(long, value_name = "FILE", group = "what")]
    pub bundle: Option<PathBuf>,
    /// Compare with this chain, too. Default: the demo's chain when its database is used and the chain answers.
    #[command(flatten)]
    pub chain: ComparedChainArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay replay`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay replay --epoch 0 --rules loosh/1.2.8
  assay replay --rules loosh/1.2.8 --json        every epoch
  assay rules --show loosh/readme > mine.json    then change a constant
  assay replay --epoch 0 --rules mine.json

Exit codes: 0 compared, 2 nothing could be compared")]
pub struct ReplayArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The epoch. Default: every epoch from the first on.
    #[arg(long, value_name = "E")]
    pub epoch: Option<u64>,
    /// A shipped rule set's name, or a file with canonical JSON.
    #[arg(long, value_name = "NAME|FILE")]
    pub rules: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay verify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay verify
  assay verify --checkpoints checkpoints --json

Exit codes: 0 sound, 1 bad, 2 nothing outside of the database vouches for the log.")]
pub struct VerifyArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Folder of checkpoints outside of the database. Default: the demo's when its database is used.
    #[arg(long, env = "ASSAY_CHECKPOINTS", value_name = "FOLDER")]
    pub checkpoints: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay export`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay export --epoch 0 --out epoch-0.assay
  assay audit --bundle epoch-0.assay")]
pub struct ExportArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The epoch.
    #[arg(long, value_name = "E")]
    pub epoch: u64,
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
}
