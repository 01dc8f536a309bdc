//! Figures of a running service for Prometheus.
//!
//! A [`Page`] is made when somebody asks for it: whatever a service already knows is read at that moment, and only what nothing
//! else keeps is counted beside the work, in [`Counters`] and [`Histograms`]. The text is that of
//! [OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md), written by Prometheus' own
//! crate, with families and rows in a fixed order.
//!
//! **Architecture invariant:** asking changes nothing, no page asks a chain or a miner, and no label is a word of a stranger: not
//! a hotkey, not an address, not an id. What labels may be is listed where they are made, and their number has a limit.

mod access;
mod histogram;
mod instruments;
mod page;
mod process;
mod requests;

pub use access::{CONTENT_TYPE, may_read, refused, reply};
pub use histogram::{Histogram, SECONDS};
pub use instruments::{Counters, Histograms, MOST_ROWS};
pub use page::{Labels, Page};
pub use process::{Disk, disk, process};
pub use requests::{Requests, observe};
