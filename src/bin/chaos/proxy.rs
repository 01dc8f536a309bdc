//! A TCP proxy between the validator and PostgreSQL's unix socket that cuts every connection at once.

use anyhow::Result;
use std::path::{Path, PathBuf};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with connections. The generation counts cuts: a connection lives in the one it was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Orders {
    generation: u64,
    refuses: bool,
}

/// A running proxy.
pub(crate) struct Proxy {
    port: u16,
    orders: watch::Sender<Orders>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of this machine.
    pub(crate) async fn start(socket: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (orders, seen) = watch::channel(Orders { generation: 0, refuses: false });
        let task = tokio::spawn(serve(listener, socket.to_owned(), seen));
        Ok(Self { port, orders, task })
    }

    /// The URL of a database behind the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://assay@127.0.0.1:{}/{database}", self.port)
    }

    /// Cuts every connection, and refuses new ones until [`Proxy::mend`].
    pub(crate) fn cut(&self) {
        self.orders.send_modify(|orders| *orders = Orders { generation: orders.generation + 1, refuses: true });
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.orders.send_modify(|orders| orders.refuses = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, orders: watch::Receiver<Orders>) {
    while let Ok((client, _)) = listener.accept().await {
        let now = *orders.borrow();
        if !now.refuses {
            tokio::spawn(relay(client, socket.clone(), orders.clone(), now.generation));
        }
    }
}

/// Both ends are dropped, and with them closed, when either closes or the cut comes, wherever a message stands then.
async fn relay(mut client: TcpStream, socket: PathBuf, mut orders: watch::Receiver<Orders>, born: u64) {
    let Ok(mut server) = UnixStream::connect(&socket).await else { return };
    tokio::select! {
        // How it ended is the peers' affair.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = orders.wait_for(|now| now.generation != born) => {}
    }
}
