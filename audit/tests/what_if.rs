//! The same facts under other rules: what is compared is right, and what cannot be compared is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod support;

use audit::what_if::WhatIf;
use audit::{Recorded, Replay, Settings, Verdict};
use domain::events::{Event, FailureReason};
use domain::loosh::constants::Constants;
use domain::mechanism;
use domain::round;
use domain::ruleset::{Body, RuleSet};
use support::seal::{Sealed, seal};
use support::{Answer, World, history, rule_set, subnets};

fn finish(replay: Replay, records: &[Recorded]) -> WhatIf {
    let mut replay = replay;
    for recorded in records {
        replay.push(recorded.clone());
    }
    let (report, what_if) = replay.finish_what_if();
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    what_if
}

fn under(log: &Sealed, rules: &RuleSet) -> WhatIf {
    finish(Replay::new(Settings::default()).under(mechanism::open(rules).unwrap()), &log.records)
}

/// The second epoch alone, with what it relies on from before it.
fn second_epoch_under(log: &Sealed, rules: &RuleSet) -> WhatIf {
    let mut replay = Replay::new(Settings { epoch: Some(1), chain: None }).under(mechanism::open(rules).unwrap());
    let derived = log.records.iter().find(|recorded| recorded.kind == "WeightsDerived").unwrap();
    let Some(Event::WeightsDerived(previous)) = derived.event().unwrap() else { panic!("a derivation") };
    let (before, range) = log.records.split_at(previous.to.0 as usize + 1);
    let labelled: Vec<String> =
        range.iter().filter(|r| r.kind == "LabelRevealed").map(|r| r.stream_id.clone()).collect();
    let ledger = ["LedgerOpened", "RuleSetAdopted", "MetagraphObserved", "AvailabilitySwept"];
    let of_label = |recorded: &&Recorded| {
        let scored = matches!(recorded.kind.as_str(), "ResponseScored" | "RoundEvaluated");
        scored && recorded.stream_type == round::STREAM_TYPE && labelled.contains(&recorded.stream_id)
    };
    for recorded in before.iter().filter(|recorded| ledger.contains(&recorded.kind.as_str()) || of_label(recorded)) {
        replay.antecedent(recorded);
    }
    replay.previous(derived);
    replay.frontier(log.frontier_at(before.len() as u64));
    finish(replay, range)
}

fn shipped(algorithm: &str) -> Vec<RuleSet> {
    mechanism::shipped().into_iter().filter(|rules| rules.algorithm() == algorithm).collect()
}

fn named(name: &str) -> RuleSet {
    mechanism::shipped_by_name(name).unwrap()
}

/// Every standing is the decided one, with figures of no change wherever anybody is paid.
fn unchanged(name: &str, what_if: &WhatIf) {
    let counts = (what_if.scores_changed, what_if.rounds_not_evaluated, what_if.rounds_given_up);
    assert_eq!(counts, (0, 0, 0), "{name}: {what_if:?}");
    assert_eq!((what_if.verdicts_recomputed, what_if.verdicts_of_other_requests), (0, 0), "{name}");
    assert!(what_if.compared() && what_if.scores_same > 0 && !what_if.epochs.is_empty(), "{name}: {what_if:?}");
    for epoch in &what_if.epochs {
        for miner in &epoch.miners {
            assert_eq!(miner.rank, miner.rank_after, "{name}: {miner:?}");
            assert_eq!(miner.average.map(f64::to_bits), miner.average_after.map(f64::to_bits), "{name}: {miner:?}");
            assert_eq!(miner.weight, miner.weight_after, "{name}: {miner:?}");
        }
        let pays = epoch.miners.iter().any(|miner| miner.weight > 0);
        assert_eq!(epoch.weight_moved, pays.then_some(0.0), "{name}");
        assert_eq!(epoch.kendall_tau, (pays && epoch.miners.len() > 1).then_some(1.0), "{name}");
    }
}

