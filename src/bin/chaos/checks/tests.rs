//! Each check finds what it is there for: a sound run with one thing spoilt.
#![allow(clippy::unwrap_used)]

use super::all;
use crate::book::Entry;
use crate::evidence::{Evidence, OnChain, Recorded, Setting};
use crate::pusher::Counts;
use audit::leaf;
use chain::{Epoch, Metagraph, Neuron};
use domain::events::*;
use domain::types::{Block, BlockNumber, Digest, HexBytes, Hotkey, NetUid, Position, Rao, Uid, sha256};
use ledger::StoredEvent;
use ledger::verify::{Outcome, Verification};

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn digest(n: u8) -> Digest {
    sha256(&[n])
}

fn accepted(id: &str) -> Event {
    let challenge = Challenge {
        id: id.to_owned(),
        correlation_id: None,
        prompt: Some("why?".to_owned()),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.7,
        top_p: 0.95,
        max_tokens: 512,
        metadata: None,
        created_at: None,
        requester: None,
        task: None,
    };
    ChallengeAccepted { block: BlockNumber(1), block_hash: digest(1), commitment: digest(2), challenge }.into()
}

fn selected(id: &str, attempt: u32) -> Event {
    let drawn = DrawnMiner { hotkey: hotkey(9), uid: Uid(1), coldkey: hotkey(8), ip: "127.0.0.1".to_owned(), port: 1 };
    MinersSelected {
        challenge_id: id.to_owned(),
        attempt,
        accepted: Position(0),
        metagraph: Position(0),
        sweep: Position(0),
        external_scores: None,
        rule_set: digest(3),
        seed: digest(4),
        limit: 7,
        candidates: Vec::new(),
        excluded: Vec::new(),
        drawn: vec![drawn],
    }
    .into()
}

fn issued(id: &str, request: u8) -> Event {
    ChallengeIssued {
        challenge_id: id.to_owned(),
        attempt: 1,
        hotkey: hotkey(9),
        address: "http://127.0.0.1:1".to_owned(),
        dialect: "assay/http/1".to_owned(),
        request_hash: digest(request),
        nonce: String::new(),
        deadline: domain::types::Micros(1),
        receipt: HexBytes([0; 64]),
    }
    .into()
}

fn evaluated(id: &str, attempt: u32) -> Event {
    RoundEvaluated {
        challenge_id: id.to_owned(),
        attempt,
        rule_set: digest(3),
        consensus: 0.5,
        consensus_achieved: true,
        best: None,
        components: Vec::new(),
        labels: Vec::new(),
        label: None,
        statistics: Vec::new(),
        similarity: Block::default(),
    }
    .into()
}

fn abandoned(id: &str, attempt: u32, last: bool) -> Event {
    let (challenge_id, reason, detail) = (id.to_owned(), AbandonReason::Restart, String::new());
    RoundAbandoned { challenge_id, attempt, reason, last, detail }.into()
}

fn opened(epoch: u64) -> Event {
    EpochOpened { epoch, block: BlockNumber(1), chain_epoch: 0, rule_set: digest(3) }.into()
}

fn closed(epoch: u64) -> Event {
    EpochClosed { epoch, outcome: EpochOutcome::Included, reason: String::new() }.into()
}

fn derived(from: u64, to: u64) -> Event {
    WeightsDerived {
        epoch: 0,
        revision: 0,
        rule_set: digest(3),
        from: Position(from),
        to: Position(to),
        metagraph: Position(to),
        block: BlockNumber(2),
        external_scores: None,
        mode: WeightMode::Normal,
        rounds: 2,
        skip: None,
        weights: vec![Weight { uid: Uid(1), hotkey: hotkey(9), weight: 65535 }],
        zeros: Vec::new(),
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::default(),
    }
    .into()
}

fn anchored(size: u64) -> Event {
    let outcome = ChainOutcome::Expired;
    CheckpointAnchored { epoch: 0, size, root: digest(5), extrinsic: digest(6), outcome }.into()
}

fn submitted(epoch: u64, extrinsic: u8) -> Event {
    WeightsSubmitted {
        epoch,
        derived: Position(10),
        extrinsic: digest(extrinsic),
        nonce: 0,
        era_birth: BlockNumber(2),
        era_period: 64,
        version_key: 0,
        uids: vec![Uid(1)],
        weights: vec![65535],
    }
    .into()
}

