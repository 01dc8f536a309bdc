//! Windows of conversations for Conversation Genome, pass after pass over a stock of them.
//!
//! Which windows are sent in which order is the rule set's: all of them in order, or a sample of each conversation, mixed within
//! batches ([`domain::cgp::batch`]). The stock that comes with the program is fiction, written for it.

use async_trait::async_trait;
use domain::cgp::batch::{Piece, Stocked, pieces};
use domain::cgp::constants::Constants;
use domain::cgp::reserved::{self, Reserved};
use domain::cgp::task::{Task, Window};
use domain::events::Challenge;
use domain::ruleset::RuleSet;

use super::TaskSource;

/// The conversations that come with the program.
const SHIPPED: &str = include_str!("../../../demo/conversations.jsonl");

/// Conversations of a stock at most.
const MAX_CONVERSATIONS: usize = 100_000;

/// A stock of conversations, and the windows of it that a rule set asks for.
#[derive(Debug)]
pub struct Conversations {
    conversations: Vec<Reserved>,
    stock: Vec<Stocked>,
    constants: Constants,
    /// Windows of a pass; every pass has as many.
    per_pass: u64,
}

impl Conversations {
    /// The stock that comes with the program.
    ///
    /// # Errors
    /// A rule set of another subnet.
    pub fn shipped(rule_set: &RuleSet) -> Result<Self, String> {
        Self::parse(rule_set, SHIPPED)
    }

    /// A stock in JSON lines, each as a conversation server would give it.
    ///
    /// # Errors
    /// A rule set of another subnet, lines that are no conversations, and a stock without a window to send.
    pub fn parse(rule_set: &RuleSet, text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(at, line): (usize, &str)| {
            reserved::parse(line.as_bytes()).map_err(|error| format!("line {}: {error}", at + 1))
        };
        Self::of(rule_set, lines.map(read).collect::<Result<_, _>>()?)
    }

    /// A stock of conversations.
    ///
    /// # Errors
    /// A rule set of another subnet, and a stock without a window to send.
    pub fn of(rule_set: &RuleSet, conversations: Vec<Reserved>) -> Result<Self, String> {
        let name = rule_set.name();
        if rule_set.algorithm() != "cgp" {
            return Err(format!("{name} is no rule set of cgp"));
        }
        if conversations.len() > MAX_CONVERSATIONS {
            return Err(format!("{} conversations are over the limit of {MAX_CONVERSATIONS}", conversations.len()));
        }
        let constants: Constants = rule_set.constants().map_err(|error| error.to_string())?;
        let stocked = |found: &Reserved| Stocked { lines: found.lines.len(), minimum_windows: found.minimum_windows };
        let stock: Vec<Stocked> = conversations.iter().map(stocked).collect();
        let per_pass = pieces(&stock, &constants, 0).len() as u64;
        if per_pass == 0 {
            let (have, need) = (conversations.len(), constants.batch.minimum_pieces);
            return Err(format!("{have} conversations give no batch of the {need} windows that {name} asks for"));
        }
        Ok(Self { conversations, stock, constants, per_pass })
    }

    /// How many windows one pass over the stock has.
    #[must_use]
    pub fn per_pass(&self) -> u64 {
        self.per_pass
    }

    /// The challenge with this number.
    ///
    /// # Errors
    /// None with the stock as it is; what cannot be written otherwise.
    pub fn challenge(&self, number: u64) -> Result<Challenge, String> {
        let missing = || format!("there is no window number {number}");
        let (pass, place) = (number / self.per_pass, number % self.per_pass);
        let pieces = pieces(&self.stock, &self.constants, pass);
        let piece = usize::try_from(place).ok().and_then(|at| pieces.get(at)).ok_or_else(missing)?;
        let conversation = self.conversations.get(piece.conversation).ok_or_else(missing)?;
        let (task, text) = task_of(conversation, piece)?;
        Ok(super::task(format!("cgp-{number}"), task.readable(), text))
    }
}

