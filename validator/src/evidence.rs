//! Producing evidence: vectors of texts and verdicts on requests, as the events that record them.
//!
//! What is needed is the mechanism's to say; where it goes is the caller's.

use std::time::Duration;

use domain::events::{EmbeddingComputed, EmbeddingModel, JudgementRecorded, TextPart, TextRole, VectorEncoding};
use domain::half;
use domain::mechanism::{JudgementRequest, Mechanism, NO_VERDICT, Want, WithoutVerdict};
use domain::types::{Block, Digest, Position, sha256};
use inference::{EmbeddingService, ModelIdentity};

use crate::judge::{Judge, LONGEST_REPLY, Offline, Verdict};

/// The attempt that evidence is of.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// The challenge.
    pub challenge_id: &'a str,
    /// The attempt.
    pub attempt: u32,
}

/// A text that vectors are wanted of.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// What it is in the round.
    pub role: TextRole,
    /// The text.
    pub text: String,
    /// Events that hold it.
    pub sources: Vec<Position>,
}

/// Texts and requests, each in order.
#[must_use]
pub fn sorted(wants: Vec<Want>) -> (Vec<Text>, Vec<JudgementRequest>) {
    let (mut texts, mut requests) = (Vec::new(), Vec::new());
    for want in wants {
        match want {
            Want::Vectors { role, text, sources } => texts.push(Text { role, text, sources }),
            Want::Judgement(request) => requests.push(request),
        }
    }
    (texts, requests)
}

/// Between two questions to a model that failed; upstream's.
const PAUSE: Duration = Duration::from_millis(500);

/// The verdict on a request. A model that fails is asked again as often as the mechanism says; what then happens is the
/// mechanism's to say as well. Where it reads failed calls, there is always something to record.
///
/// # Errors
/// Why there is none, in a few words.
pub async fn verdict(
    judge: &dyn Judge,
    mechanism: &dyn Mechanism,
    of: Of<'_>,
    request: JudgementRequest,
) -> Result<JudgementRecorded, String> {
    let seeking = mechanism.seeking(&request.purpose);
    let mut verdict = asked(judge, mechanism, &request).await;
    for _ in 1..seeking.attempts {
        if verdict.is_ok() || !judge.has_model(&request.purpose) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        verdict = asked(judge, mechanism, &request).await;
    }
    let verdict = match verdict {
        Err(problem) if seeking.own_verdict_stands_in => {
            tracing::warn!(purpose = request.purpose, problem, "no model gives this verdict; the mechanism does");
            asked(&Offline, mechanism, &request).await?
        }
        Err(problem) if mechanism.without_verdict(&request.purpose) == WithoutVerdict::IsScored => {
            tracing::warn!(
                purpose = request.purpose,
                problem,
                "no verdict came; the mechanism takes that into account"
            );
            Verdict::missing(&problem)
        }
        verdict => verdict?,
    };
    Ok(JudgementRecorded {
        challenge_id: of.challenge_id.to_owned(),
        attempt: of.attempt,
        request_hash: request.hash(),
        hotkey: request.hotkey,
        purpose: request.purpose,
        model: verdict.model,
        parameters: verdict.parameters,
        prompt_tokens: verdict.prompt_tokens,
        completion_tokens: verdict.completion_tokens,
        latency_ms: verdict.latency_ms,
        reply: Block::new(verdict.reply),
    })
}

async fn asked(judge: &dyn Judge, mechanism: &dyn Mechanism, request: &JudgementRequest) -> Result<Verdict, String> {
    let failed = |problem: &str| Err(format!("{}: {problem}", request.purpose));
    let refusal_stands = match mechanism.without_verdict(&request.purpose) {
        WithoutVerdict::EndsAttempt => false,
        WithoutVerdict::CostsMiner => request.hotkey.is_some(),
        WithoutVerdict::IsScored => true,
    };
    match judge.judge(request, mechanism).await {
        Ok(verdict) if verdict.model == NO_VERDICT && !refusal_stands => {
            failed(&String::from_utf8_lossy(&verdict.reply))
        }
        Ok(verdict) if verdict.reply.len() > LONGEST_REPLY => {
            failed(&format!("the reply is over {LONGEST_REPLY} bytes"))
        }
        Ok(verdict) => Ok(verdict),
        Err(problem) => failed(&problem),
    }
}

/// The vectors of texts and of their parts.
///
/// # Errors
/// Says why a text could not be embedded.
pub async fn vectors(
    embeddings: &EmbeddingService,
    mechanism: &dyn Mechanism,
    of: Of<'_>,
    texts: Vec<Text>,
) -> Result<Vec<EmbeddingComputed>, String> {
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
            challenge_id: of.challenge_id.to_owned(),
            attempt: of.attempt,
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
pub fn recorded_model(identity: &ModelIdentity) -> Result<EmbeddingModel, String> {
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
