//! What is recorded of one miner's answer. Pure: from the exchange to exactly one of two events.

use std::time::Duration;

use domain::events::{ChallengeIssued, FailureReason, ResponseFailed, ResponseReceived};
use domain::mechanism::Mechanism;
use domain::types::{Block, Micros, Signature};
use domain::wire;

use crate::transport::{LARGEST_ANSWER, LARGEST_FAILED_BODY, TransportError, TransportReply};

/// A usable answer or a failure.
pub(crate) type Verdict = Result<Box<ResponseReceived>, Box<ResponseFailed>>;

/// What came of the exchange that an issue announced.
pub(crate) fn of(
    issued: &ChallengeIssued,
    exchange: Result<TransportReply, TransportError>,
    mechanism: &dyn Mechanism,
) -> Verdict {
    let reply = match exchange {
        Ok(reply) => in_order(reply),
        Err(error) => return Err(Box::new(failure(issued, error))),
    };
    match objection(issued, &reply, mechanism) {
        None => Ok(Box::new(received(issued, reply))),
        Some((reason, detail)) => Err(Box::new(failure(
            issued,
            TransportError {
                reason,
                detail,
                status: reply.status,
                body: reply.body,
                signature: reply.signature,
                signed_by: reply.signed_by,
                sent_at: reply.sent_at,
                failed_at: reply.received_at,
            },
        ))),
    }
}

/// The failure of an exchange that the transport did not end in time.
pub(crate) fn overdue(issued: &ChallengeIssued, sent_at: Micros, failed_at: Micros) -> Verdict {
    let error = TransportError {
        reason: FailureReason::TimedOut,
        detail: "no complete answer at the deadline".to_owned(),
        status: 0,
        body: Vec::new(),
        signature: None,
        signed_by: None,
        sent_at,
        failed_at,
    };
    Err(Box::new(failure(issued, error)))
}

/// Times in the order in which they were read, also where the system's clock was set back meanwhile.
fn in_order(reply: TransportReply) -> TransportReply {
    let first_byte_at = reply.first_byte_at.max(reply.sent_at);
    TransportReply { first_byte_at, received_at: reply.received_at.max(first_byte_at), ..reply }
}

/// The deadline decides what is a time-out, as an auditor sees it: whatever failed after it is one. And a time-out is none before it: the
/// wait is measured by a clock that nobody sets, the record by one that may be set back.
fn by_the_deadline(issued: &ChallengeIssued, error: TransportError) -> TransportError {
    let failed_at = error.failed_at.max(error.sent_at);
    let late = failed_at.0.saturating_sub(issued.deadline.0) / 1000;
    match error.reason {
        FailureReason::TimedOut => TransportError { failed_at: failed_at.max(issued.deadline), ..error },
        _ if failed_at > issued.deadline => {
            let detail = format!("{late} ms after the deadline: {}", error.detail);
            TransportError { reason: FailureReason::TimedOut, detail, failed_at, ..error }
        }
        _ => TransportError { failed_at, ..error },
    }
}

/// Why a complete answer is not usable.
fn objection(
    issued: &ChallengeIssued,
    reply: &TransportReply,
    mechanism: &dyn Mechanism,
) -> Option<(FailureReason, String)> {
    if reply.received_at > issued.deadline {
        let late = Duration::from_micros(reply.received_at.0 - issued.deadline.0);
        return Some((FailureReason::TimedOut, format!("complete {} ms after the deadline", late.as_millis())));
    }
    if reply.status != 200 {
        return Some((FailureReason::Refused, format!("status {}", reply.status)));
    }
    if reply.body.len() > LARGEST_ANSWER {
        return Some((FailureReason::TooLarge, format!("more than {LARGEST_ANSWER} bytes")));
    }
    if reply.signature.is_some() && signature(issued, reply).is_none() {
        let signer = reply.signed_by.as_deref().filter(|signer| *signer != issued.hotkey.as_str());
        let detail = signer.map_or_else(|| "it does not verify".to_owned(), |signer| format!("it is of {signer}"));
        return Some((FailureReason::BadSignature, format!("no signature of the miner that was asked: {detail}")));
    }
    mechanism.parse_response(&reply.body).err().map(|problem| (FailureReason::Malformed, problem))
}

