//! What an audit has found so far: differences, and reasons why it cannot tell. Bounded, with counts kept on.

use domain::events::{Event, Payload};
use serde::{Deserialize, Serialize};

use crate::difference::{Difference, differing_fields, differing_payloads, shorten_both};
use crate::record::Recorded;

/// The most differences kept; further ones are only counted.
pub const MAX_DIFFERENCES: usize = 1000;

/// The most doubts kept; further ones are only counted.
pub const MAX_DOUBTS: usize = 100;

/// Something that keeps the audit from a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The event, where there is one.
    pub position: Option<u64>,
    /// Why the audit cannot tell.
    pub reason: String,
}

/// Differences and doubts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first [`MAX_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// All of them.
    pub difference_count: u64,
    /// The first [`MAX_DOUBTS`].
    pub doubts: Vec<Doubt>,
    /// All of them.
    pub doubt_count: u64,
}

/// Which event a check is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) position: u64,
    pub(crate) kind: &'a str,
}

impl<'a> At<'a> {
    pub(crate) fn of(recorded: &'a Recorded) -> Self {
        Self { position: recorded.position, kind: &recorded.kind }
    }
}

impl Findings {
    pub(crate) fn differ(
        &mut self,
        at: At<'_>,
        field: &str,
        recorded: impl ToString,
        recomputed: impl ToString,
        message: &str,
    ) {
        self.differ_involving(at, field, &[], recorded, recomputed, message);
    }

    /// A rule between several fields of one event is broken: the audit cannot know which of them is the wrong one.
    pub(crate) fn differ_involving(
        &mut self,
        at: At<'_>,
        field: &str,
        involves: &[&str],
        recorded: impl ToString,
        recomputed: impl ToString,
        message: &str,
    ) {
        self.difference_count += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            let (recorded, recomputed) = shorten_both(&recorded.to_string(), &recomputed.to_string());
            self.differences.push(Difference {
                position: at.position,
                kind: at.kind.to_owned(),
                field: field.to_owned(),
                involves: involves.iter().map(|field| (*field).to_owned()).collect(),
                recorded,
                recomputed,
                message: message.to_owned(),
            });
        }
    }

    /// Compares a field that both sides can show.
    pub(crate) fn equal<T: PartialEq + ToString>(
        &mut self,
        at: At<'_>,
        field: &str,
        recorded: &T,
        recomputed: &T,
        message: &str,
    ) {
        if recorded != recomputed {
            self.differ(at, field, recorded.to_string(), recomputed.to_string(), message);
        }
    }

    /// Compares a whole event with its recomputation. True when they are the same.
    pub(crate) fn same_event(&mut self, at: At<'_>, recorded: &Event, recomputed: &Event, message: &str) -> bool {
        let fields = differing_fields(recorded, recomputed);
        for found in &fields {
            self.differ(at, &found.field, &found.recorded, &found.recomputed, message);
        }
        fields.is_empty()
    }

    /// Compares two payloads of one kind, without a copy of either. True when they are the same.
    pub(crate) fn same<P: Payload>(&mut self, at: At<'_>, recorded: &P, recomputed: &P, message: &str) -> bool {
        let fields = differing_payloads(recorded, recomputed);
        for found in &fields {
            self.differ(at, &found.field, &found.recorded, &found.recomputed, message);
        }
        fields.is_empty()
    }

    pub(crate) fn doubt(&mut self, position: Option<u64>, reason: impl Into<String>) {
        self.doubt_count += 1;
        if self.doubts.len() < MAX_DOUBTS {
            self.doubts.push(Doubt { position, reason: reason.into() });
        }
    }
}
