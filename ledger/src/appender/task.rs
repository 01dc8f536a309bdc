//! The appender's loop: collect, commit, answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::appender::batch::{Batch, Verdict};
use crate::appender::sealed::{Message, Request};
use crate::appender::versions::Versions;
use crate::appender::{AppendSettings, lookup, recovery};
use crate::connect::{Part, connect_as};
use crate::error::{Error, Result};
use crate::event::Appended;
use crate::lease::{self, Identity, Session, WriterHead, now_micros, signed};

/// The channel of wake-ups, and how often one is sent at most: each takes part in a commit of its own.
pub(crate) const CHANNEL: &str = "assay_ledger";
const NOTIFY_PAUSE: Duration = Duration::from_millis(20);
/// A segment is made when the head is within this many positions of it.
const SEGMENT_AHEAD: u64 = crate::SEGMENT / 2;

/// The one writer of a ledger.
pub(crate) struct Appender {
    identity: Arc<Identity>,
    settings: AppendSettings,
    requests: mpsc::Receiver<Message>,
    /// Taken from the queue, and too large for the batch it was taken for.
    held: Option<Request>,
    session: Option<Session>,
    generation: i64,
    head: WriterHead,
    versions: Versions,
    segments: u64,
    published: watch::Sender<u64>,
    notified: (u64, Instant),
    /// Set for good once somebody else writes this ledger or the log went back.
    stopped: Option<Error>,
}

/// What came of one attempt at a batch.
enum Attempt {
    /// One answer per request, in order.
    Done(Vec<Result<Appended>>),
    /// Certainly not written.
    NotWritten(Error),
    /// Nobody could be asked.
    Unknown(Error),
}

