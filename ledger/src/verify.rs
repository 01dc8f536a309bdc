//! Checking a whole log: every event against its leaf, the leaves against the head, and the head against what stands
//! outside the database. A log can always be rewritten consistently by whoever owns the database; only something
//! outside shows that, so a log that nothing outside vouches for is never called sound.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::TryStreamExt;
use sqlx::Row;
use tlog::{Frontier, Hash};

use crate::appender::stream_name;
use crate::checkpoint::{Contradiction, OutsideCheckpoint};
use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::lease::signed;
use crate::reader::{Head, LedgerReader};

/// Events read by one statement.
const PAGE: u64 = 8_192;
/// Findings kept; the first bad position is always among them.
const MAX_FINDINGS: usize = 16;
/// Findings in the one line of the conclusion, and the last one: what contradicts the outside comes last.
const SHOWN_FINDINGS: usize = 3;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The ledger.
    pub origin: String,
    /// Events that its head counts.
    pub size: u64,
    /// The root over all leaves as computed from the events.
    pub root: Hash,
    /// Events whose payload is erased, by the rules.
    pub erased: u64,
    /// The conclusion.
    pub outcome: Outcome,
    /// What is wrong, in the order of positions as far as they have one; at most 16.
    pub findings: Vec<Finding>,
}

/// The conclusion of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything fits, and the first `covered` events are vouched for by a checkpoint outside the database.
    Sound {
        /// Size of the outside checkpoint.
        covered: u64,
    },
    /// Everything inside fits, but nothing outside vouches for it.
    NothingOutside,
    /// Something does not fit.
    Bad {
        /// The first bad position, when it is an event's.
        first: Option<u64>,
    },
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The event's position; `None` for the head or the tables beside the events.
    pub position: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some(position) => write!(formatter, "position {position}: {}", self.problem),
            None => formatter.write_str(&self.problem),
        }
    }
}

impl std::fmt::Display for Verification {
    /// The conclusion in one line.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (size, root) = (self.size, self.root);
        match &self.outcome {
            Outcome::Sound { covered } => {
                write!(
                    formatter,
                    "verify: sound; {size} events, root {root}; an outside checkpoint vouches for {covered}"
                )
            }
            Outcome::NothingOutside => {
                write!(
                    formatter,
                    "verify: cannot tell; {size} events fit together, but nothing outside vouches for them"
                )
            }
            Outcome::Bad { .. } => {
                let (first, rest) = self.findings.split_at(self.findings.len().min(SHOWN_FINDINGS));
                let shown: Vec<String> = first.iter().chain(rest.last()).map(Finding::to_string).collect();
                write!(formatter, "verify: bad; {}", shown.join("; "))
            }
        }
    }
}

/// What is known of a stream while the log is walked.
struct StreamSeen {
    version: u64,
    first: u64,
    last: u64,
}

struct Walk<'a> {
    frontier: Frontier,
    recorded_at: u64,
    streams: HashMap<String, StreamSeen>,
    /// Positions without a payload, and positions that a later `PayloadErased` names.
    erased: HashSet<u64>,
    erasures: HashSet<u64>,
    /// Roots that checkpoint events and the outside checkpoint claim, by size: claimed root and who claims it.
    claims: BTreeMap<u64, Vec<(Hash, Claim)>>,
    findings: Vec<Finding>,
    outside: Option<&'a OutsideCheckpoint>,
    /// How the log contradicts the outside checkpoint.
    contradiction: Option<Contradiction>,
}

/// How many events a row of the streams has beyond a head, if that is all in which it differs from what was seen up to there.
fn events_beyond(seen: Option<&StreamSeen>, head: u64, (version, first, last): (u64, u64, u64)) -> Option<u64> {
    let (seen_version, is_same) = seen.map_or((0, first >= head), |seen| (seen.version, seen.first == first));
    (is_same && last >= head && version > seen_version).then(|| version - seen_version)
}

#[derive(Clone, Copy)]
enum Claim {
    Event(u64),
    Outside,
}

