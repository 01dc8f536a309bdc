//! Epochs are numbered without gaps, each ends once, and their ranges join.

use super::Check;
use crate::evidence::Evidence;
use domain::events::{EpochOutcome, Event};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    vec![closed_once(evidence), in_order(evidence), ranges_join(evidence)]
}

fn closed_once(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let (mut next, mut open, mut committed) = (0, None, BTreeSet::new());
    let mut outcomes: BTreeMap<EpochOutcome, u64> = BTreeMap::new();
    let mut reasons: BTreeSet<&str> = BTreeSet::new();
    for (position, event) in evidence.events() {
        match event {
            Event::EpochOpened(opened) => {
                if opened.epoch != next || open.is_some() {
                    faults.push(format!("epoch {} was opened at {position} where {next} was due", opened.epoch));
                }
                (next, open) = (opened.epoch + 1, Some(opened.epoch));
            }
            // What is left of it goes on beside the next.
            Event::WeightsCommitted(commitment) if open == Some(commitment.epoch) => {
                open = None;
                committed.insert(commitment.epoch);
            }
            Event::EpochClosed(closed) => {
                if !committed.remove(&closed.epoch) && open.take() != Some(closed.epoch) {
                    faults.push(format!("epoch {} was closed at {position} and was not open", closed.epoch));
                }
                *outcomes.entry(closed.outcome).or_default() += 1;
                reasons.extend(Some(closed.reason.as_str()).filter(|reason| !reason.is_empty()));
            }
            _ => {}
        }
    }
    let of = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
    let (included, skipped, failed) = (of(EpochOutcome::Included), of(EpochOutcome::Skipped), of(EpochOutcome::Failed));
    if included == 0 {
        faults.push("no epoch's weights came to the chain".to_owned());
    }
    let why = reasons.iter().map(|reason| format!(" ({reason})")).collect::<String>();
    let figures = format!("{included} included, {skipped} skipped, {failed} failed{why}");
    Check::of("epochs are numbered without gaps and each closed once", figures, faults)
}

/// The steps of each epoch: derivation, checkpoint and anchor, submission, fate.
fn in_order(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let mut derived: BTreeMap<u64, u64> = BTreeMap::new();
    let mut anchored: BTreeMap<u64, u64> = BTreeMap::new();
    let mut revisions = 0;
    for (position, event) in evidence.events() {
        match event {
            Event::WeightsDerived(weights) => {
                revisions += u64::from(weights.revision > 0);
                if weights.revision == 0 && derived.insert(weights.epoch, position).is_some() {
                    faults.push(format!("epoch {} was derived twice, again at {position}", weights.epoch));
                }
            }
            Event::CheckpointAnchored(anchor) => {
                if derived.get(&anchor.epoch).is_none_or(|derived| anchor.size <= *derived) {
                    faults.push(format!("the anchor at {position} does not cover epoch {}'s derivation", anchor.epoch));
                }
                anchored.insert(anchor.epoch, position);
            }
            Event::WeightsSubmitted(submitted) if !anchored.contains_key(&submitted.epoch) => {
                faults.push(format!("epoch {} was submitted at {position} before its anchor", submitted.epoch));
            }
            _ => {}
        }
    }
    let figures = format!("{} derived, {revisions} revised, {} anchored", derived.len(), anchored.len());
    Check::of("derivation, checkpoint, anchor and submission are in order", figures, faults)
}

fn ranges_join(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let mut due = 0;
    for (position, event) in evidence.events() {
        let Event::WeightsDerived(derived) = event else { continue };
        if derived.revision > 0 {
            continue;
        }
        if derived.from.0 != due || derived.to.0 >= position {
            let (from, to) = (derived.from, derived.to);
            faults.push(format!("epoch {} covers {from} to {to} where {due} was due", derived.epoch));
        }
        due = derived.to.0 + 1;
    }
    Check::of("the ranges of the epochs join", format!("0 to {}", due.saturating_sub(1)), faults)
}
