//! The command line: what a user types, with examples. No logic.

mod checking;
mod conversations;
mod deployment;
mod operator;
mod processes;
mod query;
mod reading;
mod sources;
mod wallet;

pub use checking::*;
pub use conversations::*;
pub use deployment::*;
pub use operator::*;
pub use processes::*;
pub use query::*;
pub use reading::*;
pub use sources::*;
pub use wallet::*;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A validator you can check.
#[derive(Debug, Parser)]
#[command(name = "assay", version, about, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "ASSAY_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// End when standard input ends (for a parent process).
    #[arg(long, global = true, hide = true)]
    pub stop_with_stdin: bool,
}

const EXAMPLES: &str = "Examples:
  assay demo                                  the main job on this machine, until Ctrl-C
  assay demo --once                           one audited epoch, then end
  assay audit --epoch 0                       recompute an epoch's weights from the events
  assay audit --bundle demo-out/epoch-0.assay the same, offline, from one file
  assay replay --epoch 0 --rules loosh/1.2.8  what if other rules had been in force
  assay verify                                check every byte of the log
  assay leaderboard
  assay explain --miner 5F… --epoch 0         why was my score zero?

Without --database and DATABASE_URL, commands use the database that `assay demo` left.
Exit codes of audit and verify: 0 equal, 1 differs, 2 cannot tell.";

/// Log line formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run chain, miners, validator and API on this machine and audit each epoch.
    Demo(DemoArgs),
    /// Run a validator on a subnet.
    Validator(ValidatorArgs),
    /// Run a miner.
    Miner(MinerArgs),
    /// Ask a miner directly and print what it answers. Nothing is recorded.
    Query(QueryArgs),
    /// Push a question to a validator.
    Ask(AskArgs),
    /// Tell what a validator does as it comes, audit each epoch, and push questions if wanted.
    Follow(FollowArgs),
    /// Run the development chain.
    Localnet(LocalnetArgs),
    /// Serve the read side: GraphQL, GraphiQL, health.
    Api(ApiArgs),
    /// Bring the database's schema up to date; safe to repeat.
    Migrate(DatabaseArgs),
    /// Recompute an epoch and compare it with what is recorded.
    Audit(AuditArgs),
    /// Recompute an epoch under other rules and show who moves.
    Replay(ReplayArgs),
    /// Check the whole log: leaves, tree, order, and what vouches for it outside.
    Verify(VerifyArgs),
    /// Write an epoch as one file that can be audited offline.
    Export(ExportArgs),
    /// Build the read models anew from the log and switch to them.
    Rebuild(DatabaseArgs),
    /// Print the leaderboard.
    Leaderboard(TableArgs),
    /// Print the epochs and what became of their weights.
    Epochs(TableArgs),
    /// Explain a miner's weight in an epoch, with every reason.
    Explain(ExplainArgs),
    /// Draw how alike the answers of a round are, as SVG or PNG.
    Heatmap(HeatmapArgs),
    /// Tell a round in sentences, by rules from its recorded facts.
    Narrative(NarrativeArgs),
    /// Import conversations and list them.
    Conversations(ConversationsArgs),
    /// Serve conversations to validators of the Conversation Genome.
    ConversationServer(ConversationServerArgs),
    /// Print the shipped rule sets and their hashes.
    Rules(RulesArgs),
    /// Print the subnets that this program has rules for: numbers, upstream, rule sets.
    Subnets(SubnetsArgs),
    /// Set an epoch's derived weights beside the rows on chain: this hotkey's, other validators', and their consensus.
    Compare(CompareArgs),
    /// Make wallets and list them.
    Wallet(WalletCommandArgs),
    /// Take a slot of a subnet for a hotkey.
    Register(RegisterArgs),
    /// Make once the keys and passwords that the services of a deployment share.
    Provision(ProvisionArgs),
    /// Ask whether a service answers.
    Health(HealthArgs),
    /// Look at every piece that a validator needs and report all that is missing or wrong.
    Check(CheckArgs),
}

/// Which database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL URL.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
}

/// Which ledger of a database.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The ledger's origin; needed only when the database holds several.
    #[arg(long, value_name = "ORIGIN")]
    pub ledger: Option<String>,
    /// Short for --ledger when only one ledger has this subnet.
    #[arg(long, value_name = "N", conflicts_with = "ledger")]
    pub netuid: Option<u16>,
}
