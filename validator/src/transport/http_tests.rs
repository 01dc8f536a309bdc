//! Miners that misbehave on the wire: each is a real TCP peer that reads the request and then does what its row says.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::types::{Digest, Position, sha256};
use network::keys::Keypair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::super::LONGEST_DETAIL;
use super::*;

/// Enough on a busy machine.
const PLENTY: Duration = Duration::from_secs(60);

/// Enough for a head that is sent at once.
const LITTLE: Duration = Duration::from_secs(2);

/// What a peer does once it has the whole request.
#[derive(Clone)]
enum Then {
    /// Sends the bytes, closes.
    Send(Vec<u8>),
    /// Sends the bytes, then the others again and again without end.
    Repeat(Vec<u8>, Vec<u8>, Duration),
    /// Sends the bytes, then nothing more, and keeps the connection.
    Stall(Vec<u8>),
    /// Sends the bytes and cuts the connection with a reset.
    Reset(Vec<u8>),
}

struct Peer {
    address: String,
    heard: mpsc::Receiver<Vec<u8>>,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    async fn new(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (hear, heard) = mpsc::channel(8);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, then.clone(), hear.clone()));
            }
        });
        Self { address, heard, connections }
    }
}

async fn serve(mut stream: TcpStream, then: Then, hear: mpsc::Sender<Vec<u8>>) {
    let request = read_request(&mut stream).await;
    let _ = hear.send(request).await;
    match then {
        Then::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Then::Repeat(first, again, pause) => {
            let mut next = first;
            while stream.write_all(&next).await.is_ok() {
                next.clone_from(&again);
                tokio::time::sleep(pause).await;
            }
        }
        Then::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Then::Reset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger().unwrap();
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..count]);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            assert!(count > 0, "the request broke off");
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if request.len() >= end + 4 + length.unwrap_or(0) || count == 0 {
            return request;
        }
    }
}

fn miner() -> Keypair {
    Keypair::from_uri("//Miner").unwrap()
}

fn request(address: &str) -> TransportRequest {
    let validator = Keypair::from_uri("//Alice").unwrap();
    let body = br#"{"prompt":"why?"}"#.to_vec();
    let request_hash = sha256(&body);
    TransportRequest {
        hotkey: miner().hotkey(),
        address: address.to_owned(),
        body,
        kind: &domain::wire::INFERENCE,
        request_hash,
        validator: validator.hotkey(),
        receipt: domain::types::HexBytes(validator.sign(&domain::wire::request_message(&request_hash.0))),
        origin: "assay/0123456789abcdef/78/5Grw".to_owned(),
        challenge_id: "challenge-1".to_owned(),
        attempt: 2,
        position: Position(41),
        deadline: Micros(0),
        timeout: PLENTY,
    }
}

