//! Moving averages of emissions and the freshness gate (spec 3.12, steps 1 and 2).
//!
//! Averages are keyed by hotkey. A miner that did not answer is not updated: there is no decay for absence.

use std::collections::BTreeMap;

/// The exponential average after one more value: the value itself when it is the first.
pub fn updated(previous: Option<f64>, value: f64, alpha: f64) -> f64 {
    previous.map_or(value, |previous| alpha * value + (1.0 - alpha) * previous)
}

/// The exponential average of the (age, value) items whose age is within the look-back window; `items` are in order of
/// time, oldest first. `None` for none.
pub fn average(items: impl IntoIterator<Item = (f64, f64)>, lookback: f64, alpha: f64) -> Option<f64> {
    let within = items.into_iter().filter(|(age, _)| *age <= lookback);
    within.fold(None, |previous, (_, value)| Some(updated(previous, value, alpha)))
}

/// An emission as stored by upstream: what is not a number is skipped.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredEmission {
    /// A number.
    Number(f64),
    /// A text; counts if Python's `float` reads it as a finite number.
    Text(String),
    /// Anything else.
    Other,
}

impl StoredEmission {
    fn value(&self) -> Option<f64> {
        let value = match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => crate::text::strip(text).parse().ok(),
            Self::Other => None,
        };
        value.filter(|value| value.is_finite())
    }
}

/// One evaluation of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct PastEvaluation {
    /// How long ago, in the unit of the look-back window.
    pub age: f64,
    /// Emissions by hotkey, or by uid as text in old entries.
    pub emissions: Vec<(String, StoredEmission)>,
}

/// Who held a uid, and how long ago that was noted.
#[derive(Debug, Clone, PartialEq)]
pub struct UidHolder {
    /// The miner.
    pub hotkey: String,
    /// The slot as text.
    pub uid: String,
    /// In the unit of the look-back window.
    pub age: f64,
}

/// Averages per hotkey over the evaluations of the look-back window, oldest first; entries keyed by a known uid go to its
/// most recent holder.
pub fn averages(
    evaluations: &[PastEvaluation],
    holders: &[UidHolder],
    lookback: f64,
    alpha: f64,
) -> BTreeMap<String, f64> {
    let mut newest: BTreeMap<&str, &UidHolder> = BTreeMap::new();
    for holder in holders {
        let known = newest.get(holder.uid.as_str());
        if known.is_none_or(|known| holder.age < known.age) {
            newest.insert(&holder.uid, holder);
        }
    }
    let mut in_order: Vec<&PastEvaluation> = evaluations.iter().collect();
    in_order.sort_by(|a, b| b.age.total_cmp(&a.age));
    let mut items: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for evaluation in in_order {
        for (key, emission) in &evaluation.emissions {
            let Some(value) = emission.value() else { continue };
            let hotkey = newest.get(key.as_str()).map_or(key.as_str(), |holder| holder.hotkey.as_str());
            items.entry(hotkey).or_default().push((evaluation.age, value));
        }
    }
    let averaged = |(hotkey, items): (&str, Vec<(f64, f64)>)| {
        average(items, lookback, alpha).map(|average| (hotkey.to_owned(), average))
    };
    items.into_iter().filter_map(averaged).collect()
}

/// Whether a miner that was last seen so long ago still counts; never seen is stale. Both in the same unit.
pub fn is_fresh(age: Option<f64>, limit: f64) -> bool {
    age.is_some_and(|age| age <= limit)
}

/// Averages with those of stale miners set to 0, and how many of these were above 0 before.
pub fn freshness_gate<K: Ord + Clone>(
    averages: &BTreeMap<K, f64>,
    last_seen_age: &BTreeMap<K, f64>,
    limit: f64,
) -> (BTreeMap<K, f64>, u64) {
    let fresh = |hotkey: &K| is_fresh(last_seen_age.get(hotkey).copied(), limit);
    let gated = averages.iter().map(|(key, value)| (key.clone(), if fresh(key) { *value } else { 0.0 })).collect();
    let stale = averages.iter().filter(|(key, value)| !fresh(key) && **value > 0.0).count();
    (gated, stale as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stored_emissions() {
        for (stored, value) in [
            (StoredEmission::Number(0.5), Some(0.5)),
            (StoredEmission::Text(" 1e-1 ".to_owned()), Some(0.1)),
            (StoredEmission::Text("bad".to_owned()), None),
            (StoredEmission::Text("nan".to_owned()), None),
            (StoredEmission::Other, None),
        ] {
            assert_eq!(stored.value(), value, "{stored:?}");
        }
    }

    #[test]
    fn the_gate_is_inclusive() {
        let of = |pairs: &[(&'static str, f64)]| pairs.iter().copied().collect::<BTreeMap<&str, f64>>();
        let (gated, stale) = freshness_gate(
            &of(&[("a", 1.0), ("b", 0.5), ("c", 0.0), ("d", -1.0), ("e", 2.0)]),
            &of(&[("a", 10_800.0), ("b", 10_800.1), ("c", 99_999.0)]),
            10_800.0,
        );
        assert_eq!(gated, of(&[("a", 1.0), ("b", 0.0), ("c", 0.0), ("d", 0.0), ("e", 0.0)]));
        assert_eq!(stale, 2);
    }

    proptest! {
        #[test]
        fn an_average_lies_between_its_values(values in proptest::collection::vec(-5f64..5.0, 1..30)) {
            let found = average(values.iter().map(|value| (1.0, *value)), 1.0, 0.3).unwrap_or(f64::NAN);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(found >= least - 1e-12 && found <= most + 1e-12);
        }
    }
}
