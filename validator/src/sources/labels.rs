//! Labels that become known after a round was evaluated: asked for in turn, recorded once.
//!
//! A round that waits in vain, since its label is refused or its challenge is erased, must never keep another from its turn.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use domain::events::{Challenge, Event};
use domain::types::{Micros, Position};

use crate::Error;
use crate::board::decode;
use crate::service::{Handle, WaitingRound};

/// Tells the truth about evaluated rounds, once it is known.
#[async_trait]
pub trait LabelSource: Send + Sync {
    /// Where the label comes from and the label, canonical JSON text; none while it is not known.
    async fn label(&self, challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)>;
}

/// Who tells the labels of a subnet whose rounds wait for labels of the world outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LabelsFrom {
    /// The subnet's public rule.
    #[default]
    Rule,
    /// Clients alone, through `POST /labels`.
    Pushed,
    /// A file of JSON lines that is followed, and clients.
    File(PathBuf),
}

/// Where labels come from, and how long after a round's evaluation they are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Who tells them.
    pub from: LabelsFrom,
    /// From a round's evaluation to the moment from which the rule or the file is asked. Default: five seconds for the rule, none
    /// for a file. Clients tell labels when they know them.
    pub after: Option<Duration>,
}

impl Labels {
    /// Its name in the log, without paths of this machine.
    pub(crate) fn name(&self) -> &'static str {
        match self.from {
            LabelsFrom::Rule => "rule",
            LabelsFrom::Pushed => "pushed",
            LabelsFrom::File(_) => "file",
        }
    }
}

/// Rounds looked at in one go.
pub const LABELS_AT_ONCE: usize = 256;

/// A round whose label is asked for.
struct Known {
    challenge: Challenge,
    evaluated: Micros,
}

/// Reveals labels as they become known, until the validator stops. A label that is refused is said once; its round goes on
/// waiting for another.
pub async fn reveal(handle: Handle, source: impl LabelSource, pause: Duration) {
    reveal_in_turn(handle, source, pause, LABELS_AT_ONCE).await;
}

/// As [`reveal`], with so many rounds looked at in one go.
pub async fn reveal_in_turn(handle: Handle, source: impl LabelSource, pause: Duration, at_once: usize) {
    let mut desk = Revealing { source, known: BTreeMap::new(), refused: BTreeMap::new() };
    let mut turns = Turns::default();
    while !handle.is_stopping() {
        let waiting = turns.next(at_once, |after, limit| handle.waiting_after(after, limit));
        desk.known.retain(|evaluated, _| waiting.iter().any(|round| round.evaluated == *evaluated));
        desk.refused.retain(|round, _| handle.waits_for_label(round));
        for round in waiting {
            if let Err(error) = desk.label(&handle, &round).await {
                tracing::warn!(round = round.round, %error, "the label cannot be recorded; trying again");
            }
        }
        handle.sleep(pause).await;
    }
}

/// Where the next look begins: all that wait have their turn, however many wait in vain.
#[derive(Debug, Default)]
struct Turns {
    after: Option<String>,
}

impl Turns {
    /// The next `limit` rounds; from the first on after the last.
    fn next(&mut self, limit: usize, waiting: impl Fn(Option<&str>, usize) -> Vec<WaitingRound>) -> Vec<WaitingRound> {
        let mut found = waiting(self.after.as_deref(), limit);
        if found.is_empty() && self.after.is_some() {
            found = waiting(None, limit);
        }
        self.after = found.last().filter(|_| found.len() == limit).map(|last| last.round.clone());
        found
    }
}

struct Revealing<Source> {
    source: Source,
    /// The rounds of this look.
    known: BTreeMap<Position, Known>,
    /// Source and label of a round that were refused: the same again need not be tried.
    refused: BTreeMap<String, (String, String)>,
}

impl<Source: LabelSource> Revealing<Source> {
    async fn label(&mut self, handle: &Handle, round: &WaitingRound) -> Result<(), Error> {
        let known = match self.known.entry(round.evaluated) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => place.insert(read(handle, round).await?),
        };
        let found = self.source.label(&known.challenge, known.evaluated, crate::clock::now()).await;
        let refused = self.refused.get(&round.round);
        let Some((from, label)) = found.filter(|found| refused != Some(found)) else { return Ok(()) };
        match handle.reveal_label(&round.round, &from, &label).await {
            Err(error @ Error::Label { .. }) => {
                tracing::warn!(round = round.round, %error, "a label is refused");
                self.refused.insert(round.round.clone(), (from, label));
                Ok(())
            }
            revealed => revealed.map(drop),
        }
    }
}

async fn read(handle: &Handle, round: &WaitingRound) -> Result<Known, Error> {
    let reader = handle.reader();
    let accepted = reader.get(round.accepted.0).await?.map(|stored| decode(&stored)).transpose()?.flatten();
    let evaluated = reader.get(round.evaluated.0).await?;
    let (Some(Event::ChallengeAccepted(accepted)), Some(evaluated)) = (accepted, evaluated) else {
        return Err(Error::Refused("its challenge is not recorded".to_owned()));
    };
    Ok(Known { challenge: accepted.challenge, evaluated: Micros(evaluated.recorded_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_its_turn() {
        let mut turns = Turns::default();
        let all: BTreeMap<&str, u64> = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)].into();
        let mut look = |rounds: &[&str]| {
            let found = turns.next(2, |after, limit| {
                let behind =
                    all.iter().filter(|(round, _)| rounds.contains(round) && after.is_none_or(|a| **round > a));
                let waiting = |(round, at): (&&str, &u64)| WaitingRound {
                    round: (*round).to_owned(),
                    accepted: Position(*at),
                    evaluated: Position(*at),
                };
                behind.take(limit).map(waiting).collect()
            });
            found.into_iter().map(|round| round.round).collect::<Vec<_>>()
        };
        let five = ["a", "b", "c", "d", "e"];
        assert_eq!(look(&five), ["a", "b"]);
        assert_eq!(look(&five), ["c", "d"]);
        assert_eq!(look(&five), ["e"]);
        assert_eq!(look(&five), ["a", "b"], "from the first on");
        assert_eq!(look(&five), ["c", "d"]);
        assert_eq!(look(&["b", "d"]), ["b", "d"], "none is behind the last");
        assert_eq!(look(&[]), Vec::<String>::new());
        assert_eq!(look(&["b"]), ["b"], "a look that fills no page begins anew");
        assert_eq!(look(&["b"]), ["b"]);
    }
}
