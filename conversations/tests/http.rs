//! The client against the server over real HTTP, and against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../metrics/tests/page/mod.rs"]
mod page;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use conversations::server::{Config, Limits, Server};
use conversations::{Client, ClientConfig, Conversation, Error, Key, Line, ResultRecord, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn conversation(guid: u128) -> Conversation {
    let lines = vec![Line(0, format!("Number {guid}.")), Line(1, "Noted.".to_owned())];
    Conversation { guid, source: Source::Chat, participants: vec!["SPEAKER_0".into(), "SPEAKER_1".into()], lines }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(config: Config, guids: &[u128]) -> Self {
        let server = Server::bind(config, guids.iter().map(|guid| conversation(*guid)).collect()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    fn client(&self) -> ClientConfig {
        ClientConfig {
            timeout: Duration::from_secs(5),
            longest_wait: Duration::from_millis(50),
            ..ClientConfig::new(format!("http://{}", self.address))
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

fn record(hotkey: &str) -> ResultRecord<Vec<&'static str>> {
    ResultRecord {
        kind: "miner".into(),
        mode: "validator".into(),
        model: "offline".into(),
        embeddings_model: "all-MiniLM-L6-v2".into(),
        marker_id: None,
        convo_window_index: 3,
        hotkey: hotkey.into(),
        llm_type: "offline".into(),
        scoring_version: "0.1".into(),
        batch_num: 1,
        cgp_version: "0.2.0".into(),
        netuid: 33,
        data: vec!["rye bread", "canal"],
    }
}

/// A request by hand; the head and the body of the answer.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

const RESERVE: &str = "/api/v1/conversation/reserve";

fn records(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("records-000001.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn reserve_and_record_with_the_largest_guid() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::new("a-key").unwrap();
    let config = Config { key: Some(key.clone()), ..Config::new(ANY, folder.path()) };
    let server = Running::start(config, &[u128::MAX]).await;
    let client = Client::open(&ClientConfig { key: Some(key), ..server.client() }).unwrap();
    let reserved = client.reserve().await.unwrap();
    assert_eq!(reserved.conversation.guid, u128::MAX.to_string());
    assert_eq!(reserved.conversation.lines, conversation(u128::MAX).lines);
    assert_eq!(reserved.conversation.participants, ["SPEAKER_0", "SPEAKER_1"]);
    assert!(matches!(client.reserve().await, Err(Error::NoneFree { .. })));
    for hotkey in ["5A", "5B", "5A"] {
        client.record(&reserved.conversation.guid, &record(hotkey)).await.unwrap();
    }
    let found = records(folder.path());
    assert_eq!(found.len(), 2, "the same record twice is once");
    let start = format!(r#"{{"guid":{},"received_at":"#, u128::MAX);
    assert!(found.iter().all(|line| line.starts_with(&start)), "{found:?}");
    assert!(found[1].contains(r#""convo_window_index":3,"hotkey":"5B""#), "{found:?}");
    assert!(matches!(client.record("7", &record("5A")).await, Err(Error::Refused { status: 404, .. })));
    for guid in ["", "..", "a/b", "1?x=2", "é"] {
        assert!(matches!(client.record(guid, &record("5A")).await, Err(Error::Guid(_))), "{guid}");
    }
    let wrong = Client::open(&ClientConfig { key: Some(Key::new("other").unwrap()), ..server.client() }).unwrap();
    assert!(matches!(wrong.reserve().await, Err(Error::Refused { status: 401, .. })));
    let none = Client::open(&server.client()).unwrap();
    assert!(matches!(none.record("7", &record("5A")).await, Err(Error::Refused { status: 401, .. })));
    server.stop().await;
}

#[tokio::test]
async fn many_clients_never_hold_the_same_and_expiry_frees() {
    let folder = tempfile::tempdir().unwrap();
    let guids: Vec<u128> = (0..20).collect();
    let config = Config { expiry: Duration::from_secs(2), ..Config::new(ANY, folder.path()) };
    let server = Running::start(config, &guids).await;
    let client = Client::open(&server.client()).unwrap();
    let asked = (0..24).map(|_| {
        tokio::spawn({
            let client = client.clone();
            async move { client.reserve().await.map(|found| found.conversation.guid) }
        })
    });
    let mut held = BTreeSet::new();
    let mut none = 0;
    for asked in asked.collect::<Vec<_>>() {
        match asked.await.unwrap() {
            Ok(guid) => assert!(held.insert(guid.clone()), "{guid} was handed out twice"),
            Err(Error::NoneFree { .. }) => none += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((held.len(), none), (20, 4));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(client.reserve().await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn reservations_outlive_the_server_and_a_folder_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(Config::new(ANY, folder.path()), &[1, 2]).await;
    let first = Client::open(&server.client()).unwrap().reserve().await.unwrap();
    let second = Server::bind(Config::new(ANY, folder.path()), vec![conversation(1)]).await;
    assert!(matches!(second, Err(Error::FolderInUse(_))));
    server.stop().await;
    let server = Running::start(Config::new(ANY, folder.path()), &[1, 2]).await;
    let client = Client::open(&server.client()).unwrap();
    let next = client.reserve().await.unwrap();
    assert_eq!((first.conversation.guid.as_str(), next.conversation.guid.as_str()), ("1", "2"));
    assert!(matches!(client.reserve().await, Err(Error::NoneFree { .. })));
    server.stop().await;
}

#[tokio::test]
async fn the_newer_bundle_is_served_and_understood() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(Config::new(ANY, folder.path()), &[9]).await;
    let config = ClientConfig { cgp_version: Some("3.0".to_owned()), ..server.client() };
    let reserved = Client::open(&config).unwrap().reserve().await.unwrap();
    assert_eq!((reserved.conversation.guid.as_str(), reserved.conversation.minimum_windows), ("9", Some(1)));
    assert!(String::from_utf8(reserved.reply).unwrap().contains(r#""type":"conversation_tagging","guid":9,"#));
    server.stop().await;
}

#[tokio::test]
async fn requests_by_hand_are_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { record_bytes: 100, all_record_bytes: 120, ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::new(ANY, folder.path()) }, &[5, 6]).await;
    let put = |guid: &str, body: &str| {
        post(&format!("/api/v1/conversation/record/{guid}"), "", body).replacen("POST", "PUT", 1)
    };
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    for (request, expected) in [
        (post(RESERVE, "", "[]"), "400 Bad Request"),
        (post(RESERVE, "", r#"{"task_type":"survey"}"#), "there are only conversations here"),
        (post(RESERVE, "", r#"{"task_guid":1.5}"#), "task_guid: no whole number"),
        (post(RESERVE, "", r#"{"task_guid":7}"#), "404 Not Found"),
        (post(RESERVE, "", &" ".repeat(5000)), "413 Payload Too Large"),
        (post(RESERVE, "Origin: https://evil.example\r\n", "{}"), "403 Forbidden"),
        (post(RESERVE, "X-Forwarded-For: 10.0.0.1\r\n", "{}"), "403 Forbidden"),
        (post(RESERVE, "", r#"{"task_type":"conversation","task_guid":6}"#), r#""guid":6"#),
        (post(RESERVE, "", r#"{"task_guid":"6"}"#), "retry-after: "),
        (post(RESERVE, "", ""), r#""guid":5"#),
        (post(RESERVE, "", ""), r#"["none_free","no conversation is free now"]"#),
        (post("/metrics", "", ""), "405 Method Not Allowed"),
        (post("/other", "", ""), "404 Not Found"),
        (put("5", "[]"), "400 Bad Request"),
        (put("+5", "{}"), "404 Not Found"),
        (put("5", &large), "413 Payload Too Large"),
        (put("5", r#"{"tags":["a"]}"#), r#""success":1"#),
        (put("5", r#"{"tags":["b","c","d","e","f","g","h","i"]}"#), "507 Insufficient Storage"),
        (
            "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Real-IP: 10.0.0.1\r\nConnection: close\r\n\r\n".to_owned(),
            "403 Forbidden",
        ),
    ] {
        let answer = raw(server.address, &request).await;
        assert!(answer.contains(expected), "{request}\n{answer}");
    }
    let answer = raw(server.address, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    for expected in [
        "conversations 2.0\n",
        "conversations_reserved 2.0\n",
        "api_requests_total{path=\"/api/v1/conversation/reserve\",status=\"200\"} 2\n",
        "api_requests_total{path=\"/api/v1/conversation/record\",status=\"507\"} 1\n",
        "api_requests_total{path=\"other\",status=\"404\"} 1\n",
    ] {
        assert!(answer.contains(expected), "{expected}\n{answer}");
    }
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let differences = page::differences(text, &["Every process", "Conversation server"], &[]);
    assert!(differences.is_empty(), "{differences:#?}");
    server.stop().await;
}

#[tokio::test]
async fn others_are_not_served_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = Server::bind(Config::new(listen, folder.path()), vec![conversation(1)]).await.unwrap_err();
    assert_eq!(error.to_string(), "listen can be reached by others; set a key, or listen on 127.0.0.1");
    let error = Server::bind(Config::new(ANY, folder.path()), Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "file holds no conversation; import some first");
}

#[tokio::test]
async fn a_slow_head_is_cut_off_and_a_full_server_still_stops() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        connections: 1,
        head_timeout: Duration::from_millis(200),
        drain_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Running::start(Config { limits, ..Config::new(ANY, folder.path()) }, &[1]).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST / HT").await.unwrap();
    // The only place is taken until the slow one is cut off; then this one has its turn.
    let answer = raw(server.address, &post(RESERVE, "", "{}")).await;
    assert!(answer.contains(r#""guid":1"#), "{answer}");
    server.stop().await;
}

/// A server that gives one answer after another and counts the requests.
async fn scripted(answers: Vec<String>) -> (SocketAddr, JoinHandle<usize>) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let mut count = 0;
        for answer in answers {
            let Ok(Ok((mut stream, _))) = tokio::time::timeout(Duration::from_secs(1), listener.accept()).await else {
                break;
            };
            count += 1;
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        count
    });
    (address, served)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn asking(address: SocketAddr) -> Client {
    let config = ClientConfig {
        timeout: Duration::from_secs(1),
        longest_wait: Duration::from_millis(100),
        ..ClientConfig::new(format!("http://{address}"))
    };
    Client::open(&config).unwrap()
}

const CONVERSATION: &str = r#"{"guid":1,"lines":[[0,"Hello."]]}"#;

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_is_not() {
    let busy = || answer("503 Service Unavailable", "Retry-After: 0\r\n", "{}");
    let cases: Vec<(Vec<String>, usize, &str)> = vec![
        (vec![busy(), answer("200 OK", "", CONVERSATION)], 2, ""),
        (vec![String::new(), busy(), answer("200 OK", "", CONVERSATION)], 3, ""),
        (vec![busy(), busy(), busy(), busy()], 3, "in 3 attempts: status 503: it says nothing about it"),
        (
            vec![answer("429 Too Many Requests", "Retry-After: 3600\r\n", r#"{"errors":[[1,"too\nfast"]]}"#); 2],
            1,
            "in 1 attempts: status 429: toofast",
        ),
        (vec![answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""); 2], 1, "with status 302"),
        (vec![answer("401 Unauthorized", "", r#"{"errors":[["x","who are you"]]}"#); 2], 1, "status 401: who are you"),
        (vec![answer("200 OK", "", r#"{"mode":"error","type":"unknown","guid":"ERROR"}"#); 2], 1, "cannot be used"),
        (vec![answer("200 OK", "", &"x".repeat((4 << 20) + 1)); 2], 1, "over 4194304 bytes"),
        (vec![answer("200 OK", "", "nonsense"); 2], 1, "cannot be used"),
        (vec!["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort".to_owned(); 4], 3, "in 3 attempts"),
    ];
    for (answers, requests, expected) in cases {
        let (address, served) = scripted(answers.clone()).await;
        match asking(address).reserve().await {
            Ok(found) => assert!(expected.is_empty() && found.reply == CONVERSATION.as_bytes()),
            Err(error) => {
                let error = error.to_string();
                assert!(!expected.is_empty() && error.contains(expected), "{expected}: {error}");
            }
        }
        let served = tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
        assert_eq!(served, requests, "{expected}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_the_deadline() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let start = std::time::Instant::now();
    let error = asking(address).reserve().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { attempts: 3, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_failure_under_status_200_is_a_failure() {
    let failed = r#"{"success":0,"errors":[[1001,"no such table"]],"data":{}}"#;
    let (address, _served) = scripted(vec![answer("200 OK", "", failed)]).await;
    let error = asking(address).record("1", &record("5A")).await.unwrap_err().to_string();
    assert!(error.ends_with("with status 200: no such table"), "{error}");
    let large = ResultRecord { data: vec!["x"; 2 << 20], ..record("5A") };
    assert!(matches!(asking(address).record("1", &large).await, Err(Error::Record { .. })));
}
