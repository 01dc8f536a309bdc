//! Building a batch: pure. From the head, the known versions and the waiting requests to columns, leaves and verdicts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use audit::leaf::Leaf;
use tlog::Hash;

use crate::appender::lookup::KnownKeys;
use crate::appender::sealed::Request;
use crate::appender::versions::{Versions, name};
use crate::error::{Error, Result};
use crate::event::{Appended, Cause, Expected};
use crate::lease::{WriterHead, signed};

/// What becomes of one request if the batch commits.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its events are written, the first at this index of the batch.
    Written { first: usize, count: usize },
    /// It repeats an earlier append that is in the ledger.
    Repeated(Appended),
    /// It is refused alone.
    Rejected(Error),
}

/// One stream that the batch moves.
#[derive(Debug)]
pub(crate) struct StreamMove {
    pub(crate) name: String,
    pub(crate) before: u64,
    pub(crate) after: u64,
    first: u64,
    last: u64,
}

/// One key that the batch writes down.
#[derive(Debug)]
struct KeyUse {
    key: String,
    request_hash: [u8; 32],
    first: usize,
    count: usize,
}

/// A batch: what was decided about some requests, and the columns that they do not hold themselves.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) old_size: u64,
    pub(crate) head: WriterHead,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) streams: Vec<StreamMove>,
    pub(crate) leaf_hashes: Vec<Hash>,
    stream_of: Vec<i32>,
    sequences: Vec<i64>,
    causes: Vec<i64>,
    /// Each event's request and its place in that request's unit.
    rows: Vec<(usize, usize)>,
    keys: Vec<KeyUse>,
    /// Places in `streams` by name.
    places: HashMap<String, usize>,
}

impl Batch {
    /// Decides every request in turn. Versions and keys must have been looked up before.
    pub(crate) fn build(
        requests: &[Request],
        head: &WriterHead,
        now: u64,
        versions: &Versions,
        known_keys: &KnownKeys,
    ) -> Self {
        let mut batch = Self {
            old_size: head.size(),
            head: WriterHead { frontier: head.frontier.clone(), recorded_at: now.max(head.recorded_at) },
            verdicts: Vec::with_capacity(requests.len()),
            streams: Vec::new(),
            leaf_hashes: Vec::new(),
            stream_of: Vec::new(),
            sequences: Vec::new(),
            causes: Vec::new(),
            rows: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
        };
        for (index, request) in requests.iter().enumerate() {
            let verdict = batch.decide(index, request, versions, known_keys).unwrap_or_else(Verdict::Rejected);
            batch.verdicts.push(verdict);
        }
        batch
    }

    fn decide(
        &mut self,
        place: usize,
        request: &Request,
        versions: &Versions,
        known_keys: &KnownKeys,
    ) -> Result<Verdict> {
        if let Some(verdict) = self.by_key(request, known_keys)? {
            return Ok(verdict);
        }
        for expected in &request.unit.expected {
            let Expected::Exactly(wanted) = expected.expected else { continue };
            let actual = self.version_of(&name(&expected.stream_type, &expected.stream_id), versions);
            if actual != wanted {
                let (stream_type, stream_id) = (expected.stream_type.clone(), expected.stream_id.clone());
                return Err(Error::Conflict { stream_type, stream_id, expected: wanted, actual });
            }
        }
        let next = self.head.size();
        for (index, event) in request.unit.events.iter().enumerate() {
            if let Cause::Position(cause) = event.cause
                && cause >= next
            {
                let reason = format!("its cause {cause} is not in the ledger, which has {next} events");
                return Err(Error::InvalidEvent { index, reason });
            }
        }
        let first = self.leaf_hashes.len();
        self.push_events(place, request, versions)?;
        let count = request.unit.events.len();
        if let (Some(key), Some(request_hash)) = (&request.unit.idempotency_key, request.request_hash) {
            self.keys.push(KeyUse { key: key.clone(), request_hash, first, count });
        }
        Ok(Verdict::Written { first, count })
    }

    /// An earlier use of the request's key, in the ledger or in this batch.
    fn by_key(&self, request: &Request, known_keys: &KnownKeys) -> Result<Option<Verdict>> {
        let (Some(key), Some(hash)) = (&request.unit.idempotency_key, request.request_hash) else { return Ok(None) };
        if let Some(known) = known_keys.get(key) {
            let (first, last) = (known.appended.first, known.appended.last);
            if known.request_hash != hash {
                return Err(Error::KeyReused { key: key.clone(), first, last });
            }
            return Ok(Some(Verdict::Repeated(known.appended.clone())));
        }
        let Some(used) = self.keys.iter().find(|used| used.key == *key) else { return Ok(None) };
        let appended = Appended { repeated: true, ..self.appended(used.first, used.count) };
        if used.request_hash != hash {
            return Err(Error::KeyReused { key: key.clone(), first: appended.first, last: appended.last });
        }
        Ok(Some(Verdict::Repeated(appended)))
    }

    fn version_of(&self, name: &str, versions: &Versions) -> u64 {
        match self.places.get(name) {
            Some(&place) => self.streams[place].after,
            None => versions.get(name).unwrap_or(0),
        }
    }

