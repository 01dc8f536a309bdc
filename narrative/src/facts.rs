//! What a round is told from: the same for whoever reads it from read models and whoever reads it from events.
//!
//! Words for failures, filters and reasons are those of the recorded facts, as their codec writes them.

/// A round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The rule set's name, where it is known.
    pub rules: Option<String>,
    /// What was asked.
    pub prompt: Prompt,
    /// Miners that could be drawn.
    pub candidates: u32,
    /// Neurons that could not.
    pub excluded: u32,
    /// Miners drawn.
    pub drawn: u32,
    /// How it ended.
    pub end: End,
    /// The mechanism's measure of agreement.
    pub consensus: Option<f64>,
    /// Whether it passed the mechanism's threshold.
    pub consensus_achieved: Option<bool>,
    /// Hotkey of the best answer.
    pub best: Option<String>,
    /// Figures of the round as a whole, in the mechanism's order.
    pub figures: Vec<Figure>,
    /// What the drawn miners answered, in order of the draw.
    pub answers: Vec<Answer>,
    /// Their scores, in recorded order.
    pub scores: Vec<Score>,
    /// Cosines between the answers, where they were compared.
    pub similarity: Option<Similarity>,
}

/// What was asked, as far as it may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// This text.
    Shown(String),
    /// It is asked again, and secret until then.
    Withheld,
    /// Nothing is recorded as text.
    None,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With scores.
    Evaluated,
    /// Without.
    Abandoned {
        /// The recorded word for why.
        reason: Option<String>,
        /// Whether the challenge ended with it.
        last: bool,
    },
}

/// A named number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The mechanism's name for it.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// What came of asking one drawn miner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The miner.
    pub hotkey: String,
    /// Its slot when drawn.
    pub uid: u16,
    /// Whether an answer came.
    pub received: bool,
    /// The recorded word for why none came.
    pub failure: Option<String>,
    /// How long it took, in milliseconds.
    pub response_time_ms: Option<u64>,
}

/// What one miner got.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The miner.
    pub hotkey: String,
    /// Its slot when drawn.
    pub uid: u16,
    /// The score that enters the moving average.
    pub score: f64,
    /// Whether it enters it at all.
    pub counted: bool,
    /// The recorded word for the stage that dropped the answer, if one did.
    pub filtered: Option<String>,
    /// The recorded word for why it is zero, if it is.
    pub reason: Option<String>,
    /// Every component, in the mechanism's order.
    pub components: Vec<Figure>,
}

/// Cosines between the answers of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarity {
    /// Hotkeys of the rows and columns.
    pub labels: Vec<String>,
    /// The whole symmetric matrix, row by row.
    pub rows: Vec<Vec<f64>>,
}