/// Takes the lease and prepares the task; [`Appender::run`] is to be spawned.
pub(crate) async fn open(
    identity: Identity,
    settings: AppendSettings,
    requests: mpsc::Receiver<Message>,
) -> Result<(Appender, watch::Receiver<u64>)> {
    let deadline = Instant::now() + settings.lease_patience;
    let (session, head) = loop {
        match lease::take(&identity, None).await {
            Err(Error::LeaseHeld { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            taken => break taken?,
        }
    };
    let (published, watching) = watch::channel(head.size());
    let appender = Appender {
        identity: Arc::new(identity),
        settings,
        requests,
        held: None,
        generation: session.generation,
        session: Some(session),
        versions: Versions::default(),
        segments: head.size() / crate::SEGMENT,
        notified: (head.size(), Instant::now()),
        head,
        published,
        stopped: None,
    };
    Ok((appender, watching))
}

impl Appender {
    /// Runs until every handle is dropped, then gives the lease back.
    pub(crate) async fn run(mut self) {
        while let Some(requests) = self.collect().await {
            self.commit(requests).await;
        }
        self.notify_if_due().await;
        if let Some(session) = self.session.take()
            && let Err(error) = lease::release(session, &self.identity).await
        {
            tracing::debug!(error = Error::chain(&error), "the lease ends with its session");
        }
    }

    /// Waits for a request, then takes what else is there, up to a batch.
    async fn collect(&mut self) -> Option<Vec<Request>> {
        let first = match self.held.take() {
            Some(held) => held,
            None => self.next().await?,
        };
        let (mut events, mut bytes) = (first.unit.events.len(), first.bytes);
        let mut requests = vec![first];
        while let Ok(message) = self.requests.try_recv() {
            let Message::Append(request) = message else {
                self.requests.close();
                continue;
            };
            events += request.unit.events.len();
            bytes += request.bytes;
            if events > self.settings.max_events || bytes > self.settings.max_bytes {
                self.held = Some(request);
                break;
            }
            requests.push(request);
        }
        Some(requests)
    }

    async fn next(&mut self) -> Option<Request> {
        loop {
            let (size, at) = self.notified;
            let message = if size < self.head.size() && self.session.is_some() {
                match tokio::time::timeout_at(at + NOTIFY_PAUSE, self.requests.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.notify_if_due().await;
                        continue;
                    }
                }
            } else {
                self.requests.recv().await
            };
            match message? {
                Message::Append(request) => return Some(request),
                Message::Close => self.requests.close(),
            }
        }
    }

    async fn commit(&mut self, requests: Vec<Request>) {
        let mut attempts = 0;
        let last = loop {
            if let Some(stopped) = &self.stopped {
                break stopped.clone();
            }
            attempts += 1;
            match self.attempt(&requests).await {
                Attempt::Done(answers) => return answer(requests, answers),
                Attempt::Unknown(error) => break error,
                Attempt::NotWritten(error) if attempts >= self.settings.attempts => {
                    if requests.len() > 1 && self.stopped.is_none() {
                        // Perhaps one of them is at fault: each alone, so that it fails alone.
                        for request in requests {
                            Box::pin(self.commit(vec![request])).await;
                        }
                        return;
                    }
                    break Error::NotCommitted { attempts, reason: Error::chain(&error) };
                }
                Attempt::NotWritten(error) => {
                    tracing::warn!(error = Error::chain(&error), "a batch was not written; trying again")
                }
            }
        };
        let answers = requests.iter().map(|_| Err(last.clone())).collect();
        answer(requests, answers);
    }

    async fn attempt(&mut self, requests: &[Request]) -> Attempt {
        let deadline = Instant::now() + self.settings.recovery_timeout;
        if self.session.is_none()
            && let Err(error) = self.reconnect(deadline).await
        {
            return Attempt::NotWritten(error);
        }
        let known_keys = match self.look_up(requests).await {
            Ok(known_keys) => known_keys,
            Err(error) => {
                self.lose_session();
                return Attempt::NotWritten(error);
            }
        };
        let batch = Batch::build(requests, &self.head, now_micros(), &self.versions, &known_keys);
        if batch.is_empty() {
            return Attempt::Done(answers(batch));
        }
        let Err(error) = self.write(&batch).await else {
            self.accept(&batch);
            return Attempt::Done(answers(batch));
        };
        tracing::warn!(
            error = Error::chain(&error),
            first = batch.old_size,
            "the outcome of a batch is unknown; asking the log"
        );
        match self.find_out(&batch, deadline).await {
            Ok(true) => {
                self.published.send_replace(self.head.size());
                Attempt::Done(answers(batch))
            }
            Ok(false) => Attempt::NotWritten(error),
            Err(lost) => {
                let (first, last) = (batch.old_size, batch.head.size() - 1);
                Attempt::Unknown(Error::OutcomeUnknown { first, last, reason: Error::chain(&lost) })
            }
        }
    }

    async fn look_up(&mut self, requests: &[Request]) -> Result<lookup::KnownKeys> {
        let Some(session) = &mut self.session else { return Err(lost()) };
        let ledger_id = self.identity.ledger_id;
        let looking = async {
            lookup::versions(&mut session.appends, ledger_id, requests, &mut self.versions).await?;
            lookup::keys(&mut session.appends, ledger_id, requests).await
        };
        timed(self.settings.write_timeout, "look up streams", looking).await
    }

    async fn write(&mut self, batch: &Batch<'_>) -> Result<()> {
        let Some(session) = &mut self.session else { return Err(lost()) };
        let ledger_id = self.identity.ledger_id;
        let segments = (batch.head.size() + SEGMENT_AHEAD) / crate::SEGMENT + 1;
        if segments > self.segments {
            let making = ensure_segments(&mut session.appends, ledger_id, self.segments..segments);
            timed(self.settings.write_timeout, "make a segment", making).await?;
            self.segments = segments;
        }
        let writing = batch.write(&mut session.appends, ledger_id, session.generation);
        let (size, at) = self.notified;
        if size == self.head.size() || at.elapsed() < NOTIFY_PAUSE {
            return timed(self.settings.write_timeout, "append a batch", writing).await;
        }
        self.notified = (self.head.size(), Instant::now());
        let notifying = notify(&mut session.lease, ledger_id, self.head.size());
        let both = async { tokio::join!(writing, notifying) };
        let (written, notified) =
            timed(self.settings.write_timeout, "append a batch", async { Ok(both.await) }).await?;
        written.map_err(Error::database("append a batch"))?;
        if notified.is_err() {
            self.session = None;
        }
        Ok(())
    }

    /// The head after a commit.
    fn accept(&mut self, batch: &Batch<'_>) {
        self.head = batch.head.clone();
        for stream in &batch.streams {
            self.versions.put(stream.name.clone(), stream.after);
        }
        self.published.send_replace(self.head.size());
    }

    /// Takes the lease again and asks the log whether the batch is in it.
    async fn find_out(&mut self, batch: &Batch<'_>, deadline: Instant) -> Result<bool> {
        self.lose_session();
        let (ledger_id, first) = (self.identity.ledger_id, batch.old_size);
        loop {
            match self.reconnect(deadline).await {
                Ok(()) => {}
                // Somebody else has the lease, so nothing of ours is under way any more, and the log can be asked.
                Err(held @ Error::LeaseHeld { .. }) if self.stopped.is_some() => {
                    let mut connection =
                        connect_as(&self.identity.url, &self.identity.application, Part::Reader).await?;
                    tracing::error!(error = %held, "this writer stops");
                    return recovery::is_written(&mut connection, ledger_id, first, &batch.leaf_hashes).await;
                }
                Err(error) => return Err(error),
            }
            let Some(session) = &mut self.session else { return Err(lost()) };
            match recovery::is_written(&mut session.appends, ledger_id, first, &batch.leaf_hashes).await {
                Ok(written) => return Ok(written),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => self.lose_session(),
            }
        }
    }

    async fn reconnect(&mut self, deadline: Instant) -> Result<()> {
        let taken = recovery::reconnect(&self.identity, Some(self.generation), deadline).await;
        let (session, head) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                if matches!(error, Error::LeaseHeld { .. } | Error::NoSuchLedger { .. } | Error::Damaged { .. }) {
                    self.stopped = Some(error.clone());
                }
                return Err(error);
            }
        };
        if head.size() < self.head.size() {
            let reason = format!("the log went back from {} events to {}", self.head.size(), head.size());
            let error = Error::Stopped { reason };
            self.stopped = Some(error.clone());
            return Err(error);
        }
        self.generation = session.generation;
        self.session = Some(session);
        self.head = head;
        Ok(())
    }

    fn lose_session(&mut self) {
        self.session = None;
        self.versions.clear();
        self.segments = self.head.size() / crate::SEGMENT;
    }

    async fn notify_if_due(&mut self) {
        let Some(session) = &mut self.session else { return };
        if self.notified.0 == self.head.size() {
            return;
        }
        self.notified = (self.head.size(), Instant::now());
        let notifying = notify(&mut session.lease, self.identity.ledger_id, self.head.size());
        if timed(self.settings.write_timeout, "wake subscribers", notifying).await.is_err() {
            self.lose_session();
        }
    }
}

