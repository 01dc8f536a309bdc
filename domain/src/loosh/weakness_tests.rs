//! Upstream's weaknesses by their number in the specification (section 7): kept under `loosh/1.2.8`, reported with the
//! scores, absent under `loosh/assay-1`.

use super::*;
use crate::math;

const NEAR: [f64; 3] = [1.0, 0.2, 0.1];
const OFF_TOPIC: [f64; 3] = [0.1, 0.0, 1.0];
const SPAM: &str = "Buy my wonderful tokens now, they only ever rise!";
const SUN: &str = "The Sun pulls too, but its pull is weaker. Both pulls add up at full moon.";
const WIND: &str = "Winds push water against the shore. A deep harbour hides what an open coast shows.";
const VERSIONS: [&str; 3] = ["readme", "1.2.8", "assay-1"];

fn evaluated(version: &str, answers: &[(&str, [f64; 3], u32)]) -> Evaluation {
    let rules = loosh(version);
    rules.evaluate(&facts(&rules, answers)).unwrap()
}

fn paid(found: &Evaluation) -> Vec<f64> {
    found.scores.iter().map(|score| score.score).collect()
}

fn value(of: &[crate::events::Component], name: &str) -> f64 {
    of.iter().find(|component| component.name == name).map(|component| component.value).unwrap()
}

/// Number 6.
#[test]
fn garbage_beside_the_only_honest_answer_costs_it_nothing() {
    let round = [(ANSWER, NEAR, 400), (SPAM, OFF_TOPIC, 1)];
    let theirs = evaluated("1.2.8", &round);
    assert_eq!(paid(&theirs)[..2], [0.0, 0.0]);
    assert_eq!(reasons(&theirs)[0], Some(ZeroReason::NoConsensus));
    assert_eq!(value(&theirs.round.components, "kept_after_quality"), 1.0);
    let ours = evaluated("assay-1", &round);
    let quality = value(&ours.scores[0].components, "quality");
    assert!(quality > 0.25);
    assert_eq!(paid(&ours)[..2], [quality, 0.0]);
    assert_eq!((ours.round.consensus, ours.round.best), (1.0, Some(hotkey(1))));
    // The same as without the garbage, and garbage alone is worth nothing.
    assert_eq!(paid(&evaluated("assay-1", &round[..1]))[0], quality);
    assert_eq!(paid(&evaluated("assay-1", &round[1..]))[0], 0.0);
    // Two good answers that contradict each other are no consensus: none of the two is the only one.
    let split = evaluated("assay-1", &[(ANSWER, [1.0, 0.9, 0.0], 400), (SUN, [1.0, 0.0, 1.3], 400)]);
    assert_eq!(paid(&split)[..2], [0.0, 0.0]);
}

/// Number 16.
#[test]
fn failing_is_not_free() {
    let round = [(ANSWER, NEAR, 400), (SUN, [1.0, 0.3, 0.1], 500)];
    let counted = |version, answers: &[_]| {
        let found = evaluated(version, answers);
        let failed = found.scores.last().unwrap().clone();
        assert_eq!((failed.reason, failed.score), (Some(ZeroReason::TimedOut), 0.0));
        failed.counted
    };
    assert!(!counted("1.2.8", &round));
    assert!(counted("assay-1", &round));
    assert!(!counted("assay-1", &[]), "where nobody answered, the validator may have been cut off");
}

fn metagraph(neurons: &[Neuron]) -> Metagraph {
    let mut metagraph = Metagraph::default();
    metagraph.observe(&Metagraph::full(BlockNumber(100), HexBytes([0; 32]), None, neurons));
    metagraph
}

const HOUR: u64 = 3_600_000_000;
const NOW: Micros = Micros(100 * HOUR);

fn state(hours_ago: &[(u64, f64)], seen: u64) -> MinerState {
    MinerState {
        last_seen: Some(Micros(NOW.0 - seen * HOUR)),
        drawn: hours_ago.len() as u64,
        average: None,
        window: hours_ago.iter().map(|(ago, score)| (Micros(NOW.0 - ago * HOUR), *score)).collect(),
    }
}

