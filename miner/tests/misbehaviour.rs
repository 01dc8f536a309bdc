//! Each kind of misbehaving miner does what it is for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Running, config, request_body};
use domain::wire::header;
use miner::{Behaviour, InferenceResponse, Malformation, MinerConfig, verify_response};
use serde_json::json;

fn behaving(uri: &str, behaviour: Behaviour) -> MinerConfig {
    MinerConfig { behaviour, ..config(uri) }
}

#[tokio::test]
async fn a_copycat_says_what_its_peer_says_under_its_own_name() {
    let honest = Running::ready(config("//miner//1")).await;
    let copycat = Running::ready(behaving("//copycat", Behaviour::Copycat { peer: honest.url.parse().unwrap() })).await;
    let question = "How do honeybees tell each other where flowers are?";
    let (_, original) = honest.ask(question).await;
    let (request, copy) = copycat.ask(question).await;
    assert_eq!(copy.status, 200);
    assert_eq!(copy.text(), original.text());
    assert!(verify_response(&copy.headers, &copycat.hotkey, &request, &copy.body));
    assert_ne!(copycat.hotkey, honest.hotkey);

    honest.stop().await.unwrap();
    let (_, nothing) = copycat.ask(question).await;
    assert_eq!(nothing.status, 502);
}

#[tokio::test]
async fn a_spammer_answers_at_once_and_off_the_subject() {
    let spammer = Running::ready(behaving("//spammer", Behaviour::Spammer)).await;
    let start = Instant::now();
    let (request, first) = spammer.ask("Why is the sky blue?").await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let (_, second) = spammer.ask("What is a tempo?").await;
    assert_eq!(first.text(), second.text());
    assert!(verify_response(&first.headers, &spammer.hotkey, &request, &first.body));
}

#[tokio::test]
async fn a_slow_miner_is_right_and_too_late() {
    let slow = Running::ready(behaving("//slow", Behaviour::Slow { wait: Duration::from_millis(100) })).await;
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(700);
    let micros = u64::try_from(deadline.as_micros()).unwrap();
    let assay = json!({"origin": "assay/0/1/x", "challenge_id": "c", "position": 1, "deadline": micros});
    let reply = slow.post(request_body(json!({"assay": assay})), &[]).await;
    assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap() > deadline);
    assert!(reply.text().contains("ice floats"), "{}", reply.text());
    let start = Instant::now();
    assert_eq!(slow.ask("Why does iron rust?").await.1.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_dead_miner_accepts_no_connection_and_stops_when_told() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dead = Running::start(MinerConfig { listen: free, ..behaving("//dead", Behaviour::Dead) }).await;
    let error = common::client().get(format!("{}/availability", dead.url)).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    dead.stop().await.unwrap();
}

#[tokio::test]
async fn malformed_answers_are_wrong_in_one_way_each() {
    let all = Running::ready(behaving("//malformed", Behaviour::Malformed { way: None })).await;
    for way in Malformation::ALL {
        let (request, reply) = all.ask("Why?").await;
        assert_eq!(reply.status, 200, "{way:?}");
        let readable = serde_json::from_slice::<serde_json::Value>(&reply.body)
            .is_ok_and(|body| body["response_text"].is_string() && body["response_time_ms"].is_u64());
        let verified = verify_response(&reply.headers, &all.hotkey, &request, &reply.body);
        let expected = match way {
            Malformation::BrokenJson | Malformation::WrongSchema | Malformation::WrongType | Malformation::NotUtf8 => {
                (false, true)
            }
            Malformation::ForeignBody | Malformation::ForeignKey | Malformation::ShortSignature => (true, false),
            Malformation::Huge => (true, true),
        };
        assert_eq!((readable, verified), expected, "{way:?}");
        assert_eq!(way == Malformation::Huge, reply.body.len() > 1 << 20, "{way:?} has {} bytes", reply.body.len());
        assert_eq!(reply.headers[header::HOTKEY], all.hotkey.as_str());
    }
    let one =
        Running::ready(behaving("//malformed", Behaviour::Malformed { way: Some(Malformation::BrokenJson) })).await;
    for _ in 0..3 {
        let (_, reply) = one.ask("Why?").await;
        assert!(serde_json::from_slice::<InferenceResponse>(&reply.body).is_err());
    }
}
