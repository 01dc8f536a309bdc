//! Every accepted challenge ended once, and nobody was asked what is not in the log.

use super::Check;
use crate::evidence::Evidence;
use domain::events::Event;
use domain::round::MAX_ATTEMPTS;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    vec![ended_once(evidence), witnessed(evidence)]
}

/// A challenge's way through the log.
#[derive(Default)]
struct Course {
    accepted: bool,
    attempts: u32,
    open: bool,
    ended: u32,
    evaluated: bool,
}

impl Course {
    fn select(&mut self, attempt: u32) -> Option<&'static str> {
        let fault = match () {
            () if !self.accepted => Some("was drawn before it was accepted"),
            () if self.open => Some("was drawn while an attempt was open"),
            () if self.ended > 0 => Some("was drawn after its end"),
            () if attempt != self.attempts + 1 => Some("has attempts that are not 1, 2, 3"),
            () if attempt > MAX_ATTEMPTS => Some("has more attempts than allowed"),
            () => None,
        };
        (self.attempts, self.open) = (attempt, true);
        fault
    }

    fn end(&mut self, attempt: u32, last: bool) -> Option<&'static str> {
        let fault = match () {
            // An attempt that found nobody to draw has no draw.
            () if self.open && attempt != self.attempts => Some("ended another attempt than the open one"),
            () if self.ended > 0 => Some("ended again"),
            () => None,
        };
        (self.attempts, self.open) = (attempt, false);
        self.ended += u32::from(last);
        fault
    }
}

fn ended_once(evidence: &Evidence) -> Check {
    let mut faults = Vec::new();
    let mut courses: BTreeMap<&str, Course> = BTreeMap::new();
    let mut interrupted = 0;
    for (position, event) in evidence.events() {
        let (id, fault) = match event {
            Event::ChallengeAccepted(facts) => {
                let course = courses.entry(&facts.challenge.id).or_default();
                course.accepted = true;
                (&facts.challenge.id, None)
            }
            Event::MinersSelected(selected) => {
                let id = &selected.challenge_id;
                (id, courses.entry(id).or_default().select(selected.attempt))
            }
            Event::RoundEvaluated(evaluated) => {
                let id = &evaluated.challenge_id;
                let course = courses.entry(id).or_default();
                course.evaluated = true;
                (id, course.end(evaluated.attempt, true))
            }
            Event::RoundAbandoned(abandoned) => {
                let id = &abandoned.challenge_id;
                interrupted += u64::from(!abandoned.last);
                (id, courses.entry(id).or_default().end(abandoned.attempt, abandoned.last))
            }
            _ => continue,
        };
        faults.extend(fault.map(|fault| format!("{id} {fault}, at position {position}")));
    }
    for (id, course) in &courses {
        if course.ended != 1 || course.open {
            faults.push(format!("{id} ended {} times", course.ended));
        }
    }
    let evaluated = courses.values().filter(|course| course.evaluated).count();
    let abandoned = courses.len() - evaluated;
    if evaluated == 0 {
        faults.push("no round was evaluated".to_owned());
    }
    let figures =
        format!("{evaluated} evaluated, {abandoned} given up, {interrupted} attempts interrupted and repeated");
    Check::of("every accepted challenge ended exactly once", figures, faults)
}

/// Each request that reached the witness was issued in the log before.
fn witnessed(evidence: &Evidence) -> Check {
    let issued: BTreeSet<_> = evidence
        .events()
        .filter_map(|(_, event)| match event {
            Event::ChallengeIssued(issued) if issued.hotkey == evidence.witness => Some(issued.request_hash),
            _ => None,
        })
        .collect();
    let unknown = evidence.witnessed.iter().filter(|hash| !issued.contains(hash));
    let mut faults: Vec<String> = unknown.map(|hash| format!("request {hash} is not in the log")).collect();
    let drawn = evidence.draws().filter(|draw| draw.drawn.iter().any(|miner| miner.hotkey == evidence.witness)).count();
    if evidence.witnessed.is_empty() {
        faults.push("the witness was never asked".to_owned());
    }
    let figures = format!("{} requests seen, {} issued, drawn {drawn} times", evidence.witnessed.len(), issued.len());
    Check::of("no miner was asked what is not in the log", figures, faults)
}
