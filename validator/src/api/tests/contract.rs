//! The router and `openapi.json` say the same: every route, every status, every body.

use std::collections::BTreeSet;

use axum::body::Bytes;
use network::keys::Keypair;
use serde_json::json;

use super::*;
use crate::api::routes::routes;

type Seen = (String, String, u16);

fn contract() -> Value {
    serde_json::from_str(CONTRACT).unwrap()
}

/// Follows a `$ref`.
fn resolved<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(pointer) => contract.pointer(pointer.strip_prefix('#').unwrap()).expect(pointer),
        None => value,
    }
}

fn documented(contract: &Value) -> BTreeSet<Seen> {
    let mut all = BTreeSet::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                all.insert((method.to_uppercase(), path.clone(), status.parse().unwrap()));
            }
        }
    }
    all
}

struct Caller {
    contract: Value,
    service: Arc<Double>,
    seen: BTreeSet<Seen>,
}

impl Caller {
    /// Sends a request and holds the answer to the contract.
    async fn ask(&mut self, config: &ApiConfig, route: &str, request: Request<Body>) -> u16 {
        let router = router(Arc::new(Arc::clone(&self.service)), config);
        let method = request.method().to_string();
        let (status, headers, body) = answer(&router, request).await;
        let operation = &self.contract["paths"][route][method.to_lowercase()];
        let response = resolved(&self.contract, &operation["responses"][status.to_string()]);
        let what = format!("{method} {route} {status}: {body}");
        assert!(response.is_object(), "not in the contract: {what}");
        let schema = &response["content"]["application/json"]["schema"];
        let problems = schema::problems(&self.contract, schema, &body, "");
        assert!(problems.is_empty(), "{what}: {problems:?}");
        assert_eq!(headers["content-type"], "application/json", "{what}");
        assert_eq!(headers["cache-control"], "no-store", "{what}");
        assert_eq!(headers["x-request-id"].len(), 36, "{what}");
        for name in response["headers"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            let stated_for_health = status == 503 && body["error"].is_null();
            assert!(stated_for_health || headers.contains_key(name.as_str()), "{name}: {what}");
        }
        self.seen.insert((method, route.to_owned(), status));
        status
    }
}

/// A good body for each route that takes one.
fn good(path: &str, number: u32) -> String {
    match path {
        "/challenges" => json!({"id": format!("challenge-{number}"), "prompt": "why?"}).to_string(),
        "/labels" => json!({"challenge_id": format!("challenge-{number}"), "attempt": 1, "source": "crm", "label": {}})
            .to_string(),
        "/set_running" => json!({"running": number.is_multiple_of(2)}).to_string(),
        _ => json!({"hotkey": hotkey(1)}).to_string(),
    }
}

#[test]
fn the_table_of_routes_is_the_contracts() {
    let contract = contract();
    assert_eq!(contract["openapi"], "3.1.0");
    let ours: BTreeSet<(String, String)> =
        routes().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    let theirs: BTreeSet<(String, String)> =
        documented(&contract).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(ours, theirs);
    assert_eq!(routes().len(), ours.len(), "no route twice");
    let mut names = BTreeSet::new();
    for methods in contract["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()));
        }
    }
}

