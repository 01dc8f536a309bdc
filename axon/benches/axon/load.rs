//! The load: requests that were signed beforehand, over connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axon::client::DendriteLimits;
use axon::{Call, Dendrite, Target};
use network::address::AddressGuard;
use network::keys::Keypair;
use network::legacy::Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::peer::{Peer, echo};

/// The requests of each connection, in order. Each connection has a hotkey and a process of its own, since an SDK axon takes only
/// growing nonces from one.
pub(crate) struct Load {
    calls: Vec<(Dendrite, usize)>,
}

impl Load {
    pub(crate) fn new(connections: usize, requests: usize) -> Self {
        let make = |at: usize| {
            let key = Keypair::from_uri(&format!("//Load//{at}")).unwrap();
            let guard = AddressGuard::for_network("local");
            Dendrite::new(key, "127.0.0.1", guard, DendriteLimits::default()).unwrap()
        };
        Self { calls: (0..connections).map(|at| (make(at), requests / connections)).collect() }
    }

    /// The bytes of all requests to an axon. The timeout is long, so that what is signed now still counts when it is sent.
    fn written(self, address: SocketAddr) -> Vec<Vec<Vec<u8>>> {
        let hotkey = Keypair::from_uri("//Bob").unwrap().hotkey();
        let target = Target { hotkey, address };
        let fields =
            vec![("prompt".to_owned(), Json::text("what weighs a feather")), ("n".to_owned(), Json::Integer(3))];
        let call = Call::typed(&echo(), fields, Duration::from_secs(300)).unwrap();
        let request = |dendrite: &Dendrite| {
            let head = dendrite.head(&target, &call);
            let body = call.body(&head);
            let mut text = format!(
                "POST /Echo HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in head.lines() {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            [text.as_bytes(), &body].concat()
        };
        let threads: Vec<_> = self.calls.iter().map(|(dendrite, count)| (dendrite, *count)).collect();
        std::thread::scope(|scope| {
            let running: Vec<_> = threads
                .chunks(threads.len().div_ceil(2).max(1))
                .map(|part| {
                    scope.spawn(move || {
                        let all =
                            |(dendrite, count): &(&Dendrite, usize)| (0..*count).map(|_| request(dendrite)).collect();
                        part.iter().map(all).collect::<Vec<Vec<Vec<u8>>>>()
                    })
                })
                .collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }
}

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// One request and its answer, which has to be a success.
    async fn ask(&mut self, request: &[u8]) {
        self.stream.get_mut().write_all(request).await.unwrap();
        let (mut line, mut first, mut length) = (String::new(), true, 0usize);
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.unwrap();
            if first {
                assert!(line.starts_with("HTTP/1.1 200"), "{line}");
                first = false;
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        assert!(body.ends_with(b"\"out\":\"WHAT WEIGHS A FEATHER\"}"), "{}", String::from_utf8_lossy(&body));
    }
}

/// Requests a second when every connection asks again as soon as it has its answer.
pub(crate) async fn saturated(peer: &Peer, load: Load) -> f64 {
    let address = peer.addresses[0];
    let written = load.written(address);
    let requests: usize = written.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let tasks: Vec<_> = written
        .into_iter()
        .map(|requests| {
            tokio::spawn(async move {
                let mut connection = Connection::to(address).await;
                for request in &requests {
                    connection.ask(request).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    requests as f64 / begun.elapsed().as_secs_f64()
}

/// How long each request took when so many are due in a second, whether the one before has its answer or not. The time counts
/// from when it was due.
pub(crate) async fn paced(peer: &Peer, load: Load, each_second: u32) -> Vec<Duration> {
    let address = peer.addresses[0];
    let written = Arc::new(load.written(address));
    let connections = written.len() as u32;
    let begun = Instant::now() + Duration::from_millis(100);
    let tasks: Vec<_> = (0..connections)
        .map(|at| {
            let written = Arc::clone(&written);
            tokio::spawn(async move {
                let mut connection = Connection::to(address).await;
                let mut taken = Vec::new();
                for (turn, request) in written[at as usize].iter().enumerate() {
                    let due = begun + Duration::from_secs(1) / each_second * (turn as u32 * connections + at);
                    tokio::time::sleep_until(due.into()).await;
                    connection.ask(request).await;
                    taken.push(due.elapsed());
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }
    taken
}
