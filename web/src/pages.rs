//! Two small pages: what is here, and the leaderboard as a table. Rendered here, without a script.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use projections::queries::{self, Leaderboard};
use projections::{AsOf, LedgerRow, Selector};

use crate::graphql_http::decode;
use crate::server::App;

/// Text for a page.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Text for a URL's query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A whole page; `body` is HTML already.
fn page(title: &str, body: &str) -> Html<String> {
    let title = escape(title);
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n</head>\n\
         <body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    ))
}

/// `GET /`.
pub(crate) async fn home(State(app): State<Arc<App>>) -> Response {
    let ledgers = match app.api.models().begin().await {
        Ok(view) => ledger_list(view.ledgers()),
        Err(error) => format!("<p>{}</p>\n", escape(&error.to_string())),
    };
    let body = format!(
        "<p>A validator you can check. Everything here is read from its ledger.</p>\n<h2>Ledgers</h2>\n{ledgers}\
         <h2>Endpoints</h2>\n<ul>\n\
         <li><a href=\"/graphiql\">/graphiql</a>: the explorer, with five queries to begin with</li>\n\
         <li><code>/graphql</code>: GraphQL by POST, or GET for a query</li>\n\
         <li><a href=\"/schema.graphql\">/schema.graphql</a>: the schema</li>\n\
         <li><a href=\"/readyz\">/readyz</a>: how far the read models are; <a href=\"/livez\">/livez</a></li>\n</ul>\n"
    );
    page("Assay", &body).into_response()
}

fn ledger_list(ledgers: &[LedgerRow]) -> String {
    if ledgers.is_empty() {
        return "<p>There is no ledger yet.</p>\n".to_owned();
    }
    let mut list = "<ul>\n".to_owned();
    for ledger in ledgers {
        let _ = writeln!(
            list,
            "<li><a href=\"/leaderboard?ledger={}\">Leaderboard of subnet {}</a>, position {}: <code>{}</code></li>",
            encode(&ledger.origin),
            ledger.netuid,
            ledger.next_position.saturating_sub(1),
            escape(&ledger.origin)
        );
    }
    list + "</ul>\n"
}

/// `GET /leaderboard?ledger=ORIGIN`.
pub(crate) async fn leaderboard(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let origin = query.split('&').find_map(|pair| pair.strip_prefix("ledger=")).map(decode).transpose();
    let origin = match origin {
        Ok(origin) => origin,
        Err(reason) => {
            return (StatusCode::BAD_REQUEST, page("Leaderboard", &format!("<p>{reason}</p>\n"))).into_response();
        }
    };
    match read(&app, origin).await {
        Ok(board) => page("Leaderboard", &table(&board)).into_response(),
        Err(error) => {
            let status = if error.is_passing() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NOT_FOUND };
            (status, page("Leaderboard", &format!("<p>{}</p>\n", escape(&error.to_string())))).into_response()
        }
    }
}

async fn read(app: &App, origin: Option<String>) -> projections::Result<Leaderboard> {
    let view = app.api.models().begin().await?;
    let frame = view.frame(&Selector { origin, netuid: None }, AsOf::Newest).await?;
    queries::leaderboard(&view, &frame).await
}

fn table(board: &Leaderboard) -> String {
    let mut html = format!(
        "<p>Ledger <code>{}</code>, read at position {}, block {}. <a href=\"/\">All ledgers</a></p>\n<table>\n<thead><tr>",
        escape(&board.meta.origin),
        board.meta.position,
        board.meta.block
    );
    for name in ["Rank", "Uid", "Hotkey", "Average", "Answered", "Last score", "Weight", "Zero because"] {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for row in &board.rows {
        let because = row.zero_reason.as_ref().map_or_else(String::new, |reason| queries::explain_reason(reason));
        let cells = [
            row.rank.to_string(),
            or_none(row.uid.map(|uid| uid.to_string())),
            row.hotkey.clone(),
            or_none(row.average.map(|average| format!("{average:.6}"))),
            format!("{} of {}", row.answered, row.drawn),
            or_none(row.last_score.map(|score| format!("{score:.6}"))),
            or_none(row.weight.map(|weight| weight.to_string())),
            because,
        ];
        html.push_str("<tr>");
        for cell in &cells {
            let _ = write!(html, "<td>{}</td>", escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody>\n</table>\n"
}

/// Everything else.
pub(crate) async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "there is nothing here; see /\n")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(escape("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
        assert_eq!(encode("assay/é&b=1"), "assay%2F%C3%A9%26b%3D1");
    }
}
