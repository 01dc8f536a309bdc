//! The node: state, pool and file together.
//!
//! A block is on disk before it is in the state, and in the state before anyone is told of it. There is one author; a
//! fault of the file stops it for good, because what stands on disk is then unknown until the file is read again.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::watch;

use crate::block::{Genesis, digest, randomness};
use crate::block_file::BlockFile;
use crate::error::Error;
use crate::extrinsic::Extrinsic;
use crate::pool::{Pool, Refusal};
use crate::runtime::pallet_timestamp;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::specification::Specification;
use crate::state::State;

/// A development chain's node.
#[derive(Debug)]
pub struct Node {
    inner: RwLock<Inner>,
    file: Mutex<BlockFile>,
    heads: watch::Sender<u32>,
    fault: OnceLock<String>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    pool: Pool,
}

/// Where an extrinsic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It waits in the pool.
    Waiting,
    /// It is in a block: the block's number and hash, and the place in it.
    Included {
        /// The block.
        number: u32,
        /// Its hash.
        hash: [u8; 32],
        /// The place in it, from 1: the author's clock is the first.
        index: u32,
    },
    /// Neither.
    Unknown,
}

impl Node {
    /// Continues the chain in `path`, or begins one there with `specification` when there is none. A chain keeps the
    /// specification it began with; that it is another one is logged.
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
                let genesis = Genesis::new(specification, now_ms)?;
                let state = State::new(&genesis)?;
                file.begin(&genesis)?;
                state
            }
        };
        let (heads, _) = watch::channel(state.height());
        let inner = RwLock::new(Inner { state, pool: Pool::default() });
        Ok(Self { inner, file: Mutex::new(file), heads, fault: OnceLock::new() })
    }

    /// Makes the next block of what is ready in the pool and gives its hash. Blocks the thread until it is on disk.
    ///
    /// # Errors
    /// [`Error::Stopped`] after a fault, else the fault itself.
    pub fn author(&self, now_ms: u64) -> Result<[u8; 32], Error> {
        self.check_running()?;
        // Held throughout: there is one author at a time, and the head does not move under it.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.with(|Inner { state, pool }| {
            let now_ms = now_ms.max(pallet_timestamp::NOW.get(&state.now(), &()).saturating_add(1));
            state.make(now_ms, digest(&randomness()?), &pool.ready(state))
        })?;
        self.stop_on_fault(file.append(&made.block))?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, pool } = &mut *inner;
        state.accept(made);
        pool.prune(state);
        let (number, hash) = (state.height(), state.head().hash);
        drop(inner);
        self.heads.send_replace(number);
        Ok(hash)
    }

    /// Takes an extrinsic in and gives its hash.
    ///
    /// # Errors
    /// The pool's [`Refusal`].
    pub fn submit(&self, bytes: &[u8]) -> Result<[u8; 32], Refusal> {
        if let Err(error) = self.check_running() {
            return Err(Refusal { code: 1000, message: "Client error", data: error.to_string() });
        }
        let extrinsic = Extrinsic::decode(bytes).map_err(Refusal::bad_format)?;
        let hash = extrinsic.hash;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, pool } = &mut *inner;
        pool.insert(state, extrinsic)?;
        Ok(hash)
    }

    /// Where an extrinsic is now.
    pub fn whereabouts(&self, hash: &[u8; 32]) -> Whereabouts {
        self.with(|Inner { state, pool }| match state.inclusion(hash) {
            Some((number, index)) => {
                let hash = state.block(number).map_or([0; 32], |block| block.hash);
                Whereabouts::Included { number, hash, index }
            }
            None if pool.contains(hash) => Whereabouts::Waiting,
            None => Whereabouts::Unknown,
        })
    }

    /// The next nonce of an account, those that wait in the pool counted.
    pub fn next_nonce(&self, account: &AccountId32) -> u32 {
        self.with(|inner| inner.pool.next_nonce(&inner.state, account))
    }

    /// The bytes of all extrinsics that wait.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        self.with(|inner| inner.pool.pending())
    }

    /// Reads the state. `read` must be short: the author waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        self.with(|inner| read(&inner.state))
    }

    /// The number of the newest block, and each one after it (slow readers see only the newest).
    pub fn heads(&self) -> watch::Receiver<u32> {
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