fn reply(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

fn signed(by: &str, signature: &str) -> Vec<u8> {
    reply(&format!("assay-hotkey: {by}\r\nassay-signature: {signature}\r\n"), "{}")
}

#[tokio::test]
async fn a_good_exchange_carries_the_receipt_and_brings_the_signature() {
    let body = r#"{"response_text":"because"}"#;
    let hash: Digest = sha256(br#"{"prompt":"why?"}"#);
    let signature = miner().sign(&domain::wire::response_message(&hash.0, &sha256(body.as_bytes()).0));
    let headers = format!("assay-hotkey: {}\r\nassay-signature: {}\r\n", miner().ss58(), hex::encode(signature));
    let mut peer = Peer::new(Then::Send(reply(&headers, body))).await;
    let transport = HttpTransport::new(true).unwrap();
    let asked = request(&peer.address);
    let before = now();
    let answer = transport.ask(asked.clone()).await.unwrap();
    let after = now();

    assert_eq!((answer.status, answer.body.as_slice()), (200, body.as_bytes()));
    assert_eq!(answer.signature.unwrap(), hex::encode(signature));
    assert_eq!(answer.signed_by, Some(miner().ss58()));
    assert!(before <= answer.sent_at && answer.sent_at < answer.received_at && answer.received_at <= after);

    let heard = String::from_utf8(peer.heard.recv().await.unwrap()).unwrap();
    let (head, sent) = heard.split_once("\r\n\r\n").unwrap();
    assert_eq!(sent.as_bytes(), asked.body);
    assert!(head.starts_with("POST /inference HTTP/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/json".to_owned(),
        "assay-origin: assay/0123456789abcdef/78/5Grw".to_owned(),
        "assay-round: challenge-1/2".to_owned(),
        "assay-position: 41".to_owned(),
        "te: trailers".to_owned(),
        "connection: te".to_owned(),
        format!("validator-hotkey: {}", asked.validator),
        format!("assay-signature: {}", asked.receipt),
    ] {
        assert!(head.lines().any(|got| got == line), "{line} is not in\n{head}");
    }
    let public = asked.validator.public().unwrap();
    assert!(network::keys::verify(&public, &domain::wire::request_message(&hash.0), &asked.receipt.0));
}

#[tokio::test]
async fn an_unsigned_answer_is_an_answer() {
    let peer = Peer::new(Then::Send(reply("", "{}"))).await;
    let answer = HttpTransport::new(true).unwrap().ask(request(&peer.address)).await.unwrap();
    assert_eq!((answer.signature, answer.signed_by), (None, None));
}

#[tokio::test]
async fn a_connection_is_used_once() {
    // The peer would keep it open.
    let peer = Peer::new(Then::Stall(reply("", "{}"))).await;
    let transport = HttpTransport::new(true).unwrap();
    for asked in 1..=3 {
        transport.ask(request(&peer.address)).await.unwrap();
        assert_eq!(peer.connections.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn hostile_peers() {
    use FailureReason::{Protocol, Refused, TimedOut, TooLarge, Unreachable};
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
    let long = "a".repeat(LARGEST_ANSWER + 1);
    let header = format!("x: {}\r\n", "a".repeat(1000)).into_bytes();
    let chunk = |size: usize| [format!("{size:x}\r\n").into_bytes(), vec![b'a'; size], b"\r\n".to_vec()].concat();
    let chunked = ok("transfer-encoding: chunked\r\n\r\n");
    let rows: Vec<(&str, Then, FailureReason, u16, &str)> = vec![
        (
            "never-ending body",
            Then::Repeat(chunked.clone(), chunk(65_536), Duration::ZERO),
            TooLarge,
            200,
            "more than 1048576",
        ),
        (
            "body without a length",
            Then::Repeat(ok("\r\n"), vec![b'a'; 65_536], Duration::ZERO),
            TooLarge,
            200,
            "more than",
        ),
        ("one byte too many", Then::Send(reply("", &long)), TooLarge, 200, "announces 1048577"),
        (
            "announces all the memory",
            Then::Stall(ok("content-length: 9999999999999\r\n\r\n")),
            TooLarge,
            200,
            "announces",
        ),
        ("slow head", Then::Repeat(b"H".to_vec(), b"".to_vec(), Duration::from_millis(5)), TimedOut, 0, "2000 ms"),
        (
            "slow headers",
            Then::Repeat(ok(""), b"a: b\r\n".to_vec(), Duration::from_millis(100)),
            TimedOut,
            0,
            "2000 ms",
        ),
        ("slow body", Then::Repeat(chunked.clone(), chunk(1), Duration::from_millis(100)), TimedOut, 200, "2000 ms"),
        ("silence", Then::Stall(Vec::new()), TimedOut, 0, "2000 ms"),
        ("stops in the body", Then::Stall(ok("content-length: 9\r\n\r\nabc")), TimedOut, 200, "2000 ms"),
        ("never-ending headers", Then::Repeat(ok(""), header, Duration::ZERO), Protocol, 0, ""),
        ("no http", Then::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Protocol, 0, ""),
        (
            "chunk that is no chunk",
            Then::Send([chunked.clone(), b"zz\r\n".to_vec()].concat()),
            Protocol,
            200,
            "broke off",
        ),
        (
            "chunk size overflow",
            Then::Send([chunked, b"fffffffffffffffff\r\n".to_vec()].concat()),
            Protocol,
            200,
            "broke off",
        ),
        ("body cut short", Then::Send(ok("content-length: 9\r\n\r\nabc")), Protocol, 200, "broke off after 3 bytes"),
        ("two lengths", Then::Send(ok("content-length: 1\r\ncontent-length: 2\r\n\r\nab")), Protocol, 0, ""),
        ("reset at once", Then::Reset(Vec::new()), Unreachable, 0, ""),
        ("reset in the body", Then::Reset(ok("content-length: 9\r\n\r\nabc")), Protocol, 200, "broke off"),
        ("closed at once", Then::Send(Vec::new()), Unreachable, 0, ""),
        (
            "redirect",
            Then::Send(b"HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec()),
            Refused,
            307,
            "redirect, which is not followed",
        ),
        ("busy", Then::Send(b"HTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\nbusy".to_vec()), Refused, 503, "status 503"),
        ("no content", Then::Send(b"HTTP/1.1 204 x\r\n\r\n".to_vec()), Refused, 204, "status 204"),
    ];
    let transport = HttpTransport::new(true).unwrap();
    let check = async |(name, then, reason, status, detail): (&str, Then, FailureReason, u16, &str)| {
        let peer = Peer::new(then).await;
        // Only those that are to time out are given little time.
        let given = if reason == TimedOut { LITTLE } else { PLENTY };
        let error = transport.ask(TransportRequest { timeout: given, ..request(&peer.address) }).await.expect_err(name);
        assert_eq!((error.reason, error.status), (reason, status), "{name}: {error:?}");
        assert!(error.detail.contains(detail) && !error.detail.is_empty(), "{name}: {:?}", error.detail);
        assert!(error.detail.chars().count() <= LONGEST_DETAIL && error.body.len() <= LARGEST_FAILED_BODY, "{name}");
        assert!(error.sent_at <= error.failed_at && error.sent_at > Micros(0), "{name}");
        assert_eq!(peer.connections.load(Ordering::SeqCst), 1, "{name}: asked once, never again");
    };
    let started = Instant::now();
    futures::future::join_all(rows.into_iter().map(check)).await;
    assert!(started.elapsed() < PLENTY, "nothing hung: {:?}", started.elapsed());
}

/// Whether they are a signature of the miner that was asked is judged elsewhere.
#[tokio::test]
async fn what_an_answer_says_of_its_signature_is_passed_on_as_it_is() {
    let (own, other) = (miner().ss58(), Keypair::from_uri("//Other").unwrap().ss58());
    let transport = HttpTransport::new(true).unwrap();
    for (hotkey, signature, hotkey_text) in [
        (other.clone(), "ab".repeat(64), other.clone()),
        (own.clone(), "no hex".to_owned(), own.clone()),
        (format!("{own}\r\nassay-hotkey: {other}"), "ab".repeat(64), format!("{own}, {other}")),
    ] {
        let peer = Peer::new(Then::Send(signed(&hotkey, &signature))).await;
        let answer = transport.ask(request(&peer.address)).await.unwrap();
        assert_eq!((answer.signature, answer.signed_by), (Some(signature), Some(hotkey_text)));
    }
}

#[tokio::test]
async fn what_was_received_is_kept_up_to_its_limit() {
    let transport = HttpTransport::new(true).unwrap();
    let long = "x".repeat(10_000);
    let refused = format!("HTTP/1.1 500 x\r\ncontent-length: {}\r\n\r\n{long}", long.len()).into_bytes();
    let chunked =
        format!("HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n2710\r\n{long}\r\n0\r\n\r\n").into_bytes();
    for bytes in [chunked, refused] {
        let peer = Peer::new(Then::Send(bytes)).await;
        let error = transport.ask(request(&peer.address)).await.unwrap_err();
        assert_eq!((error.reason, error.status, error.body.len()), (FailureReason::Refused, 500, LARGEST_FAILED_BODY));
    }
}

#[tokio::test]
async fn addresses_that_may_not_be_asked() {
    let peer = Peer::new(Then::Send(reply("", "{}"))).await;
    let public = HttpTransport::new(false).unwrap();
    let local = HttpTransport::new(true).unwrap();
    let error = public.ask(request(&peer.address)).await.unwrap_err();
    assert_eq!(error.reason, FailureReason::ForbiddenAddress);
    assert_eq!(error.detail, "address 127.0.0.1 is in a range that a miner may not name: loopback");
    assert!(public.available(&miner().hotkey(), &peer.address, Duration::from_secs(1)).await.is_err());
    let port = peer.address.rsplit(':').next().unwrap();
    for address in [
        format!("http://localhost:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/path"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}@10.0.0.1"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        "http://169.254.169.254:80".to_owned(),
        "http://127.0.0.1:0".to_owned(),
        String::new(),
    ] {
        let error = local.ask(request(&address)).await.expect_err(&address);
        assert_eq!(error.reason, FailureReason::ForbiddenAddress, "{address}");
    }
    assert_eq!(peer.connections.load(Ordering::SeqCst), 0, "nobody was connected to");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let transport = HttpTransport::new(true).unwrap();
    let error = transport.ask(request(&address)).await.unwrap_err();
    assert_eq!((error.reason, error.status), (FailureReason::Unreachable, 0));
    assert!(error.detail.contains("refused"), "{}", error.detail);
    assert!(!error.detail.contains("127.0.0.1"), "{}", error.detail);
}

#[tokio::test]
async fn availability_is_believed_only_when_it_is_said() {
    let transport = HttpTransport::new(true).unwrap();
    let rows: Vec<(Vec<u8>, Option<&str>)> = vec![
        (reply("", r#"{"available":true,"more":1}"#), None),
        (
            reply("", r#"{"available":false,"reason":"Miner\u0007initializing"}"#),
            Some("says that it is not: Miner initializing"),
        ),
        (reply("", r#"{"available":1}"#), Some("not understood")),
        (reply("", r#"{"available":"true"}"#), Some("not understood")),
        (reply("", "{}"), Some("not understood")),
        (reply("", "<html>"), Some("not understood")),
        (reply("", &format!(r#"{{"available":true,"x":"{}"}}"#, "a".repeat(5000))), Some("the limit is 4096")),
        (b"HTTP/1.1 302 x\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".to_vec(), Some("status 302")),
        (b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n".to_vec(), Some("status 404")),
    ];
    for (bytes, expected) in rows {
        let mut peer = Peer::new(Then::Send(bytes)).await;
        let outcome = transport.available(&miner().hotkey(), &peer.address, PLENTY).await;
        match expected {
            None => assert!(outcome.unwrap() > Duration::ZERO),
            Some(part) => assert!(outcome.as_ref().unwrap_err().contains(part), "{part}: {outcome:?}"),
        }
        assert!(peer.heard.recv().await.unwrap().starts_with(b"GET /availability HTTP/1.1\r\n"));
    }
    let silent = Peer::new(Then::Stall(Vec::new())).await;
    let outcome = transport.available(&miner().hotkey(), &silent.address, Duration::from_millis(200)).await;
    assert_eq!(outcome.unwrap_err(), "no answer within 200 ms");
}

/// Bytes that come in two pieces with a pause between them.
async fn in_two(first: &'static str, pause: Duration, second: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(first.as_bytes()).await.unwrap();
        tokio::time::sleep(pause).await;
        stream.write_all(second.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    address
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n";

#[tokio::test]
async fn a_signature_may_come_behind_the_answer() {
    let transport = HttpTransport::new(true).unwrap();
    let rest = "4\r\n\":1}\r\n0\r\nassay-hotkey: me\r\nx: y\r\nassay-signature: ab\r\n\r\n".to_owned();
    let pause = Duration::from_millis(300);
    let answer = transport.ask(request(&in_two(CHUNKED, pause, rest).await)).await.unwrap();
    assert_eq!(answer.body, br#"{"a":1}"#);
    assert_eq!((answer.signature.as_deref(), answer.signed_by.as_deref()), (Some("ab"), Some("me")));
    let micros = |from: Micros, to: Micros| to.0 - from.0;
    assert!(answer.first_byte_at >= answer.sent_at);
    assert!(micros(answer.first_byte_at, answer.received_at) >= 250_000, "{answer:?}");

    // What the head says stands.
    let head = "HTTP/1.1 200 OK\r\nassay-signature: cd\r\ntransfer-encoding: chunked\r\n\r\n";
    let rest = "2\r\n{}\r\n0\r\nassay-signature: ab\r\n\r\n".to_owned();
    let answer = transport.ask(request(&in_two(head, Duration::ZERO, rest).await)).await.unwrap();
    assert_eq!((answer.signature.as_deref(), answer.signed_by), (Some("cd"), None));
}

#[tokio::test]
async fn trailers_have_an_end() {
    let transport = HttpTransport::new(true).unwrap();
    for rest in [
        format!("0\r\nassay-signature: {}\r\n\r\n", "a".repeat(100_000)),
        format!("0\r\n{}\r\n", "x: y\r\n".repeat(10_000)),
        "0\r\nassay-signature: ab\r\n".to_owned(),
        "0\r\nno field\r\n\r\n".to_owned(),
    ] {
        let error = transport.ask(request(&in_two(CHUNKED, Duration::ZERO, rest).await)).await.unwrap_err();
        assert_eq!(error.reason, FailureReason::Protocol, "{error:?}");
    }
}

#[tokio::test]
async fn a_text_counts_only_where_it_was_streamed() {
    let transport = HttpTransport::new(true).unwrap();
    let check = async |kind, content_type: &str, body: &str, expected: bool| {
        let headers = if content_type.is_empty() { String::new() } else { format!("content-type: {content_type}\r\n") };
        let peer = Peer::new(Then::Send(reply(&headers, body))).await;
        let answer = transport.ask(TransportRequest { kind, ..request(&peer.address) }).await;
        assert_eq!(answer.is_ok(), expected, "{content_type}: {body}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!((error.reason, error.status), (FailureReason::Protocol, 200));
            assert_eq!(error.body, body.as_bytes(), "a person can look at it");
        }
    };
    let (page, text) = ("<html>Welcome to nginx!</html>", "Tweets say: go");
    let twitter = &domain::twitter::task::KIND;
    for content_type in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
        check(twitter, content_type, text, true).await;
    }
    for content_type in ["text/html", "text/plain", "application/json", "text/event-streams", ""] {
        check(twitter, content_type, text, false).await;
        check(twitter, content_type, page, false).await;
        check(twitter, content_type, " {\"completion\":\"\"}", true).await;
    }
    // Where nothing is streamed the round judges what came.
    check(&domain::wire::INFERENCE, "text/html", page, true).await;
}
