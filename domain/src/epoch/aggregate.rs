//! The order of an epoch: opened → derived → checkpoint anchored → submitted → its fate on chain → closed. The next epoch opens when this
//! one is closed, or as soon as its weights are committed: what is left of it then, the reveal and the end, goes on beside the next.
//!
//! Only the order is decided here; what the weights are is decided by the fold.

use crate::Aggregate;
use crate::events::{
    ChainOutcome, CheckpointAnchored, EpochClosed, EpochOpened, EpochOutcome, Event, SkipReason, WeightsCommitted,
    WeightsDerived, WeightsIncluded, WeightsRejected, WeightsRevealed, WeightsSubmitted,
};
use crate::types::{Block, Digest, Uid};

/// Type of an epoch's stream; its id is [`stream_id`].
pub const STREAM_TYPE: &str = "epoch";

/// Id of an epoch's stream: its number.
#[must_use]
pub fn stream_id(epoch: u64) -> String {
    epoch.to_string()
}

/// Why derived weights are withheld: the hotkey holds no slot any more. With nothing sent, the epoch is skipped.
pub const NOT_REGISTERED: &str = SkipReason::NotRegistered.name();

/// Why derived weights are withheld: the chain would refuse so early a setting. `: ` and the figures may follow. With
/// nothing sent, the epoch is skipped.
pub const RATE_LIMITED: &str = SkipReason::RateLimited.name();

/// Why derived weights are withheld: the validator runs beside another one and sends nothing. The epoch is skipped.
pub const SHADOW: &str = "shadow";

/// The name under which weights are recorded that were committed and never opened.
pub const NOT_REVEALED: &str = "not_revealed";

/// The name under which weights are recorded whose fate the chain cannot tell any more.
pub const UNREADABLE: &str = "unreadable";

/// How many epochs may wait for the reveal of their committed weights at most: one for each epoch of the longest reveal period that the
/// chain allows.
pub const MOST_AWAITING_REVEAL: usize = 100;

/// Whether a rejection speaks of what follows a commitment, or of nothing that a chain could say; the extrinsic itself may stand in a
/// block.
#[must_use]
pub fn is_about_the_reveal(error: &str) -> bool {
    [NOT_REVEALED, UNREADABLE].contains(&error)
}

/// Whether a reason says that weights were withheld, because the chain would not have taken them or because the validator
/// sends none; it then begins with [`NOT_REGISTERED`], [`RATE_LIMITED`] or [`SHADOW`].
fn is_withheld(reason: &str) -> bool {
    let details = |rest: &str| rest.is_empty() || rest.starts_with(": ");
    [NOT_REGISTERED, RATE_LIMITED, SHADOW].iter().any(|name| reason.strip_prefix(name).is_some_and(details))
}

/// Where the epoch stands.
#[derive(Debug, Clone, Default)]
pub struct Epoch {
    opened: Option<EpochOpened>,
    derived: Option<WeightsDerived>,
    anchored: Option<CheckpointAnchored>,
    submitted: Option<WeightsSubmitted>,
    committed: Option<WeightsCommitted>,
    fate: Option<Fate>,
    closed: Option<EpochClosed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    OnChain,
    Rejected,
}

/// What can be done in an epoch.
#[derive(Debug, Clone)]
pub enum EpochCommand {
    /// Begin it.
    Open(EpochOpened),
    /// Record the weights, or a correction of them.
    Derive(Box<WeightsDerived>),
    /// Record what came of the anchor.
    Anchor(CheckpointAnchored),
    /// Record the signed extrinsic before it is sent.
    Submit(WeightsSubmitted),
    /// Record a commitment on chain.
    Commit(WeightsCommitted),
    /// Record the reveal.
    Reveal(WeightsRevealed),
    /// Record the inclusion.
    Include(WeightsIncluded),
    /// Record the refusal.
    Reject(WeightsRejected),
    /// End it.
    Close(EpochClosed),
}

