//! The server over real connections: who gets in, what hangs is cut, what is secret stays out of the log.

use std::io::Write;

use network::keys::Keypair;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::Error;

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), Error>>,
    service: Arc<Double>,
}

async fn start(config: ApiConfig) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Arc::new(Double::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap() };
    let ended = tokio::spawn(serve(listener, Arc::clone(&service), config, shutdown));
    Server { address, stop, ended, service }
}

impl Server {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(Duration::from_secs(5), self.ended).await.unwrap().unwrap().unwrap();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Everything that comes until the server closes.
async fn all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await.expect("the server closes").unwrap_or(0);
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_challenge_is_pushed_from_this_machine() {
    let server = start(config()).await;
    let body = json!({"id": "challenge-1", "prompt": "why?"});
    let response = client().post(server.url("/challenges")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(
        (&answer["success"], &answer["challenge_id"], &answer["position"]),
        (&json!(true), &json!("challenge-1"), &json!(1))
    );
    assert_eq!(server.service.challenges.lock().unwrap()["challenge-1"].max_tokens, 512);
    let again = client().post(server.url("/challenges")).json(&body).send().await.unwrap();
    assert_eq!(again.status(), 409);
    assert_eq!(again.json::<Value>().await.unwrap()["error"]["field"], "id");
    let proxied = client().post(server.url("/challenges")).header("x-forwarded-for", "::1").json(&body).send();
    assert_eq!(proxied.await.unwrap().status(), 401);
    let served: Value = client().get(server.url("/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(served, serde_json::from_str::<Value>(CONTRACT).unwrap());
    server.stop().await;
}

#[tokio::test]
async fn who_asked_is_known_to_the_service() {
    let alice = Keypair::from_uri("//Alice").unwrap();
    let mut config = config();
    config.token = Some(Token::new(TOKEN).unwrap());
    config.allowed_hotkeys.push(alice.hotkey());
    let server = start(config).await;
    let order = |body: &'static str| {
        client().post(server.url("/set_running")).header("content-type", "application/json").body(body)
    };
    assert_eq!(order(r#"{"running":false}"#).send().await.unwrap().status(), 401);
    assert_eq!(order(r#"{"running":false}"#).bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(order(r#"{"running":false}"#).bearer_auth(TOKEN).send().await.unwrap().status(), 200);
    let nonce = (crate::clock::now().0 / 1_000_000 + 1).to_string();
    let body = r#"{"running":true}"#;
    let message = format!("{nonce}:{}:{}", alice.ss58(), sha256(body.as_bytes()));
    let signature = format!("0x{}", hex::encode(alice.sign(message.as_bytes())));
    let signed =
        || order(body).header("X-Hotkey", alice.ss58()).header("X-Nonce", &nonce).header("X-Signature", &signature);
    assert_eq!(signed().send().await.unwrap().status(), 200);
    assert_eq!(signed().send().await.unwrap().status(), 401, "replayed");
    assert_eq!(*server.service.asked_by.lock().unwrap(), ["token".to_owned(), format!("hotkey {}", alice.ss58())]);
    // Reading needs nothing.
    assert_eq!(client().get(server.url("/stats")).send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn an_open_address_without_credentials_is_an_error_at_start() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let serving = serve(listener, Arc::new(Double::default()), config(), std::future::pending());
    let outcome = timeout(Duration::from_secs(5), serving).await.expect("it does not begin to serve");
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with("setting listen is 0.0.0.0:") && error.contains(TOKEN_VARIABLE), "{error}");
    let mut with_token = config();
    with_token.token = Some(Token::new(TOKEN).unwrap());
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    serve(listener, Arc::new(Double::default()), with_token, async {}).await.unwrap();
}

#[tokio::test]
async fn clients_that_hang_are_cut_and_make_room() {
    let mut config = config();
    config.limits.head_timeout = Duration::from_millis(500);
    config.limits.body_timeout = Duration::from_millis(300);
    config.limits.connections = 2;
    let server = start(config).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /challenges HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ").await.unwrap();
    // Both places are taken, so this one waits until the first is cut.
    let waited = timeout(Duration::from_secs(5), client().get(server.url("/availability")).send()).await;
    assert_eq!(waited.unwrap().unwrap().status(), 200);
    for stream in [&mut idle, &mut slow] {
        let text = all(stream).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    let mut body = TcpStream::connect(server.address).await.unwrap();
    let head =
        b"POST /challenges HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    body.write_all(head).await.unwrap();
    let text = all(&mut body).await;
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("slow_body"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn nonsense_and_oversized_heads() {
    let server = start(config()).await;
    let many: String = (0..64).map(|number| format!("x-{number}: y\r\n")).collect();
    for (sent, status) in [
        ("\u{16}\u{3}\u{1}nonsense\r\n\r\n".to_owned(), "400"),
        (format!("GET /availability HTTP/1.1\r\nhost: 127.0.0.1\r\n{many}\r\n"), "431"),
        (format!("GET /availability HTTP/1.1\r\nhost: 127.0.0.1\r\nx: {}\r\n\r\n", "y".repeat(100_000)), "431"),
        (
            "POST /challenges HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"
                .to_owned(),
            "400",
        ),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(sent.as_bytes()).await;
        let text = all(&mut stream).await;
        assert!(text.is_empty() || text.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {text}");
    }
    assert_eq!(client().get(server.url("/availability")).send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_requests_end_and_cuts_what_does_not() {
    let mut limits = config();
    limits.limits.request_timeout = Duration::from_secs(60);
    limits.limits.drain_timeout = Duration::from_millis(300);
    let server = start(limits).await;
    server.service.says(Script { slow: true, ..Script::default() });
    let url = server.url("/challenges/a");
    let hanging = tokio::spawn(async move { client().get(url).send().await });
    // A connection that idles is closed at once.
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /availability HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    let address = server.address;
    server.stop().await;
    all(&mut idle).await;
    assert!(hanging.await.unwrap().is_err(), "cut off");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn stopping_waits_for_a_request_and_not_for_idle_connections() {
    let mut limits = config();
    limits.limits.drain_timeout = Duration::from_secs(60);
    let server = start(limits).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /availability HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    let mut open = TcpStream::connect(server.address).await.unwrap();
    let body = br#"{"id":"a","prompt":"why?"}"#;
    let length = body.len();
    let head = format!(
        "POST /challenges HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    open.write_all(head.as_bytes()).await.unwrap();
    // That the server asks for the body shows that the request is under way.
    open.read_exact(&mut [0; 25]).await.unwrap();
    let Server { stop, ended, .. } = server;
    stop.send(()).unwrap();
    all(&mut idle).await;
    assert!(!ended.is_finished());
    open.write_all(body).await.unwrap();
    let text = all(&mut open).await;
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    timeout(Duration::from_secs(5), ended).await.unwrap().unwrap().unwrap();
}

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// On one thread, so that the subscriber of this thread sees all of it.
#[tokio::test(flavor = "current_thread")]
async fn no_secret_and_nothing_of_a_client_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let alice = Keypair::from_uri("//Alice").unwrap();
    let mut config = config();
    config.token = Some(Token::new(TOKEN).unwrap());
    config.allowed_hotkeys.push(alice.hotkey());
    tracing::info!(?config, "configuration");
    let server = start(config).await;
    let signature = "ab".repeat(64);
    let body = json!({"id": "id-of-client", "prompt": "prompt-of-client", "metadata": {"key": "metadata-of-client"}});
    let push = |path: &str| client().post(server.url(path)).json(&body);
    assert_eq!(push("/challenges").bearer_auth(TOKEN).send().await.unwrap().status(), 201);
    assert_eq!(push("/challenges").bearer_auth(TOKEN).send().await.unwrap().status(), 409);
    assert_eq!(push("/challenges").bearer_auth("wrong-token-of-client").send().await.unwrap().status(), 401);
    assert_eq!(
        push("/nowhere/path-of-client?token=query-of-client").bearer_auth(TOKEN).send().await.unwrap().status(),
        404
    );
    let signed = push("/challenges").header("X-Hotkey", alice.ss58()).header("X-Nonce", "1700000000.25");
    assert_eq!(signed.header("X-Signature", &signature).send().await.unwrap().status(), 401);
    server.stop().await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // What is to be there, or the search below would find nothing for the wrong reason.
    for expected in [
        "route=\"/challenges\" status=201",
        "status=409",
        "route=\"none\" status=404",
        "peer=127.0.0.1",
        "Token(hidden)",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    // The client of this test logs its own requests, as any client may.
    let own: Vec<&str> =
        text.lines().filter(|line| !line.contains("reqwest") && !line.contains("hyper_util::client")).collect();
    for secret in [
        TOKEN,
        "wrong-token",
        &signature,
        "1700000000.25",
        "prompt-of-client",
        "metadata-of-client",
        "path-of-client",
        "query-of-client",
        "id-of-client",
    ] {
        let found = own.iter().find(|line| line.contains(secret));
        assert!(found.is_none(), "{secret} is in {found:?}");
    }
}