/// The signature that came with an answer, if it is the asked miner's.
fn signature(issued: &ChallengeIssued, reply: &TransportReply) -> Option<Signature> {
    let text = reply.signature.as_deref()?;
    let signed_by = reply.signed_by.as_deref();
    wire::is_signed_by(&issued.hotkey, &issued.request_hash, &reply.body, text, signed_by, network::keys::verify)
}

fn received(issued: &ChallengeIssued, reply: TransportReply) -> ResponseReceived {
    let elapsed_ms = reply.received_at.0.saturating_sub(reply.sent_at.0) / 1000;
    ResponseReceived {
        challenge_id: issued.challenge_id.clone(),
        attempt: issued.attempt,
        hotkey: issued.hotkey,
        address: issued.address.clone(),
        dialect: issued.dialect.clone(),
        status: reply.status,
        sent_at: reply.sent_at,
        first_byte_at: reply.first_byte_at,
        received_at: reply.received_at,
        response_time_ms: u32::try_from(elapsed_ms).unwrap_or(u32::MAX),
        request_hash: issued.request_hash,
        signature: signature(issued, &reply),
        body: Block::new(reply.body),
    }
}

fn failure(issued: &ChallengeIssued, error: TransportError) -> ResponseFailed {
    let error = by_the_deadline(issued, error);
    let mut body = error.body;
    body.truncate(LARGEST_FAILED_BODY);
    ResponseFailed {
        challenge_id: issued.challenge_id.clone(),
        attempt: issued.attempt,
        hotkey: issued.hotkey,
        reason: error.reason,
        detail: short(&error.detail),
        sent_at: error.sent_at,
        failed_at: error.failed_at,
        status: error.status,
        request_hash: issued.request_hash,
        signature: error.signature.as_deref().map(cut),
        signed_by: error.signed_by.as_deref().map(cut),
        body: Block::new(body),
    }
}

