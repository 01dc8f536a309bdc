//! `assay check`: looks at every piece that a validator needs and reports all that is missing or wrong in one run.
//!
//! Nothing is made or changed, with one exception: each language model is asked for one tiny completion, which costs some tokens.

mod models;

use crate::cli::CheckArgs;
use crate::commands::process;
use crate::configuration::Configuration;
use crate::database::{self, Database};
use crate::output;
use anyhow::{Context, Result, bail, ensure};
use chain::Chain;
use chain::development::Client;
use domain::ruleset::RuleSet;
use domain::types::NetUid;
use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long the chain may take to answer one question.
const CHAIN_PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Wrong,
    NotAsked,
}

/// What was found of one piece.
#[derive(Debug, Serialize)]
struct Finding {
    piece: String,
    state: State,
    said: String,
}

impl Finding {
    fn of(piece: impl Into<String>, result: Result<String>) -> Self {
        let (state, said) = match result {
            Ok(said) => (State::Good, said),
            Err(error) => (State::Wrong, format!("{error:#}")),
        };
        Self { piece: piece.into(), state, said }
    }

    fn not_asked(piece: &str, option: &str) -> Self {
        Self { piece: piece.to_owned(), state: State::NotAsked, said: format!("not looked at without {option}") }
    }
}

/// Looks at everything and prints what was found. The exit code is 0 if nothing is wrong, else 1.
pub async fn run(args: &CheckArgs) -> Result<ExitCode> {
    if let Some(rules) = &args.process {
        let documents = || {
            domain::mechanism::shipped().iter().map(RuleSet::name).filter(|name| name.ends_with("/readme")).collect()
        };
        let rules = if rules.is_empty() { documents() } else { rules.clone() };
        process::rounds(&rules, &Configuration::load(args.config.as_deref())?, args.offline).await?;
        output::line("check: every round went from its task to weights");
        return Ok(ExitCode::SUCCESS);
    }
    let configuration = Configuration::load(args.config.as_deref());
    let keypair = args.hotkey.as_deref().map(hotkey);
    let found = configuration.as_ref().ok();
    let (database, embeddings, chain, endpoints, rewards) = tokio::join!(
        database(args),
        models::embeddings(found.and_then(|found| found.embedding.clone())),
        on_chain(args, &keypair),
        models::endpoints(found),
        models::rewards(found)
    );
    let mut findings = vec![Finding::of("configuration", configuration.map(|found| summary(&found)))];
    findings.extend(endpoints);
    findings.extend(rewards);
    findings.push(Finding::of("embeddings", embeddings));
    findings.push(Finding::of("database", database));
    findings.push(match keypair {
        Some(keypair) => Finding::of("hotkey", keypair.map(|keypair| keypair.ss58())),
        None => Finding::not_asked("hotkey", "--hotkey FILE"),
    });
    findings.push(match &args.checkpoint_key {
        Some(file) => Finding::of("checkpoint key", checkpoint_key(file)),
        None => Finding::not_asked("checkpoint key", "--checkpoint-key FILE"),
    });
    findings.push(match &args.checkpoints {
        Some(folder) => Finding::of("checkpoints", checkpoints(folder)),
        None => Finding::not_asked("checkpoints", "--checkpoints FOLDER"),
    });
    findings.extend(chain);
    findings.extend(ports(args));
    print(&findings, args.json)?;
    let wrong = findings.iter().any(|finding| finding.state == State::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(findings: &[Finding], json: bool) -> Result<()> {
    if json {
        return output::json(&findings);
    }
    let width = findings.iter().map(|finding| finding.piece.chars().count()).max().unwrap_or(0);
    for Finding { piece, state, said } in findings {
        let word = match state {
            State::Good => "good ",
            State::Wrong => "WRONG",
            State::NotAsked => "-    ",
        };
        output::line(format!("{word}  {piece:<width$}  {said}"));
    }
    let count = |wanted| findings.iter().filter(|finding| finding.state == wanted).count();
    output::line(format!(
        "{} good, {} wrong, {} not looked at",
        count(State::Good),
        count(State::Wrong),
        count(State::NotAsked)
    ));
    Ok(())
}

fn summary(configuration: &Configuration) -> String {
    let join = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let llms = match configuration.llm.len() {
        0 => "no language model: mechanisms judge by their own rules".to_owned(),
        _ => format!("language models: {}", join(configuration.llm.keys().collect())),
    };
    match configuration.reward.len() {
        0 => llms,
        _ => format!("{llms}; reward models: {}", join(configuration.reward.keys().collect())),
    }
}

async fn database(args: &CheckArgs) -> Result<String> {
    let found = Database::open(args.database.database.as_deref()).await?;
    let mut connection = database::connect(&found.url).await?;
    let book = "SELECT name FROM assay.migrations";
    let Ok(applied) = sqlx::query_scalar::<_, String>(book).fetch_all(&mut connection).await else {
        return Ok("answers and has Assay's tables (this role may not see which migrations are applied)".to_owned());
    };
    let missing = ledger::migrate::MIGRATIONS.iter().map(|migration| migration.name);
    let missing: Vec<&str> = missing.filter(|name| !applied.iter().any(|applied| applied == name)).collect();
    ensure!(missing.is_empty(), "migrations are missing: {}; run `assay migrate` as its owner", missing.join(", "));
    Ok("answers, and its schema is up to date".to_owned())
}

fn hotkey(file: &Path) -> Result<Keypair> {
    ensure!(file.exists(), "{} does not exist; `assay validator` would make a new key there", file.display());
    Ok(Keypair::load(file)?)
}

fn checkpoint_key(file: &Path) -> Result<String> {
    ensure!(file.exists(), "{} does not exist; `assay validator` would make a new key there", file.display());
    CheckpointKey::load(file)?;
    Ok(format!("{} can be read", file.display()))
}

fn checkpoints(folder: &Path) -> Result<String> {
    let metadata = std::fs::metadata(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    ensure!(metadata.is_dir(), "{} is no folder", folder.display());
    ensure!(!metadata.permissions().readonly(), "{} cannot be written", folder.display());
    Ok(format!("{} is a folder", folder.display()))
}

async fn on_chain(args: &CheckArgs, keypair: &Option<Result<Keypair>>) -> Vec<Finding> {
    let url = &args.chain;
    let connected = in_time(async {
        let client = Client::connect(url).await?;
        let head = client.head().await?;
        Ok((client, head))
    });
    let (client, head) = match connected.await {
        Ok(connected) => connected,
        Err(error) => return vec![Finding::of("chain", Err(error.context(format!("{url} does not answer"))))],
    };
    let mut findings = vec![Finding::of("chain", Ok(format!("{url} is at block {}", head.number)))];
    if args.netuid.is_empty() {
        findings.push(Finding::not_asked("subnet", "--netuid N"));
    }
    for netuid in &args.netuid {
        let slot = in_time(async {
            let metagraph = client.metagraph(NetUid(*netuid), head.number).await?;
            let neurons = metagraph.neurons.len();
            let Some(Ok(keypair)) = keypair else { return Ok(format!("{neurons} neurons")) };
            match metagraph.neuron_of(&keypair.hotkey()) {
                Some(neuron) => Ok(format!("{neurons} neurons; the hotkey holds uid {}", neuron.uid)),
                None => bail!("the hotkey {} is not registered: its weights would not count", keypair.ss58()),
            }
        });
        findings.push(Finding::of(format!("subnet {netuid}"), slot.await));
    }
    findings
}

async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || format!("no answer in {} s", CHAIN_PATIENCE.as_secs());
    tokio::time::timeout(CHAIN_PATIENCE, work).await.with_context(late)?
}

/// The push routes of the subnets listen on consecutive ports.
fn ports(args: &CheckArgs) -> Vec<Finding> {
    let count = u16::try_from(args.netuid.len().max(1)).unwrap_or(u16::MAX);
    let free = |at: u16| {
        let port = args.listen.port().checked_add(at);
        let result = port.context("--listen leaves no port for every subnet").and_then(|port| {
            let address = SocketAddr::new(args.listen.ip(), port);
            std::net::TcpListener::bind(address).with_context(|| format!("{address} cannot be listened on"))?;
            Ok(format!("{address} is free"))
        });
        Finding::of("port", result)
    };
    (0..count).map(free).collect()
}
