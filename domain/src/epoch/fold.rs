//! The epoch fold: state carried in, the contiguous events of the range, the rule set; out come weights and state.
//!
//! **Architecture invariant:** nothing but recorded facts goes in. `now` is the recording time of the range's last event.

use crate::events::{
    CarriedMiner, Event, ExternalScoresFetched, ResponseScored, RoundEvaluated, SkipReason, Statistic, Weight,
    WeightsDerived, ZeroReason, ZeroWeight,
};
use crate::mechanism::{EpochFacts, ExternalScores, Mechanism, MinerState};
use crate::metagraph::Metagraph;
use crate::types::{Block, Hotkey, Micros, Position};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of one window item: time and score.
const ITEM: usize = 16;

/// Why recorded state cannot be carried in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarriedStateError {
    /// The window block does not hold the items that the miners state.
    #[error("WeightsDerived of epoch {epoch}: window holds {found} items, carried miners state {stated}")]
    Window {
        /// The epoch.
        epoch: u64,
        /// Items in the block.
        found: usize,
        /// Items stated.
        stated: usize,
    },
    /// A later revision does not carry state.
    #[error("WeightsDerived of epoch {epoch} is revision {revision}; state is carried by revision 0")]
    Revision {
        /// The epoch.
        epoch: u64,
        /// The revision.
        revision: u16,
    },
}

/// The running state of one epoch.
#[derive(Debug, Clone)]
pub struct EpochFold {
    mechanism: Arc<dyn Mechanism>,
    own: Hotkey,
    epoch: u64,
    from: Position,
    last: Option<(Position, Micros)>,
    miners: BTreeMap<Hotkey, MinerState>,
    metagraph: Metagraph,
    metagraph_at: Position,
    external: Option<(Position, ExternalScores)>,
    rounds: u64,
    /// Scores of a round whose evaluation has not come yet.
    scores: Vec<ResponseScored>,
    statistics: Vec<Statistic>,
}

impl EpochFold {
    /// The kinds that [`EpochFold::apply`] looks at; of all others the time and the position count alone.
    pub const KINDS: &[&str] =
        &["AvailabilitySwept", "ExternalScoresFetched", "MetagraphObserved", "ResponseScored", "RoundEvaluated"];

    /// Epoch 0 of a ledger: empty state, from position 0.
    #[must_use]
    pub fn genesis(mechanism: Arc<dyn Mechanism>, own: Hotkey) -> Self {
        Self {
            mechanism,
            own,
            epoch: 0,
            from: Position(0),
            last: None,
            miners: BTreeMap::new(),
            metagraph: Metagraph::default(),
            metagraph_at: Position(0),
            external: None,
            rounds: 0,
            scores: Vec::new(),
            statistics: Vec::new(),
        }
    }

    /// The epoch after a recorded derivation (revision 0).
    ///
    /// # Errors
    /// When the recorded state contradicts itself.
    pub fn carry(
        mechanism: Arc<dyn Mechanism>,
        own: Hotkey,
        previous: &WeightsDerived,
    ) -> Result<Self, CarriedStateError> {
        let epoch = previous.epoch;
        if previous.revision != 0 {
            return Err(CarriedStateError::Revision { epoch, revision: previous.revision });
        }
        let (items, rest) = previous.window.bytes().as_chunks::<ITEM>();
        let stated: usize = previous.carried.iter().map(|miner| miner.items as usize).sum();
        if stated != items.len() || !rest.is_empty() {
            return Err(CarriedStateError::Window { epoch, found: items.len(), stated });
        }
        let mut items = items.iter().map(read_item);
        let mut miners = BTreeMap::new();
        for miner in &previous.carried {
            let window = items.by_ref().take(miner.items as usize).collect();
            let (last_seen, drawn, average) = (miner.last_seen, miner.drawn, miner.average);
            miners.insert(miner.hotkey, MinerState { last_seen, drawn, window, average });
        }
        let mut fold = Self::genesis(mechanism, own);
        fold.epoch = epoch + 1;
        fold.from = Position(previous.to.0 + 1);
        fold.miners = miners;
        fold.statistics.clone_from(&previous.statistics);
        Ok(fold)
    }

