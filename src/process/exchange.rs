//! Requests and answers: every drawn miner is asked over HTTP, with a receipt, as a validator asks it.

use super::cast::{Player, name, origin};
use super::clipped;
use anyhow::Result;
use domain::Aggregate;
use domain::events::{Challenge, ChallengeIssued, DrawnMiner, Event, FailureReason, ResponseFailed, ResponseReceived};
use domain::mechanism::Mechanism;
use domain::round::Round;
use domain::types::{Block, HexBytes, Micros, Position};
use domain::wire;
use network::keys::Keypair;
use std::time::Duration;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was sent and what came back, in words.
#[derive(Default)]
pub struct Said {
    /// A line for each request.
    pub sent: Vec<String>,
    /// A line for each answer.
    pub received: Vec<String>,
}

/// Asks every drawn miner and takes in what comes.
///
/// # Errors
/// A request that cannot be made or sent.
pub async fn ask(
    round: &mut Round,
    challenge: &Challenge,
    mechanism: &dyn Mechanism,
    validator: &Keypair,
    players: &[Player],
) -> Result<Said> {
    let origin = origin(validator);
    let drawn = round.selected().map(|selected| selected.drawn.clone()).unwrap_or_default();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut said = Said::default();
    for miner in &drawn {
        let mut issued = issue(challenge, miner);
        let wire::IssuedRequest { body, hash, .. } =
            wire::issued_request(mechanism, challenge, &origin, Position(4), &issued)?;
        issued.request_hash = hash;
        issued.receipt = HexBytes(validator.sign(&wire::request_message(&hash.0)));
        round.apply(&Event::ChallengeIssued(issued.clone()));
        let sent_at = validator::clock::now();
        let who = name(players, &miner.hotkey);
        said.sent.push(format!("{who}: {} bytes", body.len()));
        let request = client.post(format!("{}/inference", issued.address)).body(body);
        let request = request.header("content-type", "application/json");
        let request = request.header(wire::header::VALIDATOR_HOTKEY, validator.ss58());
        let reply = request.header(wire::header::SIGNATURE, issued.receipt.to_string()).send().await?;
        let status = reply.status().as_u16();
        let answer = reply.bytes().await?.to_vec();
        let received_at = validator::clock::now();
        let took = received_at.0.saturating_sub(sent_at.0) / 1000;
        let parsed = mechanism.parse_response(&answer).ok().filter(|_| status == 200);
        said.received.push(match &parsed {
            Some(text) => format!("{who}, after {took} ms: {}", clipped(text)),
            None => format!("{who}: no usable answer, status {status}: {}", clipped(&String::from_utf8_lossy(&answer))),
        });
        let event = outcome(&issued, parsed.is_some(), status, answer, sent_at, received_at);
        round.place(miner.hotkey, Position(5));
        round.apply(&event);
    }
    Ok(said)
}

fn issue(challenge: &Challenge, miner: &DrawnMiner) -> ChallengeIssued {
    ChallengeIssued {
        challenge_id: challenge.id.clone(),
        attempt: 1,
        hotkey: miner.hotkey,
        address: format!("http://{}:{}", miner.ip, miner.port),
        dialect: wire::Dialect::Http.name().into(),
        request_hash: HexBytes([0; 32]),
        nonce: miner.hotkey.to_string(),
        deadline: validator::clock::after(validator::clock::now(), PATIENCE),
        receipt: HexBytes([0; 64]),
    }
}

fn outcome(
    issued: &ChallengeIssued,
    usable: bool,
    status: u16,
    body: Vec<u8>,
    sent_at: Micros,
    received_at: Micros,
) -> Event {
    let (challenge_id, attempt, hotkey) = (issued.challenge_id.clone(), issued.attempt, issued.hotkey);
    let (request_hash, body) = (issued.request_hash, Block::new(body));
    if !usable {
        let (reason, detail) = (FailureReason::Malformed, String::new());
        let (failed_at, signature, signed_by) = (received_at, None, None);
        let failed = ResponseFailed {
            challenge_id,
            attempt,
            hotkey,
            reason,
            detail,
            sent_at,
            failed_at,
            status,
            request_hash,
            signature,
            signed_by,
            body,
        };
        return failed.into();
    }
    let response_time_ms = u32::try_from(received_at.0.saturating_sub(sent_at.0) / 1000).unwrap_or(u32::MAX);
    ResponseReceived {
        challenge_id,
        attempt,
        hotkey,
        address: issued.address.clone(),
        dialect: issued.dialect.clone(),
        status,
        sent_at,
        first_byte_at: received_at,
        received_at,
        response_time_ms,
        request_hash,
        signature: None,
        body,
    }
    .into()
}
