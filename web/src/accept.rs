//! Which media type a GraphQL answer gets.

use axum::http::{HeaderMap, header};

/// Media type of a GraphQL answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status says whether the request was well formed.
    GraphqlResponse,
    /// `application/json`: the older one, which answers 200 to everything that is well-formed JSON.
    Json,
}

impl Media {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The best type that the client takes; none when it takes neither.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').map(range));
    }
    if ranges.is_empty() {
        return Some(Media::GraphqlResponse);
    }
    let quality = |media: Media, wanted: [&str; 3]| {
        // The most specific range decides.
        let found = wanted.iter().find_map(|name| ranges.iter().find(|range| range.0 == *name));
        (found.map_or(0, |range| range.1), media)
    };
    let new = quality(Media::GraphqlResponse, ["application/graphql-response+json", "application/*", "*/*"]);
    let old = quality(Media::Json, ["application/json", "application/*", "*/*"]);
    let best = if old.0 > new.0 { old } else { new };
    (best.0 > 0).then_some(best.1)
}

/// A media range and its quality in thousandths.
fn range(text: &str) -> (String, u32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let thousandths = quality.and_then(|quality| quality.parse::<f32>().ok()).filter(|quality| quality.is_finite());
    let thousandths = if quality.is_some() { thousandths.unwrap_or(0.0) } else { 1.0 };
    (name, (thousandths.clamp(0.0, 1.0) * 1_000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_clients_wish_decides_and_the_new_type_at_a_tie() {
        let (new, old) = (Some(Media::GraphqlResponse), Some(Media::Json));
        for (accept, expected) in [
            ("application/graphql-response+json", new),
            ("application/json", old),
            ("application/json, application/graphql-response+json;q=0.9", old),
            ("application/graphql-response+json; charset=utf-8, application/json; q=0.5", new),
            ("*/*", new),
            ("application/*;q=0.2, application/json;q=0.1", new),
            ("Application/JSON", old),
            ("text/html, */*;q=0.1", new),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(negotiate(&headers), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), new);
    }
}
