//! How a node is talked to: limits and times. Every one is finite.

use std::time::Duration;

use chain::Error;

use crate::runtime::{CallStyle, LONGEST_ERA, SHORTEST_ERA};

/// Limits and times of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The longest that one request to the node may take.
    pub request_deadline: Duration,
    /// The longest that one method of [`chain::Chain`] may take, with all its requests and a new connection between them.
    pub deadline: Duration,
    /// The longest that making a connection may take.
    pub connect_deadline: Duration,
    /// The time between two blocks.
    pub block_time: Duration,
    /// After so many block times without a new block the connection is dropped and another endpoint asked.
    pub silent_blocks: u32,
    /// After so long without a sign of life the node is asked for one. With the request's deadline this bounds how long a
    /// connection that is dead without having been closed goes unnoticed.
    pub probe_after: Duration,
    /// The pause before the second attempt at a connection; each further one is twice as long.
    pub shortest_pause: Duration,
    /// The longest pause between two attempts.
    pub longest_pause: Duration,
    /// Blocks that an extrinsic lives: a power of two from 4 to 2048.
    pub era_period: u64,
    /// The largest answer that is read, in bytes.
    pub largest_answer: u32,
    /// The most requests under way at once.
    pub concurrent_requests: usize,
    /// What an announced axon says of its software.
    pub style: CallStyle,
}

impl Default for Settings {
    /// For finney and the test network: blocks of 12 s, eras as SDK 10 signs them, and a dead connection noticed within
    /// 10 s + 10 s.
    fn default() -> Self {
        Self {
            request_deadline: Duration::from_secs(10),
            deadline: Duration::from_secs(45),
            connect_deadline: Duration::from_secs(10),
            block_time: Duration::from_secs(12),
            silent_blocks: 10,
            probe_after: Duration::from_secs(10),
            shortest_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            era_period: 128,
            largest_answer: 32 * 1024 * 1024,
            concurrent_requests: 16,
            style: CallStyle::default(),
        }
    }
}

impl Settings {
    /// Whether every limit is one.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] with the field's name.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |field, problem: &str| Err(Error::InvalidInput { field, problem: problem.to_owned() });
        if !self.era_period.is_power_of_two() || !(SHORTEST_ERA..=LONGEST_ERA).contains(&self.era_period) {
            return refuse(
                "era_period",
                &format!("it must be a power of two from {SHORTEST_ERA} to {LONGEST_ERA} blocks"),
            );
        }
        for (field, value) in [
            ("request_deadline", self.request_deadline),
            ("deadline", self.deadline),
            ("connect_deadline", self.connect_deadline),
            ("block_time", self.block_time),
            ("probe_after", self.probe_after),
            ("shortest_pause", self.shortest_pause),
        ] {
            if value < Duration::from_millis(1) || value > Duration::from_secs(3600) {
                return refuse(field, "it must lie between 1 ms and 1 h");
            }
        }
        if self.longest_pause < self.shortest_pause || self.longest_pause > Duration::from_secs(3600) {
            return refuse("longest_pause", "it must lie between shortest_pause and 1 h");
        }
        if self.silent_blocks < 2 {
            return refuse("silent_blocks", "it must be at least 2: one block may come late");
        }
        if !(64 * 1024..=1 << 30).contains(&self.largest_answer) {
            return refuse("largest_answer", "it must lie between 64 KiB and 1 GiB");
        }
        if !(1..=1024).contains(&self.concurrent_requests) {
            return refuse("concurrent_requests", "it must lie between 1 and 1024");
        }
        Ok(())
    }

    /// How long no new block may come.
    pub(crate) fn silence(&self) -> Duration {
        self.block_time.saturating_mul(self.silent_blocks)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn defaults_are_valid_and_nonsense_is_named() {
        Settings::default().validate().unwrap();
        for (field, settings) in [
            ("era_period", Settings { era_period: 100, ..Settings::default() }),
            ("era_period", Settings { era_period: 4096, ..Settings::default() }),
            ("era_period", Settings { era_period: 2, ..Settings::default() }),
            ("request_deadline", Settings { request_deadline: Duration::ZERO, ..Settings::default() }),
            ("longest_pause", Settings { longest_pause: Duration::ZERO, ..Settings::default() }),
            ("silent_blocks", Settings { silent_blocks: 1, ..Settings::default() }),
            ("largest_answer", Settings { largest_answer: 1, ..Settings::default() }),
            ("concurrent_requests", Settings { concurrent_requests: 0, ..Settings::default() }),
        ] {
            assert!(settings.validate().unwrap_err().to_string().starts_with(field), "{field}");
        }
    }

    #[test]
    fn a_dead_connection_is_noticed_within_30_seconds() {
        let settings = Settings::default();
        assert!(settings.probe_after + settings.request_deadline <= Duration::from_secs(30));
    }
}
