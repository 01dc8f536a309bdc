//! Rounds of the validator in memory: challenges, draws, what the miners do, evidence and scores.

use domain::Aggregate;
use domain::events::*;
use domain::loosh::constants::Constants;
use domain::mechanism::{Evaluation, ExternalScores, JudgementRequest, LabelFacts, NO_VERDICT, OFFLINE, Stage, Want};
use domain::round::{self, Round};
use domain::selection::{self, SelectionInput};
use domain::types::*;
use domain::{half, wire};

use super::{World, digest, keypair, sign};

/// What a drawn miner does.
#[derive(Debug, Clone)]
pub enum Answer {
    Text(String),
    /// A body as it is, signed.
    Body(Vec<u8>),
    /// The same without a signature.
    Unsigned(String),
    Fails(FailureReason),
    /// Fails with a signature that verifies over what it sent.
    SignedMalformed,
    /// Has not been heard of when the round ends.
    Silent,
}

/// What comes of a call for a verdict.
#[derive(Debug, Clone)]
pub enum Said {
    /// The mechanism's own verdict.
    Own,
    /// The same, said to be a model's.
    OwnByModel,
    /// A model's reply.
    Reply(Vec<u8>),
    /// A model refused this request.
    Refused,
}

impl World {
    pub fn accept(&mut self, id: &str, challenge: Challenge) -> Position {
        let challenge = Challenge { id: id.to_owned(), ..challenge };
        let commitment = wire::commitment(&challenge).unwrap();
        let (block, block_hash) = (BlockNumber(self.block), self.block_hash());
        self.push(ChallengeAccepted { block, block_hash, commitment, challenge })
    }

    fn accepted(&self, id: &str) -> (Position, ChallengeAccepted) {
        let found = self.drafts.iter().enumerate().rev().find_map(|(at, draft)| match &draft.event {
            Event::ChallengeAccepted(accepted) if accepted.challenge.id == id => Some((at, accepted.clone())),
            _ => None,
        });
        let (at, accepted) = found.unwrap();
        (Position(at as u64), accepted)
    }

    fn external(&self) -> Option<(Position, ExternalScores)> {
        self.drafts.iter().enumerate().rev().find_map(|(at, draft)| match &draft.event {
            Event::ExternalScoresFetched(fetched) => {
                let scores = self.mechanism.external_scores(fetched.reply.bytes())?;
                Some((Position(at as u64), scores))
            }
            _ => None,
        })
    }

    /// Brings something of a challenge's first attempt to whoever asked. What is given up was never made.
    pub fn deliver(
        &mut self,
        id: &str,
        item: DeliveryItem,
        route: DeliveryRoute,
        status: u16,
        outcome: DeliveryOutcome,
    ) -> Position {
        let before = |event: &&Event| matches!(event, Event::DeliveryAttempted(tried) if tried.challenge_id == id && tried.item == item);
        let number = 1 + self.drafts.iter().map(|draft| &draft.event).filter(before).count() as u32;
        let evaluated = self
            .drafts
            .iter()
            .position(|draft| matches!(&draft.event, Event::RoundEvaluated(round) if round.challenge_id == id));
        let evaluated = Position(evaluated.unwrap() as u64);
        let request_hash = (outcome != DeliveryOutcome::GivenUp).then(|| digest(&format!("{id} {item:?}")));
        let (challenge_id, detail) = (id.to_owned(), format!("status {status}"));
        let attempted = DeliveryAttempted {
            challenge_id,
            attempt: 1,
            evaluated,
            item,
            number,
            route,
            request_hash,
            status,
            outcome,
            detail,
        };
        self.push_caused(attempted, Some(evaluated))
    }

