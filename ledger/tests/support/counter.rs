//! A small aggregate with the framework's own traits, so that it runs in every store.
#![allow(dead_code, unreachable_pub)]

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use ledger::{EncodedEvent, StoredAggregate};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    pub total: i64,
    pub events: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Counted {
    Added { amount: i64, note: String },
    Reset,
}

#[derive(Debug)]
pub enum Count {
    Add(Vec<i64>),
    Reset,
    Nothing,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0} is not an amount")]
pub struct NotAnAmount(i64);

impl DomainEvent for Counted {
    fn event_type(&self) -> String {
        match self {
            Self::Added { .. } => "Added".to_owned(),
            Self::Reset => "Reset".to_owned(),
        }
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Command = Count;
    type Event = Counted;
    type Error = NotAnAmount;
    type Services = ();

    async fn handle(&mut self, command: Count, (): &(), sink: &EventSink<Self>) -> Result<(), NotAnAmount> {
        match command {
            Count::Add(amounts) => {
                for amount in amounts {
                    if amount == 0 {
                        return Err(NotAnAmount(amount));
                    }
                    sink.write(Counted::Added { amount, note: format!("{amount} to {}", self.total) }, self).await;
                }
            }
            Count::Reset => sink.write(Counted::Reset, self).await,
            Count::Nothing => {}
        }
        Ok(())
    }

    fn apply(&mut self, event: Counted) {
        self.events += 1;
        match event {
            Counted::Added { amount, .. } => self.total += amount,
            Counted::Reset => self.total = 0,
        }
    }
}

impl StoredAggregate for Counter {
    fn encode(event: &Counted) -> Result<EncodedEvent, String> {
        let payload = serde_json::to_vec(event).map_err(|error| error.to_string())?;
        Ok(EncodedEvent { kind: event.event_type(), version: 1, payload })
    }

    fn decode(_: &str, _: u16, payload: &[u8]) -> Result<Counted, String> {
        serde_json::from_slice(payload).map_err(|error| error.to_string())
    }
}
