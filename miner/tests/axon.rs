//! The miner's axon, asked by a dendrite as the SDKs ask.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Call, Dendrite, Outcome, Target};
use common::Running;
use domain::mechanism::SynapseKind;
use domain::types::{Hotkey, sha256};
use domain::wire::{header, request_message};
use miner::{Behaviour, Gate, MinerConfig, verify_response};
use network::address::AddressGuard;
use network::keys::Keypair;
use serde_json::{Value, json};

fn dendrite(uri: &str) -> Dendrite {
    let guard = AddressGuard::for_network("local");
    Dendrite::new(Keypair::from_uri(uri).unwrap(), "0.0.0.0", guard, DendriteLimits::default()).unwrap()
}

fn target(miner: &Running) -> Target {
    let address = miner.url.trim_start_matches("http://").parse().unwrap();
    Target { hotkey: miner.hotkey.parse().unwrap(), address }
}

fn call(kind: &SynapseKind, body: &Value) -> Call {
    let body = serde_json::to_vec(body).unwrap();
    Call::exact(kind.name, body, kind.hashed, kind.required, Duration::from_secs(20)).unwrap()
}

fn question() -> Value {
    json!({"prompt": "What does ACID stand for?", "max_tokens": 60, "temperature": 0.7, "top_p": 0.9})
}

async fn of_subnet(name: &str, behaviour: Behaviour) -> Running {
    let mut config = common::config("//axon//miner");
    config.subnet = miner::subnets::open(name, 0, &miner::subnets::Data::default()).unwrap();
    config.behaviour = behaviour;
    Running::start(config).await
}

fn json_of(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.body).unwrap()
}

#[tokio::test]
async fn both_dialects_of_the_sdk_are_answered_and_signed() {
    let miner = Running::ready(common::config("//axon//miner")).await;
    let (alice, call) = (dendrite("//Alice"), call(&domain::wire::INFERENCE, &question()));
    for outcome in [alice.ask(&target(&miner), &call).await, alice.ask_btauth(&target(&miner), &call).await] {
        assert!(outcome.is_success(), "{outcome:?}");
        let answer = json_of(&outcome);
        assert!(answer["response_text"].as_str().unwrap().contains("atomicity"), "{answer}");
        let request = serde_json::to_vec(&question()).unwrap();
        assert!(verify_response(&outcome.headers, &miner.hotkey, &request, &outcome.body));
    }
    let ping = Call::exact("Synapse", "{}", &[], &[], Duration::from_secs(5)).unwrap();
    assert!(alice.ask(&target(&miner), &ping).await.is_success());
    let unknown = Call::exact("Other", "{}", &[], &[], Duration::from_secs(5)).unwrap();
    assert_eq!(alice.ask(&target(&miner), &unknown).await.http_status, 404);
}

/// The SDK's clients read an answer as the class that they sent, and refuse it where a required field is not in it.
#[tokio::test]
async fn a_question_goes_back_with_its_answer() {
    let miner = Running::ready(common::config("//axon//miner")).await;
    let mut body = question();
    body["messages"] = json!([{"role": "user", "content": "What does ACID stand for? τ"}]);
    body["tool_choice"] = json!(null);
    body["response_text"] = json!(null);
    body["a_field_of_theirs"] = json!({"n": [1, 2.5, "x"]});
    body["dendrite"] = json!({"hotkey": "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy"});
    body["assay"] = json!({"origin": "assay/0/7/h", "challenge_id": "c", "position": 7});
    let (alice, call) = (dendrite("//Alice"), call(&domain::wire::INFERENCE, &body));
    for outcome in [alice.ask(&target(&miner), &call).await, alice.ask_btauth(&target(&miner), &call).await] {
        assert!(outcome.is_success(), "{outcome:?}");
        let answer = json_of(&outcome);
        for name in ["prompt", "messages", "max_tokens", "temperature", "top_p", "tool_choice", "a_field_of_theirs"] {
            assert_eq!(answer.get(name), body.get(name), "{name}");
        }
        assert!(answer["response_text"].as_str().unwrap().contains("atomicity"), "{answer}");
        assert!(answer.get("assay").is_none(), "{answer}");
        assert_ne!(answer["dendrite"]["hotkey"], body["dendrite"]["hotkey"]);
        assert!(verify_response(&outcome.headers, &miner.hotkey, &serde_json::to_vec(&body).unwrap(), &outcome.body));
    }
}

