//! Counters in Prometheus' text format. Labels are routes and statuses, which are few; keys and addresses of clients are not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// Requests by route and status.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<BTreeMap<(&'static str, u16), u64>>);

/// What is there now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauges {
    pub(super) conversations: usize,
    pub(super) reserved: usize,
    pub(super) record_bytes: u64,
}

impl Metrics {
    pub(super) fn count(&self, route: &'static str, status: u16) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_insert(0) += 1;
    }

    pub(super) fn text(&self, gauges: Gauges) -> String {
        let mut text = String::new();
        for (name, kind, help, value) in [
            ("conversations", "gauge", "Conversations in the store.", gauges.conversations as u64),
            ("conversations_reserved", "gauge", "Conversations that are reserved.", gauges.reserved as u64),
            ("record_bytes", "gauge", "Bytes of all records.", gauges.record_bytes),
        ] {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        text.push_str("# HELP api_requests_total Requests by route and status.\n# TYPE api_requests_total counter\n");
        for ((route, status), count) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, "api_requests_total{{path=\"{route}\",status=\"{status}\"}} {count}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_prometheus() {
        let metrics = Metrics::default();
        metrics.count("/a", 200);
        metrics.count("/a", 200);
        metrics.count("other", 404);
        let text = metrics.text(Gauges { conversations: 60, reserved: 2, record_bytes: 7 });
        assert_eq!(
            text,
            "# HELP conversations Conversations in the store.\n# TYPE conversations gauge\nconversations 60\n\
             # HELP conversations_reserved Conversations that are reserved.\n# TYPE conversations_reserved gauge\n\
             conversations_reserved 2\n\
             # HELP record_bytes Bytes of all records.\n# TYPE record_bytes gauge\nrecord_bytes 7\n\
             # HELP api_requests_total Requests by route and status.\n# TYPE api_requests_total counter\n\
             api_requests_total{path=\"/a\",status=\"200\"} 2\napi_requests_total{path=\"other\",status=\"404\"} 1\n"
        );
    }
}