#[test]
fn a_route_that_changes_something_says_who_may() {
    for route in routes() {
        let operation = &contract()["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["security"].is_array(), route.method == "POST", "{}", route.path);
    }
}

#[tokio::test]
async fn every_status_and_no_other() {
    let service = Arc::new(Double::default());
    let mut caller = Caller { contract: contract(), service: Arc::clone(&service), seen: BTreeSet::new() };
    let open = config();
    let all: Vec<(&str, String)> = routes().iter().map(|route| (route.path, route.method.to_string())).collect();
    let mut none_at_once = open.clone();
    none_at_once.limits.requests = 0;
    for (path, method) in &all {
        assert_eq!(caller.ask(&none_at_once, path, from_here(method, &path.replace("{id}", "a"), "")).await, 503);
    }
    for path in all.iter().filter(|(path, method)| method == "GET" && !path.contains('{')).map(|(path, _)| path) {
        assert_eq!(caller.ask(&open, path, from_here("GET", path, "")).await, 200, "{path}");
    }
    for (path, _) in all.iter().filter(|(_, method)| method == "POST") {
        refusals(&mut caller, path).await;
        let expected = if ["/challenges", "/labels"].contains(path) { 201 } else { 200 };
        for number in [1, 2] {
            assert_eq!(caller.ask(&open, path, from_here("POST", path, good(path, number))).await, expected, "{path}");
        }
    }
    for path in ["/challenges", "/labels"] {
        assert_eq!(caller.ask(&open, path, from_here("POST", path, good(path, 1))).await, 409);
    }
    for id in ["challenge-1", "empty"] {
        service.challenges.lock().unwrap().entry(id.to_owned()).or_insert_with(|| {
            challenge::read(br#"{"id":"empty","prompt":"why?"}"#, &ChallengeDefaults::README).unwrap()
        });
        let request = from_here("GET", &format!("/challenges/{id}"), "");
        assert_eq!(caller.ask(&open, "/challenges/{id}", request).await, 200);
    }
    for id in ["unknown", "..", "a%2Fb", "a%00b", "%FF", &"x".repeat(2000)] {
        let request = from_here("GET", &format!("/challenges/{id}"), "");
        assert_eq!(caller.ask(&open, "/challenges/{id}", request).await, 404, "{id}");
    }
    for path in ["/register", "/register/"] {
        let body = json!({"hotkey": hotkey(2)}).to_string();
        assert_eq!(caller.ask(&open, path, from_here("POST", path, body)).await, 404);
    }
    // Figures with and without epochs and averages were both held to the contract.
    assert_eq!(caller.ask(&open, "/stats", from_here("GET", "/stats", "")).await, 200);
    service_troubles(&mut caller).await;
    assert_eq!(caller.seen, documented(&caller.contract));
}

/// What every route that changes something refuses.
async fn refusals(caller: &mut Caller, path: &'static str) {
    let open = config();
    let mut signed = open.clone();
    signed.allowed_hotkeys.push(hotkey(1));
    let send = |body: Body| from_here("POST", path, body);
    let mut proxied = send(good(path, 1).into());
    proxied.headers_mut().insert("x-forwarded-for", "127.0.0.1".parse().unwrap());
    assert_eq!(caller.ask(&open, path, proxied).await, 401, "{path}");
    let stranger = Keypair::from_uri("//Mallory").unwrap();
    let mut not_allowed = send(good(path, 1).into());
    for (name, value) in [("x-hotkey", stranger.ss58()), ("x-nonce", "1".into()), ("x-signature", "ab".repeat(64))] {
        not_allowed.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(caller.ask(&signed, path, not_allowed).await, 403, "{path}");
    let mut plain = send(good(path, 1).into());
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(caller.ask(&open, path, plain).await, 415, "{path}");
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut"))]);
    assert_eq!(caller.ask(&open, path, send(Body::from_stream(broken))).await, 400, "{path}");
    let silent = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    assert_eq!(caller.ask(&impatient(), path, send(Body::from_stream(silent))).await, 408, "{path}");
    assert_eq!(caller.ask(&open, path, send("{}".into())).await, 422, "{path}");
    let limit = match path {
        "/challenges" => 256 << 10,
        "/labels" => 96 << 10,
        _ => 4 << 10,
    };
    let spaces = |length: usize| " ".repeat(length);
    assert_eq!(caller.ask(&open, path, send(spaces(limit + 1).into())).await, 413, "{path}");
    let unannounced =
        futures::stream::iter([spaces(limit), spaces(1)].map(|part| Ok::<_, std::io::Error>(Bytes::from(part))));
    assert_eq!(caller.ask(&open, path, send(Body::from_stream(unannounced))).await, 413, "{path}");
    let mut lying = send("{}".into());
    lying.headers_mut().insert("content-length", "99999999999".parse().unwrap());
    assert_eq!(caller.ask(&open, path, lying).await, 413, "{path}");
    let most = spaces(limit - good(path, 0).len()) + &good(path, 0);
    assert!(caller.ask(&open, path, send(most.into())).await < 300, "{path}: exactly the limit");
}

async fn service_troubles(caller: &mut Caller) {
    let (open, service) = (config(), Arc::clone(&caller.service));
    let push = |number| from_here("POST", "/challenges", good("/challenges", number));
    let many = AcceptError::TooMany { queued: 10_000, retry_after_seconds: 10 };
    let invalid = AcceptError::Invalid { field: "id".to_owned(), problem: "is too long".to_owned() };
    let unavailable = AcceptError::Unavailable("no chain".to_owned());
    for (error, status) in
        [(many, 429), (invalid, 422), (unavailable, 503), (AcceptError::Unknown("cut".to_owned()), 503)]
    {
        service.says(Script { accept: Some(error), ..Script::default() });
        assert_eq!(caller.ask(&open, "/challenges", push(50)).await, status);
    }
    label_troubles(caller).await;
    let unavailable = Script { unavailable: true, ..Script::default() };
    let slow = Script { slow: true, ..Script::default() };
    for (script, config) in [(unavailable, config()), (slow, impatient())] {
        service.says(script);
        assert_eq!(caller.ask(&config, "/challenges", push(51)).await, 503);
        assert_eq!(caller.ask(&config, "/challenges/{id}", from_here("GET", "/challenges/a", "")).await, 503);
        for path in ["/register", "/set_running", "/labels"] {
            assert_eq!(caller.ask(&config, path, from_here("POST", path, good(path, 1))).await, 503);
        }
    }
    let sick = |ledger, chain, running| Health {
        available: false,
        reason: Some("why".into()),
        ledger,
        chain,
        running,
        ..healthy()
    };
    for (health, status, word) in [
        (sick(false, true, true), 503, "unhealthy"),
        (sick(true, false, false), 503, "unhealthy"),
        (sick(true, true, true), 503, "unhealthy"),
        (sick(true, true, false), 200, "paused"),
        (healthy(), 200, "healthy"),
    ] {
        service.says(Script { health: Some(health.clone()), ..Script::default() });
        for path in ["/availability/health", "/availability/healthz"] {
            assert_eq!(caller.ask(&open, path, from_here("GET", path, "")).await, status);
        }
        let router = router(Arc::new(Arc::clone(&service)), &open);
        let (_, _, body) = answer(&router, from_here("GET", "/availability/health", "")).await;
        assert_eq!(
            (body["status"].as_str(), &body["processing_stats"]["available_capacity"]),
            (Some(word), &json!(12))
        );
        assert_eq!(caller.ask(&open, "/availability", from_here("GET", "/availability", "")).await, 200);
        let (_, _, body) = answer(&router, from_here("GET", "/availability", "")).await;
        assert_eq!(body["available"], health.available);
    }
    service.says(Script::default());
}

async fn label_troubles(caller: &mut Caller) {
    let (open, service) = (config(), Arc::clone(&caller.service));
    let no_round = |field| LabelError::NoRound { field, problem: "is unknown".to_owned() };
    let invalid = LabelError::Invalid { field: "label", problem: "no class".to_owned() };
    for (error, status, field) in [
        (no_round("challenge_id"), 404, json!("challenge_id")),
        (no_round("attempt"), 404, json!("attempt")),
        (LabelError::NotAwaited { round: "a/1".to_owned(), problem: "is under way" }, 409, json!("challenge_id")),
        (invalid, 422, json!("label")),
        (LabelError::Busy, 503, Value::Null),
        (LabelError::Unavailable("stopping".to_owned()), 503, Value::Null),
        (LabelError::Unknown("cut".to_owned()), 503, Value::Null),
    ] {
        service.says(Script { label: Some(error), ..Script::default() });
        let tell = || from_here("POST", "/labels", good("/labels", 60));
        assert_eq!(caller.ask(&open, "/labels", tell()).await, status);
        let (_, _, body) = answer(&router(Arc::new(Arc::clone(&service)), &open), tell()).await;
        assert_eq!(body["error"]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn what_is_no_route_is_refused_in_the_same_shape() {
    let contract = contract();
    let router = router(Arc::new(Arc::new(Double::default())), &config());
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/challenges/", 404),
        ("GET", "/docs", 404),
        ("POST", "/challenges/a/b", 404),
        ("GET", "/challenges", 405),
        ("DELETE", "/challenges/a", 405),
        ("OPTIONS", "/set_running", 405),
    ] {
        let (got, headers, body) = answer(&router, from_here(method, path, "")).await;
        assert_eq!(got, status, "{method} {path}");
        let problems = schema::problems(&contract, &contract["components"]["schemas"]["Error"], &body, "");
        assert!(problems.is_empty(), "{method} {path}: {problems:?}");
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert_eq!(headers.contains_key("allow"), status == 405, "{method} {path}");
    }
}

#[tokio::test]
async fn requests_are_as_the_contract_says() {
    // What the reader of challenges takes and what the contract's schema takes are the same for these.
    let contract = contract();
    let schema = &contract["components"]["schemas"]["ChallengeCreate"];
    for (body, good) in [
        (json!({"id": "a", "prompt": "why?"}), true),
        (json!({"id": "a", "prompt": "why?", "temperature": 2, "top_p": 0, "max_tokens": 1, "other": []}), true),
        (json!({"id": "a", "messages": [{"role": "user", "content": "why?", "name": "n"}], "prompt": null}), true),
        (json!({"id": "a", "prompt": "why?", "tools": [{}], "tool_choice": {}, "metadata": {}, "model": "m"}), true),
        (json!({"prompt": "why?"}), false),
        (json!({"id": "", "prompt": "why?"}), false),
        (json!({"id": "a", "prompt": 1}), false),
        (json!({"id": "a", "prompt": "why?", "temperature": 2.5}), false),
        (json!({"id": "a", "prompt": "why?", "top_p": -1}), false),
        (json!({"id": "a", "prompt": "why?", "max_tokens": 0}), false),
        (json!({"id": "a", "prompt": "why?", "max_tokens": 131_073}), false),
        (json!({"id": "a", "prompt": "why?", "messages": []}), false),
        (json!({"id": "a", "prompt": "why?", "messages": [{"role": "root"}]}), false),
        (json!({"id": "a", "prompt": "why?", "tools": {}}), false),
        (json!({"id": "a", "prompt": "why?", "metadata": []}), false),
        (json!({"id": "a", "prompt": "why?", "tool_choice": 1}), false),
    ] {
        let stated = schema::problems(&contract, schema, &body, "").is_empty();
        let taken = challenge::read(body.to_string().as_bytes(), &ChallengeDefaults::README).is_ok();
        assert_eq!((stated, taken), (good, good), "{body}");
    }
}
