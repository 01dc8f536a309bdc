//! Conversations for the Conversation Genome: where they come from and how they travel.
//!
//! [`import`] reads what people have (JSON lines, chat CSV, WebVTT, SubRip) and takes the speakers' names off; [`store`] keeps
//! the result as JSON lines; [`Client`] reserves conversations of a conversation server and brings results back; [`server`] is
//! such a server over a store.
//!
//! **Invariants.** A guid is an integer of 128 bits and never passes through a float or a `u64`. A speaker's label never
//! reaches the store: participants are `SPEAKER_0`, `SPEAKER_1`, … Files, replies and requests are hostile: each has a
//! limit of bytes before it is parsed, and what is wrong is said with its file, line and field. This crate decides nothing
//! about scores.

pub use client::{Client, ClientConfig, Key, Reservation};
pub use conversation::{Conversation, Line, Source};
pub use error::Error;
pub use record::{AnswerData, ResultRecord, TagVector, TruthData, WHOLE_CONVERSATION};

pub mod import;
pub mod server;
pub mod store;

mod client;
mod conversation;
mod error;
mod record;
mod retry;
mod text;
