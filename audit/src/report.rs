//! The verdict of an audit, what it rests on, and what "equal" does not prove.
//!
//! Every input of a weight is sorted by who vouches for it: recomputed here, attested by a key that is not the validator's
//! (a miner's signature, the chain), or nobody but the validator.

use std::fmt;

use domain::events::WeightsCommitted;
use domain::types::BlockNumber;
use serde::{Deserialize, Serialize};

use crate::difference::Difference;
use crate::findings::{Doubt, Findings};

/// What an audit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that follows from the facts is as recorded.
    Equal,
    /// Something is not.
    Differs,
    /// Something that a verdict needs is unknown or missing.
    CannotTell,
}

impl Verdict {
    /// The exit code of a program that audits: 0 equal, 1 differs, 2 cannot tell.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Equal => 0,
            Self::Differs => 1,
            Self::CannotTell => 2,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "equal",
            Self::Differs => "differs",
            Self::CannotTell => "cannot tell",
        })
    }
}

macro_rules! counts {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// How many of each thing the audit met.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Counts {
            /// First and last epoch whose weights were recomputed.
            pub epochs: Option<(u64, u64)>,
            /// First and last position of their ranges.
            pub positions: Option<(u64, u64)>,
            $($(#[$meta])* pub $name: u64,)*
        }

        impl Counts {
            /// Adds those of a further range.
            pub(crate) fn add(&mut self, other: &Self) {
                let span = |left: Option<(u64, u64)>, right: Option<(u64, u64)>| match (left, right) {
                    (Some((first, _)), Some((_, last))) => Some((first, last)),
                    (left, right) => left.or(right),
                };
                self.epochs = span(self.epochs, other.epochs);
                self.positions = span(self.positions, other.positions);
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// Events read, those after the range included.
    events,
    /// Derivations recomputed: one for each epoch.
    derivations,
    /// Corrections recomputed (slots that changed hands).
    revisions,
    /// Rounds evaluated again.
    rounds,
    /// Scores recomputed.
    scores,
    /// Weights recomputed, zeros included: one for each slot of the metagraph and epoch.
    weights,
    /// Challenges accepted.
    challenges,
    /// Attempts given up.
    abandoned,
    /// Answers.
    responses,
    /// Answers with a signature of their miner that verifies.
    signed,
    /// Miners that gave no usable answer.
    failures,
    /// Texts whose vectors are recorded, not recomputed.
    embeddings,
    /// Evidence of other kinds, not recomputed.
    other_evidence,
    /// Metagraph observations.
    metagraphs,
    /// Those that a chain confirmed.
    metagraphs_confirmed,
    /// Availability sweeps.
    sweeps,
    /// Probes in them.
    probes,
    /// Outside scores fetched.
    external,
    /// Miners whose state came from a derivation that this audit did not recompute.
    carried_in,
    /// Checkpoints whose note was verified.
    checkpoints,
    /// Those with the hotkey's own line.
    checkpoints_by_hotkey,
    /// Those whose root could not be compared with the leaves.
    checkpoints_not_compared,
    /// Epochs asked for whose end (`EpochClosed`) is among the events.
    closed,
    /// Anchors recorded.
    anchors,
    /// Erased payloads met.
    erased,
    /// Answers of a chain that agree with the record.
    confirmed,
    /// Extrinsics whose fate a chain confirmed.
    extrinsics_confirmed,
    /// Weights that a chain confirmed.
    weights_confirmed,
    /// Questions that the chain did not answer.
    unanswered,
}

impl Counts {
    /// The range that these counts are of.
    pub(crate) fn range(&mut self, epoch: u64, from: u64, to: u64) {
        self.epochs = Some((epoch, epoch));
        self.positions = Some((from, to));
    }
}

/// Who vouches for an input of the weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Follows from other recorded facts; recomputed here.
    pub recomputed: Vec<Input>,
    /// Attested by another key than the validator's.
    pub attested: Vec<Input>,
    /// The validator's word.
    pub validators_word: Vec<Input>,
}

/// One kind of input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What.
    pub what: String,
    /// How many.
    pub count: u64,
}

/// Weights that were committed and are not revealed as far as the events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealDue {
    /// The epoch.
    pub epoch: u64,
    /// The block of the commitment.
    pub committed: BlockNumber,
    /// The block in which the reveal is due.
    pub reveal_at: BlockNumber,
}

impl RevealDue {
    pub(crate) fn of(committed: &WeightsCommitted) -> Self {
        let WeightsCommitted { epoch, block, reveal_at, .. } = committed;
        Self { epoch: *epoch, committed: *block, reveal_at: *reveal_at }
    }
}

impl fmt::Display for RevealDue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, committed, reveal_at } = self;
        write!(f, "the weights of epoch {epoch} are committed in block {committed}, reveal due at block {reveal_at}")
    }
}