    fn push_events(&mut self, request_place: usize, request: &Request, versions: &Versions) -> Result<()> {
        let unit_first = self.head.size();
        let mut previous: Option<(&str, &str, usize)> = None;
        for (index, (event, seal)) in request.unit.events.iter().zip(&request.seals).enumerate() {
            let position = self.head.size();
            let place = match previous {
                Some((t, i, place)) if t == event.stream_type && i == event.stream_id => place,
                _ => self.place_of(name(&event.stream_type, &event.stream_id), position, versions),
            };
            previous = Some((&event.stream_type, &event.stream_id, place));
            let stream = &mut self.streams[place];
            stream.after += 1;
            stream.last = position;
            let cause = match event.cause {
                Cause::Own => position,
                Cause::Position(cause) => cause,
                Cause::InUnit(earlier) => unit_first + earlier as u64,
            };
            let leaf = Leaf {
                position,
                recorded_at: self.head.recorded_at,
                block: event.block,
                stream_type: &event.stream_type,
                stream_id: &event.stream_id,
                sequence: stream.after,
                kind: &event.kind,
                version: event.version,
                cause,
                payload_length: u32::try_from(event.payload.len()).unwrap_or(u32::MAX),
                commitment: seal.commitment,
            };
            // The strings were checked to be short when the unit was, so this cannot fail half-way through a unit.
            let hash = leaf.hash().map_err(|error| Error::InvalidEvent { index: 0, reason: error.to_string() })?;
            self.stream_of.push(i32::try_from(place + 1).unwrap_or(i32::MAX));
            self.sequences.push(signed(self.streams[place].after));
            self.causes.push(signed(cause));
            self.rows.push((request_place, index));
            self.leaf_hashes.push(hash);
            self.head.frontier.append(hash);
        }
        Ok(())
    }

    fn place_of(&mut self, name: String, position: u64, versions: &Versions) -> usize {
        match self.places.entry(name) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let before = versions.get(entry.key()).unwrap_or(0);
                let name = entry.key().clone();
                self.streams.push(StreamMove { name, before, after: before, first: position, last: position });
                *entry.insert(self.streams.len() - 1)
            }
        }
    }

    /// The answer for `count` events from index `first` of the batch.
    fn appended(&self, first: usize, count: usize) -> Appended {
        Appended {
            first: self.old_size + first as u64,
            last: self.old_size + (first + count) as u64 - 1,
            recorded_at: self.head.recorded_at,
            leaf_hashes: self.leaf_hashes[first..first + count].to_vec(),
            repeated: false,
        }
    }

    /// Nothing to write: every request was refused or repeats an earlier one.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaf_hashes.is_empty()
    }

    /// Writes the batch: one round trip, one commit. The requests are those it was built of.
    pub(crate) async fn write(
        &self,
        requests: &[Request],
        connection: &mut sqlx::PgConnection,
        ledger_id: i64,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        let names = || self.streams.iter().map(|s| s.name.split_once('\0').unwrap_or_default());
        let position = |index: usize| signed(self.old_size + index as u64);
        let moves = |of: fn(&StreamMove) -> u64| self.streams.iter().map(|s| signed(of(s))).collect::<Vec<_>>();
        let events = || self.rows.iter().map(|&(request, index)| &requests[request].unit.events[index]);
        let seals = || self.rows.iter().map(|&(request, index)| &requests[request].seals[index]);
        sqlx::query(APPEND)
            .bind(ledger_id)
            .bind(generation)
            .bind(signed(self.old_size))
            .bind(signed(self.head.size()))
            .bind(self.head.frontier.to_bytes())
            .bind(signed(self.head.recorded_at))
            .bind(names().map(|(stream_type, _)| stream_type).collect::<Vec<_>>())
            .bind(names().map(|(_, stream_id)| stream_id).collect::<Vec<_>>())
            .bind(moves(|s| s.before))
            .bind(moves(|s| s.after))
            .bind(moves(|s| s.first))
            .bind(moves(|s| s.last))
            .bind(&self.stream_of)
            .bind(&self.sequences)
            .bind(events().map(|event| event.kind.as_str()).collect::<Vec<_>>())
            .bind(events().map(|event| i32::from(event.version)).collect::<Vec<_>>())
            .bind(events().map(|event| signed(event.block)).collect::<Vec<_>>())
            .bind(&self.causes)
            .bind(self.leaf_hashes.iter().map(|hash| hash.0.as_slice()).collect::<Vec<_>>())
            .bind(seals().map(|seal| seal.commitment.as_slice()).collect::<Vec<_>>())
            .bind(seals().map(|seal| seal.salt.as_slice()).collect::<Vec<_>>())
            .bind(events().map(|event| event.payload.as_slice()).collect::<Vec<_>>())
            .bind(self.keys.iter().map(|used| used.key.as_str()).collect::<Vec<_>>())
            .bind(self.keys.iter().map(|used| used.request_hash.as_slice()).collect::<Vec<_>>())
            .bind(self.keys.iter().map(|used| position(used.first)).collect::<Vec<_>>())
            .bind(self.keys.iter().map(|used| position(used.first + used.count - 1)).collect::<Vec<_>>())
            .execute(connection)
            .await
            .map(drop)
    }

    /// One answer per request, for when the batch has committed.
    pub(crate) fn answers(&mut self) -> Vec<Result<Appended>> {
        let verdicts = std::mem::take(&mut self.verdicts);
        let answer = |verdict| match verdict {
            Verdict::Written { first, count } => Ok(self.appended(first, count)),
            Verdict::Repeated(appended) => Ok(appended),
            Verdict::Rejected(error) => Err(error),
        };
        verdicts.into_iter().map(answer).collect()
    }
}

const APPEND: &str = "SELECT ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
                      $18, $19, $20, $21, $22, $23, $24, $25, $26)";