    /// Puts the epoch under another mechanism: a rule set was adopted. An epoch has one mechanism, so outside scores read
    /// under the former are forgotten; give them again with [`EpochFold::antecedent`], in order.
    pub fn set_mechanism(&mut self, mechanism: Arc<dyn Mechanism>) {
        self.mechanism = mechanism;
        self.external = None;
    }

    /// The epoch's number.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// First position of the range.
    #[must_use]
    pub fn from(&self) -> Position {
        self.from
    }

    /// Last position folded in, if any.
    #[must_use]
    pub fn to(&self) -> Option<Position> {
        self.last.map(|(position, _)| position)
    }

    /// Rounds evaluated so far.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// The metagraph as observed so far, and where it stands.
    #[must_use]
    pub fn metagraph(&self) -> (Position, &Metagraph) {
        (self.metagraph_at, &self.metagraph)
    }

    /// A metagraph observation or outside scores from before the range, which the range relies on.
    pub fn antecedent(&mut self, position: Position, event: &Event) {
        match event {
            Event::MetagraphObserved(observed) => {
                self.metagraph.observe(observed);
                self.metagraph_at = position;
            }
            Event::ExternalScoresFetched(fetched) => self.fetch(position, fetched),
            _ => {}
        }
    }

    /// Takes the range up to an event of another kind than [`EpochFold::KINDS`].
    pub fn reach(&mut self, position: Position, recorded_at: Micros) {
        self.last = Some((position, recorded_at));
    }

    /// Folds the next event of the range in. Scores must be the ones that follow from the facts.
    pub fn apply(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        self.reach(position, recorded_at);
        match event {
            Event::AvailabilitySwept(swept) => {
                for probe in swept.probes.iter().filter(|probe| probe.available) {
                    self.miners.entry(probe.hotkey).or_default().last_seen = Some(recorded_at);
                }
            }
            // A round's scores stand right before its evaluation, in one unit.
            Event::ResponseScored(scored) => self.scores.push(scored.clone()),
            Event::RoundEvaluated(evaluated) => self.evaluated(recorded_at, evaluated),
            other => self.antecedent(position, other),
        }
    }

    fn evaluated(&mut self, recorded_at: Micros, evaluated: &RoundEvaluated) {
        let scores = std::mem::take(&mut self.scores);
        // A label scores a round once more: nobody was drawn for it.
        if evaluated.label.is_none() {
            self.rounds += 1;
            for scored in &scores {
                let miner = self.miners.entry(scored.hotkey).or_default();
                miner.drawn = miner.drawn.saturating_add(1);
            }
        }
        self.mechanism.absorb(&mut self.miners, &scores, recorded_at);
        self.statistics.clone_from(&evaluated.statistics);
    }

    fn fetch(&mut self, position: Position, fetched: &ExternalScoresFetched) {
        if let Some(scores) = self.mechanism.external_scores(fetched.reply.bytes()) {
            self.external = Some((position, scores));
        }
    }

