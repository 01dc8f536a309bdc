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

fn committed() -> Event {
    let (block, commitment, reveal_at) = (BlockNumber(6), sha256(b"locked"), BlockNumber(366));
    WeightsCommitted { epoch: 3, extrinsic: sha256(b"weights"), block, commitment, reveal_at }.into()
}

fn revealed() -> Event {
    WeightsRevealed { epoch: 3, block: BlockNumber(366), block_hash: sha256(b"block") }.into()
}

fn anchored() -> Event {
    let (size, root, extrinsic) = (21, sha256(b"root"), sha256(b"anchor"));
    CheckpointAnchored { epoch: 3, size, root, extrinsic, outcome: ChainOutcome::Expired }.into()
}

fn closed() -> Event {
    EpochClosed { epoch: 3, outcome: EpochOutcome::Included, reason: String::new() }.into()
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

/// While committed weights wait for their reveal the next epoch may open, and nothing more is sent for this one, whatever comes of it.
#[test]
fn a_commitment_gives_way_to_the_next_epoch_and_stands_alone() {
    let on_its_way = || vec![derived(None), anchored(), submitted()];
    let rows: Vec<(&str, Vec<Event>, bool, bool, bool)> = vec![
        ("opened", vec![], false, false, false),
        ("anchored", vec![derived(None), anchored()], false, false, true),
        ("submitted", vec![], false, false, false),
        ("refused", vec![rejected()], false, false, true),
        ("committed", vec![committed()], true, true, false),
        ("never revealed", vec![committed(), rejected()], true, false, false),
        ("revealed", vec![committed(), revealed()], true, false, false),
        ("closed", vec![committed(), revealed(), closed()], true, false, false),
        ("included", vec![included()], false, false, false),
        ("included and closed", vec![included(), closed()], true, false, false),
    ];
    for (name, events, gives_way, awaits, may_submit) in rows {
        let events = match name {
            "opened" | "anchored" => events,
            _ => on_its_way().into_iter().chain(events).collect(),
        };
        let epoch = epoch(&events);
        assert_eq!(epoch.gives_way(), gives_way, "{name}");
        assert_eq!(epoch.awaited_reveal().is_some(), awaits, "{name}");
        let Event::WeightsSubmitted(again) = submitted() else { unreachable!() };
        assert_eq!(epoch.decide(EpochCommand::Submit(again)).is_ok(), may_submit, "{name}");
        let Event::WeightsCommitted(again) = committed() else { unreachable!() };
        assert_eq!(epoch.decide(EpochCommand::Commit(again)).is_ok(), name == "submitted", "{name}");
    }
}

#[test]
fn a_derivation_whose_state_is_let_go_keeps_its_weights() {
    let mut epoch = epoch(&[derived(None), anchored(), submitted(), committed()]);
    let weights = epoch.derived().unwrap().weights.clone();
    epoch.forget_carried();
    assert_eq!(epoch.derived().unwrap().weights, weights);
    let Event::WeightsRevealed(revealed) = revealed() else { unreachable!() };
    assert!(epoch.decide(EpochCommand::Reveal(revealed)).is_ok());
}