fn included(block: u64) -> Event {
    let (block, block_hash) = (BlockNumber(block), digest(8));
    WeightsIncluded { epoch: 0, extrinsic: digest(7), block, block_hash }.into()
}

fn recorded(position: u64, event: Event) -> Recorded {
    let (payload, salt) = (event.encode().unwrap(), [7; 32]);
    let mut stored = StoredEvent {
        position,
        recorded_at: 1_000 + position,
        block: 1,
        stream_type: "all".to_owned(),
        stream_id: "one".to_owned(),
        sequence: position + 1,
        kind: event.kind().to_owned(),
        version: event.version(),
        cause: position,
        payload_length: u32::try_from(payload.len()).unwrap(),
        leaf_hash: tlog::empty_root(),
        commitment: leaf::commitment(&salt, &payload),
        salt: Some(salt),
        payload: Some(payload),
    };
    stored.leaf_hash = stored.leaf().hash().unwrap();
    Recorded { stored, event }
}

fn log() -> Vec<Event> {
    vec![
        accepted("a"),
        accepted("b"),
        opened(0),
        selected("a", 1),
        issued("a", 20),
        evaluated("a", 1),
        selected("b", 1),
        abandoned("b", 1, false),
        selected("b", 2),
        evaluated("b", 2),
        derived(0, 9),
        anchored(11),
        submitted(0, 7),
        included(3),
        closed(0),
        opened(1),
    ]
}

fn on_chain(holder: Hotkey, weight: u16) -> OnChain {
    let neuron = Neuron {
        uid: Uid(1),
        hotkey: holder,
        coldkey: hotkey(8),
        ip: [127, 0, 0, 1].into(),
        port: 1,
        stake: Rao(0),
        validator_permit: false,
        last_update: BlockNumber(0),
        registered_at: BlockNumber(0),
    };
    let epoch = Epoch { index: 0, last_block: BlockNumber(0), next_block: BlockNumber(9) };
    let (netuid, block, block_hash) = (NetUid(78), BlockNumber(3), digest(8));
    let metagraph = Metagraph { netuid, block, block_hash, epoch, owner: None, neurons: vec![neuron] };
    OnChain { metagraph, weights: vec![(Uid(1), weight)] }
}

/// A run in which everything holds, with this log.
fn evidence(log: Vec<Event>) -> Evidence {
    let log: Vec<Recorded> = (0..).zip(log).map(|(position, event)| recorded(position, event)).collect();
    let outcome = Outcome::Sound { covered: 11 };
    let (origin, root, size) = ("assay/test".to_owned(), tlog::empty_root(), log.len() as u64);
    let entry = |id: &str, position| Entry { id: id.to_owned(), position };
    Evidence {
        book: vec![entry("a", Some(0)), entry("b", None)],
        counts: Counts { acknowledged: 1, found_accepted: 1, ..Counts::default() },
        log,
        verification: Verification { origin, size, root, erased: 0, outcome, findings: Vec::new() },
        settings: vec![Setting { block: BlockNumber(3), hash: digest(7), weights: vec![(Uid(1), 65535)] }],
        witnessed: vec![digest(20)],
        witness: hotkey(9),
        on_chain: [(BlockNumber(3), on_chain(hotkey(9), 65535))].into(),
    }
}

