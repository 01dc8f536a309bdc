//! Arguments of the commands that run until they are told to end, and of those that prepare them.

use super::{
    ChallengeServiceArgs, ConversationSourceArgs, DatabaseArgs, NetworkArgs, OperatorArgs, RoutesArgs, WalletArgs,
};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Tell one round step by step first, outside of any network.
    #[arg(long)]
    pub explain: bool,
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
  assay validator --subnet cgp --network finney --wallet.name validator --wallet.hotkey default
  assay validator --subnet cgp --network finney --shadow …   (beside the validator in force; sends nothing)
  assay validator --netuid 78 --hotkey keys/hotkey.json --checkpoint-key keys/log.json --checkpoints checkpoints
  ASSAY_API_TOKEN=… assay validator --netuid 78 --listen 0.0.0.0:8000 … (clients elsewhere send the token)
  assay validator --netuid 78 --rules loosh/readme --netuid 33 --rules cgp/readme …   (two subnets; routes on ports 8000
  and 8001)
  assay validator --subnet conversion --labels pushed …      (a service pushes conversations, and labels when it knows them)
  ASSAY_CONVERSATION_KEY=… assay validator --netuid 33 --rules cgp/assay-1 --conversations http://127.0.0.1:8095 …
  ASSAY_CHALLENGE_API_KEY=… assay validator --subnet loosh --network finney --challenge-api https://challenge.example …

DATABASE_URL names the database; `assay migrate` makes its schema.")]
pub struct ValidatorArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Configuration file. Default: assay.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Ask no language or reward model, whatever is configured: mechanisms judge by their own rules.
    #[arg(long)]
    pub offline: bool,
    /// Which subnets, where and with what.
    #[command(flatten)]
    pub operator: OperatorArgs,
    /// Do everything but send: epochs are derived, covered by a checkpoint outside of the database, and skipped. For running
    /// beside another validator of the same hotkey; `assay compare` sets the rows beside each other.
    #[arg(long, env = "ASSAY_SHADOW", value_parser = clap::builder::FalseyValueParser::new())]
    pub shadow: bool,
    /// How weights are committed where the subnet wants that (commit-reveal): under a timelock that the chain opens itself, or by their
    /// hash, which this validator opens some epochs of the chain later and must run for; `auto` takes the timelock where the chain
    /// has the version of it that this program writes.
    #[arg(long, value_enum, default_value_t = CommitFormName::Auto, value_name = "FORM")]
    pub commit_reveal: CommitFormName,
    /// How miners are asked: as the dendrite of SDK 6 to 10 does, under btauth/1 of SDK 11, in fiber's plain or encrypted mode, in
    /// Loosh's dialect of fiber, in Epistula 2, or over the plain route that miners of this make have besides. It is recorded with
    /// each request.
    #[arg(long, value_enum, default_value_t = DialectName::Axon)]
    pub dialect: DialectName,
    /// Who may push.
    #[command(flatten)]
    pub routes: Box<RoutesArgs>,
    /// Blocks per epoch.
    #[arg(long, default_value_t = 360, value_name = "BLOCKS")]
    pub epoch_blocks: u64,
    /// Seconds between availability sweeps.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub sweep: u64,
    /// Milliseconds until the collector gives up, when shorter than the rule set's.
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u32>,
    /// Seconds between two tasks that the validator makes itself, instead of the rule set's rhythm (BetterTherapy: one an hour); 0
    /// for as soon as rounds end.
    #[arg(long, value_name = "SECONDS")]
    pub task_seconds: Option<u64>,
    /// Who tells the labels of conversions: the public `rule`, only clients through POST /labels (`pushed`), or a file of JSON
    /// lines that is followed, with `challenge_id`, `source` and `label` in each. Clients may tell labels in every case.
    #[arg(long, default_value = "rule", value_name = "rule|pushed|FILE")]
    pub labels: String,
    /// Seconds from a round's evaluation to the moment from which the rule (5 if not given) or the file (0) is asked.
    #[arg(long, value_name = "SECONDS")]
    pub label_seconds: Option<u64>,
    /// Where conversations come from and go to.
    #[command(flatten)]
    pub conversations: Box<ConversationSourceArgs>,
    /// Where Loosh's results go.
    #[command(flatten)]
    pub challenge_service: Box<ChallengeServiceArgs>,
}