/// Why an epoch refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// Out of order.
    #[error("epoch {epoch}: {kind} refused, {problem}")]
    Order {
        /// The epoch, as far as it is known.
        epoch: u64,
        /// The event's kind.
        kind: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Epoch {
    /// The opening, once there is one.
    #[must_use]
    pub fn opened(&self) -> Option<&EpochOpened> {
        self.opened.as_ref()
    }

    /// The newest derivation.
    #[must_use]
    pub fn derived(&self) -> Option<&WeightsDerived> {
        self.derived.as_ref()
    }

    /// What came of the anchor.
    #[must_use]
    pub fn anchored(&self) -> Option<&CheckpointAnchored> {
        self.anchored.as_ref()
    }

    /// The signed submission.
    #[must_use]
    pub fn submitted(&self) -> Option<&WeightsSubmitted> {
        self.submitted.as_ref()
    }

    /// The commitment on chain, where weights are revealed later.
    #[must_use]
    pub fn committed(&self) -> Option<&WeightsCommitted> {
        self.committed.as_ref()
    }

    /// The commitment whose reveal is still due.
    #[must_use]
    pub fn awaited_reveal(&self) -> Option<&WeightsCommitted> {
        self.committed.as_ref().filter(|_| self.fate.is_none() && self.closed.is_none())
    }

    /// Whether the next epoch may open: this one is closed, or its weights are committed, so that nothing more of it is sent.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        self.closed.is_some() || self.committed.is_some()
    }

    /// Lets go of the state that the derivation carries out, which nothing of this epoch needs any more.
    pub fn forget_carried(&mut self) {
        if let Some(derived) = &mut self.derived {
            (derived.carried, derived.statistics, derived.window) = (Vec::new(), Vec::new(), Block::default());
        }
    }

    /// Whether the submission's fate is known, and whether it stands on chain.
    #[must_use]
    pub fn on_chain(&self) -> Option<bool> {
        self.fate.map(|fate| fate == Fate::OnChain)
    }

    /// The outcome under which it can be closed now, which follows from what it holds; none while it cannot be. `reason`
    /// decides only where weights were derived and never submitted: withheld ones are skipped, others failed.
    #[must_use]
    pub fn outcome(&self, reason: &str) -> Option<EpochOutcome> {
        let derived = self.derived.as_ref()?;
        Some(match (self.fate, self.submitted.is_some(), derived.skip) {
            (Some(Fate::OnChain), ..) => EpochOutcome::Included,
            (Some(Fate::Rejected), ..) => EpochOutcome::Failed,
            (None, true, _) => return None,
            (None, false, Some(_)) => EpochOutcome::Skipped,
            (None, false, None) if is_withheld(reason) => EpochOutcome::Skipped,
            (None, false, None) => EpochOutcome::Failed,
        })
    }

    /// The reason with which it is to be closed, where that follows from what it holds: none when weights were included,
    /// the derivation's when it says to submit nothing.
    #[must_use]
    pub fn stated_reason(&self) -> Option<&'static str> {
        match self.fate {
            Some(Fate::OnChain) => Some(""),
            Some(Fate::Rejected) => None,
            None => self.derived.as_ref()?.skip.map(SkipReason::name),
        }
    }

    /// Whether it ended.
    #[must_use]
    pub fn closed(&self) -> Option<&EpochClosed> {
        self.closed.as_ref()
    }

    fn refuse(&self, kind: &'static str, problem: &'static str) -> EpochError {
        EpochError::Order { epoch: self.opened.as_ref().map_or(0, |opened| opened.epoch), kind, problem }
    }

    fn check(&self, kind: &'static str, epoch: u64) -> Result<(), EpochError> {
        let opened = self.opened.as_ref().ok_or_else(|| self.refuse(kind, "it is not open"))?;
        if opened.epoch != epoch {
            return Err(self.refuse(kind, "it names another epoch"));
        }
        if self.closed.is_some() { Err(self.refuse(kind, "it is closed")) } else { Ok(()) }
    }

    fn derive(&self, derived: &WeightsDerived) -> Result<(), EpochError> {
        const KIND: &str = "WeightsDerived";
        self.check(KIND, derived.epoch)?;
        if self.submitted.is_some() {
            return Err(self.refuse(KIND, "its weights are already submitted"));
        }
        let expected = self.derived.as_ref().map_or(0, |previous| previous.revision + 1);
        if derived.revision == expected { Ok(()) } else { Err(self.refuse(KIND, "its revision is not the next one")) }
    }

    fn anchor(&self, anchored: &CheckpointAnchored) -> Result<(), EpochError> {
        const KIND: &str = "CheckpointAnchored";
        self.check(KIND, anchored.epoch)?;
        let derived = self.derived.as_ref().ok_or_else(|| self.refuse(KIND, "its weights are not derived"))?;
        if anchored.size <= derived.to.0 {
            return Err(self.refuse(KIND, "the checkpoint does not cover the derivation"));
        }
        if self.anchored.as_ref().is_some_and(|earlier| matches!(earlier.outcome, ChainOutcome::Included { .. })) {
            return Err(self.refuse(KIND, "it is anchored already"));
        }
        Ok(())
    }

    fn submit(&self, submitted: &WeightsSubmitted) -> Result<(), EpochError> {
        const KIND: &str = "WeightsSubmitted";
        self.check(KIND, submitted.epoch)?;
        let derived = self.derived.as_ref().ok_or_else(|| self.refuse(KIND, "its weights are not derived"))?;
        if self.anchored.is_none() {
            return Err(self.refuse(KIND, "its checkpoint has no anchoring result yet"));
        }
        if self.submitted.is_some() && self.fate != Some(Fate::Rejected) {
            return Err(self.refuse(KIND, "an earlier submission is not known to have failed"));
        }
        if self.committed.is_some() {
            return Err(self.refuse(KIND, "its weights are committed already"));
        }
        let uids: Vec<Uid> = derived.weights.iter().map(|weight| weight.uid).collect();
        let weights: Vec<u16> = derived.weights.iter().map(|weight| weight.weight).collect();
        if derived.skip.is_some() || uids.is_empty() {
            return Err(self.refuse(KIND, "the derivation says to submit nothing"));
        }
        if submitted.uids != uids || submitted.weights != weights {
            return Err(self.refuse(KIND, "its weights are not the derived ones"));
        }
        Ok(())
    }

    fn awaited(&self, kind: &'static str, epoch: u64, extrinsic: Option<&Digest>) -> Result<(), EpochError> {
        self.check(kind, epoch)?;
        let submitted = self.submitted.as_ref().ok_or_else(|| self.refuse(kind, "nothing is submitted"))?;
        if extrinsic.is_some_and(|extrinsic| *extrinsic != submitted.extrinsic) {
            return Err(self.refuse(kind, "it names another extrinsic"));
        }
        if self.fate.is_some() { Err(self.refuse(kind, "its fate is known already")) } else { Ok(()) }
    }

    fn close(&self, closed: &EpochClosed) -> Result<(), EpochError> {
        const KIND: &str = "EpochClosed";
        self.check(KIND, closed.epoch)?;
        let outcome =
            self.outcome(&closed.reason).ok_or_else(|| self.refuse(KIND, "what became of it is not known"))?;
        if closed.outcome != outcome {
            return Err(self.refuse(KIND, "its outcome is not what was recorded"));
        }
        if self.stated_reason().is_some_and(|stated| stated != closed.reason) {
            return Err(self.refuse(KIND, "its reason is not what was recorded"));
        }
        if closed.reason.is_empty() && outcome != EpochOutcome::Included {
            return Err(self.refuse(KIND, "nothing was included and no reason is given"));
        }
        Ok(())
    }
}

