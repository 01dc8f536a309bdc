//! Loosh: the similarity matrix of 256 answers, and a whole evaluation of them.

use std::sync::Arc;

use domain::events::{DrawnMiner, TextRole};
use domain::loosh::matrix::similarity;
use domain::mechanism::{self, Mechanism, ResponseFact, RoundFacts, TextVectors};
use domain::types::{Hotkey, Position, Uid, sha256};

use crate::{Effort, line, time, vectors};

const ANSWERS: usize = 256;
const DIMENSIONS: usize = 384;

pub(crate) fn run(effort: Effort) {
    let units: Vec<Vec<f64>> = vectors("answers", ANSWERS, DIMENSIONS).iter().map(|v| domain::math::unit(v)).collect();
    let milliseconds = time(effort, || similarity(&units)) * 1e3;
    line("similarity-256-by-384-milliseconds", milliseconds, None);
    for name in ["loosh/readme", "loosh/1.2.8", "loosh/assay-1"] {
        let mechanism = mechanism::open(&mechanism::shipped_by_name(name).unwrap()).unwrap();
        let facts = facts(mechanism.as_ref());
        assert_eq!(mechanism.evaluate(&facts).unwrap().scores.len(), ANSWERS);
        let milliseconds = time(effort, || mechanism.evaluate(&facts).unwrap()) * 1e3;
        line(&format!("{name}-evaluation-of-256-responses-milliseconds"), milliseconds, None);
    }
}

fn facts(mechanism: &dyn Mechanism) -> RoundFacts {
    let prompt = "Why do tides rise and fall twice a day? What do the moon and the sun do to them?";
    let mut facts =
        RoundFacts { challenge_id: "bench".into(), attempt: 1, prompt: prompt.into(), ..RoundFacts::default() };
    let documents = vectors("answers", ANSWERS, DIMENSIONS);
    put(&mut facts, mechanism, TextRole::Prompt, prompt, &vectors("answers prompt", 1, DIMENSIONS)[0]);
    for (at, document) in documents.iter().enumerate() {
        let text = format!(
            "Tides rise because the moon pulls the near side of the sea more than the far side. Answer {at} adds that the sun \
             does the same with less force. Therefore spring tides are high, for example at new moon."
        );
        put(&mut facts, mechanism, TextRole::Answer, &text, document);
        let number = u16::try_from(at).unwrap();
        let hotkey = Hotkey::from_public(&sha256(&number.to_be_bytes()).0);
        let miner = DrawnMiner {
            hotkey,
            uid: Uid(number),
            coldkey: hotkey,
            ip: format!("10.0.{}.{}", at / 200, at % 200),
            port: 1,
        };
        let response_time_ms = 900 + u32::from(number) * 7;
        let (text_hash, position) = (sha256(text.as_bytes()), Position(at as u64));
        facts.responses.push(ResponseFact {
            position,
            miner,
            response_time_ms,
            first_byte_ms: response_time_ms,
            text,
            text_hash,
        });
    }
    facts
}

fn put(facts: &mut RoundFacts, mechanism: &dyn Mechanism, role: TextRole, text: &str, document: &[f64]) {
    let parts = vec![document.to_vec(); mechanism.text_parts(role, text).parts.len()];
    let vectors = TextVectors { document: document.to_vec(), parts };
    facts.vectors.insert((role, sha256(text.as_bytes())), Arc::new(vectors));
}
