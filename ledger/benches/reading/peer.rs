//! postgres-es with the same facts: each event as JSON of its typed struct, its raw blocks in hex beside it, as a store of
//! JSON has to have them.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::PersistedEventRepository;
use cqrs_es::{Aggregate, DomainEvent};
use domain::events::*;
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::server;
use crate::support::Draft;

macro_rules! facts {
    ($($name:ident)*) => {
        /// Any event, as serde writes an enum.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) enum Fact { $($name($name),)* }

        fn fact(event: &Event) -> (Fact, String) {
            match event {
                $(Event::$name(event) => {
                    let blocks = event.blocks().into_iter().map(|block| hex::encode(block.bytes())).collect();
                    (Fact::$name(event.clone()), blocks)
                })*
            }
        }
    };
}
facts! {
    LedgerOpened CheckpointPublished RuleSetAdopted PayloadErased ValidatorStarted ValidatorPaused ValidatorResumed
    ValidatorStopped MetagraphObserved AvailabilitySwept ExternalScoresFetched ChallengeAccepted MinersSelected
    ChallengeIssued ResponseReceived ResponseFailed EmbeddingComputed JudgementRecorded LabelRevealed ResponseScored
    RoundEvaluated RoundAbandoned DeliveryAttempted EpochOpened WeightsDerived CheckpointAnchored WeightsSubmitted WeightsCommitted
    WeightsRevealed WeightsIncluded WeightsRejected EpochClosed
}

/// What the peer stores and reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerEvent {
    fact: Fact,
    blocks: String,
}

impl DomainEvent for PeerEvent {
    fn event_type(&self) -> String {
        String::new()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// One log: an aggregate type, its streams the aggregates.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Log<const BLOCKS: bool>;

impl<const BLOCKS: bool> Aggregate for Log<BLOCKS> {
    const TYPE: &'static str = if BLOCKS { "with blocks" } else { "without blocks" };
    type Command = ();
    type Event = PeerEvent;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), std::fmt::Error> {
        Ok(())
    }

    fn apply(&mut self, _: PeerEvent) {}
}

/// Rows of one statement.
const BATCH: usize = 1_000;

/// Writes the facts the way the peer's own insert does.
pub(crate) async fn fill<const BLOCKS: bool>(pool: &PgPool, drafts: &[Draft]) {
    sqlx::query(server::PEER_TABLE).execute(pool).await.unwrap();
    let mut sequences = std::collections::BTreeMap::new();
    for batch in drafts.chunks(BATCH) {
        let (mut ids, mut numbers, mut kinds, mut payloads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for draft in batch {
            let id = format!("{}/{}", draft.stream_type, draft.stream_id);
            let sequence = sequences.entry(id.clone()).or_insert(0_i64);
            *sequence += 1;
            numbers.push(*sequence);
            ids.push(id);
            kinds.push(draft.event.kind());
            let (fact, blocks) = fact(&draft.event);
            payloads.push(serde_json::to_value(PeerEvent { fact, blocks }).unwrap());
        }
        let statement = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
            SELECT $1, i, s, k, '1', p, '{}' FROM unnest($2::text[], $3::bigint[], $4::text[], $5::json[]) AS t (i, s, k, p)";
        let query = sqlx::query(statement).bind(Log::<BLOCKS>::TYPE).bind(&ids).bind(&numbers).bind(&kinds);
        query.bind(&payloads).execute(pool).await.unwrap();
    }
    sqlx::query("VACUUM (ANALYZE) events").execute(pool).await.unwrap();
}

/// Reads and decodes everything; how many events.
pub(crate) async fn read<const BLOCKS: bool>(pool: &PgPool) -> u64 {
    let repository = PostgresEventRepository::new(pool.clone());
    let mut stream = repository.stream_all_events::<Log<BLOCKS>>().await.unwrap();
    let mut events = 0;
    while let Some(event) = stream.next::<Log<BLOCKS>>(&[]).await {
        let event = event.unwrap().payload;
        std::hint::black_box(hex::decode(&event.blocks).unwrap());
        events += 1;
    }
    events
}
