//! Evidence of a round: vectors and verdicts, as its mechanism asks for them.
//!
//! What is needed is a pure function of the recorded facts; this module only has it produced and recorded, and looks again until
//! nothing is missing. It remembers nothing between two looks but the log.

use domain::Aggregate;
use domain::events::{EmbeddingComputed, EmbeddingModel, Event, JudgementRecorded, TextPart, TextRole, VectorEncoding};
use domain::half;
use domain::mechanism::{JudgementRequest, Mechanism, Stage, Want};
use domain::round::{self, Round, RoundCommand};
use domain::types::{Block, Digest, Position, sha256};
use futures::stream::{StreamExt, TryStreamExt};
use inference::ModelIdentity;

use super::attempt::Attempt;
use crate::Error;
use crate::board::decode;
use crate::commands::RoundFailure;
use crate::judge::LONGEST_REPLY;

/// Embeddings in one unit: 65 vectors of 768 binary16 each are 100 kB, so 32 of them stay well below a unit's 8 MiB.
const EMBEDDINGS_PER_UNIT: usize = 32;
/// Verdicts asked for at once.
const JUDGED_AT_ONCE: usize = 8;
/// Evidence may depend on other evidence so many times in a row.
const MAX_LOOKS: usize = 8;

/// A text that vectors are wanted of.
struct Text {
    role: TextRole,
    text: String,
    sources: Vec<Position>,
}

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
        let (mut texts, mut requests) = (Vec::new(), Vec::new());
        for want in wants {
            match want {
                Want::Vectors { role, text, sources } => texts.push(Text { role, text, sources }),
                Want::Judgement(request) => requests.push(request),
            }
        }
        judge(attempt, mechanism, requests, cause).await?;
        if !texts.is_empty() {
            let events = embed(attempt, mechanism, texts).await.map_err(RoundFailure::Evidence)?;
            for unit in events.chunks(EMBEDDINGS_PER_UNIT) {
                attempt.execute(RoundCommand::Embed(unit.to_vec()), cause).await?;
            }
        }
    }
    Err(RoundFailure::Evidence(format!("{} asks for evidence without end", mechanism.rule_set().name())))
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
async fn judge(
    attempt: &Attempt<'_>,
    mechanism: &dyn Mechanism,
    requests: Vec<JudgementRequest>,
    cause: Position,
) -> Result<(), RoundFailure> {
    let judge = &attempt.shared.judge;
    let verdicts = futures::stream::iter(requests).map(|request| async move {
        let verdict = judge.judge(&request, mechanism).await;
        let verdict = verdict.map_err(|problem| format!("{}: {problem}", request.purpose))?;
        if verdict.reply.len() > LONGEST_REPLY {
            return Err(format!("{}: the reply is over {LONGEST_REPLY} bytes", request.purpose));
        }
        Ok((request, verdict))
    });
    let mut verdicts = verdicts.buffered(JUDGED_AT_ONCE);
    while let Some((request, verdict)) = verdicts.try_next().await.map_err(RoundFailure::Evidence)? {
        let judgement = JudgementRecorded {
            challenge_id: attempt.facts.challenge.id.clone(),
            attempt: attempt.number,
            request_hash: request.hash(),
            hotkey: request.hotkey,
            purpose: request.purpose,
            model: verdict.model,
            parameters: verdict.parameters,
            prompt_tokens: verdict.prompt_tokens,
            completion_tokens: verdict.completion_tokens,
            latency_ms: verdict.latency_ms,
            reply: Block::new(verdict.reply),
        };
        attempt.execute(RoundCommand::Judge(Box::new(judgement)), cause).await?;
    }
    Ok(())
}

async fn embed(
    attempt: &Attempt<'_>,
    mechanism: &dyn Mechanism,
    texts: Vec<Text>,
) -> Result<Vec<EmbeddingComputed>, String> {
    let embeddings = &attempt.shared.embeddings;
    let model = recorded_model(embeddings.identity())?;
    if !mechanism.accepts(&model) {
        let rule_set = mechanism.rule_set().name();
        return Err(format!("rule set {rule_set} does not accept model {} with weights {}", model.name, model.weights));
    }
    let mut asked = Vec::new();
    let mut wanted = Vec::with_capacity(texts.len());
    for text in &texts {
        let parts = mechanism.text_parts(text.role, &text.text);
        asked.push(text.text.clone());
        for part in &parts.parts {
            asked.push(part_text(&text.text, part)?);
        }
        wanted.push(parts);
    }
    let mut vectors = embeddings.embed(asked).await.map_err(|error| error.to_string())?.into_iter();
    let identity = embeddings.identity();
    let mut events = Vec::with_capacity(texts.len());
    for (text, parts) in texts.into_iter().zip(wanted) {
        let own: Vec<Vec<f32>> = vectors.by_ref().take(1 + parts.parts.len()).collect();
        events.push(EmbeddingComputed {
            challenge_id: attempt.facts.challenge.id.clone(),
            attempt: attempt.number,
            role: text.role,
            text_hash: sha256(text.text.as_bytes()),
            sources: text.sources,
            model: model.clone(),
            runtime: format!("{} {}", identity.runtime, identity.runtime_version),
            provider: identity.provider.clone(),
            parts: parts.parts,
            parts_cut: parts.cut,
            encoding: VectorEncoding::F16,
            vectors: block(&own)?,
        });
    }
    Ok(events)
}

fn part_text(text: &str, part: &TextPart) -> Result<String, String> {
    let range = part.start as usize..part.end as usize;
    let found = text.get(range.clone()).ok_or_else(|| format!("part {range:?} is not within the text"))?;
    Ok(format!("{found}{}", part.suffix))
}

/// Vectors as binary16, rounded from f32 to nearest even, big-endian.
fn block(vectors: &[Vec<f32>]) -> Result<Block, String> {
    let mut bytes = Vec::with_capacity(vectors.iter().map(|vector| 2 * vector.len()).sum());
    for number in vectors.iter().flatten() {
        let rounded = half::from_f32(*number);
        if !half::to_f32(rounded).is_finite() {
            return Err(format!("the number {number} of a vector cannot be recorded as binary16"));
        }
        bytes.extend_from_slice(&rounded.to_be_bytes());
    }
    Ok(Block::new(bytes))
}

/// The model as evidence names it.
///
/// # Errors
/// When the identity's hashes are no SHA-256.
pub(crate) fn recorded_model(identity: &ModelIdentity) -> Result<EmbeddingModel, String> {
    let digest = |name: &str, text: &str| text.parse::<Digest>().map_err(|error| format!("{name} {text:?}: {error}"));
    Ok(EmbeddingModel {
        name: identity.name.clone(),
        weights: digest("hash of the weights", &identity.weights_sha256)?,
        tokenizer: digest("hash of the tokenizer", &identity.tokenizer_sha256)?,
        dimensions: u16::try_from(identity.dimensions).map_err(|_| format!("{} dimensions", identity.dimensions))?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn parts_are_cut_at_characters_only() {
        let part = |start, end| TextPart { start, end, suffix: "?".to_owned() };
        assert_eq!(part_text("größe", &part(0, 4)).unwrap(), "grö?");
        assert!(part_text("größe", &part(0, 3)).is_err());
        assert!(part_text("größe", &part(0, 99)).is_err());
    }

    #[test]
    fn vectors_that_cannot_be_recorded_are_refused() {
        assert_eq!(block(&[vec![1.0, -2.0]]).unwrap().bytes(), [0x3c, 0x00, 0xc0, 0x00]);
        assert!(block(&[vec![70_000.0]]).is_err());
        assert!(block(&[vec![f32::NAN]]).is_err());
    }
}