impl LedgerReader {
    /// Checks the whole log up to its present head. Memory grows with the number of streams, not of events.
    ///
    /// # Errors
    /// Only when the database cannot be read: what is wrong with the log is in the report.
    pub async fn verify(&self, outside: Option<&OutsideCheckpoint>) -> Result<Verification> {
        let head = match self.head().await {
            Ok(head) => head,
            Err(Error::Damaged { position, reason }) => return Ok(self.damaged_head(position, reason)),
            Err(error) => return Err(error),
        };
        let mut walk = Walk::new(self.claims(&head, outside).await?, outside);
        let mut next = 0;
        'log: while next < head.size {
            let end = head.size.min(next + PAGE);
            let mut events = self.page(next, end, None);
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => walk.event(&event),
                    Ok(None) => break,
                    Err(Error::Damaged { position, reason }) => {
                        walk.find(Some(position), reason);
                        break 'log;
                    }
                    Err(error) => return Err(error),
                }
            }
            next = end;
        }
        walk.finish(&head);
        self.check_tables(&mut walk, &head).await?;
        Ok(walk.conclude(self.origin(), &head))
    }

    fn damaged_head(&self, size: u64, reason: String) -> Verification {
        Verification {
            origin: self.origin().to_owned(),
            size,
            root: tlog::empty_root(),
            erased: 0,
            outcome: Outcome::Bad { first: None },
            findings: vec![Finding { position: None, problem: format!("the head is damaged: {reason}") }],
        }
    }

    /// Roots to look at while the tree grows: those that checkpoint events and the outside checkpoint claim.
    async fn claims(
        &self,
        head: &Head,
        outside: Option<&OutsideCheckpoint>,
    ) -> Result<BTreeMap<u64, Vec<(Hash, Claim)>>> {
        let mut claims: BTreeMap<u64, Vec<(Hash, Claim)>> = BTreeMap::new();
        if let Some(outside) = outside {
            claims.entry(outside.checkpoint.size).or_default().push((outside.checkpoint.root, Claim::Outside));
        }
        let kinds = ["CheckpointPublished"];
        let mut events = self.events(0, head.size, Some(&kinds));
        while let Some(event) = events.try_next().await? {
            // One that cannot be read is found as an event.
            if let Ok(Some(domain::events::Event::CheckpointPublished(published))) = event.fact() {
                claims.entry(published.size).or_default().push((Hash(published.root.0), Claim::Event(event.position)));
            }
        }
        Ok(claims)
    }

    /// The tables beside the events must say what the events say.
    async fn check_tables(&self, walk: &mut Walk<'_>, head: &Head) -> Result<()> {
        let failed = || Error::database("read the streams");
        let mut rows = sqlx::query(
            "SELECT stream_type, stream_id, version, first_position, last_position FROM ledger.streams WHERE ledger_id = $1",
        )
        .bind(self.ledger_id)
        .fetch(&self.pool);
        let mut grown = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed())? {
            let read = || -> Result<_, sqlx::Error> {
                let number = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
                Ok((row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?, number(2)?, number(3)?, number(4)?))
            };
            let (stream_type, stream_id, version, first, last) = read().map_err(failed())?;
            let seen = walk.streams.remove(&stream_name(stream_type, stream_id));
            let fits =
                seen.as_ref().is_some_and(|seen| (seen.version, seen.first, seen.last) == (version, first, last));
            if fits {
                continue;
            }
            let problem = format!(
                "stream {stream_type}/{stream_id} is recorded at version {version}, positions {first} to {last}, \
                 which its events contradict"
            );
            match events_beyond(seen.as_ref(), head.size, (version, first, last)) {
                Some(events) => grown.push((events, last, problem)),
                None => walk.find(None, problem),
            }
        }
        drop(rows);
        if !grown.is_empty() {
            // The writer goes on while this runs: what was appended since is in these rows already, and nothing else may be.
            let now = self.head().await?.size;
            for (events, last, problem) in grown {
                if last >= now || events > now.saturating_sub(head.size) {
                    walk.find(None, problem);
                }
            }
        }
        if let Some(name) = walk.streams.keys().min().cloned() {
            walk.find(None, format!("stream {} is not in the table of streams", name.replace('\0', "/")));
        }
        let beyond: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM ledger.events WHERE ledger_id = $1 AND position >= $2)
                  + (SELECT count(*) FROM ledger.idempotency
                      WHERE ledger_id = $1 AND (last_position >= $2 OR first_position > last_position))",
        )
        .bind(self.ledger_id)
        .bind(signed(head.size))
        .fetch_one(&self.pool)
        .await
        .map_err(Error::database("look beyond the head"))?;
        // A writer that goes on while this runs is not a fault: then the head has moved too.
        if beyond > 0 && self.head().await?.size == head.size {
            walk.find(None, format!("{beyond} rows lie beyond the head at {}", head.size));
        }
        Ok(())
    }
}

impl<'a> Walk<'a> {
    fn new(claims: BTreeMap<u64, Vec<(Hash, Claim)>>, outside: Option<&'a OutsideCheckpoint>) -> Self {
        Self {
            frontier: Frontier::new(),
            recorded_at: 0,
            streams: HashMap::new(),
            erased: HashSet::new(),
            erasures: HashSet::new(),
            claims,
            findings: Vec::new(),
            outside,
            contradiction: None,
        }
    }

