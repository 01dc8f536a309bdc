//! A round told in sentences: what the other queries show, as the facts that `narrative` tells rounds from.
//!
//! **Architecture invariant:** the text is made of what the other queries showed, so it discloses nothing before them.

use ::narrative::facts::{self, Answer, End, Figure, Prompt};
use ::narrative::{Narrative, narrate as tell};

use super::rounds::{self, Response, Round, RoundKey, Similarity};
use super::scores::{self, Component, Score};
use crate::error::{Error, Result};
use crate::view::{Frame, Meta, View};

/// A narrative with the moment at which it was read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ToldRound {
    /// At which position it was read.
    pub meta: Meta,
    /// The round; none while it is open.
    pub narrative: Option<Narrative>,
}

/// Tells a round: the given attempt, else the newest one. None when there is no such round.
///
/// # Errors
/// What the database says.
pub async fn narrative(
    view: &View,
    frame: &Frame,
    challenge_id: &str,
    attempt: Option<u32>,
) -> Result<Option<ToldRound>> {
    let Some(round) = rounds::round(view, frame, challenge_id, attempt).await? else { return Ok(None) };
    let keys = [RoundKey { challenge_id: round.challenge_id.clone(), attempt: round.attempt }];
    let responses = rounds::responses_of(view, frame, &keys).await?;
    let scores = scores::scores_of_rounds(view, frame, &keys).await?;
    let similarity = rounds::similarity(view, frame, &keys[0]).await?;
    let rules = rules_of(view, frame, &round).await?;
    let narrative = narrate(&round, rules.as_deref(), &responses, &scores, similarity.as_ref());
    Ok(Some(ToldRound { meta: frame.into(), narrative }))
}

/// The name of a round's rule set.
///
/// # Errors
/// What the database says.
pub async fn rules_of(view: &View, frame: &Frame, round: &Round) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT name FROM rule_sets WHERE ledger_id = $1 AND position <= $2 AND hash = $3 ORDER BY position LIMIT 1",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(&round.rule_set)
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("find the name of a rule set"))
}

/// Tells a round as it was queried; none while it is open. `rules` is the name of its rule set.
#[must_use]
pub fn narrate(
    round: &Round,
    rules: Option<&str>,
    responses: &[Response],
    scores: &[Score],
    similarity: Option<&Similarity>,
) -> Option<Narrative> {
    round.ended_position?;
    let similarity = similarity.cloned().map(|Similarity { labels, rows }| facts::Similarity { labels, rows });
    let facts = facts::Round {
        challenge_id: round.challenge_id.clone(),
        attempt: round.attempt,
        rules: rules.map(str::to_owned),
        prompt: match &round.prompt {
            Some(prompt) => Prompt::Shown(prompt.clone()),
            None if !round.disclosed => Prompt::Withheld,
            None => Prompt::None,
        },
        candidates: round.candidates,
        excluded: round.excluded,
        drawn: round.drawn,
        end: match round.state.as_str() {
            "abandoned" => {
                End::Abandoned { reason: round.abandon_reason.clone(), last: round.last_attempt == Some(true) }
            }
            _ => End::Evaluated,
        },
        consensus: round.consensus,
        consensus_achieved: round.consensus_achieved,
        best: round.best.clone(),
        figures: figures(&round.components),
        answers: responses.iter().map(answer).collect(),
        scores: scores.iter().map(score).collect(),
        similarity,
    };
    Some(tell(&facts))
}

fn figures(components: &[Component]) -> Vec<Figure> {
    components.iter().map(|part| Figure { name: part.name.clone(), value: part.value }).collect()
}

fn answer(response: &Response) -> Answer {
    Answer {
        hotkey: response.hotkey.clone(),
        uid: response.uid,
        received: response.status == "received",
        failure: response.failure.clone(),
        response_time_ms: response.response_time_ms,
    }
}

fn score(score: &Score) -> facts::Score {
    facts::Score {
        hotkey: score.hotkey.clone(),
        uid: score.uid,
        score: score.score,
        counted: score.counted,
        filtered: score.filtered.clone(),
        reason: score.reason.clone(),
        components: figures(&score.components),
    }
}

#[cfg(test)]
#[path = "narrative_samples.rs"]
pub(super) mod samples;

#[cfg(test)]
#[path = "narrative_tests.rs"]
mod tests;
