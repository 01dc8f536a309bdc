//! The command line: what a user types, with examples. No logic.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

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

/// Arguments of `assay demo`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  assay demo --once --questions 40\n  assay demo --subnet cgp --once\n  assay demo --subnet all\n  assay demo --tamper\n  assay demo --discard"
)]
pub struct DemoArgs {
    /// Push the questions, close and audit one epoch, then end.
    #[arg(long)]
    pub once: bool,
    /// Remove the demo's database, chain and keys at the end.
    #[arg(long)]
    pub discard: bool,
    /// Change one payload and one score in copies of the log and show that both are caught. Ends by itself, as with --once.
    #[arg(long)]
    pub tamper: bool,
    /// Which subnet: loosh, cgp, twitter, conversion, bettertherapy, or all side by side.
    #[arg(long, default_value = "loosh", value_name = "NAME")]
    pub subnet: String,
    /// How many rounds to wait for at first: shipped questions that are pushed, or tasks that the validator makes.
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub questions: u32,
    /// Rule set by name; the one of the subnet's document when none is given. `assay rules` lists them.
    #[arg(long)]
    pub rules: Option<String>,
    /// Where bundles go.
    #[arg(long, default_value = "demo-out", value_name = "FOLDER")]
    pub out: PathBuf,
    /// PostgreSQL URL; without one a private server is started.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Seconds between two questions once the first ones are answered.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub pause: u64,
}

/// Arguments of `assay validator`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay validator --netuid 78 --hotkey keys/hotkey.json --checkpoint-key keys/log.json --checkpoints checkpoints
  ASSAY_API_TOKEN=… assay validator --netuid 78 --listen 0.0.0.0:8000 … (clients elsewhere send the token)
  assay validator --netuid 78 --rules loosh/readme --netuid 33 --rules cgp/readme …   (two subnets; routes on ports 8000
  and 8001)

DATABASE_URL names the database; `assay migrate` makes its schema.")]
pub struct ValidatorArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Configuration file. Default: assay.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Ask no language model, whatever is configured: mechanisms judge by their own rules.
    #[arg(long)]
    pub offline: bool,
    /// The subnet; several ones run side by side: --netuid 78 --netuid 79.
    #[arg(long, required = true, value_name = "N")]
    pub netuid: Vec<u16>,
    /// URL of the chain.
    #[arg(long, env = "ASSAY_CHAIN", default_value = "http://127.0.0.1:9944")]
    pub chain: String,
    /// Name of the network; `local` allows private addresses.
    #[arg(long, default_value = "local")]
    pub network: String,
    /// Hotkey file; made when it does not exist.
    #[arg(long, value_name = "FILE")]
    pub hotkey: PathBuf,
    /// File of the Ed25519 key that signs checkpoints; made when it does not exist.
    #[arg(long, value_name = "FILE")]
    pub checkpoint_key: PathBuf,
    /// Folder outside of the database for checkpoints.
    #[arg(long, value_name = "FOLDER")]
    pub checkpoints: PathBuf,
    /// Rule set by name: one for all subnets, or one for each --netuid in order. Default: the rules of Loosh's document on a
    /// local network, those of its running upstream elsewhere.
    #[arg(long)]
    pub rules: Vec<String>,
    /// Address of the push routes. The routes of the second subnet listen on the next port, and so on.
    #[arg(long, env = "ASSAY_VALIDATOR_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Token for routes that change something; without one only loopback may use them.
    #[arg(long, env = "ASSAY_API_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Hotkeys whose signed requests may change something.
    #[arg(long, value_name = "SS58")]
    pub allow_hotkey: Vec<String>,
    /// Blocks per epoch.
    #[arg(long, default_value_t = 360, value_name = "BLOCKS")]
    pub epoch_blocks: u64,
    /// Seconds between availability sweeps.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub sweep: u64,
    /// Milliseconds until the collector gives up, when shorter than the rule set's.
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u32>,
}

/// Arguments of `assay check`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay check
  assay check --netuid 78 --hotkey keys/hotkey.json --checkpoint-key keys/log.json --checkpoints checkpoints
  assay check --config assay.toml --json

