//! Arguments of `assay query`.

use super::DialectName;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `assay query`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay query --axon 127.0.0.1:8091 --hotkey 5F… \"Why is an append-only log useful?\"
  assay query --axon 127.0.0.1:8091 --hotkey 5F… --subnet bettertherapy --dialect fiber-encrypted \"How do I rest?\"
  assay query --axon 203.0.113.7:8091 --hotkey 5F… --subnet cgp --body window.json --wallet.name validator --json

The answer goes to standard output, what is to be said about it to standard error. Without a key and a wallet a new key signs, which
miners that know their validators refuse. Nothing is recorded, and the request names no ledger: miners that answer only recorded
requests (`assay miner --require-signed`) refuse it.
Exit codes: 0 answered, 1 no answer or a wrong signature, 2 not asked.")]
pub struct QueryArgs {
    /// Where the miner listens.
    #[arg(long, value_name = "HOST:PORT")]
    pub axon: String,
    /// The miner's hotkey, to which the request is bound and whose signature the answer should carry.
    #[arg(long, value_name = "SS58")]
    pub hotkey: String,
    /// Which subnet's request: loosh, cgp, twitter, conversion or bettertherapy.
    #[arg(long, default_value = "loosh", value_name = "NAME")]
    pub subnet: String,
    /// How it is asked. Miners of this make answer all of them on one port.
    #[arg(long, value_enum, default_value_t = DialectName::Axon)]
    pub dialect: DialectName,
    /// File of the key that signs the request.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wallet_name", "wallet_hotkey", "wallet_path"])]
    pub key: Option<PathBuf>,
    /// The wallet whose hotkey signs, as the documents spell it. Default: default, where there is one.
    #[arg(long = "wallet.name", value_name = "NAME")]
    pub wallet_name: Option<String>,
    /// The wallet's hotkey. Default: default.
    #[arg(long = "wallet.hotkey", value_name = "NAME")]
    pub wallet_hotkey: Option<String>,
    /// Folder of wallets. Default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "FOLDER")]
    pub wallet_path: Option<PathBuf>,
    /// Seconds until it is given up.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// What is asked, for loosh, twitter and bettertherapy.
    #[arg(required_unless_present = "body", conflicts_with = "body")]
    pub prompt: Option<String>,
    /// File with the request's JSON object, as the subnet's synapse has it.
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// Print JSON: status, times, whether the signature holds, and the answer.
    #[arg(long)]
    pub json: bool,
}
