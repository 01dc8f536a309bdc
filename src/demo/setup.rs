//! Starts everything the demo needs, in order: database, chain, miners, validator, API.

use super::cast::{self, Seat, Subnet};
use super::genesis;
use super::processes::{Process, free_port};
use super::state::{self, DemoState, cluster_directory};
use crate::chain_connection;
use crate::cli::DemoArgs;
use crate::output;
use anyhow::{Context, Result};
use cluster::{Options, SharedCluster};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Blocks of the demo's epochs: at 500 ms half a minute.
const EPOCH_BLOCKS: u64 = 60;
/// The demo's chain is this much faster than the real one's 12 s.
const BLOCK_TIME_MS: u64 = 500;
/// Long enough for honest miners on a busy machine, short enough to watch the slow one miss it.
const DEADLINE_MS: u64 = 8_000;
/// How long one process may take to come up; the first miner computes the corpus' vectors.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that runs.
pub struct Stage {
    /// Where it is.
    pub state: DemoState,
    /// Processes in the order in which they are to be stopped.
    pub processes: Vec<Process>,
    /// The private server, unless a database was given.
    pub server: Option<SharedCluster>,
    /// Folder of the demo.
    pub folder: PathBuf,
    /// Held as long as this demo lives.
    _alone: File,
}

impl Stage {
    /// Says which process ended before its time, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::check)
    }

    /// Ends every process, the database last.
    pub async fn stop(mut self) -> DemoState {
        for process in self.processes.drain(..) {
            process.stop().await;
        }
        self.state
    }
}

/// Starts everything that the subnets need.
pub async fn start(args: &DemoArgs, subnets: &[Season], folder: PathBuf) -> Result<Stage> {
    let (logs, keys) = (folder.join("logs"), folder.join("keys"));
    let alone = state::only_demo(&folder)?;
    let (server, database) = database(args, &folder).await?;
    ledger::migrate::run(&database).await.context("the schema cannot be brought up to date")?;

    let seats = seats(subnets)?;
    let (chain_process, chain_url) = chain(&folder, &logs, &keys, &seats).await?;
    let miners = miners(&logs, &keys, &seats).await?;
    let state = DemoState {
        cluster: server.as_ref().map(|server| server.directory().to_owned()),
        database,
        validator: format!("http://127.0.0.1:{}", free_ports(8000, subnets.len() as u16)?),
        api: format!("http://127.0.0.1:{}", free_port(8080)?),
        chain: chain_url,
        checkpoints: folder.join("checkpoints"),
    };
    state.store(&folder)?;
    let validator = validator(subnets, &state, &logs, &keys).await?;
    let api = api(&state, &logs).await?;
    let mut processes = vec![validator, api];
    processes.extend(miners);
    processes.push(chain_process);
    Ok(Stage { state, processes, server, folder, _alone: alone })
}

/// A subnet and the rule set under which it is played.
pub struct Season {
    /// The subnet.
    pub subnet: &'static Subnet,
    /// The rule set's name.
    pub rules: String,
}

fn seats(subnets: &[Season]) -> Result<Vec<Seat>> {
    let players =
        subnets.iter().flat_map(|season| season.subnet.players.iter().map(move |player| (season.subnet, player)));
    let mut seats: Vec<Seat> = Vec::new();
    for (subnet, player) in players {
        let port = free_port(seats.last().map_or(8091, |seat| seat.axon.port() + 1))?;
        seats.push(Seat { subnet, player, axon: ([127, 0, 0, 1], port).into() });
    }
    Ok(seats)
}

/// The first of so many free ports in a row.
fn free_ports(from: u16, count: u16) -> Result<u16> {
    let mut first = free_port(from)?;
    let mut found = 1;
    while found < count {
        let next = free_port(first + found)?;
        (first, found) = if next == first + found { (first, found + 1) } else { (next, 1) };
    }
    Ok(first)
}

async fn database(args: &DemoArgs, folder: &Path) -> Result<(Option<SharedCluster>, String)> {
    if let Some(url) = &args.database {
        output::line("demo: using the database of DATABASE_URL");
        crate::database::connect(url).await?;
        return Ok((None, url.clone()));
    }
    let root = std::process::Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let directory = cluster_directory(folder, root);
    output::line(format!("demo: starting a private PostgreSQL in {}", directory.display()));
    let mut options = Options::persistent(directory);
    // Each subnet's validator, follower and audit have sessions of their own.
    options.settings.push(("max_connections".to_owned(), "300".to_owned()));
    let server = SharedCluster::attach(options).await.context("the private PostgreSQL")?;
    let url = server.url();
    Ok((Some(server), url))
}

async fn chain(folder: &Path, logs: &Path, keys: &Path, seats: &[Seat]) -> Result<(Process, String)> {
    output::line("demo: starting the development chain");
    let data = folder.join("chain");
    let genesis = folder.join("genesis.json");
    if !genesis.exists() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::write(&genesis, serde_json::to_vec_pretty(&genesis::specification(keys, true)?)?)?;
    }
    let address: SocketAddr = ([127, 0, 0, 1], free_port(9944)?).into();
    let arguments = [
        "localnet".to_owned(),
        format!("--listen={address}"),
        format!("--data={}", data.display()),
        format!("--genesis={}", genesis.display()),
        format!("--block-time-ms={BLOCK_TIME_MS}"),
    ];
    let mut process = Process::start("chain", &arguments, logs, &[])?;
    let url = format!("ws://{address}");
    process.await_ready(PATIENCE, || chain_connection::answers(&url)).await?;
    announce(&url, keys, seats).await?;
    Ok((process, url))
}

