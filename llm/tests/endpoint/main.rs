//! A client against a real HTTP server on this machine that is slow, refuses, lies and floods.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod server;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use llm::{Client, Endpoint, Error, Provider, Request};
use server::{Answer, KEY, Server, completion, refusal, request, with_header};

#[tokio::test]
async fn a_completion_is_what_the_endpoint_said_with_its_figures() {
    let server = Server::start([completion("Because.")]).await;
    let client = server.client(|endpoint| {
        endpoint.temperature = Some(0.25);
        endpoint.parameters.insert("seed".to_owned(), 7.into());
    });
    let completion = client.complete(&request()).await.unwrap();
    assert_eq!(completion.text, "Because.");
    assert_eq!((completion.prompt_tokens, completion.completion_tokens), (11, 5));
    assert_eq!(completion.model, "openai_compatible/served-model");
    let parameters =
        r#"{"max_tokens":100,"model":"asked-model","provider":"openai_compatible","seed":7,"temperature":0.25}"#;
    assert_eq!(completion.parameters_json, parameters);
    assert!(completion.latency_ms < 1_000);
    assert_eq!(client.tokens_used(), 16);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].uri, "/v1/chat/completions");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(asked[0].body["messages"][1]["content"], "Why is the sky blue?");
    assert_eq!((&asked[0].body["model"], &asked[0].body["stream"]), (&"asked-model".into(), &false.into()));
}

