//! When a long-running command ends: Ctrl-C, SIGTERM, or the end of standard input when a parent asked for it.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Signals this close together are one.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Tells any number of waiters that it is time to end.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Begins to listen.
    pub fn listen(with_stdin: bool) -> Self {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let stdin = async {
                if with_stdin { crate::demo::processes::stdin_closed().await } else { std::future::pending().await }
            };
            tokio::select! {
                () = received(SignalKind::interrupt()) => {}
                () = received(SignalKind::terminate()) => {}
                () = stdin => {}
            }
            // Nobody left to tell is fine.
            let _ = sender.send(true);
            // A terminal, a shell and a supervisor may each pass the same signal on.
            tokio::time::sleep(SAME_WISH).await;
            // A second signal does not wait.
            tokio::select! {
                () = received(SignalKind::interrupt()) => {}
                () = received(SignalKind::terminate()) => {}
            }
            tracing::warn!("second signal: ending at once");
            std::process::abort();
        });
        Self(receiver)
    }

    /// Waits for the end.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // A dropped sender means that the listening task is gone: end, too.
        let _ = receiver.wait_for(|stop| *stop).await;
    }

    /// Whether it is time.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut stream) => {
            stream.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "cannot listen for a signal");
            std::future::pending::<()>().await;
        }
    }
}
