//! `make bench-axon`: the Python axon of SDK 10.5.0 and ours, the same synapse under the same load in the same run.
//!
//! Both are processes of their own on loopback, and share the machine with what asks them. Requests are signed before they are
//! sent, so that signing is not measured. Prints one line a figure, `name ours peer ratio`, after lines that begin with a hash
//! sign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod load;
mod peer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axon::client::DendriteLimits;
use axon::{Call, Dendrite, Target};
use network::address::AddressGuard;
use network::keys::Keypair;
use network::legacy::Json;

use load::{Load, paced, saturated};
use peer::{Peer, echo};

/// Connections of the load, each a process of its own to the axon.
const CONNECTIONS: usize = 32;

/// Miners that a validator asks at once.
const MINERS: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        let axons = arguments[at + 1].parse().unwrap();
        return runtime.block_on(peer::serve(axons));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    runtime.block_on(run(quick));
}

async fn run(quick: bool) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "# {cores} cores, shared by server and load; {CONNECTIONS} connections, kept alive; requests signed beforehand"
    );
    let ours = Peer::ours(1).await;
    match Peer::python().await {
        Some(python) => throughput(&ours, &python, quick).await,
        None => println!("# no bittensor 10.5.0: run scripts/setup-interop.sh; ours is measured alone"),
    }
    latency(&ours, quick).await;
    memory(&ours, quick).await;
    drop(ours);
    fan_out().await;
}

async fn throughput(ours: &Peer, python: &Peer, quick: bool) {
    let (rounds, requests, fewer) = if quick { (1, 6_000, 600) } else { (3, 30_000, 2_000) };
    let (mut best_ours, mut best_python) = (0.0f64, 0.0f64);
    for round in 1..=rounds {
        let a = saturated(ours, Load::new(CONNECTIONS, requests)).await;
        let b = saturated(python, Load::new(CONNECTIONS, fewer)).await;
        println!("# run {round}: {a:.0} requests/s ours, {b:.0} Python's");
        (best_ours, best_python) = (best_ours.max(a), best_python.max(b));
    }
    println!("axon-requests-per-second {best_ours:.0} {best_python:.0} {:.1}", best_ours / best_python);
}

async fn latency(ours: &Peer, quick: bool) {
    let requests = if quick { 1_500 } else { 10_000 };
    let mut taken = paced(ours, Load::new(CONNECTIONS, requests), 500).await;
    taken.sort_unstable();
    let at = |share: usize| taken[(taken.len() * share / 1000).min(taken.len() - 1)].as_secs_f64() * 1e3;
    println!("# at 500 requests/s: median {:.2} ms, 99.9 % {:.2} ms", at(500), at(999));
    println!("axon-p99-milliseconds {:.2} - -", at(990));
}

/// Resident memory over many requests, each with a nonce that was never used, from as many hotkeys as connections.
async fn memory(ours: &Peer, quick: bool) {
    let (chunks, each) = if quick { (4, 5_000) } else { (20, 10_000) };
    saturated(ours, Load::new(CONNECTIONS, each)).await;
    let before = ours.resident_kib();
    let mut most = before;
    for _ in 0..chunks {
        saturated(ours, Load::new(CONNECTIONS, each)).await;
        most = most.max(ours.resident_kib());
    }
    let after = ours.resident_kib();
    println!("# memory over {} requests: {before} KiB before, {after} after, {most} at most", chunks * each);
    println!("axon-memory-growth-kib {} - -", after.saturating_sub(before));
}

async fn fan_out() {
    let peers = Peer::ours(MINERS).await;
    let guard = AddressGuard::for_network("local");
    let alice = Keypair::from_uri("//Alice").unwrap();
    let hotkey = Keypair::from_uri("//Bob").unwrap().hotkey();
    let mut best = Duration::MAX;
    for round in 1..=5 {
        let dendrite = Arc::new(Dendrite::new(alice.clone(), "127.0.0.1", guard, DendriteLimits::default()).unwrap());
        let call =
            Call::typed(&echo(), vec![("prompt".to_owned(), Json::text("hello"))], Duration::from_secs(12)).unwrap();
        let calls =
            peers.addresses.iter().map(|address| (Target { hotkey, address: *address }, call.clone())).collect();
        let begun = Instant::now();
        let outcomes = dendrite.ask_all(calls).await;
        let taken = begun.elapsed();
        let answered = outcomes.iter().filter(|outcome| outcome.is_success()).count();
        println!("# run {round}: {answered} of {MINERS} miners answered within {:.0} ms", taken.as_secs_f64() * 1e3);
        assert_eq!(answered, MINERS, "{:?}", outcomes.iter().find(|outcome| !outcome.is_success()));
        best = best.min(taken);
    }
    println!("dendrite-256-miners-milliseconds {:.0} - -", best.as_secs_f64() * 1e3);
}
