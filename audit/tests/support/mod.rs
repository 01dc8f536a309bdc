//! A validator, its miners and its chain in memory: makes ledgers with the same pure functions and real keys.
//!
//! Everything that a real validator does through I/O is decided here by the caller (who answers, how, when); everything that
//! it computes is computed by `domain`.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod history;
pub mod load;
pub mod mutate;
pub mod seal;

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::keys::Ed25519NoteSigner;
use audit::{ChainView, Wanted};
use domain::Aggregate;
use domain::epoch::EpochFold;
use domain::events::*;
use domain::loosh::constants::Constants;
use domain::mechanism::{self, Mechanism};
use domain::metagraph::Metagraph;
use domain::round::{self, Round};
use domain::ruleset::{Body, RuleSet};
use domain::selection::{self, SelectionInput};
use domain::types::*;
use domain::{half, wire};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

pub const NETUID: NetUid = NetUid(78);
pub const TEMPO: u16 = 19;
const SECOND: u64 = 1_000_000;

/// An event before it is given its place in the tree.
#[derive(Debug, Clone)]
pub struct Draft {
    pub stream_type: String,
    pub stream_id: String,
    pub recorded_at: u64,
    pub block: u64,
    pub cause: u64,
    pub event: Event,
    pub erased: bool,
}

/// What a drawn miner does.
#[derive(Debug, Clone)]
pub enum Answer {
    Text(String),
    /// The same without a signature.
    Unsigned(String),
    Fails(FailureReason),
    /// Fails with a signature that verifies over what it sent.
    SignedMalformed,
    /// Has not been heard of when the round ends.
    Silent,
}

pub fn digest(text: &str) -> Digest {
    sha256(text.as_bytes())
}

pub fn keypair(seed: u64) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&sha256(&seed.to_be_bytes()).0).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

pub fn address(keypair: &Keypair) -> Hotkey {
    Hotkey::from_public(&keypair.public.to_bytes())
}

pub fn sign(keypair: &Keypair, message: &[u8]) -> Signature {
    HexBytes(keypair.sign_simple(b"substrate", message).to_bytes())
}

/// A rule set like a shipped one, with a small model and rounds of another size.
pub fn rule_set(base: &str, miners: u16, dimensions: u16) -> RuleSet {
    let mut constants = if base == "readme" { Constants::readme() } else { Constants::v1_2_8() };
    constants.collection.miners = miners;
    for model in &mut constants.models {
        model.dimensions = dimensions;
    }
    RuleSet::from_body(&Body { algorithm: "loosh".into(), version: format!("{base}-test"), constants }).unwrap()
}

pub struct World {
    pub drafts: Vec<Draft>,
    pub opened: LedgerOpened,
    pub own: Keypair,
    pub miners: BTreeMap<Hotkey, Keypair>,
    pub log_key: Ed25519NoteSigner,
    pub chain: ChainView,
    pub now: u64,
    pub block: u64,
    pub neurons: Vec<Neuron>,
    pub metagraph: Metagraph,
    pub metagraph_at: Position,
    pub sweep_at: Position,
    pub rules: RuleSet,
    pub mechanism: Arc<dyn Mechanism>,
    pub dimensions: u16,
    pub epoch: u64,
    pub previous: Option<WeightsDerived>,
    pub derived_at: Position,
    pub nonce: u64,
}

