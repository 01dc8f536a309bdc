//! Labels: the truth about a round that was evaluated, and the scores that follow from it.
//!
//! The label is committed first, the scores in a unit of their own, both behind the gate that keeps derivations out. A crash
//! between the two leaves a label without scores, which the next start completes. What the mechanism refuses is not committed.

use std::sync::Arc;

use domain::events::{Event, LabelRevealed, RoundEvaluated};
use domain::mechanism::{Evaluation, LabelFacts};
use domain::round;
use domain::types::{Micros, Position};
use ledger::StoredEvent;

use crate::Error;
use crate::board::decode;
use crate::clock;
use crate::journal::Entry;
use crate::service::RevealedLabel;
use crate::shared::Shared;

/// A label with where and when it is recorded.
type Revealed = (Position, Micros, LabelRevealed);

/// The longest label, in bytes.
const LONGEST_LABEL: usize = 64 << 10;

/// The longest name of a source, in bytes.
const LONGEST_SOURCE: usize = 256;

/// Records a label and the scores that follow. Gives where both stand.
///
/// # Errors
/// [`Error::Label`] for a round that does not wait for a label, and for a label that the mechanism cannot use; what the ledger
/// says.
pub(crate) async fn reveal(
    shared: &Arc<Shared>,
    stream: &str,
    source: &str,
    label: &str,
) -> Result<RevealedLabel, Error> {
    let _no_derivation = Arc::clone(&shared.gate).read_owned().await;
    let refused = |field, problem: String| Error::Label { field, round: stream.to_owned(), problem };
    let waiting = shared.board.read().waiting.get(stream).copied();
    let waiting = waiting.ok_or_else(|| refused("round", "it waits for none".to_owned()))?;
    for (field, text, longest) in [("source", source, LONGEST_SOURCE), ("label", label, LONGEST_LABEL)] {
        if text.len() > longest {
            return Err(refused(field, format!("it has {} bytes, the limit is {longest}", text.len())));
        }
    }
    let (_, _, evaluated) = recorded(shared, stream).await?;
    let revealed = LabelRevealed {
        challenge_id: evaluated.round.challenge_id,
        attempt: evaluated.round.attempt,
        evaluated: waiting.evaluated,
        source: source.to_owned(),
        label: label.to_owned(),
    };
    // Whether it can be used depends neither on where it will stand nor on when.
    let next = Position(shared.journal.ledger().size());
    let facts = facts(shared, stream, (next, clock::now(), revealed.clone())).await?;
    shared.mechanism().evaluate_label(&facts).map_err(|error| refused("label", error.to_string()))?;
    let entry = Entry::new(round::LABEL_STREAM_TYPE, stream, revealed).because(waiting.evaluated);
    let appended = match shared.journal.begin(entry).await {
        // Somebody else told it between the look above and now.
        Err(Error::Ledger(ledger::Error::Conflict { .. })) => {
            return Err(refused("round", "it has its label".to_owned()));
        }
        appended => appended?,
    };
    shared.board.reach(Position(appended.last)).await?;
    let evaluated = score(shared, stream).await?;
    Ok(RevealedLabel { position: Position(appended.first), evaluated })
}

/// Completes labels whose scores an earlier process, or a fault of the ledger, left out. The caller keeps derivations out, and other labels:
/// by the gate, or because nothing else runs yet.
///
/// # Errors
/// What the ledger says.
pub(crate) async fn complete(shared: &Arc<Shared>) -> Result<(), Error> {
    shared.settled().await?;
    let unscored: Vec<String> = shared.board.read().unscored.iter().cloned().collect();
    for stream in unscored {
        match score(shared, &stream).await {
            Ok(_) => {}
            // A label that the mechanism cannot use is a fact all the same: no scores follow, and after the next
            // derivation it is looked at no more.
            Err(Error::Refused(problem)) => tracing::warn!(stream, problem, "a label without scores"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Records the scores that follow from a label that is recorded.
async fn score(shared: &Arc<Shared>, stream: &str) -> Result<Position, Error> {
    let _one_at_a_time = shared.evaluating.lock().await;
    let revealed = revealed(shared, stream).await?;
    let position = revealed.0;
    shared.settled().await?;
    if !shared.board.read().unscored.contains(stream) {
        // Scored meanwhile by another, or by an epoch's derivation that found it unscored.
        let events = shared.journal.ledger().reader().stream(round::LABEL_STREAM_TYPE, stream, 1).await?;
        return Ok(Position(events.last().map_or(position.0, |last| last.position)));
    }
    let facts = facts(shared, stream, revealed).await?;
    let evaluation = shared.mechanism().evaluate_label(&facts).map_err(|error| Error::Refused(error.to_string()))?;
    let entry = |event: Event| Entry::new(round::LABEL_STREAM_TYPE, stream, event).because(position);
    let entries = round::events(evaluation).into_iter().map(entry).collect();
    let appended = shared.journal.continue_with(entries, 1).await?;
    shared.board.reach(Position(appended.last)).await?;
    Ok(Position(appended.last))
}

/// What a label is judged by, with the statistics as they are folded now.
async fn facts(shared: &Shared, stream: &str, revealed: Revealed) -> Result<LabelFacts, Error> {
    let (position, at, revealed) = revealed;
    let (_, evaluated, round) = recorded(shared, stream).await?;
    Ok(LabelFacts {
        position,
        source: revealed.source,
        label: revealed.label,
        revealed: at,
        evaluated,
        round,
        statistics: shared.board.read().statistics.clone(),
    })
}

async fn revealed(shared: &Shared, stream: &str) -> Result<Revealed, Error> {
    let events = shared.journal.ledger().reader().stream(round::LABEL_STREAM_TYPE, stream, 1).await?;
    let missing = || Error::Refused(format!("no label of round {stream} is recorded"));
    let stored = events.first().ok_or_else(missing)?;
    match decode(stored)? {
        Some(Event::LabelRevealed(revealed)) => Ok((Position(stored.position), Micros(stored.recorded_at), revealed)),
        _ => Err(missing()),
    }
}

/// The round as it was evaluated, where and when.
async fn recorded(shared: &Shared, stream: &str) -> Result<(Position, Micros, Evaluation), Error> {
    let (mut scores, mut found) = (Vec::new(), None);
    for stored in shared.journal.ledger().reader().stream(round::STREAM_TYPE, stream, 1).await? {
        match decode(&stored)? {
            Some(Event::ResponseScored(scored)) => scores.push(scored),
            Some(Event::RoundEvaluated(round)) => found = Some(place(&stored, round)),
            _ => {}
        }
    }
    let (position, at, round) = found.ok_or_else(|| Error::Refused(format!("round {stream} is not evaluated")))?;
    Ok((position, at, Evaluation { scores, round }))
}

fn place(stored: &StoredEvent, round: RoundEvaluated) -> (Position, Micros, RoundEvaluated) {
    (Position(stored.position), Micros(stored.recorded_at), round)
}
