//! The miner asked in fiber, in Loosh's dialect of it and in Epistula, on its one port; and asked wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::epistula::{EpistulaClient, Vouched};
use axon::fiber::FiberClient;
use axon::loosh::LooshClient;
use axon::post::{Line, Problem, Reply};
use axon::{Clock, Target};
use common::{Running, client};
use domain::types::{Hotkey, sha256};
use domain::wire::{Dialect, header, request_message};
use miner::{Behaviour, Gate, MinerConfig, verify_response};
use network::address::AddressGuard;
use network::fiber::client::{PublicKeyAnswer, Session, plain};
use network::fiber::loosh;
use network::keys::Keypair;
use serde_json::{Value, json};

const TIME: Duration = Duration::from_secs(30);
const SIGNED: [Dialect; 4] = [Dialect::FiberPlain, Dialect::FiberEncrypted, Dialect::FiberLoosh, Dialect::Epistula];

fn key(uri: &str) -> Keypair {
    Keypair::from_uri(uri).unwrap()
}

fn nanoseconds() -> u64 {
    Clock::system().now()
}

fn target(miner: &Running) -> Target {
    let address = miner.url.trim_start_matches("http://").parse().unwrap();
    Target { hotkey: miner.hotkey.parse().unwrap(), address }
}

fn question() -> Vec<u8> {
    // The nonce is what every client of fiber's encrypted mode adds.
    let body = json!({"prompt": "What does ACID stand for?", "max_tokens": 60, "temperature": 0.7, "top_p": 0.9, "nonce": "n"});
    serde_json::to_vec(&body).unwrap()
}

/// One request in a dialect, by a validator that has brought no key yet.
async fn ask(
    dialect: Dialect,
    who: &str,
    miner: &Target,
    synapse: &str,
    body: &[u8],
    extra: &[Line],
) -> Result<Reply, Problem> {
    let (guard, limits, clock) = (AddressGuard::for_network("local"), DendriteLimits::default(), Clock::system());
    let (path, body) = (format!("/{synapse}"), body.to_vec());
    match dialect {
        Dialect::FiberPlain => {
            let client = FiberClient::new(key(who), guard, &limits, clock).unwrap();
            client.ask_plain(miner, &path, body, extra, TIME).await
        }
        Dialect::FiberEncrypted => {
            let client = FiberClient::new(key(who), guard, &limits, clock).unwrap();
            client.ask_encrypted(miner, &path, &body, extra, TIME).await
        }
        Dialect::FiberLoosh => {
            let client = LooshClient::new(key(who), guard, &limits, clock).unwrap();
            client.ask(miner, &body, extra, TIME).await
        }
        Dialect::Epistula => {
            let client = EpistulaClient::new(key(who), guard, &limits, clock).unwrap();
            let (reply, vouched) = client.ask(miner, &path, body, extra, TIME).await?;
            assert_eq!(vouched, if reply.status == 200 { Vouched::Signed } else { Vouched::Unsigned });
            Ok(reply)
        }
        other => panic!("{other:?} is asked elsewhere"),
    }
}

fn status(exchange: &Result<Reply, Problem>) -> u16 {
    match exchange {
        Ok(reply) => reply.status,
        Err(problem) => problem.status.unwrap_or_else(|| panic!("{problem:?}")),
    }
}