impl World {
    /// A validator (uid 0) and miners 1 to `miners`, a second validator, and a neuron without an axon.
    pub fn new(miners: u16, rules: RuleSet, dimensions: u16) -> Self {
        let own = keypair(0);
        let keys: Vec<Keypair> = (1..=u64::from(miners)).map(keypair).collect();
        let neuron = |uid: u16, hotkey: Hotkey, port: u16| Neuron {
            uid: Uid(uid),
            hotkey,
            coldkey: address(&keypair(1000 + u64::from(uid))),
            ip: if port == 0 { "0.0.0.0".into() } else { format!("10.0.0.{uid}") },
            port,
            stake: Rao(1_000_000_000 + u64::from(uid)),
            validator_permit: false,
            last_update: BlockNumber(900),
        };
        let mut neurons = vec![Neuron { validator_permit: true, ..neuron(0, address(&own), 0) }];
        neurons.extend((1..=miners).zip(&keys).map(|(uid, key)| neuron(uid, address(key), 8000 + uid)));
        neurons.push(Neuron { validator_permit: true, ..neuron(miners + 1, address(&keypair(501)), 9000) });
        neurons.push(neuron(miners + 2, address(&keypair(502)), 0));
        let genesis_hash = digest("genesis");
        let origin = LedgerOpened::origin_of(&genesis_hash, NETUID, &address(&own), 0);
        let log_key = Ed25519NoteSigner::new(&origin, &[7; 32]).unwrap();
        let checkpoint_key = HexBytes(*log_key.key().public_key());
        let hotkey = address(&own);
        let opened = LedgerOpened { leaf_format: 1, origin, genesis_hash, netuid: NETUID, hotkey, checkpoint_key };
        let chain = ChainView { genesis_hash: Some(genesis_hash), tempo: Some(TEMPO), ..ChainView::default() };
        Self {
            drafts: Vec::new(),
            opened,
            own,
            miners: keys.into_iter().map(|key| (address(&key), key)).collect(),
            log_key,
            chain,
            now: 1_700_000_000 * SECOND,
            block: 1000,
            neurons,
            metagraph: Metagraph::default(),
            metagraph_at: Position(0),
            sweep_at: Position(0),
            mechanism: mechanism::open(&rules).unwrap(),
            rules,
            dimensions,
            epoch: 0,
            previous: None,
            derived_at: Position(0),
            nonce: 0,
        }
    }

    pub fn next(&self) -> Position {
        Position(self.drafts.len() as u64)
    }

    /// Appends an event, a little later than the one before.
    pub fn push(&mut self, event: impl Into<Event>) -> Position {
        self.push_caused(event, None)
    }

    pub fn push_caused(&mut self, event: impl Into<Event>, cause: Option<Position>) -> Position {
        let (event, position) = (event.into(), self.next());
        self.now += 1_003;
        let (stream_type, stream_id) = self.stream(&event);
        let cause = cause.unwrap_or(position).0;
        let (recorded_at, block) = (self.now, self.block);
        self.drafts.push(Draft { stream_type, stream_id, recorded_at, block, cause, event, erased: false });
        position
    }

