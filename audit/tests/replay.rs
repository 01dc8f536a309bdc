//! A complete history, audited from the beginning and epoch by epoch.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use audit::{ChainView, Recorded, Replay, Report, Settings, Verdict};
use domain::events::Event;
use support::seal::{Sealed, seal};
use support::{World, history, rule_set};

fn from_genesis(log: &Sealed, chain: Option<ChainView>) -> Report {
    let mut replay = Replay::new(Settings { epoch: None, chain });
    for recorded in &log.records {
        replay.push(recorded.clone());
    }
    replay.finish()
}

#[test]
fn a_complete_history_is_equal() {
    let world = history::complete();
    let log = seal(&world);
    for chain in [None, Some(log.chain.clone())] {
        let asked = chain.is_some();
        let report = from_genesis(&log, chain);
        assert_eq!(report.verdict, Verdict::Equal, "{report}");
        assert_eq!(report.counts.epochs, Some((0, 3)));
        assert_eq!((report.counts.rounds, report.counts.revisions, report.counts.erased), (5, 1, 1));
        assert_eq!(report.counts.unanswered, 0, "{report}");
        assert_eq!(report.counts.confirmed > 0, asked);
    }
}

/// The commitment stands on chain; that nothing followed is no contradiction.
#[test]
fn weights_that_were_never_revealed_are_told_and_equal() {
    let log = seal(&history::never_revealed());
    let report = from_genesis(&log, Some(log.chain.clone()));
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    assert_eq!(report.counts.unanswered, 1, "{report}");
}

/// While commitments wait the next epochs go on, and each is judged as one that stood alone.
#[test]
fn epochs_that_overlap_are_equal_and_say_which_reveal_is_due() {
    let world = history::overlapping();
    let log = seal(&world);
    let due = world.drafts.iter().rev().find_map(|draft| match &draft.event {
        Event::WeightsCommitted(committed) => Some((committed.epoch, committed.block, committed.reveal_at)),
        _ => None,
    });
    for chain in [None, Some(log.chain.clone())] {
        let asked = chain.is_some();
        let report = from_genesis(&log, chain);
        assert_eq!(report.verdict, Verdict::Equal, "{report}");
        assert_eq!((report.counts.epochs, report.counts.closed), (Some((0, 3)), 3));
        let found: Vec<_> = report.reveals_due.iter().map(|due| (due.epoch, due.committed, due.reveal_at)).collect();
        assert_eq!(found, Vec::from_iter(due), "{report}");
        let line = format!("reveal due at block {}", found[0].2);
        assert!(report.to_string().contains(&line), "{report}");
        assert_eq!(report.counts.unanswered, u64::from(asked), "{report}");
        let paid = |epoch: u64| {
            world.drafts.iter().find_map(|draft| match &draft.event {
                Event::WeightsDerived(derived) if derived.epoch == epoch => Some(derived.weights.len() as u64),
                _ => None,
            })
        };
        let expected = if asked { paid(0).unwrap() + paid(2).unwrap() } else { 0 };
        assert_eq!(report.counts.weights_confirmed, expected, "{report}");
    }
}

/// The reveal of one epoch is compared with that epoch's weights, whatever was derived since.
#[test]
fn a_reveal_is_held_against_its_own_epoch() {
    let mut world = history::overlapping();
    let revealed = world.drafts.iter().find_map(|draft| match &draft.event {
        Event::WeightsRevealed(revealed) => Some(revealed.block),
        _ => None,
    });
    world.chain.weights.get_mut(&revealed.unwrap()).unwrap()[0].1 ^= 1;
    let log = seal(&world);
    let report = from_genesis(&log, Some(log.chain.clone()));
    let found: Vec<_> = report.differences.iter().map(|difference| difference.kind.as_str()).collect();
    assert_eq!(found, ["WeightsRevealed"], "{report}");
}

