//! The appender's loop: take requests, launch a batch, answer when it lands.
//!
//! One batch is under way at a time, in a task of its own, while the next ones gather. Whatever is not the plain case, a
//! failure, a key, a batch in which everything is refused, a new segment, is done step by step (`careful`).
//!
//! Two batches under way were tried and given up: their connections may reach the head in either order, and the second,
//! finding the head behind, would have to be failed and recovered, or made to wait on the server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::appender::batch::Batch;
use crate::appender::sealed::{Message, Request};
use crate::appender::versions::Versions;
use crate::appender::{AppendSettings, lookup};
use crate::error::{Error, Result};
use crate::event::Appended;
use crate::lease::{self, Identity, Session, WriterHead, now_micros, signed};

/// A segment is made when the head is within this many positions of it.
const SEGMENT_AHEAD: u64 = crate::SEGMENT / 2;
/// The longest that a batch is held back for callers that were just answered.
const LINGER: Duration = Duration::from_micros(300);
/// Between two questions for a lease that seems held.
const LEASE_PAUSE: Duration = Duration::from_millis(50);

/// The one writer of a ledger.
pub(crate) struct Appender {
    pub(super) identity: Arc<Identity>,
    pub(super) settings: AppendSettings,
    requests: mpsc::Receiver<Message>,
    waiting: Waiting,
    in_flight: Option<JoinHandle<Flight>>,
    /// Callers that want to know the committed size for certain.
    pub(super) settling: Vec<oneshot::Sender<Result<u64>>>,
    /// Requests of the batch that landed last, and when it did.
    answered: (usize, Instant),
    pub(super) session: Option<Session>,
    pub(super) generation: i64,
    /// The head once what is under way has committed.
    pub(super) head: WriterHead,
    pub(super) versions: Versions,
    pub(super) segments: u64,
    /// The committed size.
    pub(super) published: watch::Sender<u64>,
    /// Set for good once somebody else writes this ledger or the log went back.
    pub(super) stopped: Option<Error>,
}

/// Requests taken from the queue, with their sums; never more than about two batches.
#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    events: usize,
    bytes: usize,
}

/// A batch under way, or landed.
pub(super) struct Flight {
    pub(super) requests: Vec<Request>,
    pub(super) batch: Batch,
    connection: PgConnection,
    pub(super) result: Result<()>,
}

/// Takes the lease and prepares the task; [`Appender::run`] is to be spawned.
pub(crate) async fn open(
    identity: Identity,
    settings: AppendSettings,
    requests: mpsc::Receiver<Message>,
) -> Result<(Appender, watch::Receiver<u64>)> {
    let deadline = Instant::now() + settings.lease_patience;
    let (published, watching) = watch::channel(0);
    let (session, head) = loop {
        match lease::take(&identity, None, watching.clone()).await {
            Err(Error::LeaseHeld { .. }) if Instant::now() < deadline => tokio::time::sleep(LEASE_PAUSE).await,
            taken => break taken?,
        }
    };
    published.send_replace(head.size());
    let appender = Appender {
        identity: Arc::new(identity),
        settings,
        requests,
        waiting: Waiting::default(),
        in_flight: None,
        settling: Vec::new(),
        answered: (0, Instant::now()),
        generation: session.generation,
        session: Some(session),
        versions: Versions::default(),
        segments: head.size() / crate::SEGMENT,
        head,
        published,
        stopped: None,
    };
    Ok((appender, watching))
}

impl Appender {
    /// Runs until every handle is dropped, then gives the lease back.
    pub(crate) async fn run(mut self) {
        let mut open = true;
        while open || self.in_flight.is_some() || !self.waiting.requests.is_empty() {
            let room =
                open && self.waiting.events < self.settings.max_events && self.waiting.bytes < self.settings.max_bytes;
            tokio::select! {
                biased;
                landed = landing(&mut self.in_flight) => self.land(landed).await,
                message = self.requests.recv(), if room => open = self.note(message),
            }
            // Whatever else is there goes into the same batch.
            self.gather();
            self.settle().await;
            self.linger().await;
            while self.in_flight.is_none() && !self.waiting.requests.is_empty() {
                let requests = self.waiting.take(self.settings.max_events, self.settings.max_bytes);
                self.launch(requests).await;
            }
        }
        if let Some(session) = self.session.take()
            && let Err(error) = lease::release(session, &self.identity).await
        {
            tracing::debug!(error = Error::chain(&error), "the lease ends with its session");
        }
    }

    /// Takes what is in the queue, as far as it fits into a batch.
    fn gather(&mut self) {
        while self.waiting.events < self.settings.max_events
            && self.waiting.bytes < self.settings.max_bytes
            && let Ok(message) = self.requests.try_recv()
        {
            self.note(Some(message));
        }
    }

    /// Callers that were just answered together are likely to come back together: a moment's patience makes one batch
    /// and one wait for the disk of what would be two. A single caller never waits for it.
    async fn linger(&mut self) {
        let (expected, landed) = self.answered;
        let until = landed + LINGER;
        while self.in_flight.is_none()
            && !self.waiting.requests.is_empty()
            && self.waiting.requests.len() < expected
            && Instant::now() < until
        {
            tokio::task::yield_now().await;
            self.gather();
        }
    }

    /// Puts a request to those waiting; false once there will be no more.
    fn note(&mut self, message: Option<Message>) -> bool {
        match message {
            Some(Message::Append(request)) => self.waiting.put(request),
            Some(Message::Settle(reply)) => self.settling.push(reply),
            Some(Message::Close) => self.requests.close(),
            None => return false,
        }
        true
    }

