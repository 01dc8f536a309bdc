//! Whom a miner answers (spec 5): a list of keys, registration, stake, and a window of requests.
//!
//! The first rule that applies decides. Requests of both kinds share one window per hotkey; a refused one is not counted.
//! Times are given: this file reads no clock.

use std::collections::{BTreeMap, VecDeque};

/// A miner's limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Least stake in TAO; exactly as much passes.
    pub stake: f64,
    /// Length of the window in seconds; a request just as old still counts.
    pub window: f64,
    /// Requests in it.
    pub requests: usize,
    /// Hotkeys that are remembered at most, the longest silent one forgotten first.
    pub hotkeys: usize,
    /// Keys that are not registered pass on to the next rule. Upstream then fails, because such a key has no stake.
    pub unregistered: bool,
}

impl Default for Limits {
    /// Upstream's: 20,000 TAO, 30 requests in two minutes.
    fn default() -> Self {
        Self { stake: 20_000.0, window: 120.0, requests: 30, hotkeys: 4096, unregistered: false }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caller<'a> {
    /// Its hotkey.
    pub hotkey: &'a str,
    /// It is on the miner's own list.
    pub whitelisted: bool,
    /// It is on the list of valid validators.
    pub valid: bool,
    /// Its stake in TAO; `None` when it is not registered.
    pub stake: Option<f64>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not on the list of valid validators.
    NotValid,
    /// Not in the metagraph.
    NotRegistered,
    /// Less stake than asked for.
    LowStake,
    /// Too many requests in the window.
    TooMany,
}

/// The requests of the last window.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    seen: BTreeMap<String, VecDeque<f64>>,
}

impl Gate {
    /// Decides a request at a time in seconds, and counts it if it passes the window.
    ///
    /// # Errors
    /// The first rule that refuses it.
    pub fn admit(&mut self, caller: &Caller<'_>, now: f64, limits: &Limits) -> Result<(), Refusal> {
        if caller.whitelisted {
            return Ok(());
        }
        if !caller.valid {
            return Err(Refusal::NotValid);
        }
        if caller.stake.is_none() && !limits.unregistered {
            return Err(Refusal::NotRegistered);
        }
        // Written so that a stake that is no number is too low.
        let enough = caller.stake.is_some_and(|stake| stake >= limits.stake);
        if !enough {
            return Err(Refusal::LowStake);
        }
        self.count(caller.hotkey, now, limits)
    }

    fn count(&mut self, hotkey: &str, now: f64, limits: &Limits) -> Result<(), Refusal> {
        if !self.seen.contains_key(hotkey) && self.seen.len() >= limits.hotkeys {
            let last = |stamps: &VecDeque<f64>| stamps.back().copied().unwrap_or(f64::NEG_INFINITY);
            let silent = self.seen.iter().min_by(|a, b| last(a.1).total_cmp(&last(b.1))).map(|(key, _)| key.clone());
            if let Some(silent) = silent {
                self.seen.remove(&silent);
            }
        }
        let stamps = self.seen.entry(hotkey.to_owned()).or_default();
        while stamps.front().is_some_and(|stamp| now - stamp > limits.window) {
            stamps.pop_front();
        }
        if stamps.len() >= limits.requests {
            return Err(Refusal::TooMany);
        }
        stamps.push_back(now);
        Ok(())
    }
}

/// A request's priority in the ancestor: stake times the minutes since the tenth-last request over ten, at least once the
/// stake; 0 for a key that is not registered.
pub fn priority(stake: Option<f64>, seconds_since_tenth_last: Option<f64>) -> f64 {
    let periods = seconds_since_tenth_last.map_or(1.0, |seconds| (seconds / 60.0 / 10.0).max(1.0));
    stake.map_or(0.0, |stake| stake * periods)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(hotkey: &str) -> Caller<'_> {
        Caller { hotkey, whitelisted: false, valid: true, stake: Some(20_000.0) }
    }

    #[test]
    fn the_first_rule_decides() {
        let limits = Limits::default();
        let mut gate = Gate::default();
        for (caller, expected) in [
            (Caller { whitelisted: true, valid: false, stake: None, ..caller("a") }, Ok(())),
            (Caller { valid: false, ..caller("a") }, Err(Refusal::NotValid)),
            (Caller { stake: None, ..caller("a") }, Err(Refusal::NotRegistered)),
            (Caller { stake: Some(19_999.9), ..caller("a") }, Err(Refusal::LowStake)),
            (Caller { stake: Some(f64::NAN), ..caller("a") }, Err(Refusal::LowStake)),
            (caller("a"), Ok(())),
        ] {
            assert_eq!(gate.admit(&caller, 0.0, &limits), expected, "{caller:?}");
        }
        let open = Limits { unregistered: true, ..limits };
        assert_eq!(gate.admit(&Caller { stake: None, ..caller("a") }, 0.0, &open), Err(Refusal::LowStake));
        assert_eq!(
            [priority(Some(5.0), None), priority(Some(5.0), Some(1200.0)), priority(None, None)],
            [5.0, 10.0, 0.0]
        );
    }

    #[test]
    fn the_window_slides_and_refused_requests_do_not_count() {
        let limits = Limits::default();
        let mut gate = Gate::default();
        for _ in 0..30 {
            assert_eq!(gate.admit(&caller("a"), 0.0, &limits), Ok(()));
        }
        assert_eq!(gate.admit(&caller("a"), 120.0, &limits), Err(Refusal::TooMany));
        assert_eq!(gate.admit(&caller("b"), 120.0, &limits), Ok(()));
        assert_eq!(gate.admit(&caller("a"), 120.5, &limits), Ok(()));
        assert_eq!(gate.seen["a"].len(), 1);
    }

    #[test]
    fn memory_is_limited() {
        let limits = Limits { hotkeys: 2, ..Limits::default() };
        let mut gate = Gate::default();
        for (at, hotkey) in ["a", "b", "a", "c"].into_iter().enumerate() {
            assert_eq!(gate.admit(&caller(hotkey), at as f64, &limits), Ok(()));
        }
        assert_eq!(gate.seen.keys().collect::<Vec<_>>(), ["a", "c"]);
    }
}
