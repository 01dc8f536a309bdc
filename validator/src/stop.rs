//! The order to stop, as every loop sees it.

use std::time::Duration;

use tokio::sync::watch;

/// One side gives the order, every clone sees it.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    reason: watch::Sender<Option<String>>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self { reason: watch::channel(None).0 }
    }

    /// Gives the order. The first reason stays.
    pub(crate) fn order(&self, reason: &str) {
        self.reason.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// Why, if the order was given.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// Whether the order was given.
    pub(crate) fn is_ordered(&self) -> bool {
        self.reason.borrow().is_some()
    }

    /// Waits for the order.
    pub(crate) async fn stopped(&self) {
        let mut reason = self.reason.subscribe();
        // The sender lives in `self`, so the channel does not close.
        let _ = reason.wait_for(Option::is_some).await;
    }

    /// Sleeps; true when the order came meanwhile.
    pub(crate) async fn sleep(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => self.is_ordered(),
            () = self.stopped() => true,
        }
    }
}