/// The parts of names of checks that do not hold.
fn failing(evidence: &Evidence) -> Vec<String> {
    all(evidence).into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

#[test]
fn a_sound_run_holds() {
    let checks = all(&evidence(log()));
    let wrong: Vec<_> = checks.iter().filter(|check| !check.holds).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(checks.len(), 12);
}

/// A committed epoch gives way to the next, and is closed once all the same.
#[test]
fn committed_epochs_may_overlap() {
    let committed = |epoch: u64| -> Event {
        let (block, reveal_at) = (BlockNumber(3), BlockNumber(363));
        WeightsCommitted { epoch, extrinsic: digest(7), block, commitment: digest(9), reveal_at }.into()
    };
    let rows: [(&[Event], bool); 5] = [
        (&[committed(0), opened(1), closed(0), closed(1)], true),
        (&[committed(0), opened(1), closed(1), closed(0), opened(2)], true),
        (&[committed(0), closed(0), closed(0)], false),
        (&[committed(0), opened(1), opened(2), closed(0)], false),
        (&[opened(1), committed(0), closed(0)], false),
    ];
    for (events, holds) in rows {
        let log = [&[opened(0)], events].concat();
        let names = failing(&evidence(log));
        assert_eq!(!names.iter().any(|name| name.starts_with("epochs are numbered")), holds, "{events:?}");
    }
}

#[test]
fn a_log_that_is_spoilt_is_found() {
    type Spoil = fn(&mut Vec<Event>);
    let rows: [(&str, Spoil); 15] = [
        ("every acknowledged challenge", |log| log.swap(0, 2)),
        ("none is lost", |log| log.push(accepted("a"))),
        ("none is lost", |log| log.push(accepted("nobody's"))),
        ("ended exactly once", |log| log[9] = abandoned("b", 2, false)),
        ("ended exactly once", |log| log.push(evaluated("a", 1))),
        ("ended exactly once", |log| log[7] = opened(7)),
        ("ended exactly once", |log| log[8] = selected("b", 3)),
        ("no miner was asked", |log| log[4] = issued("a", 21)),
        ("epochs are numbered", |log| log[15] = opened(2)),
        ("epochs are numbered", |log| log.insert(15, closed(0))),
        ("in order", |log| log[11] = anchored(10)),
        ("in order", |log| log.swap(11, 12)),
        ("ranges of the epochs", |log| log[10] = derived(1, 9)),
        ("on chain at most once", |log| log[13] = included(4)),
        ("weights on chain", |log| log[10] = opened(7)),
    ];
    for (at, (name, spoil)) in rows.into_iter().enumerate() {
        let mut log = log();
        spoil(&mut log);
        let found = failing(&evidence(log));
        assert!(found.iter().any(|check| check.contains(name)), "row {at}, {name}: {found:?}");
    }
}

#[test]
fn evidence_that_is_spoilt_is_found() {
    type Spoil = fn(&mut Evidence);
    let rows: [(&str, Spoil); 15] = [
        ("every acknowledged challenge", |run| run.book[0].position = Some(1)),
        ("every acknowledged challenge", |run| run.book[0].position = Some(99)),
        ("every acknowledged challenge", |run| run.book[1].id = "c".to_owned()),
        ("every acknowledged challenge", |run| run.counts.acknowledged += 1),
        ("every acknowledged challenge", |run| run.log[0].stored.payload.as_mut().unwrap()[9] ^= 1),
        ("every acknowledged challenge", |run| run.log[0].stored.block += 1),
        ("none is lost", |run| drop(run.book.pop())),
        ("have no gap", |run| drop(run.log.remove(4))),
        ("have no gap", |run| run.log[4].stored.sequence += 1),
        ("the checkpoint outside", |run| run.verification.outcome = Outcome::NothingOutside),
        ("no miner was asked", |run| run.witnessed.push(digest(99))),
        ("on chain at most once", |run| run.settings[0].hash = digest(99)),
        ("weights on chain", |run| run.settings[0].weights[0].1 = 1),
        ("weights on chain", |run| drop(run.on_chain.insert(BlockNumber(3), on_chain(hotkey(9), 1)))),
        ("another hotkey", |run| drop(run.on_chain.insert(BlockNumber(3), on_chain(hotkey(4), 65535)))),
    ];
    for (at, (name, spoil)) in rows.into_iter().enumerate() {
        let mut run = evidence(log());
        spoil(&mut run);
        let found = failing(&run);
        assert!(found.iter().any(|check| check.contains(name)), "row {at}, {name}: {found:?}");
    }
}

#[test]
fn a_second_submission_in_a_block_is_found() {
    let mut log = log();
    log.insert(13, submitted(0, 99));
    let mut run = evidence(log);
    assert!(failing(&run).is_empty(), "one that came to no block does no harm");
    run.settings.push(Setting { block: BlockNumber(4), hash: digest(99), weights: vec![(Uid(1), 65535)] });
    run.on_chain.insert(BlockNumber(4), on_chain(hotkey(9), 65535));
    assert_eq!(failing(&run), ["each epoch is on chain at most once"]);
}
