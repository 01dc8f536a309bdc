//! The one task that writes a ledger.
//!
//! It takes units from a bounded queue, groups them into batches by themselves (whatever waits while the previous commit
//! is under way), writes each batch in one round trip, and answers every caller after the commit. After any failure it
//! stops, reconnects, takes the lease again and asks the log what happened, before it answers anybody.

mod batch;
mod careful;
mod lookup;
mod recovery;
mod sealed;
mod task;
mod versions;

use std::time::Duration;

pub(crate) use sealed::{Message, seal};
pub(crate) use task::open;
pub(crate) use versions::name as stream_name;

/// Limits of an appender. The defaults are the product's; tests lower them.
#[derive(Debug, Clone)]
pub struct AppendSettings {
    /// Events in a batch, and so in a unit.
    pub max_events: usize,
    /// Bytes in a batch, and so in a unit.
    pub max_bytes: usize,
    /// Units that wait in the queue; further callers wait for room.
    pub queue: usize,
    /// Bytes that wait in the queue, over all units.
    pub queue_bytes: usize,
    /// How long one batch may take before its outcome counts as unknown.
    pub write_timeout: Duration,
    /// How long the database may stay away before callers are told that an outcome is unknown.
    pub recovery_timeout: Duration,
    /// How often a batch that is known not to be written is tried again.
    pub attempts: u32,
    /// How long a lease that seems held is asked for again at opening: a killed writer's session ends a moment later.
    pub lease_patience: Duration,
}

impl Default for AppendSettings {
    fn default() -> Self {
        Self {
            max_events: 512,
            max_bytes: 8 << 20,
            queue: 1024,
            queue_bytes: 64 << 20,
            write_timeout: Duration::from_secs(30),
            recovery_timeout: Duration::from_secs(60),
            attempts: 3,
            lease_patience: Duration::from_secs(2),
        }
    }
}
