//! An axon on loopback, and who asks it.

use std::net::SocketAddr;
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Answer, Axon, Call, Dendrite, HandlerError, PriorityError, Request, Route, Target};
use network::address::AddressGuard;
use network::keys::Keypair;
use network::legacy::{Json, Kind, Shape};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

pub fn bob() -> Keypair {
    Keypair::from_uri("//Bob").unwrap()
}

pub fn dendrite() -> Dendrite {
    dendrite_of(alice())
}

pub fn dendrite_of(keypair: Keypair) -> Dendrite {
    let guard = AddressGuard::for_network("local");
    Dendrite::new(keypair, "127.0.0.9", guard, DendriteLimits::default()).unwrap()
}

pub fn fields<const N: usize>(fields: [(&str, Json); N]) -> Vec<(String, Json)> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub fn echo_shape() -> Shape {
    Shape::new("Echo")
        .required("prompt", Kind::Text)
        .defaulted("n", Kind::Integer, Json::Integer(0))
        .optional("out", Kind::Text)
        .hashed(["prompt", "n"])
}

pub fn echo_call(prompt: &str) -> Call {
    Call::typed(&echo_shape(), fields([("prompt", Json::text(prompt))]), Duration::from_secs(12)).unwrap()
}

/// Routes that end in each way there is.
pub fn test_axon() -> Axon {
    let plain = |name: &str| Shape::new(name).optional("x", Kind::Integer);
    let echo = |request: Request| async move {
        let prompt = request.field("prompt").and_then(Json::as_text).unwrap_or_default();
        Ok(Answer::fields([("out", Json::text(prompt.to_uppercase()))]))
    };
    let unchanged = |_: Request| async { Ok(Answer::unchanged()) };
    Axon::new(bob())
        .route(Route::new(echo_shape(), echo))
        .route(Route::new(plain("Black"), unchanged).blacklist(|_| Some("not a validator".to_owned())))
        .route(Route::new(plain("Prio"), unchanged).priority(|_| Err(PriorityError::TimedOut)))
        .route(Route::new(plain("Boom"), |_: Request| async { Err(HandlerError::Failed("the log only".to_owned())) }))
        .route(Route::new(plain("Panic"), |_: Request| async { panic!("the log only") }))
        .route(Route::new(plain("Teapot"), |_: Request| async {
            Err(HandlerError::Refused { status: 418, message: "short and stout".to_owned() })
        }))
        .route(Route::new(plain("Slow"), |_: Request| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(Answer::unchanged())
        }))
}

/// An axon that serves until this is dropped.
pub struct Running {
    pub address: SocketAddr,
    hotkey: Keypair,
    _stop: oneshot::Sender<()>,
}

impl Running {
    pub async fn start(axon: Axon) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            axon.serve(listener, stopped).await.unwrap();
        });
        Self { address, hotkey: bob(), _stop: stop }
    }

    pub fn target(&self) -> Target {
        Target { hotkey: self.hotkey.hotkey(), address: self.address }
    }
}

/// Sends exactly this and reads to the end of the answer.
pub async fn raw(running: &Running, line: &str, lines: &[(String, String)], body: &[u8]) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in lines {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !lines.iter().any(|(name, _)| name == "transfer-encoding") {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&[request.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses a body does not read it, and may reset the connection behind its answer.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}
