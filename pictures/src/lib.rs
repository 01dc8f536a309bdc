//! Pictures of recorded facts: the heat map and the histogram of a round, as SVG and as PNG.
//!
//! A picture is a function of its numbers and texts: the same round gives the same bytes. Both formats are drawn from one
//! scene, so that they cannot say different things.
//!
//! **Architecture invariant:** no I/O, no clock, no fonts of the system, no platform maths, and no text of a ledger reaches an
//! SVG unescaped.

mod bars;
mod colour;
mod error;
mod font;
mod heatmap;
mod histogram;
mod layout;
mod raster;
mod scene;
mod svg;

pub use colour::{Rgb, cool_warm};
pub use error::{Error, Result};
pub use heatmap::{Heatmap, MAX_ROWS, SPREAD, Scale};
pub use histogram::{BINS, Histogram};
