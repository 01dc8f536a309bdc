//! Yuma consensus: from validators' weights and stakes to incentives, dividends, bonds and emission, bit for bit as
//! subtensor computes them (`pallets/subtensor/src/epoch`, spec 425, sparse path).
//!
//! Everything is a function of plain integers as the chain stores them, in the chain's fixed-point types: `I32F32` for
//! weights and shares, `I64F64` for stake, `I96F32` for emission. Multiplication and addition saturate, a division that has no
//! result is 0, a conversion to an integer truncates. Nothing here does I/O, reads a clock or panics on any input, and no
//! floating-point number decides anything.

mod bonds;
mod consensus;
mod emission;
mod epoch;
mod fixed;
mod input;
mod liquid_alpha;
pub mod mechanisms;
mod output;
pub mod schedule;
mod sparse;
mod stake;

pub use epoch::{epoch, epoch_traced};
pub use input::{EpochInput, Error, NEURONS_MAXIMUM, activity_cutoff};
pub use output::{EpochOutput, Trace};
pub use stake::Stake;
/// The chain's type for weights, shares and bonds: 32 integer and 32 fractional bits.
pub use substrate_fixed::types::I32F32;
