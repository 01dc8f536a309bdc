//! Which answers are the same but for a few words: operators answer for many miners with one text.

pub use crate::text::alike::repeats;
