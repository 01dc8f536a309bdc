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
        return Some(Media::Json);
    }
    let find = |name: &str| ranges.iter().find(|range| range.0 == name).map(|range| range.1);
    // The most specific range decides; a client that names neither type gets the one that every client reads.
    let wild = find("application/*").or_else(|| find("*/*")).unwrap_or(0);
    let (new, old) = (find("application/graphql-response+json"), find("application/json"));
    let (new_quality, old_quality) = (new.unwrap_or(wild), old.unwrap_or(wild));
    let prefer_new = new_quality > old_quality || (new_quality == old_quality && new.is_some());
    let (quality, media) = if prefer_new { (new_quality, Media::GraphqlResponse) } else { (old_quality, Media::Json) };
    (quality > 0).then_some(media)
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
    fn the_clients_wish_decides_and_the_new_type_where_it_is_named() {
        let (new, old) = (Some(Media::GraphqlResponse), Some(Media::Json));
        for (accept, expected) in [
            ("application/graphql-response+json", new),
            ("application/json", old),
            ("application/json, application/graphql-response+json;q=0.9", old),
            ("application/graphql-response+json; charset=utf-8, application/json; q=0.5", new),
            ("*/*", old),
            ("application/*;q=0.2, application/json;q=0.1", new),
            ("application/graphql-response+json, */*;q=0.5", new),
            ("Application/JSON", old),
            ("text/html, */*;q=0.1", old),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(negotiate(&headers), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), old);
    }
}