/// The task of one window, and its canonical JSON.
pub(super) fn task_of(conversation: &Reserved, piece: &Piece) -> Result<(Task, String), String> {
    let place = |at: usize| u32::try_from(at).map_err(|_| format!("line {at} is over the limit"));
    let task = Task {
        guid: conversation.guid.clone(),
        window_index: place(piece.window_index)?,
        window: Window { start: place(piece.window.start)?, end: place(piece.window.end)? },
        participants: conversation.participants.clone(),
        lines: conversation.lines.clone(),
        describe: piece.first,
    };
    let text = task.to_json().map_err(|error| error.to_string())?;
    let task = Task::parse(Some(&text))?;
    Ok((task, text))
}

#[async_trait]
impl TaskSource for Conversations {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        self.challenge(number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeSet;

    use domain::cgp::constants::Constants;
    use domain::cgp::mechanism::Cgp;
    use domain::cgp::requests::GROUND_TRUTH;
    use domain::events::DrawnMiner;
    use domain::mechanism::{self, ResponseFact, RoundFacts, Stage, Want};
    use domain::types::{Hotkey, Position, Uid, sha256};
    use miner::subnets::Subnet;
    use miner::subnets::cgp::Tagger;

    use super::*;

    fn rule_set(version: &str) -> RuleSet {
        Cgp::shipped().into_iter().find(|set| set.name() == format!("cgp/{version}")).unwrap()
    }

    fn task(challenge: &Challenge) -> Task {
        Task::parse(challenge.task.as_deref()).unwrap()
    }

    #[test]
    fn the_shipped_stock_is_large_enough_and_its_own() {
        let stock = Conversations::shipped(&rule_set("readme")).unwrap();
        assert!(stock.conversations.len() >= 60);
        let guids: BTreeSet<&str> = stock.conversations.iter().map(|c| c.guid.as_str()).collect();
        let texts: BTreeSet<&str> = stock.conversations.iter().flat_map(|c| &c.lines).map(|line| line.text()).collect();
        assert_eq!(guids.len(), stock.conversations.len());
        assert_eq!(texts.len(), stock.conversations.iter().map(|c| c.lines.len()).sum::<usize>(), "no line twice");
        for conversation in &stock.conversations {
            assert!((12..=30).contains(&conversation.lines.len()), "{}", conversation.guid);
            assert!((2..=4).contains(&conversation.participants.len()), "{}", conversation.guid);
            assert!(conversation.guid.parse::<u128>().is_ok());
        }
    }

    #[test]
    fn the_document_sends_windows_in_order() {
        let stock = Conversations::shipped(&rule_set("readme")).unwrap();
        let first: Vec<Task> = (0..3).map(|number| task(&stock.challenge(number).unwrap())).collect();
        assert_eq!((first[0].window.start, first[0].window.end, first[1].window.start), (0, 10, 8));
        assert_eq!(first[0].guid, first[1].guid);
        assert_ne!(first[1].guid, first[2].guid);
        assert_eq!(first.iter().map(|task| task.describe).collect::<Vec<_>>(), [true, false, true]);
        let challenge = stock.challenge(stock.per_pass()).unwrap();
        assert_eq!(task(&challenge), first[0], "the second pass begins again");
        assert_eq!(challenge.id, format!("cgp-{}", stock.per_pass()));
        assert!(challenge.prompt.unwrap().starts_with("SPEAKER_0: "));
    }

    #[test]
    fn upstream_mixes_them() {
        let stock = Conversations::shipped(&rule_set("2.30.65")).unwrap();
        let guids: BTreeSet<String> = (0..10).map(|number| task(&stock.challenge(number).unwrap()).guid).collect();
        assert!(guids.len() > 4);
        let pass = |from: u64| -> Vec<Option<String>> {
            (from..from + stock.per_pass()).map(|number| stock.challenge(number).unwrap().task).collect()
        };
        let (first, second) = (pass(0), pass(stock.per_pass()));
        assert_ne!(first, second);
        assert_eq!(pass(0), first);
    }

    #[test]
    fn no_shipped_conversation_is_left_out() {
        for set in Cgp::shipped() {
            let (stock, mechanism) = (Conversations::shipped(&set).unwrap(), mechanism::open(&set).unwrap());
            for number in 0..stock.per_pass() {
                let challenge = stock.challenge(number).unwrap();
                let mut facts = RoundFacts { task: challenge.task, ..RoundFacts::default() };
                let mut purposes = Vec::new();
                for _ in 0..3 {
                    for want in mechanism.wants(Stage::BeforeIssue, &facts) {
                        let Want::Judgement(request) = want else { continue };
                        let reply = mechanism.offline(&request).unwrap().into_bytes();
                        purposes.push(request.purpose.clone());
                        let (purpose, hotkey) = (request.purpose, request.hotkey);
                        facts.judgements.push(mechanism::JudgementFact { purpose, hotkey, reply });
                    }
                }
                assert!(purposes.iter().any(|purpose| purpose == GROUND_TRUTH), "{} {number}", set.name());
                let truth = facts.judgement(GROUND_TRUTH, None).unwrap();
                let tags = String::from_utf8(truth.reply.clone()).unwrap().split(", ").count() as u64;
                assert!(tags > Constants::readme().tags.minimum_truth, "{number}: {tags}");
            }
        }
    }

    /// The overlap rules need no vectors: whole rounds of the document with the shipped miner.
    #[tokio::test]
    async fn honest_miners_earn_by_the_document() {
        let set = rule_set("readme");
        let (stock, mechanism) = (Conversations::shipped(&set).unwrap(), mechanism::open(&set).unwrap());
        let (mut paid, mut honest, mut spam) = (0, 0.0, 0.0);
        for number in 0..stock.per_pass() {
            let mut challenge = stock.challenge(number).unwrap();
            let mut task = task(&challenge);
            task.describe = false;
            challenge.task = Some(task.to_json().unwrap());
            let mut facts = RoundFacts { task: challenge.task.clone(), ..RoundFacts::default() };
            for want in mechanism.wants(Stage::BeforeIssue, &facts) {
                let Want::Judgement(request) = want else { panic!("no vectors are asked for") };
                let reply = mechanism.offline(&request).unwrap().into_bytes();
                let (purpose, hotkey) = (request.purpose, request.hotkey);
                facts.judgements.push(mechanism::JudgementFact { purpose, hotkey, reply });
            }
            let synapse = mechanism.synapse(&challenge).unwrap().unwrap();
            let variant = u16::try_from(number).unwrap();
            for (at, miner) in [Tagger::of_variant(variant), Tagger::of_variant(variant + 1)].iter().enumerate() {
                facts.responses.push(response(at, &miner.answer(&synapse.body).await.unwrap(), mechanism.as_ref()));
            }
            facts.responses.push(response(2, &Tagger::of_variant(0).spam(), mechanism.as_ref()));
            let found = mechanism.evaluate(&facts).unwrap();
            paid += u64::from(found.round.consensus_achieved);
            honest += (found.scores[0].score + found.scores[1].score) / 2.0;
            spam += found.scores[2].score;
        }
        assert!(10 * paid >= 9 * stock.per_pass(), "{paid} of {}", stock.per_pass());
        assert!(honest > spam, "{honest} {spam}");
    }

    fn response(at: usize, body: &[u8], mechanism: &dyn mechanism::Mechanism) -> ResponseFact {
        let key = Hotkey::from_public(&[u8::try_from(at + 1).unwrap(); 32]);
        let miner = DrawnMiner { hotkey: key, uid: Uid(1), coldkey: key, ip: "10.0.0.1".to_owned(), port: 1 };
        let text = mechanism.parse_response(body).unwrap();
        ResponseFact {
            position: Position(1),
            miner,
            response_time_ms: 1,
            first_byte_ms: 1,
            text_hash: sha256(text.as_bytes()),
            text,
        }
    }

    #[test]
    fn what_is_no_stock_is_refused() {
        let loosh = domain::loosh::mechanism::Loosh::shipped().remove(0);
        assert!(Conversations::shipped(&loosh).unwrap_err().contains("loosh/readme"));
        assert!(Conversations::parse(&rule_set("readme"), "{}").unwrap_err().contains("line 1"));
        let few: String = SHIPPED.lines().take(2).map(|line| format!("{line}\n")).collect();
        assert_eq!(Conversations::parse(&rule_set("readme"), &few).unwrap().per_pass(), 4);
        assert!(Conversations::parse(&rule_set("2.30.65"), &few).unwrap_err().contains("10 windows"));
    }
}
