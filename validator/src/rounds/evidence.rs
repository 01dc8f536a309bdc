//! Evidence of a round, recorded: vectors and verdicts, as its mechanism asks for them.
//!
//! What is needed is a pure function of the recorded facts; this module only has it produced and recorded, and looks again until
//! nothing is missing. It remembers nothing between two looks but the log.

use std::collections::BTreeSet;

use domain::Aggregate;
use domain::events::{Event, JudgementRecorded};
use domain::mechanism::{JudgementRequest, Mechanism, NO_VERDICT, Stage, WithoutVerdict, is_verdict};
use domain::round::{self, Round, RoundCommand};
use domain::types::Position;
use futures::stream::{StreamExt, TryStreamExt};

use super::attempt::Attempt;
use crate::Error;
use crate::board::decode;
use crate::commands::RoundFailure;
use crate::evidence::{self, Of};

/// Embeddings in one unit: 65 vectors of 768 binary16 each are 100 kB, so 32 of them stay well below a unit's 8 MiB.
const EMBEDDINGS_PER_UNIT: usize = 32;
/// Verdicts asked for at once.
const JUDGED_AT_ONCE: usize = 8;
/// Evidence may depend on other evidence so many times in a row.
const MAX_LOOKS: usize = 8;

/// Records everything that the mechanism asks for at a stage.
///
/// # Errors
/// [`RoundFailure::Evidence`] says what could not be produced.
pub(super) async fn gather(
    attempt: &Attempt<'_>,
    stage: Stage,
    mechanism: &dyn Mechanism,
    cause: Position,
) -> Result<(), RoundFailure> {
    for _ in 0..MAX_LOOKS {
        let round = recorded(attempt).await?;
        let statistics = attempt.shared.board.read().statistics.clone();
        let facts = round.facts(&attempt.facts.challenge, mechanism, &statistics);
        let wants = mechanism.wants(stage, &facts.map_err(|error| RoundFailure::Evidence(error.to_string()))?);
        if wants.is_empty() {
            return Ok(());
        }
        let (texts, requests) = evidence::sorted(wants);
        judge(attempt, mechanism, requests, cause).await?;
        if !texts.is_empty() {
            let events = evidence::vectors(&attempt.shared.embeddings, mechanism, of(attempt), texts).await;
            for unit in events.map_err(RoundFailure::Evidence)?.chunks(EMBEDDINGS_PER_UNIT) {
                attempt.execute(RoundCommand::Embed(unit.to_vec()), cause).await?;
            }
        }
    }
    Err(RoundFailure::Evidence(format!("{} asks for evidence without end", mechanism.rule_set().name())))
}

fn of<'a>(attempt: &Attempt<'a>) -> Of<'a> {
    Of { challenge_id: &attempt.facts.challenge.id, attempt: attempt.number }
}

/// The round as the log holds it.
async fn recorded(attempt: &Attempt<'_>) -> Result<Round, Error> {
    let reader = attempt.shared.journal.ledger().reader();
    let mut round = Round::default();
    for stored in reader.stream(round::STREAM_TYPE, &attempt.id(), 1).await? {
        let Some(event) = decode(&stored)? else { continue };
        if let Event::ResponseReceived(response) = &event {
            round.place(response.hotkey, Position(stored.position));
        }
        round.apply(&event);
    }
    Ok(round)
}

/// Has every request judged, several at a time, and records the verdicts in the order in which they were asked for.
///
/// Calls without a verdict come last, and only beside others that say that a model is there: a refusal to judge an answer beside
/// a verdict of the same purpose, and a call that the mechanism takes into account beside any that was answered.
async fn judge(
    attempt: &Attempt<'_>,
    mechanism: &dyn Mechanism,
    requests: Vec<JudgementRequest>,
    cause: Position,
) -> Result<(), RoundFailure> {
    let judge = attempt.shared.judge.as_ref();
    let of = of(attempt);
    let verdicts = requests.into_iter().map(|request| evidence::verdict(judge, mechanism, of, request));
    let mut verdicts = futures::stream::iter(verdicts).buffered(JUDGED_AT_ONCE);
    let (mut given, mut failed) = (BTreeSet::new(), Vec::new());
    while let Some(judgement) = verdicts.try_next().await.map_err(RoundFailure::Evidence)? {
        if !is_verdict(&judgement.model) {
            failed.push(judgement);
            continue;
        }
        given.insert(judgement.purpose.clone());
        attempt.execute(RoundCommand::Judge(Box::new(judgement)), cause).await?;
    }
    let is_scored = |failed: &JudgementRecorded| mechanism.without_verdict(&failed.purpose) == WithoutVerdict::IsScored;
    let answered = !given.is_empty() || failed.iter().any(|failed| is_scored(failed) && failed.model == NO_VERDICT);
    let stands = |failed: &JudgementRecorded| {
        if is_scored(failed) { answered } else { given.contains(&failed.purpose) }
    };
    if let Some(first) = failed.iter().find(|failed| !stands(failed)) {
        let problem = String::from_utf8_lossy(first.reply.bytes());
        return Err(RoundFailure::Evidence(format!("no answer was judged; {}: {problem}", first.purpose)));
    }
    for judgement in failed {
        attempt.execute(RoundCommand::Judge(Box::new(judgement)), cause).await?;
    }
    Ok(())
}
