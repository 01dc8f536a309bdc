//! Tasks of the Twitter scraper: prompts of a list, in an order that nobody knows before.
//!
//! Which prompt is next follows from the ledger's origin, the hash of the newest block and the running number: a miner that knows
//! the list, which is public, cannot prepare the next answer, and no two validators ask alike. The seed stands in the task, so that
//! anybody can repeat the choice of the prompt from it; and the seed from the acceptance, which names that block, or the next
//! one when it came meanwhile.
//!
//! Prompts are drawn independently of each other: with an order that nothing but the log could remember, what is left of a pass
//! through the list would be known once most of it was asked.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::draw::Stream;
use domain::events::Challenge;
use domain::twitter::task::{MAX_PROMPT, Task};
use domain::types::{Digest, sha256, sha256_parts};
use serde::Deserialize;

use super::{TaskSource, task};

/// The prompts that come with the program.
const SHIPPED: &str = include_str!("../../../demo/search-prompts.jsonl");

/// The most prompts of one list.
const MAX_PROMPTS: usize = 10_000;

/// The newest block's hash.
type Newest = Arc<dyn Fn() -> Result<Digest, String> + Send + Sync>;

/// Prompts of a list.
#[derive(Clone)]
pub struct SearchPrompts {
    prompts: Vec<String>,
    origin: String,
    newest: Newest,
}

impl fmt::Debug for SearchPrompts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prompts, origin, .. } = self;
        formatter.debug_struct("SearchPrompts").field("prompts", &prompts.len()).field("origin", origin).finish()
    }
}

impl SearchPrompts {
    /// The list that comes with the program, for a ledger and the chain that it is on: `newest` gives the newest block's hash.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn shipped(
        origin: &str,
        newest: impl Fn() -> Result<Digest, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        Ok(Self { prompts: parse(SHIPPED)?, origin: origin.to_owned(), newest: Arc::new(newest) })
    }

    /// The seed of a number, when this is the newest block.
    #[must_use]
    pub fn seed(&self, block_hash: &Digest, number: u64) -> u64 {
        let (label, number) = (b"assay/search-prompts/2\0", number.to_be_bytes());
        let digest = sha256_parts(&[label, &block_hash.0, &number, self.origin.as_bytes()]);
        let (words, _) = digest.0.as_chunks::<8>();
        // A task's JSON is read by programs that hold numbers as doubles: 53 bits are whole there.
        words.first().map_or(0, |word| u64::from_be_bytes(*word) >> 11)
    }

    /// The prompt that a seed draws.
    #[must_use]
    pub fn prompt(&self, seed: u64) -> &str {
        let mut stream = Stream::new(sha256(&seed.to_be_bytes()), "search-prompts");
        let place = stream.below(self.prompts.len() as u64) as usize;
        self.prompts.get(place).map_or("", String::as_str)
    }
}

/// Reads a list: one JSON object a line, with `id` and `prompt`.
///
/// # Errors
/// Names the line that cannot be used; an empty list, and one that is too long.
fn parse(text: &str) -> Result<Vec<String>, String> {
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
    if prompts.is_empty() { Err("there is no prompt in the list".to_owned()) } else { Ok(prompts) }
}

#[async_trait]
impl TaskSource for SearchPrompts {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        let seed = self.seed(&(self.newest)()?, number);
        let one = Task::new(self.prompt(seed), seed);
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

    fn shipped() -> SearchPrompts {
        SearchPrompts::shipped("assay/00/78/5Own", || Ok(sha256(b"block"))).unwrap()
    }

    #[tokio::test]
    async fn the_next_prompt_follows_from_what_nobody_knows_before() {
        let source = shipped();
        assert!(source.prompts.len() >= 40, "{}", source.prompts.len());
        let seeds = |source: &SearchPrompts, block: &[u8]| -> Vec<u64> {
            (0..8).map(|number| source.seed(&sha256(block), number)).collect()
        };
        let other = SearchPrompts { origin: "assay/00/78/5Other".to_owned(), ..source.clone() };
        let lists = [seeds(&source, b"block"), seeds(&source, b"next"), seeds(&other, b"block")];
        let distinct: BTreeSet<u64> = lists.iter().flatten().copied().collect();
        assert_eq!((distinct.len(), seeds(&source, b"block")), (24, lists[0].clone()));
        assert!(distinct.iter().all(|seed| *seed < 1 << 53));
        // Every prompt is drawn sooner or later, and the task says by which seed.
        let drawn: BTreeSet<&str> = (0..2000).map(|seed| source.prompt(seed)).collect();
        assert_eq!(drawn.len(), source.prompts.iter().collect::<BTreeSet<_>>().len());
        let silent = SearchPrompts::shipped("o", || Err("the chain does not answer".to_owned())).unwrap();
        assert!(silent.next(0).await.unwrap_err().contains("does not answer"));
    }

    #[tokio::test]
    async fn challenges_are_tasks_of_the_mechanism() {
        let source = shipped();
        let mechanism: Arc<dyn Mechanism> = open(&shipped_by_name("twitter/readme").unwrap()).unwrap();
        let mut ids = BTreeSet::new();
        for number in 0..100 {
            let challenge = source.next(number).await.unwrap();
            let synapse = mechanism.synapse(&challenge).unwrap().unwrap();
            assert!(synapse.kind.name == "TwitterScraper" && synapse.body.contains(r#""seed":1234"#));
            let task = Task::parse(challenge.task.as_deref().unwrap()).unwrap();
            assert_eq!(task.query_seed, source.seed(&sha256(b"block"), number));
            assert_eq!(challenge.prompt.as_deref(), Some(source.prompt(task.query_seed)));
            assert!(ids.insert(challenge.id));
        }
    }

    /// Averages of four honest miners, a copycat of the first and a spammer, after one pass through the prompts.
    async fn averages(rules: &str) -> Vec<f64> {
        let source = shipped();
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
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("{\"id\":\"a\",\"prompt\":\"b\"}\n\n").unwrap(), ["b"]);
    }
}