/// Header texts are recorded up to a length.
fn cut(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Details come from miners and libraries: a few hundred characters, no controls.
pub(crate) fn short(detail: &str) -> String {
    const LONGEST: usize = 300;
    detail.chars().map(|character| if character.is_control() { ' ' } else { character }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use domain::types::sha256;
    use domain::types::{Hotkey, Signature};
    use network::keys::Keypair;

    fn issued(miner: Hotkey) -> ChallengeIssued {
        ChallengeIssued {
            challenge_id: "c1".into(),
            attempt: 1,
            hotkey: miner,
            address: "http://127.0.0.1:1".into(),
            dialect: wire::Dialect::Http.name().into(),
            request_hash: sha256(b"request"),
            nonce: "00".into(),
            deadline: Micros(1_000_000),
            receipt: domain::types::HexBytes([0; 64]),
        }
    }

    fn reply(body: &[u8]) -> TransportReply {
        let (sent_at, received_at) = (Micros(1_999), Micros(500_000));
        let (signature, signed_by, first_byte_at) = (None, None, Micros(2_000));
        TransportReply { status: 200, body: body.to_vec(), signature, signed_by, sent_at, first_byte_at, received_at }
    }

    fn sign(miner: &Keypair, body: &[u8]) -> Signature {
        let message = wire::response_message(&sha256(b"request").0, &sha256(body).0);
        domain::types::HexBytes(miner.sign(&message))
    }

    const BODY: &[u8] = br#"{"response_text":"an answer","response_time_ms":3}"#;

    #[test]
    fn each_answer_becomes_one_event() {
        type Change = fn(&mut TransportReply, &Keypair, &Keypair);
        let rows: [(&str, Change, Option<FailureReason>); 10] = [
            ("unsigned", |_, _, _| {}, None),
            ("signed", |reply, miner, _| reply.signature = Some(sign(miner, BODY).to_string()), None),
            (
                "signed, and says by whom",
                |reply, miner, _| {
                    reply.signature = Some(sign(miner, BODY).to_string());
                    reply.signed_by = Some(miner.ss58());
                },
                None,
            ),
            (
                "signed by another",
                |reply, _, other| reply.signature = Some(sign(other, BODY).to_string()),
                Some(FailureReason::BadSignature),
            ),
            (
                "names another signer",
                |reply, miner, other| {
                    reply.signature = Some(sign(miner, BODY).to_string());
                    reply.signed_by = Some(other.ss58());
                },
                Some(FailureReason::BadSignature),
            ),
            ("no hex", |reply, _, _| reply.signature = Some("0xnothing".to_owned()), Some(FailureReason::BadSignature)),
            ("late", |reply, _, _| reply.received_at = Micros(1_000_001), Some(FailureReason::TimedOut)),
            ("refused", |reply, _, _| reply.status = 503, Some(FailureReason::Refused)),
            ("too large", |reply, _, _| reply.body = vec![b' '; LARGEST_ANSWER + 1], Some(FailureReason::TooLarge)),
            ("malformed", |reply, _, _| reply.body = b"no json".to_vec(), Some(FailureReason::Malformed)),
        ];
        let mechanism = crate::tests_support::readme();
        let (miner, other) = (Keypair::from_uri("//miner").unwrap(), Keypair::from_uri("//other").unwrap());
        for (name, change, expected) in rows {
            let issued = issued(miner.hotkey());
            let mut reply = reply(BODY);
            change(&mut reply, &miner, &other);
            match (of(&issued, Ok(reply), mechanism.as_ref()), expected) {
                (Ok(response), None) => {
                    assert_eq!(response.response_time_ms, 498, "{name}: cut, not rounded");
                    assert_eq!(response.body.bytes(), BODY, "{name}");
                    assert_eq!(response.request_hash, issued.request_hash, "{name}");
                }
                (Err(failure), Some(reason)) => {
                    assert_eq!(failure.reason, reason, "{name}");
                    assert!(failure.body.bytes().len() <= LARGEST_FAILED_BODY, "{name}");
                    assert!(!failure.detail.is_empty(), "{name}");
                }
                (verdict, _) => panic!("{name}: {verdict:?}"),
            }
        }
    }

    #[test]
    fn the_deadline_decides_what_is_a_time_out() {
        use FailureReason::{ForbiddenAddress, Protocol, Refused, TimedOut, Unreachable};
        let (miner, mechanism) = (Keypair::from_uri("//miner").unwrap(), crate::tests_support::readme());
        let issued = issued(miner.hotkey());
        for (reason, failed_at, expected, recorded_at) in [
            (Refused, 1_000_000, Refused, 1_000_000),
            (Refused, 1_054_000, TimedOut, 1_054_000),
            (Protocol, 1_000_001, TimedOut, 1_000_001),
            (Unreachable, 3_000_000, TimedOut, 3_000_000),
            (ForbiddenAddress, 1_200_000, TimedOut, 1_200_000),
            (Unreachable, 999_999, Unreachable, 999_999),
            // The clock was set back by half a second, and by more than the exchange took.
            (TimedOut, 500_000, TimedOut, 1_000_000),
            (TimedOut, 1_000_100, TimedOut, 1_000_100),
            (Refused, 7, Refused, 1_999),
        ] {
            let (status, detail, body) = (u16::from(reason == Refused) * 503, "why".to_owned(), b"no".to_vec());
            let (signature, signed_by, sent_at) = (None, None, Micros(1_999));
            let failed_at = Micros(failed_at);
            let error = TransportError { reason, detail, status, body, signature, signed_by, sent_at, failed_at };
            let failure = of(&issued, Err(error), mechanism.as_ref()).unwrap_err();
            assert_eq!((failure.reason, failure.failed_at), (expected, Micros(recorded_at)), "{reason:?} {failed_at}");
            assert!(failure.detail.ends_with("why"), "{}", failure.detail);
        }
    }

    #[test]
    fn times_stay_in_order_where_the_clock_is_set_back() {
        let (miner, mechanism) = (Keypair::from_uri("//miner").unwrap(), crate::tests_support::readme());
        let reply = TransportReply { first_byte_at: Micros(900), received_at: Micros(1_200), ..reply(BODY) };
        let response = of(&issued(miner.hotkey()), Ok(reply), mechanism.as_ref()).unwrap();
        assert_eq!((response.first_byte_at, response.received_at), (Micros(1_999), Micros(1_999)));
        assert_eq!(response.response_time_ms, 0);
    }

    #[test]
    fn details_are_short_and_printable() {
        assert_eq!(short("a\0b\nc"), "a b c");
        assert_eq!(short(&"é".repeat(1000)).chars().count(), 300);
    }
}
