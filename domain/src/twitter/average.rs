//! Rewards over time (spec 2.9, 2.10): scattered to their slots, averaged, and summed over a whole run.
//!
//! The vectors are by slot, as upstream has them; [`Averages`] and [`RunMean`] hold the same by key, so that a rule set
//! decides whether a slot or a hotkey earns. Upstream's document commit forgets its moving average before each round and
//! sets weights from the mean over the whole run; later versions and the document keep the moving average.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::numbers::{Real, Recorded};

/// The averages with the rewards written at their slots: who was not asked keeps its own.
///
/// # Errors
/// A slot outside of the averages, and fewer rewards than slots. Further rewards are left over, as upstream leaves them.
pub fn scatter<R: Real>(averages: &[R], uids: &[usize], rewards: &[R]) -> Result<Vec<R>, Error> {
    if uids.len() > rewards.len() {
        return Err(Error::Lengths { what: "rewards of the slots", found: rewards.len(), expected: uids.len() });
    }
    let mut scattered = averages.to_vec();
    for (uid, reward) in uids.iter().zip(rewards) {
        let slot = scattered.get_mut(*uid).ok_or(Error::Slot { uid: *uid, slots: averages.len() })?;
        *slot = *reward;
    }
    Ok(scattered)
}

/// `alpha × new + (1 − alpha) × old`.
pub fn blended<R: Real>(new: R, old: R, alpha: f64) -> R {
    R::near(alpha) * new + R::near(1.0 - alpha) * old
}

/// The moving averages after a round.
pub fn moving<R: Real>(scattered: &[R], averages: &[R], alpha: f64) -> Vec<R> {
    scattered.iter().zip(averages).map(|(new, old)| blended(*new, *old, alpha)).collect()
}

/// Mean reward per round of a run: `total / (rounds before this one + 1)`.
pub fn run_mean<R: Real>(totals: &[R], rounds_before: u64) -> Vec<R> {
    totals.iter().map(|total| *total / R::near(rounds_before as f64 + 1.0)).collect()
}

/// The next version's run mean: each round begins anew with ½ for everybody, so that who was never asked gets `½ / rounds`.
pub fn half_start_mean<R: Real>(scores: &[R], rounds_before: u64) -> Vec<R> {
    let totals: Vec<R> = scores.iter().map(|score| R::near(0.5) + *score).collect();
    run_mean(&totals, rounds_before)
}

/// The smoothed means: the first ones stand for their own past.
pub fn smoothed<R: Real>(means: &[R], before: Option<&[R]>, alpha: f64) -> Vec<R> {
    moving(means, before.unwrap_or(means), alpha)
}

/// Whether weights are set after this round: `every − ((rounds before + 1) mod every) = 1`.
pub fn is_due(rounds_before: u64, every: u64) -> bool {
    every > 0 && every - ((rounds_before % every + 1) % every) == 1
}

/// Moving averages by key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "K: Ord + Serialize + for<'a> Deserialize<'a>, R: Real")]
pub struct Averages<K, R: Real>(pub BTreeMap<K, Recorded<R>>);

impl<K, R: Real> Default for Averages<K, R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, R: Real> Averages<K, R> {
    /// Takes in a round: `rewards` of those that were asked, and the keys of those that were not because they were away
    /// (none, where absence does not count). New keys begin at 0; all others keep their average to the bit.
    pub fn update(&mut self, rewards: &[(K, R)], away: &[K], alpha: f64) {
        let zero = R::near(0.0);
        let asked: BTreeSet<&K> = rewards.iter().map(|(key, _)| key).collect();
        let absent = away.iter().filter(|key| !asked.contains(key)).map(|key| (key.clone(), zero));
        for (key, reward) in rewards.iter().cloned().chain(absent) {
            let average = self.0.entry(key).or_insert(Recorded(zero));
            *average = Recorded(blended(reward, average.0, alpha));
        }
    }

    /// Forgets everything: upstream's document commit before each round.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// Mean rewards of a whole run by key, and their smoothed course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "K: Ord + Serialize + for<'a> Deserialize<'a>, R: Real")]
pub struct RunMean<K, R: Real> {
    /// Rounds so far.
    pub rounds: u64,
    /// Sum of rewards.
    pub totals: BTreeMap<K, Recorded<R>>,
    /// The smoothed means when weights were last due; empty before.
    pub smoothed: BTreeMap<K, Recorded<R>>,
}

impl<K, R: Real> Default for RunMean<K, R> {
    fn default() -> Self {
        Self { rounds: 0, totals: BTreeMap::new(), smoothed: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, R: Real> RunMean<K, R> {
    /// Takes in a round; when weights are due, the smoothed means are renewed and returned.
    ///
    /// A key that was not known when the means were last smoothed has a past of 0.
    pub fn update(&mut self, rewards: &[(K, R)], alpha: f64, every: u64) -> Option<&BTreeMap<K, Recorded<R>>> {
        let zero = Recorded(R::near(0.0));
        for (key, reward) in rewards {
            let total = self.totals.entry(key.clone()).or_insert(zero);
            *total = Recorded(total.0 + *reward);
        }
        let due = is_due(self.rounds, every);
        let divisor = R::near(self.rounds as f64 + 1.0);
        self.rounds += 1;
        if !due {
            return None;
        }
        let first = self.smoothed.is_empty();
        let next = |(key, total): (&K, &Recorded<R>)| {
            let mean = total.0 / divisor;
            let before = if first { mean } else { self.smoothed.get(key).unwrap_or(&zero).0 };
            (key.clone(), Recorded(blended(mean, before, alpha)))
        };
        self.smoothed = self.totals.iter().map(next).collect();
        Some(&self.smoothed)
    }
}

#[cfg(test)]
#[path = "average_tests.rs"]
mod tests;
