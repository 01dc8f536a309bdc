#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Refusals in whatever form a proxy or a server gives them: what is recorded is what an auditor expects of their status.

use domain::types::{HexBytes, Micros, Position, sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every request with these bytes.
async fn peer(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 65_536]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

fn request(address: String, miner: Hotkey, validator: Hotkey) -> TransportRequest {
    let body = r#"{"prompt":"why"}"#;
    TransportRequest {
        hotkey: miner,
        address,
        request_hash: sha256(body.as_bytes()),
        body: body.into(),
        kind: &domain::wire::INFERENCE,
        validator,
        receipt: HexBytes([0; 64]),
        origin: "assay/g/78/5F".to_owned(),
        challenge_id: "c1".to_owned(),
        attempt: 1,
        position: Position(1),
        deadline: Micros(u64::MAX),
        timeout: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn a_refusal_is_one_in_every_form() {
    let head = |status: &str, kind: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    let (miner, own) = (Keypair::from_uri("//miner").unwrap(), Keypair::from_uri("//validator").unwrap());
    for (name, answer, expected) in [
        ("a proxy's page", head("502 Bad Gateway", "text/html", 4) + "<p/>", FailureReason::Refused),
        ("a server's text", head("500 Internal Server Error", "text/plain", 2) + "no", FailureReason::Refused),
        ("JSON that is none", head("500 Internal Server Error", "application/json", 1) + "{", FailureReason::Refused),
        ("broken off", head("503 Service Unavailable", "application/json", 90) + "{", FailureReason::Refused),
        ("too large", head("503 Service Unavailable", "application/json", 90 << 20), FailureReason::Refused),
        ("as it should be", head("403 Forbidden", "application/json", 2) + "{}", FailureReason::Refused),
        ("an answer that broke off", head("200 OK", "application/json", 90) + "{", FailureReason::Protocol),
        ("an answer that is a page", head("200 OK", "text/html", 4) + "<p/>", FailureReason::Protocol),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n".to_owned(), FailureReason::Protocol),
    ] {
        for dialect in [Dialect::Axon, Dialect::BtAuth] {
            let transport = DendriteTransport::new(dialect, own.clone(), true).unwrap();
            let address = peer(answer.clone()).await;
            let error = transport.ask(request(address, miner.hotkey(), own.hotkey())).await.unwrap_err();
            assert_eq!(error.reason, expected, "{name} in {dialect:?}: {error:?}");
        }
    }
}
