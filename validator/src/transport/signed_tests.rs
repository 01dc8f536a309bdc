#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Each dialect towards a server of it on loopback: which bytes the miner reads, what is recorded, and how it can fail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axon::endpoint::{Admitted, Answered, Asked, everybody};
use axon::epistula::EpistulaServer;
use axon::fiber::FiberServer;
use axon::loosh::LooshServer;
use axon::{AxonLimits, HandlerError};
use domain::types::{HexBytes, Micros, Position, sha256};
use network::fiber::loosh::server::Signatures;
use network::fiber::rsa_key::MinerKey;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const PLENTY: Duration = Duration::from_secs(20);
const SIGNED: [Dialect; 4] = [Dialect::FiberPlain, Dialect::FiberEncrypted, Dialect::FiberLoosh, Dialect::Epistula];

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

/// What a miner does with what it heard.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Answers,
    Refuses,
    Nothing,
    TooMuch,
    SignsAsAnother,
    /// Answers a text under this content type.
    Tells(&'static str),
}

/// A miner of all four dialects.
struct Peer {
    address: String,
    heard: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    async fn start(dialect: Dialect, does: Does, admitted: Admitted) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), dialect, does, admitted).await
    }

    async fn at(address: SocketAddr, dialect: Dialect, does: Does, admitted: Admitted) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let endpoint = move |asked: Asked| {
            kept.lock().unwrap().push(asked.clone());
            act(does, asked)
        };
        let (own, limits, clock) = (key("Bob"), AxonLimits::default(), Clock::system());
        let rsa = || MinerKey::generate().unwrap();
        let path = format!("/{}", domain::wire::INFERENCE.name);
        let router = match dialect {
            Dialect::FiberLoosh => {
                let (side, signatures) = (network::fiber::loosh::Dialect::Miner, Signatures::Required);
                LooshServer::new(own.hotkey(), side, signatures, rsa(), admitted, limits, clock)
                    .challenges(endpoint)
                    .into_router()
            }
            Dialect::Epistula => {
                let signer = if does == Does::SignsAsAnother { key("Eve") } else { own.clone() };
                let server = EpistulaServer::new(signer, admitted, limits, clock);
                server.endpoint(&path, endpoint).into_router().unwrap()
            }
            _ => FiberServer::new(own.hotkey(), rsa(), admitted, limits, clock)
                .endpoint(&path, endpoint)
                .into_router()
                .unwrap(),
        };
        let listener = loop {
            // The port of a peer before comes free a moment later.
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let address = format!("http://{}", listener.local_addr().unwrap());
        let limits = AxonLimits::default().serving;
        let task = tokio::spawn(serving::serve(listener, router, limits, std::future::pending()));
        Self { address, heard, task }
    }
}

async fn act(does: Does, asked: Asked) -> Result<Answered, HandlerError> {
    match does {
        Does::Nothing => std::future::pending().await,
        Does::Refuses => Err(HandlerError::Refused { status: 503, message: "busy".to_owned() }),
        Does::Tells(content_type) => {
            let mut answered = Answered::from(b"Tweets say: go".to_vec());
            answered.headers.insert("content-type", content_type.parse().unwrap());
            Ok(answered)
        }
        Does::TooMuch => Ok(vec![b' '; LARGEST_ANSWER + 1].into()),
        Does::Answers | Does::SignsAsAnother => {
            let body = br#"{"response_text":"because"}"#.to_vec();
            let message = domain::wire::response_message(&sha256(&asked.payload).0, &sha256(&body).0);
            let mut answered = Answered::from(body);
            answered.headers.insert(header::HOTKEY, key("Bob").ss58().parse().unwrap());
            let signature = hex::encode(key("Bob").sign(&message));
            answered.headers.insert(header::SIGNATURE, signature.parse().unwrap());
            Ok(answered)
        }
    }
}

fn transport(dialect: Dialect) -> SignedTransport {
    SignedTransport::new(dialect, key("Alice"), true).unwrap()
}