/// Weights by uid.
fn weights(version: &str, blocks: u64, miners: &BTreeMap<Hotkey, MinerState>, sybil: &[(u8, f64)]) -> Derivation {
    let mut metagraph = metagraph(&(0..5).map(|n| neuron(n, 90)).collect::<Vec<_>>());
    let neurons: Vec<Neuron> = metagraph.neurons().cloned().collect();
    metagraph.observe(&Metagraph::full(BlockNumber(90 + blocks), HexBytes([0; 32]), None, &neurons));
    let sybil = sybil.iter().map(|(n, score)| (hotkey(*n), *score)).collect();
    let external = ExternalScores { sybil, ..ExternalScores::default() };
    loosh(version).derive(&EpochFacts {
        now: NOW,
        own: hotkey(0),
        metagraph: &metagraph,
        miners,
        external: Some(&external),
        statistics: &[],
    })
}

fn of_uid(derivation: &Derivation, uid: u16) -> u16 {
    derivation.weights.iter().find(|weight| weight.uid == Uid(uid)).map_or(0, |weight| weight.weight)
}

/// Number 15.
#[test]
fn a_ping_alone_keeps_no_weight() {
    let miners: BTreeMap<Hotkey, MinerState> = [
        (hotkey(1), state(&[(2, 0.5)], 0)),
        // Pings, but failed whenever it was asked since its last answer.
        (hotkey(2), state(&[(5, 0.5), (4, 0.0)], 0)),
        // Was not asked lately: no fault of its own.
        (hotkey(3), state(&[(20, 0.5)], 0)),
    ]
    .into();
    let theirs = weights("1.2.8", 10, &miners, &[]);
    assert!(of_uid(&theirs, 2) > 40_000 && of_uid(&theirs, 3) == 65_535);
    let ours = weights("assay-1", 10, &miners, &[]);
    assert_eq!((of_uid(&ours, 1), of_uid(&ours, 2), of_uid(&ours, 3)), (65_535, 0, 65_535));
    assert!(ours.zeros.iter().any(|zero| zero.uid == Uid(2) && zero.reason == ZeroReason::Stale));
}

/// Number 8.
#[test]
fn an_owner_earns_once() {
    let round = |version: &str, shared: bool| {
        let rules = loosh(version);
        let answers =
            [(ANSWER, NEAR, 400), (SUN, NEAR, 400), (WIND, NEAR, 400), ("Tides need no wind at all.", NEAR, 400)];
        let mut facts = facts(&rules, &answers);
        if shared {
            // The first two by address, the second and third by coldkey.
            facts.responses[1].miner.ip = facts.responses[0].miner.ip.clone();
            facts.responses[2].miner.coldkey = facts.responses[1].miner.coldkey;
        }
        rules.evaluate(&facts).unwrap()
    };
    let (alone, together) = (paid(&round("1.2.8", false)), paid(&round("1.2.8", true)));
    assert!(together[..3].iter().sum::<f64>() > 0.9 * alone[..3].iter().sum::<f64>(), "{alone:?} {together:?}");
    let reported: Vec<f64> =
        round("1.2.8", true).scores[..4].iter().map(|s| value(&s.components, "entity_weight")).collect();
    assert_eq!(reported, [0.5, 0.5, 1.0, 1.0]);
    let (alone, together) = (paid(&round("assay-1", false)), paid(&round("assay-1", true)));
    assert!(together[..3].iter().sum::<f64>() < 0.4 * alone[..3].iter().sum::<f64>(), "{alone:?} {together:?}");
    assert!(together[..3].iter().all(|emission| *emission > 0.0));
    assert!(together[3] >= alone[3], "nobody else pays for it");
}

