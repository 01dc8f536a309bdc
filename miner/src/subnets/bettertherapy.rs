//! Support for people who ask for it, without a model: the miner says what it understood and answers with sentences of
//! passages that share words with the question.
//!
//! Extractive and honest about it: every sentence but the opening and the closing one stands word for word in the shipped
//! passages; the opening gives the person's own sentence back, turned from "I" to "you". The same question and variant give
//! the same answer. Variants know different sentences of the passages, use more or fewer of them and open differently, so that
//! several miners of one operator do not all say the same.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use axum::http::StatusCode;
use domain::bettertherapy::task::SYNAPSE;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Subnet;
use network::legacy::{Kind, Shape};

use crate::drafts::{self, Drafted};
use crate::request::{Refusal, invalid};
use crate::{Corpus, Error, split_sentences};

const SHIPPED: &str = include_str!("../../corpus/support.jsonl");

/// Longest request, in bytes.
const MAXIMUM_REQUEST_BYTES: usize = 128 << 10;
/// A longer sentence is not given back.
const MAXIMUM_REFLECTED_WORDS: usize = 40;
/// Words of a title count so many times as much as words of the text.
const TITLE: f64 = 2.0;
/// A further passage must be this near to the best one.
const WORTH_ADDING: f64 = 0.5;

/// Of 256: how much of the sentences a variant lacks.
const MISSING: u8 = 80;

const OPENINGS: [&str; 4] = [
    "Thank you for putting this into words. You write that {}.",
    "That sounds hard to carry. As I understand it, {}.",
    "I am sorry that it is so hard at the moment: {}.",
    "It makes sense that this weighs on you. You tell me that {}.",
];

const CLOSINGS: [&str; 3] = [
    "If it becomes too much, please turn to a doctor, a counsellor or a helpline.",
    "You do not have to carry this alone: a counsellor or somebody you trust can listen.",
    "Go one step at a time, and let somebody help you when it gets too heavy.",
];

/// Words that say nothing of a subject.
const COMMON: &str = "about after again all also always and any are because been before but can could did does even ever every feel \
    for from get give had has have help her him his how into its just know like make many may me more most much myself never not \
    now one only other out own say she should some that the their them then there they thing think this time too very want was way \
    well were what when where which while who will with would you your";

struct Passage {
    id: String,
    title: BTreeSet<String>,
    sentences: Vec<Sentence>,
}

struct Sentence {
    text: String,
    stems: BTreeSet<String>,
}

/// A miner that supports with shipped sentences.
pub struct Supporter {
    passages: Vec<Passage>,
    /// In how many passages a stem stands.
    spread: BTreeMap<String, usize>,
    variant: u16,
}

impl Supporter {
    /// One of many: the same number is the same miner.
    ///
    /// # Errors
    /// None unless the program was built from a damaged file.
    pub fn of_variant(variant: u16) -> Result<Self, Error> {
        let corpus = Corpus::parse(SHIPPED)?;
        let mut passages = Vec::new();
        for passage in corpus.passages() {
            let known = |(at, _): &(usize, &str)| knows(variant, &format!("{}/{at}", passage.id));
            let sentence = |(_, text): (usize, &str)| Sentence { text: text.to_owned(), stems: stems(text) };
            passages.push(Passage {
                id: passage.id.clone(),
                title: stems(&passage.title),
                sentences: split_sentences(&passage.text).into_iter().enumerate().filter(known).map(sentence).collect(),
            });
        }
        let mut spread: BTreeMap<String, usize> = BTreeMap::new();
        for passage in &passages {
            let mut all = passage.title.clone();
            all.extend(passage.sentences.iter().flat_map(|sentence| sentence.stems.iter().cloned()));
            for stem in all {
                *spread.entry(stem).or_default() += 1;
            }
        }
        Ok(Self { passages, spread, variant })
    }

    /// The answer to a question.
    #[must_use]
    pub fn support(&self, question: &str) -> String {
        let asked = stems(question);
        let pick = |from: &[usize]| from[usize::from(self.variant) % from.len()];
        let (most_passages, most_sentences) = (pick(&[2, 1, 2, 3]), pick(&[6, 5, 7, 4, 6]));
        let mut ranked: Vec<(f64, &Passage)> =
            self.passages.iter().map(|passage| (self.nearness(&asked, passage), passage)).collect();
        // Total: by nearness, then by id.
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.id.cmp(&right.1.id)));
        let best = ranked.first().map_or(0.0, |(nearness, _)| *nearness);
        ranked.truncate(most_passages);
        ranked.retain(|(nearness, _)| *nearness > 0.0 && *nearness >= WORTH_ADDING * best);
        let mut parts = vec![self.opening(question)];
        parts.extend(self.sentences(&asked, &ranked, most_sentences));
        parts.push(CLOSINGS[usize::from(self.variant) % CLOSINGS.len()].to_owned());
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }

    fn weight(&self, stem: &str) -> f64 {
        1.0 / self.spread.get(stem).copied().unwrap_or(1).max(1) as f64
    }

    fn shared(&self, asked: &BTreeSet<String>, stems: &BTreeSet<String>) -> f64 {
        asked.intersection(stems).map(|stem| self.weight(stem)).sum()
    }

    fn nearness(&self, asked: &BTreeSet<String>, passage: &Passage) -> f64 {
        let text: BTreeSet<String> = passage.sentences.iter().flat_map(|sentence| sentence.stems.clone()).collect();
        TITLE * self.shared(asked, &passage.title) + self.shared(asked, &text)
    }

    /// The sentences that share most with the question, of the nearest passage first, in the order in which they are written.
    fn sentences(&self, asked: &BTreeSet<String>, ranked: &[(f64, &Passage)], most: usize) -> Vec<String> {
        let mut all: Vec<(usize, usize, f64, &str)> = Vec::new();
        for (rank, (_, passage)) in ranked.iter().enumerate() {
            for (at, sentence) in passage.sentences.iter().enumerate() {
                // A sentence of the nearest passage is worth having even if it shares no word.
                let worth = self.shared(asked, &sentence.stems) + if rank == 0 { 0.1 } else { 0.0 };
                all.push((rank, at, worth, &sentence.text));
            }
        }
        all.sort_by(|left, right| right.2.total_cmp(&left.2).then_with(|| (left.0, left.1).cmp(&(right.0, right.1))));
        all.truncate(most);
        all.sort_by_key(|(rank, at, ..)| (*rank, *at));
        all.into_iter().map(|(_, _, _, text)| text.to_owned()).collect()
    }

    fn opening(&self, question: &str) -> String {
        let opening = OPENINGS[usize::from(self.variant) % OPENINGS.len()];
        match reflected(question) {
            Some(reflected) => opening.replace("{}", &reflected),
            None => "Thank you for asking about this.".to_owned(),
        }
    }
}