Each configured language model is asked for one tiny completion. Exit codes: 0 nothing is wrong, 1 something is.")]
pub struct CheckArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Configuration file. Default: assay.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// The subnet; several ones: --netuid 78 --netuid 79.
    #[arg(long, value_name = "N")]
    pub netuid: Vec<u16>,
    /// URL of the chain.
    #[arg(long, env = "ASSAY_CHAIN", default_value = "http://127.0.0.1:9944")]
    pub chain: String,
    /// Hotkey file.
    #[arg(long, value_name = "FILE")]
    pub hotkey: Option<PathBuf>,
    /// File of the Ed25519 key that signs checkpoints.
    #[arg(long, value_name = "FILE")]
    pub checkpoint_key: Option<PathBuf>,
    /// Folder outside of the database for checkpoints.
    #[arg(long, value_name = "FOLDER")]
    pub checkpoints: Option<PathBuf>,
    /// Address of the push routes.
    #[arg(long, env = "ASSAY_VALIDATOR_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay miner`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay miner --hotkey keys/miner.json --listen 127.0.0.1:8091
  assay miner --hotkey keys/copycat.json --listen 127.0.0.1:8092 --profile copycat --peer http://127.0.0.1:8091

Profiles: honest, copycat, spammer, slow, dead, malformed.")]
pub struct MinerArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub listen: SocketAddr,
    /// Hotkey file; made when it does not exist.
    #[arg(long, value_name = "FILE")]
    pub hotkey: PathBuf,
    /// Which subnet's requests it answers: loosh, cgp, twitter, conversion or bettertherapy.
    #[arg(long, default_value = "loosh", value_name = "NAME")]
    pub subnet: String,
    /// How it behaves: honest, or one of the labelled misbehaving profiles of the demo.
    #[arg(long, default_value = "honest")]
    pub profile: String,
    /// Which honest variant it is: how much and from which part of the corpus it answers.
    #[arg(long, default_value_t = 0)]
    pub variant: u32,
    /// The miner whose answers a copycat takes.
    #[arg(long, value_name = "URL")]
    pub peer: Option<String>,
    /// Model that answers, as ONNX: for `--subnet conversion`, in place of the shipped one.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Tweets that answers are drawn from, one JSON object a line: for `--subnet twitter`, in place of the shipped sample.
    #[arg(long, value_name = "FILE")]
    pub tweets: Option<PathBuf>,
    /// Refuse requests without a validator's signature.
    #[arg(long)]
    pub require_signed: bool,
}

/// Arguments of `assay localnet`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay localnet --data chain --genesis genesis.json
  assay localnet --data chain --genesis genesis.json --block-time-ms 250

`assay demo` leaves a genesis specification in $ASSAY_HOME/demo/genesis.json.")]
pub struct LocalnetArgs {
    /// Address to listen on; loopback only.
    #[arg(long, default_value = "127.0.0.1:9944")]
    pub listen: SocketAddr,
    /// Folder of its blocks.
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// File with the genesis specification as JSON; read when the folder is empty.
    #[arg(long, value_name = "FILE")]
    pub genesis: PathBuf,
    /// Milliseconds between blocks.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub block_time_ms: u64,
}

/// Arguments of `assay api`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay api
  DATABASE_URL=postgres://reader@db/assay assay api --listen 0.0.0.0:8080")]
pub struct ApiArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Address to listen on.
    #[arg(long, env = "ASSAY_API_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
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
    #[arg(long, value_name = "URL", env = "ASSAY_CHAIN")]
    pub chain: Option<String>,
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
  assay replay --epoch 0 --rules mine.json")]
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
    #[arg(long, value_name = "FOLDER")]
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
  assay rules --show loosh/readme")]
pub struct RulesArgs {
    /// Print one rule set's canonical JSON.
    #[arg(long, value_name = "NAME")]
    pub show: Option<String>,
}

/// Arguments of `assay conversations`.
#[derive(Debug, Clone, Args)]
#[command(after_help = CONVERSATIONS_EXAMPLES)]
pub struct ConversationsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConversationsCommand,
}

