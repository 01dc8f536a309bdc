//! The HTTP surface of an honest miner: what it answers, signs, checks and refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Running, cosine, embedding, get, request_body, signed};
use domain::events::Challenge;
use domain::types::{Micros, Position};
use domain::wire::{Receipt, header, inference_request};
use inference::{Embedder, EmbeddingService, Limits, ModelIdentity, ServiceLimits};
use miner::{EmbeddingSource, Error, Profile, Server, verify_response};
use network::keys::Keypair;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn answers_over_http_and_signs_the_bytes() {
    let miner = Running::ready(common::config("//miner//1")).await;
    let question = "Why does water boil at a lower temperature high in the mountains?";
    let (request, reply) = miner.ask(question).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(reply.text().contains("boiling point falls"), "{}", reply.text());
    let vectors = embedding().embed(vec![question.to_owned(), reply.text()]).await.unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > 0.5);

    let body = reply.json();
    assert_eq!(body["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 12);
    assert!(body["response_time_ms"].is_u64());

    assert_eq!(reply.headers[header::HOTKEY], miner.hotkey.as_str());
    assert!(verify_response(&reply.headers, &miner.hotkey, &request, &reply.body));
    let mut other = reply.body.clone();
    other[20] ^= 1;
    assert!(!verify_response(&reply.headers, &miner.hotkey, &request, &other), "another answer");
    assert!(!verify_response(&reply.headers, &miner.hotkey, b"another question", &reply.body), "another question");
    let stranger = Keypair::from_uri("//miner//2").unwrap().ss58();
    assert!(!verify_response(&reply.headers, &stranger, &request, &reply.body), "another miner");

    let cut = miner.post(request_body(json!({"prompt": question, "max_tokens": 5})), &[]).await.json();
    assert_eq!(cut["finish_reason"], "length");
    assert_eq!(cut["usage"]["completion_tokens"], 5);
    miner.stop().await.unwrap();
}

#[tokio::test]
async fn a_required_receipt_is_verified() {
    let mut config = common::config("//miner//1");
    config.require_signed = true;
    let miner = Running::ready(config).await;
    let validator = Keypair::from_uri("//validator").unwrap();
    let origin = |hotkey: &str| format!("assay/0123456789abcdef/7/{hotkey}");
    let receipt = |origin: String| {
        let assay = json!({"origin": origin, "challenge_id": "c1", "attempt": 1, "position": 12, "nonce": "n"});
        request_body(json!({"assay": assay}))
    };
    let own = receipt(origin(&validator.ss58()));

    assert_eq!(miner.post(own.clone(), &signed(&validator, &own)).await.status, 200);
    let again = receipt(format!("{}/2", origin(&validator.ss58())));
    assert_eq!(miner.post(again.clone(), &signed(&validator, &again)).await.status, 200, "a ledger begun anew");

    let check = async |body: Vec<u8>, headers: Vec<(&str, String)>, field: &str| {
        let reply = miner.post(body, &headers).await;
        assert_eq!((reply.status, reply.json()["field"].as_str()), (401, Some(field)), "{}", reply.json());
    };
    check(own.clone(), vec![], header::SIGNATURE).await;
    check(own.clone(), signed(&validator, b"another body"), header::SIGNATURE).await;
    let mut foreign = signed(&validator, &own);
    foreign[0].1 = Keypair::from_uri("//stranger").unwrap().ss58();
    check(own.clone(), foreign, header::SIGNATURE).await;
    check(own.clone(), signed(&validator, &own)[1..].to_vec(), header::VALIDATOR_HOTKEY).await;
    check(
        own.clone(),
        vec![signed(&validator, &own)[0].clone(), (header::SIGNATURE, "zz".to_owned())],
        header::SIGNATURE,
    )
    .await;
    let strangers = receipt(origin(&miner.hotkey));
    check(strangers.clone(), signed(&validator, &strangers), "assay.origin").await;
    let none = request_body(json!({}));
    check(none.clone(), signed(&validator, &none), "assay").await;
}

#[tokio::test]
async fn understands_the_bytes_that_a_validator_sends() {
    let mut config = common::config("//miner//1");
    config.require_signed = true;
    let miner = Running::ready(config).await;
    let validator = Keypair::from_uri("//validator").unwrap();
    let challenge = Challenge {
        id: "c1".to_owned(),
        correlation_id: None,
        prompt: None,
        messages: Some(r#"[{"role": "user", "content": "What do the four letters ACID stand for?"}]"#.to_owned()),
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
    let receipt = Receipt {
        origin: &format!("assay/0123456789abcdef/7/{}", validator.ss58()),
        challenge_id: "c1",
        attempt: 1,
        position: Position(12),
        nonce: "n",
        deadline: Micros(1_900_000_000_000_000),
    };
    let body = inference_request(&challenge, &receipt).unwrap();
    let reply = miner.post(body.clone(), &signed(&validator, &body)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert!(reply.text().contains("atomicity, consistency, isolation and durability"), "{}", reply.text());
    assert!(verify_response(&reply.headers, &miner.hotkey, &body, &reply.body));
}

#[tokio::test]
async fn bad_input_is_refused_before_it_costs_anything() {
    let mut config = common::config("//miner//1");
    config.limits.body_timeout = Duration::from_millis(300);
    config.limits.idle_timeout = Duration::from_millis(1_000);
    let miner = Running::ready(config).await;
    let check = async |body: Vec<u8>, status: u16, field: Option<&str>| {
        let reply = miner.post(body, &[]).await;
        let json = reply.json();
        assert_eq!((reply.status, json["field"].as_str()), (status, field), "{json}");
        assert!(json["error"].as_str().is_some_and(|error| !error.is_empty()));
        assert!(reply.headers.get(header::SIGNATURE).is_none());
    };
    check(b"{".to_vec(), 400, None).await;
    check(vec![0xff; 10], 400, None).await;
    check(request_body(json!({"prompt": null})), 422, Some("prompt")).await;
    check(request_body(json!({"max_tokens": "many"})), 422, Some("max_tokens")).await;
    check(request_body(json!({"messages": [1]})), 422, Some("messages[0]")).await;
    // One byte below and above 256 KiB.
    let exactly = |bytes: usize| [request_body(json!({})), vec![b' '; bytes]].concat()[..bytes].to_vec();
    assert_eq!(miner.post(exactly(256 << 10), &[]).await.status, 200);
    check(exactly((256 << 10) + 1), 413, None).await;

    let wrong_method = common::client().get(format!("{}/inference", miner.url)).send().await.unwrap();
    assert_eq!(wrong_method.status(), 405);
    let unknown = common::client().get(format!("{}/secrets", miner.url)).send().await.unwrap();
    assert_eq!(unknown.status(), 404);

    let address = miner.url.trim_start_matches("http://").to_owned();
    let say = async |text: &str| {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let start = Instant::now();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut reply)).await;
        assert!(read.is_ok(), "{text:?} holds the connection");
        (String::from_utf8_lossy(&reply).into_owned(), start.elapsed())
    };
    // A body in chunks announces no length: it is cut off when it is too long, and when it does not come.
    let head = "POST /inference HTTP/1.1\r\nhost: miner\r\nconnection: close\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 300 << 10, "x".repeat(300 << 10));
    let (reply, _) = say(&format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    let (reply, _) = say(&format!("{head}content-length: 100\r\n\r\n{{")).await;
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    let (reply, waited) = say("").await;
    assert!(reply.is_empty() && waited > Duration::from_millis(900), "{reply} after {waited:?}");
}

/// Stands in for the model where the test is about waiting for it.
struct Gate {
    identity: ModelIdentity,
    limits: Limits,
    open: Mutex<Receiver<()>>,
}

impl Embedder for Gate {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, inference::Error> {
        self.open.lock().unwrap().recv().map_err(|_| inference::Error::ServiceStopped)?;
        Ok(vec![vec![1.0, 0.0]; texts.len()])
    }
}

fn gate() -> (EmbeddingSource, SyncSender<()>) {
    let (let_go, open) = sync_channel(64);
    let identity = ModelIdentity {
        name: "gate".to_owned(),
        weights_sha256: String::new(),
        tokenizer_sha256: String::new(),
        dimensions: 2,
        max_word_pieces: 16,
        runtime: "test".to_owned(),
        runtime_version: "1".to_owned(),
        provider_asked: "cpu".to_owned(),
        provider: "cpu".to_owned(),
    };
    let gate = Gate { identity, limits: Limits::default(), open: Mutex::new(open) };
    let service = EmbeddingService::start(Box::new(gate), &ServiceLimits::default()).unwrap();
    (EmbeddingSource::Shared(service), let_go)
}

#[tokio::test]
async fn says_that_it_is_initialising_and_how_much_it_takes_at_once() {
    let (embedding, let_go) = gate();
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("corpus.jsonl");
    std::fs::write(&corpus, r#"{"id":"one","title":"One","text":"One sentence. Two sentences."}"#).unwrap();
    let mut config = common::config("//miner//1");
    (config.embedding, config.cache, config.corpus) = (embedding, None, Some(corpus));
    config.limits.concurrent = 2;
    config.limits.answer_timeout = Duration::from_millis(1_500);
    config.limits.drain_timeout = Duration::from_millis(200);
    let miner = Arc::new(Running::start(config).await);
    assert_eq!(
        get(&format!("{}/availability", miner.url)).await,
        json!({"available": false, "reason": "Miner initializing"})
    );
    let (_, early) = miner.ask("Too early?").await;
    assert_eq!((early.status, early.json()["error"].as_str()), (503, Some("Miner initializing")));
    assert_eq!(early.headers["retry-after"], "1");

    let_go.send(()).unwrap();
    while get(&format!("{}/availability", miner.url)).await["available"] == Value::Bool(false) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let miner = Arc::clone(&miner);
            tokio::spawn(async move { miner.ask("Waits for the model?").await.1 })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, third) = miner.ask("One too many?").await;
    assert_eq!((third.status, third.json()["error"].as_str()), (503, Some("too many requests at once")));
    // Nobody lets the model go on: the answer's own limit ends the wait.
    for reply in waiting {
        let reply = reply.await.unwrap();
        assert_eq!((reply.status, reply.json()["error"].as_str()), (503, Some("the model takes too long")));
    }
}

#[tokio::test]
async fn who_asks_too_often_on_the_plain_route_waits_and_who_signs_may_ask_more() {
    let validator = Keypair::from_uri("//validator").unwrap();
    let miner = Running::ready(common::config("//miner//1")).await;
    let body = request_body(json!({}));
    for _ in 0..14 {
        // What is refused counts as well.
        assert_eq!(miner.post("{}", &[]).await.status, 422);
    }
    assert_eq!(miner.post(body.clone(), &signed(&validator, &body)).await.status, 200);
    for _ in 15..60 {
        assert_eq!(miner.post("{}", &[]).await.status, 422, "somebody there signed");
    }
    let refused = miner.post(body.clone(), &signed(&validator, &body)).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait) && refused.json()["detail"].is_string(), "{wait}");
}

#[tokio::test]
async fn a_miner_that_cannot_work_ends_with_the_reason() {
    let mut config = common::config("//miner//1");
    config.corpus = Some("/nonexistent/corpus.jsonl".into());
    let error = miner::run(config, std::future::pending()).await.unwrap_err();
    assert!(matches!(&error, Error::ReadCorpus { path, .. } if path.ends_with("corpus.jsonl")), "{error}");

    let mut config = common::config("//miner//1");
    config.profile = Profile { sentences: 0, ..Profile::default() };
    let error = Server::bind(config).await.err().expect("no answer has no sentence");
    assert_eq!(error.to_string(), "sentences cannot be 0: it must be from 1 to 12");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = common::config("//miner//1");
    config.listen = taken.local_addr().unwrap();
    let error = Server::bind(config).await.err().expect("the address is taken");
    assert!(matches!(error, Error::Listen { .. }), "{error}");
}