    async fn launch(&mut self, requests: Vec<Request>) {
        let keyed = requests.iter().any(|request| request.unit.idempotency_key.is_some());
        let usable = self.session.as_ref().is_some_and(|session| !session.keeper.is_lost());
        if keyed || !usable || self.look_up_versions(&requests).await.is_err() {
            return self.commit(requests).await;
        }
        let batch = Batch::build(&requests, &self.head, now_micros(), &self.versions, &lookup::KnownKeys::new());
        if batch.is_empty() || self.segment_due(&batch) {
            return self.commit(requests).await;
        }
        let Some(connection) = self.session.as_mut().and_then(|session| session.appends.take()) else {
            return self.commit(requests).await;
        };
        self.head = batch.head.clone();
        for stream in &batch.streams {
            self.versions.put(stream.name.clone(), stream.after);
        }
        let (ledger_id, generation, limit) = (self.identity.ledger_id, self.generation, self.settings.write_timeout);
        self.in_flight = Some(tokio::spawn(async move {
            let mut flight = Flight { requests, batch, connection, result: Ok(()) };
            let writing = flight.batch.write(&flight.requests, &mut flight.connection, ledger_id, generation);
            flight.result = timed(limit, "append a batch", writing).await;
            flight
        }));
    }

    async fn look_up_versions(&mut self, requests: &[Request]) -> Result<()> {
        let Some(connection) = self.session.as_mut().and_then(|session| session.appends.as_mut()) else {
            return Err(lost());
        };
        let looking = lookup::versions(connection, self.identity.ledger_id, requests, &mut self.versions);
        timed(self.settings.write_timeout, "look up streams", looking).await
    }

    pub(super) fn segments_for(batch: &Batch) -> u64 {
        (batch.head.size() + SEGMENT_AHEAD) / crate::SEGMENT + 1
    }

    fn segment_due(&self, batch: &Batch) -> bool {
        Self::segments_for(batch) > self.segments
    }

    async fn land(&mut self, landed: Option<Flight>) {
        let Some(flight) = landed else { return };
        if flight.result.is_ok() {
            let Flight { requests, mut batch, connection, .. } = flight;
            self.published.send_replace(batch.head.size());
            if let Some(session) = &mut self.session {
                session.appends = Some(connection);
            }
            self.answered = (requests.len(), Instant::now());
            return answer(requests, batch.answers());
        }
        self.recover(flight).await;
    }

    /// Writes a batch and the segments it needs, with nothing under way.
    pub(super) async fn write(&mut self, requests: &[Request], batch: &Batch) -> Result<()> {
        let segments = Self::segments_for(batch);
        let (ledger_id, limit) = (self.identity.ledger_id, self.settings.write_timeout);
        let Some(session) = &mut self.session else { return Err(lost()) };
        let generation = session.generation;
        let Some(connection) = session.appends.as_mut() else { return Err(lost()) };
        if segments > self.segments {
            let making = ensure_segments(connection, ledger_id, self.segments..segments);
            timed(limit, "make a segment", making).await?;
            self.segments = segments;
        }
        timed(limit, "append a batch", batch.write(requests, connection, ledger_id, generation)).await
    }

    pub(super) fn lose_session(&mut self) {
        self.session = None;
        self.versions.clear();
        self.segments = *self.published.borrow() / crate::SEGMENT;
    }
}

impl Waiting {
    fn put(&mut self, request: Request) {
        self.events += request.unit.events.len();
        self.bytes += request.bytes;
        self.requests.push_back(request);
    }

    /// As many as fit into a batch, at least one.
    fn take(&mut self, max_events: usize, max_bytes: usize) -> Vec<Request> {
        let (mut events, mut bytes, mut taken) = (0, 0, Vec::new());
        while let Some(request) = self.requests.front() {
            events += request.unit.events.len();
            bytes += request.bytes;
            if !taken.is_empty() && (events > max_events || bytes > max_bytes) {
                break;
            }
            self.events -= request.unit.events.len();
            self.bytes -= request.bytes;
            taken.extend(self.requests.pop_front());
        }
        taken
    }
}

/// The batch under way, once it has landed; never, while there is none.
async fn landing(in_flight: &mut Option<JoinHandle<Flight>>) -> Option<Flight> {
    let Some(flight) = in_flight else { return std::future::pending().await };
    let landed = flight.await;
    *in_flight = None;
    landed.ok()
}

pub(super) fn answer(requests: Vec<Request>, answers: Vec<Result<Appended>>) {
    for (request, answer) in requests.into_iter().zip(answers) {
        // A caller that went away does not want to know.
        let _ = request.reply.send(answer);
    }
}

pub(super) fn lost() -> Error {
    Error::Stopped { reason: "its session is lost".to_owned() }
}

/// Runs a statement with a limit of time; a statement that is cut off leaves its connection unusable.
pub(super) async fn timed<T>(
    limit: Duration,
    action: &'static str,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T> {
    let late = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
    match tokio::time::timeout(limit, statement).await {
        Ok(done) => done.map_err(Error::database(action)),
        Err(_) => Err(Error::database(action)(late())),
    }
}

async fn ensure_segments(
    connection: &mut PgConnection,
    ledger_id: i64,
    segments: std::ops::Range<u64>,
) -> Result<(), sqlx::Error> {
    for segment in segments {
        let at = signed(segment * crate::SEGMENT);
        sqlx::query("SELECT ledger.ensure_segment($1, $2)").bind(ledger_id).bind(at).execute(&mut *connection).await?;
    }
    Ok(())
}
