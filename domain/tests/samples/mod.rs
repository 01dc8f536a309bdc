//! One event of each kind with every field set to something recognisable.
#![allow(dead_code, missing_docs, unreachable_pub)]

use domain::events::*;
use domain::types::*;

pub fn hotkey(seed: u8) -> Hotkey {
    Hotkey::from_public(&[seed; 32])
}

fn digest(seed: u8) -> Digest {
    HexBytes([seed; 32])
}

fn signature(seed: u8) -> Signature {
    HexBytes([seed; 64])
}

pub fn challenge() -> Challenge {
    Challenge {
        id: "challenge-123".into(),
        correlation_id: Some("c-1".into()),
        prompt: Some("Why is the sky blue?\n\u{1F30D} \"quoted\"".into()),
        messages: Some(r#"[{"role":"user","content":"hi"}]"#.into()),
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.7,
        top_p: 0.95,
        max_tokens: 512,
        metadata: None,
        created_at: Some("2026-11-20T12:00:00Z".into()),
        requester: None,
        task: Some(r#"{"window":[1,2]}"#.into()),
    }
}

fn drawn() -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(2), uid: Uid(5), coldkey: hotkey(9), ip: "127.0.0.1".into(), port: 8091 }
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.into(), value }
}

fn statistic() -> Statistic {
    Statistic { name: "rlhf".into(), values: vec![3.0, -0.5, 1e-300] }
}

pub fn one_of_each() -> Vec<Event> {
    let mut events = log_and_chain();
    events.extend(round());
    events.extend(epoch());
    events
}

fn log_and_chain() -> Vec<Event> {
    let origin = LedgerOpened::origin_of(&digest(0xab), NetUid(78), &hotkey(1), 0);
    vec![
        LedgerOpened {
            leaf_format: 1,
            origin,
            genesis_hash: digest(0xab),
            netuid: NetUid(78),
            hotkey: hotkey(1),
            checkpoint_key: digest(7),
        }
        .into(),
        CheckpointPublished { size: 42, root: digest(3), note: "origin\n42\n\n\u{2014} key sig\n".into() }.into(),
        RuleSetAdopted { name: "loosh/readme".into(), hash: digest(4), bytes: "{\"algorithm\":\"loosh\"}".into() }
            .into(),
        PayloadErased { position: Position(17), reason: "request of the author".into() }.into(),
        ValidatorStarted {
            version: "0.1.0".into(),
            genesis_hash: digest(0xab),
            configuration: "{\"netuid\":78}".into(),
            configuration_hash: digest(5),
        }
        .into(),
        ValidatorPaused { by: "api".into() }.into(),
        ValidatorResumed { by: "api".into() }.into(),
        ValidatorStopped { reason: "signal".into() }.into(),
        MetagraphObserved {
            block: BlockNumber(100),
            block_hash: digest(6),
            owner: Some(hotkey(9)),
            full: true,
            neurons: vec![Neuron {
                uid: Uid(5),
                hotkey: hotkey(2),
                coldkey: hotkey(9),
                ip: "127.0.0.1".into(),
                port: 8091,
                stake: Rao(1_000_000_000),
                validator_permit: false,
                last_update: BlockNumber(7),
            }],
            removed: vec![Uid(6)],
        }
        .into(),
        AvailabilitySwept {
            probes: vec![Probe {
                hotkey: hotkey(2),
                available: false,
                reason: "connection refused".into(),
                latency_ms: 3,
            }],
        }
        .into(),
        ExternalScoresFetched {
            source: "challenge-api".into(),
            request: "sybil-scores".into(),
            status: 200,
            reply: Block::new(b"{}".to_vec()),
        }
        .into(),
    ]
}

