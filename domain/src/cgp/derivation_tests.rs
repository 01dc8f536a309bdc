#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::metagraph::Metagraph;
use crate::types::{BlockNumber, Micros, Rao, sha256};
use proptest::prelude::*;

const OWN: u8 = 200;

fn key(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn neuron(uid: u16, n: u8) -> Neuron {
    Neuron {
        uid: Uid(uid),
        hotkey: key(n),
        coldkey: key(n),
        ip: "10.0.0.1".to_owned(),
        port: 8091,
        stake: if n >= 100 { Rao(5_000_000_000_000) } else { Rao(0) },
        validator_permit: n >= 100,
        last_update: BlockNumber(0),
    }
}

/// Slots 0, 1, … of these hotkeys; the validator has the last one, and 100 owns the subnet.
fn metagraph(hotkeys: &[u8]) -> Metagraph {
    let neurons: Vec<Neuron> = (0..).zip(hotkeys.iter().chain([&OWN])).map(|(uid, n)| neuron(uid, *n)).collect();
    let mut metagraph = Metagraph::default();
    metagraph.observe(&Metagraph::full(BlockNumber(9), HexBytes([1; 32]), Some(key(100)), &neurons));
    metagraph
}

fn scored(n: u8, score: f64, counted: bool) -> ResponseScored {
    ResponseScored {
        challenge_id: "c".to_owned(),
        attempt: 1,
        hotkey: key(n),
        uid: Uid(n.into()),
        score,
        counted,
        filtered: None,
        reason: None,
        components: Vec::new(),
    }
}

/// Miners after rounds of (miner, score).
fn rounds(constants: &Constants, rounds: &[&[(u8, f64)]]) -> BTreeMap<Hotkey, MinerState> {
    let mut miners = BTreeMap::new();
    for round in rounds {
        let scores: Vec<ResponseScored> = round.iter().map(|(n, score)| scored(*n, *score, true)).collect();
        for scored in &scores {
            miners.entry(scored.hotkey).or_insert_with(MinerState::default).drawn += 1;
        }
        absorb(constants, &mut miners, &scores);
    }
    miners
}

fn weigh(constants: &Constants, metagraph: &Metagraph, miners: &BTreeMap<Hotkey, MinerState>) -> Derivation {
    let statistics = [tie_statistic(&sha256(b"last round"))];
    derive(
        constants,
        &EpochFacts { now: Micros(1), own: key(OWN), metagraph, miners, external: None, statistics: &statistics },
    )
}

fn of(derivation: &Derivation, n: u8) -> u16 {
    derivation.weights.iter().find(|weight| weight.hotkey == key(n)).map_or(0, |weight| weight.weight)
}

fn reason_of(derivation: &Derivation, n: u8) -> Option<ZeroReason> {
    derivation.zeros.iter().find(|zero| zero.hotkey == key(n)).map(|zero| zero.reason)
}

#[test]
fn averages_are_single_precision_and_decay() {
    let upstream = Constants::v2_30_65();
    let average = |found: &BTreeMap<Hotkey, MinerState>, n: u8| found.get(&key(n)).and_then(|miner| miner.average);
    let found = rounds(&upstream, &[&[(1, 0.5), (2, 0.0)], &[(1, 0.0)]]);
    assert_eq!(average(&found, 1), Some(f64::from(0.95f32 * (0.1f32 * 0.5))));
    assert_eq!(average(&found, 2), Some(0.0), "not asked in the second");
    let document = rounds(&Constants::readme(), &[&[(1, 0.5)], &[(1, 0.0)]]);
    assert_eq!(average(&document, 1), Some(f64::from(0.9f32 * (0.1f32 * 0.5))));
    // A round that counted for nobody changes nothing.
    let mut miners = found.clone();
    absorb(&upstream, &mut miners, &[scored(1, 0.0, false), scored(3, 0.0, false)]);
    assert_eq!(miners, found);
}

#[test]
fn ninety_percent_burn_and_the_rest_goes_by_rank() {
    let miners = rounds(&Constants::v2_30_65(), &[&[(1, 0.7), (2, 0.3)]]);
    let found = weigh(&Constants::v2_30_65(), &metagraph(&[1, 2, 3, 100]), &miners);
    assert_eq!((found.skip, found.weights.len()), (None, 3));
    assert_eq!(of(&found, 100), u16::MAX);
    let share = f64::from(of(&found, 1)) / f64::from(of(&found, 2));
    assert!((share - 2.0).abs() < 0.01, "{share}");
    assert_eq!(reason_of(&found, 3), Some(ZeroReason::NotSampled));
    assert_eq!(reason_of(&found, OWN), Some(ZeroReason::NotServing));
    assert!(found.weights.is_sorted_by_key(|weight| weight.uid));
    assert_eq!(found.averages.len(), 2);
    // Without the owner's slot the same is shared by the miners alone.
    let found = weigh(&Constants::v2_30_65(), &metagraph(&[1, 2, 3]), &miners);
    assert_eq!((of(&found, 1), found.weights.len()), (u16::MAX, 2));
}

#[test]
fn a_permit_alone_makes_no_validator() {
    for constants in [Constants::readme(), Constants::v2_30_65(), Constants::assay_1()] {
        let miners = rounds(&constants, &[&[(1, 0.7), (101, 0.6)]]);
        assert_eq!(of(&weigh(&constants, &metagraph(&[1, 101, 100]), &miners), 101), 0, "with 5000 staked");
        let small = Neuron { stake: Rao(4_096_000_000_000), ..neuron(1, 101) };
        let neurons = [neuron(0, 1), small, neuron(2, 100), neuron(3, OWN)];
        let mut metagraph = Metagraph::default();
        metagraph.observe(&Metagraph::full(BlockNumber(9), HexBytes([1; 32]), Some(key(100)), &neurons));
        assert!(of(&weigh(&constants, &metagraph, &miners), 101) > 0, "4096 are not more than 4096");
    }
}

#[test]
fn the_document_burns_nothing_and_pays_by_share() {
    let miners = rounds(&Constants::readme(), &[&[(1, 0.75), (2, 0.25)]]);
    let found = weigh(&Constants::readme(), &metagraph(&[1, 2, 100]), &miners);
    assert_eq!((of(&found, 1), of(&found, 2), of(&found, 100)), (u16::MAX, 21_845, 0));
}

#[test]
fn a_slot_that_changes_hands_inherits_nothing() {
    for constants in [Constants::readme(), Constants::v2_30_65(), Constants::assay_1()] {
        let miners = rounds(&constants, &[&[(1, 0.7), (2, 0.6)]]);
        let found = weigh(&constants, &metagraph(&[9, 2, 100]), &miners);
        assert_eq!((of(&found, 9), of(&found, 1)), (0, 0));
        assert_eq!(reason_of(&found, 9), Some(ZeroReason::NotSampled));
        assert!(of(&found, 2) > 0);
    }
}

#[test]
fn a_subnet_that_grows_keeps_its_averages_and_pays_its_newcomers() {
    for constants in [Constants::readme(), Constants::v2_30_65(), Constants::assay_1()] {
        let mut miners = rounds(&constants, &[&[(1, 0.7), (2, 0.6)]]);
        let before = miners[&key(1)].average;
        let joined = rounds(&constants, &[&[(3, 0.65), (4, 0.55)]]);
        miners.extend(joined);
        let found = weigh(&constants, &metagraph(&[1, 2, 100, 3, 4]), &miners);
        assert_eq!(found.averages.get(&key(1)).copied(), before);
        assert!([1, 2, 3, 4].into_iter().all(|n| of(&found, n) > 0), "{:?}", found.weights);
    }
}

#[test]
fn without_scores_everybody_is_paid_upstream_only() {
    let metagraph = metagraph(&[1, 2, 3, 100]);
    let worthless = |constants: &Constants| weigh(constants, &metagraph, &rounds(constants, &[&[(1, 0.0), (2, 0.0)]]));
    let upstream = worthless(&Constants::v2_30_65());
    assert!([1, 2, 3].into_iter().all(|n| of(&upstream, n) > 0), "even who was never asked");
    let document = worthless(&Constants::readme());
    assert_eq!((document.skip, document.weights.len()), (Some(SkipReason::NoScores), 0));
    let ours = worthless(&Constants::assay_1());
    assert_eq!((ours.skip, of(&ours, 100), ours.weights.len()), (None, u16::MAX, 1), "all of it burns");
    assert_eq!(reason_of(&ours, 1), Some(ZeroReason::NoScore));
    // Before any round nothing is sent under any rule set.
    for constants in [Constants::readme(), Constants::v2_30_65(), Constants::assay_1()] {
        let found = weigh(&constants, &metagraph, &BTreeMap::new());
        assert_eq!((found.skip, found.weights.len()), (Some(SkipReason::NoScores), 0));
        assert_eq!(found.zeros.len(), 5);
    }
}

#[test]
fn who_earned_once_is_paid_for_ever_upstream_only() {
    let paid = |constants: &Constants| {
        let mut history: Vec<&[(u8, f64)]> = vec![&[(1, 0.3), (2, 0.6)]];
        history.extend(std::iter::repeat_n(&[(1, 0.0), (2, 0.6)][..], 40));
        weigh(constants, &metagraph(&[1, 2, 100]), &rounds(constants, &history))
    };
    assert!(of(&paid(&Constants::v2_30_65()), 1) > 0);
    let ours = paid(&Constants::assay_1());
    assert_eq!((of(&ours, 1), reason_of(&ours, 1)), (0, Some(ZeroReason::NoScore)));
    assert!(of(&ours, 2) > 0);
}

#[test]
fn negative_averages_are_paid_upstream_only() {
    let upstream = Constants::v2_30_65();
    let miners = rounds(&upstream, &[&[(1, 0.6), (2, -0.1)]]);
    assert!(of(&weigh(&upstream, &metagraph(&[1, 2]), &miners), 2) > 0);
    let ours = weigh(&Constants::assay_1(), &metagraph(&[1, 2]), &miners);
    assert_eq!((of(&ours, 2), reason_of(&ours, 2)), (0, Some(ZeroReason::NoScore)));
}

#[test]
fn nothing_is_sent_without_a_slot_or_miners() {
    let constants = Constants::assay_1();
    let miners = rounds(&constants, &[&[(1, 0.6)]]);
    assert_eq!(weigh(&constants, &metagraph(&[100]), &miners).skip, Some(SkipReason::NobodyServing));
    let mut elsewhere = Metagraph::default();
    elsewhere.observe(&Metagraph::full(BlockNumber(9), HexBytes([1; 32]), None, &[neuron(0, 1)]));
    assert_eq!(weigh(&constants, &elsewhere, &miners).skip, Some(SkipReason::NotRegistered));
}

#[test]
fn ties_are_drawn_from_the_last_round() {
    let constants = Constants::v2_30_65();
    let miners = rounds(&constants, &[&[(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.5)]]);
    let metagraph = metagraph(&[1, 2, 3, 4]);
    let order = |statistics: &[Statistic], now: u64| {
        let facts = EpochFacts {
            now: Micros(now),
            own: key(OWN),
            metagraph: &metagraph,
            miners: &miners,
            external: None,
            statistics,
        };
        derive(&constants, &facts).weights
    };
    let seeds: Vec<[Statistic; 1]> = (0..8u8).map(|n| [tie_statistic(&sha256(&[n]))]).collect();
    assert_eq!(order(&seeds[0], 1), order(&seeds[0], 2), "not from the clock");
    assert!(seeds.iter().any(|seed| order(seed, 1) != order(&seeds[0], 1)));
    let carried = tie_statistic(&sha256(b"seed"));
    let facts = EpochFacts {
        now: Micros(1),
        own: key(OWN),
        metagraph: &metagraph,
        miners: &miners,
        external: None,
        statistics: &[carried],
    };
    assert_eq!(tie_seed(&facts), sha256(b"seed"));
    let odd = [Statistic { name: TIE_SEED.to_owned(), values: vec![f64::MAX, -1.0] }];
    assert_ne!(tie_seed(&EpochFacts { statistics: &odd, ..facts.clone() }), tie_seed(&facts));
}

proptest! {
    #[test]
    fn everybody_is_weighed_once(scores in prop::collection::vec((1u8..100, -0.2f64..1.0), 0..60), which in 0usize..3) {
        let constants = [Constants::readme(), Constants::v2_30_65(), Constants::assay_1()][which].clone();
        let history: Vec<&[(u8, f64)]> = scores.chunks(1).collect();
        let miners = rounds(&constants, &history);
        let slots: Vec<u8> = (1..=100).collect();
        let found = weigh(&constants, &metagraph(&slots), &miners);
        prop_assert_eq!(found.weights.len() + found.zeros.len(), 101);
        prop_assert!(found.weights.iter().all(|weight| weight.weight > 0));
        prop_assert!(found.zeros.is_sorted_by_key(|zero| zero.uid));
        prop_assert_eq!(found.skip.is_none(), !found.weights.is_empty());
        prop_assert!(found.averages.values().all(|average| f64::from(*average as f32) == *average));
    }
}
