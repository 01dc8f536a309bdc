//! Whether the process lives, and whether its answers are worth having.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::server::App;

/// `GET /livez`.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers, the read models are of this program's format and not too far behind.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    match check(&app).await {
        Ok((ready, ledgers)) => {
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, Json(json!({ "ready": ready, "ledgers": ledgers })))
        }
        Err(error) => {
            tracing::warn!(error = error.chain(), "the read side is not ready");
            // The sentence alone: causes may name hosts.
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": error.to_string() })))
        }
    }
}

async fn check(app: &App) -> projections::Result<(bool, Vec<Value>)> {
    let models = app.api.models();
    let view = models.begin().await?;
    let (mut ready, mut ledgers) = (true, Vec::new());
    for ledger in view.ledgers() {
        let lag = models.lag(ledger).await?;
        ready &= lag <= app.ready_lag;
        ledgers.push(json!({
            "origin": ledger.origin,
            "position": ledger.next_position.saturating_sub(1).to_string(),
            "lag": lag,
        }));
    }
    Ok((ready, ledgers))
}