    fn stream(&self, event: &Event) -> (String, String) {
        let round = |id: &str, attempt| (round::STREAM_TYPE.to_owned(), round::stream_id(id, attempt));
        match event {
            Event::ChallengeAccepted(event) => ("challenge".to_owned(), event.challenge.id.clone()),
            Event::LabelRevealed(event) => ("label".to_owned(), event.challenge_id.clone()),
            Event::MinersSelected(event) => round(&event.challenge_id, event.attempt),
            Event::ChallengeIssued(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseReceived(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseFailed(event) => round(&event.challenge_id, event.attempt),
            Event::EmbeddingComputed(event) => round(&event.challenge_id, event.attempt),
            Event::JudgementRecorded(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseScored(event) => round(&event.challenge_id, event.attempt),
            Event::RoundEvaluated(event) => round(&event.challenge_id, event.attempt),
            Event::RoundAbandoned(event) => round(&event.challenge_id, event.attempt),
            Event::EpochOpened(_)
            | Event::WeightsDerived(_)
            | Event::CheckpointAnchored(_)
            | Event::WeightsSubmitted(_)
            | Event::WeightsCommitted(_)
            | Event::WeightsRevealed(_)
            | Event::WeightsIncluded(_)
            | Event::WeightsRejected(_)
            | Event::EpochClosed(_) => ("epoch".to_owned(), self.epoch.to_string()),
            _ => ("ledger".to_owned(), "main".to_owned()),
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
        self.block += seconds / 12;
    }

    /// The hash of the newest block, which the chain now answers for.
    pub fn block_hash(&mut self) -> Digest {
        let hash = digest(&format!("block {}", self.block));
        self.chain.block_hashes.insert(BlockNumber(self.block), hash);
        hash
    }

    /// What the chain answers to the questions that an event raises, also where it was changed.
    pub fn answer(&self, chain: &mut ChainView, event: &Event) {
        let mut wanted = Wanted::default();
        wanted.note(event);
        for block in wanted.blocks {
            chain.block_hashes.entry(block).or_insert_with(|| digest(&format!("block {block}")));
        }
        for block in wanted.metagraphs {
            let before = self.chain.metagraphs.range(..=block).next_back();
            let neurons = before.map(|(_, neurons)| neurons.clone()).unwrap_or_default();
            chain.metagraphs.entry(block).or_insert(neurons);
        }
        for extrinsic in wanted.extrinsics {
            chain.extrinsics.entry(extrinsic.hash).or_insert(ChainOutcome::Expired);
        }
        for block in wanted.weights {
            let before = self.chain.weights.range(..=block).next_back();
            let weights = before.map(|(_, weights)| weights.clone()).unwrap_or_default();
            chain.weights.entry(block).or_insert(weights);
        }
        for block in wanted.anchors {
            let before = chain.anchors.range(..=block).next_back().map(|(_, anchor)| anchor.clone());
            chain.anchors.entry(block).or_insert(before.unwrap_or_default());
        }
    }

    pub fn open(&mut self) {
        self.push(self.opened.clone());
        self.adopt(self.rules.clone());
        self.start();
        self.observe(true);
        self.open_epoch();
    }

    pub fn adopt(&mut self, rules: RuleSet) {
        self.push(RuleSetAdopted { name: rules.name(), hash: rules.hash(), bytes: rules.bytes().to_owned() });
        self.mechanism = mechanism::open(&rules).unwrap();
        self.rules = rules;
    }

    pub fn start(&mut self) {
        let configuration = format!("{{\"netuid\":{NETUID},\"token\":\"(hidden)\"}}");
        self.push(ValidatorStarted {
            version: "0.1.0".into(),
            genesis_hash: self.opened.genesis_hash,
            configuration_hash: digest(&configuration),
            configuration,
        });
    }

    pub fn observe(&mut self, full: bool) -> Position {
        let (block, hash) = (BlockNumber(self.block), self.block_hash());
        self.chain.metagraphs.insert(block, self.neurons.clone());
        let observed = if full {
            Metagraph::full(block, hash, &self.neurons)
        } else {
            self.metagraph.difference(block, hash, &self.neurons)
        };
        self.metagraph.observe(&observed);
        self.metagraph_at = self.push(observed);
        self.metagraph_at
    }

    pub fn sweep(&mut self, unavailable: &[u16]) {
        let own = self.opened.hotkey;
        let asked = self.neurons.iter().filter(|n| n.port != 0 && !n.validator_permit && n.hotkey != own);
        let probe = |neuron: &Neuron| {
            let available = !unavailable.contains(&neuron.uid.0);
            let reason = if available { String::new() } else { "connection refused".to_owned() };
            Probe { hotkey: neuron.hotkey, available, reason, latency_ms: 3 + u32::from(neuron.uid.0) }
        };
        let mut probes: Vec<Probe> = asked.map(probe).collect();
        probes.sort_by_key(|probe| probe.hotkey);
        self.sweep_at = self.push(AvailabilitySwept { probes });
    }

    pub fn fetch_external(&mut self, entries: &[(Hotkey, f64, f64)]) {
        let entry = |(hotkey, sybil, priority): &(Hotkey, f64, f64)| {
            format!("\"{hotkey}\":{{\"sybil_score\":{sybil},\"priority_weight\":{priority}}}")
        };
        let reply = format!("{{\"scores\":{{{}}}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","));
        let (source, request) = ("challenge-api".to_owned(), "sybil-scores".to_owned());
        self.push(ExternalScoresFetched { source, request, status: 200, reply: Block::new(reply.into_bytes()) });
    }

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

    fn external(&self) -> Option<(Position, BTreeMap<Hotkey, u64>)> {
        self.drafts.iter().enumerate().rev().find_map(|(at, draft)| match &draft.event {
            Event::ExternalScoresFetched(fetched) => {
                let scores = self.mechanism.external_scores(fetched.reply.bytes())?;
                Some((Position(at as u64), scores.priorities))
            }
            _ => None,
        })
    }

    /// Draws and issues an attempt.
    pub fn issue(&mut self, id: &str, attempt: u32) -> Attempt {
        let (accepted_at, accepted) = self.accepted(id);
        let sweep = match &self.drafts[self.sweep_at.0 as usize].event {
            Event::AvailabilitySwept(swept) => swept.clone(),
            other => panic!("{other:?}"),
        };
        let external = self.external();
        let selected = selection::select(&SelectionInput {
            challenge_id: id,
            attempt,
            accepted: accepted_at,
            block_hash: accepted.block_hash,
            commitment: accepted.commitment,
            origin: &self.opened.origin,
            own: self.opened.hotkey,
            metagraph: (self.metagraph_at, &self.metagraph),
            sweep: (self.sweep_at, &sweep),
            priorities: external.as_ref().map(|(at, priorities)| (*at, priorities)),
            rule_set: self.rules.hash(),
            limit: self.mechanism.miners_per_round(),
        });
        let selected_at = self.push_caused(selected.clone(), Some(accepted_at));
        let mut round = Round::default();
        round.apply(&Event::MinersSelected(selected.clone()));
        let deadline = Micros(self.now + u64::from(self.mechanism.deadline_ms()) * 1000);
        for miner in &selected.drawn {
            let mut issued = ChallengeIssued {
                challenge_id: id.to_owned(),
                attempt,
                hotkey: miner.hotkey,
                address: format!("http://{}:{}", miner.ip, miner.port),
                dialect: wire::DIALECT_HTTP.to_owned(),
                request_hash: digest(""),
                nonce: hex::encode(&digest(&format!("{id}/{attempt}/{}", miner.hotkey)).0[..16]),
                deadline,
                receipt: HexBytes([0; 64]),
            };
            let (_, hash) =
                wire::issued_request(&accepted.challenge, &self.opened.origin, selected_at, &issued).unwrap();
            issued.request_hash = hash;
            issued.receipt = sign(&self.own, &wire::request_message(&hash.0));
            round.apply(&Event::ChallengeIssued(issued.clone()));
            self.push_caused(issued, Some(selected_at));
        }
        Attempt { accepted_at, accepted, selected_at, selected, round, deadline, sources: BTreeMap::new() }
    }

    /// What the drawn miners do, in order of the draw.
    pub fn answers(&mut self, attempt: &mut Attempt, answers: &[Answer]) {
        for (index, (miner, answer)) in attempt.selected.drawn.clone().iter().zip(answers).enumerate() {
            let sent_at = self.now;
            self.now += 150_000 + 4_077 * index as u64;
            match answer {
                Answer::Text(text) => self.received(attempt, miner, text, true, sent_at),
                Answer::Unsigned(text) => self.received(attempt, miner, text, false, sent_at),
                Answer::Fails(reason) => self.failed(attempt, miner, *reason, false, sent_at),
                Answer::SignedMalformed => self.failed(attempt, miner, FailureReason::Malformed, true, sent_at),
                Answer::Silent => {}
            }
        }
    }

    fn received(&mut self, attempt: &mut Attempt, miner: &DrawnMiner, text: &str, signed: bool, sent_at: u64) {
        let issued = attempt.round.issued(&miner.hotkey).unwrap().clone();
        let body = serde_json::to_vec(&serde_json::json!({ "response_text": text })).unwrap();
        let message = wire::response_message(&issued.request_hash.0, &sha256(&body).0);
        let response = ResponseReceived {
            challenge_id: issued.challenge_id,
            attempt: issued.attempt,
            hotkey: miner.hotkey,
            address: issued.address,
            dialect: issued.dialect,
            status: 200,
            sent_at: Micros(sent_at),
            received_at: Micros(self.now),
            response_time_ms: u32::try_from((self.now - sent_at) / 1000).unwrap(),
            request_hash: issued.request_hash,
            signature: signed.then(|| sign(&self.miners[&miner.hotkey], &message)),
            body: Block::new(body),
        };
        attempt.round.apply(&Event::ResponseReceived(response.clone()));
        let position = self.push(response);
        attempt.sources.entry(digest(text)).or_insert_with(|| (text.to_owned(), Vec::new())).1.push(position);
    }

    fn failed(&mut self, attempt: &mut Attempt, miner: &DrawnMiner, reason: FailureReason, signed: bool, sent_at: u64) {
        let issued = attempt.round.issued(&miner.hotkey).unwrap().clone();
        let (status, body): (u16, Vec<u8>) = match reason {
            FailureReason::Unreachable | FailureReason::ForbiddenAddress | FailureReason::TimedOut => (0, Vec::new()),
            FailureReason::Refused => (503, b"busy".to_vec()),
            FailureReason::Protocol => (200, b"{\"respo".to_vec()),
            FailureReason::Malformed => (200, b"<html>no".to_vec()),
            FailureReason::TooLarge => (200, vec![b'x'; 4096]),
            FailureReason::BadSignature => (200, br#"{"response_text":"forged"}"#.to_vec()),
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
        let prompt = wire::evaluation_prompt(&attempt.accepted.challenge);
        self.embed(attempt, TextRole::Prompt, &prompt, vec![attempt.accepted_at]);
        for (text, sources) in attempt.sources.clone().into_values() {
            self.embed(attempt, TextRole::Answer, &text, sources);
        }
    }

    pub fn evaluate(&mut self, attempt: &Attempt) {
        let events = attempt.round.evaluate(&attempt.accepted.challenge, self.mechanism.as_ref()).unwrap();
        for event in events {
            self.push_caused(event, Some(attempt.selected_at));
        }
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

    pub fn open_epoch(&mut self) {
        let chain_epoch = self.block / (u64::from(TEMPO) + 1);
        let (epoch, block) = (self.epoch, BlockNumber(self.block));
        self.push(EpochOpened { epoch, block, chain_epoch, rule_set: self.rules.hash() });
    }

    /// The weights that follow, from the last full observation.
    pub fn derivation(&self) -> WeightsDerived {
        let (mechanism, own) = (Arc::clone(&self.mechanism), self.opened.hotkey);
        let mut fold = match &self.previous {
            None => EpochFold::genesis(mechanism, own),
            Some(previous) => EpochFold::carry(mechanism, own, previous).unwrap(),
        };
        let from = fold.from().0 as usize;
        let at = |index: usize| Position(index as u64);
        let before = &self.drafts[..from];
        let antecedents = [
            before.iter().rposition(|draft| matches!(&draft.event, Event::MetagraphObserved(o) if o.full)),
            before.iter().rposition(|draft| matches!(&draft.event, Event::ExternalScoresFetched(_))),
        ];
        for index in antecedents.into_iter().flatten() {
            fold.antecedent(at(index), &self.drafts[index].event);
        }
        let full = |draft: &Draft| matches!(&draft.event, Event::MetagraphObserved(observed) if observed.full);
        let to = self.drafts.iter().rposition(full).unwrap();
        for index in from..=to {
            fold.apply(at(index), Micros(self.drafts[index].recorded_at), &self.drafts[index].event);
        }
        fold.derive()
    }

    pub fn derive(&mut self) -> WeightsDerived {
        let derived = self.derivation();
        self.previous = Some(derived.clone());
        self.derived_at = self.push(derived.clone());
        derived
    }

    /// A checkpoint of everything so far; root and note are filled in when the log is sealed.
    pub fn checkpoint(&mut self) -> u64 {
        let size = self.next().0;
        self.push(CheckpointPublished { size, root: digest(""), note: String::new() });
        size
    }

    pub fn anchor(&mut self, size: u64, outcome: ChainOutcome) {
        let extrinsic = digest(&format!("anchor {} {outcome:?}", self.next()));
        self.chain.extrinsics.insert(extrinsic, outcome.clone());
        let (epoch, root) = (self.epoch, digest(""));
        self.push(CheckpointAnchored { epoch, size, root, extrinsic, outcome });
    }

    /// The next block, with which something is included.
    pub fn included(&mut self) -> ChainOutcome {
        self.wait(12);
        ChainOutcome::Included { block: BlockNumber(self.block), block_hash: self.block_hash() }
    }

    pub fn submit(&mut self, derived: &WeightsDerived) -> Digest {
        let extrinsic = digest(&format!("weights {}", self.next()));
        self.nonce += 1;
        self.push(WeightsSubmitted {
            epoch: self.epoch,
            derived: self.derived_at,
            extrinsic,
            nonce: self.nonce,
            era_birth: BlockNumber(self.block),
            era_period: 64,
            version_key: 1,
            uids: derived.weights.iter().map(|weight| weight.uid).collect(),
            weights: derived.weights.iter().map(|weight| weight.weight).collect(),
        });
        extrinsic
    }

    pub fn weights_stand(&mut self, derived: &WeightsDerived) {
        let weights = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
        self.chain.weights.insert(BlockNumber(self.block), weights);
    }

    pub fn include(&mut self, derived: &WeightsDerived, extrinsic: Digest) {
        let outcome = self.included();
        self.chain.extrinsics.insert(extrinsic, outcome.clone());
        let ChainOutcome::Included { block, block_hash } = outcome else { return };
        self.weights_stand(derived);
        self.push(WeightsIncluded { epoch: self.epoch, extrinsic, block, block_hash });
    }

    pub fn close(&mut self, outcome: EpochOutcome, reason: &str) {
        self.push(EpochClosed { epoch: self.epoch, outcome, reason: reason.to_owned() });
        self.epoch += 1;
        self.wait(12);
        self.open_epoch();
    }

    /// The usual way of an epoch: derived, anchored, submitted, included, closed.
    pub fn finish_epoch(&mut self) {
        self.wait(24);
        self.observe(true);
        let derived = self.derive();
        let size = self.checkpoint();
        let outcome = self.included();
        self.anchor(size, outcome);
        let extrinsic = self.submit(&derived);
        self.include(&derived, extrinsic);
        self.close(EpochOutcome::Included, "");
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
    sources: BTreeMap<Digest, (String, Vec<Position>)>,
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