/// Without the commitment the epoch before is still open.
#[test]
fn no_epoch_opens_before_the_one_before_it_is_committed_or_closed() {
    let world = history::overlapping();
    let opened = |draft: &support::Draft| matches!(&draft.event, Event::EpochOpened(opened) if opened.epoch == 2);
    let mut early = world;
    let at = early.drafts.iter().position(opened).unwrap();
    assert_eq!(early.drafts[at - 1].event.kind(), "WeightsCommitted");
    // The events change places, their envelopes stay.
    let (before, after) = early.drafts.split_at_mut(at);
    let (committed, opened) = (&mut before[at - 1], &mut after[0]);
    std::mem::swap(&mut committed.event, &mut opened.event);
    std::mem::swap(&mut committed.stream_id, &mut opened.stream_id);
    let report = from_genesis(&seal(&early), None);
    assert_eq!(report.verdict, Verdict::Differs, "{report}");
    let first = &report.differences[0];
    assert_eq!((first.kind.as_str(), first.recomputed.as_str()), ("EpochOpened", "an epoch before is still open"));
}

/// A validator that commits for ever and has nothing revealed is told to have gone too far.
#[test]
fn more_commitments_wait_than_a_chain_can_hold() {
    let mut world = World::new(6, rule_set("readme", 3, history::DIMENSIONS), history::DIMENSIONS);
    world.open();
    world.sweep(&[]);
    world.accept("c1", history::question("Why is the sky blue? What scatters light?"));
    world.round("c1", 1, &["First.", "Second.", "Third."].map(history::text));
    for _ in 0..domain::epoch::MOST_AWAITING_REVEAL {
        world.commit_epoch(100_000);
    }
    assert_eq!(from_genesis(&seal(&world), None).verdict, Verdict::Equal);
    world.commit_epoch(100_000);
    let report = from_genesis(&seal(&world), None);
    assert_eq!(report.differences.len(), 1, "{report}");
    assert_eq!((report.differences[0].kind.as_str(), report.differences[0].recorded.as_str()), ("EpochOpened", "101"));
}

#[test]
fn every_kind_occurs() {
    let world = history::complete();
    let kinds: std::collections::BTreeSet<&str> = world.drafts.iter().map(|draft| draft.event.kind()).collect();
    for kind in Event::KINDS {
        assert!(kinds.contains(kind), "{kind} does not occur");
    }
}

/// What the audit cannot know it says, and never "equal".
#[test]
fn what_cannot_be_told_is_said() {
    let world = history::complete();
    let log = seal(&world);
    let told = |change: &dyn Fn(&mut Vec<Recorded>)| {
        let mut records = log.records.clone();
        change(&mut records);
        let mut replay = Replay::new(Settings::default());
        for recorded in &records {
            replay.push(recorded.clone());
        }
        replay.finish()
    };
    let last = |kind: &str| log.records.iter().rposition(|recorded| recorded.kind == kind).unwrap();
    let first = |kind: &str| log.records.iter().position(|recorded| recorded.kind == kind).unwrap();
    let relabel = |recorded: &mut Recorded, kind: &str, version| {
        recorded.kind = kind.to_owned();
        recorded.version = version;
        recorded.leaf_hash = recorded.leaf().hash().unwrap();
    };

    // An event of a later program, after the last checkpoint.
    let at = last("EpochOpened");
    let report = told(&|records| relabel(&mut records[at], "WitnessHeard", 1));
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::CannotTell, 2), "{report}");
    assert!(report.doubts[0].reason.contains("WitnessHeard"), "{report}");
    // An erased payload that a score needs.
    let at = first("EmbeddingComputed");
    let report = told(&|records| (records[at].salt, records[at].payload) = (None, None));
    assert_eq!(report.verdict, Verdict::CannotTell, "{report}");
    // Nothing derived.
    let report = told(&|records| records.truncate(first("WeightsDerived")));
    assert_eq!(report.verdict, Verdict::CannotTell, "{report}");
    assert_eq!(report.counts.weights, 0);
    // A beginning in the middle without what leads up to it.
    let report = told(&|records| drop(records.drain(..40)));
    assert_ne!(report.verdict, Verdict::Equal, "{report}");
    // A gap.
    let report = told(&|records| drop(records.remove(30)));
    assert_eq!(report.verdict, Verdict::Differs);
    assert_eq!(report.differences[0].field, "<position>");
}

