//! The fold as data rows: which challenge waits, runs, or has ended.
#![allow(clippy::unwrap_used)]

use domain::events::{
    AbandonReason, AvailabilitySwept, ChallengeAccepted, EpochClosed, EpochOpened, EpochOutcome, LabelRevealed,
    MinersSelected, RoundAbandoned, RoundEvaluated, ValidatorPaused, ValidatorResumed, WeightsCommitted,
    WeightsDerived, WeightsRevealed,
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