#[tokio::test]
async fn every_subnet_answers_its_own_synapse() {
    let features = json!({"features": {"session_id": "s", "conversation_duration_seconds": 90.0}});
    let rows = [
        (
            "cgp",
            &domain::cgp::synapse::KIND,
            json!({"cgp_input": [{"guid": "HIDDEN", "window_idx": -1, "lines": [[0, "The kitchen sink leaks again."]]}]}),
            "cgp_output",
        ),
        ("conversion", &domain::conversion::task::KIND, features, "prediction"),
        (
            "bettertherapy",
            &domain::bettertherapy::task::KIND,
            json!({"prompt": "How do I rest?", "request_id": "btai_1"}),
            "output",
        ),
    ];
    for (subnet, kind, body, field) in rows {
        let miner = of_subnet(subnet, Behaviour::Honest).await;
        let outcome = dendrite("//Alice").ask(&target(&miner), &call(kind, &body)).await;
        assert!(outcome.is_success(), "{subnet}: {outcome:?}");
        let answer = json_of(&outcome);
        assert!(!answer[field].is_null() && answer["axon"]["status_code"] == 200, "{subnet}: {answer}");
    }
}

#[tokio::test]
async fn a_streaming_synapse_sends_its_text_and_the_signature_behind_it() {
    let miner = of_subnet("twitter", Behaviour::Honest).await;
    let body = json!({"messages": "What do people say about #Starship?", "completion": "", "seed": 1, "model": "m"});
    let call = call(&domain::twitter::task::KIND, &body);
    let mut pieces = 0;
    let outcome = dendrite("//Alice").ask_streaming(&target(&miner), &call, |_| pieces += 1).await;
    assert!(outcome.is_success() && pieces > 3, "{pieces} pieces, {outcome:?}");
    let text = domain::twitter::task::completion(&outcome.body).unwrap();
    assert!(text.contains("#Starship") && !text.starts_with('{'), "{text}");
    let request = serde_json::to_vec(&body).unwrap();
    assert!(verify_response(&outcome.headers, &miner.hotkey, &request, &outcome.body));
}

#[tokio::test]
async fn a_receipt_is_of_whoever_signs_the_request() {
    let mut config = common::config("//axon//miner");
    config.require_signed = true;
    let miner = Running::ready(config).await;
    let validator = Keypair::from_uri("//Alice").unwrap();
    let mut body = question();
    body["assay"] =
        json!({"origin": format!("assay/0123456789abcdef/7/{}", validator.ss58()), "challenge_id": "c", "position": 7});
    let bytes = serde_json::to_vec(&body).unwrap();
    let receipt = hex::encode(validator.sign(&request_message(&sha256(&bytes).0)));
    let with = |hotkey: &str| {
        call(&domain::wire::INFERENCE, &body)
            .with_header(header::VALIDATOR_HOTKEY, hotkey)
            .with_header(header::SIGNATURE, &receipt)
    };
    let own = dendrite("//Alice").ask(&target(&miner), &with(&validator.ss58())).await;
    assert!(own.is_success(), "{own:?}");
    let foreign = dendrite("//Bob").ask(&target(&miner), &with(&validator.ss58())).await;
    assert_eq!(foreign.http_status, 401, "{foreign:?}");
    let none = dendrite("//Alice").ask(&target(&miner), &call(&domain::wire::INFERENCE, &body)).await;
    assert_eq!(none.http_status, 401, "{none:?}");
}

