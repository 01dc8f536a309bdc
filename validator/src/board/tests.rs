//! The fold as data rows: which challenge waits, runs, or has ended.
#![allow(clippy::unwrap_used)]

use domain::events::{
    AbandonReason, AvailabilitySwept, ChallengeAccepted, EpochClosed, EpochOpened, EpochOutcome, LabelRevealed,
    MinersSelected, RoundAbandoned, RoundEvaluated, RuleSetAdopted, ValidatorPaused, ValidatorResumed,
    WeightsCommitted, WeightsDerived, WeightsRevealed,
};
use domain::types::{Block, BlockNumber, HexBytes};

use super::*;
use crate::tests_support::challenge;

fn accepted(id: &str) -> Event {
    let zero = HexBytes([0; 32]);
    let challenge = challenge(id, "?");
    ChallengeAccepted { block: BlockNumber(1), block_hash: zero, commitment: zero, challenge }.into()
}

fn drawn(accepted: u64, id: &str, attempt: u32) -> Event {
    MinersSelected {
        challenge_id: id.to_owned(),
        attempt,
        accepted: Position(accepted),
        metagraph: Position(0),
        sweep: Position(0),
        external_scores: None,
        rule_set: HexBytes([0; 32]),
        seed: HexBytes([0; 32]),
        limit: 7,
        candidates: Vec::new(),
        excluded: Vec::new(),
        drawn: Vec::new(),
    }
    .into()
}

fn abandoned(id: &str, attempt: u32, last: bool) -> Event {
    let (challenge_id, detail) = (id.to_owned(), String::new());
    RoundAbandoned { challenge_id, attempt, reason: AbandonReason::Restart, last, detail }.into()
}

fn evaluated(id: &str, attempt: u32) -> Event {
    RoundEvaluated {
        challenge_id: id.to_owned(),
        attempt,
        rule_set: HexBytes([0; 32]),
        consensus: 0.0,
        consensus_achieved: false,
        best: None,
        components: Vec::new(),
        labels: Vec::new(),
        label: None,
        statistics: Vec::new(),
        similarity: Block::default(),
    }
    .into()
}

#[test]
fn the_queue_is_accepted_and_not_ended() {
    let mut fold = Fold::default();
    // Event, then how many wait and how many are under way.
    let rows = [
        (accepted("a"), 1, 0),
        (accepted("b"), 2, 0),
        (drawn(0, "a", 1), 1, 1),
        (abandoned("a", 1, false), 2, 0),
        (drawn(0, "a", 2), 1, 1),
        (drawn(1, "b", 1), 0, 2),
        (evaluated("b", 1), 0, 1),
        (abandoned("a", 2, true), 0, 0),
        (evaluated("unknown", 1), 0, 0),
    ];
    for (position, (event, queued, active)) in rows.into_iter().enumerate() {
        fold.apply(Position(position as u64), &event);
        assert_eq!((fold.queued(), fold.active()), (queued, active), "after {}", event.kind());
        if position == 3 {
            let (at, challenge) = fold.challenge("a").unwrap();
            assert_eq!((at, challenge.attempts, challenge.attempt_open), (Position(0), 1, false));
        }
    }
    let counters = fold.counters;
    assert_eq!((counters.accepted, counters.evaluated, counters.abandoned), (2, 2, 1));
    assert!(fold.challenge("a").is_none() && fold.open().next().is_none());
}

fn derived(revision: u16) -> Event {
    let zero = HexBytes([0; 32]);
    WeightsDerived {
        epoch: 0,
        revision,
        rule_set: zero,
        from: Position(0),
        to: Position(9),
        metagraph: Position(9),
        block: BlockNumber(1),
        external_scores: None,
        mode: domain::events::WeightMode::Normal,
        rounds: 1,
        skip: None,
        weights: Vec::new(),
        zeros: Vec::new(),
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::default(),
    }
    .into()
}

#[test]
fn a_label_is_open_until_its_scores_or_the_next_derivation() {
    let awaits = domain::events::Component { name: domain::mechanism::AWAITS_LABEL.to_owned(), value: 1.0 };
    let revealed = LabelRevealed {
        challenge_id: "a".to_owned(),
        attempt: 1,
        evaluated: Position(2),
        source: "test".to_owned(),
        label: "1".to_owned(),
    };
    let base = {
        let mut fold = Fold::default();
        let Event::RoundEvaluated(mut waits) = evaluated("a", 1) else { panic!() };
        waits.components.push(awaits);
        let events = [accepted("a"), drawn(0, "a", 1), waits.into()];
        (0..).zip(events).for_each(|(position, event)| fold.apply(Position(position), &event));
        fold
    };
    assert_eq!((base.waiting.len(), base.unscored.len()), (1, 0));
    let open = |fold: &Fold| (fold.waiting.len(), fold.unscored.len());
    let mut fold = base.clone();
    fold.apply(Position(3), &revealed.clone().into());
    assert_eq!(open(&fold), (0, 1));
    // A correction is recorded while labels come; the derivation itself waits for their scores.
    fold.apply(Position(4), &derived(1));
    assert_eq!(open(&fold), (0, 1));
    let mut refused = fold.clone();
    refused.apply(Position(5), &derived(0));
    assert_eq!(open(&refused), (0, 0));
    let Event::RoundEvaluated(scored) = evaluated("a", 1) else { panic!() };
    fold.apply(Position(5), &RoundEvaluated { label: Some(Position(3)), ..scored }.into());
    assert_eq!(open(&fold), (0, 0));
    let mut erased = base;
    erased.apply_erased(Position(9), "LabelRevealed", "a/1");
    assert_eq!(open(&erased), (0, 0));
}

