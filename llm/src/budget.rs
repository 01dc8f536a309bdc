//! The tokens that this process may use at one endpoint. What a request may need is reserved before it is sent, so that
//! requests side by side do not overdraw; what it did need is counted after.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of text in a token, on the low side for English, so that estimates are on the high side.
const BYTES_PER_TOKEN: u64 = 3;
/// Tokens that the form of a chat adds: roles and separators.
const FORM_TOKENS: u64 = 16;

/// Counts tokens against a limit.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    reserved: u64,
}

/// Tokens used or reserved when there was no place for more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent(pub(crate) u64);

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Tokens used so far.
    pub(crate) fn used(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).used
    }

    /// Takes tokens that a request may need.
    pub(crate) fn reserve(self: &Arc<Self>, tokens: u64) -> Result<Reservation, Spent> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = state.used.saturating_add(state.reserved);
        if spent.saturating_add(tokens) > self.limit {
            return Err(Spent(spent));
        }
        state.reserved = state.reserved.saturating_add(tokens);
        Ok(Reservation { budget: Arc::clone(self), tokens, lost: 0 })
    }
}

/// Tokens held for a request that is under way, until it is settled or dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    tokens: u64,
    lost: u64,
}

impl Reservation {
    /// From now on the request may be charged: a reservation that is dropped without a word was used in full.
    pub(crate) fn sent(&mut self) {
        self.lost = self.tokens;
    }

    /// Counts what was used, which may be more than was reserved.
    pub(crate) fn settle(mut self, used: u64) {
        self.lost = used;
    }

    /// Tokens held.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reserved = state.reserved.saturating_sub(self.tokens);
        state.used = state.used.saturating_add(self.lost);
    }
}

/// Tokens of a text, estimated on the high side for English.
pub(crate) fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN).saturating_add(FORM_TOKENS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_is_reserved_counts_until_it_is_settled_or_dropped() {
        let budget = Budget::new(100);
        let first = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(41).unwrap_err(), Spent(60));
        let second = budget.reserve(40).unwrap();
        drop(second);
        first.settle(10);
        assert_eq!(budget.used(), 10);
        // 10 used, none reserved: exactly 90 are left.
        assert_eq!(budget.reserve(91).unwrap_err(), Spent(10));
        budget.reserve(90).unwrap().settle(95);
        assert_eq!(budget.reserve(0).unwrap_err(), Spent(105), "an overdraft is not forgotten");
    }

    #[test]
    fn a_request_that_was_given_up_counts_once_it_was_sent() {
        let budget = Budget::new(100);
        drop(budget.reserve(30).unwrap());
        assert_eq!(budget.used(), 0);
        let mut sent = budget.reserve(30).unwrap();
        sent.sent();
        drop(sent);
        assert_eq!(budget.used(), 30);
    }

    #[test]
    fn an_estimate_is_never_nothing_and_never_overflows() {
        for (bytes, tokens) in [(0, 16), (1, 17), (3, 17), (4, 18), (3_000, 1_016)] {
            assert_eq!(estimate(bytes), tokens, "{bytes} bytes");
        }
        assert!(estimate(usize::MAX) > 1 << 60);
    }
}
