//! What the server tells Prometheus. Labels are routes and statuses, which are few; keys and addresses of clients are not.

use metrics::{Counters, Page};

/// Requests by route and status.
#[derive(Debug)]
pub(super) struct Metrics(Counters<2>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Counters::new(["path", "status"]))
    }
}

/// What is there now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauges {
    pub(super) conversations: usize,
    pub(super) reserved: usize,
    pub(super) record_bytes: u64,
}

impl Metrics {
    pub(super) fn count(&self, route: &'static str, status: u16) {
        self.0.one([route.to_owned(), status.to_string()]);
    }

    pub(super) fn page(&self, gauges: Gauges) -> Page {
        let mut page = Page::default();
        metrics::process(&mut page);
        page.gauge("conversations", "Conversations in the store.", gauges.conversations as f64);
        page.gauge("conversations_reserved", "Conversations that are reserved.", gauges.reserved as f64);
        page.gauge("record_bytes", "Bytes of all records.", gauges.record_bytes as f64);
        page.counters("api_requests_total", "Requests by route and status.", self.0.read());
        page
    }
}