/// Stakes by hotkey; who has none is refused.
struct Stakes(BTreeMap<String, f64>);

impl Gate for Stakes {
    fn refuses(&self, hotkey: Option<&str>) -> Option<String> {
        (!hotkey.is_some_and(|hotkey| self.0.contains_key(hotkey))).then(|| "no stake".to_owned())
    }

    fn priority(&self, hotkey: &Hotkey) -> Option<f64> {
        self.0.get(hotkey.as_str()).copied()
    }
}

#[tokio::test]
async fn the_gate_decides_who_may_ask() {
    let staked = Keypair::from_uri("//Alice").unwrap().ss58();
    let config =
        MinerConfig { gate: Some(Arc::new(Stakes([(staked, 5.0)].into()))), ..common::config("//axon//miner") };
    let miner = Running::ready(config).await;
    let call = call(&domain::wire::INFERENCE, &question());
    assert!(dendrite("//Alice").ask(&target(&miner), &call).await.is_success());
    let refused = dendrite("//Bob").ask(&target(&miner), &call).await;
    assert_eq!(refused.status_message.as_deref(), Some("Forbidden. Key is blacklisted: no stake."));
    let unstaked = dendrite("//Bob").ask_btauth(&target(&miner), &call).await;
    assert_eq!(unstaked.http_status, 403, "{unstaked:?}");
}

#[tokio::test]
async fn a_malformed_miner_pings_and_answers_nothing_that_counts() {
    let miner = of_subnet("bettertherapy", Behaviour::Malformed { way: None }).await;
    let (alice, target) = (dendrite("//Alice"), target(&miner));
    let ping = Call::exact("Synapse", "{}", &[], &[], Duration::from_secs(5)).unwrap();
    assert!(alice.ask(&target, &ping).await.is_success());
    let body = json!({"prompt": "How do I rest?", "request_id": "btai_1"});
    let call = call(&domain::bettertherapy::task::KIND, &body);
    let (request, mut broken) = (serde_json::to_vec(&body).unwrap(), 0);
    for _ in miner::Malformation::ALL {
        let outcome = alice.ask(&target, &call).await;
        let signed = verify_response(&outcome.headers, &miner.hotkey, &request, &outcome.body);
        let output = outcome.field("output").is_some();
        assert!(!(outcome.is_success() && signed && output), "{outcome:?}");
        broken += 1;
    }
    assert_eq!(broken, miner::Malformation::ALL.len());
}

#[tokio::test]
async fn a_copycat_signs_for_itself_to_come_by_an_answer() {
    let body = json!({"prompt": "How do I rest?", "request_id": "btai_1"});
    let tweets = json!({"messages": "What do people say about #Starship?", "completion": "", "seed": 1, "model": "m"});
    let rows = [
        ("bettertherapy", &domain::bettertherapy::task::KIND, body),
        ("twitter", &domain::twitter::task::KIND, tweets),
    ];
    for (subnet, kind, body) in rows {
        let honest = of_subnet(subnet, Behaviour::Honest).await;
        let peer = format!("{}@{}", honest.hotkey, honest.url).parse().unwrap();
        let mut config = common::config("//axon//copycat");
        config.subnet = miner::subnets::open(subnet, 0, &miner::subnets::Data::default()).unwrap();
        config.behaviour = Behaviour::Copycat { peer };
        let copycat = Running::start(config).await;
        let (alice, call) = (dendrite("//Alice"), call(kind, &body));
        let (original, copy) = (alice.ask(&target(&honest), &call).await, alice.ask(&target(&copycat), &call).await);
        assert!(original.is_success() && copy.is_success(), "{original:?} {copy:?}");
        assert_eq!(original.field("output"), copy.field("output"), "{subnet}");
        if subnet == "twitter" {
            assert_eq!(original.body, copy.body);
        }
        assert!(verify_response(&copy.headers, &copycat.hotkey, &serde_json::to_vec(&body).unwrap(), &copy.body));
    }
}
