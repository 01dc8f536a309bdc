//! `assay query`: one question to one miner, outside of any ledger.

mod question;
mod told;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::events::FailureReason;
use domain::types::{HexBytes, Hotkey, Micros, Position, sha256};
use domain::wire::{self, Dialect};
use network::keys::Keypair;
use validator::transport::{self, TransportRequest};

use self::question::Question;
use self::told::Told;
use crate::cli::{QueryArgs, WalletArgs};
use crate::operator::HotkeyFile;
use crate::output;

/// Addresses of a name that are tried, one after the other.
const MOST_ADDRESSES: usize = 8;

/// Asks, and prints what came.
pub async fn run(args: &QueryArgs) -> Result<ExitCode> {
    let miner: Hotkey =
        args.hotkey.parse().with_context(|| format!("--hotkey {:?} is no SS58 address", args.hotkey))?;
    let question = Question::of(args)?;
    let keypair = key(args)?;
    let axons = resolve(&args.axon).await?;
    let dialect = Dialect::from(args.dialect);
    let body = question.body_in(dialect)?;
    let request_hash = sha256(&body);
    // Whoever types an address may reach it, private or not.
    let transport = transport::open(dialect, &keypair, true)?;
    let timeout = Duration::from_secs(args.timeout);
    let mut request = TransportRequest {
        hotkey: miner,
        address: String::new(),
        body,
        kind: question.kind,
        request_hash,
        validator: keypair.hotkey(),
        receipt: HexBytes(keypair.sign(&wire::request_message(&request_hash.0))),
        // No ledger records it.
        origin: String::new(),
        challenge_id: String::new(),
        attempt: 0,
        position: Position(0),
        deadline: Micros(0),
        timeout,
    };
    let mut asked = None;
    for axon in axons {
        request.address = format!("http://{axon}");
        let exchange = transport.ask(request.clone()).await;
        let nobody = exchange.as_ref().is_err_and(|error| error.reason == FailureReason::Unreachable);
        asked = Some((axon, exchange));
        if !nobody {
            break;
        }
    }
    let (axon, exchange) = asked.with_context(|| format!("--axon {:?} has no address", args.axon))?;
    let told = Told::new(dialect, axon, &request, exchange);
    if args.json {
        told.print_json()?;
    } else {
        told.print(&args.subnet, timeout);
    }
    Ok(if told.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whose key signs: the named file's, the named wallet's, the default wallet's where there is one, else a new one.
fn key(args: &QueryArgs) -> Result<Keypair> {
    if let Some(file) = &args.key {
        ensure!(file.exists(), "--key {} does not exist; leave it out to ask under a new key", file.display());
        return Keypair::load(file).with_context(|| format!("the key in {}", file.display()));
    }
    let named = args.wallet_name.is_some() || args.wallet_hotkey.is_some() || args.wallet_path.is_some();
    let wallet = HotkeyFile::of(&WalletArgs {
        hotkey: None,
        wallet_name: args.wallet_name.clone(),
        wallet_hotkey: args.wallet_hotkey.clone(),
        wallet_path: args.wallet_path.clone(),
    });
    match wallet {
        Err(error) if named => Err(error),
        Ok(file) if file.path.exists() => file.load(),
        Ok(file) if named => {
            let path = file.path.display();
            anyhow::bail!("{path} does not exist; `assay wallet show` lists wallets, --key names a file")
        }
        _ => {
            let keypair = Keypair::generate()?;
            output::notice(format!("a new key signs, {}: there is no default wallet", keypair.ss58()));
            Ok(keypair)
        }
    }
}

/// The addresses of a name, which may have one for each family while a miner listens at one of them; an address as it is.
async fn resolve(axon: &str) -> Result<Vec<SocketAddr>> {
    let place = axon.strip_prefix("http://").unwrap_or(axon).trim_end_matches('/');
    ensure!(place.rsplit_once(':').is_some(), "--axon {axon:?} has no port; a miner of ours listens on 8091");
    let found = tokio::net::lookup_host(place).await.with_context(|| format!("--axon {axon:?} leads nowhere"))?;
    Ok(found.take(MOST_ADDRESSES).collect())
}
