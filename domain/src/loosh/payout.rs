//! From averages to weights (spec 3.12, steps 3 to 6): sybil penalty, who can be paid, modes, normalisation, u16.

use std::collections::BTreeMap;

use super::constants::{Freshness, SybilPenalty};
use super::entity::is_unset_address;
use crate::{math, sdk_weights};

/// Averages after the sybil penalty.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalised {
    /// All averages, penalised or not.
    pub averages: BTreeMap<String, f64>,
    /// Who was penalised, the hard tier first, each tier by falling score.
    pub penalised: Vec<String>,
    /// The soft tier was larger than allowed, so that some of it were spared.
    pub safety_triggered: bool,
}

/// Penalises sybils: always those of the hard tier; of the soft tier at most `max(1, ⌊share × serving⌋)`, the worst first.
/// Equal scores fall in the order of the hotkeys.
pub fn sybil_penalty(
    averages: &BTreeMap<String, f64>,
    sybil_scores: &BTreeMap<String, f64>,
    serving: u64,
    rule: &SybilPenalty,
) -> Penalised {
    let mut candidates: Vec<(&String, f64)> = averages
        .iter()
        .filter(|(_, average)| **average > 0.0)
        .filter_map(|(hotkey, _)| sybil_scores.get(hotkey).map(|score| (hotkey, *score)))
        .filter(|(_, score)| *score >= rule.threshold)
        .collect();
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (hard, mut soft): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(_, s)| *s >= rule.hard_threshold);
    let allowed = ((serving as f64 * rule.soft_share) as u64).max(1) as usize;
    let safety_triggered = soft.len() > allowed;
    soft.truncate(allowed);
    let mut out = Penalised { averages: averages.clone(), penalised: Vec::new(), safety_triggered };
    for (hotkey, score) in hard.into_iter().chain(soft) {
        if let Some(average) = out.averages.get_mut(hotkey) {
            let penalised = *average * (1.0 - score.min(rule.maximum));
            *average = penalised.max(*average * rule.retention);
            out.penalised.push(hotkey.clone());
        }
    }
    out
}

/// A slot as far as payment is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Who holds it.
    pub hotkey: String,
    /// Advertised address.
    pub address: String,
    /// Advertised port.
    pub port: u16,
    /// Known to be a validator.
    pub validator: bool,
}

/// Why a slot cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotServing {
    /// It is the validator's own.
    Own,
    /// It advertises no address or port.
    NoEndpoint,
    /// It is a validator's.
    Validator,
}

/// Why the node cannot be paid, if so; the first reason that holds.
pub fn not_serving(node: &Node, own: &str) -> Option<NotServing> {
    if node.hotkey == own {
        Some(NotServing::Own)
    } else if is_unset_address(&node.address) || node.port == 0 {
        Some(NotServing::NoEndpoint)
    } else {
        node.validator.then_some(NotServing::Validator)
    }
}

/// How urgent a weight decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The usual freshness gate.
    Normal,
    /// A wider gate.
    Degraded,
    /// No gate, and equal weights if there is nothing else.
    Emergency,
}

impl Mode {
    /// The mode after so many blocks without own weights.
    pub fn after(blocks: u64, rule: &Freshness) -> Self {
        if blocks >= rule.emergency_blocks {
            Self::Emergency
        } else if blocks >= rule.degraded_blocks {
            Self::Degraded
        } else {
            Self::Normal
        }
    }

    /// Seconds within which a miner must have been seen; `None` for no gate.
    pub fn freshness_seconds(self, rule: &Freshness) -> Option<u64> {
        match self {
            Self::Normal => Some(rule.normal_seconds),
            Self::Degraded => Some(rule.degraded_seconds),
            Self::Emergency => None,
        }
    }

    /// Upstream's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Degraded => "DEGRADED",
            Self::Emergency => "EMERGENCY",
        }
    }
}