    /// The weights and the state carried out, as of the last event folded in.
    #[must_use]
    pub fn derive(&self) -> WeightsDerived {
        let (to, now) = self.last.unwrap_or((self.from, Micros(0)));
        let derivation = self.mechanism.derive(&EpochFacts {
            now,
            own: self.own,
            metagraph: &self.metagraph,
            miners: &self.miners,
            external: self.external.as_ref().map(|(_, scores)| scores),
            statistics: &self.statistics,
        });
        let mut carried = Vec::with_capacity(self.miners.len());
        let kept = |item: &&(Micros, f64)| item.0 >= derivation.window_start;
        // The one thing here that may be megabytes: made in its size, not by growing.
        let items = self.miners.values().flat_map(|miner| &miner.window).filter(kept).count();
        let mut window = Vec::with_capacity(items * ITEM);
        for (hotkey, miner) in &self.miners {
            let before = window.len();
            miner.window.iter().filter(kept).for_each(|(time, score)| write_item(&mut window, *time, *score));
            carried.push(CarriedMiner {
                hotkey: *hotkey,
                average: derivation.averages.get(hotkey).copied(),
                last_seen: miner.last_seen,
                drawn: miner.drawn,
                items: u32::try_from((window.len() - before) / ITEM).unwrap_or(u32::MAX),
            });
        }
        WeightsDerived {
            epoch: self.epoch,
            revision: 0,
            rule_set: self.mechanism.rule_set().hash(),
            from: self.from,
            to,
            metagraph: self.metagraph_at,
            block: self.metagraph.block,
            external_scores: self.external.as_ref().map(|(position, _)| *position),
            mode: derivation.mode,
            rounds: self.rounds,
            skip: derivation.skip,
            weights: derivation.weights,
            zeros: derivation.zeros,
            carried,
            statistics: self.statistics.clone(),
            window: Block::new(window),
        }
    }
}

fn read_item(item: &[u8; ITEM]) -> (Micros, f64) {
    let (halves, _) = item.as_chunks::<8>();
    (Micros(u64::from_be_bytes(halves[0])), f64::from_bits(u64::from_be_bytes(halves[1])))
}

fn write_item(window: &mut Vec<u8>, time: Micros, score: f64) {
    window.extend_from_slice(&time.0.to_be_bytes());
    window.extend_from_slice(&score.to_bits().to_be_bytes());
}

/// The correction of a derivation for slots that changed hands since: their weights are left out, never paid to another
/// hotkey, and the rest is scaled so that its largest is 65535 again. The chain would scale it the same way, and what it
/// stores is to be what is recorded. None when nothing changed.
#[must_use]
pub fn reassigned(basis: &WeightsDerived, metagraph_at: Position, metagraph: &Metagraph) -> Option<WeightsDerived> {
    let holds = |weight: &Weight| metagraph.at(weight.uid).is_some_and(|neuron| neuron.hotkey == weight.hotkey);
    let (kept, gone): (Vec<Weight>, Vec<Weight>) = basis.weights.iter().cloned().partition(holds);
    if gone.is_empty() {
        return None;
    }
    let left_out = gone.into_iter().map(|weight| ZeroWeight {
        uid: weight.uid,
        hotkey: weight.hotkey,
        reason: ZeroReason::UidReassigned,
    });
    let mut zeros: Vec<ZeroWeight> = basis.zeros.iter().cloned().chain(left_out).collect();
    zeros.sort_by_key(|zero| (zero.uid, zero.hotkey));
    Some(WeightsDerived {
        revision: basis.revision + 1,
        metagraph: metagraph_at,
        block: metagraph.block,
        skip: if kept.is_empty() { Some(SkipReason::NobodyServing) } else { basis.skip },
        weights: scaled(kept),
        zeros,
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::default(),
        ..basis.clone()
    })
}

/// `w × 65535 / max`, to the nearest and halves up. None becomes smaller, so none becomes 0.
fn scaled(mut weights: Vec<Weight>) -> Vec<Weight> {
    let largest = u32::from(weights.iter().map(|weight| weight.weight).max().unwrap_or_default());
    for weight in &mut weights {
        // At most 65535 × 65535 + 32767 < 2³² before the division and at most 65535 after it.
        let share = (u32::from(weight.weight) * u32::from(u16::MAX) + largest / 2).checked_div(largest);
        weight.weight = share.and_then(|share| u16::try_from(share).ok()).unwrap_or_default();
    }
    weights
}

#[cfg(test)]
#[path = "reassigned_tests.rs"]
mod tests;
