//! What every client of a peer that may be hostile has in common.

use std::time::Duration;

use crate::error::Error;

/// The longest text about a failure, in characters.
const LONGEST: usize = 300;

/// A client that follows no redirect, asks no proxy, and keeps no connection for a second request: an idle one that the peer closes must
/// not look like a peer that failed.
///
/// # Errors
/// [`Error::Client`].
pub fn client(connect: Duration) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(connect)
        .tcp_nodelay(true)
        .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(Error::Client)
}

/// An error with its causes, short and printable; each cause repeats less than the one before.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}
