//! Epochs from rounds: averages, weights and the reasons for zeros.

use super::*;
use crate::events::{Neuron, SkipReason, Statistic};
use crate::metagraph::Metagraph;
use crate::twitter::constants::WeightRule;
use crate::types::{BlockNumber, HexBytes, Rao};

fn neuron(n: u16, key: u8) -> Neuron {
    Neuron {
        uid: Uid(n),
        hotkey: hotkey(key),
        coldkey: hotkey(100),
        ip: "10.0.0.1".to_owned(),
        port: 1,
        stake: Rao(0),
        validator_permit: n == 0,
        last_update: BlockNumber(0),
    }
}

fn metagraph(neurons: &[Neuron]) -> Metagraph {
    let mut metagraph = Metagraph::default();
    metagraph.observe(&Metagraph::full(BlockNumber(1), HexBytes([0; 32]), None, neurons));
    metagraph
}

type State = (BTreeMap<Hotkey, MinerState>, Vec<Statistic>);

/// Plays rounds of the same answers and gives the state that they leave.
fn played(twitter: &Twitter, rounds: usize, round: impl Fn() -> RoundFacts) -> State {
    played_on(twitter, State::default(), rounds, round)
}

fn played_on(twitter: &Twitter, state: State, rounds: usize, round: impl Fn() -> RoundFacts) -> State {
    (0..rounds).fold(state, |(mut miners, statistics), _| {
        let found = evaluated(twitter, RoundFacts { statistics, ..round() }, &[]);
        for scored in &found.scores {
            miners.entry(scored.hotkey).or_insert_with(MinerState::default).drawn += 1;
        }
        twitter.absorb(&mut miners, &found.scores, Micros(1));
        (miners, found.round.statistics)
    })
}

fn derived(twitter: &Twitter, metagraph: &Metagraph, state: &State) -> Derivation {
    let (miners, statistics) = state;
    let facts = EpochFacts { now: Micros(9), own: hotkey(200), metagraph, miners, external: None, statistics };
    twitter.derive(&facts)
}

#[test]
fn weights_follow_the_averages() {
    let mut idle = neuron(4, 4);
    idle.port = 0;
    let slots = [neuron(0, 200), neuron(1, 1), neuron(2, 2), neuron(3, 3), idle, neuron(5, 5)];
    for (twitter, rounds) in all().into_iter().zip([2, 9, 2]) {
        let name = twitter.rule_set().name();
        let state = played(&twitter, rounds, || facts(&[GOOD, OTHER, " "], 0));
        let found = derived(&twitter, &metagraph(&slots), &state);
        assert_eq!((found.skip, found.window_start), (None, Micros(9)), "{name}");
        assert_eq!(found.weights.iter().map(|one| one.weight).max(), Some(u16::MAX), "{name}");
        assert!(found.weights.iter().all(|one| hotkey(u8::try_from(one.uid.0).unwrap()) == one.hotkey));
        let zeros: Vec<(u16, ZeroReason)> = found.zeros.iter().map(|zero| (zero.uid.0, zero.reason)).collect();
        let mut expected = vec![(0, ZeroReason::NotServing), (4, ZeroReason::NotServing), (5, ZeroReason::NotSampled)];
        if twitter.constants().remedies.blank_answers_fail {
            expected.insert(1, (3, ZeroReason::NoScore));
        }
        assert_eq!(zeros, expected, "{name}");
        assert_eq!(found.weights.len() + found.zeros.len(), slots.len());
        let stranger = derived(&twitter, &metagraph(&slots[1..]), &state);
        assert_eq!((stranger.skip, stranger.weights.len()), (Some(SkipReason::NotRegistered), 0));
        assert_eq!(derived(&twitter, &metagraph(&slots[..1]), &state).skip, Some(SkipReason::NobodyServing));
        let nothing = (BTreeMap::new(), Vec::new());
        assert_eq!(derived(&twitter, &metagraph(&slots), &nothing).skip, Some(SkipReason::NoScores));
    }
}

#[test]
fn the_mean_of_a_run_is_paid_when_it_is_due() {
    let twitter = twitter("2.5.9");
    let slots = metagraph(&[neuron(0, 200), neuron(1, 1), neuron(2, 2)]);
    let round = || facts(&[GOOD, OTHER], 0);
    assert_eq!(derived(&twitter, &slots, &played(&twitter, 8, round)).skip, Some(SkipReason::NoScores));
    let ninth = derived(&twitter, &slots, &played(&twitter, 9, round));
    assert_eq!(ninth.skip, None);
    let tenth = derived(&twitter, &slots, &played(&twitter, 10, round));
    assert_eq!((tenth.weights, tenth.averages), (ninth.weights, ninth.averages));
}

