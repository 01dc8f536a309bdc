//! Reading a whole log back and decoding every event, on one core; the server works on another one.
//!
//! Ours: `LedgerReader::events` from position 0 to the head, gaps checked, and `StoredEvent::fact` of each, which is what
//! projections, exports and audits begin with. The peer: `stream_all_events`, its events decoded by its own path.

use std::time::Instant;

use futures::TryStreamExt;
use ledger::LedgerReader;

use crate::stored::Filling;
use crate::support::World;
use crate::support::seal::seal;
use crate::{Arguments, line, median, mix, peer};

/// Passes over the log in one run.
const PASSES: u64 = 3;

/// Events a second: by the clock, by what this process's one thread used of its core, by what the server used of its.
struct Rate {
    clock: f64,
    core: f64,
    server: f64,
}

/// `server` is the server's main process.
pub(crate) async fn run(url: &str, server: u32, arguments: &Arguments, rounds: usize) {
    let mut world = mix::world(rounds);
    print_mix(&world);
    let pool = crate::server::pool(url, 1).await;
    let with = fill(url, &world, "bench/with").await;
    peer::fill::<true>(&pool, &world.drafts).await;
    mix::without_vectors(&mut world);
    let without = fill(url, &world, "bench/without").await;
    peer::fill::<false>(&pool, &world.drafts).await;
    let events = world.drafts.len() as u64;
    drop(world);
    crate::server::settle(url).await;

    let mut results: [Vec<Rate>; 5] = Default::default();
    let names = ["ours, no vectors", "peer, no vectors", "ours, vectors", "peer, vectors", "ours, rows only"];
    for run in 0..arguments.runs {
        for (place, result) in results.iter_mut().enumerate() {
            let rate = measure(events, server, async || match place {
                0 => read(&without, true).await,
                1 => peer::read::<false>(&pool).await,
                2 => read(&with, true).await,
                3 => peer::read::<true>(&pool).await,
                _ => read(&without, false).await,
            })
            .await;
            let Rate { clock, core, server } = &rate;
            let name = names[place];
            println!(
                "# run {run} {name}: {clock:.0} events/s, {core:.0} per core-second, {server:.0} per one of the server"
            );
            result.push(rate);
        }
    }
    report(&results);
}

fn report([without, peer_without, with, peer_with, rows]: &[Vec<Rate>; 5]) {
    let clock = |rates: &[Rate]| median(rates.iter().map(|rate| rate.clock).collect());
    let core = |rates: &[Rate]| median(rates.iter().map(|rate| rate.core).collect());
    let compared = |name: &str, ours: f64, peer: f64| println!("{name} {ours:.0} {peer:.0} {:.2}", ours / peer);
    compared("read-and-decode-without-vectors-per-second", clock(without), clock(peer_without));
    compared("read-and-decode-with-vectors-per-second", clock(with), clock(peer_with));
    compared("read-and-decode-without-vectors-per-core-second", core(without), core(peer_without));
    compared("read-and-decode-with-vectors-per-core-second", core(with), core(peer_with));
    let server = |rates: &[Rate]| median(rates.iter().map(|rate| rate.server).collect());
    compared("read-and-decode-without-vectors-per-server-core-second", server(without), server(peer_without));
    line("read-rows-without-vectors-per-second", clock(rows), 0);
    line("read-rows-without-vectors-per-core-second", core(rows), 0);
}

/// The log as a ledger of its own.
async fn fill(url: &str, world: &World, origin: &str) -> LedgerReader {
    let mut filling = Filling::begin(url, origin).await;
    for recorded in seal(world).records {
        filling.push(recorded).await;
    }
    filling.finish(url).await
}

async fn read(reader: &LedgerReader, decode: bool) -> u64 {
    let mut stream = reader.events(0, u64::MAX >> 1, None);
    let mut events = 0;
    while let Some(stored) = stream.try_next().await.unwrap() {
        if decode {
            std::hint::black_box(stored.fact().unwrap().unwrap());
        }
        events += 1;
    }
    events
}

async fn measure(events: u64, server: u32, pass: impl AsyncFn() -> u64) -> Rate {
    // The first pass brings pages and connections up and is not measured.
    assert_eq!(pass().await, events);
    let (begun, core, others) = (Instant::now(), core_seconds(), server_seconds(server));
    for _ in 0..PASSES {
        assert_eq!(pass().await, events);
    }
    let total = (events * PASSES) as f64;
    Rate {
        clock: total / begun.elapsed().as_secs_f64(),
        core: total / (core_seconds() - core),
        server: total / (server_seconds(server) - others),
    }
}

/// What this thread has run so far.
fn core_seconds() -> f64 {
    run_seconds("/proc/thread-self/schedstat").unwrap()
}

/// What the server's processes have run so far. The connections of this bench outlive its runs.
fn server_seconds(server: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|process| run_seconds(&format!("/proc/{process}/schedstat"))).sum()
}

fn run_seconds(path: &str) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn print_mix(world: &World) {
    let mut kinds = std::collections::BTreeMap::new();
    let mut bytes = 0;
    for draft in &world.drafts {
        *kinds.entry(draft.event.kind()).or_insert(0_u64) += 1;
        bytes += draft.event.encode().unwrap().len();
    }
    let events = world.drafts.len();
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let share = |(kind, count): &(&str, u64)| format!("{kind} {:.1} %", *count as f64 * 100.0 / events as f64);
    println!("# the demo's mix: {events} events of {} bytes on average", bytes / events);
    println!("# {}", kinds.iter().take(10).map(share).collect::<Vec<_>>().join(", "));
}
