//! The newest block, followed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain::{BlockHeader, Chain};
use domain::types::BlockNumber;
use tokio::sync::watch;

use crate::clock::Backoff;
use crate::stop::Stop;

/// A block seen longer ago than this is no source of randomness for a new challenge. Subtensor makes one each 12 s.
const FRESH: Duration = Duration::from_secs(60);
/// How long one question for the next block waits.
const WAIT: Duration = Duration::from_secs(10);
/// The longest pause between two questions to a chain that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The newest block as this process saw it.
#[derive(Debug)]
pub(crate) struct ChainView {
    newest: Mutex<Seen>,
    block: watch::Sender<BlockNumber>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    header: BlockHeader,
    /// When this block was seen first.
    arrived: Instant,
    answered: Instant,
}

impl ChainView {
    /// Begins at a block that was just read.
    pub(crate) fn new(header: BlockHeader) -> Self {
        let now = Instant::now();
        let newest = Mutex::new(Seen { header, arrived: now, answered: now });
        Self { newest, block: watch::channel(header.number).0 }
    }

    /// The number of the newest block, followed.
    pub(crate) fn block(&self) -> watch::Receiver<BlockNumber> {
        self.block.subscribe()
    }

    /// The newest block, if the chain answered within the last minute.
    ///
    /// # Errors
    /// Says since when it does not answer.
    pub(crate) fn head(&self) -> Result<BlockHeader, String> {
        let seen = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = seen.answered.elapsed();
        if silent <= FRESH {
            return Ok(seen.header);
        }
        Err(format!("the chain has not answered for {} s (newest block {})", silent.as_secs(), seen.header.number))
    }

    /// The newest block that was seen, and for how long there has been no newer one.
    pub(crate) fn newest(&self) -> (BlockNumber, Duration) {
        let seen = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.header.number, seen.arrived.elapsed())
    }

    /// Takes note of a block; older ones than the newest only show that the chain answers.
    pub(crate) fn saw(&self, header: BlockHeader) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.answered = Instant::now();
        if header.number > newest.header.number {
            newest.header = header;
            newest.arrived = newest.answered;
            self.block.send_replace(header.number);
        }
    }

    /// Follows the chain until the validator stops. A chain that does not answer is asked again for as long as it takes.
    pub(crate) async fn follow(&self, chain: &dyn Chain, stop: &Stop) {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        while !stop.is_ordered() {
            let newest = *self.block.borrow();
            let asked = tokio::select! {
                asked = chain.await_block(newest, WAIT) => asked,
                () = stop.stopped() => return,
            };
            match asked {
                Ok(found) => {
                    backoff = Backoff::up_to(LONGEST_PAUSE);
                    match found {
                        Some(header) => self.saw(header),
                        // It answered that there is no new block.
                        None => self.newest.lock().unwrap_or_else(PoisonError::into_inner).answered = Instant::now(),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the chain does not answer; asking again");
                    stop.sleep(backoff.pause()).await;
                }
            }
        }
    }
}
