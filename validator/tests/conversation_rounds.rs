//! Conversation Genome's rounds with the shipped conversations, the shipped miner and the real embedding model: honest tags earn,
//! and tags of another subject earn what the rule set says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::Arc;

use domain::events::{DrawnMiner, ResponseScored};
use domain::mechanism::{self, JudgementFact, Mechanism, ResponseFact, RoundFacts, Stage, TextVectors, Want};
use domain::types::{Hotkey, Position, Uid, sha256};
use inference::{Embedder, EmbeddingConfig};
use miner::subnets::Subnet;
use miner::subnets::cgp::Tagger;
use validator::sources::cgp::Conversations;

/// Windows looked at: some of each pass, so that the test stays short.
const WINDOWS: u64 = 8;

fn response(at: usize, body: &[u8], mechanism: &dyn Mechanism) -> ResponseFact {
    let hotkey = Hotkey::from_public(&[u8::try_from(at + 1).unwrap(); 32]);
    let miner = DrawnMiner { hotkey, uid: Uid(1), coldkey: hotkey, ip: "10.0.0.1".to_owned(), port: 1 };
    let text = mechanism.parse_response(body).unwrap();
    let text_hash = sha256(text.as_bytes());
    ResponseFact { position: Position(1), miner, response_time_ms: 1, first_byte_ms: 1, text_hash, text }
}

fn gather(mechanism: &dyn Mechanism, facts: &mut RoundFacts, stage: Stage, embedder: &dyn Embedder) {
    loop {
        let wants = mechanism.wants(stage, facts);
        if wants.is_empty() {
            return;
        }
        for want in wants {
            match want {
                Want::Judgement(request) => {
                    let reply = mechanism.offline(&request).unwrap().into_bytes();
                    facts.judgements.push(JudgementFact { purpose: request.purpose, hotkey: request.hotkey, reply });
                }
                Want::Vectors { role, text, .. } => {
                    let parts = mechanism.text_parts(role, &text).parts;
                    let part = |at: usize| text[parts[at].start as usize..parts[at].end as usize].to_owned();
                    let asked: Vec<String> = std::iter::once(text.clone()).chain((0..parts.len()).map(part)).collect();
                    let found = embedder.embed(&asked).unwrap();
                    let mut vectors = found.into_iter().map(|vector| vector.into_iter().map(f64::from).collect());
                    let vectors = TextVectors { document: vectors.next().unwrap(), parts: vectors.collect() };
                    facts.vectors.insert((role, sha256(text.as_bytes())), Arc::new(vectors));
                }
            }
        }
    }
}

async fn round(
    mechanism: &dyn Mechanism,
    stock: &Conversations,
    number: u64,
    embedder: &dyn Embedder,
) -> Vec<ResponseScored> {
    let challenge = stock.challenge(number).unwrap();
    let mut facts = RoundFacts { task: challenge.task.clone(), seed: Some(sha256(b"round")), ..RoundFacts::default() };
    gather(mechanism, &mut facts, Stage::BeforeIssue, embedder);
    let synapse = mechanism.synapse(&challenge).unwrap().unwrap();
    for variant in 0..4u16 {
        let body = Tagger::of_variant(variant).answer(&synapse.body).await.unwrap();
        facts.responses.push(response(variant.into(), &body, mechanism));
    }
    facts.responses.push(response(4, &Tagger::of_variant(0).spam(), mechanism));
    gather(mechanism, &mut facts, Stage::AfterAnswers, embedder);
    let found = mechanism.evaluate(&facts).unwrap();
    let described = found.round.components.iter().any(|component| component.name == "boring_index");
    println!(
        "{number} described {described}: {:?}",
        found.scores.iter().map(|scored| scored.score).collect::<Vec<_>>()
    );
    found.scores
}

#[tokio::test]
async fn honest_tags_earn_and_others_as_the_rules_say() {
    let embedder = inference::open(&EmbeddingConfig::discover()).unwrap();
    for set in domain::cgp::mechanism::Cgp::shipped().into_iter().skip(1) {
        let (stock, mechanism) = (Conversations::shipped(&set).unwrap(), mechanism::open(&set).unwrap());
        let mut earned = [0.0; 5];
        for number in (0..WINDOWS).map(|at| at * (stock.per_pass() / WINDOWS)) {
            let scores = round(mechanism.as_ref(), &stock, number, embedder.as_ref()).await;
            assert!(scores[..4].iter().all(|honest| honest.score > 0.0), "{} {number}: {scores:?}", set.name());
            let spam = scores[4].score;
            assert_eq!(spam == 0.0, set.name() == "cgp/assay-1", "{} {number}: {spam}", set.name());
            earned.iter_mut().zip(&scores).for_each(|(sum, scored)| *sum += scored.score / WINDOWS as f64);
        }
        println!("{}: {earned:?}", set.name());
        assert!(earned[..4].iter().all(|honest| *honest > 1.3 * earned[4]), "{}: {earned:?}", set.name());
    }
}
