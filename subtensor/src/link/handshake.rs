//! Why no connection came about, in words that say what to do.
//!
//! TLS and the websocket speak of themselves; who mistyped `wss` for `ws` does not know what an invalid content type is.

use super::Endpoint;

/// A part of what the layers below say, and what it means here.
const MEANINGS: [(&str, &str); 5] = [
    (
        "InvalidContentType",
        "what listens there does not speak TLS; write ws:// in place of wss:// if the node is trusted",
    ),
    (
        "UnknownIssuer",
        "nobody whom this machine trusts has signed its certificate; SSL_CERT_FILE names a file with the certificate of who has",
    ),
    ("not valid for name", "its certificate is for another name; write the host as the certificate does"),
    ("certificate expired", "its certificate has expired"),
    ("CaUsedAsEndEntity", "its certificate is an authority's own; give the node one that is signed by it"),
];

/// What the layers below said, without the endpoint's secrets, and what it means.
pub(super) fn explained(endpoint: &Endpoint, said: &str) -> String {
    let words = endpoint.scrub(said);
    match MEANINGS.iter().find(|(part, _)| said.contains(part)) {
        Some((_, meaning)) => format!("{meaning} ({words})"),
        None => words,
    }
}
