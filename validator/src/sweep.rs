//! Availability sweeps: who of the announced miners answers, recorded as one event per sweep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::events::{AvailabilitySwept, Neuron, Probe};
use domain::metagraph::announces_axon;
use futures::StreamExt;
use futures::stream;

use crate::Error;
use crate::journal::Entry;
use crate::rounds::address;
use crate::rounds::verdict::short;
use crate::shared::{Shared, streams};

/// How much longer than its own limit a probe may take before it is given up from outside.
const TRANSPORT_GRACE: Duration = Duration::from_millis(500);

/// Sweeps at once, then at each interval and when asked to, until the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    loop {
        let begun = Instant::now();
        let swept = tokio::select! {
            swept = sweep(&shared) => swept,
            () = shared.stop.stopped() => return Ok(()),
        };
        let entry = Entry::new(streams::AVAILABILITY, streams::ONLY, swept);
        match shared.journal.observe(entry, &shared.stop).await {
            Ok(_) => {}
            Err(Error::Stopping) => return Ok(()),
            Err(error) => return Err(error),
        }
        let pause = shared.config.sweep_interval.saturating_sub(begun.elapsed());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.sweep_now.notified() => {}
            () = shared.stop.stopped() => return Ok(()),
        }
    }
}

/// Asks every slot of the recorded metagraph that announced an axon, some at a time. Who of them is a validator is for the draw
/// to say, by the rule set.
async fn sweep(shared: &Shared) -> AvailabilitySwept {
    let metagraph = shared.board.read().metagraph.clone();
    let miners: Vec<Neuron> = metagraph.iter().flat_map(|(_, metagraph)| metagraph.neurons()).cloned().collect();
    let miners = miners.into_iter().filter(|neuron| neuron.hotkey != shared.own && announces_axon(neuron));
    let probes = stream::iter(miners.map(|neuron| probe(shared, neuron)));
    let mut probes: Vec<Probe> = probes.buffer_unordered(shared.config.sweep_concurrency).collect().await;
    probes.sort_by_key(|probe| probe.hotkey);
    AvailabilitySwept { probes }
}

async fn probe(shared: &Shared, neuron: Neuron) -> Probe {
    let begun = Instant::now();
    let timeout = shared.config.sweep_timeout;
    let address = address(&neuron.ip, neuron.port);
    let asked = tokio::time::timeout(timeout + TRANSPORT_GRACE, shared.transport.available(&address, timeout)).await;
    let answer = asked.unwrap_or_else(|_| Err("timed out".to_owned()));
    let latency = answer.as_ref().map_or_else(|_| begun.elapsed(), |latency| *latency);
    Probe {
        hotkey: neuron.hotkey,
        available: answer.is_ok(),
        reason: answer.err().map_or_else(String::new, |reason| short(&reason)),
        latency_ms: u32::try_from(latency.as_millis()).unwrap_or(u32::MAX),
    }
}