/// Also where labels come in a later epoch than their rounds, and where that epoch is replayed alone.
#[test]
fn the_rules_in_force_change_nothing() {
    let (mut waited, mut paid) = (0, std::collections::BTreeSet::new());
    for rules in mechanism::shipped() {
        let name = rules.name();
        let world = subnets::complete(rules.clone());
        let log = seal(&world);
        let all = under(&log, &rules);
        unchanged(&name, &all);
        assert_eq!(all.epochs.len(), 2, "{name}");
        let last = second_epoch_under(&log, &rules);
        unchanged(&name, &last);
        assert_eq!(last.epochs, all.epochs[1..], "{name}");
        if last.epochs[0].weight_moved.is_some() {
            paid.insert(rules.algorithm().to_owned());
        }
        if world.mechanism.awaits_labels() {
            waited += 1;
            // Of five rounds two have no label yet.
            assert_eq!((all.rounds, all.rounds_waiting), (3, 3), "{name}: {all:?}");
        }
    }
    assert!(waited >= 3, "{waited}");
    // Some rule sets pay nobody after so few rounds; of each subnet one pays.
    assert!(paid.iter().eq(subnets::ALL), "{paid:?}");
}

/// Between any two rule sets of a subnet each round is compared, waits, or is counted with its reason.
#[test]
fn no_round_is_lost_under_other_rules() {
    for algorithm in subnets::ALL {
        for in_force in shipped(algorithm) {
            let world = subnets::complete(in_force.clone());
            let log = seal(&world);
            let evaluated = |draft: &&support::Draft| {
                matches!(draft.event, Event::RoundEvaluated(_)) && draft.stream_type == round::STREAM_TYPE
            };
            let rounds = world.drafts.iter().filter(evaluated).count() as u64;
            for other in shipped(algorithm) {
                let what_if = under(&log, &other);
                let name = format!("{} -> {}", in_force.name(), other.name());
                println!(
                    "{name}: {} rounds, {} waiting, {} not evaluated {:?}, {} given up {:?}, {} recomputed, {} of other requests; {:?}",
                    what_if.rounds,
                    what_if.rounds_waiting,
                    what_if.rounds_not_evaluated,
                    what_if.reasons.first(),
                    what_if.rounds_given_up,
                    what_if.given_up.first(),
                    what_if.verdicts_recomputed,
                    what_if.verdicts_of_other_requests,
                    what_if.epochs.iter().map(|epoch| (epoch.kendall_tau, epoch.weight_moved)).collect::<Vec<_>>()
                );
                let told = what_if.rounds + what_if.rounds_waiting + what_if.rounds_not_evaluated;
                assert_eq!(told, rounds, "{name}: {what_if:?}");
                assert_eq!(what_if.rounds_not_evaluated > 0, !what_if.reasons.is_empty(), "{name}");
                assert_eq!(what_if.rounds_given_up > 0, !what_if.given_up.is_empty(), "{name}");
                for epoch in what_if.epochs.iter().filter(|epoch| epoch.rounds_not_evaluated > 0) {
                    assert_eq!((epoch.kendall_tau, epoch.weight_moved), (None, None), "{name}");
                }
            }
        }
    }
}

/// Verdicts that no model made are made in the form that the other rules ask for: nobody loses for the form of the record.
#[test]
fn verdicts_without_a_model_are_made_once_more() {
    let log = seal(&subnets::complete(named("cgp/2.30.65")));
    let what_if = under(&log, &named("cgp/assay-1"));
    assert_eq!((what_if.rounds, what_if.rounds_not_evaluated, what_if.rounds_given_up), (4, 0, 0), "{what_if:?}");
    // Of each round the truth and four answers.
    assert_eq!((what_if.verdicts_recomputed, what_if.verdicts_of_other_requests), (20, 0));
    assert!(what_if.scores_same > 0 && what_if.epochs.iter().all(|epoch| epoch.weight_moved.is_some()), "{what_if:?}");
}

/// The same verdicts, said to be a model's, are none that these rules asked for: what they cannot read is no score.
#[test]
fn replies_of_a_model_to_other_words_are_no_zeros() {
    let mut world = World::new(6, named("cgp/2.30.65"), 384);
    world.model = "openai/some-model".to_owned();
    let log = seal(&subnets::played(world));
    unchanged("by a model", &under(&log, &named("cgp/2.30.65")));
    let what_if = under(&log, &named("cgp/assay-1"));
    assert!(!what_if.compared(), "{what_if:?}");
    assert_eq!((what_if.rounds_not_evaluated, what_if.verdicts_recomputed), (4, 0));
    assert!(what_if.reasons[0].contains("in other words than these rules have"), "{:?}", what_if.reasons);
    assert!(what_if.epochs.iter().all(|epoch| epoch.weight_moved.is_none() && epoch.kendall_tau.is_none()));
}

