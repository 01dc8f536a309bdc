//! Evidence of a round: the vectors of its prompt and of each distinct answer.
//!
//! Texts and their parts are taken by the mechanism, from recorded bytes; this module only has them embedded and writes
//! down by what.

use std::collections::BTreeMap;

use domain::events::{EmbeddingComputed, EmbeddingModel, TextPart, TextRole, VectorEncoding};
use domain::mechanism::Mechanism;
use domain::types::{Block, Digest, Position, sha256};
use domain::{half, wire};
use inference::{EmbeddingService, ModelIdentity};

/// A text of the round and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    role: TextRole,
    text: String,
    hash: Digest,
    sources: Vec<Position>,
}

/// The recorded facts that evidence is made from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) challenge: &'a domain::events::Challenge,
    pub(crate) attempt: u32,
    /// Position of the acceptance.
    pub(crate) accepted: Position,
    /// Usable answers: position and raw body, in order of arrival.
    pub(crate) answers: &'a [(Position, Vec<u8>)],
}

/// Computes the evidence of a round, the prompt first, then the answers in order of arrival.
///
/// # Errors
/// Says why a text could not be embedded.
pub(crate) async fn compute(
    sources: &Sources<'_>,
    mechanism: &dyn Mechanism,
    embeddings: &EmbeddingService,
) -> Result<Vec<EmbeddingComputed>, String> {
    let model = recorded_model(embeddings.identity())?;
    if !mechanism.accepts(&model) {
        let rule_set = mechanism.rule_set().name();
        return Err(format!("rule set {rule_set} does not accept model {} with weights {}", model.name, model.weights));
    }
    let texts = texts(sources, mechanism);
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
            challenge_id: sources.challenge.id.clone(),
            attempt: sources.attempt,
            role: text.role,
            text_hash: text.hash,
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

/// The distinct texts. One text in both roles is embedded in both: its parts differ.
fn texts(sources: &Sources<'_>, mechanism: &dyn Mechanism) -> Vec<Text> {
    let prompt = wire::evaluation_prompt(sources.challenge);
    let hash = sha256(prompt.as_bytes());
    let mut texts = vec![Text { role: TextRole::Prompt, text: prompt, hash, sources: vec![sources.accepted] }];
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for (position, body) in sources.answers {
        // A body that does not parse was recorded as a failure.
        let Ok(text) = mechanism.parse_response(body) else { continue };
        let hash = sha256(text.as_bytes());
        match places.get(&hash) {
            Some(place) => texts[*place].sources.push(*position),
            None => {
                places.insert(hash, texts.len());
                texts.push(Text { role: TextRole::Answer, text, hash, sources: vec![*position] });
            }
        }
    }
    texts
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
    use crate::tests_support;

    #[test]
    fn equal_answers_are_one_text_with_two_sources() {
        let mechanism = tests_support::readme();
        let challenge = tests_support::challenge("c1", "What is a ledger?");
        let body = |text: &str| format!(r#"{{"response_text":"{text}","response_time_ms":1}}"#).into_bytes();
        let answers = [(Position(5), body("A book.")), (Position(6), body("A list.")), (Position(7), body("A book."))];
        let sources = Sources { challenge: &challenge, attempt: 1, accepted: Position(3), answers: &answers };
        let texts = texts(&sources, mechanism.as_ref());
        let seen: Vec<(&str, &[Position])> =
            texts.iter().map(|text| (text.text.as_str(), text.sources.as_slice())).collect();
        assert_eq!(
            seen,
            [
                ("What is a ledger?", [Position(3)].as_slice()),
                ("A book.", [Position(5), Position(7)].as_slice()),
                ("A list.", [Position(6)].as_slice()),
            ]
        );
    }

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
