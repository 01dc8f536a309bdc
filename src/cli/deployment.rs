//! Arguments of the commands that services of a deployment need from each other: keys and passwords, health, and who asks and follows.

use super::{ComparedChainArgs, LedgerArgs};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `assay provision`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay provision secrets
  assay provision secrets --database-host db.internal --database-port 5433

Makes, below the folder, what is missing and leaves what is there:
  db/         passwords of the logins superuser, migrate, validator, api, auditor
  migrate/    pgpass of the schema's owner
  validator/  pgpass, token of the push routes, hotkey.json of the development chain
  api/        pgpass of the read side
  auditor/    pgpass of who may only read, and the token
  grafana/    password of its admin
  chain/      genesis.json of the development chain
  keys/       the keys behind it; no service needs them")]
pub struct ProvisionArgs {
    /// Folder, made when it does not exist.
    pub folder: PathBuf,
    /// Host of the database, as the services call it.
    #[arg(long, default_value = "db", value_name = "HOST")]
    pub database_host: String,
    /// Its port.
    #[arg(long, default_value_t = 5432, value_name = "PORT")]
    pub database_port: u16,
    /// The database's name.
    #[arg(long, default_value = "assay", value_name = "NAME")]
    pub database_name: String,
}

/// Arguments of `assay health`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay health http://127.0.0.1:8080/readyz         answers with success
  assay health http://127.0.0.1:8091/availability   and says that it is available
  assay health ws://127.0.0.1:9944                  is a chain that answers
  assay health postgres://validator@db:5432/assay   lets this login in
  assay health /var/lib/assay                       is a folder that can be written

Exit codes: 0 healthy, 1 not.")]
pub struct HealthArgs {
    /// What is asked: an HTTP address, a chain's, a database's, or a folder.
    #[arg(value_name = "URL|FOLDER")]
    pub target: String,
    /// Milliseconds until it counts as silent.
    #[arg(long, default_value_t = 3_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub timeout_ms: u64,
}

/// A validator's push routes.
#[derive(Debug, Clone, Args)]
pub struct PushArgs {
    /// Base URL of the validator's routes.
    #[arg(long, env = "ASSAY_VALIDATOR", default_value = "http://127.0.0.1:8000", value_name = "URL")]
    pub validator: String,
    /// File with the token of its routes; not needed on the same machine.
    #[arg(long, env = "ASSAY_API_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Arguments of `assay ask`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay ask \"What is the moon made of?\"
  assay ask --id mine-1 --json \"What is the moon made of?\"
  assay ask --validator http://validator:8000 --token-file token \"What is the moon made of?\"

The validator has committed the challenge when this returns. What miners answered and earned is in the log: `assay follow` tells it.")]
pub struct AskArgs {
    /// The question.
    pub prompt: String,
    /// Where it is pushed.
    #[command(flatten)]
    pub push: PushArgs,
    /// Id of the challenge, new in the ledger. Default: made from the clock.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay follow`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay follow                              tells rounds and epochs as they come, and audits each epoch
  assay follow --chain ws://127.0.0.1:9944  audits against the chain, too
  assay follow --network finney             against the main network's public node
  assay follow --questions 40 --pause 5     pushes a shipped question every 5 s after the first 40
  assay follow --once                       ends with the next epoch's audit
  assay follow --progress follow.json       goes on where it ended, and audits what closed meanwhile

Exit codes with --once: 0 equal, 1 differs, 2 cannot tell.")]
pub struct FollowArgs {
    /// Which ledger. Of several the one that was written last, and the next one when that is begun.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// The chain that audits compare with.
    #[command(flatten)]
    pub chain: ComparedChainArgs,
    /// Where questions are pushed.
    #[command(flatten)]
    pub push: PushArgs,
    /// Push shipped questions to a validator of Loosh: so many at once, then one after each pause. 0 pushes none.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub questions: u32,
    /// Seconds between two questions after the first ones.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub pause: u64,
    /// Address of the read side, to be told with the results.
    #[arg(long, env = "ASSAY_API", value_name = "URL")]
    pub api: Option<String>,
    /// File that keeps how far each ledger was audited, so that the next start misses no epoch. Without one it begins at the log's end.
    #[arg(long, value_name = "FILE")]
    pub progress: Option<PathBuf>,
    /// End with the first audited epoch.
    #[arg(long)]
    pub once: bool,
}
