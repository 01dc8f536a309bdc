//! What must hold after a run, whatever was broken when. Pure functions of the evidence.

mod acceptance;
mod chain;
mod epochs;
mod rounds;
#[cfg(test)]
mod tests;

use crate::evidence::Evidence;
use serde::Serialize;

/// Faults of one check that are shown.
const SHOWN: usize = 5;

/// A check and what it found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// What must hold.
    pub(crate) name: String,
    /// Whether it holds.
    pub(crate) holds: bool,
    /// Figures, or what is wrong.
    pub(crate) detail: String,
}

impl Check {
    /// A check that holds when nothing was found.
    pub(crate) fn of(name: &str, figures: String, faults: Vec<String>) -> Self {
        let holds = faults.is_empty();
        let shown = faults.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        let more = if faults.len() > SHOWN { format!("; {} more", faults.len() - SHOWN) } else { String::new() };
        let detail = if holds { figures } else { format!("{shown}{more}") };
        Self { name: name.to_owned(), holds, detail }
    }
}

/// All checks of the log, the book and the chain.
pub(crate) fn all(evidence: &Evidence) -> Vec<Check> {
    let mut checks = acceptance::checks(evidence);
    checks.extend(rounds::checks(evidence));
    checks.extend(epochs::checks(evidence));
    checks.extend(chain::checks(evidence));
    checks
}