/// How weights are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CommitFormName {
    /// As the chain offers.
    Auto,
    /// Encrypted; the chain opens them.
    Timelock,
    /// By their hash; the validator opens them.
    Hash,
}

impl From<CommitFormName> for validator::CommitForm {
    fn from(name: CommitFormName) -> Self {
        match name {
            CommitFormName::Auto => Self::Auto,
            CommitFormName::Timelock => Self::Timelock,
            CommitFormName::Hash => Self::Hash,
        }
    }
}

/// A dialect of the wire that validators ask in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    /// `bittensor/axon/1`.
    Axon,
    /// `btauth/1`.
    Btauth,
    /// `assay/http/1`.
    Http,
    /// `fiber/plain/2`.
    Fiber,
    /// `fiber/encrypted/2`.
    FiberEncrypted,
    /// `fiber/loosh/1`.
    FiberLoosh,
    /// `epistula/2`.
    Epistula,
}

impl From<DialectName> for domain::wire::Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Axon => Self::Axon,
            DialectName::Btauth => Self::BtAuth,
            DialectName::Http => Self::Http,
            DialectName::Fiber => Self::FiberPlain,
            DialectName::FiberEncrypted => Self::FiberEncrypted,
            DialectName::FiberLoosh => Self::FiberLoosh,
            DialectName::Epistula => Self::Epistula,
        }
    }
}

/// Arguments of `assay check`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay check
  assay check --subnet cgp --network finney --wallet.name validator --wallet.hotkey default
  assay check --netuid 78 --hotkey keys/hotkey.json --checkpoint-key keys/log.json --checkpoints checkpoints
  assay check --config assay.toml --json

