//! `assay miner` as a process: a language model of the configuration writes its answers, and without one it finds them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const PROGRAM: &str = env!("CARGO_BIN_EXE_assay");
const WRITTEN: &str = "That sounds hard. Keep a fixed time for getting up.";

type Asked = Arc<Mutex<Vec<Value>>>;

/// An endpoint that says the same to everybody.
async fn endpoint() -> (SocketAddr, Asked) {
    async fn complete(State(asked): State<Asked>, Json(request): Json<Value>) -> Json<Value> {
        asked.lock().unwrap().push(request);
        let content = json!({ "reply": WRITTEN }).to_string();
        Json(json!({
            "id": "c1", "object": "chat.completion", "created": 1, "model": "served-model",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
        }))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Asked::default());
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(asked.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, asked)
}

/// A miner of this program; it ends with the test.
struct Miner {
    child: Child,
    url: String,
}

impl Drop for Miner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["miner", "--hotkey", "miner.json"]).args(arguments).current_dir(home).env("ASSAY_HOME", home);
    for variable in ["ASSAY_CONFIG", "OPENAI_API_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

async fn start(home: &Path, arguments: &[&str]) -> Miner {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let log = std::fs::File::create(home.join("miner.log")).unwrap();
    let mut command = command(home, arguments);
    let child = command.args(["--listen", &address]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let miner = Miner { child, url: format!("http://{address}") };
    let begun = Instant::now();
    while client().get(format!("{}/availability", miner.url)).send().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", log_of(home));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    miner
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

fn log_of(home: &Path) -> String {
    std::fs::read_to_string(home.join("miner.log")).unwrap()
}

async fn ask(miner: &Miner) -> String {
    let request = json!({"prompt": "I cannot sleep at night. What helps?", "request_id": "r", "output": null});
    let body = json!({"synapse": "InferenceSynapse", "request": request});
    let reply = client().post(format!("{}/inference", miner.url)).json(&body).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    reply.json::<Value>().await.unwrap()["output"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_configured_model_writes_unless_it_may_not() {
    let (address, asked) = endpoint().await;
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = format!("[llm.a]\nprovider = \"openai_compatible\"\nmodel = \"m\"\nbase = \"http://{address}/v1\"\n");
    std::fs::write(home.join("assay.toml"), &file).unwrap();
    let subnet = ["--subnet", "bettertherapy"];

    let written = start(home, &subnet).await;
    assert_eq!(ask(&written).await, WRITTEN);
    let request = asked.lock().unwrap().first().cloned().unwrap();
    assert_eq!((&request["model"], request["messages"].as_array().unwrap().len()), (&json!("m"), 2));
    let log = log_of(home);
    assert!(log.contains("a language model writes answers") && log.contains("--require-signed"), "{log}");
    assert!(log.contains("answered by the language model"), "{log}");
    drop(written);

    // What is configured is not asked where that is not wanted.
    let offline = start(home, &[&subnet[..], &["--offline"]].concat()).await;
    assert!(ask(&offline).await.contains("you cannot sleep at night"));
    drop(offline);
    std::fs::write(home.join("other.toml"), format!("{file}[miner]\nanswers = \"offline\"\n")).unwrap();
    let offline = start(home, &[&subnet[..], &["--config", "other.toml"]].concat()).await;
    assert!(ask(&offline).await.contains("you cannot sleep at night"));
    drop(offline);
    let spammer = start(home, &[&subnet[..], &["--profile", "spammer"]].concat()).await;
    assert!(ask(&spammer).await.contains("stay positive"));
    assert_eq!(asked.lock().unwrap().len(), 1);

    // An endpoint that is gone leaves the miner to its own way.
    let gone = format!("{}attempts = 1\n", file.replace(&address.to_string(), "127.0.0.1:1"));
    std::fs::write(home.join("gone.toml"), gone).unwrap();
    let alone = start(home, &[&subnet[..], &["--config", "gone.toml"]].concat()).await;
    assert!(ask(&alone).await.contains("you cannot sleep at night"));
    assert!(log_of(home).contains("answered without the language model"), "{}", log_of(home));
}

#[test]
fn mistakes_in_the_configuration_are_told_before_it_listens() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = |name: &str| format!("[llm.{name}]\nprovider = \"ollama\"\nmodel = \"m\"\n");
    let several = format!("{}{}[judge]\ndefault = \"a\"\n", endpoint("a"), endpoint("b"));
    for (file, expected) in [
        (several, "[miner] answers = \"NAME\""),
        (format!("{}[miner]\nanswers = \"c\"\n", endpoint("a")), "\"c\" names no endpoint"),
        ("[llm.a]\nprovider = \"anthropic\"\nmodel = \"m\"\nkey_variable = \"NOT_SET\"\n".to_owned(), "NOT_SET"),
    ] {
        std::fs::write(home.path().join("assay.toml"), &file).unwrap();
        let output = command(home.path(), &["--subnet", "cgp", "--listen", "127.0.0.1:0"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{file}: {said}");
        assert!(said.contains(expected), "{file}: {said}");
    }
}
