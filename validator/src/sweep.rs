//! Availability sweeps: who of the announced miners answers, recorded as one event per sweep.
//!
//! There is one at each interval. Where the mechanism says so, every round begins with one of its own, which asks all at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::events::{AvailabilitySwept, Neuron, Probe};
use domain::metagraph::announces_axon;
use domain::types::Position;
use futures::StreamExt;
use futures::stream;

use crate::Error;
use crate::journal::Entry;
use crate::rounds::address;
use crate::rounds::verdict::short;
use crate::shared::{Shared, streams};

/// Miners asked at once before a round: all of a subnet of the usual size, as upstream asks them. Rounds that begin at the same
/// time share these places.
pub(crate) const MOST_AT_ONCE: usize = 256;

/// How much longer than its own limit a probe may take before it is given up from outside.
const TRANSPORT_GRACE: Duration = Duration::from_millis(500);

/// Sweeps at once, then at each interval and when asked to, until the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    loop {
        let begun = Instant::now();
        let begin_of_range = shared.board.read().whole_metagraph;
        let swept = tokio::select! {
            swept = sweep(&shared, shared.config.sweep_timeout, shared.config.sweep_concurrency) => swept,
            () = shared.stop.stopped() => return Ok(()),
        };
        let no_derivation = tokio::select! {
            pass = Arc::clone(&shared.gate).read_owned() => pass,
            () = shared.stop.stopped() => return Ok(()),
        };
        if shared.board.read().whole_metagraph != begin_of_range {
            // A range begins with the metagraph of its beginning: who sees it alone must find whom the sweep asked.
            continue;
        }
        let entry = Entry::new(streams::AVAILABILITY, streams::ONLY, swept);
        match shared.journal.observe(entry, &shared.stop).await {
            Ok(_) => {}
            Err(Error::Stopping) => return Ok(()),
            Err(error) => return Err(error),
        }
        drop(no_derivation);
        let pause = shared.config.sweep_interval.saturating_sub(begun.elapsed());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.sweep_now.notified() => {}
            () = shared.stop.stopped() => return Ok(()),
        }
    }
}

/// The sweep that a round begins with, and where it is recorded. `cause` is the acceptance of the challenge.
///
/// # Errors
/// What no waiting mends, and [`Error::Stopping`].
pub(crate) async fn before_round(
    shared: &Shared,
    timeout: Duration,
    cause: Position,
) -> Result<(Position, AvailabilitySwept), Error> {
    let swept = tokio::select! {
        swept = sweep(shared, timeout, MOST_AT_ONCE) => swept,
        () = shared.stop.stopped() => return Err(Error::Stopping),
    };
    let entry = Entry::new(streams::AVAILABILITY, streams::ONLY, swept.clone()).because(cause);
    let position = shared.journal.observe(entry, &shared.stop).await?;
    Ok((position, swept))
}

/// Asks every slot of the recorded metagraph that announced an axon, some at a time. Who of them is a validator is for the draw
/// to say, by the rule set.
async fn sweep(shared: &Shared, timeout: Duration, concurrency: usize) -> AvailabilitySwept {
    let metagraph = shared.board.read().metagraph.clone();
    let miners: Vec<Neuron> = metagraph.iter().flat_map(|(_, metagraph)| metagraph.neurons()).cloned().collect();
    let miners = miners.into_iter().filter(|neuron| neuron.hotkey != shared.own && announces_axon(neuron));
    let probes = stream::iter(miners.map(|neuron| probe(shared, neuron, timeout)));
    let mut probes: Vec<Probe> = probes.buffer_unordered(concurrency).collect().await;
    probes.sort_by_key(|probe| probe.hotkey);
    AvailabilitySwept { probes }
}

async fn probe(shared: &Shared, neuron: Neuron, timeout: Duration) -> Probe {
    // Whoever waits for a place does not lose time by it, and requests to miners find connections. Never closed.
    let _place = shared.probes.acquire().await;
    let begun = Instant::now();
    let address = address(&neuron.ip, neuron.port);
    let asked =
        tokio::time::timeout(timeout + TRANSPORT_GRACE, shared.transport.available(&neuron.hotkey, &address, timeout))
            .await;
    let answer = asked.unwrap_or_else(|_| Err("timed out".to_owned()));
    let latency = answer.as_ref().map_or_else(|_| begun.elapsed(), |latency| *latency);
    Probe {
        hotkey: neuron.hotkey,
        available: answer.is_ok(),
        reason: answer.err().map_or_else(String::new, |reason| short(&reason)),
        latency_ms: u32::try_from(latency.as_millis()).unwrap_or(u32::MAX),
    }
}
