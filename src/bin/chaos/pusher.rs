//! The client: pushes challenges all the time, whether the validator lives or not, and is not killed itself.
//!
//! It repeats a push whose answer was lost until it gets one, as a good client does. What it was told goes into its book.

use crate::book::{Book, Entry};
use crate::chance::Chance;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const SHIPPED: &str = include_str!("../../../demo/questions.jsonl");
/// Pushes under way at once.
const WORKERS: usize = 4;
/// How long one answer may take; the validator waits for its database for a while before it gives up.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two tries of one push.
const RETRY: Duration = Duration::from_millis(150);
/// Between two pushes of a worker, at most, in milliseconds.
const PAUSE: u64 = 1_600;
/// An acknowledged challenge is pushed again one time in so many.
const AGAIN: u64 = 6;
/// How long what is under way at the end may take.
const ENDING: Duration = Duration::from_secs(90);

#[derive(Deserialize)]
struct Question {
    prompt: String,
}

#[derive(Deserialize)]
struct Accepted {
    challenge_id: String,
    position: serde_json::Value,
}

/// What the client saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    /// Challenges acknowledged with 201.
    pub(crate) acknowledged: u64,
    /// Challenges whose first answer was lost and that a later 409 showed to be there.
    pub(crate) found_accepted: u64,
    /// Pushes without any answer, or with a 5xx, repeated later.
    pub(crate) repeated: u64,
    /// Second pushes of an acknowledged challenge, each refused with 409.
    pub(crate) duplicates_refused: u64,
}

struct Shared {
    url: String,
    http: reqwest::Client,
    prompts: Vec<String>,
    book: Mutex<Book>,
    number: AtomicU64,
    stop: AtomicBool,
    counts: Mutex<Counts>,
}

/// What became of one push.
enum Answer {
    Accepted(u64),
    Duplicate,
    /// Nobody listened: nothing was sent.
    NotSent,
    /// The answer is not known, or it was a 429 or 5xx.
    Lost,
}

/// The running client.
pub(crate) struct Pusher {
    shared: Arc<Shared>,
    workers: JoinSet<Result<()>>,
    book: PathBuf,
}

impl Pusher {
    /// Begins to push to the validator at `url`.
    pub(crate) fn start(url: &str, book: Book, chance: &mut Chance) -> Result<Self> {
        let prompts = SHIPPED.lines().map(|line| Ok(serde_json::from_str::<Question>(line)?.prompt));
        let prompts = prompts.collect::<Result<Vec<_>>>().context("a shipped question is malformed")?;
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let path = book.path().to_owned();
        let shared = Arc::new(Shared {
            url: format!("{url}/challenges"),
            http,
            prompts,
            book: Mutex::new(book),
            number: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            counts: Mutex::new(Counts::default()),
        });
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(work(Arc::clone(&shared), chance.fork()));
        }
        Ok(Self { shared, workers, book: path })
    }

    /// What it saw so far.
    pub(crate) fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails when a worker has met what must not be.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.workers.try_join_next() {
            Some(ended) => {
                ended?.context("the pushing client")?;
                bail!("a worker of the pushing client ended too early")
            }
            None => Ok(()),
        }
    }

    /// Begins nothing new, brings what is under way to its end, and gives the book.
    pub(crate) async fn finish(mut self) -> Result<(Counts, PathBuf)> {
        self.shared.stop.store(true, Ordering::Release);
        let ending = async {
            while let Some(ended) = self.workers.join_next().await {
                ended?.context("the pushing client")?;
            }
            Ok::<_, anyhow::Error>(())
        };
        let ended = tokio::time::timeout(ENDING, ending).await;
        ended.context("the pushing client waits for the validator in vain")??;
        let counts = *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((counts, self.book))
    }
}

async fn work(shared: Arc<Shared>, mut chance: Chance) -> Result<()> {
    while !shared.stop.load(Ordering::Acquire) {
        let number = shared.number.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("chaos-{number}");
        let prompt = &shared.prompts[chance.below(shared.prompts.len())];
        let body = serde_json::json!({"id": id, "prompt": prompt, "max_tokens": 256});
        push(&shared, &id, &body).await?;
        if chance.once_in(AGAIN) {
            push_again(&shared, &id, &body).await?;
        }
        tokio::time::sleep(chance.pause(PAUSE)).await;
    }
    Ok(())
}

/// Pushes until the challenge is known to be accepted.
async fn push(shared: &Arc<Shared>, id: &str, body: &serde_json::Value) -> Result<()> {
    let mut uncertain = false;
    let begun = Instant::now();
    loop {
        match ask(shared, id, body).await? {
            Answer::Accepted(position) => {
                record(shared, Entry { id: id.to_owned(), position: Some(position) }).await?;
                shared.count(|counts| counts.acknowledged += 1);
                return Ok(());
            }
            Answer::Duplicate if uncertain => {
                record(shared, Entry { id: id.to_owned(), position: None }).await?;
                shared.count(|counts| counts.found_accepted += 1);
                return Ok(());
            }
            Answer::Duplicate => bail!("challenge {id} is a duplicate although nobody pushed it before"),
            Answer::NotSent => {}
            Answer::Lost => {
                uncertain = true;
                shared.count(|counts| counts.repeated += 1);
            }
        }
        if begun.elapsed() > ENDING * 2 {
            bail!("challenge {id} was neither accepted nor refused in {} s", (ENDING * 2).as_secs());
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Pushes what was acknowledged before: it must not be accepted again.
async fn push_again(shared: &Shared, id: &str, body: &serde_json::Value) -> Result<()> {
    match ask(shared, id, body).await? {
        Answer::Accepted(position) => bail!("challenge {id} was accepted twice, now at position {position}"),
        Answer::Duplicate => shared.count(|counts| counts.duplicates_refused += 1),
        Answer::NotSent | Answer::Lost => {}
    }
    Ok(())
}

async fn ask(shared: &Shared, id: &str, body: &serde_json::Value) -> Result<Answer> {
    let reply = match shared.http.post(&shared.url).json(body).send().await {
        Ok(reply) => reply,
        Err(error) if error.is_connect() => return Ok(Answer::NotSent),
        Err(_) => return Ok(Answer::Lost),
    };
    let status = reply.status();
    let Ok(text) = reply.text().await else { return Ok(Answer::Lost) };
    match status.as_u16() {
        201 => {
            let accepted: Accepted = serde_json::from_str(&text).with_context(|| format!("a 201 that says {text}"))?;
            let position = match &accepted.position {
                serde_json::Value::String(digits) => digits.parse().ok(),
                other => other.as_u64(),
            };
            match position {
                Some(position) if accepted.challenge_id == id => Ok(Answer::Accepted(position)),
                _ => bail!("the answer to the push of {id} is {text}"),
            }
        }
        409 => Ok(Answer::Duplicate),
        429 | 500..=599 => Ok(Answer::Lost),
        _ => bail!("the push of {id} was refused with {status}: {text}"),
    }
}

async fn record(shared: &Arc<Shared>, entry: Entry) -> Result<()> {
    let shared = Arc::clone(shared);
    let write = move || shared.book.lock().unwrap_or_else(PoisonError::into_inner).write(&entry);
    tokio::task::spawn_blocking(write).await?
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