const CONVERSATIONS_EXAMPLES: &str = "Examples:
  assay conversations import talk.vtt --source youtube --out store.jsonl
  assay conversations import messages.csv --source discord --out store.jsonl
  assay conversations list store.jsonl
  assay conversation-server --file store.jsonl";

/// What `assay conversations` does.
#[derive(Debug, Clone, Subcommand)]
pub enum ConversationsCommand {
    /// Add a file's conversations to a store, without the speakers' names.
    Import(ImportArgs),
    /// Print the conversations of a store.
    List(ListArgs),
}

/// Arguments of `assay conversations import`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay conversations import talk.vtt --source youtube --out store.jsonl
  assay conversations import episode.srt --source podcast --out store.jsonl
  assay conversations import messages.csv --source discord --out store.jsonl --json
  assay conversations import thread.txt --format json-lines --source twitter --out store.jsonl

A CSV file has a heading with columns such as author, text and conversation, or a column chat with a turn a line.
A conversation that is in the store already is not added again. Names within the texts stay.")]
pub struct ImportArgs {
    /// The file to read.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the conversations come from; JSON lines may say it themselves.
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub source: Option<ConversationSource>,
    /// The store to add to; made when it does not exist.
    #[arg(long, short, value_name = "STORE")]
    pub out: PathBuf,
    /// How the file is written. Default: what its extension says (.jsonl, .ndjson, .csv, .tsv, .vtt, .srt).
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<ConversationFormat>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay conversations list`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  assay conversations list store.jsonl\n  assay conversations list store.jsonl --json"
)]
pub struct ListArgs {
    /// The store.
    #[arg(value_name = "STORE")]
    pub store: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where a conversation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConversationSource {
    /// The transcript of a video.
    Youtube,
    /// The transcript of a podcast.
    Podcast,
    /// Messages of a Discord channel.
    Discord,
    /// A thread of tweets.
    Twitter,
    /// Any other chat.
    Chat,
}

impl From<ConversationSource> for conversations::Source {
    fn from(source: ConversationSource) -> Self {
        match source {
            ConversationSource::Youtube => Self::Youtube,
            ConversationSource::Podcast => Self::Podcast,
            ConversationSource::Discord => Self::Discord,
            ConversationSource::Twitter => Self::Twitter,
            ConversationSource::Chat => Self::Chat,
        }
    }
}

/// How a file of conversations is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConversationFormat {
    /// A JSON object a line.
    JsonLines,
    /// A table with a heading.
    Csv,
    /// WebVTT captions.
    Vtt,
    /// SubRip captions.
    Srt,
}

impl From<ConversationFormat> for conversations::import::Format {
    fn from(format: ConversationFormat) -> Self {
        match format {
            ConversationFormat::JsonLines => Self::JsonLines,
            ConversationFormat::Csv => Self::Csv,
            ConversationFormat::Vtt => Self::Vtt,
            ConversationFormat::Srt => Self::Srt,
        }
    }
}

/// Arguments of `assay conversation-server`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay conversation-server --file store.jsonl
  ASSAY_CONVERSATION_KEY=… assay conversation-server --file store.jsonl --listen 0.0.0.0:8095 --records results
  curl -X POST http://127.0.0.1:8095/api/v1/conversation/reserve -d '{}'

Routes: POST /api/v1/conversation/reserve, PUT /api/v1/conversation/record/GUID, GET /metrics (this machine only).
A conversation is handed out to one client at a time. Clients send the key as `Authorization: Bearer KEY`.")]
pub struct ConversationServerArgs {
    /// The store, or any file of JSON lines with conversations.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Address to listen on; others than this machine are served with a key only.
    #[arg(long, env = "ASSAY_CONVERSATION_LISTEN", default_value = "127.0.0.1:8095")]
    pub listen: SocketAddr,
    /// Folder of records and reservations. Default: FILE.records.
    #[arg(long, value_name = "FOLDER")]
    pub records: Option<PathBuf>,
    /// The key that clients must bring.
    #[arg(long, env = "ASSAY_CONVERSATION_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Seconds that a conversation stays reserved.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub expiry: u64,
    /// Megabytes of records at most; further ones are refused.
    #[arg(long, default_value_t = 16_384, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub record_megabytes: u64,
}