    /// Draws and issues an attempt.
    pub fn issue(&mut self, id: &str, number: u32) -> Attempt {
        let (accepted_at, accepted) = self.accepted(id);
        if self.own_sweeps && self.mechanism.sweep_before_round().is_some() {
            self.sweep_again(accepted_at);
            if self.picks_sweeps {
                let first = self.sweep_at;
                self.sweep_again(accepted_at);
                self.sweep_at = first;
            }
        }
        let sweep = match &self.drafts[self.sweep_at.0 as usize].event {
            Event::AvailabilitySwept(swept) => swept.clone(),
            other => panic!("{other:?}"),
        };
        let external = self.external();
        let selected = selection::select(&SelectionInput {
            challenge_id: id,
            attempt: number,
            accepted: accepted_at,
            block_hash: accepted.block_hash,
            commitment: accepted.commitment,
            origin: &self.opened.origin,
            own: self.opened.hotkey,
            metagraph: (self.metagraph_at, &self.metagraph),
            sweep: (self.sweep_at, &sweep),
            external: external.as_ref().map(|(at, known)| (*at, known)),
            mechanism: self.mechanism.as_ref(),
        });
        let selected_at = self.push_caused(selected.clone(), Some(accepted_at));
        let mut round = Round::default();
        round.apply(&Event::MinersSelected(selected.clone()));
        let deadline = Micros(0);
        let mut attempt = Attempt { accepted_at, accepted, selected_at, selected, round, deadline, problem: None };
        if !attempt.selected.drawn.is_empty() {
            self.gather(&mut attempt, Stage::BeforeIssue);
        }
        if attempt.problem.is_some() {
            return attempt;
        }
        let Attempt { accepted, selected, mut round, .. } = attempt;
        let deadline = Micros(self.now + u64::from(self.mechanism.deadline_ms()) * 1000);
        for miner in &selected.drawn {
            let mut issued = ChallengeIssued {
                challenge_id: id.to_owned(),
                attempt: number,
                hotkey: miner.hotkey,
                address: format!("http://{}:{}", miner.ip, miner.port),
                dialect: wire::Dialect::Http.name().to_owned(),
                request_hash: digest(""),
                nonce: hex::encode(&digest(&format!("{id}/{number}/{}", miner.hotkey)).0[..16]),
                deadline,
                receipt: HexBytes([0; 64]),
            };
            let wire::IssuedRequest { hash, .. } = wire::issued_request(
                self.mechanism.as_ref(),
                &accepted.challenge,
                &self.opened.origin,
                selected_at,
                &issued,
            )
            .unwrap();
            issued.request_hash = hash;
            issued.receipt = sign(&self.own, &wire::request_message(&hash.0));
            round.apply(&Event::ChallengeIssued(issued.clone()));
            self.push_caused(issued, Some(selected_at));
        }
        Attempt { accepted_at, accepted, selected_at, selected, round, deadline, problem: None }
    }

    /// What the drawn miners do, in order of the draw.
    pub fn answers(&mut self, attempt: &mut Attempt, answers: &[Answer]) {
        for (index, (miner, answer)) in attempt.selected.drawn.clone().iter().zip(answers).enumerate() {
            let sent_at = self.now;
            self.now += 150_000 + 4_077 * index as u64;
            match answer {
                Answer::Text(text) => self.received(attempt, miner, inference_response(text), true, sent_at),
                Answer::Unsigned(text) => self.received(attempt, miner, inference_response(text), false, sent_at),
                Answer::Body(body) => self.received(attempt, miner, body.clone(), true, sent_at),
                Answer::Fails(reason) => self.failed(attempt, miner, *reason, false, sent_at),
                Answer::SignedMalformed => self.failed(attempt, miner, FailureReason::Malformed, true, sent_at),
                Answer::Silent => {}
            }
        }
    }

    fn received(&mut self, attempt: &mut Attempt, miner: &DrawnMiner, body: Vec<u8>, signed: bool, sent_at: u64) {
        let issued = attempt.round.issued(&miner.hotkey).unwrap().clone();
        let message = wire::response_message(&issued.request_hash.0, &sha256(&body).0);
        let response = ResponseReceived {
            challenge_id: issued.challenge_id,
            attempt: issued.attempt,
            hotkey: miner.hotkey,
            address: issued.address,
            dialect: issued.dialect,
            status: 200,
            sent_at: Micros(sent_at),
            first_byte_at: Micros(sent_at + 1_000),
            received_at: Micros(self.now),
            response_time_ms: u32::try_from((self.now - sent_at) / 1000).unwrap(),
            request_hash: issued.request_hash,
            signature: signed.then(|| sign(&self.miners[&miner.hotkey], &message)),
            body: Block::new(body),
        };
        attempt.round.apply(&Event::ResponseReceived(response.clone()));
        let position = self.push(response);
        attempt.round.place(miner.hotkey, position);
    }

