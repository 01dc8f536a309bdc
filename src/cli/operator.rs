//! Arguments that say on which network, for which subnet and with which keys: in our words, and as the subnets' documents
//! spell them.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which chain.
#[derive(Debug, Clone, Default, Args)]
pub struct NetworkArgs {
    /// Which network: local, test or finney. It says where the chain is unless --chain does, and which rules are in force
    /// unless --rules does; `local` alone allows private addresses. The chain's genesis hash must be that network's. Default: what
    /// the genesis hash of a chain on this machine says, else local.
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// The same as the documents spell it: a network's name, or a chain's URL.
    #[arg(long = "subtensor.network", value_name = "NAME|URL")]
    pub subtensor_network: Option<String>,
    /// URL of the chain; several, given one by one or with commas between, are tried in order, and the next one takes over when a node
    /// fails. Default: that of the network.
    #[arg(long, env = "ASSAY_CHAIN", value_name = "URL", value_delimiter = ',')]
    pub chain: Vec<String>,
    /// The same as the documents spell it.
    #[arg(long = "subtensor.chain_endpoint", value_name = "URL", value_delimiter = ',')]
    pub chain_endpoint: Vec<String>,
}

/// Whose key.
#[derive(Debug, Clone, Default, Args)]
pub struct WalletArgs {
    /// Hotkey file; made when it does not exist. Without it the wallet's hotkey is used, which must exist; a miner that joins a local
    /// network and has neither makes a key in $ASSAY_HOME/keys.
    #[arg(long, value_name = "FILE")]
    pub hotkey: Option<PathBuf>,
    /// The wallet, as the documents spell it. Default: default.
    #[arg(long = "wallet.name", value_name = "NAME")]
    pub wallet_name: Option<String>,
    /// The wallet's hotkey. Default: default.
    #[arg(long = "wallet.hotkey", value_name = "NAME")]
    pub wallet_hotkey: Option<String>,
    /// Folder of wallets. Default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "FOLDER")]
    pub wallet_path: Option<PathBuf>,
}

/// Which subnets a validator serves, where and with what.
#[derive(Debug, Clone, Default, Args)]
pub struct OperatorArgs {
    /// Subnet by name, which gives number and rules: loosh, cgp, twitter, conversion, bettertherapy. Several run side by side:
    /// --subnet loosh --subnet cgp. `assay subnets` lists them.
    #[arg(long, value_name = "NAME")]
    pub subnet: Vec<String>,
    /// Subnet by number; several ones: --netuid 78 --netuid 79.
    #[arg(long, value_name = "N")]
    pub netuid: Vec<u16>,
    /// Rule set by name: one for all subnets, or one for each in order. Default: those of the subnet's document on a local
    /// network, those of the running upstream elsewhere.
    #[arg(long, value_name = "RULES")]
    pub rules: Vec<String>,
    /// Which chain.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Whose key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// File of the Ed25519 key that signs checkpoints; made when it does not exist. Default: checkpoint.json in $ASSAY_HOME.
    #[arg(long, value_name = "FILE")]
    pub checkpoint_key: Option<PathBuf>,
    /// Folder outside of the database for checkpoints. Default: checkpoints in $ASSAY_HOME.
    #[arg(long, value_name = "FOLDER")]
    pub checkpoints: Option<PathBuf>,
    /// Which ledger of this hotkey on the subnet: 0, the first, unless it was begun anew; then the next number, which begins a ledger
    /// where there is none. The old one stays for audits. With several subnets one for each, in order. `assay check` ignores it.
    #[arg(long, env = "ASSAY_LEDGER_NUMBER", value_name = "N", value_delimiter = ',')]
    pub ledger_number: Vec<u32>,
    /// Address of the push routes. The routes of the second subnet listen on the next port, and so on. Default: 127.0.0.1:8000.
    #[arg(long, env = "ASSAY_VALIDATOR_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Only the port of that address, as the documents spell it.
    #[arg(long = "axon.port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub axon_port: Option<u16>,
    /// More log lines, as the documents spell it; RUST_LOG says it more finely.
    #[arg(long = "logging.debug")]
    pub logging_debug: bool,
}

/// Arguments of `assay register`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay register --subnet loosh --network local --hotkey keys/miner.json
  assay register --subnet cgp --network test --wallet.name miner --wallet.hotkey default

A slot of a public network costs TAO, which the coldkey pays: its wallet is opened with the password that is asked for, or with the
variable BT_PW_… of its path. On a local network the hotkey registers itself, and nothing is paid.")]
pub struct RegisterArgs {
    /// Subnet by name: loosh, cgp, twitter, conversion, bettertherapy.
    #[arg(long, value_name = "NAME")]
    pub subnet: Option<String>,
    /// Subnet by number.
    #[arg(long, value_name = "N")]
    pub netuid: Option<u16>,
    /// Which chain.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Whose key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Pay without asking on a public network.
    #[arg(long)]
    pub yes: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay subnets`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  assay subnets\n  assay subnets --json")]
pub struct SubnetsArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay compare`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay compare --epoch 3
  assay compare --epoch 3 --network finney --json
  assay compare --epoch 3 --chain ws://127.0.0.1:9944 --block 8123456

Rows are compared as shares of their sum. Read them beside what `assay epochs` says became of the epoch's own weights.")]
pub struct CompareArgs {
    /// Which ledger.
    #[command(flatten)]
    pub ledger: super::LedgerArgs,
    /// The epoch whose derived weights are compared.
    #[arg(long, value_name = "E")]
    pub epoch: u64,
    /// Which chain. Default: the demo's when its database is used.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// The block after which the chain's rows are read. Default: the later one of the block in which the epoch's weights came to stand on
    /// chain (by inclusion, or by their reveal) and the one that the next epoch was derived at, else the newest.
    #[arg(long, value_name = "N")]
    pub block: Option<u64>,
    /// How many differences are listed.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=4096))]
    pub differences: u16,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
