//! Evidence: which text it is of, whether the rule set accepts its model, whether it has the shape that the text asks for.
//!
//! The vectors themselves are not recomputed: no model runs here.

use domain::Aggregate;
use domain::events::{EmbeddingComputed, Event, JudgementRecorded, TextRole};
use domain::round::decode_vectors;
use domain::types::{Digest, Position, sha256};
use domain::wire;

use super::Replay;
use super::rounds::{OpenRound, own};
use crate::findings::At;
use crate::record::Recorded;

/// A text of the round: its role, hash, content and the events that hold it.
struct Text {
    role: TextRole,
    hash: Digest,
    content: String,
    sources: Vec<Position>,
}

fn prompt(round: &OpenRound) -> Text {
    let content = wire::evaluation_prompt(&round.challenge.accepted.challenge);
    let sources = vec![Position(round.challenge.position)];
    Text { role: TextRole::Prompt, hash: sha256(content.as_bytes()), content, sources }
}

fn answer(round: &OpenRound, hash: &Digest) -> Option<Text> {
    let (content, positions) = round.texts.get(hash)?;
    let sources = positions.iter().copied().map(Position).collect();
    Some(Text { role: TextRole::Answer, hash: *hash, content: content.clone(), sources })
}

/// The text that an embedding is of, as well as its record allows: by role and hash, else by what it names as its source.
fn text_of(round: &OpenRound, embedding: &EmbeddingComputed) -> Option<Text> {
    let prompt = prompt(round);
    let by_hash = match embedding.role {
        TextRole::Prompt => Some(prompt).filter(|text| text.hash == embedding.text_hash),
        TextRole::Answer => answer(round, &embedding.text_hash),
    };
    by_hash.or_else(|| {
        let source = embedding.sources.first()?.0;
        if source == round.challenge.position {
            return Some(self::prompt(round));
        }
        answer(round, round.hash_at.get(&source)?)
    })
}

impl Replay {
    /// A judgement is of a round and, if of one miner, of one that was drawn. Its content is not recomputed.
    pub(super) fn judgement_recorded(&mut self, recorded: &Recorded, judgement: &JudgementRecorded) {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        self.pending.other_evidence += 1;
        let Some(round) = self.rounds.get_mut(recorded) else {
            return findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        own(findings, recorded, round, &judgement.challenge_id, judgement.attempt);
        if let Some(hotkey) = judgement.hotkey
            && round.round.issued(&hotkey).is_none()
            && !round.tainted
        {
            findings.differ(at, "hotkey", hotkey, "a miner that was asked", "a judgement is of an answer of its round");
        }
    }

    pub(super) fn embedding_computed(&mut self, recorded: &Recorded, embedding: &EmbeddingComputed) {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        let Some(round) = self.rounds.get_mut(recorded) else {
            return findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        self.pending.embeddings += 1;
        let (challenge_id, attempt) = own(findings, recorded, round, &embedding.challenge_id, embedding.attempt);
        let embedding = EmbeddingComputed { challenge_id, attempt, ..embedding.clone() };
        let Some(text) = text_of(round, &embedding) else {
            if round.tainted {
                return findings
                    .doubt(Some(at.position), "the text of this evidence may be in a payload that is missing");
            }
            let message = "evidence is of the prompt or of an answer of its round";
            let (recorded, involves) = (embedding.text_hash, ["sources"]);
            return findings.differ_involving(at, "text_hash", &involves, recorded, "no text of the round", message);
        };
        let wanted = round.mechanism.text_parts(text.role, &text.content);
        let expected = EmbeddingComputed {
            role: text.role,
            text_hash: text.hash,
            sources: text.sources.clone(),
            parts: wanted.parts,
            parts_cut: wanted.cut,
            ..embedding.clone()
        };
        let message = "role, hash, sources and parts follow from the texts of the round";
        findings.same_event(at, &embedding.clone().into(), &expected.into(), message);
        if text.hash != embedding.text_hash && text.role == TextRole::Answer {
            let message = "evidence recorded of this answer is of another text";
            for source in &text.sources {
                let at = At { position: source.0, kind: "ResponseReceived" };
                findings.differ(at, "body[\u{2026}]", text.hash, embedding.text_hash, message);
            }
        }
        if !round.mechanism.accepts(&embedding.model) {
            let model = format!("{} with weights {}", embedding.model.name, embedding.model.weights);
            let expected = format!("a model of {}", round.mechanism.rule_set().name());
            findings.differ(at, "model", model, expected, "evidence is of a model that the rule set lists");
        }
        if let Err(error) = decode_vectors(&embedding) {
            let involves = ["encoding", "model.dimensions", "parts"];
            let message = "the block holds a vector of the text and of each part";
            findings.differ_involving(at, "vectors[\u{2026}]", &involves, error, "vectors of that shape", message);
        }
        let key = (text.role, text.hash);
        if round.embedded.contains(&key) {
            findings.differ(at, "text_hash", text.hash, "a text without evidence", "evidence is recorded once a text");
        }
        round.embedded.push(key);
        round.round.apply(&Event::EmbeddingComputed(embedding));
    }
}
