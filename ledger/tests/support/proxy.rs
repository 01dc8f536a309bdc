//! A TCP proxy in front of PostgreSQL that cuts a connection at a chosen moment of one request.
//!
//! The request is the one that carries the marker's bytes. PostgreSQL sends its answer after the commit, so cutting when
//! the first byte of the answer arrives is cutting between COMMIT and its answer.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

pub const MARKER: &[u8] = b"<cut this connection>";

/// When the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server gets nothing of the request's last part.
    BeforeTheRequest,
    /// The server gets the whole request; whether it commits first is a race.
    AfterTheRequest,
    /// The server has committed; the client never hears of it.
    AfterTheCommit,
}

pub struct Proxy {
    pub url: String,
    cuts: Arc<AtomicU32>,
}

impl Proxy {
    /// A proxy to the server of `url`. The first `times` requests with the marker are cut, each at `cut`.
    pub async fn start(url: &str, cut: Cut, times: u32) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicU32::new(times));
        let left = Arc::clone(&cuts);
        let url = format!("postgres://{}@127.0.0.1:{port}/{}", options.get_username(), options.get_database().unwrap());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                let (options, left) = (options.clone(), Arc::clone(&left));
                tokio::spawn(async move {
                    match options.get_socket() {
                        Some(directory) => {
                            let socket = directory.join(format!(".s.PGSQL.{}", options.get_port()));
                            relay(client, UnixStream::connect(socket).await.unwrap(), cut, left).await;
                        }
                        None => {
                            let server = TcpStream::connect((options.get_host(), options.get_port())).await.unwrap();
                            relay(client, server, cut, left).await;
                        }
                    }
                });
            }
        });
        Self { url, cuts }
    }

    /// How many cuts are still to come.
    pub fn cuts_left(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn relay(client: TcpStream, server: impl AsyncRead + AsyncWrite + Unpin, cut: Cut, left: Arc<AtomicU32>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (armed, mut cutting) = watch::channel(false);
    let requests = async {
        let mut buffer = vec![0; 1 << 16];
        let mut tail = Vec::new();
        loop {
            let Ok(read @ 1..) = from_client.read(&mut buffer).await else { return };
            let chunk = &buffer[..read];
            tail.extend_from_slice(chunk);
            let marked = tail.windows(MARKER.len()).any(|window| window == MARKER) && !*armed.borrow();
            if marked && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                if cut == Cut::BeforeTheRequest {
                    return;
                }
                armed.send_replace(true);
            }
            let keep = tail.len().saturating_sub(MARKER.len());
            tail.drain(..keep);
            if to_server.write_all(chunk).await.is_err() {
                return;
            }
            // The request ends with Sync: the type byte S and a length of 4.
            if *armed.borrow() && cut == Cut::AfterTheRequest && chunk.ends_with(b"S\0\0\0\x04") {
                return;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let Ok(read @ 1..) = from_server.read(&mut buffer).await else { return };
            if *cutting.borrow_and_update() || to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    // Whichever side ends, both connections are dropped, and with them cut.
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}
