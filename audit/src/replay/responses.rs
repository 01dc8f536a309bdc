//! Answers and failures: what was asked, who signed, whether the reason of a failure is borne out by what is recorded.

use domain::Aggregate;
use domain::events::{ChallengeIssued, Event, FailureReason, ResponseFailed, ResponseReceived};
use domain::types::{Digest, Hotkey, Position, Signature, sha256};
use domain::wire;

use super::Replay;
use super::rounds::{OpenRound, own};
use crate::findings::{At, Findings};
use crate::keys::verify_sr25519;
use crate::record::Recorded;

/// How far a time-out may lie from the deadline: timers and clocks are not exact.
const DEADLINE_TOLERANCE: u64 = 50_000;

/// The body of a failure is kept up to so many bytes; one of this length may have been cut.
const KEPT_BODY: usize = 4096;

fn signed_by(miner: &Hotkey, request_hash: &Digest, body: &[u8], signature: &Signature) -> bool {
    let message = wire::response_message(&request_hash.0, &sha256(body).0);
    miner.public().is_ok_and(|public| verify_sr25519(&public, &message, &signature.0))
}

/// The request that is answered or failed; a difference when there is none.
fn awaited<'a>(
    findings: &mut Findings,
    at: At<'_>,
    round: &'a OpenRound,
    hotkey: Hotkey,
) -> Option<&'a ChallengeIssued> {
    let issued = round.round.issued(&hotkey);
    if issued.is_none() && round.tainted {
        findings
            .doubt(Some(at.position), "whether this miner was asked cannot be told: a payload of the round is missing");
    } else if issued.is_none() {
        findings.differ(at, "hotkey", hotkey, "a miner that was asked", "only miners that were asked answer");
    } else if !round.round.outstanding().any(|miner| miner.hotkey == hotkey) {
        findings.differ(at, "hotkey", hotkey, "a miner not heard of yet", "a miner answers or fails once");
    }
    issued
}

/// Each miner's request has a nonce of its own, so that its hash tells whose it is.
fn same_request(findings: &mut Findings, at: At<'_>, named: Digest, issued: Digest, message: &str) {
    if named != issued {
        findings.differ_involving(at, "request_hash", &["hotkey"], named, issued, message);
    }
}