/// What an audit reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// The epoch asked for; all when none.
    pub epoch: Option<u64>,
    /// What was met.
    pub counts: Counts,
    /// Commitments, of the epochs asked for, whose reveal the events do not tell of yet. With one epoch asked for it is a doubt, too.
    #[serde(default)]
    pub reveals_due: Vec<RevealDue>,
    /// Who vouches for what.
    pub inputs: Inputs,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// All of them.
    pub difference_count: u64,
    /// The first reasons why it cannot tell.
    pub doubts: Vec<Doubt>,
    /// All of them.
    pub doubt_count: u64,
}

impl Report {
    pub(crate) fn new(epoch: Option<u64>, reveals_due: Vec<RevealDue>, findings: Findings, counts: Counts) -> Self {
        let verdict = match (findings.difference_count, findings.doubt_count) {
            (0, 0) => Verdict::Equal,
            (0, _) => Verdict::CannotTell,
            _ => Verdict::Differs,
        };
        let inputs = inputs(&counts);
        let Findings { differences, difference_count, doubts, doubt_count } = findings;
        Self { verdict, epoch, counts, reveals_due, inputs, differences, difference_count, doubts, doubt_count }
    }

    /// The last line.
    #[must_use]
    pub fn last_line(&self) -> String {
        let Counts { rounds, scores, weights, signed, responses, .. } = &self.counts;
        format!(
            "audit: {}; {rounds} rounds, {scores} scores, {weights} weights recomputed; \
             {signed} of {responses} responses miner-signed; embeddings not recomputed",
            self.verdict
        )
    }
}

fn inputs(counts: &Counts) -> Inputs {
    let list = |rows: &[(&str, u64)]| {
        let met = rows.iter().filter(|(_, count)| *count > 0);
        met.map(|(what, count)| Input { what: (*what).to_owned(), count: *count }).collect()
    };
    let unsigned = counts.responses.saturating_sub(counts.signed);
    let unconfirmed = counts.metagraphs.saturating_sub(counts.metagraphs_confirmed);
    Inputs {
        recomputed: list(&[
            ("rounds: draw, requests, evaluation", counts.rounds),
            ("attempts given up: draw, requests, reason", counts.abandoned),
            ("scores with their components", counts.scores),
            ("weights and zeros", counts.weights),
            ("corrections of weights", counts.revisions),
        ]),
        attested: list(&[
            ("responses: body and request, by the miner's signature", counts.signed),
            ("metagraph observations, by the chain", counts.metagraphs_confirmed),
            ("extrinsics, by the chain", counts.extrinsics_confirmed),
            ("weights, by the chain", counts.weights_confirmed),
        ]),
        validators_word: list(&[
            ("responses: their times", counts.responses),
            ("responses: unsigned bodies", unsigned),
            ("failures: that the miner gave no usable answer", counts.failures),
            ("embeddings: the vectors", counts.embeddings),
            ("other evidence", counts.other_evidence),
            ("availability probes", counts.probes),
            ("outside scores", counts.external),
            ("metagraph observations not compared with a chain", unconfirmed),
            ("miners whose state was carried in, not recomputed", counts.carried_in),
        ]),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some((first, last)), Some((from, to))) = (self.counts.epochs, self.counts.positions) {
            writeln!(f, "epochs {first} to {last}, positions {from} to {to}, {} events read", self.counts.events)?;
        }
        if self.counts.derivations > self.counts.closed {
            let open = self.counts.derivations - self.counts.closed;
            writeln!(f, "{open} of these epochs are not closed yet: what became of their weights is still open")?;
        }
        for due in self.reveals_due.iter().filter(|_| self.epoch.is_none()) {
            writeln!(f, "{due}")?;
        }
        let checkpoints = &self.counts;
        writeln!(
            f,
            "{} checkpoints verified, {} with the hotkey's line, {} not compared with the leaves",
            checkpoints.checkpoints, checkpoints.checkpoints_by_hotkey, checkpoints.checkpoints_not_compared
        )?;
        let groups = [
            ("recomputed", &self.inputs.recomputed),
            ("attested by another key", &self.inputs.attested),
            ("the validator's word", &self.inputs.validators_word),
        ];
        for (name, inputs) in groups {
            writeln!(f, "{name}:")?;
            for input in inputs {
                writeln!(f, "  {:>8}  {}", input.count, input.what)?;
            }
        }
        for difference in &self.differences {
            let Difference { position, kind, field, recorded, recomputed, message, .. } = difference;
            writeln!(
                f,
                "differs: event {position} {kind}.{field}: recorded {recorded}, recomputed {recomputed} ({message})"
            )?;
        }
        let hidden = self.difference_count - self.differences.len() as u64;
        if hidden > 0 {
            writeln!(f, "differs: {hidden} further differences")?;
        }
        for Doubt { position, reason } in &self.doubts {
            match position {
                Some(position) => writeln!(f, "cannot tell: event {position}: {reason}")?,
                None => writeln!(f, "cannot tell: {reason}")?,
            }
        }
        let hidden = self.doubt_count - self.doubts.len() as u64;
        if hidden > 0 {
            writeln!(f, "cannot tell: {hidden} further reasons")?;
        }
        write!(f, "{}", self.last_line())
    }
}
