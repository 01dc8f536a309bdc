//! `assay`: a validator you can check. Composition only; what the commands do lives in the crates.

#![allow(unreachable_pub, reason = "nothing of a binary is reachable from outside; pub marks what a module offers")]

mod chain_answers;
mod chain_connection;
mod challenge_service;
mod cli;
mod commands;
mod configuration;
mod database;
mod demo;
mod files;
mod gate;
mod home;
mod joining;
mod judges;
mod ledgers;
mod models;
mod operator;
mod output;
mod process;
mod routes;
mod secrets;
mod shutdown;
mod subnets;

use clap::Parser;
use cli::{Cli, Command, LogFormat};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    silence_onnx_runtime();
    let cli = Cli::parse();
    start_log(
        cli.log_format,
        matches!(
            cli.command,
            Command::Validator(_)
                | Command::Miner(_)
                | Command::Localnet(_)
                | Command::Api(_)
                | Command::ConversationServer(_)
        ),
        match &cli.command {
            Command::Validator(args) => args.operator.logging_debug,
            Command::Check(args) => args.operator.logging_debug,
            Command::Miner(args) => args.logging_debug,
            _ => false,
        },
    );
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let code = runtime.block_on(run(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    code.unwrap_or_else(|error| failed(&error))
}

/// Released builds of ONNX Runtime tell their maker about process and machine, under an id that they keep below HOME. Told so through
/// their interface they stop only after the first message; this variable they read before it.
#[allow(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the library reads nothing but the environment, and no thread runs yet"
)]
fn silence_onnx_runtime() {
    // SAFETY: this is the first thing that the process does; no other thread exists that could read the environment meanwhile.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::error(error);
    ExitCode::from(2)
}

fn start_log(format: LogFormat, long_running: bool, debug: bool) {
    let default = match (debug, long_running) {
        // Those of the libraries would bury our own.
        (true, _) => "debug,hyper=info,h2=info,hyper_util=info,reqwest=info,sqlx=info,rustls=info,ort=warn",
        (false, true) => "info,ort=warn",
        (false, false) => "warn,sqlx=error",
    };
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A chain's address may carry a key in its path or query, and these write the whole address down when they are asked for more.
    for quiet in ["jsonrpsee=info", "soketto=info"] {
        filter = quiet.parse().map_or(filter.clone(), |directive| filter.add_directive(directive));
    }
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let stop = shutdown::Shutdown::listen(cli.stop_with_stdin);
    match cli.command {
        Command::Demo(args) => demo::run(args, stop).await,
        Command::Validator(args) => commands::validator::run(args, stop).await,
        Command::Miner(args) => commands::miner::run(args, stop).await,
        Command::Query(args) => commands::query::run(&args).await,
        Command::Ask(args) => commands::ask::run(&args).await,
        Command::Follow(args) => commands::follow::run(args, stop).await,
        Command::Localnet(args) => commands::localnet::run(args, stop).await,
        Command::Api(args) => commands::api::run(args, stop).await,
        Command::Migrate(args) => commands::migrate::run(&args).await,
        Command::Audit(args) => commands::audit::run(&args).await,
        Command::Replay(args) => commands::replay::run(&args).await,
        Command::Verify(args) => commands::verify::run(&args).await,
        Command::Export(args) => commands::export::run(&args).await,
        Command::Rebuild(args) => commands::rebuild::run(&args).await,
        Command::Leaderboard(args) => commands::tables::leaderboard_command(&args).await,
        Command::Epochs(args) => commands::tables::epochs_command(&args).await,
        Command::Explain(args) => commands::tables::explain_command(&args).await,
        Command::Heatmap(args) => commands::heatmap::run(&args).await,
        Command::Narrative(args) => commands::heatmap::narrative_command(&args).await,
        Command::Conversations(args) => commands::conversations::run(args).await,
        Command::ConversationServer(args) => commands::conversations::serve(args, stop).await,
        Command::Rules(args) => commands::rules::run(&args),
        Command::Subnets(args) => commands::subnets::run(&args),
        Command::Compare(args) => commands::compare::run(&args).await,
        Command::Wallet(args) => commands::wallet::run(&args),
        Command::Register(args) => commands::register::run(&args).await,
        Command::Provision(args) => commands::provision::run(&args),
        Command::Health(args) => commands::health::run(&args).await,
        Command::Check(args) => commands::check::run(&args).await,
    }
}
