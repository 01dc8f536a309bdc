//! Arguments of `assay wallet`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `assay wallet`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay wallet new --wallet.name owner --wallet.hotkey validator
  assay wallet new --wallet.name trial --no-password --wallet.path wallets
  assay wallet show
  assay wallet show --wallet.name owner --json")]
pub struct WalletCommandArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WalletCommand,
}

/// What `assay wallet` does.
#[derive(Debug, Clone, Subcommand)]
pub enum WalletCommand {
    /// Make a wallet: a coldkey where there is none, and a hotkey. Prints their phrases, once.
    New(WalletNewArgs),
    /// List the wallets of a folder: addresses, how the secrets are kept, what is wrong. Shows no secret.
    Show(WalletShowArgs),
}

/// Arguments of `assay wallet new`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay wallet new --wallet.name owner --wallet.hotkey validator
  assay wallet new --wallet.name owner --wallet.hotkey second      the coldkey stays, a hotkey is added

The files are those of Bittensor's own tools. The coldkey is encrypted under a password that is asked for, or that the
variable BT_PW_… of its path holds as those tools write it. Nothing is ever overwritten.")]
pub struct WalletNewArgs {
    /// The wallet's name.
    #[arg(long = "wallet.name", value_name = "NAME", default_value = network::wallet::DEFAULT_NAME)]
    pub name: String,
    /// The hotkey's name.
    #[arg(long = "wallet.hotkey", value_name = "NAME", default_value = network::wallet::DEFAULT_NAME)]
    pub hotkey: String,
    /// Folder of wallets.
    #[arg(long = "wallet.path", value_name = "FOLDER", default_value = network::wallet::DEFAULT_ROOT)]
    pub path: PathBuf,
    /// Write the coldkey as plain text: for trials only.
    #[arg(long)]
    pub no_password: bool,
    /// Words of each phrase: 12, 15, 18, 21 or 24.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub words: usize,
}

/// Arguments of `assay wallet show`.
#[derive(Debug, Clone, Args)]
pub struct WalletShowArgs {
    /// Only the wallet of this name.
    #[arg(long = "wallet.name", value_name = "NAME")]
    pub name: Option<String>,
    /// Only the hotkeys of this name.
    #[arg(long = "wallet.hotkey", value_name = "NAME")]
    pub hotkey: Option<String>,
    /// Folder of wallets.
    #[arg(long = "wallet.path", value_name = "FOLDER", default_value = network::wallet::DEFAULT_ROOT)]
    pub path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
