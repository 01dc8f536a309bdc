//! The routes of a real validator: a challenge goes in by HTTP, and what is answered follows from the log.

use std::time::Duration;

use domain::events::Event;
use domain::types::Hotkey;
use network::keys::Keypair;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use validator::api::{ApiConfig, CONTRACT, ChallengeDefaults, serve};
use validator::service::Handle;

use crate::world::{ANSWERS, NETUID, PATIENCE, QUESTION, World, honest, positions, until};

#[path = "../../../metrics/tests/page/mod.rs"]
mod page;
#[path = "../../src/api/tests/schema.rs"]
mod schema;

pub struct Routes {
    pub base: String,
    pub client: reqwest::Client,
    contract: Value,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), validator::Error>>,
}

impl Routes {
    pub async fn serve(handle: Handle) -> Self {
        Self::serve_with(handle, ApiConfig::new(ChallengeDefaults::README)).await
    }

    pub async fn serve_with(handle: Handle, config: ApiConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let ended = tokio::spawn(serve(listener, handle, config, shutdown));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, client, contract: serde_json::from_str(CONTRACT).unwrap(), stop, ended }
    }

    /// Sends a request and holds the answer to the contract.
    pub async fn ask(&self, route: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.base);
        let (method, request) = match body {
            Some(body) => ("post", self.client.post(url).json(&body)),
            None => ("get", self.client.get(url)),
        };
        let response = request.send().await.unwrap();
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        let mut stated = &self.contract["paths"][route][method]["responses"][status.as_str()];
        if let Some(pointer) = stated["$ref"].as_str() {
            stated = self.contract.pointer(&pointer[1..]).unwrap();
        }
        let problems = schema::problems(&self.contract, &stated["content"]["application/json"]["schema"], &body, "");
        assert!(problems.is_empty(), "{method} {path} {status} {body}: {problems:?}");
        (status, body)
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn challenge(&self, id: &str) -> Value {
        let (status, body) = self.ask("/challenges/{id}", &format!("/challenges/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Figures follow the log closely, not at once.
    async fn waiting(&self, queue_size: u64) {
        until("the queue is counted", || async { self.get("/challenges/stats").await["queue_size"] == queue_size })
            .await;
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_challenge_can_be_followed_to_its_end() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    assert_eq!(routes.get("/stats").await["average_response_time_ms"], Value::Null);
    let (status, paused) = routes.ask("/set_running", "/set_running", Some(json!({"running": false}))).await;
    assert_eq!((status, &paused["running"]), (StatusCode::OK, &json!(false)));
    assert_eq!(routes.get("/availability").await, json!({"available": false, "reason": "paused"}));
    assert_eq!(routes.get("/availability/health").await["status"], "paused");

    let body = json!({"id": "challenge-123", "prompt": QUESTION, "metadata": {"a": [1.0, "\u{e9}"]}});
    let (status, accepted) = routes.ask("/challenges", "/challenges", Some(body.clone())).await;
    assert_eq!(status, StatusCode::CREATED, "{accepted}");
    let (status, again) = routes.ask("/challenges", "/challenges", Some(body)).await;
    assert_eq!((status, &again["error"]["code"]), (StatusCode::CONFLICT, &json!("duplicate_challenge")));
    let queued = routes.challenge("challenge-123").await;
    assert_eq!((&queued["state"], &queued["best_answer"]), (&json!("queued"), &Value::Null));
    routes.waiting(1).await;
    assert_eq!(routes.get("/challenges/stats").await["total_received"], 1);

    let (_, resumed) = routes.ask("/set_running", "/set_running", Some(json!({"running": true}))).await;
    assert!(resumed["position"].as_u64() > paused["position"].as_u64(), "{resumed}");
    until("the challenge ends", || async { routes.challenge("challenge-123").await["state"] == "evaluated" }).await;
    let evaluated = routes.challenge("challenge-123").await;
    assert!(ANSWERS.iter().any(|answer| evaluated["best_answer"]["text"] == *answer), "{evaluated}");
    assert_eq!(evaluated["accepted"], accepted["position"]);
    assert_eq!(evaluated["commitment"], accepted["commitment"]);
    assert_eq!(evaluated["attempts"][0]["miners"].as_array().unwrap().len(), 3);
    let stats = routes.get("/get_stats").await;
    assert_eq!((&stats["total_challenges"], &stats["successful_responses"]), (&json!(1), &json!(3)));
    assert!(stats["average_response_time_ms"].as_f64().unwrap() > 10.0, "{stats}");
    assert_eq!(routes.get("/availability").await, json!({"available": true}));
    assert_eq!(routes.get("/availability/healthz").await["status"], "healthy");
    routes.stop().await;
    running.stop().await;

    // What was answered is what stands in the log, as it was sent.
    let log = world.log().await;
    let position = accepted["position"].as_u64().unwrap();
    assert_eq!(positions(&log, "ChallengeAccepted"), [position]);
    let Event::ChallengeAccepted(recorded) = &log[usize::try_from(position).unwrap()].1 else { panic!("{log:?}") };
    assert_eq!(recorded.challenge.metadata.as_deref(), Some("{\"a\":[1.0,\"\u{e9}\"]}"));
    let by: Vec<&str> = log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::ValidatorPaused(paused) => Some(paused.by.as_str()),
            Event::ValidatorResumed(resumed) => Some(resumed.by.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(by, ["loopback", "loopback"]);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_challenge_goes_through_and_too_many_are_told_when_to_come_back() {
    let world = World::new(honest()).await;
    let mut config = world.config();
    config.queue_limit = 1;
    let running = world.start(config).await;
    running.handle.set_running(false, "the test").await.unwrap();
    let routes = Routes::serve(running.handle.clone()).await;
    let id = "i".repeat(128);
    let longest = json!({"id": id, "prompt": "\u{1}".repeat(64 << 10), "requester": "r".repeat(256)});
    let (status, body) = routes.ask("/challenges", "/challenges", Some(longest)).await;
    // Each control character of the prompt takes six bytes as JSON: over the limit of the body, not of the prompt.
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{body}");
    let longest = json!({"id": id, "prompt": "\u{e9}".repeat(32 << 10), "metadata": {"a": "x".repeat(32_000)}});
    let (status, body) = routes.ask("/challenges", "/challenges", Some(longest)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(routes.challenge(&id).await["state"], "queued");
    let next = json!({"id": "next", "prompt": QUESTION});
    let response = routes.client.post(format!("{}/challenges", routes.base)).json(&next).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "10");

    let miner = json!({"hotkey": world.peers[0].key.hotkey()});
    let (status, known) = routes.ask("/register/", "/register/", Some(miner)).await;
    assert_eq!((status, &known["announced"]), (StatusCode::OK, &json!(true)));
    let stranger: Hotkey = Keypair::from_uri("//stranger").unwrap().hotkey();
    let (status, _) = routes.ask("/register", "/register", Some(json!({"hotkey": stranger}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    // A validator that has stopped says so; it does not pretend.
    running.stop().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let availability = routes.get("/availability").await;
    assert_eq!(availability["available"], false, "{availability}");
    let (status, body) =
        routes.ask("/challenges", "/challenges", Some(json!({"id": "late", "prompt": QUESTION}))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    routes.stop().await;
    assert_eq!(positions(&world.log().await, "ChallengeAccepted").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_could_not_be_issued_is_refused_with_its_field_and_nothing_is_recorded() {
    let world = crate::labels::world().await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    let good = validator::sources::conversion::Conversations::of_ledger("the test").challenge(3).unwrap().task.unwrap();
    let missing = good.replace("\"is_weekend\"", "\"was_weekend\"");
    for (task, problem) in [
        (Value::Null, "has no task"),
        (json!("no JSON"), "cannot be used"),
        (json!("{}"), "cannot be used"),
        (json!(good.replacen(':', ": ", 1)), "canonical"),
        (json!(missing), "cannot be used"),
        (json!({"features": 1}), "is not a string"),
        (json!("x".repeat((128 << 10) + 1)), "the limit is 131072"),
    ] {
        let body = json!({"id": "bad", "prompt": QUESTION, "task": task});
        let (status, refused) = routes.ask("/challenges", "/challenges", Some(body)).await;
        assert_eq!(
            (status, &refused["error"]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("task")),
            "{refused}"
        );
        assert!(refused["error"]["message"].as_str().unwrap().contains(problem), "{problem}: {refused}");
    }
    let body = json!({"id": "good", "prompt": QUESTION, "task": good});
    let (status, accepted) = routes.ask("/challenges", "/challenges", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{accepted}");
    until("the challenge ends", || async { routes.challenge("good").await["state"] == "evaluated" }).await;
    routes.stop().await;
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "ChallengeAccepted"), [accepted["position"].as_u64().unwrap()]);

    // Where the challenge itself is what miners are asked, a task would be sent to nobody.
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    let body = json!({"id": "loosh", "prompt": QUESTION, "task": "{}"});
    let (status, refused) = routes.ask("/challenges", "/challenges", Some(body)).await;
    assert_eq!((status, &refused["error"]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("task")), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("leave it out"), "{refused}");
    routes.stop().await;
    running.stop().await;
    assert_eq!(positions(&world.log().await, "ChallengeAccepted"), Vec::<u64>::new());
}

/// Figures for Prometheus are those of the log, and those that docs/metrics.md lists.
#[tokio::test(flavor = "multi_thread")]
async fn figures_are_told_as_the_document_says() {
    let world = World::new(honest()).await;
    let mut config = world.config();
    config.checkpoint_interval = Duration::from_secs(1);
    let running = world.start(config).await;
    let routes = Routes::serve(running.handle.clone()).await;
    let push = json!({"id": "figures-1", "prompt": QUESTION});
    let (status, body) = routes.ask("/challenges", "/challenges", Some(push)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    until("the round is evaluated", || async { routes.challenge("figures-1").await["state"] == "evaluated" }).await;
    let text = || async {
        let answer = routes.client.get(format!("{}/metrics", routes.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], metrics::CONTENT_TYPE);
        answer.text().await.unwrap()
    };
    let sections = ["Every process", "HTTP servers", "Validator"];
    let differences = || async { page::differences(&text().await, &sections, &["netuid", "mechanism"]) };
    // A checkpoint and an epoch may still be on their way.
    until("the page is complete", || async { differences().await.is_empty() }).await;
    let text = text().await;
    let labels = |more: &str| format!("{{netuid=\"{NETUID}\",mechanism=\"loosh\"{more}}}");
    for (name, more, expected) in [
        ("assay_challenges_accepted_total", "", 1.0),
        ("assay_rounds_opened_total", "", 1.0),
        ("assay_rounds_ended_total", ",outcome=\"evaluated\"", 1.0),
        ("assay_rounds_ended_total", ",outcome=\"no_miners\"", 0.0),
        ("assay_responses_total", ",outcome=\"answered\"", 3.0),
        ("assay_responses_total", ",outcome=\"timed_out\"", 0.0),
        ("assay_response_seconds_count", "", 3.0),
        ("assay_round_seconds_count", "", 1.0),
        ("assay_weights_total", ",fate=\"rejected\"", 0.0),
        ("assay_chain_connected", "", 1.0),
        ("assay_database_connected", "", 1.0),
        ("assay_validator_running", "", 1.0),
        ("assay_epoch_number", "", 0.0),
        ("assay_miners_available", "", 3.0),
        ("assay_http_requests_total", ",route=\"/challenges\",status=\"201\"", 1.0),
    ] {
        let row = format!("{name}{}", labels(more));
        assert_eq!(page::value(&text, &row), Some(expected), "{row} in\n{text}");
    }
    let appends = page::value(&text, &format!("assay_append_seconds_count{}", labels(""))).unwrap();
    let size = page::value(&text, &format!("assay_log_events{}", labels(""))).unwrap();
    assert!(appends >= 5.0 && size > appends, "{appends} appends, {size} events");
    assert_eq!(
        page::value(&text, &format!("assay_disk_size_bytes{}", labels(""))).map(|bytes| bytes > 1e6),
        Some(true)
    );
    // No hotkey, of miners or of the validator, is among the labels.
    for hotkey in world.peers.iter().map(|peer| peer.key.hotkey()).chain([running.handle.hotkey()]) {
        assert!(!text.contains(&hotkey.to_string()), "{hotkey}");
    }
    let proxied = routes.client.get(format!("{}/metrics", routes.base)).header("x-forwarded-for", "127.0.0.1");
    assert_eq!(proxied.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    routes.stop().await;
    running.stop().await;
}