    fn find(&mut self, position: Option<u64>, problem: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { position, problem });
        }
    }

    fn event(&mut self, event: &StoredEvent) {
        let position = event.position;
        if let Err(problem) = self.check(event) {
            self.find(Some(position), problem);
        }
        self.recorded_at = self.recorded_at.max(event.recorded_at);
        let name = stream_name(&event.stream_type, &event.stream_id);
        let seen = self.streams.entry(name).or_insert(StreamSeen { version: 0, first: position, last: position });
        let due = seen.version + 1;
        seen.version = event.sequence;
        seen.last = position;
        if event.sequence != due {
            let (stream_type, stream_id) = (&event.stream_type, &event.stream_id);
            let problem =
                format!("sequence {} in stream {stream_type}/{stream_id}, where {due} is due", event.sequence);
            self.find(Some(position), problem);
        }
        if event.payload.is_none() {
            self.erased.insert(position);
        }
        if event.kind == "PayloadErased" && event.cause < position {
            self.erasures.insert(event.cause);
        }
        self.frontier.append(event.leaf_hash);
        self.compare_claims();
    }

    /// What one event must satisfy by itself and against the one before it.
    fn check(&self, event: &StoredEvent) -> Result<(), String> {
        if event.position == 0 && event.kind != "LedgerOpened" {
            return Err(format!("the ledger begins with {}, not with LedgerOpened", event.kind));
        }
        if event.recorded_at < self.recorded_at {
            return Err(format!("recorded at {} µs, before the event before it", event.recorded_at));
        }
        if event.cause > event.position {
            return Err(format!("its cause {} comes after it", event.cause));
        }
        match (&event.salt, &event.payload) {
            (Some(salt), Some(payload)) => {
                if payload.len() as u64 != u64::from(event.payload_length)
                    || audit::leaf::commitment(salt, payload) != event.commitment
                {
                    return Err("its payload or salt does not fit its commitment".to_owned());
                }
            }
            (None, None) => {}
            _ => return Err("only one of salt and payload is erased".to_owned()),
        }
        match event.leaf().hash() {
            Ok(hash) if hash == event.leaf_hash => Ok(()),
            Ok(_) => Err("its envelope or commitment does not fit its leaf hash".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Compares the tree at its present size with what was claimed about that size.
    fn compare_claims(&mut self) {
        let size = self.frontier.size();
        let Some(claims) = self.claims.remove(&size) else { return };
        let root = self.frontier.root();
        for (claimed, claim) in claims {
            if claimed == root {
                continue;
            }
            match claim {
                Claim::Event(position) => {
                    self.find(Some(position), format!("its checkpoint of size {size} is not the log's"));
                }
                Claim::Outside => {
                    self.contradiction = Some(Contradiction::Different { outside: size });
                }
            }
        }
    }

    fn finish(&mut self, head: &Head) {
        let unvouched = self.erased.difference(&self.erasures).min().copied();
        if let Some(position) = unvouched {
            self.find(Some(position), "its payload is gone without a PayloadErased event".to_owned());
        }
        if self.frontier.size() == head.size {
            if self.frontier != head.frontier {
                self.find(None, format!("the leaves do not make the head's frontier at size {}", head.size));
            }
            if self.recorded_at != head.recorded_at {
                self.find(
                    None,
                    format!("the head was recorded at {} µs, its last event at {}", head.recorded_at, self.recorded_at),
                );
            }
        }
        let ahead: Vec<_> = std::mem::take(&mut self.claims).into_iter().collect();
        for (size, claims) in ahead {
            for (_, claim) in claims {
                match claim {
                    Claim::Event(position) if size > position => {
                        self.find(Some(position), format!("its checkpoint of size {size} covers itself"));
                    }
                    Claim::Event(_) => {}
                    Claim::Outside if size > head.size => {
                        self.contradiction = Some(Contradiction::Shorter { size: head.size, outside: size });
                    }
                    Claim::Outside => {}
                }
            }
        }
    }

    fn conclude(mut self, origin: &str, head: &Head) -> Verification {
        // Positions first, in their order; what has none follows as it was found.
        self.findings.sort_by_key(|finding| (finding.position.is_none(), finding.position));
        // However much is wrong inside, what stands outside is always among what is said.
        if let Some(contradiction) = self.contradiction {
            self.findings.truncate(MAX_FINDINGS - 1);
            self.findings.push(Finding { position: None, problem: contradiction.to_string() });
        }
        let outcome = match (self.findings.first(), self.outside) {
            (Some(first), _) => Outcome::Bad { first: first.position },
            (None, Some(outside)) => Outcome::Sound { covered: outside.checkpoint.size },
            (None, None) => Outcome::NothingOutside,
        };
        Verification {
            origin: origin.to_owned(),
            size: head.size,
            root: self.frontier.root(),
            erased: self.erased.len() as u64,
            outcome,
            findings: self.findings,
        }
    }
}
