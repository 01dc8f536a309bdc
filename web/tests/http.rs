//! The server over a log written through the real ledger, asked over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../metrics/tests/page/mod.rs"]
mod page;
#[path = "../../projections/tests/support/mod.rs"]
mod support;

use std::time::Duration;

use projections::{Projector, Settings};
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{World, database, hotkey, little_log};
use web::{Config, Server};

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

struct Served {
    base: String,
    client: Client,
    url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
    _database: cluster::TestDatabase,
}

impl Served {
    async fn with(change: impl FnOnce(&mut Config)) -> (Self, World) {
        let database = database().await;
        let world = little_log(database.url()).await;
        let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
        projector.catch_up().await.unwrap();
        let mut config = Config::new(database.url(), "127.0.0.1:0".parse().unwrap());
        change(&mut config);
        let server = Server::bind(&config).await.unwrap();
        let base = format!("http://{}", server.address());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        let url = database.url().to_owned();
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        (Self { base, client, url, stop: Some(stop), running, _database: database }, world)
    }

    async fn new() -> (Self, World) {
        Self::with(|_| {}).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    fn post(&self) -> RequestBuilder {
        self.client.post(format!("{}/graphql", self.base))
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        let response = self.get(path).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

fn media(response: &Response) -> &str {
    response.headers()[CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap()
}

/// One rule of GraphQL over HTTP: a request, and what must come back.
struct Rule {
    name: &'static str,
    request: RequestBuilder,
    status: u16,
    media: &'static str,
    /// Whether there is a `data` entry, and an `errors` entry.
    entries: (bool, bool),
}

fn rule(name: &'static str, request: RequestBuilder, status: u16, media: &'static str, entries: (bool, bool)) -> Rule {
    Rule { name, request, status, media, entries }
}

fn rules(served: &Served) -> Vec<Rule> {
    let ok = json!({ "query": "{ __typename }" });
    let post = |accept: &str, body: &Value| served.post().header(ACCEPT, accept).json(body);
    let text =
        |kind: &str, body: &str| served.post().header(CONTENT_TYPE, kind).header(ACCEPT, NEW).body(body.to_owned());
    let get = |accept: &str, query: &str| served.get(&format!("/graphql?{query}")).header(ACCEPT, accept);
    let typed = |name: &str, value: Value| {
        let mut body = ok.clone();
        body[name] = value;
        post(NEW, &body)
    };
    let named = "query=query%20A%7B__typename%7D%20query%20B%7B__typename%7D";
    let variables = "query=query(%24f%3AInt)%7Bledgers%7Borigin%7D%20epochs(first%3A%24f)%7Bmeta%7Bposition%7D%7D%7D";
    vec![
        rule("post in the new media type", post(NEW, &ok), 200, NEW, (true, false)),
        rule("post in the older media type", post(OLD, &ok), 200, OLD, (true, false)),
        rule("no accept header", served.post().json(&ok), 200, OLD, (true, false)),
        rule("any media type", post("*/*", &ok), 200, OLD, (true, false)),
        rule("both media types", post(&format!("{OLD}, {NEW}"), &ok), 200, NEW, (true, false)),
        rule("utf-8 charset", text("application/json; charset=UTF-8", &ok.to_string()), 200, NEW, (true, false)),
        rule("other charset", text("application/json; charset=latin1", &ok.to_string()), 415, NEW, (false, true)),
        rule("an accept header nobody can meet", post("text/html", &ok), 406, OLD, (false, true)),
        rule("text/plain, as a form can send it", text("text/plain", &ok.to_string()), 415, NEW, (false, true)),
        rule("a form", text("application/x-www-form-urlencoded", "query=%7B__typename%7D"), 415, NEW, (false, true)),
        rule("multipart", text("multipart/form-data; boundary=x", "--x--"), 415, NEW, (false, true)),
        rule("no content type", served.post().header(ACCEPT, NEW).body("{}"), 415, NEW, (false, true)),
        rule("json that is cut short", text(OLD, "{\"query\":"), 400, NEW, (false, true)),
        rule("no query", post(NEW, &json!({})), 400, NEW, (false, true)),
        rule("no query, older type", post(OLD, &json!({})), 400, OLD, (false, true)),
        rule("a batch", post(NEW, &json!([ok])), 400, NEW, (false, true)),
        rule("a query that is no string", post(NEW, &json!({ "query": 7 })), 400, NEW, (false, true)),
        rule("variables that are no object", typed("variables", json!("x")), 400, NEW, (false, true)),
        rule("variables as a list", typed("variables", json!([])), 400, NEW, (false, true)),
        rule("operationName that is no string", typed("operationName", json!(1)), 400, NEW, (false, true)),
        rule("extensions that are no object", typed("extensions", json!(0)), 400, NEW, (false, true)),
        rule("nulls for what may be left out", typed("variables", Value::Null), 200, NEW, (true, false)),
        rule("extensions", typed("extensions", json!({ "a": 1 })), 200, NEW, (true, false)),
        rule("a syntax error", post(NEW, &json!({ "query": "{" })), 400, NEW, (false, true)),
        rule("a syntax error, older type", post(OLD, &json!({ "query": "{" })), 200, OLD, (false, true)),
        rule("a field that is not there", post(NEW, &json!({ "query": "{ x }" })), 400, NEW, (false, true)),
        rule("the same, older type", post(OLD, &json!({ "query": "{ x }" })), 200, OLD, (false, true)),
        rule("an operation that is not there", typed("operationName", json!("X")), 400, NEW, (false, true)),
        rule("a mutation by post", post(NEW, &json!({ "query": "mutation { x }" })), 400, NEW, (false, true)),
        rule(
            "a failing field",
            post(NEW, &json!({ "query": "{ miner(hotkey: \"x\") { uid } }" })),
            200,
            NEW,
            (true, true),
        ),
        rule("get", get(NEW, "query=%7B__typename%7D"), 200, NEW, (true, false)),
        rule("get in the older type", get(OLD, "query=%7B__typename%7D"), 200, OLD, (true, false)),
        rule("get with operationName", get(NEW, &format!("{named}&operationName=B")), 200, NEW, (true, false)),
        rule("get without a needed operationName", get(NEW, named), 400, NEW, (false, true)),
        rule(
            "get with variables",
            get(NEW, &format!("{variables}&variables=%7B%22f%22%3A1%7D")),
            200,
            NEW,
            (true, false),
        ),
        rule(
            "get with variables that are no json",
            get(NEW, &format!("{variables}&variables=%7B")),
            400,
            NEW,
            (false, true),
        ),
        rule("get without a query", get(NEW, ""), 400, NEW, (false, true)),
        rule("get with a mutation", get(NEW, "query=mutation%7Bx%7D"), 405, NEW, (false, true)),
        rule("get with a subscription", get(NEW, "query=subscription%7Bx%7D"), 405, NEW, (false, true)),
        rule("put", served.client.put(format!("{}/graphql", served.base)).header(ACCEPT, NEW), 405, NEW, (false, true)),
        rule("65 KiB", text(OLD, &format!("{{\"query\":\"{}\"}}", "#".repeat(66_000))), 413, NEW, (false, true)),
        rule("33 kB of query", post(NEW, &json!({ "query": "#".repeat(33_000) })), 400, NEW, (false, true)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_over_http() {
    let (served, _world) = Served::new().await;
    for Rule { name, request, status, media: expected, entries } in rules(&served) {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{name}");
        assert_eq!(media(&response), expected, "{name}");
        assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().contains("charset=utf-8"), "{name}");
        if status == 405 {
            assert!(response.headers()[ALLOW].to_str().unwrap().contains("POST"), "{name}");
        }
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((body.get("data").is_some(), body.get("errors").is_some()), entries, "{name}: {body}");
        for error in body["errors"].as_array().into_iter().flatten() {
            assert!(error["extensions"]["code"].is_string(), "{name}: {body}");
            assert!(!error["message"].as_str().unwrap().is_empty(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_come_in_the_order_of_the_query() {
    let (served, _world) = Served::new().await;
    let query = json!({ "query": "{ b: ledgers { netuid hotkey } page: epochs(first: 1) { meta { position } edges { cursor } } }" });
    let text = served.post().json(&query).send().await.unwrap().text().await.unwrap();
    let places =
        ["\"b\"", "\"netuid\"", "\"hotkey\"", "\"page\"", "\"meta\"", "\"edges\""].map(|name| text.find(name).unwrap());
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tab_of_the_explorer_answers() {
    let (served, _world) = Served::new().await;
    let tabs: Value = serde_json::from_str(&served.page("/graphiql/tabs.json").await.1).unwrap();
    let tabs = tabs.as_array().unwrap();
    assert_eq!(tabs.len(), 5);
    for tab in tabs {
        let variables: Value = serde_json::from_str(tab["variables"].as_str().unwrap()).unwrap();
        let body = json!({ "query": tab["query"], "variables": variables });
        let answer: Value =
            serde_json::from_str(&served.post().json(&body).send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(answer.get("errors"), None, "{tab}");
        let data = answer["data"].as_object().unwrap();
        assert!(data.values().all(|value| !value.is_null()), "{tab}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_refers_to_another_host() {
    let (served, _world) = Served::new().await;
    for path in ["/", "/leaderboard", "/graphiql"] {
        let response = served.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(!headers.contains_key("access-control-allow-origin"));
        let html = response.text().await.unwrap();
        for attribute in ["src=\"", "href=\""] {
            for link in html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(link.starts_with('/') && !link.starts_with("//"), "{path}: {link}");
                let target = link.replace("&amp;", "&");
                assert_eq!(served.get(&target).send().await.unwrap().status(), 200, "{path}: {link}");
            }
        }
        assert!(!html.contains("<script>") && !html.contains("style="), "{path}: inline code");
    }
    let style = served.page("/graphiql/graphiql.min.css").await.1;
    for url in style.split("url(").skip(1) {
        assert!(url.trim_start_matches('"').starts_with("data:"), "{}", &url[..40]);
    }
    assert!(!style.contains("@import"));
    assert_eq!(served.page("/graphiql/%2e%2e%2fstart.js").await.0, 404);
}

#[test]
fn vendored_files_are_those_of_the_manifest() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/graphiql");
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.sha256")).unwrap();
    assert_eq!(manifest.lines().count(), 4);
    for line in manifest.lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(hex::encode(Sha256::digest(std::fs::read(folder.join(name)).unwrap())), digest, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_the_ledger_and_its_leaderboard() {
    let (served, world) = Served::new().await;
    let (_, home) = served.page("/").await;
    assert!(home.contains(world.origin()) && home.contains("subnet 78"), "{home}");
    let origin = world.origin().replace('/', "%2F");
    let (status, board) = served.page(&format!("/leaderboard?ledger={origin}")).await;
    assert_eq!(status, 200);
    assert!(board.contains(&hotkey(1).to_string()) && board.contains("<td>1</td>"), "{board}");
    let (status, unknown) = served.page("/leaderboard?ledger=%3Cscript%3E").await;
    assert_eq!(status, 404);
    assert!(unknown.contains("&lt;script&gt;") && !unknown.contains("<script>"), "{unknown}");
    assert_eq!(served.page("/nothing").await.0, 404);
    let (_, schema) = served.page("/schema.graphql").await;
    assert_eq!(schema, graphql::sdl());
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_about_the_read_models() {
    let (served, mut world) = Served::with(|config| config.ready_lag = 3).await;
    let ready = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    let (status, body) = served.page("/readyz").await;
    assert_eq!((status, &ready(&body)["ledgers"][0]["lag"]), (StatusCode::OK, &json!(0)));
    world.round("unseen").await;
    let (status, body) = served.page("/readyz").await;
    assert_eq!(status, 503, "{body}");
    let projector = Projector::open(&served.url, Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    assert_eq!(served.page("/readyz").await.0, 200);
    assert_eq!(served.page("/livez").await, (StatusCode::OK, "ok\n".to_owned()));

    // A database without read models is alive and not ready.
    let mut empty = Config::new("postgres://nobody@127.0.0.1:1/none", "127.0.0.1:0".parse().unwrap());
    empty.timeout = Duration::from_secs(1);
    let server = Server::bind(&empty).await.unwrap();
    let base = format!("http://{}", server.address());
    let running = tokio::spawn(server.run(std::future::pending()));
    let status = |path: &str| served.client.get(format!("{base}{path}")).send();
    assert_eq!(status("/livez").await.unwrap().status(), 200);
    let not_ready = status("/readyz").await.unwrap();
    assert!(not_ready.status().is_server_error());
    assert!(!not_ready.text().await.unwrap().contains("127.0.0.1"));
    running.abort();
}

/// Whoever opens connections and says nothing gets no more than the place of one, and not for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_keeps_nobody_out() {
    let (served, _world) = Served::with(|config| {
        config.connections = 1;
        config.head_timeout = Duration::from_millis(300);
    })
    .await;
    let mut silent = tokio::net::TcpStream::connect(served.base.trim_start_matches("http://")).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut silent, b"GET / HTT").await.unwrap();
    assert_eq!(served.page("/livez").await.0, 200, "once the silent one is sent away");
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut rest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_once_are_refused_and_liveness_is_not() {
    let (served, _world) = Served::with(|config| config.concurrency = 1).await;
    // A body that never ends holds the only place, once one of them has come before our own question.
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut slow = Vec::new();
    let mut shed = None;
    for _ in 0..100 {
        let mut socket = tokio::net::TcpStream::connect(served.base.trim_start_matches("http://")).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
        slow.push(socket);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let response = served.post().json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
        if response.status() == 503 {
            shed = Some(response);
            break;
        }
    }
    assert!(shed.expect("a refusal").headers().contains_key("retry-after"));
    assert_eq!(served.page("/livez").await.0, 200);
    drop(slow);
    for _ in 0..200 {
        if served.page("/readyz").await.0 == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place never came free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (served, _world) = Served::with(|config| config.timeout = Duration::from_millis(300)).await;
    let mut slow = tokio::net::TcpStream::connect(served.base.trim_start_matches("http://")).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let reading = tokio::io::AsyncReadExt::read_exact(&mut slow, &mut answer);
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 504");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_stops_when_it_is_told() {
    let (mut served, _world) = Served::new().await;
    assert_eq!(served.page("/livez").await.0, 200);
    served.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(15), &mut served.running).await.unwrap().unwrap();
    assert!(served.get("/livez").send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heatmap_of_an_evaluated_round_is_a_picture() {
    let (served, _world) = Served::new().await;
    let svg = served.get("/rounds/e0-c0/2/heatmap.svg").send().await.unwrap();
    assert_eq!((svg.status(), media(&svg)), (StatusCode::OK, "image/svg+xml"));
    assert_eq!(svg.headers()["cache-control"], "public, max-age=3600");
    let tag = svg.headers()["etag"].to_str().unwrap().to_owned();
    let text = svg.text().await.unwrap();
    for part in ["e0-c0/2", ">0.75</text>", "cosines of the 3 of 3 answers"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains(support::SECRET));
    let again = served.get("/rounds/e0-c0/2/heatmap.svg").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status(), again.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, tag.as_str()));
    assert_eq!(again.bytes().await.unwrap().len(), 0);
    let png = served.get("/rounds/e0-c0/2/heatmap.png?netuid=78&rows=all").send().await.unwrap();
    assert_eq!((png.status(), media(&png)), (StatusCode::OK, "image/png"));
    assert_ne!(png.headers()["etag"], tag.as_str());
    assert!(png.bytes().await.unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_heatmap_the_problem_is_named() {
    let (served, world) = Served::new().await;
    let far = format!("/rounds/e0-c0/2/heatmap.png?asOf={}", world.size());
    for (path, status, detail) in [
        ("/rounds/open-c1/1/heatmap.svg", 409, "round open-c1/1 has not ended yet"),
        ("/rounds/e0-c0/1/heatmap.png", 409, "was not evaluated"),
        ("/rounds/e0-c0/2/heatmap.png?asOf=18", 409, "has not ended yet"),
        ("/rounds/e0-c0/2/heatmap.png?asOf=12", 404, "no such round"),
        ("/rounds/e0-c0/3/heatmap.svg", 404, "no such round"),
        ("/rounds/nothing/1/heatmap.svg", 404, "no such round"),
        ("/rounds/e0-c0/x/heatmap.svg", 404, "no such round"),
        ("/rounds/a%00b/1/heatmap.svg", 404, "no such round"),
        ("/rounds/e0-c0/2/heatmap.svg?netuid=7", 404, "no ledger of netuid 7"),
        (&far, 404, "is not in the read models yet"),
        ("/rounds/e0-c0/2/heatmap.svg?rows=some", 400, "rows is survivors or all"),
        ("/rounds/e0-c0/2/heatmap.svg?size=9", 400, "the query takes"),
    ] {
        let response = served.get(path).send().await.unwrap();
        assert_eq!((response.status().as_u16(), media(&response)), (status, "application/problem+json"), "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["status"], status, "{path}");
        assert!(body["detail"].as_str().unwrap().contains(detail), "{path}: {body}");
    }
}

/// Figures for Prometheus are those of the read models, and those that docs/metrics.md lists.
#[tokio::test]
async fn figures_are_told_as_the_document_says() {
    let (served, _world) = Served::new().await;
    let asked = served.post().json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK);
    for path in ["/no/such/page", "/also/none"] {
        assert_eq!(served.page(path).await.0, StatusCode::NOT_FOUND);
    }
    let answer = served.get("/metrics").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], metrics::CONTENT_TYPE);
    let text = answer.text().await.unwrap();
    let differences = page::differences(&text, &["Every process", "HTTP servers", "Read side"], &[]);
    assert!(differences.is_empty(), "{differences:#?}");
    let (_, ready) = served.page("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let position: f64 = ready["ledgers"][0]["position"].as_str().unwrap().parse().unwrap();
    let netuid = text.split("assay_read_model_events{netuid=\"").nth(1).unwrap().split('"').next().unwrap();
    for (row, expected) in [
        ("assay_read_models_up".to_owned(), 1.0),
        ("assay_http_requests_total{route=\"/graphql\",status=\"200\"}".to_owned(), 1.0),
        ("assay_http_requests_total{route=\"none\",status=\"404\"}".to_owned(), 2.0),
        (format!("assay_read_model_events{{netuid=\"{netuid}\"}}"), position + 1.0),
        (format!("assay_projector_lag_events{{netuid=\"{netuid}\"}}"), 0.0),
        (format!("assay_read_model_ledgers{{netuid=\"{netuid}\"}}"), 1.0),
    ] {
        assert_eq!(page::value(&text, &row), Some(expected), "{row} in\n{text}");
    }
    assert!(page::value(&text, "assay_read_model_generation").unwrap() >= 1.0);
    let proxied = served.get("/metrics").header("x-forwarded-for", "10.0.0.1").send().await.unwrap();
    assert_eq!(proxied.status(), StatusCode::FORBIDDEN);
}

/// A database that is gone is a figure, not an error.
#[tokio::test]
async fn figures_say_that_the_database_is_gone() {
    let (served, _world) = Served::with(|config| {
        // Nothing listens there.
        config.database_url = "postgres://nobody@127.0.0.1:1/none".to_owned();
    })
    .await;
    let (status, text) = served.page("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page::value(&text, "assay_read_models_up"), Some(0.0), "{text}");
    assert_eq!(page::value(&text, "assay_pool_connections{state=\"used\"}"), Some(0.0), "{text}");
}
