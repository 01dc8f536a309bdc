//! A sixth mechanism, whole: say a given word in as few words as you can.
//!
//! A task names a word. An answer that holds it scores 1 / (its words); the moving average of these scores is the weight.

use std::collections::BTreeMap;

use domain::events::{Challenge, Component, DrawnMiner};
use domain::events::{ResponseScored, RoundEvaluated, SkipReason, Weight, WeightMode, ZeroReason};
use domain::mechanism::{self, Check, Derivation, EpochFacts, Evaluation, EvaluationError, Mechanism};
use domain::mechanism::{MinerState, RoundFacts, Rules, Synapse, SynapseKind, zero};
use domain::metagraph::announces_axon;
use domain::ruleset::RuleSet;
use domain::types::{Block, Hotkey, Micros};
use domain::{sdk_weights, text};
use serde::{Deserialize, Serialize};

/// Everything that a score depends on besides recorded facts. Its JSON is the rule set, whose hash a ledger adopts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Miners asked per round.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
    /// Share of a new score in the moving average, 0 to 1.
    pub alpha: f64,
}

/// What a round asks for; stands in `Challenge::task`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The word.
    pub word: String,
}

/// The type of a request: `POST /Brevity` in the dialects of Bittensor's SDKs.
const KIND: SynapseKind = SynapseKind { name: "Brevity", required: &[("word", "\"\"")], hashed: &[], streamed: false };

#[derive(Deserialize)]
struct Answer {
    said: String,
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "brevity";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("1", Self { miners: 4, deadline_ms: 5_000, alpha: 0.25 })]
    }

    fn checks(&self) -> Vec<Check> {
        vec![
            ("miners", "must be above 0", self.miners > 0),
            ("alpha", "must lie between 0 and 1", (0.0..=1.0).contains(&self.alpha)),
        ]
    }
}

/// The mechanism under one rule set.
#[derive(Debug, Clone)]
pub struct Brevity(pub Rules<Constants>);

fn task(text: Option<&str>) -> Result<Task, String> {
    serde_json::from_str(text.unwrap_or_default()).map_err(|error| error.to_string())
}

impl Mechanism for Brevity {
    fn rule_set(&self) -> &RuleSet {
        self.0.rule_set()
    }

    fn miners_per_round(&self) -> u16 {
        self.0.constants().miners
    }

    fn deadline_ms(&self) -> u32 {
        self.0.constants().deadline_ms
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        task(challenge.task.as_deref())?;
        Ok(Some(Synapse { kind: &KIND, body: challenge.task.clone().unwrap_or_default() }))
    }

    /// The body is hostile input: whatever has no text in `said` is no answer.
    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        serde_json::from_slice(body).map(|Answer { said }| said).map_err(|error| error.to_string())
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        let malformed = |problem| EvaluationError::MalformedTask { rule_set: self.0.rule_set().name(), problem };
        let word = task(facts.task.as_deref()).map_err(malformed)?.word;
        let mut scores: Vec<ResponseScored> = Vec::new();
        for response in &facts.responses {
            let words: Vec<&str> = text::split(&response.text).collect();
            let score = if words.contains(&word.as_str()) { 1.0 / words.len() as f64 } else { 0.0 };
            let reason = (score == 0.0).then_some(ZeroReason::InvalidAnswer);
            scores.push(scored(facts, &response.miner, score, reason, words.len()));
        }
        for (miner, failure) in &facts.failures {
            scores.push(scored(facts, miner, 0.0, Some((*failure).into()), 0));
        }
        let best = scores.iter().filter(|s| s.score > 0.0).max_by(|a, b| a.score.total_cmp(&b.score)).map(|s| s.hotkey);
        let round = RoundEvaluated {
            challenge_id: facts.challenge_id.clone(),
            attempt: facts.attempt,
            rule_set: self.0.rule_set().hash(),
            consensus: 0.0,
            consensus_achieved: false,
            best,
            components: Vec::new(),
            labels: Vec::new(),
            label: None,
            statistics: Vec::new(),
            similarity: Block::default(),
        };
        Ok(Evaluation { scores, round })
    }

    /// Everybody who was asked moves towards the new score; the others stay where they are.
    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], _: Micros) {
        let alpha = self.0.constants().alpha;
        for scored in scores {
            let average = &mut miners.entry(scored.hotkey).or_default().average;
            *average = Some(alpha * scored.score + (1.0 - alpha) * average.unwrap_or(0.0));
        }
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        let average = |hotkey: &Hotkey| facts.miners.get(hotkey).and_then(|miner| miner.average);
        let payable = |n: &domain::events::Neuron| n.hotkey != facts.own && !n.validator_permit && announces_axon(n);
        let (miners, others): (Vec<_>, Vec<_>) = facts.metagraph.neurons().partition(|neuron| payable(neuron));
        let shares: Vec<f64> = miners.iter().map(|neuron| average(&neuron.hotkey).unwrap_or(0.0)).collect();
        let (mut weights, mut zeros) = (Vec::new(), Vec::new());
        for (neuron, weight) in miners.iter().zip(sdk_weights::quantised(&shares)) {
            let (uid, hotkey) = (neuron.uid, neuron.hotkey);
            match average(&hotkey) {
                _ if weight > 0 => weights.push(Weight { uid, hotkey, weight }),
                None => zeros.push(zero(uid, hotkey, ZeroReason::NotSampled)),
                Some(0.0) => zeros.push(zero(uid, hotkey, ZeroReason::NoScore)),
                Some(_) => zeros.push(zero(uid, hotkey, ZeroReason::QuantisedToZero)),
            }
        }
        zeros.extend(others.iter().map(|neuron| zero(neuron.uid, neuron.hotkey, ZeroReason::NotServing)));
        zeros.sort_by_key(|zero| zero.uid);
        Derivation {
            mode: WeightMode::Normal,
            skip: weights.is_empty().then_some(SkipReason::NoScores),
            averages: facts.miners.iter().filter_map(|(hotkey, miner)| Some((*hotkey, miner.average?))).collect(),
            window_start: facts.now,
            weights,
            zeros,
        }
    }
}

fn scored(f: &RoundFacts, miner: &DrawnMiner, score: f64, reason: Option<ZeroReason>, words: usize) -> ResponseScored {
    ResponseScored {
        challenge_id: f.challenge_id.clone(),
        attempt: f.attempt,
        hotkey: miner.hotkey,
        uid: miner.uid,
        score,
        counted: true,
        filtered: None,
        reason,
        components: vec![Component { name: "words".to_owned(), value: words as f64 }],
    }
}