/// Whether a variant has the sentence with this name: all but the first lack about a third, each another one.
fn knows(variant: u16, name: &str) -> bool {
    let digest = Sha256::new_with_prefix(variant.to_be_bytes()).chain_update(name.as_bytes()).finalize();
    variant == 0 || digest[0] >= MISSING
}

/// The stems of a text's words that say something.
fn stems(text: &str) -> BTreeSet<String> {
    let lowered = text.to_lowercase();
    let words = lowered.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    words.filter(|word| COMMON.split(' ').all(|common| common != *word)).map(|word| stem(word).to_owned()).collect()
}

fn stem(word: &str) -> &str {
    for (ending, least) in [("ing", 4), ("ied", 3), ("ies", 3), ("ed", 3), ("es", 4), ("s", 3)] {
        if let Some(start) = word.strip_suffix(ending)
            && start.len() >= least
            && !start.ends_with('s')
        {
            return start;
        }
    }
    word
}

/// The first sentence that is no question, said to the person instead of by the person.
fn reflected(question: &str) -> Option<String> {
    let sentences = split_sentences(question);
    let statement = sentences.into_iter().find(|sentence| !sentence.ends_with('?'))?;
    let words: Vec<&str> = statement.split_whitespace().collect();
    if words.is_empty() || words.len() > MAXIMUM_REFLECTED_WORDS || statement.contains(['{', '}', '"', '\n']) {
        return None;
    }
    let mut turned: Vec<String> = Vec::with_capacity(words.len());
    let mut after_i = false;
    for word in &words {
        let bare = word.trim_end_matches([',', ';', ':', '.', '!']);
        let tail = &word[bare.len()..];
        let said = match (bare, after_i) {
            ("am", true) => "are",
            ("was", true) => "were",
            ("I" | "me" | "Me", _) => "you",
            ("I'm", _) => "you are",
            ("I've", _) => "you have",
            ("I'd", _) => "you would",
            ("I'll", _) => "you will",
            ("my" | "My" | "our" | "Our", _) => "your",
            ("mine" | "ours", _) => "yours",
            ("myself" | "ourselves", _) => "yourself",
            ("we" | "We" | "us", _) => "you",
            (other, _) => other,
        };
        // An adverb may stand between "I" and its verb.
        after_i =
            bare == "I" || after_i && (bare.ends_with("ly") || matches!(bare, "never" | "always" | "still" | "just"));
        turned.push(format!("{said}{tail}"));
    }
    let text = turned.join(" ");
    let text = text.trim_end_matches(['.', '!', ',', ';', ':']);
    let mut characters = text.chars();
    let first = characters.next()?;
    Some(format!("{}{}", first.to_lowercase(), characters.as_str()))
}

#[derive(Serialize)]
struct Reply<'a> {
    prompt: &'a str,
    request_id: &'a str,
    output: &'a str,
}

fn reply(prompt: &str, request_id: &str, output: &str) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Reply { prompt, request_id, output })
}

#[derive(Deserialize)]
struct Request {
    prompt: String,
    #[serde(default)]
    request_id: String,
}

impl Request {
    fn parse(request: &str) -> Result<Self, Refusal> {
        if request.len() > MAXIMUM_REQUEST_BYTES {
            return Err(invalid("request", format!("it is over the limit of {MAXIMUM_REQUEST_BYTES} bytes")));
        }
        let request: Self = serde_json::from_str(request).map_err(|error| invalid("prompt", error.to_string()))?;
        if request.prompt.trim().is_empty() {
            return Err(invalid("prompt", "it is empty"));
        }
        Ok(request)
    }
}

#[async_trait]
impl Subnet for Supporter {
    fn synapse(&self) -> &'static str {
        SYNAPSE
    }

    fn shape(&self) -> Shape {
        Shape::new(SYNAPSE)
            .required("prompt", Kind::Text)
            .required("request_id", Kind::Text)
            .optional("output", Kind::Text)
    }

    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal> {
        let Request { prompt, request_id } = Request::parse(request)?;
        let written = reply(&prompt, &request_id, &self.support(&prompt));
        written.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    async fn draft(&self, request: &str) -> Drafted<Vec<u8>> {
        let Request { prompt, request_id } = Request::parse(request).map_err(|refusal| refusal.error)?;
        let message = prompt.clone();
        let body = move |text: &str| reply(&prompt, &request_id, text).map_err(|error| error.to_string());
        drafts::bettertherapy::draft(&message, body).map(Some)
    }

    fn spam(&self) -> Vec<u8> {
        let output = "Thank you for reaching out! Everything will be fine, stay positive and have a wonderful day!";
        reply("", "", output).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "bettertherapy_tests.rs"]
mod tests;
