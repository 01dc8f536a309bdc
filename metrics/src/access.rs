//! Who may read the page, and how it is answered.
//!
//! Figures hold no secret, but a miner's tell its rivals how it fares, and a page that anybody may fetch is work for anybody. So it is
//! for this machine and for private networks, where Prometheus runs beside the service, and not through a proxy.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::page::Page;

/// What the page is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Fields in which a proxy says that a request comes from elsewhere.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Whether a peer may read the page. Without a peer nobody may.
#[must_use]
pub fn may_read(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(is_near) && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// This machine, a private network (RFC 1918, RFC 4193) or the same link.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// The answer to those who may not.
#[must_use]
pub fn refused() -> Response {
    let why = "figures are for this machine and its private network, and not through a proxy\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

/// The page as an answer.
#[must_use]
pub fn reply(page: Page) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], page.text()).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_neighbourhood_reads() {
        let rows = [
            ("127.0.0.1", true),
            ("172.18.0.4", true),
            ("10.1.2.3", true),
            ("192.168.1.1", true),
            ("::ffff:10.1.2.3", true),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("172.32.0.1", false),
            ("203.0.113.7", false),
            ("0.0.0.0", false),
            ("100.64.0.1", false),
            ("2001:db8::1", false),
            ("::ffff:203.0.113.7", false),
        ];
        for (address, may) in rows {
            assert_eq!(may_read(Some(address.parse().unwrap()), &HeaderMap::new()), may, "{address}");
        }
        assert!(!may_read(None, &HeaderMap::new()));
        for name in FORWARDED {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), "10.0.0.1".parse().unwrap())]);
            assert!(!may_read(Some("127.0.0.1".parse().unwrap()), &headers), "{name}");
        }
    }
}
