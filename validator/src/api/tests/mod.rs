//! The routes against a service whose every answer, good or bad, can be called up. What the routes do with a real validator
//! is tested where the real one is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod contract;
mod schema;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use domain::events::{AbandonReason, Challenge, EpochOutcome, FailureReason, FilterStage, ZeroReason};
use domain::types::{BlockNumber, Digest, Hotkey, Micros, Position, Uid, sha256};
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::service::*;

/// What the service says next.
#[derive(Clone, Default)]
struct Script {
    accept: Option<AcceptError>,
    label: Option<LabelError>,
    unavailable: bool,
    slow: bool,
    health: Option<Health>,
}

#[derive(Default)]
struct Double {
    script: Mutex<Script>,
    challenges: Mutex<BTreeMap<String, Challenge>>,
    asked_by: Mutex<Vec<String>>,
    labels: Mutex<BTreeMap<String, ToldLabel>>,
}

impl Double {
    fn says(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    async fn answers(&self) -> Result<(), ServiceError> {
        let script = self.script.lock().unwrap().clone();
        if script.slow {
            std::future::pending::<()>().await;
        }
        if script.unavailable {
            Err(ServiceError::Unavailable("the ledger does not answer".to_owned()))
        } else {
            Ok(())
        }
    }
}

fn hotkey(number: u8) -> Hotkey {
    Hotkey::from_public(&[number; 32])
}

fn digest() -> Digest {
    sha256(b"x")
}

fn healthy() -> Health {
    Health {
        version: "0.1.0",
        available: true,
        reason: None,
        running: true,
        ledger: true,
        chain: true,
        queue_size: 2,
        active: 3,
        max_concurrent: 15,
        block: BlockNumber(7),
        size: 99,
        origin: "assay/0/78/x".to_owned(),
        rule_set: "loosh/readme".to_owned(),
    }
}

fn miner(number: u8) -> MinerStatus {
    MinerStatus {
        hotkey: hotkey(number),
        uid: Uid(number.into()),
        outcome: MinerOutcome::Drawn,
        issued: None,
        answered: None,
        failure: None,
        response_time_ms: None,
        score: None,
        filtered: None,
        reason: None,
    }
}

/// Once with everything that can be there, once with nothing of it.
fn status(id: &str) -> ChallengeStatus {
    let attempt = |number, state, miners| AttemptStatus {
        attempt: number,
        state,
        selected: Position(2),
        ended: Some(Position(9)),
        rule_set: digest(),
        abandoned: (state == AttemptState::Abandoned).then_some(AbandonReason::EvidenceFailed),
        miners,
    };
    let failed = MinerStatus {
        outcome: MinerOutcome::Failed,
        failure: Some(FailureReason::ForbiddenAddress),
        reason: Some(ZeroReason::ForbiddenAddress),
        score: Some(0.0),
        answered: Some(Position(6)),
        ..miner(2)
    };
    let answered = MinerStatus {
        outcome: MinerOutcome::Answered,
        response_time_ms: Some(120),
        score: Some(0.5),
        filtered: Some(FilterStage::TestMode),
        issued: Some(Position(3)),
        ..miner(3)
    };
    let answer = AnswerView {
        hotkey: hotkey(3),
        uid: Uid(3),
        text: "because".to_owned(),
        response_time_ms: 120,
        position: Position(5),
    };
    let empty = id == "empty";
    ChallengeStatus {
        id: id.to_owned(),
        state: if empty { ChallengeState::Queued } else { ChallengeState::Evaluated },
        accepted: Position(1),
        accepted_at: Micros(1_700_000_000_000_000),
        commitment: digest(),
        attempts: vec![
            attempt(1, AttemptState::Abandoned, vec![miner(1)]),
            attempt(2, AttemptState::Evaluated, vec![failed, answered]),
        ],
        best_answer: (!empty).then_some(answer),
        consensus: (!empty).then_some(0.87),
        consensus_achieved: (!empty).then_some(true),
    }
}

#[async_trait]
impl Service for Arc<Double> {
    fn hotkey(&self) -> Hotkey {
        hotkey(9)
    }

    async fn accept(&self, challenge: Challenge) -> Result<Accepted, AcceptError> {
        self.answers().await.map_err(|error| AcceptError::Unavailable(error.to_string()))?;
        if let Some(error) = self.script.lock().unwrap().accept.clone() {
            return Err(error);
        }
        let mut challenges = self.challenges.lock().unwrap();
        let id = challenge.id.clone();
        if challenges.contains_key(&id) {
            return Err(AcceptError::Duplicate { id });
        }
        challenges.insert(id, challenge);
        Ok(Accepted { position: Position(challenges.len() as u64), commitment: digest() })
    }

