//! From reserved conversations to the challenges of a batch. Functions of values; the batch's number is the only thing drawn, and it
//! stands in every challenge.
//!
//! A miner sees a challenge's id, so it is made of the batch's number and a place in the mixed order: neither says which
//! conversation it is.

use domain::cgp::batch::{Piece, Stocked, pieces};
use domain::cgp::constants::Constants;
use domain::cgp::reserved::Reserved;
use domain::cgp::task::Task;
use domain::events::Challenge;
use serde::{Deserialize, Serialize};

use crate::sources::cgp::task_of;
use crate::sources::task;

/// Numbers of batches have 52 bits, so that a reader of JSON that makes them floats keeps them.
pub(super) const NUMBER_BITS: u32 = 52;

/// What a challenge says of where it comes from, in its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// The batch.
    pub(super) batch: u64,
    /// How many windows of this conversation the batch has.
    pub(super) windows: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    conversation_server: Mark,
}

/// The mark and the task of a challenge that this source made; none of others.
pub(super) fn read(challenge: &Challenge) -> Option<(Mark, Task)> {
    let metadata: Metadata = serde_json::from_str(challenge.metadata.as_deref()?).ok()?;
    let task = Task::parse(challenge.task.as_deref()).ok()?;
    Some((metadata.conversation_server, task))
}

fn stocked(found: &Reserved) -> Stocked {
    Stocked { lines: found.lines.len(), minimum_windows: found.minimum_windows }
}

/// A conversation as the rules look at it.
///
/// # Errors
/// Why no window of it can be sent.
pub(super) fn prepared(mut found: Reserved, constants: &Constants) -> Result<Reserved, String> {
    if let Some(limit) = constants.windows.maximum_lines.and_then(|limit| usize::try_from(limit).ok()) {
        found.lines.truncate(limit);
    }
    let mut alone = constants.clone();
    alone.batch.minimum_pieces = 1;
    let of_one = pieces(&[stocked(&found)], &alone, 0);
    let Some(first) = of_one.first() else {
        return Err(format!("{} lines give too few windows", found.lines.len()));
    };
    task_of(&found, first)?;
    Ok(found)
}

fn pieces_of(conversations: &[Reserved], constants: &Constants, number: u64) -> Vec<Piece> {
    pieces(&conversations.iter().map(stocked).collect::<Vec<_>>(), constants, number)
}

/// Whether so many conversations make a batch.
pub(super) fn suffices(conversations: &[Reserved], constants: &Constants) -> bool {
    !pieces_of(conversations, constants, 0).is_empty()
}

/// The challenges of a batch, in the order in which they are sent.
///
/// # Errors
/// None with conversations that are [`prepared`]; what cannot be written otherwise.
pub(super) fn challenges(
    conversations: &[Reserved],
    constants: &Constants,
    number: u64,
) -> Result<Vec<Challenge>, String> {
    let pieces = pieces_of(conversations, constants, number);
    let mut challenges = Vec::with_capacity(pieces.len());
    for (place, piece) in pieces.iter().enumerate() {
        let conversation = conversations
            .get(piece.conversation)
            .ok_or_else(|| format!("there is no conversation for piece {place}"))?;
        let (readable, text) = task_of(conversation, piece).map(|(task, text)| (task.readable(), text))?;
        let windows = pieces.iter().filter(|other| other.conversation == piece.conversation).count();
        let windows = u32::try_from(windows).map_err(|_| format!("{windows} windows are over the limit"))?;
        let metadata = Metadata { conversation_server: Mark { batch: number, windows } };
        let metadata = serde_json::to_string(&metadata).map_err(|error| error.to_string())?;
        let challenge = task(format!("cgp-{number:013x}-{place}"), readable, text);
        challenges.push(Challenge { metadata: Some(metadata), ..challenge });
    }
    Ok(challenges)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeMap;

    use domain::cgp::conversation::Line;

    use super::*;

    fn conversation(guid: u128, lines: usize) -> Reserved {
        let line = |at: usize| Line(u32::try_from(at % 2).unwrap(), format!("Line number {at}."));
        let participants = vec!["SPEAKER_0".to_owned(), "SPEAKER_1".to_owned()];
        Reserved { guid: guid.to_string(), lines: (0..lines).map(line).collect(), participants, minimum_windows: None }
    }

    #[test]
    fn every_window_says_where_it_belongs_and_miners_are_told_nothing() {
        let stock: Vec<Reserved> = (0..10).map(|n| conversation(u128::MAX - n, 40)).collect();
        let constants = Constants::assay_1();
        let found = challenges(&stock, &constants, 0xabc).unwrap();
        assert_eq!(found.len(), 50);
        let mut windows: BTreeMap<String, u32> = BTreeMap::new();
        for (place, challenge) in found.iter().enumerate() {
            assert_eq!(challenge.id, format!("cgp-0000000000abc-{place}"));
            let (mark, task) = read(challenge).unwrap();
            assert_eq!(mark, Mark { batch: 0xabc, windows: 5 });
            *windows.entry(task.guid.clone()).or_default() += 1;
            let rules = domain::mechanism::shipped_by_name("cgp/assay-1").unwrap();
            let body = domain::mechanism::open(&rules).unwrap().synapse(challenge).unwrap().unwrap().body;
            assert!(!body.contains(&task.guid) && !challenge.id.contains(&task.guid), "{body}");
        }
        assert!(windows.len() == 10 && windows.values().all(|count| *count == 5));
        assert_eq!(challenges(&stock, &constants, 0xabc).unwrap(), found);
        let order = |found: &[Challenge]| found.iter().map(|challenge| challenge.task.clone()).collect::<Vec<_>>();
        assert_ne!(order(&challenges(&stock, &constants, 0xabd).unwrap()), order(&found), "the number is the draw");
    }

    #[test]
    fn what_gives_no_window_is_refused() {
        let (readme, ours) = (Constants::readme(), Constants::assay_1());
        assert!(prepared(conversation(1, 3), &readme).unwrap_err().contains("3 lines"));
        assert_eq!(prepared(conversation(1, 500), &ours).unwrap().lines.len(), 300);
        assert!(prepared(conversation(1, 3000), &readme).unwrap_err().contains("2000"));
        let mut spoilt = conversation(1, 40);
        spoilt.participants[0].push('\0');
        assert!(prepared(spoilt, &ours).unwrap_err().contains("NUL"));
        let few: Vec<Reserved> = (0..3).map(|n| conversation(n, 12)).collect();
        assert!(suffices(&few, &readme) && !suffices(&few, &ours), "six windows are no batch of ten");
    }

    #[test]
    fn other_challenges_are_not_taken_for_ours() {
        let mut challenge = challenges(&[conversation(7, 12)], &Constants::readme(), 1).unwrap().remove(0);
        assert!(read(&challenge).is_some());
        let metadata = challenge.metadata.take();
        assert!(read(&challenge).is_none());
        challenge.metadata = Some("{\"conversation_server\":1}".to_owned());
        assert!(read(&challenge).is_none());
        (challenge.metadata, challenge.task) = (metadata, None);
        assert!(read(&challenge).is_none());
    }
}
