//! The newest facts that decisions refer to by position: metagraphs, sweeps, outside scores, hashes of blocks.
//!
//! A decision may have read the fact just before the newest one while the newest was being committed, so a few of each are
//! kept; an older reference is a difference.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::events::{AvailabilitySwept, Event, ExternalScoresFetched};
use domain::metagraph::Metagraph;
use domain::types::{BlockNumber, Digest, Position};

/// How many of each kind of fact are kept: a sweep takes seconds, in which the metagraph may be read many times.
const KEPT: usize = 32;

/// How many sweeps of rounds are kept: each of the rounds under way may have several.
const KEPT_OF_ROUNDS: usize = 256;

/// How many of them a decision may refer to.
const REFERABLE: usize = 4;

/// Hashes of blocks that are compared with each other.
const KEPT_BLOCKS: usize = 4096;

/// The newest few of one kind of fact, with their positions.
#[derive(Debug, Clone)]
pub(crate) struct Recent<T> {
    items: VecDeque<(Position, Arc<T>)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    pub(crate) fn push(&mut self, position: Position, item: T) {
        self.items.push_back((position, Arc::new(item)));
        if self.items.len() > KEPT {
            self.items.pop_front();
        }
    }

    pub(crate) fn newest(&self) -> Option<(Position, Arc<T>)> {
        self.items.back().map(|(position, item)| (*position, Arc::clone(item)))
    }

    /// The item at the position, or else the newest: the recomputation then names the position that was expected.
    pub(crate) fn at_or_newest(&self, position: Position) -> Option<(Position, Arc<T>)> {
        let found = self.items.iter().rev().take(REFERABLE).find(|(at, _)| *at == position);
        found.map(|(at, item)| (*at, Arc::clone(item))).or_else(|| self.newest())
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Position, &T)> {
        self.items.iter().map(|(position, item)| (*position, item.as_ref()))
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) metagraphs: Recent<Metagraph>,
    pub(crate) sweeps: Recent<AvailabilitySwept>,
    /// Sweeps that rounds began with: the acceptance that led to each, and where each stands.
    of_rounds: VecDeque<(Position, Position, Arc<AvailabilitySwept>)>,
    pub(crate) external: Recent<ExternalScoresFetched>,
    blocks: BTreeMap<BlockNumber, Digest>,
}

impl Facts {
    /// The last sweep that an acceptance led to, if it stands behind a position.
    pub(crate) fn sweep_of(&self, accepted: Position, behind: Position) -> Option<(Position, Arc<AvailabilitySwept>)> {
        let own = self.of_rounds.iter().rev().find(|(cause, at, _)| *cause == accepted && *at > behind);
        own.map(|(_, at, swept)| (*at, Arc::clone(swept)))
    }

    /// Takes a fact in, from the range or from before it. `cause` is the position of the event that led to it.
    pub(crate) fn observe(&mut self, position: Position, cause: Position, event: &Event) {
        match event {
            Event::MetagraphObserved(observed) => {
                let mut metagraph = self.metagraphs.newest().map_or_else(Metagraph::default, |(_, old)| (*old).clone());
                metagraph.observe(observed);
                self.metagraphs.push(position, metagraph);
            }
            Event::AvailabilitySwept(swept) => {
                self.sweeps.push(position, swept.clone());
                if cause != position {
                    self.of_rounds.push_back((cause, position, Arc::new(swept.clone())));
                    if self.of_rounds.len() > KEPT_OF_ROUNDS {
                        self.of_rounds.pop_front();
                    }
                }
            }
            Event::ExternalScoresFetched(fetched) => self.external.push(position, fetched.clone()),
            _ => {}
        }
    }

    /// The hash recorded earlier for a block, if another one; the first one recorded stays.
    pub(crate) fn contradicted_block(&mut self, block: BlockNumber, hash: Digest) -> Option<Digest> {
        if self.blocks.len() >= KEPT_BLOCKS {
            self.blocks.pop_first();
        }
        let known = *self.blocks.entry(block).or_insert(hash);
        (known != hash).then_some(known)
    }
}