fn request(address: &str) -> TransportRequest {
    let body = br#"{"prompt":"why?","assay":{"position":41},"nonce":"0123"}"#.to_vec();
    let request_hash = sha256(&body);
    TransportRequest {
        hotkey: key("Bob").hotkey(),
        address: address.to_owned(),
        body,
        kind: &domain::wire::INFERENCE,
        request_hash,
        validator: key("Alice").hotkey(),
        receipt: HexBytes(key("Alice").sign(&domain::wire::request_message(&request_hash.0))),
        origin: "assay/0123456789abcdef/78/5Grw".to_owned(),
        challenge_id: "challenge-1".to_owned(),
        attempt: 2,
        position: Position(41),
        deadline: Micros(0),
        timeout: PLENTY,
    }
}

#[tokio::test]
async fn the_miner_reads_the_recorded_bytes_and_signs_them() {
    for dialect in SIGNED {
        let (peer, transport) = (Peer::start(dialect, Does::Answers, everybody()).await, transport(dialect));
        assert_eq!(transport.dialect(), dialect);
        for _ in 0..2 {
            let (asked, before) = (request(&peer.address), now());
            let answer = transport.ask(asked.clone()).await.unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (200, &br#"{"response_text":"because"}"#[..]));
            assert!(before <= answer.sent_at && answer.sent_at < answer.first_byte_at, "{dialect:?} {answer:?}");
            assert!(answer.first_byte_at <= answer.received_at && answer.received_at <= now(), "{dialect:?}");
            let signature = answer.signature.unwrap();
            let signer = answer.signed_by.as_deref();
            let (hash, verify) = (&asked.request_hash, network::keys::verify);
            let valid = domain::wire::is_signed_by(&asked.hotkey, hash, &answer.body, &signature, signer, verify);
            assert!(valid.is_some(), "{dialect:?}");
            let heard = peer.heard.lock().unwrap().pop().unwrap();
            assert_eq!((heard.payload.as_ref(), heard.hotkey), (asked.body.as_slice(), asked.validator), "{dialect:?}");
            for (name, value) in receipt(&asked) {
                assert_eq!(heard.headers.get(name).unwrap().to_str().unwrap(), value, "{dialect:?} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_question_outside_of_any_ledger_names_no_place() {
    let peer = Peer::start(Dialect::FiberPlain, Does::Answers, everybody()).await;
    let asked = TransportRequest { origin: String::new(), ..request(&peer.address) };
    transport(Dialect::FiberPlain).ask(asked).await.unwrap();
    let heard = peer.heard.lock().unwrap().pop().unwrap();
    assert!(heard.headers.contains_key(header::SIGNATURE) && heard.headers.contains_key(header::VALIDATOR_HOTKEY));
    assert!([header::ORIGIN, header::ROUND, header::POSITION].iter().all(|name| !heard.headers.contains_key(*name)));
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_the_words_of_the_record() {
    for dialect in SIGNED {
        let rows = [
            (Does::Refuses, FailureReason::Refused, 503),
            (Does::TooMuch, FailureReason::TooLarge, 200),
            (Does::Nothing, FailureReason::TimedOut, 0),
        ];
        for (does, expected, status) in rows {
            let peer = Peer::start(dialect, does, everybody()).await;
            let timeout = if does == Does::Nothing { Duration::from_millis(900) } else { PLENTY };
            let asked = TransportRequest { timeout, ..request(&peer.address) };
            let before = now();
            let error = transport(dialect).ask(asked).await.unwrap_err();
            assert_eq!((error.reason, error.status), (expected, status), "{dialect:?} {error:?}");
            assert!(error.body.len() <= LARGEST_FAILED_BODY && error.detail.len() <= 300, "{dialect:?}");
            assert!(before <= error.sent_at && error.sent_at < error.failed_at, "{dialect:?} {error:?}");
            if does == Does::Refuses {
                assert!(String::from_utf8_lossy(&error.body).contains("busy"), "{dialect:?} {error:?}");
            }
        }
        let strangers: Admitted = Arc::new(|_| None);
        let peer = Peer::start(dialect, Does::Answers, strangers).await;
        let error = transport(dialect).ask(request(&peer.address)).await.unwrap_err();
        assert_eq!(error.reason, FailureReason::Refused, "{dialect:?} {error:?}");
        assert!(matches!(error.status, 401 | 403), "{dialect:?} {error:?}");
        let other = TransportRequest { hotkey: key("Charlie").hotkey(), ..request(&peer.address) };
        assert_eq!(transport(dialect).ask(other).await.unwrap_err().reason, FailureReason::Refused);
        assert!(peer.heard.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn nothing_is_sent_where_it_must_not_go() {
    for dialect in SIGNED {
        for address in ["http://localhost:80", "https://127.0.0.1:80", "http://127.0.0.1:80/x", "127.0.0.1:80", ""] {
            let error = transport(dialect).ask(request(address)).await.unwrap_err();
            assert_eq!((error.reason, error.status), (FailureReason::ForbiddenAddress, 0), "{address}");
        }
        let public = SignedTransport::new(dialect, key("Alice"), false).unwrap();
        let error = public.ask(request("http://127.0.0.1:80")).await.unwrap_err();
        assert_eq!(error.reason, FailureReason::ForbiddenAddress);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = transport(dialect).ask(request(&format!("http://{free}"))).await.unwrap_err();
        assert_eq!((error.reason, error.status), (FailureReason::Unreachable, 0), "{dialect:?} {error:?}");
    }
    assert!(SignedTransport::new(Dialect::Axon, key("Alice"), true).is_err());
}

#[tokio::test]
async fn a_miner_that_started_anew_is_brought_a_key_once_more() {
    for dialect in [Dialect::FiberEncrypted, Dialect::FiberLoosh] {
        let (first, transport) = (Peer::start(dialect, Does::Answers, everybody()).await, transport(dialect));
        let address = first.address.clone();
        transport.ask(request(&address)).await.unwrap();
        drop(first);
        let at = address.trim_start_matches("http://").parse().unwrap();
        let again = Peer::at(at, dialect, Does::Answers, everybody()).await;
        transport.ask(request(&address)).await.unwrap();
        assert_eq!(again.heard.lock().unwrap().len(), 1, "{dialect:?}");
    }
}

#[tokio::test]
async fn an_answer_under_anothers_epistula_signature_is_none() {
    let peer = Peer::start(Dialect::Epistula, Does::SignsAsAnother, everybody()).await;
    // Who signs as Eve listens for Eve.
    let asked = TransportRequest { hotkey: key("Eve").hotkey(), ..request(&peer.address) };
    assert!(transport(Dialect::Epistula).ask(asked).await.is_ok());
    let asked = request(&peer.address);
    assert_eq!(transport(Dialect::Epistula).ask(asked).await.unwrap_err().reason, FailureReason::Refused);
    let reply = Reply {
        status: 200,
        headers: Default::default(),
        body: Default::default(),
        sent_at: Micros(1),
        first_byte_at: Micros(2),
        received_at: Micros(3),
    };
    let error = failed(forged(reply));
    assert_eq!((error.reason, error.status, error.sent_at), (FailureReason::Protocol, 200, Micros(1)));
}

#[tokio::test]
async fn availability_is_asked_where_the_dialect_has_it() {
    for dialect in SIGNED {
        let (peer, transport) = (Peer::start(dialect, Does::Answers, everybody()).await, transport(dialect));
        let hotkey = key("Bob").hotkey();
        let asked = transport.available(&hotkey, &peer.address, PLENTY).await;
        // These servers have no such route; only Loosh's miners must have it.
        assert_eq!(asked.is_ok(), dialect != Dialect::FiberLoosh, "{dialect:?} {asked:?}");
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(transport.available(&hotkey, &format!("http://{free}"), PLENTY).await.is_err());
    }
}

#[tokio::test]
async fn a_text_counts_only_where_it_was_streamed() {
    for dialect in SIGNED {
        for (content_type, streamed) in [("text/event-stream", true), ("text/html", false)] {
            let peer = Peer::start(dialect, Does::Tells(content_type), everybody()).await;
            let path = TransportRequest { kind: &STREAMED, ..request(&peer.address) };
            let answer = transport(dialect).ask(path).await;
            let expected = streamed && dialect != Dialect::FiberLoosh;
            assert_eq!(answer.is_ok(), expected, "{dialect:?} {content_type}: {answer:?}");
            assert!(answer.is_ok() || answer.unwrap_err().reason == FailureReason::Protocol);
        }
    }
}

/// A kind of the peer's one path, with streams.
const STREAMED: SynapseKind = SynapseKind { name: "Inference", required: &[], hashed: &[], streamed: true };
