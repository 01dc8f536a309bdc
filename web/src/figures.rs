//! `GET /metrics`: what was asked over HTTP, and how far the read models are.
//!
//! **Invariant:** a database that does not answer is told as that, in time for whoever asks; it is no error of the page.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use metrics::{Labels, Page};

use crate::server::App;

/// How long the database may take. Prometheus waits ten seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ledgers that are looked at, of a database that holds very many.
const MOST_LEDGERS: usize = 256;

/// What is told of the ledgers of one subnet.
#[derive(Debug, Default)]
struct Subnet {
    ledgers: u64,
    events: u64,
    lag: u64,
}

/// The page; only this machine and its private network are told.
pub(crate) async fn page(State(app): State<Arc<App>>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if !metrics::may_read(peer, request.headers()) {
        return metrics::refused();
    }
    let mut page = Page::default();
    metrics::process(&mut page);
    app.requests.tell(&mut page);
    pool(&mut page, &app);
    let looked = tokio::time::timeout(PATIENCE, read_models(&app)).await;
    let help = "1 if the database answered and its read models are of this program's format.";
    page.gauge("assay_read_models_up", help, if matches!(looked, Ok(Ok(_))) { 1.0 } else { 0.0 });
    match looked {
        Ok(Ok((generation, subnets))) => tell(&mut page, generation, &subnets),
        Ok(Err(error)) => tracing::warn!(error = error.chain(), "the read models cannot be looked at"),
        Err(_) => tracing::warn!(seconds = PATIENCE.as_secs(), "the read models were not there in time"),
    }
    metrics::reply(page)
}

fn pool(page: &mut Page, app: &App) {
    let pool = app.api.models().pool_use();
    let row = |state: &'static str, count: u32| (vec![("state", state.into())], f64::from(count));
    let rows: [(Labels, f64); 2] = [row("idle", pool.idle), row("used", pool.open.saturating_sub(pool.idle))];
    page.gauges("assay_pool_connections", "Connections to the database.", rows);
    page.gauge("assay_pool_most_connections", "Connections that the pool may have.", f64::from(pool.most));
}

async fn read_models(app: &App) -> projections::Result<(i64, BTreeMap<u16, Subnet>)> {
    let models = app.api.models();
    let view = models.begin().await?;
    let mut subnets: BTreeMap<u16, Subnet> = BTreeMap::new();
    for ledger in view.ledgers().iter().take(MOST_LEDGERS) {
        let lag = models.lag(ledger).await?;
        let subnet = subnets.entry(ledger.netuid).or_default();
        subnet.ledgers += 1;
        subnet.events = subnet.events.saturating_add(ledger.next_position);
        subnet.lag = subnet.lag.max(lag);
    }
    Ok((view.generation(), subnets))
}

fn tell(page: &mut Page, generation: i64, subnets: &BTreeMap<u16, Subnet>) {
    let help = "Number of the set of read models that answers.";
    page.gauge("assay_read_model_generation", help, generation as f64);
    type Of = fn(&Subnet) -> u64;
    let rows: [(&'static str, &'static str, Of); 3] = [
        ("assay_read_model_ledgers", "Ledgers in the read models.", |subnet| subnet.ledgers),
        ("assay_read_model_events", "Events folded into the read models.", |subnet| subnet.events),
        (
            "assay_projector_lag_events",
            "Events in the log that are not folded yet, of the ledger that is farthest behind.",
            |subnet| subnet.lag,
        ),
    ];
    for (name, help, of) in rows {
        let row = |(netuid, subnet): (&u16, &Subnet)| (vec![("netuid", netuid.to_string().into())], of(subnet) as f64);
        page.gauges(name, help, subnets.iter().map(row));
    }
}