#[tokio::test]
async fn every_dialect_is_answered_and_the_answer_signed() {
    let miner = Running::ready(common::config("//dialects//miner")).await;
    let mut answers = Vec::new();
    for dialect in SIGNED {
        let reply = ask(dialect, "//Alice", &target(&miner), "Inference", &question(), &[]).await.unwrap();
        assert_eq!(reply.status, 200, "{dialect:?} {reply:?}");
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(answer["response_text"].as_str().unwrap().contains("atomicity"), "{dialect:?} {answer}");
        assert!(verify_response(&reply.headers, &miner.hotkey, &question(), &reply.body), "{dialect:?}");
        assert!(!verify_response(&reply.headers, &miner.hotkey, b"another question", &reply.body), "{dialect:?}");
        answers.push(answer["response_text"].clone());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    for dialect in [Dialect::FiberPlain, Dialect::FiberEncrypted, Dialect::Epistula] {
        let other = ask(dialect, "//Alice", &target(&miner), "Other", b"{}", &[]).await;
        assert_eq!(status(&other), 404, "{dialect:?}");
    }
    for (dialect, expected) in [(Dialect::FiberPlain, 422), (Dialect::FiberLoosh, 400), (Dialect::Epistula, 422)] {
        let nothing = ask(dialect, "//Alice", &target(&miner), "Inference", b"{}", &[]).await;
        assert_eq!(status(&nothing), expected, "{dialect:?}");
    }
}

#[tokio::test]
async fn every_subnet_answers_in_every_dialect() {
    let lines = json!([{"guid": "HIDDEN", "window_idx": -1, "lines": [[0, "The kitchen sink leaks again."]]}]);
    let rows = [
        ("cgp", "CgSynapse", json!({ "cgp_input": lines }), "cgp_output"),
        ("bettertherapy", "InferenceSynapse", json!({"prompt": "How do I rest?", "request_id": "btai_1"}), "output"),
        (
            "twitter",
            "TwitterScraper",
            json!({"messages": "What do people say about #Starship?", "seed": 1}),
            "completion",
        ),
    ];
    for (subnet, synapse, body, field) in rows {
        let mut config = common::config("//dialects//miner");
        config.subnet = miner::subnets::open(subnet, 0, &miner::subnets::Data::default()).unwrap();
        let miner = Running::start(config).await;
        let body = serde_json::to_vec(&body).unwrap();
        for dialect in SIGNED {
            let reply = ask(dialect, "//Alice", &target(&miner), synapse, &body, &[]).await.unwrap();
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error} {reply:?}"));
            assert!(reply.status == 200 && !answer[field].is_null(), "{subnet} {dialect:?} {answer}");
        }
    }
}

#[tokio::test]
async fn a_receipt_is_of_whoever_asks() {
    let mut config = common::config("//dialects//miner");
    config.require_signed = true;
    let miner = Running::ready(config).await;
    let validator = key("//Alice");
    let origin = format!("assay/0123456789abcdef/7/{}", validator.ss58());
    let mut body: Value = serde_json::from_slice(&question()).unwrap();
    body["assay"] = json!({"origin": origin, "challenge_id": "c", "position": 7});
    let bytes = serde_json::to_vec(&body).unwrap();
    let receipt = |bytes: &[u8]| {
        let signature = hex::encode(validator.sign(&request_message(&sha256(bytes).0)));
        [(header::VALIDATOR_HOTKEY, validator.ss58()), (header::SIGNATURE, signature)]
    };
    for dialect in SIGNED {
        for (expected, who, extra) in [
            (200, "//Alice", receipt(&bytes).to_vec()),
            (401, "//Bob", receipt(&bytes).to_vec()),
            (401, "//Alice", receipt(b"another body").to_vec()),
            (401, "//Alice", Vec::new()),
        ] {
            let exchange = ask(dialect, who, &target(&miner), "Inference", &bytes, &extra).await;
            assert_eq!(status(&exchange), expected, "{dialect:?} {who} {extra:?}");
        }
    }
}