fn answer(requests: Vec<Request>, answers: Vec<Result<Appended>>) {
    for (request, answer) in requests.into_iter().zip(answers) {
        // A caller that went away does not want to know.
        let _ = request.reply.send(answer);
    }
}

fn answers(mut batch: Batch<'_>) -> Vec<Result<Appended>> {
    let verdicts = std::mem::take(&mut batch.verdicts);
    let answer = |verdict| match verdict {
        Verdict::Written { first, count } => Ok(batch.appended(first, count)),
        Verdict::Repeated(appended) => Ok(appended),
        Verdict::Rejected(error) => Err(error),
    };
    verdicts.into_iter().map(answer).collect()
}

fn lost() -> Error {
    Error::Stopped { reason: "its session is lost".to_owned() }
}

/// Runs a statement with a limit of time; a statement that is cut off leaves its connection unusable.
async fn timed<T>(
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
    connection: &mut sqlx::PgConnection,
    ledger_id: i64,
    segments: std::ops::Range<u64>,
) -> Result<(), sqlx::Error> {
    for segment in segments {
        let at = signed(segment * crate::SEGMENT);
        sqlx::query("SELECT ledger.ensure_segment($1, $2)").bind(ledger_id).bind(at).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn notify(connection: &mut sqlx::PgConnection, ledger_id: i64, size: u64) -> Result<(), sqlx::Error> {
    let payload = format!("{ledger_id} {size}");
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(connection).await.map(drop)
}
