//! Reading bodies: each within its limit and its time, all together within theirs.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AxonLimits;

/// What the common budget is counted in.
const UNIT: usize = 1 << 10;

pub(crate) struct Bodies {
    limit: usize,
    timeout: Duration,
    budget: Arc<Semaphore>,
}

/// A body, and its part of the budget until it is dropped.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) _share: OwnedSemaphorePermit,
}

/// Why a body is not read: a status and a text.
pub(crate) type Unread = (StatusCode, String);

impl Bodies {
    pub(crate) fn new(limits: &AxonLimits) -> Self {
        // One body at least, and at least one unit of it.
        let all = limits.all_bodies_bytes.max(limits.body_bytes).div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { limit: limits.body_bytes, timeout: limits.body_timeout, budget: Arc::new(Semaphore::new(all)) }
    }

    fn too_large(&self) -> Unread {
        (StatusCode::PAYLOAD_TOO_LARGE, format!("The body may have {} bytes", self.limit))
    }

    /// The length that the headers announce, if it is within the limit.
    pub(crate) fn announced(&self, headers: &HeaderMap) -> Result<usize, Unread> {
        let Some(announced) = headers.get(header::CONTENT_LENGTH) else { return Ok(self.limit) };
        let length = announced.to_str().ok().and_then(|length| length.parse::<u64>().ok());
        let length = length.and_then(|length| usize::try_from(length).ok());
        length.filter(|length| *length <= self.limit).ok_or_else(|| self.too_large())
    }

    /// The whole body.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Held, Unread> {
        let units = u32::try_from(self.announced(headers)?.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX);
        let busy = |_| (StatusCode::SERVICE_UNAVAILABLE, "Too many bodies at once".to_owned());
        let share = Arc::clone(&self.budget).try_acquire_many_owned(units).map_err(busy)?;
        let collected = Limited::new(body, self.limit).collect();
        match tokio::time::timeout(self.timeout, collected).await {
            Ok(Ok(collected)) => Ok(Held { bytes: collected.to_bytes(), _share: share }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(self.too_large()),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The body broke off".to_owned())),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The body did not come in time".to_owned())),
        }
    }
}