async fn post(miner: &Running, path: &str, headers: &[Line], body: Vec<u8>) -> (u16, Value) {
    let mut request = client().post(format!("{}{path}", miner.url)).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

async fn shown(miner: &Running, path: &str) -> String {
    let reply = client().get(format!("{}{path}", miner.url)).send().await.unwrap();
    let shown: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    shown["public_key"].as_str().unwrap().to_owned()
}

fn replaced(headers: &[Line], name: &str, value: &str) -> Vec<Line> {
    assert!(headers.iter().any(|(known, _)| *known == name));
    headers.iter().map(|(known, old)| (*known, if *known == name { value } else { old }.to_owned())).collect()
}

#[tokio::test]
async fn what_is_signed_wrongly_is_not_answered() {
    let miner = Running::ready(common::config("//dialects//miner")).await;
    let (alice, own): (_, Hotkey) = (key("//Alice"), miner.hotkey.parse().unwrap());
    let (eve, elsewhere) = (key("//Eve").ss58(), key("//Bob").hotkey());

    // Fiber, plain: another body, another sender, another miner, twice.
    let signed = |miner: &Hotkey| plain(&alice, miner, question(), nanoseconds()).unwrap();
    let request = signed(&own);
    assert_eq!(post(&miner, "/Inference", &request.headers, b"{}".to_vec()).await.0, 401);
    let foreign = replaced(&request.headers, "validator-hotkey", &eve);
    assert_eq!(post(&miner, "/Inference", &foreign, question()).await.0, 401);
    assert_eq!(post(&miner, "/Inference", &signed(&elsewhere).headers, question()).await.0, 401);
    assert_eq!(post(&miner, "/Inference", &request.headers, question()).await.0, 200);
    assert_eq!(post(&miner, "/Inference", &request.headers, question()).await.0, 401);

    // Fiber, encrypted: an exchange under another name, and a payload under another's key.
    let pem = shown(&miner, "/public-encryption-key").await;
    let (session, exchange) = Session::offer(&alice, &own, &pem, nanoseconds()).unwrap();
    let foreign = replaced(&exchange.headers, "validator-hotkey", &eve);
    assert_eq!(post(&miner, "/exchange-symmetric-key", &foreign, exchange.body.clone()).await.0, 401);
    let sealed = session.request(&alice, &question(), nanoseconds()).unwrap();
    assert_eq!(post(&miner, "/Inference", &sealed.headers, sealed.body.clone()).await.0, 400, "no key was brought");
    assert_eq!(post(&miner, "/exchange-symmetric-key", &exchange.headers, exchange.body).await.0, 200);
    let foreign = replaced(&sealed.headers, "validator-hotkey", &eve);
    assert_eq!(post(&miner, "/Inference", &foreign, sealed.body.clone()).await.0, 401);
    let sealed = session.request(&alice, &question(), nanoseconds()).unwrap();
    assert_eq!(post(&miner, "/Inference", &sealed.headers, sealed.body).await.0, 200);

    // Loosh: an exchange under another name, a payload under a key that was not brought, one that does not open.
    let pem = shown(&miner, loosh::PUBLIC_KEY_PATH).await;
    let seconds = || nanoseconds() / 1_000_000_000;
    let (session, body) = loosh::Session::offer(loosh::Dialect::Miner, &alice, &pem, seconds() as f64).unwrap();
    let foreign = String::from_utf8(body.clone()).unwrap().replace(&alice.ss58(), &eve);
    assert_eq!(post(&miner, loosh::EXCHANGE_PATH, &[], foreign.into_bytes()).await.0, 400);
    let token = session.seal(&question(), seconds()).unwrap().into_bytes();
    let (code, refused) = post(&miner, loosh::CHALLENGE_PATH, &session.headers(), token.clone()).await;
    assert_eq!((code, &refused["requires_handshake"]), (401, &json!(true)));
    assert_eq!(refused["public_key"], json!(pem));
    assert_eq!(post(&miner, loosh::EXCHANGE_PATH, &[], body).await.0, 200);
    let foreign = replaced(&session.headers(), "x-fiber-validator-hotkey-ss58", &eve);
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &foreign, token.clone()).await.0, 401);
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &session.headers(), b"gAAAAA".to_vec()).await.0, 401);
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &session.headers(), token.clone()).await.0, 200);
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &session.headers(), token).await.0, 401, "once");

    // Epistula: as plain fiber.
    let milliseconds = || nanoseconds() / 1_000_000;
    let signed = |miner| network::epistula::sign(&alice, &question(), Some(miner), milliseconds()).unwrap();
    let request = signed(&own);
    assert_eq!(post(&miner, "/Inference", &request, b"{}".to_vec()).await.0, 400);
    let foreign = replaced(&request, "Epistula-Signed-By", &eve);
    assert_eq!(post(&miner, "/Inference", &foreign, question()).await.0, 400);
    assert_eq!(post(&miner, "/Inference", &signed(&elsewhere), question()).await.0, 400);
    assert_eq!(post(&miner, "/Inference", &request, question()).await.0, 200);
    assert_eq!(post(&miner, "/Inference", &request, question()).await.0, 400);
}

