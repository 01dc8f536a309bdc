//! The ledger beside postgres-es, both through `EventStore::commit` on one server that writes to disk.
//!
//! `cargo bench -p ledger --bench ledger -- [--quick] [--seconds 5] [--runs 5] [--directory DIR]`. Prints the settings, then a line
//! each: `name ours peer ratio`. Runs alternate between the two, and each figure is the median of its runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod payload;
mod server;
mod workload;

use std::time::Duration;

use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore};
use ledger::{Cause, Ledger, LedgerContext, LedgerStore, NewEvent, migrate};
use payload::{Sample, Samples};
use postgres_es::PostgresEventRepository;
use workload::{Measured, Workload, measure};

type Peer = PersistedEventStore<PostgresEventRepository, Samples>;

/// Producers of single events, ours and the peer's larger choice.
const PRODUCERS: usize = 64;
/// The peer's smaller choice of writers.
const FEW: usize = 8;
/// Events of one command in the second comparison: half a batch.
const BULK: usize = 256;

/// What each place of the results holds.
const WORKLOADS: [&str; 5] = ["ours, 64 x 1", "peer, 8 x 1", "peer, 64 x 1", "ours, 1 x 256", "peer, 1 x 256"];

struct Arguments {
    seconds: f64,
    runs: usize,
    directory: Option<std::path::PathBuf>,
    /// One place of [`WORKLOADS`], to profile it.
    only: Option<usize>,
}

fn arguments() -> Arguments {
    let mut found = Arguments { seconds: 5.0, runs: 5, directory: None, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => found.seconds = words.next().and_then(|w| w.parse().ok()).expect("--seconds takes a number"),
            "--quick" => (found.seconds, found.runs) = (2.0, 3),
            "--runs" => found.runs = words.next().and_then(|w| w.parse().ok()).expect("--runs takes a number"),
            "--directory" => found.directory = words.next().map(Into::into),
            "--only" => found.only = words.next().and_then(|w| w.parse().ok()).filter(|only| *only < WORKLOADS.len()),
            // What cargo passes to every bench.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    found
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let arguments = arguments();
    let cluster = server::start(arguments.directory).await;
    let url = cluster.url();
    server::print_server(&url).await;
    println!(
        "# {} cores, {}-byte payloads, {} alternating runs of {} s, unix socket, one machine",
        std::thread::available_parallelism().unwrap(),
        payload::encoded_length(),
        arguments.runs,
        arguments.seconds
    );

    migrate::run(&url).await.unwrap();
    let ledger = Ledger::create(&url, "bench/1", "the bench", opening()).await.unwrap();
    let ours = LedgerStore::<Samples>::new(ledger.clone());
    let few = peer(&url, FEW).await;
    let many = peer(&url, PRODUCERS).await;

    let time = Duration::from_secs_f64(arguments.seconds);
    let single = Workload { producers: PRODUCERS, events: 1, time };
    let fewer = Workload { producers: FEW, ..single };
    let bulk = Workload { producers: 1, events: BULK, time };
    let mut results: [Vec<Measured>; 5] = Default::default();
    for run in 0..arguments.runs {
        let context = |id: String, version: u64| LedgerContext::at(id, version, Samples);
        let peer_context = |id: String, version: u64| EventStoreAggregateContext {
            aggregate_id: id,
            aggregate: Samples,
            current_sequence: version as usize,
            current_snapshot: None,
        };
        for (place, result) in results.iter_mut().enumerate() {
            if arguments.only.is_some_and(|only| only != place) {
                continue;
            }
            server::settle(&url).await;
            let stream = format!("{place}-{run}");
            let measured = match place {
                0 => measure(&ours, single, &stream, context).await,
                1 => measure(&few, fewer, &stream, peer_context).await,
                2 => measure(&many, single, &stream, peer_context).await,
                3 => measure(&ours, bulk, &stream, context).await,
                _ => measure(&few, bulk, &stream, peer_context).await,
            };
            println!("# run {run} {}: {measured}", WORKLOADS[place]);
            result.push(measured);
        }
    }
    let events = ledger.size();
    let verification = ledger.reader().verify(None).await.unwrap();
    assert!(verification.findings.is_empty(), "{verification}");
    println!("# our log of {events} events was verified after the runs");
    if arguments.only.is_none() {
        report(&results);
    }
    ledger.close().await;
}

fn report([ours, few, many, ours_bulk, peer_bulk]: &[Vec<Measured>; 5]) {
    let rate = |runs: &[Measured]| median(runs.iter().map(|run| run.events_per_second).collect());
    let p99 = |runs: &[Measured]| median(runs.iter().map(|run| run.p99.as_secs_f64() * 1e3).collect());
    let peer = if rate(few) > rate(many) { few } else { many };
    let writers = if rate(few) > rate(many) { FEW } else { PRODUCERS };
    println!(
        "# the peer's best for single events is with {writers} writers ({FEW}: {:.0}/s, {PRODUCERS}: {:.0}/s)",
        rate(few),
        rate(many)
    );
    let line = |name: &str, ours: f64, peer: f64, digits: usize| {
        println!("{name} {ours:.digits$} {peer:.digits$} {:.2}", ours / peer);
    };
    line("single-events-64-producers-per-second", rate(ours), rate(peer), 0);
    line("single-events-64-producers-p99-milliseconds", p99(ours), p99(peer), 2);
    line("256-events-a-command-1-producer-per-second", rate(ours_bulk), rate(peer_bulk), 0);
    line("256-events-a-command-1-producer-p99-milliseconds", p99(ours_bulk), p99(peer_bulk), 2);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn opening() -> NewEvent {
    NewEvent {
        stream_type: "ledger".into(),
        stream_id: "bench/1".into(),
        kind: "LedgerOpened".into(),
        version: 1,
        payload: Sample::new(0).text.into_bytes(),
        block: 0,
        cause: Cause::Own,
    }
}

/// The peer's store with a pool of as many connections as it has writers.
async fn peer(url: &str, writers: usize) -> Peer {
    let pool = server::pool(url, writers).await;
    sqlx::query(server::PEER_TABLE).execute(&pool).await.unwrap();
    PersistedEventStore::new_event_store(PostgresEventRepository::new(pool))
}
