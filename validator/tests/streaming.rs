//! Answers that come piece by piece: a real miner and the validator's own transport, over a socket.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::twitter::task::completion;
use domain::types::{HexBytes, Micros, Position, sha256};
use domain::wire;
use futures::StreamExt;
use inference::EmbeddingConfig;
use miner::subnets::twitter::TwitterScraper;
use miner::subnets::{Pieces, Subnet};
use miner::{Behaviour, EmbeddingSource, MinerConfig, Refusal, Server};
use network::keys::Keypair;
use tokio::task::JoinHandle;
use validator::transport::{HttpTransport, MinerTransport, TransportReply, TransportRequest};

/// A scraper that takes its time for each word, as one does whose words a model writes.
struct Paced(TwitterScraper, Duration);

#[async_trait]
impl Subnet for Paced {
    fn synapse(&self) -> &'static str {
        self.0.synapse()
    }

    fn shape(&self) -> network::legacy::Shape {
        self.0.shape()
    }

    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal> {
        self.0.answer(request).await
    }

    fn pieces(&self, body: Vec<u8>) -> Pieces {
        let pause = self.1;
        let paced = self.0.pieces(body).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            piece
        });
        paced.boxed()
    }

    fn spam(&self) -> Vec<u8> {
        self.0.spam()
    }
}

struct Running {
    address: String,
    keypair: Keypair,
    serving: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn miner(pause: Duration, change: impl FnOnce(&mut MinerConfig)) -> Running {
    let keypair = Keypair::from_uri("//streaming//miner").unwrap();
    let source = EmbeddingSource::Open(EmbeddingConfig::discover());
    let mut config = MinerConfig::new(([127, 0, 0, 1], 0).into(), keypair.clone(), source);
    config.subnet = Some(Arc::new(Paced(TwitterScraper::shipped(0).unwrap(), pause)));
    change(&mut config);
    let server = Server::bind(config).await.unwrap();
    let address = format!("http://{}", server.address());
    let serving = tokio::spawn(async move { server.serve(std::future::pending()).await.unwrap() });
    Running { address, keypair, serving }
}

fn request(miner: &Running) -> TransportRequest {
    let validator = Keypair::from_uri("//streaming//validator").unwrap();
    let origin = format!("assay/0123456789abcdef/22/{}", validator.ss58());
    let synapse = r##"{"messages":"What do people say about #Starship?","completion":"","seed":1}"##;
    let assay = format!(r#"{{"origin":"{origin}","challenge_id":"c","position":41}}"#);
    let body = format!(r#"{{"synapse":"TwitterScraper","request":{synapse},"assay":{assay}}}"#).into_bytes();
    let request_hash = sha256(&body);
    TransportRequest {
        hotkey: miner.keypair.hotkey(),
        address: miner.address.clone(),
        body,
        kind: &domain::twitter::task::KIND,
        request_hash,
        validator: validator.hotkey(),
        receipt: HexBytes(validator.sign(&wire::request_message(&request_hash.0))),
        origin,
        challenge_id: "c".to_owned(),
        attempt: 1,
        position: Position(41),
        deadline: Micros(0),
        timeout: Duration::from_secs(60),
    }
}

fn is_signed(asked: &TransportRequest, answer: &TransportReply) -> bool {
    let (signature, signed_by) = (answer.signature.as_deref().unwrap(), answer.signed_by.as_deref());
    let verify = network::keys::verify;
    wire::is_signed_by(&asked.hotkey, &asked.request_hash, &answer.body, signature, signed_by, verify).is_some()
}

#[tokio::test]
async fn the_first_token_comes_long_before_the_last() {
    let pause = Duration::from_millis(10);
    let miner = miner(pause, |config| config.require_signed = true).await;
    let asked = request(&miner);
    let answer = HttpTransport::new(true).unwrap().ask(asked.clone()).await.unwrap();
    let text = completion(&answer.body).unwrap();
    assert!(text.contains("@padside_petra"), "{text}");
    assert!(is_signed(&asked, &answer));

    let words = domain::twitter::summary::chunks(&text).len() as u64;
    let micros = |from: Micros, to: Micros| to.0 - from.0;
    let after_the_first = (words - 1) * 10_000;
    assert!(words > 20 && micros(answer.first_byte_at, answer.received_at) >= after_the_first * 9 / 10, "{answer:?}");
    assert!(micros(answer.sent_at, answer.first_byte_at) < after_the_first, "{answer:?}");
}

#[tokio::test]
async fn one_body_and_pieces_say_the_same() {
    let transport = HttpTransport::new(true).unwrap();
    let honest = miner(Duration::ZERO, |_| ()).await;
    let asked = request(&honest);
    let streamed = transport.ask(asked.clone()).await.unwrap();
    assert!(is_signed(&asked, &streamed));
    assert!(streamed.first_byte_at < streamed.received_at);

    // A caller who reads no trailers finds the signature in the head.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let plain = client.post(format!("{}/inference", honest.address)).body(asked.body.clone()).send().await.unwrap();
    assert!(plain.content_length().is_some());
    let headers = plain.headers().clone();
    let body = plain.bytes().await.unwrap();
    assert_eq!(body, streamed.body);
    assert!(miner::verify_response(&headers, &honest.keypair.ss58(), &asked.body, &body));

    // A copycat takes the whole and signs it itself, in one body.
    let peer = honest.address.clone();
    let copycat = miner(Duration::ZERO, |config| {
        config.keypair = Keypair::from_uri("//streaming//copycat").unwrap();
        config.behaviour = Behaviour::Copycat { peer: peer.parse().unwrap() };
    });
    let copycat = copycat.await;
    let asked = TransportRequest {
        hotkey: Keypair::from_uri("//streaming//copycat").unwrap().hotkey(),
        ..TransportRequest { address: copycat.address.clone(), ..request(&honest) }
    };
    let copied = transport.ask(asked.clone()).await.unwrap();
    assert_eq!(copied.body, streamed.body);
    assert!(is_signed(&asked, &copied));
}

#[tokio::test]
async fn pieces_that_take_too_long_are_no_answer() {
    let slow = miner(Duration::from_millis(200), |config| {
        config.limits.answer_timeout = Duration::from_millis(700);
        config.limits.concurrent = 1;
    });
    let slow = slow.await;
    let transport = HttpTransport::new(true).unwrap();
    // The place is taken until the last piece has left, and free again after it.
    let (first, second) = tokio::join!(transport.ask(request(&slow)), async {
        tokio::time::sleep(Duration::from_millis(350)).await;
        transport.ask(request(&slow)).await.unwrap_err()
    });
    assert_eq!(second.status, 503, "{second:?}");
    let broken = first.unwrap_err();
    assert_eq!((broken.reason, broken.status), (domain::events::FailureReason::Protocol, 200), "{broken:?}");
    assert!(!broken.body.is_empty() && broken.signature.is_none());
    let third = transport.ask(request(&slow)).await.unwrap_err();
    assert_eq!(third.reason, domain::events::FailureReason::Protocol, "{third:?}");
}
