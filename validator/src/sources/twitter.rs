//! Tasks of the Twitter scraper: prompts of a list, in an order that follows from the running number.
//!
//! Each pass through the list is a shuffle of its own, drawn by the documented stream, so that a restart goes on where the log
//! ends and anybody can repeat the choice from the number in the task.

use async_trait::async_trait;
use domain::draw::{Stream, sample};
use domain::events::Challenge;
use domain::twitter::task::{MAX_PROMPT, Task};
use domain::types::sha256;
use serde::Deserialize;

use super::{TaskSource, task};

/// The prompts that come with the program.
const SHIPPED: &str = include_str!("../../../demo/search-prompts.jsonl");

/// The most prompts of one list.
const MAX_PROMPTS: usize = 10_000;

/// Prompts in turn.
#[derive(Debug, Clone)]
pub struct SearchPrompts {
    prompts: Vec<String>,
}

impl SearchPrompts {
    /// The list that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn shipped() -> Result<Self, String> {
        Self::parse(SHIPPED)
    }

    /// Reads a list: one JSON object a line, with `id` and `prompt`.
    ///
    /// # Errors
    /// Names the line that cannot be used; an empty list, and one that is too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Line {
            #[serde(rename = "id")]
            _id: String,
            prompt: String,
        }
        let mut prompts = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |problem: String| format!("prompt in line {}: {problem}", at + 1);
            if prompts.len() == MAX_PROMPTS {
                return Err(format!("more than {MAX_PROMPTS} prompts"));
            }
            if line.len() > 2 * MAX_PROMPT {
                return Err(wrong(format!("{} bytes", line.len())));
            }
            let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            prompts.push(Task::of(None, &line.prompt).map_err(wrong)?.prompt);
        }
        if prompts.is_empty() { Err("there is no prompt in the list".to_owned()) } else { Ok(Self { prompts }) }
    }

    /// The prompt with this number.
    #[must_use]
    pub fn prompt(&self, number: u64) -> &str {
        let count = self.prompts.len() as u64;
        let (pass, place) = (number / count, (number % count) as usize);
        let mut stream = Stream::new(sha256(b"assay/search-prompts/1"), &format!("pass/{pass}"));
        let order = sample(&mut stream, &vec![1; self.prompts.len()], place + 1);
        // A shuffle has as many places as there are prompts.
        order.last().and_then(|at| self.prompts.get(*at)).map_or("", String::as_str)
    }
}