/// Number 23: an owner is who the chain says that it is, by an address that anybody can announce and a coldkey that anybody can
/// make. Kept under every rule set with caps, because the chain knows no more of a miner: hotkeys that announce nothing in common
/// are strangers, and a stranger who announces a miner's address shares its vote.
#[test]
fn owners_are_told_by_what_they_announce() {
    let answers = [(ANSWER, NEAR, 400), (SUN, NEAR, 400), (WIND, NEAR, 400)];
    let votes = |version: &str, same_address: &[usize], same_coldkey: &[usize]| {
        let rules = loosh(version);
        let mut facts = facts(&rules, &answers);
        let first = facts.responses[0].miner.clone();
        same_address.iter().for_each(|at| facts.responses[*at].miner.ip.clone_from(&first.ip));
        same_coldkey.iter().for_each(|at| facts.responses[*at].miner.coldkey = first.coldkey);
        let found = rules.evaluate(&facts).unwrap();
        found.scores[..3].iter().map(|score| value(&score.components, "entity_weight")).collect::<Vec<_>>()
    };
    for version in ["1.2.8", "assay-1"] {
        assert_eq!(votes(version, &[], &[1]), [0.5, 0.5, 1.0], "{version}: an owner who hides nothing shares a vote");
        assert_eq!(votes(version, &[], &[]), [1.0; 3], "{version}: one who spreads out has a vote for each");
        assert_eq!(
            votes(version, &[2], &[]),
            [0.5, 1.0, 0.5],
            "{version}: a stranger takes half of a vote by an address"
        );
    }
    let capped = |version: &str| loosh(version).constants().entity_caps.is_some();
    assert_eq!(VERSIONS.map(capped), [false, true, true], "the document's rules cap nobody's votes");
}

/// Near copies: one word more is no other answer.
#[test]
fn a_word_more_is_still_a_copy() {
    let more = "Tides rise because the mighty Moon pulls. Coasts shape how far they go.";
    let round = [(ANSWER, NEAR, 400), (more, NEAR, 400), (SUN, NEAR, 400)];
    let theirs = evaluated("1.2.8", &round);
    assert_eq!(value(&theirs.scores[1].components, "alike_answers"), 2.0, "reported");
    assert!(paid(&theirs)[..2].iter().sum::<f64>() > 1.8 * paid(&theirs)[2]);
    let ours = evaluated("assay-1", &round);
    let copies: Vec<f64> = ours.scores[..3].iter().map(|score| value(&score.components, "copies")).collect();
    assert_eq!(copies, [2.0, 2.0, 1.0]);
    let apart = evaluated("assay-1", &[(ANSWER, NEAR, 400), (WIND, NEAR, 400), (SUN, NEAR, 400)]);
    let share = paid(&ours)[..2].iter().sum::<f64>() / paid(&apart)[..2].iter().sum::<f64>();
    assert!(share < 0.65, "{share}");
}

/// Number 4.
#[test]
fn quality_does_not_saturate() {
    let highest = |version: &str| {
        let weights = loosh(version).constants().quality.clone().unwrap().weights;
        math::sum(&[
            weights.relevance,
            weights.coherence,
            weights.coverage,
            weights.complexity,
            weights.density,
            weights.specificity,
        ])
    };
    assert!((highest("1.2.8") - 1.4).abs() < 1e-12);
    assert!((highest("assay-1") - 1.0).abs() < 1e-12);
    let long = "Tides rise twice a day because 2 bulges follow the Moon; coastal geography, notably Fundy, matters. \
                However, friction delays 3 harbours, for example Bristol, since its funnel narrows. So tables differ.";
    let qualities = |version| {
        let found = evaluated(version, &[(long, NEAR, 400), (SUN, NEAR, 400), (ANSWER, NEAR, 400)]);
        found.scores[..3].iter().map(|score| value(&score.components, "quality")).collect::<Vec<_>>()
    };
    let (theirs, ours) = (qualities("1.2.8"), qualities("assay-1"));
    assert_eq!(theirs, [1.0; 3], "upstream cannot tell them apart");
    assert!(ours[0] > ours[2] && ours[2] > ours[1], "{ours:?}");
    assert!(ours.iter().all(|quality| (0.25..1.0).contains(quality)), "{ours:?}");
}

