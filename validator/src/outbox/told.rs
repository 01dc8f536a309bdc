//! A recorded round as the facts that `narrative` tells rounds from: the same text as the read side gives.

use domain::events::{Component, DrawnMiner, ResponseScored};
use domain::mechanism::Mechanism;
use domain::types::Hotkey;
use domain::wire::evaluation_prompt;
use narrative::facts::{Answer, End, Figure, Prompt, Round, Score, Similarity};
use serde::Serialize;

use super::results::Results;

/// The round in sentences; none where the record of its draw is erased.
pub(super) fn narrative(found: &Results, mechanism: &dyn Mechanism) -> Option<String> {
    let (selected, evaluated) = (found.selected.as_ref()?, &found.evaluated);
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let labels: Vec<String> = evaluated.labels.iter().map(Hotkey::to_string).collect();
    let round = Round {
        challenge_id: found.challenge.id.clone(),
        attempt: evaluated.attempt,
        rules: Some(mechanism.rule_set().name()),
        prompt: Prompt::Shown(evaluation_prompt(&found.challenge)),
        candidates: count(selected.candidates.len()),
        excluded: count(selected.excluded.len()),
        drawn: count(selected.drawn.len()),
        end: End::Evaluated,
        consensus: Some(evaluated.consensus),
        consensus_achieved: Some(evaluated.consensus_achieved),
        best: evaluated.best.map(|hotkey| hotkey.to_string()),
        figures: figures(&evaluated.components),
        answers: selected.drawn.iter().map(|drawn| answer(found, drawn)).collect(),
        scores: found.scores.iter().map(score).collect(),
        // A matrix that is none is told of as none; the picture of it says what is wrong.
        similarity: found.similarity().ok().map(|rows| Similarity { labels, rows }),
    };
    Some(narrative::narrate(&round).text())
}

fn figures(components: &[Component]) -> Vec<Figure> {
    components.iter().map(|part| Figure { name: part.name.clone(), value: part.value }).collect()
}

fn answer(found: &Results, drawn: &DrawnMiner) -> Answer {
    let received = found.responses.iter().find(|response| response.hotkey == drawn.hotkey);
    let failed = found.failures.iter().find(|failure| failure.hotkey == drawn.hotkey);
    let took = |failure: &domain::events::ResponseFailed| failure.failed_at.0.saturating_sub(failure.sent_at.0) / 1_000;
    Answer {
        hotkey: drawn.hotkey.to_string(),
        uid: drawn.uid.0,
        received: received.is_some(),
        failure: failed.map(|failure| word(&failure.reason)),
        response_time_ms: received.map(|response| u64::from(response.response_time_ms)).or_else(|| failed.map(took)),
    }
}

fn score(scored: &ResponseScored) -> Score {
    Score {
        hotkey: scored.hotkey.to_string(),
        uid: scored.uid.0,
        score: scored.score,
        counted: scored.counted,
        filtered: scored.filtered.as_ref().map(word),
        reason: scored.reason.as_ref().map(word),
        components: figures(&scored.components),
    }
}

/// The word as which a value is recorded.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
