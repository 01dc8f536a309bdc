//! What was acknowledged is in the log, once, at its position, and the log is whole.

use super::Check;
use crate::evidence::{Evidence, Recorded};
use audit::leaf;
use domain::events::Event;
use ledger::verify::Outcome;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    vec![acknowledged(evidence), none_doubled(evidence), no_gap(evidence), verified(evidence)]
}

/// Each 201's position holds that challenge, and the leaf there follows from the stored bytes.
fn acknowledged(evidence: &Evidence) -> Check {
    let accepted: BTreeSet<&str> = accepted(evidence).map(|(_, id)| id).collect();
    let mut faults = Vec::new();
    for entry in &evidence.book {
        let id = &entry.id;
        let Some(position) = entry.position else {
            if !accepted.contains(id.as_str()) {
                faults.push(format!("{id} was called a duplicate and is not in the log"));
            }
            continue;
        };
        match evidence.at(position) {
            Some(found) if matches!(&found.event, Event::ChallengeAccepted(facts) if facts.challenge.id == *id) => {
                faults.extend(leaf_fault(found));
            }
            Some(found) => faults.push(format!("{id} was acknowledged at {position}, where {} is", found.stored.kind)),
            None => faults.push(format!("{id} was acknowledged at {position}, which does not exist")),
        }
    }
    let counts = evidence.counts;
    let (told, found) = (counts.acknowledged, counts.found_accepted);
    if evidence.book.len() as u64 != told + found {
        faults.push(format!("the book has {} lines, the client counted {}", evidence.book.len(), told + found));
    }
    if told == 0 {
        faults.push("nothing was acknowledged".to_owned());
    }
    let figures = format!("{told} by 201 with their leaves, {found} by a later 409");
    Check::of("every acknowledged challenge is at its position", figures, faults)
}

/// The leaf's hash is recomputed from the stored payload, salt and envelope.
fn leaf_fault(found: &Recorded) -> Option<String> {
    let stored = &found.stored;
    let (Some(salt), Some(payload)) = (&stored.salt, &stored.payload) else {
        return Some(format!("position {} has no payload", stored.position));
    };
    if leaf::commitment(salt, payload) != stored.commitment {
        return Some(format!("the payload at {} is not what was committed to", stored.position));
    }
    match stored.leaf().hash() {
        Ok(hash) if hash == stored.leaf_hash => None,
        _ => Some(format!("the leaf at {} does not follow from its columns", stored.position)),
    }
}

fn accepted(evidence: &Evidence) -> impl Iterator<Item = (u64, &str)> {
    evidence.events().filter_map(|(position, event)| match event {
        Event::ChallengeAccepted(facts) => Some((position, facts.challenge.id.as_str())),
        _ => None,
    })
}

/// No challenge is accepted twice, none was acknowledged twice, and none is there that nobody knows of.
fn none_doubled(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for (position, id) in accepted(evidence) {
        if let Some(before) = first.insert(id, position) {
            faults.push(format!("{id} was accepted at {before} and at {position}"));
        }
    }
    let mut told = BTreeSet::new();
    for entry in &evidence.book {
        if !told.insert(entry.id.as_str()) {
            faults.push(format!("{} was acknowledged twice", entry.id));
        }
    }
    faults.extend(first.keys().filter(|id| !told.contains(*id)).map(|id| format!("nobody was told of {id}")));
    let again = evidence.counts.duplicates_refused;
    let figures = format!("{} accepted, {again} second pushes refused", first.len());
    Check::of("none is lost and none doubled", figures, faults)
}

fn no_gap(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let mut sequences: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut time = 0;
    for (due, recorded) in (0_u64..).zip(&evidence.log) {
        let stored = &recorded.stored;
        if stored.position != due {
            faults.push(format!("position {} stands where {due} is due", stored.position));
            break;
        }
        let sequence = sequences.entry((&stored.stream_type, &stored.stream_id)).or_default();
        *sequence += 1;
        if stored.sequence != *sequence {
            faults.push(format!("position {due} has sequence {} where {sequence} is due", stored.sequence));
        }
        if stored.recorded_at < time {
            faults.push(format!("position {due} was recorded before the one before it"));
        }
        time = stored.recorded_at;
    }
    if evidence.verification.size != evidence.log.len() as u64 {
        faults.push(format!("the head counts {} events, {} are there", evidence.verification.size, evidence.log.len()));
    }
    let figures = format!("{} events in {} streams", evidence.log.len(), sequences.len());
    Check::of("positions and sequences have no gap", figures, faults)
}

fn verified(evidence: &Evidence) -> Check {
    let said = evidence.verification.to_string();
    let sound = matches!(evidence.verification.outcome, Outcome::Sound { covered } if covered > 0);
    Check::of("the log agrees with the checkpoint outside", said.clone(), if sound { vec![] } else { vec![said] })
}