    fn failed(&mut self, attempt: &mut Attempt, miner: &DrawnMiner, reason: FailureReason, signed: bool, sent_at: u64) {
        let issued = attempt.round.issued(&miner.hotkey).unwrap().clone();
        let (status, body): (u16, Vec<u8>) = match reason {
            FailureReason::Unreachable | FailureReason::ForbiddenAddress | FailureReason::TimedOut => (0, Vec::new()),
            FailureReason::Refused => (503, b"busy".to_vec()),
            FailureReason::Protocol => (200, b"{\"respo".to_vec()),
            FailureReason::Malformed => {
                // Some subnets take bare text for an answer.
                let none = |body: &&[u8]| self.mechanism.parse_response(body).is_err();
                let body = [b"<html>no".as_slice(), b"{}", b"\xff\xfe"].into_iter().find(none);
                (200, body.expect("a body that is no answer").to_vec())
            }
            FailureReason::TooLarge => (200, vec![b'x'; 4096]),
            // No answer fails so; an audit says so.
            FailureReason::NotJudged | FailureReason::BadSignature => (200, br#"{"response_text":"forged"}"#.to_vec()),
        };
        if reason == FailureReason::TimedOut {
            self.now = attempt.deadline.0 + 61_000;
        }
        let message = wire::response_message(&issued.request_hash.0, &sha256(&body).0);
        let signature = match reason {
            FailureReason::BadSignature => Some(sign(&keypair(666), &message).to_string()),
            _ => signed.then(|| sign(&self.miners[&miner.hotkey], &message).to_string()),
        };
        let signed_by = signature.as_ref().map(|_| miner.hotkey.to_string());
        let failure = ResponseFailed {
            challenge_id: issued.challenge_id,
            attempt: issued.attempt,
            hotkey: miner.hotkey,
            reason,
            detail: format!("{reason:?} in the test"),
            sent_at: Micros(sent_at),
            failed_at: Micros(self.now),
            status,
            request_hash: issued.request_hash,
            signature,
            signed_by,
            body: Block::new(body),
        };
        attempt.round.apply(&Event::ResponseFailed(failure.clone()));
        self.push(failure);
    }

    fn embed(&mut self, attempt: &mut Attempt, role: TextRole, text: &str, sources: Vec<Position>) {
        let wanted = self.mechanism.text_parts(role, text);
        let topic = wire::evaluation_prompt(&attempt.accepted.challenge);
        let vectors = 1 + wanted.parts.len();
        let mut block = Vec::with_capacity(vectors * usize::from(self.dimensions) * 2);
        for part in 0..vectors {
            for value in vector(&topic, &format!("{role:?} {part} {text}"), self.dimensions) {
                block.extend_from_slice(&half::from_f32(value).to_be_bytes());
            }
        }
        let model = {
            let listed = Constants::readme().models.remove(0);
            EmbeddingModel {
                name: listed.name,
                weights: listed.weights,
                tokenizer: listed.tokenizer.unwrap(),
                dimensions: self.dimensions,
            }
        };
        let embedding = EmbeddingComputed {
            challenge_id: attempt.selected.challenge_id.clone(),
            attempt: attempt.selected.attempt,
            role,
            text_hash: digest(text),
            sources,
            model,
            runtime: "onnxruntime 1.31.1".into(),
            provider: "cpu".into(),
            parts: wanted.parts,
            parts_cut: wanted.cut,
            encoding: VectorEncoding::F16,
            vectors: Block::new(block),
        };
        attempt.round.apply(&Event::EmbeddingComputed(embedding.clone()));
        self.push_caused(embedding, Some(attempt.selected_at));
    }

    pub fn evidence(&mut self, attempt: &mut Attempt) {
        self.gather(attempt, Stage::AfterAnswers);
    }

    /// Records what the mechanism asks for, until it asks for nothing more, or evidence ends the attempt.
    fn gather(&mut self, attempt: &mut Attempt, stage: Stage) {
        let mechanism = std::sync::Arc::clone(&self.mechanism);
        loop {
            let facts = attempt.round.facts(&attempt.accepted.challenge, mechanism.as_ref(), &self.statistics);
            let facts = match facts {
                Ok(facts) => facts,
                Err(error) => {
                    attempt.problem = Some(error.to_string());
                    return;
                }
            };
            let wants = mechanism.wants(stage, &facts);
            if wants.is_empty() {
                return;
            }
            for want in wants {
                match want {
                    Want::Vectors { role, text, sources } => self.embed(attempt, role, &text, sources),
                    Want::Judgement(request) => self.judge(attempt, &request),
                }
            }
        }
    }

    fn judge(&mut self, attempt: &mut Attempt, request: &JudgementRequest) {
        let own = || self.mechanism.offline(request).unwrap_or_else(|| panic!("no verdict {}", request.purpose));
        let (model, reply) = match self.said.pop_front() {
            None => (self.model.clone(), own().into_bytes()),
            Some(Said::Own) => (OFFLINE.to_owned(), own().into_bytes()),
            Some(Said::OwnByModel) => ("openai/any".to_owned(), own().into_bytes()),
            Some(Said::Reply(reply)) => ("openai/any".to_owned(), reply),
            Some(Said::Refused) => (NO_VERDICT.to_owned(), b"content filter".to_vec()),
        };
        let judgement = JudgementRecorded {
            challenge_id: attempt.selected.challenge_id.clone(),
            attempt: attempt.selected.attempt,
            hotkey: request.hotkey,
            purpose: request.purpose.clone(),
            model,
            request_hash: request.hash(),
            parameters: "{}".into(),
            prompt_tokens: 0,
            completion_tokens: 0,
            latency_ms: 0,
            reply: Block::new(reply),
        };
        attempt.round.apply(&Event::JudgementRecorded(judgement.clone()));
        self.push_caused(judgement, Some(attempt.selected_at));
    }

    pub fn evaluate(&mut self, attempt: &Attempt) -> Position {
        let challenge = &attempt.accepted.challenge;
        let events = attempt.round.evaluate(challenge, self.mechanism.as_ref(), &self.statistics).unwrap();
        self.scores(events, attempt.selected_at)
    }

    /// Ends an attempt as a validator does: with scores, or without where nobody answered or evidence does not suffice.
    pub fn end(&mut self, attempt: &mut Attempt) -> Option<Position> {
        let (id, number) = (attempt.selected.challenge_id.clone(), attempt.selected.attempt);
        if attempt.problem.is_none() {
            if attempt.round.responses().is_empty() {
                self.abandon(&id, number, AbandonReason::NoResponses);
                return None;
            }
            self.evidence(attempt);
        }
        let evaluated = attempt.round.evaluate(&attempt.accepted.challenge, self.mechanism.as_ref(), &self.statistics);
        match evaluated.ok().filter(|_| attempt.problem.is_none()) {
            Some(events) => Some(self.scores(events, attempt.selected_at)),
            None => {
                self.abandon(&id, number, AbandonReason::EvidenceFailed);
                None
            }
        }
    }

    fn scores(&mut self, events: Vec<Event>, cause: Position) -> Position {
        let mut last = cause;
        for event in events {
            if let Event::RoundEvaluated(evaluated) = &event {
                self.statistics.clone_from(&evaluated.statistics);
            }
            last = self.push_caused(event, Some(cause));
        }
        last
    }

    /// Reveals the label of a round that was evaluated at a position, lets something happen, and records the scores that
    /// follow.
    pub fn reveal(&mut self, evaluated: Position, (source, label): (&str, &str), meanwhile: impl FnOnce(&mut Self)) {
        let at = |position: Position| &self.drafts[position.0 as usize];
        let Event::RoundEvaluated(round) = at(evaluated).event.clone() else { panic!("no evaluation at {evaluated}") };
        let id = round::stream_id(&round.challenge_id, round.attempt);
        let scores = self.drafts[..evaluated.0 as usize].iter().filter(|draft| draft.stream_id == id);
        let scores = scores.filter_map(|draft| match &draft.event {
            Event::ResponseScored(scored) => Some(scored.clone()),
            _ => None,
        });
        let (scores, evaluated_at) = (scores.collect(), Micros(at(evaluated).recorded_at));
        let position = self.push(LabelRevealed {
            challenge_id: round.challenge_id.clone(),
            attempt: round.attempt,
            evaluated,
            source: source.into(),
            label: label.into(),
        });
        let revealed = Micros(self.now);
        meanwhile(self);
        let facts = LabelFacts {
            position,
            source: source.into(),
            label: label.into(),
            revealed,
            evaluated: evaluated_at,
            round: Evaluation { scores, round },
            statistics: self.statistics.clone(),
        };
        // A label that cannot be used is recorded all the same.
        let Ok(evaluation) = self.mechanism.evaluate_label(&facts) else { return };
        self.labelled = true;
        self.scores(round::events(evaluation), position);
        self.labelled = false;
    }

    pub fn round(&mut self, id: &str, number: u32, answers: &[Answer]) {
        let mut attempt = self.issue(id, number);
        self.answers(&mut attempt, answers);
        self.evidence(&mut attempt);
        self.evaluate(&attempt);
    }

    pub fn abandon(&mut self, id: &str, attempt: u32, reason: AbandonReason) {
        let last = round::abandonment_is_last(reason, attempt);
        let detail = format!("{reason:?} in the test");
        self.push(RoundAbandoned { challenge_id: id.to_owned(), attempt, reason, last, detail });
    }
}

/// An attempt that is open.
pub struct Attempt {
    pub accepted_at: Position,
    pub accepted: ChallengeAccepted,
    pub selected_at: Position,
    pub selected: MinersSelected,
    pub round: Round,
    pub deadline: Micros,
    /// Why evidence ends it.
    pub problem: Option<String>,
}

fn inference_response(text: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "response_text": text })).unwrap()
}

/// A vector near that of its topic, by the hash of the text. One hash gives 16 numbers.
pub fn vector(topic: &str, text: &str, dimensions: u16) -> Vec<f32> {
    let noise = |seed: &str, group: u16| {
        let hash = sha256_parts(&[seed.as_bytes(), &group.to_be_bytes()]);
        hash.0.as_chunks::<2>().0.iter().map(|pair| f32::from(i16::from_be_bytes(*pair)) / 32768.0).collect::<Vec<_>>()
    };
    let groups = (0..dimensions.div_ceil(16)).flat_map(|group| {
        let near = noise(topic, group).into_iter().zip(noise(text, group));
        near.map(|(topic, text)| topic + 0.35 * text).collect::<Vec<_>>()
    });
    groups.take(usize::from(dimensions)).collect()
}