/// Scores of the serving miners as shares of their sum. Without a positive sum: equal shares in an emergency, otherwise
/// `None`, which skips the weight setting.
pub fn normalised(scores: &[f64], mode: Mode) -> Option<Vec<f64>> {
    let total = math::sum(scores);
    if total > 0.0 {
        return Some(scores.iter().map(|score| score / total).collect());
    }
    (mode == Mode::Emergency && !scores.is_empty()).then(|| vec![1.0 / scores.len() as f64; scores.len()])
}

/// Weights as the chain takes them, through single precision as the SDK receives them; 0 for weights that are not positive.
pub fn quantised(weights: &[f64]) -> Vec<u16> {
    let single: Vec<f64> = weights.iter().map(|weight| f64::from(*weight as f32)).collect();
    sdk_weights::quantised(&single)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loosh::constants::Constants;
    use proptest::prelude::*;

    fn of(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
    }

    #[test]
    fn tiers_of_the_penalty() {
        let rule = Constants::v1_2_8().sybil_penalty.unwrap_or_else(|| unreachable!());
        let averages = of(&[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 0.0), ("f", 1.0)]);
        let scores = of(&[("a", 0.9), ("b", 0.6), ("c", 0.3), ("d", 0.5), ("e", 1.0), ("f", 0.05)]);
        let found = sybil_penalty(&averages, &scores, 3, &rule);
        assert_eq!(found.penalised, ["a", "b", "d"]);
        assert!(found.safety_triggered);
        let expected = [("a", 0.2), ("b", 0.4), ("c", 1.0), ("d", 0.5), ("e", 0.0), ("f", 1.0)];
        for (key, value) in expected {
            assert!((found.averages[key] - value).abs() < 1e-15, "{key}");
        }
        let unknown = sybil_penalty(&averages, &of(&[]), 3, &rule);
        assert_eq!((unknown.averages, unknown.safety_triggered), (averages, false));
    }

    #[test]
    fn modes_by_blocks() {
        let rule = Constants::v1_2_8().freshness;
        for (blocks, mode, seconds) in [
            (0, Mode::Normal, Some(10_800)),
            (3999, Mode::Normal, Some(10_800)),
            (4000, Mode::Degraded, Some(86_400)),
            (4499, Mode::Degraded, Some(86_400)),
            (4500, Mode::Emergency, None),
        ] {
            assert_eq!(
                (Mode::after(blocks, &rule), Mode::after(blocks, &rule).freshness_seconds(&rule)),
                (mode, seconds)
            );
        }
        assert_eq!(normalised(&[0.0, 0.0], Mode::Degraded), None);
        assert_eq!(normalised(&[0.0, 0.0], Mode::Emergency), Some(vec![0.5, 0.5]));
        assert_eq!(normalised(&[], Mode::Emergency), None);
        assert_eq!(normalised(&[1.0, 3.0], Mode::Normal), Some(vec![0.25, 0.75]));
    }

    #[test]
    fn who_can_be_paid() {
        let node = |hotkey: &str, address: &str, port, validator| Node {
            hotkey: hotkey.to_owned(),
            address: address.to_owned(),
            port,
            validator,
        };
        for (node, expected) in [
            (node("me", "1.2.3.4", 1, false), Some(NotServing::Own)),
            (node("a", "0.0.0.0", 1, false), Some(NotServing::NoEndpoint)),
            (node("a", "1.2.3.4", 0, true), Some(NotServing::NoEndpoint)),
            (node("a", "1.2.3.4", 1, true), Some(NotServing::Validator)),
            (node("a", "1.2.3.4", 1, false), None),
        ] {
            assert_eq!(not_serving(&node, "me"), expected);
        }
    }

    #[test]
    fn sixteen_bits() {
        assert_eq!(quantised(&[0.1, 0.2, 0.4]), [16384, 32768, 65535]);
        assert_eq!(quantised(&[0.0, -2.0]), [0, 0]);
        assert!(quantised(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn shares_sum_to_one(scores in proptest::collection::vec(0.0f64..10.0, 1..40)) {
            prop_assume!(scores.iter().any(|score| *score > 1e-6));
            let shares = normalised(&scores, Mode::Normal).unwrap_or_default();
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert_eq!(quantised(&shares).into_iter().max(), Some(65535));
        }
    }
}
