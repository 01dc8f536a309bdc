//! The event that both stores write: 885 bytes as JSON, about what a scored response takes.

use std::sync::OnceLock;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use ledger::{EncodedEvent, StoredAggregate};
use serde::{Deserialize, Serialize};

/// Bytes of the event's JSON.
const LENGTH: usize = 885;
/// Made once, so that making events costs the producers next to nothing.
static TEXTS: OnceLock<Vec<String>> = OnceLock::new();

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Samples;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) hotkey: String,
    pub(crate) uid: u16,
    pub(crate) latency_microseconds: u64,
    pub(crate) score: f64,
    pub(crate) text: String,
}

impl Sample {
    /// The `n`th event. Its length does not depend on `n`.
    pub(crate) fn new(n: u64) -> Self {
        let mut sample = Self {
            hotkey: format!("5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS{:011}", n % 100_000_000_000),
            uid: 117,
            latency_microseconds: 1_000_000 + n % 1_000_000,
            score: 0.8125,
            text: String::new(),
        };
        let texts = TEXTS.get_or_init(|| (0..256).map(|n| text(n, LENGTH - encoded(&sample))).collect());
        sample.text.clone_from(&texts[(n % 256) as usize]);
        sample
    }
}

/// Letters and spaces that do not compress well.
fn text(n: u64, length: usize) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"abcdefghijklmnopqrstuvwxyz    .,"[(state >> 32) as usize % 32])
    };
    (0..length).map(|_| next()).collect()
}

fn encoded(sample: &Sample) -> usize {
    serde_json::to_vec(sample).unwrap().len()
}

/// The length as measured, for the line of settings.
pub(crate) fn encoded_length() -> usize {
    encoded(&Sample::new(1))
}

impl DomainEvent for Sample {
    fn event_type(&self) -> String {
        "Sampled".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Samples {
    const TYPE: &'static str = "sample";
    type Command = ();
    type Event = Sample;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), sink: &EventSink<Self>) -> Result<(), std::fmt::Error> {
        sink.write(Sample::new(0), self).await;
        Ok(())
    }

    fn apply(&mut self, _: Sample) {}
}

impl StoredAggregate for Samples {
    fn encode(event: &Sample) -> Result<EncodedEvent, String> {
        let payload = serde_json::to_vec(event).map_err(|error| error.to_string())?;
        Ok(EncodedEvent { kind: event.event_type(), version: 1, payload })
    }

    fn decode(_: &str, _: u16, payload: &[u8]) -> Result<Sample, String> {
        serde_json::from_slice(payload).map_err(|error| error.to_string())
    }
}