#[tokio::test]
async fn azure_is_asked_by_deployment_with_its_own_header() {
    let server = Server::start([completion("Because.")]).await;
    let mut endpoint = Endpoint::new(Provider::AzureOpenai, "my-gpt");
    endpoint.base = Some(server.address.clone());
    let client =
        Client::open("azure", &endpoint, &|name| (name == "AZURE_OPENAI_API_KEY").then(|| KEY.to_owned())).unwrap();
    assert_eq!(client.complete(&request()).await.unwrap().model, "azure_openai/served-model");
    let asked = &server.asked()[0];
    assert_eq!(asked.uri, "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21");
    assert_eq!(asked.headers["api-key"], KEY);
    assert!(!asked.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_wait_in_seconds_is_waited() {
    let server = Server::start([with_header(429, "retry-after", "1"), completion("Because.")]).await;
    let begun = Instant::now();
    let completion = server.client(|_| ()).complete(&request()).await.unwrap();
    let waited = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    assert!(completion.latency_ms < 1_000, "the wait is not the endpoint's latency: {}", completion.latency_ms);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_wait_until_a_date_is_waited() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    let server = Server::start([with_header(503, "retry-after", &date), completion("Because.")]).await;
    let begun = Instant::now();
    server.client(|_| ()).complete(&request()).await.unwrap();
    // Dates have no fractions: between two and three seconds were left.
    let waited = begun.elapsed();
    assert!((Duration::from_millis(1_500)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_not_begun() {
    let server = Server::start([with_header(429, "retry-after", "3600")]).await;
    let begun = Instant::now();
    let error = server.client(|_| ()).complete(&request()).await.unwrap_err();
    assert!(matches!(error, Error::WaitTooLong { asked_seconds: 3_600, limit_seconds: 60, .. }), "{error}");
    assert!(error.to_string().contains("status 429: slow down"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_only_so_often() {
    let server = Server::start([refusal(500, "oops"), refusal(529, "overloaded"), completion("Because.")]).await;
    let client = server.client(|endpoint| endpoint.attempts = 3);
    assert_eq!(client.complete(&request()).await.unwrap().text, "Because.");
    let down = Server::start([refusal(500, "oops\nagain")]).await;
    let error = down.client(|endpoint| endpoint.attempts = 3).complete(&request()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable { attempts: 3, problem, .. } if problem == "status 500: oops again"),
        "{error}"
    );
    assert_eq!(down.asked().len(), 3);
    let nobody = Server::start([completion("")])
        .await
        .client(|endpoint| endpoint.base = Some("http://127.0.0.1:1/v1".to_owned()));
    let error = nobody.complete(&request()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { attempts: 2, .. }), "{error}");
    assert_eq!(nobody.tokens_used(), 0, "nobody can have charged for it");
}

#[tokio::test]
async fn what_would_fail_again_is_asked_once() {
    let refused = [
        refusal(400, "no such parameter"),
        refusal(404, "no such model"),
        Answer::Is(
            429,
            "retry-after",
            "1".to_owned(),
            r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#.to_owned(),
        ),
        Answer::Is(307, "location", "http://127.0.0.1:1/".to_owned(), String::new()),
    ];
    for answer in refused {
        let server = Server::start([answer.clone()]).await;
        let error = server.client(|_| ()).complete(&request()).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{answer:?}: {error}");
        assert_eq!(server.asked().len(), 1, "{answer:?}");
    }
    for status in [401, 403] {
        let server = Server::start([refusal(status, &format!("Incorrect API key provided: {KEY}"))]).await;
        let error = server.client(|_| ()).complete(&request()).await.unwrap_err();
        assert!(
            matches!(&error, Error::KeyRefused { message, .. } if message == "Incorrect API key provided: [key]"),
            "{error}"
        );
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_costs_its_time_and_counts_as_charged() {
    let server = Server::start([Answer::After(Duration::from_secs(20), "late")]).await;
    let client = server.client(|_| ());
    let begun = Instant::now();
    let error = client.complete(&request()).await.unwrap_err();
    let problem = "no answer within timeout_seconds = 1";
    assert!(matches!(&error, Error::Unavailable { attempts: 2, problem: said, .. } if said == problem), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Two attempts of 100 tokens and a short prompt each.
    assert!((200..300).contains(&client.tokens_used()), "{}", client.tokens_used());
}

#[tokio::test]
async fn a_call_that_is_given_up_counts_as_charged() {
    let server = Server::start([Answer::After(Duration::from_secs(20), "late")]).await;
    let client = server.client(|endpoint| endpoint.timeout_seconds = 30);
    assert!(tokio::time::timeout(Duration::from_millis(500), client.complete(&request())).await.is_err());
    assert!((100..150).contains(&client.tokens_used()), "{}", client.tokens_used());
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let server = Server::start([Answer::Endless(200)]).await;
    let client = server.client(|endpoint| endpoint.timeout_seconds = 60);
    let error = client.complete(&request()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 2_097_152, .. }), "{error}");
    assert_eq!(server.asked().len(), 1, "it would be as large again");
    let refusing = Server::start([Answer::Endless(400)]).await;
    let error = refusing.client(|endpoint| endpoint.timeout_seconds = 60).complete(&request()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 400, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_completion_is_an_error_that_says_so() {
    let choice = |message: &str| format!(r#"{{"choices":[{{"message":{message},"finish_reason":"length"}}]}}"#);
    for (body, expected) in [
        ("<html>It works!</html>".to_owned(), "no chat completion"),
        (String::new(), "no chat completion"),
        ("\u{0}\u{1}".to_owned(), "no chat completion"),
        ("[".repeat(100_000), "no chat completion"),
        (r#"{"scores":[1]}"#.to_owned(), "missing field `choices`"),
        (r#"{"choices":[]}"#.to_owned(), "choices is empty"),
        (choice(r#"{"content":7}"#), "no chat completion"),
        (choice(r#"{"content":null}"#), "no text: length"),
        (choice(r#"{"content":""}"#), "no text: length"),
        (choice(r#"{"content":null,"refusal":"I will not"}"#), "no text: I will not"),
    ] {
        let server = Server::start([Answer::Is(200, "", String::new(), body.clone())]).await;
        let client = server.client(|_| ());
        let error = client.complete(&request()).await.unwrap_err().to_string();
        assert!(error.starts_with("[llm.test] ") && error.contains(expected), "{error}");
        assert_eq!(server.asked().len(), 1, "it was answered: asking again would cost again");
        assert!(client.tokens_used() > 0, "it was answered, so it may have been charged");
    }
}

#[tokio::test]
async fn a_reply_of_another_shape_than_asked_is_passed_on_as_it_came() {
    let server = Server::start([completion("{\"score\": \"ten\"}")]).await;
    let schema = Some(r#"{"type":"object","properties":{"score":{"type":"number"}}}"#.to_owned());
    let asked = Request { json_schema: schema, ..request() };
    let completion = server.client(|_| ()).complete(&asked).await.unwrap();
    assert_eq!(completion.text, "{\"score\": \"ten\"}");
    let sent = &server.asked()[0].body["response_format"];
    assert_eq!((&sent["type"], &sent["json_schema"]["schema"]["type"]), (&"json_schema".into(), &"object".into()));
    let broken = Request { json_schema: Some("{".to_owned()), ..request() };
    assert!(matches!(server.client(|_| ()).complete(&broken).await, Err(Error::Request { .. })));
    assert_eq!(server.asked().len(), 1, "nothing is sent with a schema that is no JSON");
}

#[tokio::test]
async fn a_spent_budget_refuses_before_anything_is_sent() {
    let server = Server::start([completion("Because.")]).await;
    // The prompt is estimated at 26 tokens, so each request reserves 126 and uses 16.
    let client = server.client(|endpoint| endpoint.token_budget = 150);
    client.complete(&request()).await.unwrap();
    client.complete(&request()).await.unwrap();
    let error = client.complete(&request()).await.unwrap_err();
    assert!(matches!(error, Error::Budget { budget: 150, spent: 32, wanted: 126, .. }), "{error:?}");
    assert!(error.to_string().contains("the token budget is spent"), "{error}");
    assert_eq!(server.asked().len(), 2);
    let small = Request { maximum_tokens: 10, ..request() };
    client.complete(&small).await.unwrap();
    // Side by side only as many are sent as could be paid if each took all that it may.
    let client = server.client(|endpoint| endpoint.token_budget = 300);
    let asked = request();
    let outcomes = futures_of(&client, &asked, 4).await;
    assert_eq!(outcomes.iter().filter(|sent| **sent).count(), 2, "{outcomes:?}");
}

/// Whether each of some requests side by side was answered.
async fn futures_of(client: &Client, request: &Request, count: usize) -> Vec<bool> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (client, request) = (client.clone(), request.clone());
        tasks.spawn(async move { client.complete(&request).await.is_ok() });
    }
    tasks.join_all().await
}

#[tokio::test]
async fn only_so_many_requests_are_under_way() {
    let server = Server::start([Answer::After(Duration::from_millis(100), "Because.")]).await;
    let client = server.client(|endpoint| endpoint.concurrency = 2);
    assert_eq!(futures_of(&client, &request(), 6).await, [true; 6]);
    assert_eq!(server.most_at_once(), 2);
}

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_is_in_no_log_line_and_no_error() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let echo = format!("you sent Bearer {KEY}");
    let answers = [
        refusal(500, &echo),
        Answer::Is(200, "", String::new(), format!("<{KEY}>")),
        refusal(401, &echo),
        completion("Because."),
    ];
    let server = Server::start(answers).await;
    let client = server.client(|_| ());
    let mut shown = format!("{client:?}");
    for _ in 0..3 {
        shown.push_str(&format!("{:?}", client.complete(&request()).await));
    }
    assert_eq!(server.asked().len(), 4);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("trying again") && log.contains("TRACE"), "the log was not looked at:\n{log}");
    for (what, text) in [("the log", &log), ("an error", &shown)] {
        assert!(!text.contains(KEY), "{what} shows the key:\n{text}");
    }
}

#[test]
fn an_endpoint_behind_tls_opens_where_the_system_has_certificates() {
    let mut endpoint = Endpoint::new(Provider::Openai, "m");
    endpoint.key = Some(KEY.into());
    // Either is right; a panic for want of a provider of cryptography is not.
    match Client::open("tls", &endpoint, &|_| None) {
        Ok(client) => assert_eq!(client.model(), "openai/m"),
        Err(error) => {
            assert!(matches!(&error, Error::Transport { problem, .. } if problem.contains("certificates")), "{error}")
        }
    }
}
