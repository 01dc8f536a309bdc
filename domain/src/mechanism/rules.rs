//! A rule set with its constants read: what every shipped mechanism is made of.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ruleset::{Body, RuleSet, RuleSetError};

/// One constant's place, what must hold, and whether it does.
pub type Check = (&'static str, &'static str, bool);

/// A known weakness that is in force: the constant that lets it happen, and what happens.
pub type Weakness = (&'static str, &'static str);

/// The weaknesses of a list that hold.
pub(crate) fn in_force<const N: usize>(all: [(bool, &'static str, &'static str); N]) -> Vec<Weakness> {
    all.into_iter().filter(|(holds, ..)| *holds).map(|(_, constant, effect)| (constant, effect)).collect()
}

/// Everything that one algorithm's scores and weights depend on besides recorded facts. In declared order it is the canonical
/// JSON of a rule set.
pub trait Constants: Serialize + DeserializeOwned {
    /// The algorithm's name in rule sets.
    const ALGORITHM: &'static str;

    /// The values that are shipped, by version. One that was shipped never changes: its hash stands in ledgers.
    fn shipped() -> Vec<(&'static str, Self)>;

    /// What must hold for the constants to be usable.
    fn checks(&self) -> Vec<Check>;

    /// Known weaknesses that are in force, for whoever is about to choose a rule set.
    fn weaknesses(&self) -> Vec<Weakness> {
        Vec::new()
    }

    /// The first constant that is outside of its domain, and what is wrong with it.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        self.checks().into_iter().find(|(.., holds)| !holds).map(|(constant, problem, _)| (constant, problem))
    }
}

/// A rule set and its constants, both as they are in the ledger.
#[derive(Debug, Clone)]
pub struct Rules<C> {
    pub(crate) rule_set: RuleSet,
    pub(crate) constants: C,
}

impl<C: Constants> Rules<C> {
    /// Reads the rule set's constants.
    ///
    /// # Errors
    /// Another algorithm's rule set; constants that are missing, unknown, mistyped or outside of their domain; bytes that are
    /// not canonical.
    pub fn new(rule_set: RuleSet) -> Result<Self, RuleSetError> {
        if rule_set.algorithm() != C::ALGORITHM {
            return Err(RuleSetError::UnknownAlgorithm(rule_set.algorithm().to_owned()));
        }
        let constants: C = rule_set.constants()?;
        if let Some((constant, problem)) = constants.problem() {
            return Err(RuleSetError::Constant { name: rule_set.name(), constant, problem: problem.to_owned() });
        }
        Ok(Self { rule_set, constants })
    }

    /// The shipped rule sets, in the order of [`Constants::shipped`].
    #[must_use]
    pub fn shipped() -> Vec<RuleSet> {
        // Finite constants always serialise; golden hashes of each would miss one that did not.
        C::shipped().into_iter().filter_map(|(version, constants)| rule_set(version, constants).ok()).collect()
    }
}

impl<C> Rules<C> {
    /// The rule set.
    #[must_use]
    pub fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    /// Its constants.
    #[must_use]
    pub fn constants(&self) -> &C {
        &self.constants
    }
}

/// The rule set of these constants, `algorithm/version`.
///
/// # Errors
/// Constants that are not finite.
pub fn rule_set<C: Constants>(version: &str, constants: C) -> Result<RuleSet, RuleSetError> {
    RuleSet::from_body(&Body { algorithm: C::ALGORITHM.to_owned(), version: version.to_owned(), constants })
}
