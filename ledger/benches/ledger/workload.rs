//! Producers that commit as fast as they are answered, each into streams of its own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cqrs_es::EventStore;

use crate::payload::{Sample, Samples};

/// What is done, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) producers: usize,
    /// Events of one commit.
    pub(crate) events: usize,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) events_per_second: f64,
    /// Of one commit's latency.
    pub(crate) p99: Duration,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.0} events/s, p99 {:.2} ms", self.events_per_second, self.p99.as_secs_f64() * 1e3)
    }
}

/// Runs a workload against a store. `context` is an aggregate at a version, made without reading the stream, so that
/// only the commit is measured. A tenth of the time before the measurement warms up connections and statements.
pub(crate) async fn measure<S: EventStore<Samples>>(
    store: &S,
    workload: Workload,
    prefix: &str,
    context: impl Fn(String, u64) -> S::AC + Copy,
) -> Measured {
    let begin = Instant::now() + workload.time / 10;
    let end = begin + workload.time;
    let producers = (0..workload.producers)
        .map(|producer| produce(store, workload, format!("{prefix}-{producer}"), context, begin, end));
    let mut latencies: Vec<Duration> = futures::future::join_all(producers).await.concat();
    latencies.sort();
    let commits = latencies.len();
    assert!(commits > 0, "not one commit in {:?}", workload.time);
    Measured {
        events_per_second: (commits * workload.events) as f64 / workload.time.as_secs_f64(),
        p99: latencies[commits * 99 / 100],
    }
}

/// Latencies of the commits that ended within the measured time.
async fn produce<S: EventStore<Samples>>(
    store: &S,
    workload: Workload,
    stream: String,
    context: impl Fn(String, u64) -> S::AC,
    begin: Instant,
    end: Instant,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let mut version = 0;
    while Instant::now() < end {
        let events: Vec<Sample> = (version..version + workload.events as u64).map(Sample::new).collect();
        let started = Instant::now();
        store.commit(events, context(stream.clone(), version), HashMap::new()).await.unwrap();
        let ended = Instant::now();
        if started >= begin && ended <= end {
            latencies.push(ended - started);
        }
        version += workload.events as u64;
    }
    latencies
}
