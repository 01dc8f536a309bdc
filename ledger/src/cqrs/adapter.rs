//! Any pure aggregate of `domain` as a `cqrs_es::Aggregate`.

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;
use domain::events::Event;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cqrs::{EncodedEvent, StoredAggregate};
use crate::error::Error;

/// A pure aggregate under the framework.
#[derive(Debug, Clone, Default)]
pub struct CqrsAggregate<D> {
    state: D,
}

impl<D> CqrsAggregate<D> {
    /// The aggregate's state.
    #[must_use]
    pub fn state(&self) -> &D {
        &self.state
    }
}

/// A fact under the framework.
#[derive(Debug, Clone, PartialEq)]
pub struct CqrsEvent(pub Event);

impl DomainEvent for CqrsEvent {
    fn event_type(&self) -> String {
        self.0.kind().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

/// The framework asks for serde; what it gets is the kind, the version and the codec's own bytes in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Wire {
    kind: String,
    version: u16,
    payload: String,
}

impl Serialize for CqrsEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = self.0.encode().map_err(S::Error::custom)?;
        let (kind, version) = (self.0.kind().to_owned(), self.0.version());
        Wire { kind, version, payload: hex::encode(payload) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CqrsEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let payload = hex::decode(&wire.payload).map_err(D::Error::custom)?;
        Event::decode(&wire.kind, wire.version, &payload).map(Self).map_err(D::Error::custom)
    }
}

/// The framework's bound, for stores that keep snapshots. A state is never stored here: it is folded from its events.
impl<D> Serialize for CqrsAggregate<D> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("an aggregate's state is not stored; it is folded from its events"))
    }
}

/// As for [`Serialize`].
impl<'de, D> Deserialize<'de> for CqrsAggregate<D> {
    fn deserialize<De: Deserializer<'de>>(_: De) -> Result<Self, De::Error> {
        Err(De::Error::custom("an aggregate's state is not stored; it is folded from its events"))
    }
}

impl<D: domain::Aggregate> cqrs_es::Aggregate for CqrsAggregate<D> {
    const TYPE: &'static str = D::STREAM_TYPE;
    type Command = D::Command;
    type Event = CqrsEvent;
    type Error = D::Error;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.state.decide(command)? {
            sink.write(CqrsEvent(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.state.apply(&event.0);
    }
}

impl<D: domain::Aggregate> StoredAggregate for CqrsAggregate<D> {
    fn encode(event: &CqrsEvent) -> Result<EncodedEvent, String> {
        let payload = event.0.encode().map_err(|error| Error::chain(&error))?;
        Ok(EncodedEvent { kind: event.0.kind().to_owned(), version: event.0.version(), payload })
    }

    fn decode(kind: &str, version: u16, payload: &[u8]) -> Result<CqrsEvent, String> {
        Event::decode(kind, version, payload).map(CqrsEvent).map_err(|error| Error::chain(&error))
    }
}
