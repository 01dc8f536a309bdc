//! A TCP proxy that can stop forwarding without closing anything: what a lost route or a sleeping machine looks like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Proxy {
    address: SocketAddr,
    /// Connections up to this number forward nothing any more.
    frozen: Arc<AtomicU64>,
    accepted: Arc<AtomicU64>,
    /// Connections that are open on the client's side.
    open: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (frozen, accepted, open) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let proxy = Self { address, frozen: frozen.clone(), accepted: accepted.clone(), open: Arc::clone(&open) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
                let (frozen, open) = (frozen.clone(), Arc::clone(&open));
                open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    serve(client, target, number, frozen).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Freezes all connections that were made so far. New ones are served.
    pub(crate) fn freeze(&self) {
        self.frozen.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Ends when the client closes, frozen or not.
async fn serve(mut client: TcpStream, target: SocketAddr, number: u64, frozen: Arc<AtomicU64>) {
    let Ok(mut node) = TcpStream::connect(target).await else { return };
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let is_frozen = || frozen.load(Ordering::SeqCst) >= number;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) if is_frozen() => {}
                Ok(length) => if node.write_all(&up[..length]).await.is_err() { return },
            },
            read = node.read(&mut down) => match read {
                Ok(_) if is_frozen() => {}
                Ok(0) | Err(_) => return,
                Ok(length) => if client.write_all(&down[..length]).await.is_err() { return },
            },
        }
    }
}
