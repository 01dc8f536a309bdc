//! `assay check`: looks at every piece that a validator needs and reports all that is missing or wrong in one run.
//!
//! Nothing is made or changed, with one exception: each language model is asked for one tiny completion, which costs some tokens.

mod chain;
mod models;
mod pushes;
mod services;

use crate::cli::CheckArgs;
use crate::commands::process;
use crate::configuration::Configuration;
use crate::database::{self, Database};
use crate::files;
use crate::operator::{self, HotkeyFile, Network, Served};
use crate::output;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, ensure};
use domain::ruleset::RuleSet;
use network::checkpoint_key::CheckpointKey;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Wrong,
    /// Worth knowing, and no reason not to start.
    Note,
    NotAsked,
}

/// What was found of one piece.
#[derive(Debug, Serialize)]
struct Finding {
    piece: String,
    state: State,
    said: String,
    /// What to do, where something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn of(piece: impl Into<String>, result: Result<String>) -> Self {
        let (state, said) = match result {
            Ok(said) => (State::Good, said),
            Err(error) => (State::Wrong, format!("{error:#}")),
        };
        Self { piece: piece.into(), state, said, next: None }
    }

    /// Something is wrong, and this is the way out of it.
    fn wrong(piece: impl Into<String>, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { piece: piece.into(), state: State::Wrong, said: said.into(), next: Some(next.into()) }
    }

    /// Something that is worth knowing.
    fn note(piece: impl Into<String>, said: impl Into<String>) -> Self {
        Self { piece: piece.into(), state: State::Note, said: said.into(), next: None }
    }

    /// As a note where it would be wrong, if it is none of a validator's business that acts as told.
    fn noted_if(mut self, is_so: bool) -> Self {
        if is_so && self.state == State::Wrong {
            self.state = State::Note;
            self.next = None;
        }
        self
    }

    /// What to do if it is wrong.
    fn or(mut self, next: impl Into<String>) -> Self {
        if self.state == State::Wrong {
            self.next.get_or_insert(next.into());
        }
        self
    }

    fn not_asked(piece: &str, option: &str) -> Self {
        Self {
            piece: piece.to_owned(),
            state: State::NotAsked,
            said: format!("not looked at without {option}"),
            next: None,
        }
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
    // The chain first: which network it is decides about numbers and rules.
    let reached = chain::reach(&Network::of(&args.operator.network)).await;
    let served = reached.network.as_ref().map(|network| operator::served(&args.operator, network.name));
    let served = served.filter(|_| names_subnet(args));
    let rule_sets: Vec<RuleSet> = served_ones(&served).iter().map(|served| served.rule_set.clone()).collect();
    let hotkey = asks_for_hotkey(args).then(|| HotkeyFile::of(&args.operator.wallet).and_then(|file| file.read()));
    let listen = operator::listen(&args.operator);
    let network = reached.network.as_ref().map_or(NetworkName::Local, |network| network.name);
    let found = configuration.as_ref().ok();
    let (database, embeddings, on_chain, endpoints, rewards) = tokio::join!(
        database(args, network),
        models::embeddings(found.and_then(|found| found.embedding.clone()), &rule_sets),
        chain::look(&reached, served_ones(&served), hotkey.as_ref(), listen.as_ref().ok(), args.shadow),
        models::endpoints(found),
        models::rewards(found)
    );
    let services = names_subnet(args).then(|| {
        let hotkey = hotkey.as_ref().and_then(|hotkey| hotkey.as_ref().ok());
        services::look(args, &rule_sets, hotkey)
    });
    let pushes = listen.as_ref().map(|listen| pushes::look(&args.routes, served_ones(&served), network, *listen));
    let mut findings = vec![Finding::of("configuration", configuration.map(|found| summary(&found)))];
    if args.demonstrations > 0 {
        let said = "a development chain, its validator and its miners would run beside, on the same database";
        findings.push(Finding::wrong(
            "ASSAY_DEMO",
            said,
            "set ASSAY_DEMO=0, and let `docker compose up -d` take them away",
        ));
    }
    findings.extend(served.map(|served| Finding::of("subnets", served.map(|served| in_force(&served)))));
    findings.extend(endpoints);
    findings.extend(rewards);
    findings.push(
        Finding::of("embeddings", embeddings).or("run `make setup`, or name a model with [embedding] in assay.toml"),
    );
    findings.push(
        Finding::of("database", database).or("set DATABASE_URL, then run `assay migrate` once as the database's owner"),
    );
    findings.push(match hotkey {
        Some(keypair) => Finding::of("hotkey", keypair.map(|keypair| keypair.ss58()))
            .or(match network {
                NetworkName::Local => "make it with `assay wallet new`, or name a file with --hotkey",
                _ => "make it with `btcli wallet new_hotkey`, or copy hotkey files here with mode 0600; the coldkey stays elsewhere",
            }),
        None => Finding::not_asked("hotkey", "--hotkey FILE, --wallet.name NAME or --subnet NAME"),
    });
    findings.extend(outside(args));
    findings.extend(reached.findings);
    findings.extend(on_chain);
    findings.extend(pushes.into_iter().flatten());
    findings.extend(services.into_iter().flatten());
    match listen {
        Ok(listen) => findings.extend(ports(listen, args.operator.subnet.len().max(args.operator.netuid.len()))),
        Err(error) => findings.push(Finding::of("port", Err(error))),
    }
    print(&findings, args.json)?;
    let wrong = findings.iter().any(|finding| finding.state == State::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The default wallet is looked at where a subnet is named, as a validator would.
fn asks_for_hotkey(args: &CheckArgs) -> bool {
    let wallet = &args.operator.wallet;
    let named = [&wallet.wallet_name, &wallet.wallet_hotkey].iter().any(|name| name.is_some());
    named || wallet.hotkey.is_some() || wallet.wallet_path.is_some() || names_subnet(args)
}

fn names_subnet(args: &CheckArgs) -> bool {
    !args.operator.subnet.is_empty() || !args.operator.netuid.is_empty()
}

fn served_ones(served: &Option<Result<Vec<Served>>>) -> &[Served] {
    served.as_ref().and_then(|served| served.as_ref().ok()).map_or(&[], Vec::as_slice)
}

fn in_force(served: &[Served]) -> String {
    let one = |served: &Served| format!("{} under {}", served.netuid, served.rule_set.name());
    served.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The key and the folder of checkpoints: what was named must be there, the usual ones are made at the first start.
fn outside(args: &CheckArgs) -> [Finding; 2] {
    let usual = names_subnet(args);
    let key = match (&args.operator.checkpoint_key, usual) {
        (Some(file), _) => Finding::of("checkpoint key", checkpoint_key(file)),
        (None, true) => Finding::of(
            "checkpoint key",
            operator::checkpoint_key(&args.operator).and_then(|file| {
                if file.exists() { checkpoint_key(&file) } else { Ok(format!("will be made as {}", file.display())) }
            }),
        ),
        (None, false) => Finding::not_asked("checkpoint key", "--checkpoint-key FILE"),
    };
    let folder = match (&args.operator.checkpoints, usual) {
        (Some(folder), _) => Finding::of("checkpoints", checkpoints(folder)),
        (None, true) => Finding::of(
            "checkpoints",
            operator::checkpoints(&args.operator).and_then(|folder| {
                if folder.exists() { checkpoints(&folder) } else { Ok(format!("will be made as {}", folder.display())) }
            }),
        ),
        (None, false) => Finding::not_asked("checkpoints", "--checkpoints FOLDER"),
    };
    [
        key.or("name another file with --checkpoint-key"),
        folder.or("make the folder, or name another one with --checkpoints"),
    ]
}

fn print(findings: &[Finding], json: bool) -> Result<()> {
    if json {
        return output::json(&findings);
    }
    let width = findings.iter().map(|finding| finding.piece.chars().count()).max().unwrap_or(0);
    for Finding { piece, state, said, next } in findings {
        let word = match state {
            State::Good => "good ",
            State::Wrong => "WRONG",
            State::Note => "note ",
            State::NotAsked => "-    ",
        };
        output::line(format!("{word}  {piece:<width$}  {said}"));
        if let Some(next) = next {
            output::line(format!("{:>width$}  next: {next}", "", width = width + 7));
        }
    }
    let count = |wanted| findings.iter().filter(|finding| finding.state == wanted).count();
    let notes = match count(State::Note) {
        0 => String::new(),
        notes => format!(", {notes} noted"),
    };
    output::line(format!(
        "{} good, {} wrong{notes}, {} not looked at",
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

async fn database(args: &CheckArgs, network: NetworkName) -> Result<String> {
    database::is_named_for(network, args.database.database.as_deref())?;
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

fn checkpoint_key(file: &Path) -> Result<String> {
    ensure!(file.exists(), "{} does not exist; `assay validator` would make a new key there", file.display());
    CheckpointKey::load(file)?;
    Ok(format!("{} can be read", file.display()))
}

fn checkpoints(folder: &Path) -> Result<String> {
    let metadata = std::fs::metadata(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    ensure!(metadata.is_dir(), "{} is no folder", folder.display());
    files::is_writable(folder)?;
    Ok(format!("{} is a folder that can be written", folder.display()))
}

/// The push routes of the subnets listen on consecutive ports.
fn ports(first: SocketAddr, subnets: usize) -> Vec<Finding> {
    let count = u16::try_from(subnets.max(1)).unwrap_or(u16::MAX);
    let free = |at: u16| {
        let port = first.port().checked_add(at);
        let result = port.context("--listen leaves no port for every subnet").and_then(|port| {
            let address = SocketAddr::new(first.ip(), port);
            std::net::TcpListener::bind(address).with_context(|| format!("{address} cannot be listened on"))?;
            Ok(format!("{address} is free"))
        });
        Finding::of("port", result).or("end what listens there, or name another address with --listen or --axon.port")
    };
    (0..count).map(free).collect()
}