#[async_trait]
impl TaskSource for SearchPrompts {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        let one = Task { prompt: self.prompt(number).to_owned(), query_seed: number };
        let json = one.to_json()?;
        Ok(task(format!("search-{number:06}"), one.prompt, json))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::events::DrawnMiner;
    use domain::mechanism::{
        JudgementFact, JudgementRequest, Mechanism, ResponseFact, RoundFacts, Stage, Want, open, shipped_by_name,
    };
    use domain::types::{Hotkey, Micros, Position, Uid};
    use miner::subnets::Subnet;
    use miner::subnets::twitter::TwitterScraper;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    #[test]
    fn a_pass_asks_each_prompt_once_and_each_pass_in_another_order() {
        let source = SearchPrompts::shipped().unwrap();
        let count = source.prompts.len() as u64;
        assert!(count >= 40, "{count}");
        let pass = |n: u64| (n * count..(n + 1) * count).map(|number| source.prompt(number)).collect::<Vec<_>>();
        let (first, second) = (pass(0), pass(1));
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len() as u64, count);
        assert_eq!(second.iter().collect::<BTreeSet<_>>().len() as u64, count);
        assert!(first != second && first == pass(0));
    }

    #[tokio::test]
    async fn challenges_are_tasks_of_the_mechanism() {
        let source = SearchPrompts::shipped().unwrap();
        let mechanism: Arc<dyn Mechanism> = open(&shipped_by_name("twitter/readme").unwrap()).unwrap();
        let mut ids = BTreeSet::new();
        for number in 0..100 {
            let challenge = source.next(number).await.unwrap();
            let synapse = mechanism.synapse(&challenge).unwrap().unwrap();
            assert!(synapse.name == "TwitterScraper" && synapse.body.contains(r#""seed":1234"#));
            assert_eq!(Task::parse(challenge.task.as_deref().unwrap()).unwrap().query_seed, number);
            assert_eq!(challenge.prompt.as_deref(), Some(source.prompt(number)));
            assert!(ids.insert(challenge.id));
        }
    }

    /// Averages of four honest miners, a copycat of the first and a spammer, after one pass through the prompts.
    async fn averages(rules: &str) -> Vec<f64> {
        let source = SearchPrompts::shipped().unwrap();
        let mechanism = open(&shipped_by_name(rules).unwrap()).unwrap();
        let miners: Vec<TwitterScraper> = (1..5).map(|variant| TwitterScraper::shipped(variant).unwrap()).collect();
        let (mut states, mut statistics) = (BTreeMap::new(), Vec::new());
        for number in 0..source.prompts.len() as u64 {
            let challenge = source.next(number).await.unwrap();
            let request = mechanism.synapse(&challenge).unwrap().unwrap().body;
            let mut bodies = Vec::new();
            for miner in &miners {
                bodies.push(miner.answer(&request).await.unwrap());
            }
            bodies.push(bodies[0].clone());
            bodies.push(miners[0].spam());
            let response = |(at, body): (usize, &Vec<u8>)| {
                let text = mechanism.parse_response(body).unwrap();
                let (n, text_hash) = (at as u16 + 1, sha256(text.as_bytes()));
                let key = Hotkey::from_public(&[n as u8; 32]);
                let miner = DrawnMiner { hotkey: key, uid: Uid(n), coldkey: key, ip: String::new(), port: 1 };
                ResponseFact { position: Position(1), miner, response_time_ms: 9, first_byte_ms: 8, text, text_hash }
            };
            let mut facts = RoundFacts {
                challenge_id: challenge.id.clone(),
                attempt: 1,
                task: challenge.task.clone(),
                responses: bodies.iter().enumerate().map(response).collect(),
                statistics,
                ..RoundFacts::default()
            };
            for stage in [Stage::BeforeIssue, Stage::AfterAnswers] {
                for want in mechanism.wants(stage, &facts) {
                    let Want::Judgement(request) = want else { panic!("{want:?}") };
                    let reply = mechanism.offline(&request).unwrap().into_bytes();
                    let JudgementRequest { purpose, hotkey, .. } = request;
                    facts.judgements.push(JudgementFact { purpose, hotkey, reply });
                }
            }
            let found = mechanism.evaluate(&facts).unwrap();
            mechanism.absorb(&mut states, &found.scores, Micros(number));
            statistics = found.round.statistics;
        }
        (1..7).map(|n| states[&Hotkey::from_public(&[n; 32])].average.unwrap()).collect()
    }

    #[tokio::test]
    async fn honest_miners_earn_more_than_copies_and_spam() {
        let document = averages("twitter/readme").await;
        assert!(document[..4].iter().all(|honest| *honest > 2.0 * document[5]), "{document:?}");
        let ours = averages("twitter/assay-1").await;
        assert!(ours[5] == 0.0 && ours[1..4].iter().all(|honest| *honest > ours[4]), "{ours:?}");
    }

    #[test]
    fn lists_that_cannot_be_used_are_refused() {
        for bad in ["", "\n", "{}", r#"{"id":"a","prompt":" "}"#, r#"{"id":"a","prompt":"b","more":1}"#, "a prompt"] {
            assert!(SearchPrompts::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(SearchPrompts::parse("{\"id\":\"a\",\"prompt\":\"b\"}\n\n").unwrap().prompt(7), "b");
    }
}
