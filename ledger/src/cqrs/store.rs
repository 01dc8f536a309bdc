//! The store: load from the cache or the stream, commit through the appender.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};

use crate::cqrs::StoredAggregate;
use crate::error::Error;
use crate::event::{Appended, Cause, Expected, NewEvent, StoredEvent, Unit};
use crate::handle::Ledger;

/// Aggregates kept between their commands, and commits remembered, per generation of the cache.
const KEPT: usize = 1024;

/// One aggregate type's events in a ledger. Cheap to clone: keep a clone beside the framework to ask for
/// [`LedgerStore::last_commit`].
///
/// Metadata that a command may carry: `block`, the last block seen, and `cause`, the position of the event that led to
/// it. Any other key is refused, because it would not be kept.
#[derive(Debug)]
pub struct LedgerStore<A: StoredAggregate> {
    ledger: Ledger,
    shared: Arc<Shared<A>>,
}

impl<A: StoredAggregate> Clone for LedgerStore<A> {
    fn clone(&self) -> Self {
        Self { ledger: self.ledger.clone(), shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
struct Shared<A> {
    aggregates: Mutex<Generations<(u64, A)>>,
    commits: Mutex<Generations<Appended>>,
}

/// A bounded map: two generations, of which the older is forgotten when the younger is full.
#[derive(Debug)]
struct Generations<T> {
    young: HashMap<String, T>,
    old: HashMap<String, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<T> Generations<T> {
    fn take(&mut self, id: &str) -> Option<T> {
        let old = self.old.remove(id);
        self.young.remove(id).or(old)
    }

    fn put(&mut self, id: &str, value: T) {
        if self.young.len() >= KEPT {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(id);
        self.young.insert(id.to_owned(), value);
    }
}

/// An aggregate at a version, on its way through one command.
#[derive(Debug)]
pub struct LedgerContext<A> {
    id: String,
    version: u64,
    aggregate: A,
}

impl<A> LedgerContext<A> {
    /// An aggregate that the caller has folded itself, at the sequence of its last event.
    #[must_use]
    pub fn at(id: impl Into<String>, version: u64, aggregate: A) -> Self {
        Self { id: id.into(), version, aggregate }
    }

    /// The version that was loaded, which is the sequence of its last event.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl<A: StoredAggregate> AggregateContext<A> for LedgerContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl<A: StoredAggregate> LedgerStore<A> {
    /// The store of `A`'s events in a ledger; the stream type is `A::TYPE`.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let shared = Shared { aggregates: Mutex::default(), commits: Mutex::default() };
        Self { ledger, shared: Arc::new(shared) }
    }

    /// What the last successful command on an aggregate wrote, since the framework does not return it. Forgotten once
    /// some thousand other aggregates have committed; taken, so that it is not mistaken for a later one.
    #[must_use]
    pub fn last_commit(&self, aggregate_id: &str) -> Option<Appended> {
        self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner).take(aggregate_id)
    }

    async fn load(&self, id: &str) -> Result<LedgerContext<A>, AggregateError<A::Error>> {
        // Taken out, not copied: if the command fails the state may have been touched, and is read anew.
        let cached = self.shared.aggregates.lock().unwrap_or_else(PoisonError::into_inner).take(id);
        if let Some((version, aggregate)) = cached {
            return Ok(LedgerContext { id: id.to_owned(), version, aggregate });
        }
        let mut context = LedgerContext { id: id.to_owned(), version: 0, aggregate: A::default() };
        for stored in self.stored(id).await? {
            context.aggregate.apply(decode::<A>(&stored)?);
            context.version = stored.sequence;
        }
        Ok(context)
    }

    async fn stored(&self, id: &str) -> Result<Vec<StoredEvent>, AggregateError<A::Error>> {
        self.ledger.reader().stream(A::TYPE, id, 1).await.map_err(aggregate_error)
    }
}

impl<A: StoredAggregate> EventStore<A> for LedgerStore<A> {
    type AC = LedgerContext<A>;

    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stored = self.stored(aggregate_id).await?;
        stored
            .iter()
            .map(|event| {
                Ok(envelope(aggregate_id, event.sequence, decode::<A>(event)?, event.position, event.recorded_at))
            })
            .collect()
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<LedgerContext<A>, AggregateError<A::Error>> {
        self.load(aggregate_id).await
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: LedgerContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let LedgerContext { id, version, aggregate } = context;
        if events.is_empty() {
            self.shared.aggregates.lock().unwrap_or_else(PoisonError::into_inner).put(&id, (version, aggregate));
            return Ok(Vec::new());
        }
        let unit = unit::<A>(&id, version, &events, &metadata)?;
        let appended = self.ledger.append(unit).await.map_err(aggregate_error)?;
        let after = version + events.len() as u64;
        self.shared.aggregates.lock().unwrap_or_else(PoisonError::into_inner).put(&id, (after, aggregate));
        let envelopes = events
            .into_iter()
            .zip(1..)
            .map(|(event, n)| envelope(&id, version + n, event, appended.first + n - 1, appended.recorded_at))
            .collect();
        self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner).put(&id, appended);
        Ok(envelopes)
    }
}

fn unit<A: StoredAggregate>(
    id: &str,
    version: u64,
    events: &[A::Event],
    metadata: &HashMap<String, String>,
) -> Result<Unit, AggregateError<A::Error>> {
    let (mut block, mut cause) = (0, Cause::Own);
    for (key, value) in metadata {
        let number = value.parse::<u64>();
        match (key.as_str(), number) {
            ("block", Ok(number)) => block = number,
            ("cause", Ok(position)) => cause = Cause::Position(position),
            _ => {
                return Err(unexpected(format!(
                    "metadata {key}={value} cannot be kept: only block and cause, as numbers"
                )));
            }
        }
    }
    let new_event = |event: &A::Event| {
        let encoded = A::encode(event).map_err(unexpected)?;
        Ok(NewEvent {
            stream_type: A::TYPE.to_owned(),
            stream_id: id.to_owned(),
            kind: encoded.kind,
            version: encoded.version,
            payload: encoded.payload,
            block,
            cause,
        })
    };
    let events = events.iter().map(new_event).collect::<Result<_, AggregateError<A::Error>>>()?;
    Ok(Unit::of(events).expecting(A::TYPE, id, Expected::Exactly(version)))
}

fn decode<A: StoredAggregate>(stored: &StoredEvent) -> Result<A::Event, AggregateError<A::Error>> {
    let refused = |reason: String| {
        let error = Error::Damaged { position: stored.position, reason };
        AggregateError::DeserializationError(Box::new(error))
    };
    let payload = stored.payload.as_ref().ok_or_else(|| refused("its payload is erased".to_owned()))?;
    A::decode(&stored.kind, stored.version, payload).map_err(refused)
}

fn envelope<A: StoredAggregate>(
    id: &str,
    sequence: u64,
    payload: A::Event,
    position: u64,
    recorded_at: u64,
) -> EventEnvelope<A> {
    let metadata = HashMap::from([
        ("position".to_owned(), position.to_string()),
        ("recorded_at".to_owned(), recorded_at.to_string()),
    ]);
    let sequence = usize::try_from(sequence).unwrap_or(usize::MAX);
    EventEnvelope { aggregate_id: id.to_owned(), sequence, payload, metadata }
}

fn unexpected<E: std::error::Error>(reason: String) -> AggregateError<E> {
    AggregateError::UnexpectedError(reason.into())
}

fn aggregate_error<E: std::error::Error>(error: Error) -> AggregateError<E> {
    match error {
        Error::Conflict { .. } => AggregateError::AggregateConflict,
        Error::Database { .. } => AggregateError::DatabaseConnectionError(Box::new(error)),
        other => AggregateError::UnexpectedError(Box::new(other)),
    }
}
