//! The node: state, pool and file together.
//!
//! A block is on disk before it is in the state, and in the state before anyone is told of it. There is one author; a
//! fault of the file stops it for good, because what stands on disk is then unknown until the file is read again.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use domain::types::{BlockNumber, Digest, Hotkey, sha256};
use tokio::sync::watch;

use super::block::{Block, Genesis, randomness};
use super::block_file::BlockFile;
use super::extrinsic::Extrinsic;
use super::pool::Pool;
use super::specification::Specification;
use super::state::State;
use crate::error::Error;
use crate::types::{BlockHeader, ExtrinsicReference, ExtrinsicStatus};

/// A development chain's node.
#[derive(Debug)]
pub struct Node {
    inner: RwLock<Inner>,
    file: Mutex<BlockFile>,
    heads: watch::Sender<BlockHeader>,
    fault: OnceLock<String>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    pool: Pool,
}

impl Node {
    /// Continues the chain in `path`, or begins one there with `specification` when there is none. A chain keeps the
    /// specification it began with; whether that is another one is told by [`Node::read`] and logged.
    ///
    /// # Errors
    /// [`Error::FileInUse`], [`Error::FileDamaged`], [`Error::File`], [`Error::InvalidSpecification`].
    pub fn open(path: &Path, specification: &Specification, now_ms: u64) -> Result<Self, Error> {
        let (mut file, replayed) = BlockFile::open(path)?;
        let state = match replayed {
            Some(state) => {
                if state.specification() != specification {
                    tracing::warn!(path = %path.display(), "the chain began with another specification and keeps it");
                }
                state
            }
            None => {
                let genesis =
                    Genesis { specification: specification.clone(), timestamp_ms: now_ms, randomness: randomness()? };
                let state = State::new(&genesis)?;
                file.begin(&genesis)?;
                state
            }
        };
        let (heads, _) = watch::channel(state.head());
        let inner = RwLock::new(Inner { state, pool: Pool::default() });
        Ok(Self { inner, file: Mutex::new(file), heads, fault: OnceLock::new() })
    }

    /// Makes the next block of what is ready in the pool. Blocks the thread until it is on disk.
    ///
    /// # Errors
    /// [`Error::Stopped`] after a fault, else the fault itself.
    pub fn author(&self, now_ms: u64) -> Result<BlockHeader, Error> {
        self.check_running()?;
        // Held throughout: there is one author at a time, and the head does not move under it.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let block = self.with(|inner| {
            let head = inner.state.head();
            let number = BlockNumber(head.number.0 + 1);
            let timestamp_ms = now_ms.max(head.timestamp_ms + 1);
            Ok::<_, Error>(Block::new(number, head.hash, timestamp_ms, randomness()?, inner.pool.ready(&inner.state))?)
        })?;
        self.stop_on_fault(file.append(&block))?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, pool } = &mut *inner;
        self.stop_on_fault(state.apply(&block))?;
        pool.prune(state);
        let head = state.head();
        drop(inner);
        self.heads.send_replace(head);
        Ok(head)
    }

    /// Takes an extrinsic in and gives its hash. One that is in the pool or in a block already is taken as it is.
    ///
    /// # Errors
    /// [`Error::Rejected`] with the pool's reason, [`Error::Stopped`].
    pub fn submit(&self, bytes: &[u8]) -> Result<Digest, Error> {
        self.check_running()?;
        let extrinsic =
            Extrinsic::decode(bytes).map_err(|message| Error::Rejected { name: "BadFormat".to_owned(), message })?;
        let hash = sha256(bytes);
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, pool } = &mut *inner;
        if !pool.contains(&hash) && state.inclusion(&hash).is_none() {
            pool.insert(state, hash, extrinsic)?;
        }
        Ok(hash)
    }

    /// What became of an extrinsic.
    pub fn extrinsic_status(&self, reference: &ExtrinsicReference) -> ExtrinsicStatus {
        self.with(|Inner { state, pool }| {
            if let Some(inclusion) = state.inclusion(&reference.hash) {
                return ExtrinsicStatus::Included(inclusion);
            }
            if pool.contains(&reference.hash) {
                return ExtrinsicStatus::Pending;
            }
            let next_block = BlockNumber(state.head().number.0 + 1);
            if next_block >= reference.era.death() || state.nonce(&reference.signer) > reference.nonce {
                return ExtrinsicStatus::Expired;
            }
            ExtrinsicStatus::Unknown
        })
    }

    /// The next nonce of an account, those that wait in the pool counted.
    pub fn next_nonce(&self, account: &Hotkey) -> u64 {
        self.with(|inner| inner.pool.next_nonce(&inner.state, account))
    }

    /// Reads the state. `read` must be short: the author waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        self.with(|inner| read(&inner.state))
    }

    /// The newest block, and each one after it (slow readers see only the newest).
    pub fn heads(&self) -> watch::Receiver<BlockHeader> {
        self.heads.subscribe()
    }

    fn with<T>(&self, read: impl FnOnce(&Inner) -> T) -> T {
        read(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check_running(&self) -> Result<(), Error> {
        match self.fault.get() {
            Some(fault) => Err(Error::Stopped(fault.clone())),
            None => Ok(()),
        }
    }

    fn stop_on_fault<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome {
            // The first fault is the one that matters.
            let _ = self.fault.set(error.to_string());
        }
        outcome
    }
}
