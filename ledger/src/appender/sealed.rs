//! A unit made ready in its caller's task: checked, salted, committed to. What is done here is not done in the appender.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::appender::AppendSettings;
use crate::error::{Error, Result};
use crate::event::{Appended, Unit};

/// The salt of one payload and the commitment to both.
#[derive(Debug, Clone)]
pub(crate) struct Seal {
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: [u8; 32],
}

/// What the appender's queue carries.
#[derive(Debug)]
pub(crate) enum Message {
    /// A unit to write.
    Append(Request),
    /// Find out what became of a batch that nobody could be asked about, and answer with the committed size.
    Settle(oneshot::Sender<Result<u64>>),
    /// Take no more after this one, write what is there, and end.
    Close,
}

/// A unit in the appender's queue.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) unit: Unit,
    pub(crate) seals: Vec<Seal>,
    /// Hash of the events, when there is an idempotency key.
    pub(crate) request_hash: Option<[u8; 32]>,
    pub(crate) bytes: usize,
    pub(crate) reply: oneshot::Sender<Result<Appended>>,
    /// Its bytes in the queue's budget, given back when the request is dropped.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// Checks a unit, waits for room in the queue's budget, draws the salts and computes the commitments.
pub(crate) async fn seal(
    unit: Unit,
    settings: &AppendSettings,
    room: &Arc<Semaphore>,
    reply: oneshot::Sender<Result<Appended>>,
) -> Result<Request> {
    unit.check(settings.max_events, settings.max_bytes)?;
    let bytes = unit.bytes();
    let permits = u32::try_from(bytes.clamp(1, settings.queue_bytes)).unwrap_or(u32::MAX);
    let stopped = |_| Error::Stopped { reason: "its queue is closed".to_owned() };
    let room = Arc::clone(room).acquire_many_owned(permits).await.map_err(stopped)?;
    let mut salts = vec![0_u8; 32 * unit.events.len()];
    getrandom::fill(&mut salts).map_err(|error| Error::Randomness { reason: error.to_string() })?;
    let (salts, _) = salts.as_chunks::<32>();
    let seals = unit
        .events
        .iter()
        .zip(salts)
        .map(|(event, salt)| Seal { salt: *salt, commitment: audit::leaf::commitment(salt, &event.payload) })
        .collect();
    let request_hash = unit.idempotency_key.is_some().then(|| request_hash(&unit));
    Ok(Request { unit, seals, request_hash, bytes, reply, _room: room })
}

/// What must be equal for a repeated append to be the same one. The block is left out: it moves on between the two.
fn request_hash(unit: &Unit) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new_with_prefix(b"assay/request/1\0");
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for event in &unit.events {
        field(event.stream_type.as_bytes());
        field(event.stream_id.as_bytes());
        field(event.kind.as_bytes());
        field(&event.version.to_be_bytes());
        field(&event.payload);
    }
    hash.finalize().into()
}