/// Number 7: the lead's bonus reaches its range, and emissions follow quality.
#[test]
fn the_best_answer_and_good_answers_earn_more() {
    let factor = |version: &str, lead: f64| {
        crate::loosh::emissions::best(&[0.5 + lead, 0.5], &loosh(version).constants().emissions).factor
    };
    assert!(factor("1.2.8", 0.5) < 1.03, "scores lie within about 1, so that the bonus is out of reach");
    assert!(factor("assay-1", 0.1) > 1.35 && factor("assay-1", 0.5) <= 1.5);
    let round =
        [(ANSWER, NEAR, 400), ("Tides do rise and then they fall again each day.", NEAR, 400), (SUN, NEAR, 400)];
    let found = evaluated("1.2.8", &round);
    let part = |found: &Evaluation, at: usize, name: &str| value(&found.scores[at].components, name);
    let plain = |found: &Evaluation, at: usize| {
        let best = found.scores[at].components.iter().find(|c| c.name == "best_factor").map_or(1.0, |c| c.value);
        paid(found)[at] / best
    };
    assert!((plain(&found, 0) - plain(&found, 1)).abs() < 1e-12, "the same whatever the quality");
    let found = evaluated("assay-1", &round);
    assert_ne!(part(&found, 0, "quality"), part(&found, 1, "quality"));
    let ratio = part(&found, 0, "quality") / part(&found, 1, "quality");
    assert!((plain(&found, 0) / plain(&found, 1) - ratio).abs() < 1e-12);
}

/// Number 2: documented for answers outside of the consensus, coded for those inside. Our own rules keep the code's side,
/// because whoever is outside is not paid.
#[test]
fn diversity_is_for_members() {
    for version in ["1.2.8", "assay-1"] {
        let round =
            [(ANSWER, NEAR, 400), (SUN, [1.0, 0.5, 0.1], 400), (WIND, [1.0, 0.3, 0.3], 400), (SPAM, OFF_TOPIC, 1)];
        let found = evaluated(version, &round);
        let diversity: Vec<f64> = found.scores[..4].iter().map(|s| value(&s.components, "diversity")).collect();
        assert!(diversity[..3].iter().all(|bonus| *bonus > 0.0) && diversity[3] == 0.0, "{version} {diversity:?}");
        assert_eq!(paid(&found)[3] > 0.0, version == "1.2.8");
    }
}

/// Number 17: 2 % were announced, 20 % stay.
#[test]
fn a_certain_sybil_keeps_what_was_announced() {
    let miners: BTreeMap<Hotkey, MinerState> = [1, 2].map(|n| (hotkey(n), state(&[(1, 0.5)], 0))).into();
    let kept = |version| f64::from(of_uid(&weights(version, 10, &miners, &[(2, 1.0)]), 2)) / 65_535.0;
    assert!((kept("1.2.8") - 0.2).abs() < 1e-4);
    assert!((kept("assay-1") - 0.02).abs() < 1e-4);
}

/// Number 19: an emergency opens the freshness gate, but what is older than a day is forgotten all the same, whatever the
/// document says. Our own rules keep that: old scores are no work, and the mode is recorded.
#[test]
fn an_emergency_remembers_no_more_than_a_day() {
    let miners: BTreeMap<Hotkey, MinerState> =
        [(hotkey(1), state(&[(23, 0.5)], 23)), (hotkey(2), state(&[(25, 0.5)], 0))].into();
    for version in ["1.2.8", "assay-1"] {
        let normal = weights(version, 10, &miners, &[]);
        assert_eq!((normal.mode, normal.skip), (WeightMode::Normal, Some(SkipReason::NoScores)));
        let late = weights(version, 4500, &miners, &[]);
        assert_eq!((late.mode, of_uid(&late, 1), of_uid(&late, 2)), (WeightMode::Emergency, 65_535, 0));
    }
}