    async fn status(&self, id: &str) -> Result<Option<ChallengeStatus>, ServiceError> {
        assert!(challenge::is_id(id), "what cannot be an id is not looked up: {id:?}");
        self.answers().await?;
        Ok(self.challenges.lock().unwrap().contains_key(id).then(|| status(id)))
    }

    fn challenge_stats(&self) -> ChallengeStats {
        ChallengeStats { queue_size: 1, active: 2, queue_limit: 3, total_received: 4 }
    }

    fn stats(&self) -> Stats {
        let empty = self.challenges.lock().unwrap().is_empty();
        let closed =
            ClosedEpoch { epoch: 3, outcome: EpochOutcome::Included, reason: String::new(), position: Position(80) };
        let submission = OpenSubmission {
            epoch: 4,
            extrinsic: digest(),
            state: SubmissionState::NoAnswer,
            until_block: BlockNumber(70),
            waiting_seconds: 12,
            problem: Some("chain at ws://127.0.0.1:9944 cannot be reached".to_owned()),
        };
        let weight = |held_by| MisdirectedWeight {
            epoch: 3,
            block: BlockNumber(60),
            uid: Uid(2),
            weight: 65_535,
            derived_for: hotkey(1),
            held_by,
        };
        let misdirected = vec![weight(Some(hotkey(2))), weight(None)];
        Stats {
            total_challenges: 5,
            evaluated_challenges: 3,
            abandoned_challenges: 1,
            successful_responses: 20,
            failed_responses: 2,
            average_response_time_ms: (!empty).then_some(12.5),
            uptime_seconds: 60,
            active_miners: 6,
            epoch: (!empty).then_some(4),
            closed_epoch: (!empty).then_some(closed),
            submission: (!empty).then_some(submission),
            misdirected_weights: if empty { Vec::new() } else { misdirected },
            position: Position(99),
        }
    }

    fn health(&self) -> Health {
        self.script.lock().unwrap().health.clone().unwrap_or_else(healthy)
    }

    fn metrics(&self) -> metrics::Page {
        let mut page = metrics::Page::default();
        page.gauge("assay_log_events", "Events in the log.", 99.0);
        page
    }

    async fn set_running(&self, running: bool, by: &str) -> Result<RunningChange, ServiceError> {
        self.answers().await?;
        self.asked_by.lock().unwrap().push(by.to_owned());
        Ok(RunningChange { running, position: (!running).then_some(Position(12)) })
    }

    async fn tell_label(&self, told: ToldLabel) -> Result<RevealedLabel, LabelError> {
        self.answers().await.map_err(|error| LabelError::Unavailable(error.to_string()))?;
        if let Some(error) = self.script.lock().unwrap().label.clone() {
            return Err(error);
        }
        let mut labels = self.labels.lock().unwrap();
        let round = format!("{}/{}", told.challenge_id, told.attempt);
        if labels.contains_key(&round) {
            return Err(LabelError::NotAwaited { round, problem: "has its label already" });
        }
        labels.insert(round, told);
        Ok(RevealedLabel { position: Position(11), evaluated: Position(15) })
    }

    fn awaited_labels(&self) -> WaitingLabels {
        let one =
            AwaitedLabel { challenge_id: "a".to_owned(), attempt: 1, accepted: Position(1), evaluated: Position(8) };
        WaitingLabels { total: 1, waiting: vec![one] }
    }

    async fn register(&self, wanted: Hotkey) -> Result<RegisterOutcome, ServiceError> {
        self.answers().await?;
        let block = BlockNumber(9);
        Ok(if wanted == hotkey(1) {
            RegisterOutcome::Known { uid: Uid(1), announced: true, block }
        } else {
            RegisterOutcome::NotRegistered { block }
        })
    }
}

const TOKEN: &str = "secret-token-0123456789";

fn config() -> ApiConfig {
    ApiConfig::new(ChallengeDefaults::README)
}

/// For requests that never end.
fn impatient() -> ApiConfig {
    let mut config = config();
    config.limits.body_timeout = Duration::from_millis(100);
    config.limits.request_timeout = Duration::from_millis(200);
    config
}

/// A request from this machine.
fn from_here(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let peer: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:8000")
        .header("content-type", "application/json")
        .extension(ConnectInfo(peer))
        .body(body.into())
        .unwrap()
}

async fn answer(router: &axum::Router, request: Request<Body>) -> (u16, HeaderMap, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, headers, serde_json::from_slice(&body).unwrap_or_default())
}