fn round() -> Vec<Event> {
    let challenge_id = || "challenge-123".to_owned();
    vec![
        ChallengeAccepted {
            block: BlockNumber(100),
            block_hash: digest(6),
            commitment: digest(8),
            challenge: challenge(),
        }
        .into(),
        MinersSelected {
            challenge_id: challenge_id(),
            attempt: 1,
            accepted: Position(11),
            metagraph: Position(8),
            sweep: Position(9),
            external_scores: None,
            rule_set: digest(4),
            seed: digest(10),
            limit: 7,
            candidates: vec![Candidate { hotkey: hotkey(2), weight: 1_000_000 }],
            excluded: vec![Excluded { hotkey: hotkey(1), reason: Exclusion::Own }],
            drawn: vec![drawn()],
        }
        .into(),
        ChallengeIssued {
            challenge_id: challenge_id(),
            attempt: 1,
            hotkey: hotkey(2),
            address: "http://127.0.0.1:8091".into(),
            dialect: "assay/http".into(),
            request_hash: digest(11),
            nonce: "00ff".into(),
            deadline: Micros(1_700_000_060_000_000),
            receipt: signature(12),
        }
        .into(),
        ResponseReceived {
            challenge_id: challenge_id(),
            attempt: 1,
            hotkey: hotkey(2),
            address: "http://127.0.0.1:8091".into(),
            dialect: "assay/http".into(),
            status: 200,
            sent_at: Micros(1_700_000_000_000_000),
            first_byte_at: Micros(1_700_000_000_100_000),
            received_at: Micros(1_700_000_000_123_456),
            response_time_ms: 123,
            request_hash: digest(11),
            signature: Some(signature(13)),
            body: Block::new(br#"{"response_text":"Rayleigh"}"#.to_vec()),
        }
        .into(),
        ResponseFailed {
            challenge_id: challenge_id(),
            attempt: 1,
            hotkey: hotkey(3),
            reason: FailureReason::TimedOut,
            detail: "no answer in 60 s".into(),
            sent_at: Micros(1_700_000_000_000_000),
            failed_at: Micros(1_700_000_060_000_000),
            status: 0,
            request_hash: digest(11),
            signature: Some("not hex".into()),
            signed_by: None,
            body: Block::default(),
        }
        .into(),
        EmbeddingComputed {
            challenge_id: challenge_id(),
            attempt: 1,
            role: TextRole::Answer,
            text_hash: digest(14),
            sources: vec![Position(14)],
            model: EmbeddingModel {
                name: "all-MiniLM-L6-v2".into(),
                weights: digest(15),
                tokenizer: digest(16),
                dimensions: 2,
            },
            runtime: "onnxruntime 1.31.1".into(),
            provider: "cpu".into(),
            parts: vec![TextPart { start: 0, end: 8, suffix: "?".into() }],
            parts_cut: 0,
            encoding: VectorEncoding::F16,
            vectors: Block::new(vec![0x3c, 0x00, 0x00, 0x00, 0xbc, 0x00, 0x38, 0x00]),
        }
        .into(),
        JudgementRecorded {
            challenge_id: challenge_id(),
            attempt: 1,
            hotkey: Some(hotkey(2)),
            purpose: "score".into(),
            model: "openai/gpt-4".into(),
            request_hash: digest(17),
            parameters: "{\"temperature\":0}".into(),
            prompt_tokens: 10,
            completion_tokens: 3,
            latency_ms: 900,
            reply: Block::new(b"7".to_vec()),
        }
        .into(),
        LabelRevealed {
            challenge_id: challenge_id(),
            attempt: 1,
            evaluated: Position(21),
            source: "server".into(),
            label: "true".into(),
        }
        .into(),
        ResponseScored {
            challenge_id: challenge_id(),
            attempt: 1,
            hotkey: hotkey(2),
            uid: Uid(5),
            score: 0.1 + 0.2,
            counted: true,
            filtered: Some(FilterStage::Cluster),
            reason: None,
            components: vec![component("theta", 5e-324), component("base", -0.0), component("bonus", 1e21)],
        }
        .into(),
        RoundEvaluated {
            challenge_id: challenge_id(),
            attempt: 1,
            rule_set: digest(4),
            consensus: 0.913,
            consensus_achieved: true,
            best: Some(hotkey(2)),
            components: vec![component("mu", 0.9)],
            labels: vec![hotkey(2)],
            label: Some(Position(22)),
            statistics: vec![statistic()],
            similarity: Block::new(1.0f64.to_be_bytes().to_vec()),
        }
        .into(),
        RoundAbandoned {
            challenge_id: challenge_id(),
            attempt: 2,
            reason: AbandonReason::Restart,
            last: false,
            detail: "process ended".into(),
        }
        .into(),
        DeliveryAttempted {
            challenge_id: challenge_id(),
            attempt: 1,
            evaluated: Position(23),
            item: DeliveryItem::Heatmap,
            number: 2,
            route: DeliveryRoute::Fiber,
            request_hash: Some(digest(18)),
            status: 503,
            outcome: DeliveryOutcome::Failed,
            detail: "status 503".into(),
        }
        .into(),
    ]
}

fn epoch() -> Vec<Event> {
    let window = [1_700_000_000_000_000u64.to_be_bytes(), 0.25f64.to_bits().to_be_bytes()].concat();
    vec![
        EpochOpened { epoch: 3, block: BlockNumber(100), chain_epoch: 1, rule_set: digest(4) }.into(),
        WeightsDerived {
            epoch: 3,
            revision: 0,
            rule_set: digest(4),
            from: Position(1),
            to: Position(30),
            metagraph: Position(30),
            block: BlockNumber(120),
            external_scores: None,
            mode: WeightMode::Normal,
            rounds: 1,
            skip: None,
            weights: vec![Weight { uid: Uid(5), hotkey: hotkey(2), weight: 65535 }],
            zeros: vec![ZeroWeight { uid: Uid(6), hotkey: hotkey(3), reason: ZeroReason::NotSampled }],
            carried: vec![CarriedMiner {
                hotkey: hotkey(2),
                average: Some(0.25),
                last_seen: Some(Micros(1_700_000_000_000_000)),
                drawn: 1,
                items: 1,
            }],
            statistics: vec![statistic()],
            window: Block::new(window),
        }
        .into(),
        CheckpointAnchored {
            epoch: 3,
            size: 32,
            root: digest(18),
            extrinsic: digest(19),
            outcome: ChainOutcome::Included { block: BlockNumber(121), block_hash: digest(20) },
        }
        .into(),
        WeightsSubmitted {
            epoch: 3,
            derived: Position(31),
            extrinsic: digest(21),
            nonce: 4,
            era_birth: BlockNumber(121),
            era_period: 64,
            version_key: 1,
            uids: vec![Uid(5)],
            weights: vec![65535],
        }
        .into(),
        WeightsCommitted {
            epoch: 3,
            extrinsic: digest(21),
            block: BlockNumber(122),
            commitment: digest(22),
            reveal_at: BlockNumber(482),
        }
        .into(),
        WeightsRevealed { epoch: 3, block: BlockNumber(482), block_hash: digest(23) }.into(),
        WeightsIncluded { epoch: 3, extrinsic: digest(21), block: BlockNumber(122), block_hash: digest(24) }.into(),
        WeightsRejected { epoch: 3, extrinsic: digest(21), error: "SettingWeightsTooFast".into() }.into(),
        EpochClosed { epoch: 3, outcome: EpochOutcome::Included, reason: String::new() }.into(),
    ]
}
