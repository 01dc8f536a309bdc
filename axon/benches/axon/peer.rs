//! Who is measured: our axon and Python's, each a process of its own.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axon::{Answer, Axon, Request, Route};
use network::keys::Keypair;
use network::legacy::{Json, Kind, Shape};
use tokio::net::{TcpListener, TcpStream};

/// The synapse of the measurements: two fields under the body hash, one to be filled.
pub(crate) fn echo() -> Shape {
    Shape::new("Echo")
        .required("prompt", Kind::Text)
        .defaulted("n", Kind::Integer, Json::Integer(0))
        .optional("out", Kind::Text)
        .hashed(["prompt", "n"])
}

/// Serves so many axons until standard input ends, and prints their addresses.
pub(crate) async fn serve(axons: usize) {
    let mut addresses = Vec::new();
    for _ in 0..axons {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap().to_string());
        let axon =
            Axon::new(Keypair::from_uri("//Bob").unwrap()).route(Route::new(echo(), |request: Request| async move {
                let prompt = request.field("prompt").and_then(Json::as_text).unwrap_or_default().to_uppercase();
                Ok(Answer::fields([("out", Json::text(prompt))]))
            }));
        tokio::spawn(async move { axon.serve(listener, std::future::pending()).await.unwrap() });
    }
    println!("{}", addresses.join(" "));
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0; 1]));
    let _ = ended.await;
}

/// A process, stopped when this is dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Our axons.
    pub(crate) async fn ours(axons: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--serve", &axons.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        Self { child, addresses: line.split_whitespace().map(|address| address.parse().unwrap()).collect() }
    }

    /// Python's axon, where the SDK is installed.
    pub(crate) async fn python() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let home = std::env::var_os("ASSAY_HOME").map_or_else(|| root.join(".assay"), PathBuf::from);
        let python = home.join("interop/bin/python");
        python.exists().then_some(())?;
        let port = TcpListener::bind("127.0.0.1:0").await.ok()?.local_addr().ok()?.port();
        let mut child = Command::new(python)
            .arg(root.join("scripts/interop/axon_serves.py"))
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take()?), &mut line).ok()?;
        let peer = Self { child, addresses: vec![SocketAddr::from(([127, 0, 0, 1], port))] };
        for _ in 0..100 {
            if TcpStream::connect(peer.addresses[0]).await.is_ok() {
                return Some(peer);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }
}
