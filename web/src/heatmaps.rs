//! Heat maps of rounds: `GET /rounds/{challenge}/{attempt}/heatmap.svg` and `.png`.
//!
//! What may not be shown yet is refused by the read models themselves. Errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pictures::Heatmap;
use projections::queries::{self, HeatmapAnswer, HeatmapRows};
use projections::{AsOf, Selector};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::graphql_http::decode;
use crate::server::App;

/// Bytes of a challenge's name at most; longer ones are not looked for.
const MAX_NAME: usize = 512;
/// Bytes of a picture at most: an SVG of 256 rows stays below.
const MAX_BYTES: usize = 2 << 20;
/// Bytes of a query string at most.
const MAX_QUERY: usize = 1024;
/// A round does not change once it is evaluated, but its payload may be erased: caches ask again after an hour.
const CACHE: &str = "public, max-age=3600";

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

/// Why there is no picture.
struct Problem {
    status: StatusCode,
    detail: String,
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Problem {
    Problem { status, detail: detail.into() }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, body.to_string()).into_response()
    }
}

impl From<projections::Error> for Problem {
    fn from(error: projections::Error) -> Self {
        use projections::Error as E;
        let status = match &error {
            E::NoSuchLedger { .. } | E::BeforeFirst { .. } | E::Behind { .. } => StatusCode::NOT_FOUND,
            E::AmbiguousLedger { .. } => StatusCode::BAD_REQUEST,
            error if error.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::warn!(error = error.chain(), "a picture could not be drawn");
        }
        // The sentence alone: causes may name hosts.
        problem(status, error.to_string())
    }
}

/// `GET /rounds/{challenge}/{attempt}/heatmap.svg`.
pub(crate) async fn svg(
    State(app): State<Arc<App>>,
    Path(round): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&app, &round, query, &headers, Format::Svg).await.unwrap_or_else(IntoResponse::into_response)
}

/// `GET /rounds/{challenge}/{attempt}/heatmap.png`.
pub(crate) async fn png(
    State(app): State<Arc<App>>,
    Path(round): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&app, &round, query, &headers, Format::Png).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    app: &App,
    (challenge, attempt): &(String, String),
    query: Option<String>,
    headers: &HeaderMap,
    format: Format,
) -> Result<Response, Problem> {
    let missing = || problem(StatusCode::NOT_FOUND, "there is no such round");
    // A NUL is in no name, and PostgreSQL takes none in a text.
    if challenge.len() > MAX_NAME || challenge.contains('\0') {
        return Err(missing());
    }
    let attempt = attempt.parse::<u32>().map_err(|_| missing())?;
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let view = app.api.models().begin().await?;
    let frame = view.frame(&asked.selector, asked.as_of).await?;
    let found = queries::heatmap(&view, &frame, challenge, Some(attempt), asked.rows).await?;
    let map = match found.ok_or_else(missing)? {
        HeatmapAnswer::Ready(map) => map,
        HeatmapAnswer::None(reason) => return Err(problem(StatusCode::CONFLICT, reason)),
    };
    drop(view);
    let drawn = tokio::task::spawn_blocking(move || draw(&map, format)).await;
    let bytes = drawn.unwrap_or_else(|_| Err(problem(StatusCode::INTERNAL_SERVER_ERROR, "drawing failed")))?;
    Ok(send(headers, format, bytes))
}

fn draw(map: &Heatmap, format: Format) -> Result<Vec<u8>, Problem> {
    let bytes = match format {
        Format::Svg => map.svg().into_bytes(),
        Format::Png => map.png().map_err(|error| problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?,
    };
    if bytes.len() > MAX_BYTES {
        let detail = format!("the picture has {} bytes; at most {MAX_BYTES} are sent", bytes.len());
        return Err(problem(StatusCode::INTERNAL_SERVER_ERROR, detail));
    }
    Ok(bytes)
}

/// The bytes, or that the client has them already.
fn send(headers: &HeaderMap, format: Format, bytes: Vec<u8>) -> Response {
    let hash: String = Sha256::digest(&bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let has = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let has = has
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    let mut response = if has { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let media = match format {
        Format::Svg => "image/svg+xml; charset=utf-8",
        Format::Png => "image/png",
    };
    let own = response.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        own.insert(header::ETAG, tag);
    }
    response
}

/// What the query string asks for.
struct Asked {
    selector: Selector,
    as_of: AsOf,
    rows: HeatmapRows,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Problem> {
        let bad = |detail: String| problem(StatusCode::BAD_REQUEST, detail);
        if query.len() > MAX_QUERY {
            return Err(bad(format!("the URL's query is over {MAX_QUERY} bytes")));
        }
        let mut asked = Self { selector: Selector::default(), as_of: AsOf::Newest, rows: HeatmapRows::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).map_err(bad)?;
            match (name, value.as_str()) {
                ("ledger", origin) if !origin.contains('\0') => asked.selector.origin = Some(origin.to_owned()),
                ("netuid", number) => {
                    asked.selector.netuid = Some(number.parse().map_err(|_| bad("netuid is no subnet".to_owned()))?);
                }
                ("asOf", position) => {
                    let position = position.parse().map_err(|_| bad("asOf is no position".to_owned()))?;
                    asked.as_of = AsOf::Position(position);
                }
                ("rows", "survivors") => asked.rows = HeatmapRows::Survivors,
                ("rows", "all") => asked.rows = HeatmapRows::All,
                ("rows", _) => return Err(bad("rows is survivors or all".to_owned())),
                _ => return Err(bad("the query takes ledger, netuid, asOf and rows".to_owned())),
            }
        }
        Ok(asked)
    }
}