Each configured language model is asked for one tiny completion, each reward model for one verdict. Exit codes: 0 nothing is wrong, 1 something is.")]
pub struct CheckArgs {
    /// Instead, play one round outside of any network under each of these rule sets: real miners on loopback, evidence, scores.
    /// Without a name under those of all five documents.
    #[arg(long, value_name = "RULES", num_args = 0.., conflicts_with = "json")]
    pub process: Option<Vec<String>>,
    /// With --process: no language or reward model gives verdicts, whatever is configured.
    #[arg(long, requires = "process")]
    pub offline: bool,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Configuration file. Default: assay.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Which subnets, where and with what.
    #[command(flatten)]
    pub operator: Box<OperatorArgs>,
    /// For a validator that sends nothing: what it would need to set weights is noted, and no longer wrong.
    #[arg(long, env = "ASSAY_SHADOW", value_parser = clap::builder::FalseyValueParser::new())]
    pub shadow: bool,
    /// Who may push.
    #[command(flatten)]
    pub routes: Box<RoutesArgs>,
    /// Where conversations come from and go to.
    #[command(flatten)]
    pub conversations: Box<ConversationSourceArgs>,
    /// Where Loosh's results go.
    #[command(flatten)]
    pub challenge_service: Box<ChallengeServiceArgs>,
    /// How many demonstrations docker-compose.yml runs on the same database; there has to be none.
    #[arg(long, env = "ASSAY_DEMO", hide = true, default_value_t = 0, value_name = "N")]
    pub demonstrations: u32,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay miner`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay miner --hotkey keys/miner.json --listen 127.0.0.1:8091
  assay miner --subnet loosh --network local                                   joins a running demo, with a key of its own
  assay miner --subnet loosh --network local --hotkey keys/miner.json          the same, with this one
  assay miner --subnet cgp --network finney --wallet.name miner --wallet.hotkey default --axon.port 8091 --announce 203.0.113.7:8091
  assay miner --hotkey keys/miner.json --subnet cgp --require-signed
  assay miner --hotkey keys/miner.json --subnet twitter --tweets tweets.jsonl --config assay.toml
  assay miner --hotkey keys/miner.json --subnet conversion --model model.onnx
  assay miner --hotkey keys/miner.json --subnet bettertherapy --offline
  assay miner --hotkey keys/copycat.json --listen 127.0.0.1:8092 --profile copycat \
    --peer 5F…@http://127.0.0.1:8091

Profiles: honest, copycat, spammer, slow, dead, malformed. Where assay.toml or OPENAI_API_KEY names a language model, it writes the
answers of an honest miner; what it cannot answer in time is answered without it. See docs/miners.md.")]
pub struct MinerArgs {
    /// Address to listen on. Default: 127.0.0.1:8091, and with --network test or finney port 8091 of every address. A miner that joins
    /// a subnet of a local network takes the next port that is free and that nobody else announces.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Only the port of that address, as the documents spell it.
    #[arg(long = "axon.port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub axon_port: Option<u16>,
    /// Address at which others reach this miner, when it is not the one that it listens on. On a local network a miner that listens
    /// on every address announces the one from which it reaches the chain.
    #[arg(long, value_name = "ADDRESS")]
    pub announce: Option<SocketAddr>,
    /// Whose key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which chain. With a network, --netuid or --announce the miner joins its subnet.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Who may ask a miner that joins its subnet, in every dialect; on the plain route the receipt says who asks. More stake comes
    /// first when it is busy, except on the plain route. Default: anyone on a local network, hotkeys that hold a slot elsewhere.
    #[arg(long, value_enum, value_name = "WHO")]
    pub admit: Option<crate::gate::Admitted>,
    /// The least stake of who asks, in TAO (or the subnet's alpha).
    #[arg(long, value_name = "TAO", value_parser = clap::value_parser!(u64).range(0..=21_000_000), default_value_t = 0)]
    pub min_stake: u64,
    /// Number of the subnet, when it is another than `assay subnets` says. A miner that is told a network, a number or an
    /// address to announce joins the subnet: it announces its axon, and on a local network takes a slot first when it has none.
    #[arg(long, value_name = "N")]
    pub netuid: Option<u16>,
    /// More log lines, as the documents spell it; RUST_LOG says it more finely.
    #[arg(long = "logging.debug")]
    pub logging_debug: bool,
    /// Which subnet's requests it answers: loosh, cgp, twitter, conversion or bettertherapy.
    #[arg(long, default_value = "loosh", value_name = "NAME")]
    pub subnet: String,
    /// How it behaves: honest, or one of the labelled misbehaving profiles of the demo.
    #[arg(long, default_value = "honest")]
    pub profile: String,
    /// Which honest variant it is: how much and from which part of the corpus it answers.
    #[arg(long, default_value_t = 0)]
    pub variant: u32,
    /// The miner whose answers a copycat takes: the plain route of an address, or the axon of a hotkey there.
    #[arg(long, value_name = "[HOTKEY@]URL")]
    pub peer: Option<String>,
    /// Model that answers, as ONNX: for `--subnet conversion`, in place of the shipped one.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Tweets that answers are drawn from, one JSON object a line: for `--subnet twitter`, in place of the shipped sample.
    #[arg(long, value_name = "FILE")]
    pub tweets: Option<PathBuf>,
    /// Configuration file. Default: assay.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Have no language model write answers, whatever is configured.
    #[arg(long)]
    pub offline: bool,
    /// Refuse requests without a validator's signature.
    #[arg(long)]
    pub require_signed: bool,
}

/// Arguments of `assay localnet`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay localnet --data chain --genesis genesis.json
  assay localnet --data chain --genesis genesis.json --block-time-ms 250

`assay demo` leaves a genesis specification in $ASSAY_HOME/demo/genesis.json; `assay provision` makes one, too.")]
pub struct LocalnetArgs {
    /// Address to listen on; loopback only, unless other machines are to be served.
    #[arg(long, default_value = "127.0.0.1:9944")]
    pub listen: SocketAddr,
    /// Serve whoever reaches the address. Anyone there may make blocks and hold slots: for a private network of containers.
    #[arg(long)]
    pub serve_other_machines: bool,
    /// Folder of its blocks.
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// File with the genesis specification as JSON; read when the folder is empty.
    #[arg(long, value_name = "FILE")]
    pub genesis: PathBuf,
    /// Milliseconds between blocks.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub block_time_ms: u64,
    /// Make a block only when `dev_newBlock` asks for it.
    #[arg(long)]
    pub on_demand: bool,
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