/// Lets in one hotkey.
struct Only(String);

impl Gate for Only {
    fn refuses(&self, hotkey: Option<&str>) -> Option<String> {
        (hotkey != Some(self.0.as_str())).then(|| "no stake".to_owned())
    }

    fn priority(&self, _: &Hotkey) -> Option<f64> {
        None
    }
}

#[tokio::test]
async fn the_gate_decides_who_may_ask_in_every_dialect() {
    let gate: Arc<dyn Gate> = Arc::new(Only(key("//Alice").ss58()));
    let miner = Running::ready(MinerConfig { gate: Some(gate), ..common::config("//dialects//miner") }).await;
    for dialect in SIGNED {
        let welcome = ask(dialect, "//Alice", &target(&miner), "Inference", &question(), &[]).await;
        assert_eq!(status(&welcome), 200, "{dialect:?}");
        let refused = ask(dialect, "//Bob", &target(&miner), "Inference", &question(), &[]).await;
        assert!(matches!(status(&refused), 401 | 403), "{dialect:?} {refused:?}");
    }
    // The plain route knows who asks by the receipt alone.
    let receipt = |who: &str, named: &str| {
        let signature = hex::encode(key(who).sign(&request_message(&sha256(&question()).0)));
        vec![(header::VALIDATOR_HOTKEY, key(named).ss58()), (header::SIGNATURE, signature)]
    };
    let named_only = receipt("//Alice", "//Alice")[..1].to_vec();
    for (headers, expected) in [
        (receipt("//Alice", "//Alice"), 200),
        (receipt("//Bob", "//Bob"), 403),
        (receipt("//Bob", "//Alice"), 401),
        (named_only, 401),
        (Vec::new(), 401),
    ] {
        assert_eq!(post(&miner, "/inference", &headers, question()).await.0, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn loosh_routes_count_who_asks_how_often() {
    let miner = Running::start(MinerConfig {
        subnet: miner::subnets::open("bettertherapy", 0, &miner::subnets::Data::default()).unwrap(),
        ..common::config("//dialects//miner")
    })
    .await;
    let url = format!("{}{}", miner.url, loosh::PUBLIC_KEY_PATH);
    for _ in 0..6 {
        assert_eq!(client().get(&url).send().await.unwrap().status(), 200);
    }
    let refused = client().get(&url).send().await.unwrap();
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(refused.status() == 429 && (1..=60).contains(&wait), "{refused:?}");
    let detail: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert!(detail["detail"].is_string(), "{detail}");
    // Other paths have windows of their own, and other dialects none.
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &[], Vec::new()).await.0, 422);
    let reply = client().get(format!("{}/public-encryption-key", miner.url)).send().await.unwrap();
    let shown: PublicKeyAnswer = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert!(shown.public_key.starts_with("-----BEGIN PUBLIC KEY-----"));
    for _ in 0..29 {
        assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &[], Vec::new()).await.0, 422);
    }
    assert_eq!(post(&miner, loosh::CHALLENGE_PATH, &[], Vec::new()).await.0, 429);
}

#[tokio::test]
async fn a_malformed_miner_says_nothing_that_counts_in_any_dialect() {
    let mut config = common::config("//dialects//miner");
    config.behaviour = Behaviour::Malformed { way: None };
    let miner = Running::start(config).await;
    for dialect in SIGNED {
        for _ in miner::Malformation::ALL {
            let Ok(reply) = ask(dialect, "//Alice", &target(&miner), "Inference", &question(), &[]).await else {
                continue;
            };
            let text = serde_json::from_slice::<Value>(&reply.body).ok().map(|answer| answer["response_text"].clone());
            let signed = verify_response(&reply.headers, &miner.hotkey, &question(), &reply.body);
            let whole = text.is_some_and(|text| text.is_string()) && reply.body.len() <= 1 << 20;
            assert!(!(reply.status == 200 && signed && whole), "{dialect:?} {reply:?}");
        }
    }
}