#[test]
fn a_pause_lasts_until_it_is_lifted() {
    let mut fold = Fold::default();
    let by = || "test".to_owned();
    fold.apply(Position(0), &ValidatorPaused { by: by() }.into());
    fold.apply(Position(1), &AvailabilitySwept { probes: Vec::new() }.into());
    assert!(fold.paused);
    fold.apply(Position(2), &ValidatorResumed { by: by() }.into());
    assert!(!fold.paused);
}

#[test]
fn an_open_epoch_binds_its_rule_set() {
    let mut fold = Fold::default();
    assert_eq!(fold.binding_rule_set(), None);
    let rule_set = HexBytes([9; 32]);
    fold.apply(Position(4), &EpochOpened { epoch: 0, block: BlockNumber(3), chain_epoch: 0, rule_set }.into());
    assert_eq!(fold.binding_rule_set(), Some(rule_set));
}

/// What was scored after a derivation goes into the next one, under the rules that it was scored by.
#[test]
fn scored_rounds_bind_the_rule_set_in_force() {
    let (mut fold, hash) = (Fold::default(), HexBytes([7; 32]));
    let adopted = RuleSetAdopted { name: "loosh/readme".to_owned(), hash, bytes: String::new() };
    fold.apply(Position(1), &adopted.into());
    assert_eq!(fold.binding_rule_set(), None, "nothing is scored");
    fold.apply(Position(2), &accepted("a"));
    fold.apply(Position(3), &evaluated("a", 1));
    assert_eq!(fold.binding_rule_set(), Some(hash));
    fold.apply(Position(4), &opened(0));
    assert_eq!(fold.binding_rule_set(), Some(HexBytes([9; 32])), "that of the open epoch");
    fold.apply(Position(5), &derived(0));
    assert_eq!(fold.binding_rule_set(), None, "all of it is derived");
    fold.apply(Position(6), &accepted("b"));
    fold.apply(Position(7), &evaluated("b", 1));
    fold.apply(Position(8), &derived(1));
    assert_eq!(fold.binding_rule_set(), Some(hash), "a revision takes nothing in");
}

fn opened(epoch: u64) -> Event {
    EpochOpened { epoch, block: BlockNumber(3), chain_epoch: 0, rule_set: HexBytes([9; 32]) }.into()
}

fn committed(epoch: u64) -> Event {
    let zero = HexBytes([0; 32]);
    let (block, reveal_at) = (BlockNumber(10 + epoch), BlockNumber(370 + epoch));
    WeightsCommitted { epoch, extrinsic: zero, block, commitment: zero, reveal_at }.into()
}

fn closed(epoch: u64) -> Event {
    EpochClosed { epoch, outcome: EpochOutcome::Included, reason: String::new() }.into()
}