#[test]
fn a_slot_inherits_upstream_and_a_hotkey_does_not_elsewhere() {
    // Miner 1's slot goes to hotkey 77, which never answered anything.
    let after = metagraph(&[neuron(0, 200), neuron(1, 77), neuron(2, 2)]);
    for (twitter, inherits) in all().into_iter().zip([false, true, false]) {
        let state = played(&twitter, 9, || facts(&[GOOD, OTHER], 0));
        let found = derived(&twitter, &after, &state);
        let paid = found.weights.iter().any(|weight| weight.hotkey == hotkey(77));
        assert_eq!(paid, inherits, "{}", twitter.rule_set().name());
        if !inherits {
            assert!(found.zeros.iter().any(|zero| zero.uid == Uid(1) && zero.reason == ZeroReason::NotSampled));
        }
    }
}

#[test]
fn who_is_away_keeps_its_credit_upstream_and_loses_it_under_ours() {
    for (twitter, keeps) in all().into_iter().zip([true, true, false]) {
        let name = twitter.rule_set().name();
        let credit = |(miners, statistics): &State| match twitter.constants().weights {
            WeightRule::RunMean { .. } => f64::from(running::run(statistics).totals[&2].0),
            WeightRule::MovingAverage {} => miners[&hotkey(2)].average.unwrap(),
        };
        let there = played(&twitter, 9, || facts(&[GOOD, OTHER], 0));
        let before = credit(&there);
        assert!(before > 0.0, "{name}");
        let away = played_on(&twitter, there, 10, || facts(&[GOOD], 0));
        assert_eq!(credit(&away) == before, keeps, "{name}");
        assert!(credit(&away) <= before);
        // Weights are due after the 19th round too: who left ten rounds ago is paid for the nine before.
        let slots = metagraph(&[neuron(0, 200), neuron(1, 1), neuron(2, 2)]);
        let paid = |state: &State| derived(&twitter, &slots, state).averages[&hotkey(2)];
        let again = played_on(&twitter, away.clone(), 10, || facts(&[GOOD], 0));
        assert!(paid(&away) > 0.0 && (credit(&again) == before) == keeps, "{name}");
        // Who failed was asked, and counts as 0 everywhere.
        let mut failed = facts(&[GOOD], 0);
        failed.failures.push((miner(2), FailureReason::Unreachable));
        let (one, _) = played(&twitter, 1, || failed.clone());
        let by_hotkey = twitter.rule_set().name() != "twitter/2.5.9";
        assert_eq!(one[&hotkey(2)].average, by_hotkey.then_some(0.0));
    }
}

#[test]
fn what_a_slot_inherits_is_reported() {
    for (twitter, inherits) in all().into_iter().zip([false, true, false]) {
        let state = played(&twitter, 3, || facts(&[GOOD, OTHER], 0));
        assert!(state.1.iter().all(|one| one.name != "run_inherited" || one.values.is_empty()));
        // Miner 1's slot goes to hotkey 77, which is asked and answers nothing.
        let mut after = facts(&[GOOD, OTHER], 0);
        after.responses.remove(0);
        after.failures.push((DrawnMiner { hotkey: hotkey(77), ..miner(1) }, FailureReason::Unreachable));
        let found = evaluated(&twitter, RoundFacts { statistics: state.1, ..after.clone() }, &[]);
        assert_eq!(of_round(&found, "inherited_slots"), f64::from(u8::from(inherits)), "{}", twitter.rule_set().name());
        let total = part(&found, 1, "inherited_total");
        assert_eq!(total.is_some_and(|total| total > 0.0), inherits);
        assert_eq!(part(&found, 0, "inherited_total"), None);
        // It stays reported for as long as the sum does.
        let next = evaluated(&twitter, RoundFacts { statistics: found.round.statistics, ..after }, &[]);
        assert_eq!(part(&next, 1, "inherited_total"), total);
    }
}

#[test]
fn averages_are_numbers_of_single_precision() {
    let twitter = twitter("readme");
    let (miners, _) = played(&twitter, 5, || facts(&[GOOD, OTHER, SPAM], 1));
    for state in miners.values() {
        let average = state.average.unwrap();
        assert_eq!(f64::from(average as f32), average);
        assert!((0.0..=1.0).contains(&average) && state.window.is_empty());
    }
}