impl Replay {
    pub(super) fn response_received(&mut self, recorded: &Recorded, response: &ResponseReceived) {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        let Some(round) = self.rounds.get_mut(recorded) else {
            return findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        let (challenge_id, attempt) = own(findings, recorded, round, &response.challenge_id, response.attempt);
        if let Some(issued) = awaited(findings, at, round, response.hotkey) {
            let message = "the answer is to the request that was issued";
            same_request(findings, at, response.request_hash, issued.request_hash, message);
            findings.equal(at, "address", &response.address, &issued.address, message);
            findings.equal(at, "dialect", &response.dialect, &issued.dialect, message);
            if response.received_at > issued.deadline {
                let message = "an answer after the deadline is a time-out";
                findings.differ(at, "received_at", response.received_at, issued.deadline, message);
            }
        }
        findings.equal(at, "status", &response.status, &200, "an answer with another status is a failure");
        let elapsed = response.received_at.0.saturating_sub(response.sent_at.0) / 1000;
        if elapsed.min(u64::from(u32::MAX)) != u64::from(response.response_time_ms) {
            let involves = ["sent_at", "received_at"];
            let message = "the response time is the whole milliseconds between sending and receiving";
            let recorded = response.response_time_ms;
            findings.differ_involving(at, "response_time_ms", &involves, recorded, elapsed, message);
        }
        if let Some(signature) = &response.signature {
            if signed_by(&response.hotkey, &response.request_hash, response.body.bytes(), signature) {
                self.pending.signed += 1;
            } else {
                let message = "the miner's signature is over the request and the body";
                let involves = ["body[\u{2026}]", "request_hash", "hotkey"];
                findings.differ_involving(at, "signature", &involves, signature, "one that verifies", message);
            }
        }
        self.pending.responses += 1;
        if let Err(problem) = round.mechanism.parse_response(response.body.bytes()) {
            let message = "a body that is no answer is a failure";
            findings.differ(at, "body[\u{2026}]", problem, "an answer", message);
        }
        if response.first_byte_at < response.sent_at || response.first_byte_at > response.received_at {
            let involves = ["sent_at", "received_at"];
            let (recorded, message) = (response.first_byte_at, "the first byte comes between sending and receiving");
            findings.differ_involving(at, "first_byte_at", &involves, recorded, response.received_at, message);
        }
        round.wanted = None;
        let response = ResponseReceived { challenge_id, attempt, ..response.clone() };
        round.round.place(response.hotkey, Position(recorded.position));
        round.round.apply(&Event::ResponseReceived(response));
    }

    pub(super) fn response_failed(&mut self, recorded: &Recorded, failure: &ResponseFailed) {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        let Some(round) = self.rounds.get_mut(recorded) else {
            return findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        let (challenge_id, attempt) = own(findings, recorded, round, &failure.challenge_id, failure.attempt);
        if let Some(issued) = awaited(findings, at, round, failure.hotkey) {
            let message = "the failure is of the request that was issued";
            same_request(findings, at, failure.request_hash, issued.request_hash, message);
            if let Some((field, found)) = unborne(failure, issued, round) {
                let message = "the reason is borne out by what is recorded";
                let reason = format!("{:?}", failure.reason);
                findings.differ_involving(at, "reason", &[field], reason, found, message);
            }
        }
        self.pending.failures += 1;
        round.wanted = None;
        let failure = ResponseFailed { challenge_id, attempt, ..failure.clone() };
        round.round.apply(&Event::ResponseFailed(failure));
    }
}

/// The field that contradicts the reason of a failure, and how.
fn unborne(failure: &ResponseFailed, issued: &ChallengeIssued, round: &OpenRound) -> Option<(&'static str, String)> {
    let body = failure.body.bytes();
    let (early, late) = (
        failure.failed_at.0.saturating_add(DEADLINE_TOLERANCE) < issued.deadline.0,
        failure.failed_at.0 > issued.deadline.0.saturating_add(DEADLINE_TOLERANCE),
    );
    let silent = failure.status != 0 || !body.is_empty() || failure.signature.is_some();
    let heard = || ("status", format!("status {}, {} bytes", failure.status, body.len()));
    let after = || ("failed_at", format!("given up at {}, the deadline is {}", failure.failed_at, issued.deadline));
    match failure.reason {
        FailureReason::NotJudged => Some(("reason", "an answer that nobody judged was received".to_owned())),
        FailureReason::TimedOut if early => Some(after()),
        FailureReason::TimedOut => None,
        _ if late => Some(after()),
        FailureReason::Unreachable | FailureReason::ForbiddenAddress if silent => Some(heard()),
        FailureReason::Unreachable | FailureReason::ForbiddenAddress => None,
        FailureReason::Refused if failure.status == 200 || failure.status == 0 => Some(heard()),
        FailureReason::Refused => None,
        FailureReason::Protocol if failure.status != 200 && failure.status != 0 => Some(heard()),
        FailureReason::Protocol => None,
        FailureReason::BadSignature if failure.signature.is_none() => {
            Some(("signature", "there is no signature".to_owned()))
        }
        // What a longer body was cannot be seen any more.
        _ if body.len() >= KEPT_BODY => None,
        FailureReason::Malformed => {
            let parsed = round.mechanism.parse_response(body).is_ok();
            parsed.then(|| ("body[\u{2026}]", "the body is an answer".to_owned()))
        }
        FailureReason::BadSignature => {
            let signature = failure.signature.as_deref().unwrap_or_default();
            let (signer, request_hash) = (failure.signed_by.as_deref(), &failure.request_hash);
            let found = wire::is_signed_by(&failure.hotkey, request_hash, body, signature, signer, verify_sr25519);
            found.map(|_| ("signature", "the signature verifies".to_owned()))
        }
        FailureReason::TooLarge => None,
    }
}
