//! HTTP requests by route and status, and how long they took: a layer around a router.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::instruments::{Counters, Histograms};
use crate::page::Page;

/// The route of what no route takes.
const NONE: &str = "none";

/// What was asked of an HTTP server. Clones count together.
#[derive(Debug, Clone)]
pub struct Requests {
    counts: Counters<2>,
    times: Histograms<1>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { counts: Counters::new(["route", "status"]), times: Histograms::new(["route"]) }
    }
}

impl Requests {
    /// Takes note of a request. `route` is as it is written in the code, never as a client wrote it.
    pub fn note(&self, route: impl Into<Cow<'static, str>>, status: StatusCode, taken: Duration) {
        let route = route.into();
        self.counts.one([route.clone(), Cow::Owned(status.as_str().to_owned())]);
        self.times.observe([route], taken);
    }

    /// Adds the figures to a page.
    pub fn tell(&self, page: &mut Page) {
        let (name, help) = ("assay_http_requests_total", "Requests by route and status.");
        page.counters(name, help, self.counts.read());
        let (name, help) = ("assay_http_request_seconds", "Time from a request's head to its answer's head, by route.");
        page.histograms(name, help, self.times.read());
    }
}

/// The layer: `axum::middleware::from_fn_with_state(requests, observe)`.
pub async fn observe(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route: Cow<'static, str> = matched.map_or(NONE.into(), |matched| matched.as_str().to_owned().into());
    let begun = Instant::now();
    let response = next.run(request).await;
    requests.note(route, response.status(), begun.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_route_and_status() {
        let requests = Requests::default();
        requests.note("/a/{id}", StatusCode::OK, Duration::from_millis(3));
        requests.note("/a/{id}", StatusCode::NOT_FOUND, Duration::from_millis(3));
        requests.note(NONE, StatusCode::NOT_FOUND, Duration::from_millis(3));
        let mut page = Page::default();
        requests.tell(&mut page);
        let text = page.text();
        for line in [
            r#"assay_http_requests_total{route="/a/{id}",status="200"} 1"#,
            r#"assay_http_requests_total{route="/a/{id}",status="404"} 1"#,
            r#"assay_http_requests_total{route="none",status="404"} 1"#,
            r#"assay_http_request_seconds_count{route="/a/{id}"} 2"#,
            r#"assay_http_request_seconds_bucket{le="0.005",route="none"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