impl Aggregate for Epoch {
    const STREAM_TYPE: &'static str = STREAM_TYPE;
    type Command = EpochCommand;
    type Error = EpochError;

    fn decide(&self, command: EpochCommand) -> Result<Vec<Event>, EpochError> {
        let event = match command {
            EpochCommand::Open(_) if self.opened.is_some() => {
                return Err(self.refuse("EpochOpened", "it is open already"));
            }
            EpochCommand::Open(opened) => Event::EpochOpened(opened),
            EpochCommand::Derive(derived) => self.derive(&derived).map(|()| Event::WeightsDerived(*derived))?,
            EpochCommand::Anchor(anchored) => self.anchor(&anchored).map(|()| Event::CheckpointAnchored(anchored))?,
            EpochCommand::Submit(submitted) => self.submit(&submitted).map(|()| Event::WeightsSubmitted(submitted))?,
            EpochCommand::Commit(committed) => {
                self.awaited("WeightsCommitted", committed.epoch, Some(&committed.extrinsic))?;
                if self.committed.is_some() {
                    return Err(self.refuse("WeightsCommitted", "they are committed already"));
                }
                Event::WeightsCommitted(committed)
            }
            EpochCommand::Reveal(revealed) => {
                self.awaited("WeightsRevealed", revealed.epoch, None)?;
                if self.committed.is_none() {
                    return Err(self.refuse("WeightsRevealed", "nothing is committed"));
                }
                Event::WeightsRevealed(revealed)
            }
            EpochCommand::Include(included) => {
                self.awaited("WeightsIncluded", included.epoch, Some(&included.extrinsic))?;
                Event::WeightsIncluded(included)
            }
            EpochCommand::Reject(rejected) => {
                self.awaited("WeightsRejected", rejected.epoch, Some(&rejected.extrinsic))?;
                Event::WeightsRejected(rejected)
            }
            EpochCommand::Close(closed) => self.close(&closed).map(|()| Event::EpochClosed(closed))?,
        };
        Ok(vec![event])
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::EpochOpened(opened) => self.opened = Some(opened.clone()),
            Event::WeightsDerived(derived) => self.derived = Some(derived.clone()),
            Event::CheckpointAnchored(anchored) => self.anchored = Some(anchored.clone()),
            Event::WeightsSubmitted(submitted) => {
                self.submitted = Some(submitted.clone());
                self.fate = None;
            }
            Event::WeightsCommitted(committed) => self.committed = Some(committed.clone()),
            Event::WeightsRevealed(_) | Event::WeightsIncluded(_) => self.fate = Some(Fate::OnChain),
            Event::WeightsRejected(_) => self.fate = Some(Fate::Rejected),
            Event::EpochClosed(closed) => self.closed = Some(closed.clone()),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
