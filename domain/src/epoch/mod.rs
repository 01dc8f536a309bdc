//! The epoch: the fold over a range of events that leads to weights, and the order in which they reach the chain.

mod aggregate;
mod fold;

pub use aggregate::{
    Epoch, EpochCommand, EpochError, MOST_AWAITING_REVEAL, NOT_REGISTERED, NOT_REVEALED, RATE_LIMITED, SHADOW,
    STREAM_TYPE, UNREADABLE, is_about_the_reveal, stream_id,
};
pub use fold::{CarriedStateError, EpochFold, reassigned};
