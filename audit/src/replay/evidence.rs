//! Evidence: whether it is what the mechanism asks for at this place, of the texts that the round holds, in the shape that they
//! ask for.
//!
//! Vectors and a model's verdicts are not recomputed: no model runs here. A verdict that was made without a model is.

use std::collections::VecDeque;

use domain::Aggregate;
use domain::events::{EmbeddingComputed, Event, JudgementRecorded, Statistic};
use domain::mechanism::{JudgementRequest, OFFLINE, Stage, Want};
use domain::round::decode_vectors;
use domain::types::{Digest, Position, sha256};

use super::Replay;
use super::rounds::{OpenRound, own};
use crate::findings::{At, Findings};
use crate::record::Recorded;

impl OpenRound {
    /// Takes out what is asked for and fits, else the first of its sort. None when nothing of the sort is asked for.
    fn take_want<T>(
        &mut self,
        statistics: &[Statistic],
        sort: impl Fn(&Want) -> Option<T>,
        fits: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let first = |wanted: &VecDeque<Want>| {
            let of_sort = || wanted.iter().enumerate().filter_map(|(at, want)| Some((at, sort(want)?)));
            of_sort().find(|(_, want)| fits(want)).or_else(|| of_sort().next())
        };
        let known = self.wanted.as_ref().and_then(&first);
        let (at, want) = match known {
            Some(found) => found,
            None => {
                self.wanted = Some(self.wants(statistics));
                self.wanted.as_ref().and_then(&first)?
            }
        };
        self.wanted.as_mut()?.remove(at);
        Some(want)
    }

    fn wants(&self, statistics: &[Statistic]) -> VecDeque<Want> {
        let challenge = &self.challenge.accepted.challenge;
        let stage = if self.round.asked() { Stage::AfterAnswers } else { Stage::BeforeIssue };
        // Malformed evidence is found where it stands, and where scores are compared.
        let facts = self.round.facts(challenge, self.mechanism.as_ref(), statistics);
        facts.map(|facts| self.mechanism.wants(stage, &facts).into()).unwrap_or_default()
    }
}

/// A text that vectors are asked of.
struct Text {
    want: Want,
    hash: Digest,
}

impl Replay {
    pub(super) fn judgement_recorded(&mut self, recorded: &Recorded, judgement: &JudgementRecorded) {
        let at = At::of(recorded);
        let findings = &mut self.findings;
        self.pending.other_evidence += 1;
        let Some(round) = self.rounds.get_mut(recorded) else {
            return findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        let (challenge_id, attempt) = own(findings, recorded, round, &judgement.challenge_id, judgement.attempt);
        let mut judgement = JudgementRecorded { challenge_id, attempt, ..judgement.clone() };
        if round.tainted {
            return round.round.apply(&Event::JudgementRecorded(judgement));
        }
        let request = |want: &Want| match want {
            Want::Judgement(request) => Some(request.clone()),
            Want::Vectors { .. } => None,
        };
        let same =
            |request: &JudgementRequest| (&request.purpose, request.hotkey) == (&judgement.purpose, judgement.hotkey);
        match round.take_want(&self.statistics, request, same) {
            Some(request) => judged(findings, at, round, &mut judgement, &request),
            None => {
                if let Some(hotkey) = judgement.hotkey
                    && round.round.issued(&hotkey).is_none()
                {
                    let message = "a judgement is of an answer of its round";
                    findings.differ(at, "hotkey", hotkey, "a miner that was asked", message);
                }
            }
        }
        round.round.apply(&Event::JudgementRecorded(judgement));
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
        if round.tainted {
            // What it is of may be what is missing.
            return round.round.apply(&Event::EmbeddingComputed(embedding));
        }
        let text = |want: &Want| match want {
            Want::Vectors { text, .. } => Some(Text { hash: sha256(text.as_bytes()), want: want.clone() }),
            Want::Judgement(_) => None,
        };
        let same = |text: &Text| match &text.want {
            Want::Vectors { role, .. } => (*role, text.hash) == (embedding.role, embedding.text_hash),
            Want::Judgement(_) => false,
        };
        let Some(Text { hash, want: Want::Vectors { role, text, sources } }) =
            round.take_want(&self.statistics, text, same)
        else {
            let message = "evidence is of a text of its round, once";
            let (recorded, involves) = (embedding.text_hash, ["sources"]);
            return findings.differ_involving(
                at,
                "text_hash",
                &involves,
                recorded,
                "no text without evidence",
                message,
            );
        };
        let parts = round.mechanism.text_parts(role, &text);
        let expected = EmbeddingComputed {
            role,
            text_hash: hash,
            sources: sources.clone(),
            parts: parts.parts,
            parts_cut: parts.cut,
            ..embedding.clone()
        };
        let message = "role, hash, sources and parts follow from the texts of the round";
        findings.same_event(at, &embedding.clone().into(), &expected.into(), message);
        if hash != embedding.text_hash {
            let message = "evidence recorded of this text is of another one";
            self.answers_differ(&sources, hash, embedding.text_hash, message);
        }
        self.shaped(recorded, embedding);
    }

    /// The events that hold a text contradict evidence that was recorded of it.
    fn answers_differ(&mut self, sources: &[Position], text: Digest, evidence: Digest, message: &str) {
        for source in sources {
            let at = At { position: source.0, kind: "ResponseReceived" };
            self.findings.differ(at, "body[\u{2026}]", text, evidence, message);
        }
    }

    /// Checks model and shape, and takes the vectors in.
    fn shaped(&mut self, recorded: &Recorded, embedding: EmbeddingComputed) {
        let (at, findings) = (At::of(recorded), &mut self.findings);
        let Some(round) = self.rounds.get_mut(recorded) else { return };
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
        round.round.apply(&Event::EmbeddingComputed(embedding));
    }
}

/// Compares a verdict with the request that the mechanism makes, and with the reply where no model made it.
fn judged(
    findings: &mut Findings,
    at: At<'_>,
    round: &OpenRound,
    judgement: &mut JudgementRecorded,
    request: &JudgementRequest,
) {
    let expected = JudgementRecorded {
        purpose: request.purpose.clone(),
        hotkey: request.hotkey,
        request_hash: request.hash(),
        ..judgement.clone()
    };
    let message = "what a model is asked follows from the facts of the round and the rule set";
    findings.same_event(at, &judgement.clone().into(), &expected.clone().into(), message);
    if judgement.model == OFFLINE {
        let reply = round.mechanism.offline(request).unwrap_or_default();
        if reply.as_bytes() != judgement.reply.bytes() {
            let recorded = String::from_utf8_lossy(judgement.reply.bytes()).into_owned();
            let message = "a verdict without a model follows from the request";
            findings.differ_involving(at, "reply[\u{2026}]", &["model"], recorded, reply, message);
        }
    }
    *judgement = expected;
}
