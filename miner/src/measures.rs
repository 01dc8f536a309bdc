//! What the miner tells of itself for Prometheus.
//!
//! **Invariant:** labels are dialects and outcomes only. Who asked is in no figure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use domain::types::Hotkey;
use metrics::{Counters, Histograms, Page};

use crate::wire::{self, Gate};

/// The path of the page.
pub(crate) const PATH: &str = "/metrics";
/// The plain routes are no dialect of Bittensor's.
const PLAIN: &str = "plain";
const PLAIN_PATHS: [&str; 2] = ["/availability", "/inference"];

/// What is counted.
#[derive(Debug, Clone)]
pub(crate) struct Measures {
    requests: Counters<2>,
    answers: Histograms<1>,
    written: Counters<1>,
    refused_by_gate: Counters<0>,
    open: Arc<AtomicU64>,
    active: Arc<AtomicU64>,
}

impl Default for Measures {
    fn default() -> Self {
        let dialects = wire::DIALECTS.into_iter().chain([PLAIN]);
        let none = || Vec::<[&'static str; 0]>::from([[]]);
        Self {
            requests: Counters::new(["dialect", "outcome"]).beginning_with(dialects.map(|name| [name, ANSWERED])),
            answers: Histograms::new(["outcome"]).beginning_with([[ANSWERED], [REFUSED]]),
            written: Counters::new(["by"]).beginning_with([["model"], ["retrieval"]]),
            refused_by_gate: Counters::new([]).beginning_with(none()),
            open: Arc::default(),
            active: Arc::default(),
        }
    }
}

const ANSWERED: &str = "answered";
const REFUSED: &str = "refused";

/// What a status comes to, in a word.
fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=399 => ANSWERED,
        401 => "unauthorised",
        403 => "forbidden",
        408 | 504 => "timed_out",
        429 => "too_often",
        503 => "busy",
        400..=499 => "malformed",
        _ => "failed",
    }
}

/// One more while it lives, whatever ends it.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    fn in_one(place: &Arc<AtomicU64>) -> Self {
        place.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(place))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Measures {
    /// An answer is being found while this lives.
    pub(crate) fn active(&self) -> Counted {
        Counted::in_one(&self.active)
    }

    /// An answer was found, or was not, after so long.
    pub(crate) fn found(&self, answered: bool, taken: Duration) {
        self.answers.observe([if answered { ANSWERED } else { REFUSED }], taken);
    }

    /// Who wrote an honest answer: a language model, or the miner without one.
    pub(crate) fn written(&self, by_model: bool) {
        self.written.one([if by_model { "model" } else { "retrieval" }]);
    }

    /// A gate whose refusals are counted.
    pub(crate) fn gate(&self, inner: Arc<dyn Gate>) -> Arc<dyn Gate> {
        Arc::new(CountedGate { inner, refused: self.refused_by_gate.clone() })
    }

    /// The page. `ready` says whether questions can be answered.
    fn page(&self, ready: bool) -> Page {
        let mut page = Page::default();
        metrics::process(&mut page);
        let help = "Requests by dialect and outcome.";
        page.counters("assay_miner_requests_total", help, self.requests.read());
        let (open, active) = (self.open.load(Ordering::Relaxed), self.active.load(Ordering::Relaxed));
        let help = "Requests that are being read, or wait for their turn.";
        page.gauge("assay_miner_requests_waiting", help, open.saturating_sub(active) as f64);
        page.gauge("assay_miner_answers_active", "Answers that are being found.", active as f64);
        page.histograms("assay_miner_answer_seconds", "Time to find an answer.", self.answers.read());
        page.counters("assay_miner_answers_written_total", "Honest answers, by who wrote them.", self.written.read());
        let help = "Requests that the gate refused.";
        page.counters("assay_miner_gate_refusals_total", help, self.refused_by_gate.read());
        let help = "1 once questions can be answered.";
        page.gauge("assay_miner_ready", help, f64::from(u8::from(ready)));
        page
    }

    /// The page as an answer; only this machine and its private network are told.
    pub(crate) fn reply(&self, ready: bool, request: &Request) -> Response {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        if metrics::may_read(peer, request.headers()) { metrics::reply(self.page(ready)) } else { metrics::refused() }
    }
}

/// The layer around all routes.
pub(crate) async fn observe(State(measures): State<Measures>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == PATH {
        return next.run(request).await;
    }
    let dialect = if PLAIN_PATHS.contains(&path) { PLAIN } else { wire::dialect(path, request.headers()) };
    let _open = Counted::in_one(&measures.open);
    let response = next.run(request).await;
    measures.requests.one([dialect, outcome(response.status())]);
    response
}

struct CountedGate {
    inner: Arc<dyn Gate>,
    refused: Counters<0>,
}

impl Gate for CountedGate {
    fn refuses(&self, hotkey: Option<&str>) -> Option<String> {
        let refusal = self.inner.refuses(hotkey);
        if refusal.is_some() {
            self.refused.one::<&str>([]);
        }
        refusal
    }

    fn priority(&self, hotkey: &Hotkey) -> Option<f64> {
        self.inner.priority(hotkey)
    }
}

/// Times an answer.
pub(crate) async fn timed<T, E>(measures: &Measures, answering: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let (_active, begun) = (measures.active(), Instant::now());
    let answered = answering.await;
    measures.found(answered.is_ok(), begun.elapsed());
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_few_names() {
        let rows = [
            (200, "answered"),
            (401, "unauthorised"),
            (403, "forbidden"),
            (404, "malformed"),
            (408, "timed_out"),
            (422, "malformed"),
            (429, "too_often"),
            (500, "failed"),
            (503, "busy"),
        ];
        for (status, name) in rows {
            assert_eq!(StatusCode::from_u16(status).map(outcome).ok(), Some(name), "{status}");
        }
    }

    #[test]
    fn what_is_given_up_is_not_open_any_more() {
        let measures = Measures::default();
        let (one, two) = (measures.active(), measures.active());
        drop(one);
        assert_eq!(measures.active.load(Ordering::Relaxed), 1);
        drop(two);
        assert_eq!(measures.active.load(Ordering::Relaxed), 0);
    }
}