/// A commitment opens the way for the next epoch, and waits until its own has ended, in whatever order epochs end.
#[test]
fn committed_epochs_wait_beside_the_open_one() {
    let mut fold = Fold::default();
    // Event, then which epoch is open, which opens next when none is, which wait, and which event gave way.
    type Row = (Event, Option<u64>, u64, &'static [u64], Option<u64>);
    let rows: Vec<Row> = vec![
        (opened(0), Some(0), 0, &[], None),
        (committed(0), None, 1, &[0], Some(1)),
        (opened(1), Some(1), 1, &[0], Some(1)),
        (committed(1), None, 2, &[0, 1], Some(3)),
        (opened(2), Some(2), 2, &[0, 1], Some(3)),
        (closed(1), Some(2), 2, &[0], Some(3)),
        (closed(2), None, 3, &[0], Some(6)),
        (closed(0), None, 3, &[], Some(6)),
        (opened(3), Some(3), 3, &[], Some(6)),
        (closed(3), None, 4, &[], Some(9)),
    ];
    for (position, (event, open, next, waiting, gave_way)) in (0..).zip(rows) {
        fold.apply(Position(position), &event);
        assert_eq!(fold.epoch.as_ref().map(|epoch| epoch.opened.epoch), open, "{event:?}");
        assert_eq!(fold.next_epoch, next, "{event:?}");
        assert_eq!(fold.committed.keys().copied().collect::<Vec<_>>(), waiting, "{event:?}");
        assert_eq!(fold.gave_way, gave_way.map(Position), "{event:?}");
    }
    let block_hash = HexBytes([0; 32]);
    fold.apply(Position(10), &WeightsRevealed { epoch: 0, block: BlockNumber(370), block_hash }.into());
    assert_eq!(fold.revealed, Some(BlockNumber(370)));
    // An end whose payload is erased is an end all the same.
    fold.apply(Position(11), &opened(4));
    fold.apply(Position(12), &committed(4));
    fold.apply_erased(Position(13), "EpochClosed", "4");
    assert_eq!((fold.committed.len(), fold.next_epoch), (0, 5));
}

#[test]
fn every_kind_that_the_fold_asks_for_exists() {
    for kind in fold::KINDS {
        assert!(Event::KINDS.contains(kind), "{kind}");
    }
}

/// An event, the second in which it was recorded, and a figure with its value after it.
#[test]
fn figures_follow_the_log() {
    use domain::events::{
        CheckpointPublished, EpochClosed, EpochOutcome, WeightsCommitted, WeightsIncluded, WeightsRejected,
        WeightsRevealed,
    };
    let zero = HexBytes([0; 32]);
    let included = |block| WeightsIncluded { epoch: 0, extrinsic: zero, block: BlockNumber(block), block_hash: zero };
    let opened = |block| EpochOpened { epoch: 0, block: BlockNumber(block), chain_epoch: 0, rule_set: zero };
    let committed = WeightsCommitted {
        epoch: 0,
        extrinsic: zero,
        block: BlockNumber(40),
        commitment: zero,
        reveal_at: BlockNumber(50),
    };
    type Figure = fn(&figures::Figures) -> f64;
    fn number(block: Option<BlockNumber>) -> f64 {
        block.map_or(-1.0, |block| block.0 as f64)
    }
    let rows: Vec<(u64, Event, Figure, f64)> = vec![
        (1, opened(7).into(), |f| number(f.first_block), 7.0),
        (2, opened(9).into(), |f| number(f.first_block), 7.0),
        (3, drawn(0, "a", 1), |f| f.rounds_opened as f64, 1.0),
        (4, abandoned("a", 1, false), |f| f.rounds_ended["restart"] as f64, 1.0),
        (5, drawn(0, "a", 2), |f| f.rounds_opened as f64, 2.0),
        (9, evaluated("a", 2), |f| f.rounds_ended["evaluated"] as f64, 1.0),
        (9, evaluated("never drawn", 1), |f| f.round_seconds.sum(), 4.0),
        (12, included(30).into(), |f| f.weights["included"] as f64, 1.0),
        (13, committed.into(), |f| number(f.set_block), 40.0),
        (
            14,
            WeightsRevealed { epoch: 0, block: BlockNumber(39), block_hash: zero }.into(),
            |f| number(f.set_block),
            40.0,
        ),
        (
            15,
            WeightsRejected { epoch: 0, extrinsic: zero, error: "x".to_owned() }.into(),
            |f| f.weights["rejected"] as f64,
            1.0,
        ),
        (
            16,
            EpochClosed { epoch: 0, outcome: EpochOutcome::Failed, reason: "x".to_owned() }.into(),
            |f| f.epochs["failed"] as f64,
            1.0,
        ),
        (
            17,
            CheckpointPublished { size: 3, root: zero, note: String::new() }.into(),
            |f| f.checkpoint_at.map_or(-1.0, |at| at.0 as f64),
            17e6,
        ),
    ];
    let mut figures = figures::Figures::default();
    let names = figures.rounds_ended.len() + figures.responses.len() + figures.weights.len() + figures.epochs.len();
    for (at, event, figure, expected) in rows {
        figures.apply(Micros(at * 1_000_000), &event);
        assert_eq!(figure(&figures), expected, "after {} at {at}", event.kind());
    }
    // Erased: the kind and the stream are left. An end that nobody waits for is none.
    figures.apply(Micros(20_000_000), &drawn(0, "b", 1));
    figures.apply_erased(Micros(22_000_000), "RoundEvaluated", "b/1");
    figures.apply_erased(Micros(22_000_000), "RoundEvaluated", "b/1");
    assert_eq!((figures.rounds_ended["evaluated"], figures.round_seconds.sum()), (3, 6.0));
    let after = figures.rounds_ended.len() + figures.responses.len() + figures.weights.len() + figures.epochs.len();
    assert_eq!(names, after, "every outcome has a row from the start");
}
