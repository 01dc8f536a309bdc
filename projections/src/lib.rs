//! Read models folded from the log, their runner, and the queries over them.
//!
//! A [`Projector`] folds each ledger's events into tables; rows and the position they reach are committed in one
//! transaction, so that every event is folded exactly once whatever is killed. [`rebuild`] folds the whole log into a new
//! set of tables beside the live one and switches in one transaction. A [`View`] is one consistent look at the live set;
//! a [`Frame`] is a ledger as of a position, and every query is asked in a frame.
//!
//! **Architecture invariant:** nothing here reads a table of the write side except through `ledger::LedgerReader`, and the
//! rows depend on the folded events alone: no clock, no configuration, no order of arrival.
//!
//! **Architecture invariant:** what may be shown of a payload is decided by [`disclosure`] and nowhere else.

pub mod disclosure;
mod error;
mod fold;
mod generation;
pub mod queries;
mod rebuild;
mod runner;
mod session;
mod view;

pub use error::{Error, Result};
pub use generation::{MIGRATIONS, format, migrate};
pub use rebuild::{Rebuilt, rebuild};
pub use runner::{Folded, Projector, Settings, Status};
pub use session::may_fold;
pub use view::{AsOf, Frame, LedgerRow, Meta, PoolUse, ReadModels, Selector, View};
