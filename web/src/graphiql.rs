//! GraphiQL from the binary, with useful queries as its tabs, and the schema.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use projections::queries;
use projections::{AsOf, Selector};
use serde_json::{Value, json};

use crate::server::App;

const PAGE: &str = include_str!("../assets/graphiql/index.html");

/// The explorer sets styles on elements, and its cursors are inlined images. Everything else comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The queries of the tabs.
pub(crate) const QUERIES: [&str; 5] = [
    include_str!("../assets/queries/1-leaderboard.graphql"),
    include_str!("../assets/queries/2-score-history.graphql"),
    include_str!("../assets/queries/3-why-zero.graphql"),
    include_str!("../assets/queries/4-round.graphql"),
    include_str!("../assets/queries/5-epoch.graphql"),
];

/// `GET /graphiql`.
pub(crate) async fn page() -> Response {
    let html = "text/html; charset=utf-8";
    ([(header::CONTENT_TYPE, html), (header::CONTENT_SECURITY_POLICY, POLICY)], PAGE).into_response()
}

/// `GET /schema.graphql`.
pub(crate) async fn schema() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], graphql::sdl()).into_response()
}

/// `GET /graphiql/tabs.json`: each query with variables that mean something in this database.
pub(crate) async fn tabs(State(app): State<Arc<App>>) -> Json<Vec<Value>> {
    let variables = examples(&app).await.unwrap_or_else(|error| {
        tracing::debug!(error = error.chain(), "the tabs have no examples");
        json!({ "netuid": null, "hotkey": "", "challengeId": "", "epoch": 0 })
    });
    let tab = |query: &&str| {
        let named = |name: &String| query.contains(&format!("${name}:"));
        let own: serde_json::Map<String, Value> = variables
            .as_object()
            .map(|all| all.iter().filter(|(name, _)| named(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
            .unwrap_or_default();
        let text = serde_json::to_string_pretty(&own).unwrap_or_default();
        json!({ "query": query, "variables": text })
    };
    Json(QUERIES.iter().map(tab).collect())
}

/// The best miner, the newest evaluated round and the newest derived epoch of the first ledger.
async fn examples(app: &App) -> projections::Result<Value> {
    let view = app.api.models().begin().await?;
    let origin = view.ledgers().first().map(|ledger| ledger.origin.clone());
    let frame = view.frame(&Selector { origin, netuid: None }, AsOf::Newest).await?;
    let board = queries::leaderboard(&view, &frame).await?;
    let rounds = queries::rounds(&view, &frame, None, None, 25).await?;
    let round = rounds.iter().find(|round| round.state == "evaluated").or(rounds.first());
    Ok(json!({
        "netuid": frame.ledger.netuid,
        "hotkey": board.rows.first().map_or("", |row| &row.hotkey),
        "challengeId": round.map_or("", |round| &round.challenge_id),
        "epoch": board.weight_epoch.or(board.derived_epoch).unwrap_or(0),
    }))
}
