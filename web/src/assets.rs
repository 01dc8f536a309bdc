//! Files inside the binary.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, media type and bytes of each file of the explorer.
pub(crate) const FILES: [(&str, &str, &[u8]); 6] = [
    ("graphiql.min.js", JAVASCRIPT, include_bytes!("../assets/graphiql/graphiql.min.js")),
    ("graphiql.min.css", STYLE, include_bytes!("../assets/graphiql/graphiql.min.css")),
    ("react.production.min.js", JAVASCRIPT, include_bytes!("../assets/graphiql/react.production.min.js")),
    ("react-dom.production.min.js", JAVASCRIPT, include_bytes!("../assets/graphiql/react-dom.production.min.js")),
    ("start.js", JAVASCRIPT, include_bytes!("../assets/graphiql/start.js")),
    ("page.css", STYLE, include_bytes!("../assets/graphiql/page.css")),
];

/// `GET /graphiql/{file}`.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    let found = FILES.iter().find(|(file, ..)| *file == name);
    match found {
        Some((_, media, bytes)) => {
            ([(header::CONTENT_TYPE, *media), (header::CACHE_CONTROL, "public, max-age=3600")], *bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

/// `GET /favicon.ico`: browsers ask for it unasked.
pub(crate) async fn no_icon() -> StatusCode {
    StatusCode::NO_CONTENT
}