/// Announces the axons whose ports differ from those that the chain knows.
async fn announce(url: &str, keys: &Path, seats: &[Seat]) -> Result<()> {
    let client = chain_connection::open(url).await?;
    let head = client.head().await?;
    for Seat { subnet, player, axon } in seats {
        let metagraph = client.metagraph(subnet.netuid, head.number).await?;
        let keypair = subnet.keypair(keys, player)?;
        let known = metagraph.neuron_of(&keypair.hotkey()).and_then(chain::Neuron::axon);
        if known != Some(*axon) {
            client
                .serve_axon(subnet.netuid, *axon, &keypair, Duration::from_secs(30))
                .await
                .with_context(|| format!("the axon of {} cannot be announced", subnet.file_name(player.name)))?;
        }
    }
    Ok(())
}

async fn miners(logs: &Path, keys: &Path, seats: &[Seat]) -> Result<Vec<Process>> {
    let names: Vec<String> = seats.iter().map(|seat| seat.subnet.file_name(seat.player.name)).collect();
    output::line(format!("demo: starting {} miners: {}", seats.len(), players(seats, &names)));
    let mut processes = Vec::new();
    for (Seat { subnet, player, axon }, name) in seats.iter().zip(&names) {
        let mut arguments = vec![
            "miner".to_owned(),
            // The demo asks nobody outside, whatever is configured on this machine.
            "--offline".to_owned(),
            format!("--subnet={}", subnet.name),
            format!("--listen={axon}"),
            format!("--hotkey={}", cast::key_file(keys, name).display()),
            format!("--profile={}", player.profile),
            format!("--variant={}", player.variant),
        ];
        let peer = |seat: &&Seat| seat.subnet.netuid == subnet.netuid && Some(seat.player.name) == player.copies;
        if let Some(peer) = seats.iter().find(peer) {
            // What a validator signs for one axon is worth nothing at another: a copycat asks in its own name.
            let hotkey = subnet.keypair(keys, peer.player)?.hotkey();
            arguments.push(format!("--peer={hotkey}@http://{}", peer.axon));
        }
        let mut process = Process::start(name, &arguments, logs, &[])?;
        if player.profile != "dead" {
            // One after the other: the first computes the corpus' vectors, the others find them.
            process.await_ready(PATIENCE, || available(format!("http://{axon}/availability"))).await?;
        }
        processes.push(process);
    }
    Ok(processes)
}

/// The names of one subnet's miners; of several, how many each has.
fn players(seats: &[Seat], names: &[String]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for seat in seats {
        match counts.last_mut().filter(|(name, _)| *name == seat.subnet.name) {
            Some((_, count)) => *count += 1,
            None => counts.push((seat.subnet.name, 1)),
        }
    }
    if counts.len() == 1 {
        return names.join(", ");
    }
    let of: Vec<String> = counts.iter().map(|(name, count)| format!("{count} of {name}")).collect();
    of.join(", ")
}

async fn validator(subnets: &[Season], state: &DemoState, logs: &Path, keys: &Path) -> Result<Process> {
    let rules: Vec<&str> = subnets.iter().map(|season| season.rules.as_str()).collect();
    output::line(format!("demo: starting the validator under {}", rules.join(", ")));
    // The demo is the same on every machine, whatever keys its environment holds and whatever file lies here.
    let configuration = keys.join("assay.toml");
    std::fs::write(&configuration, "").with_context(|| format!("cannot write {}", configuration.display()))?;
    let mut arguments = vec![
        "validator".to_owned(),
        "--offline".to_owned(),
        format!("--config={}", configuration.display()),
        format!("--chain={}", state.chain),
        "--network=local".to_owned(),
        format!("--hotkey={}", cast::key_file(keys, "validator").display()),
        format!("--checkpoint-key={}", keys.join("checkpoint.json").display()),
        format!("--checkpoints={}", state.checkpoints.display()),
        format!("--listen={}", state.validator.trim_start_matches("http://")),
        format!("--epoch-blocks={EPOCH_BLOCKS}"),
        "--sweep=5".to_owned(),
        format!("--deadline-ms={DEADLINE_MS}"),
        "--task-seconds=0".to_owned(),
    ];
    for Season { subnet, rules } in subnets {
        arguments.push(format!("--netuid={}", subnet.netuid));
        arguments.push(format!("--rules={rules}"));
    }
    let environment = [("DATABASE_URL", state.database.clone())];
    let mut process = Process::start("validator", &arguments, logs, &environment)?;
    // Each subnet has the next port, and is up when its own routes are.
    let first: SocketAddr = state.validator.trim_start_matches("http://").parse()?;
    for port in (first.port()..).take(subnets.len()) {
        let url = format!("http://127.0.0.1:{port}/availability");
        process.await_ready(PATIENCE, || available(url.clone())).await?;
    }
    Ok(process)
}

async fn api(state: &DemoState, logs: &Path) -> Result<Process> {
    output::line("demo: starting the read side");
    let arguments = ["api".to_owned(), format!("--listen={}", state.api.trim_start_matches("http://"))];
    let environment = [("DATABASE_URL", state.database.clone())];
    let mut process = Process::start("api", &arguments, logs, &environment)?;
    let url = format!("{}/livez", state.api);
    process.await_ready(PATIENCE, || answers(url.clone())).await?;
    Ok(process)
}

async fn get(url: String) -> Option<reqwest::Response> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().ok()?;
    client.get(url).send().await.ok().filter(|reply| reply.status().is_success())
}

async fn answers(url: String) -> bool {
    get(url).await.is_some()
}

async fn available(url: String) -> bool {
    match get(url).await {
        Some(reply) => reply.json::<serde_json::Value>().await.is_ok_and(|body| body["available"] == true),
        None => false,
    }
}