/// An event that was moved, or a column that was changed, with its leaf made consistent.
#[test]
fn columns_are_checked() {
    let log = seal(&history::complete());
    let at = log.records.iter().position(|recorded| recorded.kind == "ResponseReceived").unwrap();
    type Change = fn(&mut Recorded);
    let rows: [(&str, Change); 6] = [
        ("<recorded_at>", |recorded| recorded.recorded_at -= 10_000_000),
        ("<sequence>", |recorded| recorded.sequence += 1),
        ("<cause>", |recorded| recorded.cause = recorded.position + 1),
        ("<stream_type>", |recorded| recorded.stream_type = "epoch".into()),
        ("<payload_length>", |recorded| recorded.payload_length += 1),
        ("<commitment>", |recorded| recorded.commitment[0] ^= 1),
    ];
    for (field, change) in rows {
        let mut records = log.records.clone();
        change(&mut records[at]);
        records[at].leaf_hash = records[at].leaf().hash().unwrap();
        let mut replay = Replay::new(Settings::default());
        for recorded in &records {
            replay.push(recorded.clone());
        }
        let report = replay.finish();
        let named = |difference: &audit::Difference| difference.position == at as u64 && difference.field == field;
        assert!(report.differences.iter().any(named), "{field}: {report}");
    }
}

/// What an operator may erase of rounds and epochs, on a person's request or by mistake: the audit cannot tell then, or
/// needs it for nothing, and never says "differs".
#[test]
fn an_erased_payload_is_no_difference() {
    let mut wrong = Vec::new();
    let kept = domain::events::NEVER_ERASED;
    for kind in Event::KINDS.iter().filter(|kind| !kept.contains(kind)) {
        let world = history::complete();
        let drafts = world.drafts.iter().enumerate();
        let of_kind = drafts.filter(|(_, draft)| draft.event.kind() == *kind && !draft.erased);
        let places: Vec<usize> = of_kind.map(|(at, _)| at).collect();
        for at in [places[0], places[places.len() / 2], places[places.len() - 1]] {
            let mut world = history::complete();
            world.drafts[at].erased = true;
            let position = domain::types::Position(at as u64);
            world.push(domain::events::PayloadErased { position, reason: "request of a person".into() });
            let report = from_genesis(&seal(&world), None);
            if report.verdict == Verdict::Differs {
                wrong.push(format!("{kind} at {at}: {:?}", report.differences));
            }
            assert_eq!(report.counts.erased, 2, "{kind} at {at}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where nothing was submitted, the outcome is that of the reason, and one that the log can show is false is found.
#[test]
fn the_outcome_of_an_epoch_cannot_be_relabelled() {
    use domain::events::{EpochOutcome, Event};
    let world = history::unsent(true);
    let report = from_genesis(&seal(&world), None);
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    let closings: Vec<usize> =
        (0..world.drafts.len()).filter(|at| matches!(world.drafts[*at].event, Event::EpochClosed(_))).collect();
    assert_eq!(closings.len(), 4);
    for at in closings {
        for outcome in [EpochOutcome::Included, EpochOutcome::Skipped, EpochOutcome::Failed] {
            let mut world = history::unsent(true);
            let Event::EpochClosed(closed) = &mut world.drafts[at].event else { unreachable!() };
            if closed.outcome == outcome {
                continue;
            }
            closed.outcome = outcome;
            let report = from_genesis(&seal(&world), None);
            let named = report.differences.iter().any(|found| {
                found.position == at as u64 && (found.kind.as_str(), found.field.as_str()) == ("EpochClosed", "outcome")
            });
            assert!(named, "{outcome:?} at {at}: {report}");
        }
    }
    let report = from_genesis(&seal(&history::unsent(false)), None);
    let named = report.differences.iter().any(|found| found.kind == "EpochClosed" && found.field == "reason");
    assert!(report.verdict == Verdict::Differs && named, "the hotkey holds its slot: {report}");
}