/// What nobody recorded is named, and nothing is said of rankings and weights.
#[test]
fn missing_vectors_are_named() {
    let log = seal(&subnets::complete(named("cgp/readme")));
    let what_if = under(&log, &named("cgp/2.30.65"));
    assert!(!what_if.compared(), "{what_if:?}");
    assert_eq!((what_if.scores_changed, what_if.scores_same, what_if.rounds_not_evaluated), (0, 0, 4));
    let reason = &what_if.reasons[0];
    assert!(reason.contains("not recorded: vectors of the prompt's text") && reason.contains("basil"), "{reason}");
}

/// Where only one of two rule sets waits for labels.
#[test]
fn labels_that_one_side_awaits() {
    let log = seal(&subnets::complete(named("conversion/readme")));
    let what_if = under(&log, &named("conversion/0.1.0"));
    assert_eq!((what_if.rounds, what_if.rounds_waiting, what_if.rounds_not_evaluated), (3, 3, 0), "{what_if:?}");
    assert!(what_if.scores_changed > 0, "{what_if:?}");
    let epoch = &what_if.epochs[0];
    assert!(epoch.weight_moved.is_some_and(|moved| moved > 0.0), "{epoch:?}");
    // The second epoch alone: what the other rules would have taken of the answers is not at hand.
    let last = second_epoch_under(&log, &named("conversion/0.1.0"));
    assert_eq!(last.rounds_not_evaluated, 2, "{last:?}");
    assert!(last.reasons[0].contains("without --epoch"), "{:?}", last.reasons);
    assert_eq!(last.epochs[0].weight_moved, None);
    // The other way round there is no label.
    let log = seal(&subnets::complete(named("conversion/0.1.0")));
    let what_if = under(&log, &named("conversion/readme"));
    assert!(!what_if.compared(), "{what_if:?}");
    assert!(what_if.reasons[0].contains("none is recorded"), "{:?}", what_if.reasons);
}

/// The same facts under the rule set in force give the same; under another one scores move.
#[test]
fn what_if_is_the_decision_under_the_same_rules() {
    let mut world = World::new(6, rule_set("1.2.8", 4, 8), 8);
    world.open();
    world.sweep(&[]);
    for (round, prompt) in ["Why is the sky blue? What bends light?", "What melts ice?"].iter().enumerate() {
        let id = format!("w{round}");
        world.accept(&id, history::question(prompt));
        let text = |n: usize| Answer::Text(format!("Answer {n} says why. Light bends in the air. Ice melts in salt."));
        world.round(&id, 1, &[text(1), text(2), Answer::Fails(FailureReason::Refused), text(3)]);
    }
    world.finish_epoch();
    let log = seal(&world);
    let what_if = |rules: &RuleSet| {
        let mut replay = Replay::new(Settings::default()).under(mechanism::open(rules).unwrap());
        for recorded in &log.records {
            replay.push(recorded.clone());
        }
        let (report, what_if) = replay.finish_what_if();
        assert_eq!(report.verdict, Verdict::Equal, "{report}");
        what_if
    };
    let same = what_if(&world.rules);
    assert_eq!((same.rounds, same.scores_changed, same.scores_same, same.epochs.len()), (2, 0, 8, 1));
    for miner in &same.epochs[0].miners {
        assert_eq!(
            (miner.rank, miner.weight, miner.average),
            (miner.rank_after, miner.weight_after, miner.average_after)
        );
    }
    let mut constants = Constants::v1_2_8();
    constants.emissions.member_factor = 3.0;
    constants.models.iter_mut().for_each(|model| model.dimensions = 8);
    let body = Body { algorithm: "loosh".to_owned(), version: "other".to_owned(), constants };
    let other = what_if(&RuleSet::from_body(&body).unwrap());
    assert_eq!((other.rule_set.as_str(), other.rounds), ("loosh/other", 2));
    assert!(other.scores_changed > 0 && other.scores_changed + other.scores_same == 8);
    // A rule set that does not take the model of the evidence.
    let refused = what_if(&rule_set("1.2.8", 4, 16));
    assert_eq!((refused.rounds, refused.rounds_not_evaluated), (0, 2));
    assert!(refused.reasons[0].contains("is not accepted"), "{:?}", refused.reasons);
}
