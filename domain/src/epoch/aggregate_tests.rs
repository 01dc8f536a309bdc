#![allow(clippy::unwrap_used)]
use super::*;
use crate::events::WeightMode;
use crate::types::{Block, BlockNumber, Hotkey, Position, sha256};

const ALL: [EpochOutcome; 3] = [EpochOutcome::Included, EpochOutcome::Skipped, EpochOutcome::Failed];

fn derived(skip: Option<SkipReason>) -> Event {
    let paid = crate::events::Weight { uid: Uid(1), hotkey: Hotkey::from_public(&[1; 32]), weight: u16::MAX };
    WeightsDerived {
        epoch: 3,
        revision: 0,
        rule_set: sha256(b"rules"),
        from: Position(10),
        to: Position(20),
        metagraph: Position(20),
        block: BlockNumber(5),
        external_scores: None,
        mode: WeightMode::Normal,
        rounds: 1,
        skip,
        weights: if skip.is_some() { Vec::new() } else { vec![paid] },
        zeros: Vec::new(),
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::default(),
    }
    .into()
}

fn submitted() -> Event {
    WeightsSubmitted {
        epoch: 3,
        derived: Position(21),
        extrinsic: sha256(b"weights"),
        nonce: 1,
        era_birth: BlockNumber(5),
        era_period: 64,
        version_key: 0,
        uids: vec![Uid(1)],
        weights: vec![u16::MAX],
    }
    .into()
}

fn rejected() -> Event {
    WeightsRejected { epoch: 3, extrinsic: sha256(b"weights"), error: "expired".to_owned() }.into()
}

fn included() -> Event {
    let (block, block_hash) = (BlockNumber(6), sha256(b"block"));
    WeightsIncluded { epoch: 3, extrinsic: sha256(b"weights"), block, block_hash }.into()
}

fn epoch(events: &[Event]) -> Epoch {
    let mut epoch = Epoch::default();
    let opened = EpochOpened { epoch: 3, block: BlockNumber(1), chain_epoch: 0, rule_set: sha256(b"rules") };
    epoch.apply(&opened.into());
    events.iter().for_each(|event| epoch.apply(event));
    epoch
}

/// The outcomes under which an epoch of these events may be closed with a reason.
fn accepted(events: &[Event], reason: &str) -> Vec<EpochOutcome> {
    let epoch = epoch(events);
    let closed = |outcome| EpochCommand::Close(EpochClosed { epoch: 3, outcome, reason: reason.to_owned() });
    ALL.into_iter().filter(|outcome| epoch.decide(closed(*outcome)).is_ok()).collect()
}

#[test]
fn the_outcome_follows_from_what_the_epoch_holds() {
    use EpochOutcome::{Failed, Included, Skipped};
    let no_scores = || derived(Some(SkipReason::NoScores));
    let rows: Vec<(&str, Vec<Event>, &str, Option<EpochOutcome>)> = vec![
        ("nothing derived", vec![], "a reason", None),
        ("the derivation skips", vec![no_scores()], "no_scores", Some(Skipped)),
        ("for another reason", vec![no_scores()], "nobody_serving", None),
        ("for no reason", vec![no_scores()], "", None),
        ("withheld", vec![derived(None)], "not_registered", Some(Skipped)),
        ("withheld, with figures", vec![derived(None)], "rate_limited: 3 blocks, 100 are required", Some(Skipped)),
        ("a shadow", vec![derived(None)], "shadow", Some(Skipped)),
        ("a shadow whose derivation skips", vec![no_scores()], "shadow", None),
        ("refused, then a shadow", vec![derived(None), submitted(), rejected()], "shadow", Some(Failed)),
        ("no word of the list", vec![derived(None)], "rate_limiteds", Some(Failed)),
        ("the chain was away", vec![derived(None)], "no submission: chain cannot be reached", Some(Failed)),
        ("away for no reason", vec![derived(None)], "", None),
        ("fate unknown", vec![derived(None), submitted()], "expired", None),
        ("fate unknown, withheld", vec![derived(None), submitted()], "not_registered", None),
        ("refused", vec![derived(None), submitted(), rejected()], "expired", Some(Failed)),
        ("refused, then withheld", vec![derived(None), submitted(), rejected()], "not_registered", Some(Failed)),
        ("sent again", vec![derived(None), submitted(), rejected(), submitted()], "expired", None),
        ("included", vec![derived(None), submitted(), included()], "", Some(Included)),
        ("included, with a reason", vec![derived(None), submitted(), included()], "no_scores", None),
    ];
    for (name, events, reason, expected) in rows {
        assert_eq!(accepted(&events, reason), Vec::from_iter(expected), "{name}");
    }
}

#[test]
fn skip_reasons_are_named_as_the_log_names_them() {
    use SkipReason::{NoScores, NobodyServing, NotRegistered, RateLimited};
    for reason in [NobodyServing, NoScores, RateLimited, NotRegistered] {
        assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.name()));
    }
}
