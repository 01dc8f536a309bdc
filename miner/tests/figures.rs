//! Figures for Prometheus are those that docs/metrics.md lists, and count what was asked.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "../../metrics/tests/page/mod.rs"]
mod page;

use std::sync::Arc;

use common::{Running, client, request_body, signed};
use domain::types::Hotkey;
use miner::{Behaviour, Gate};
use network::keys::Keypair;
use serde_json::json;

/// Lets one hotkey in.
struct One(String);

impl Gate for One {
    fn refuses(&self, hotkey: Option<&str>) -> Option<String> {
        (hotkey != Some(self.0.as_str())).then(|| "not admitted".to_owned())
    }

    fn priority(&self, _: &Hotkey) -> Option<f64> {
        Some(1.0)
    }
}

async fn text(miner: &Running) -> String {
    let answer = client().get(format!("{}/metrics", miner.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], metrics::CONTENT_TYPE);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn requests_answers_and_refusals_are_counted() {
    let (friend, stranger) = (Keypair::from_uri("//friend").unwrap(), Keypair::from_uri("//stranger").unwrap());
    let mut config = common::config("//miner//figures");
    // A spammer needs no model.
    config.behaviour = Behaviour::Spammer;
    config.gate = Some(Arc::new(One(friend.ss58())));
    let miner = Running::ready(config).await;
    let body = request_body(json!({"prompt": "Why?"}));
    assert_eq!(miner.post(body.clone(), &signed(&friend, &body)).await.status, 200);
    assert_eq!(miner.post(body.clone(), &signed(&stranger, &body)).await.status, 403);
    assert_eq!(miner.post(body.clone(), &[]).await.status, 401);
    let broken = b"{".to_vec();
    assert_eq!(miner.post(broken.clone(), &signed(&friend, &broken)).await.status, 400);
    let unknown = client().post(format!("{}/NoSuchSynapse", miner.url)).body("{}").send().await.unwrap();
    assert_eq!(unknown.status(), 404);

    let text = text(&miner).await;
    let differences = page::differences(&text, &["Every process", "Miner"], &[]);
    assert!(differences.is_empty(), "{differences:#?}");
    for (row, expected) in [
        (r#"assay_miner_requests_total{dialect="plain",outcome="forbidden"}"#, 1.0),
        (r#"assay_miner_requests_total{dialect="plain",outcome="unauthorised"}"#, 1.0),
        (r#"assay_miner_requests_total{dialect="plain",outcome="malformed"}"#, 1.0),
        (r#"assay_miner_requests_total{dialect="sdk",outcome="malformed"}"#, 1.0),
        (r#"assay_miner_requests_total{dialect="fiber",outcome="answered"}"#, 0.0),
        (r#"assay_miner_answer_seconds_count{outcome="answered"}"#, 1.0),
        (r#"assay_miner_answer_seconds_count{outcome="refused"}"#, 0.0),
        ("assay_miner_gate_refusals_total", 2.0),
        ("assay_miner_requests_waiting", 0.0),
        ("assay_miner_answers_active", 0.0),
        ("assay_miner_ready", 1.0),
    ] {
        assert_eq!(page::value(&text, row), Some(expected), "{row} in\n{text}");
    }
    assert!(!text.contains(&friend.ss58()) && !text.contains(&stranger.ss58()));
    let proxied = client().get(format!("{}/metrics", miner.url)).header("x-real-ip", "127.0.0.1").send().await.unwrap();
    assert_eq!(proxied.status(), 403);
    miner.stop().await.unwrap();
}