/// Vectors that are no numbers: an evaluation of upstream's ends with an exception for everybody.
#[test]
fn broken_vectors_cost_their_own_answer_alone() {
    for number in [f64::NAN, f64::INFINITY] {
        for at_part in [false, true] {
            let broken = |version: &str| {
                let rules = loosh(version);
                let mut facts = facts(&rules, &[(ANSWER, NEAR, 400), (SUN, NEAR, 400), (WIND, NEAR, 1)]);
                let vectors = facts.vectors.get_mut(&(TextRole::Answer, facts.responses[2].text_hash)).unwrap();
                let vectors = Arc::make_mut(vectors);
                if at_part {
                    vectors.parts[0][1] = number
                } else {
                    vectors.document[1] = number
                }
                rules.evaluate(&facts)
            };
            for version in ["readme", "1.2.8"] {
                assert!(matches!(broken(version), Err(EvaluationError::MalformedVectors { .. })));
            }
            let ours = broken("assay-1").unwrap();
            assert_eq!(reasons(&ours)[..3], [None, None, Some(ZeroReason::InvalidAnswer)]);
            assert!(ours.scores[2].counted && paid(&ours)[2] == 0.0);
            assert_eq!(value(&ours.round.components, "broken_answers"), 1.0);
            let without = evaluated("assay-1", &[(ANSWER, NEAR, 400), (SUN, NEAR, 400)]);
            assert_eq!(paid(&ours)[..2], paid(&without)[..2], "as if it had not answered");
        }
    }
}

/// Who takes over a slot inherits nothing, under any rule set: everything is kept by hotkey.
#[test]
fn a_slot_passes_on_without_its_earnings() {
    for version in VERSIONS {
        let rules = loosh(version);
        let mut round = facts(&rules, &[(ANSWER, NEAR, 400), (SUN, NEAR, 500)]);
        // Both name the same slot: it changed hands between the draw and the answer.
        round.responses[1].miner.uid = round.responses[0].miner.uid;
        let found = rules.evaluate(&round).unwrap();
        let untouched = evaluated(version, &[(ANSWER, NEAR, 400), (SUN, NEAR, 500)]);
        assert_eq!(paid(&found), paid(&untouched));
        let names: Vec<Hotkey> = found.scores[..2].iter().map(|score| score.hotkey).collect();
        assert_eq!(names, [hotkey(1), hotkey(2)]);

        let miners: BTreeMap<Hotkey, MinerState> =
            [(hotkey(1), state(&[(1, 0.5)], 0)), (hotkey(77), state(&[(1, 0.9)], 0))].into();
        // Hotkey 77 earned at slot 2 before it lost it to hotkey 2, which has done nothing yet.
        let derived = weights(version, 10, &miners, &[]);
        assert_eq!((of_uid(&derived, 1), of_uid(&derived, 2)), (65_535, 0), "{version}");
        assert!(derived.zeros.iter().any(|zero| zero.uid == Uid(2) && zero.reason == ZeroReason::NotSampled));
        assert_eq!(derived.averages[&hotkey(77)], 0.9, "kept under its own name");
    }
}

/// 3.11: words and structure count besides vectors.
#[test]
fn pairs_that_are_alike_in_several_ways_are_reported() {
    let one =
        "The tides follow the Moon, since its pull is stronger on the near side of the Earth than on the far side.";
    let round = [(one, NEAR, 400), (one, [1.0, 0.9, 0.1], 400), (WIND, [1.0, -0.3, 0.6], 400)];
    for version in ["1.2.8", "assay-1"] {
        let found = evaluated(version, &round);
        assert_eq!(value(&found.round.components, "alike_in_several_ways"), 1.0, "{version}");
        assert!(value(&found.scores[0].components, "alike_answers") >= 1.0);
    }
    let none = evaluated("readme", &round);
    assert!(none.round.components.iter().all(|component| !component.name.starts_with("alike")));
}
