//! Verdicts without a model: statistics of words and letters that stand in where none is configured.
//!
//! They are no reward models and do not pretend to be: the record names them `offline`. Each is a function of the request
//! alone, made of what can be counted, so that an answer earns by naming what was asked for, saying something, and not
//! repeating itself. Whoever reads this file can write an answer for them; a network's validator configures models.
//!
//! * Logit: `5 c + 3 l + 2 v − 5`, so from −5 to 5.
//! * Mark: `round(10 c (½ + ¼ l + ¼ v))`, so 0 for an answer that names nothing of what was asked for.
//! * Log-probability: that of a letter-pair model, counted in the prompt and in a page of English.
//!
//! `c` is the share of the prompt's terms that the answer has, `l = 1 − e^(−words / 40)`, and `v` the share of distinct ones
//! among its first 200 words.

use serde::Serialize;
use std::collections::BTreeSet;

use super::analysis::{MAX_TERMS, QueryAnalysis, mentions};
use super::constants::{Constants, Preference, QueryKey};
use super::numbers::Recorded;
use super::preference::{is_measurable, measure};
use super::verdicts::{
    AnalysisRequest, DPO, LogitReply, LogitRequest, MarkRequest, PROMPT, PreferenceReply, PreferenceRequest,
    QUERY_ANALYSIS, RLHF,
};
use crate::math;
use crate::text::ignore_case::folded;
use crate::text::{is_space, lower, split};

/// Words that are looked at for variety.
const VARIETY_WORDS: usize = 200;

/// After so many words an answer has 1 − 1/e of what there is for length.
const LENGTH_WORDS: f64 = 40.0;

/// Letters, space, and everything else.
const SYMBOLS: usize = 28;

/// Symbols of prompt and answer that the letter-pair model takes.
const CONTEXT_SYMBOLS: u64 = 2048;

/// A token of a language model is about four letters, so that a run of repeated tokens is one of four times as many.
const SYMBOLS_PER_TOKEN: u64 = 4;

/// The prompt counts as often as this against the page.
const PROMPT_WEIGHT: u32 = 4;

/// A page of English that letter pairs are counted in. It is part of the rule: another text gives other verdicts.
const PAGE: &str = "People who watch a launch from the shore often say that the sound comes late. First there is light on the \
    water, then the ground begins to shake, and only after that the roar arrives. Later in the day they write down what they \
    saw, and some of them share a picture. What others read about it in the evening is a mixture of facts, questions and \
    jokes. A good summary keeps these apart. It says who reported something, when it was reported, and how many agreed; it \
    quotes the words that matter and leaves the rest out. When two reports contradict each other, it says so instead of \
    choosing the one that sounds better. Numbers are given with their units, names are spelled as their owners spell them, \
    and a guess is called a guess. Nobody needs a long text for this: three or four sentences are usually enough, provided \
    that each of them tells the reader something which was not known before. If nothing was found, the honest answer is that \
    nothing was found, together with what was looked for and where. The weather, the price of bread, a new telephone or a \
    football match can all be treated in the same way, because the work is always to listen, to sort and to report.";

/// The reply to a request; `None` when it is not one of this mechanism.
pub fn reply(purpose: &str, request: &str, constants: &Constants) -> Option<String> {
    match purpose {
        QUERY_ANALYSIS => {
            let request: AnalysisRequest = serde_json::from_str(request).ok()?;
            analysis(&request.prompt, request.query_key)
        }
        RLHF => {
            let request: LogitRequest = serde_json::from_str(request).ok()?;
            // Rounded here, so that the record shows the number that counts.
            let logit = logit(&request.task, &request.completion) as f32;
            serde_json::to_string(&LogitReply { logit: Recorded(f64::from(logit)) }).ok()
        }
        PROMPT => {
            let request: MarkRequest = serde_json::from_str(request).ok()?;
            Some(mark(&request.task, &request.completion, constants.judge.best).to_string())
        }
        DPO => {
            let request: PreferenceRequest = serde_json::from_str(request).ok()?;
            let value = log_probability(&request.task, &request.completion, &constants.preference) as f32;
            let reply = PreferenceReply::Mean { log_probability: Recorded(f64::from(value)) };
            serde_json::to_string(&reply).ok()
        }
        _ => None,
    }
}

/// The analysis that the prompt's own words give, as a model would write it.
fn analysis(prompt: &str, key: QueryKey) -> Option<String> {
    #[derive(Serialize)]
    struct Parameters {
        query: String,
    }
    #[derive(Serialize)]
    struct Reply {
        #[serde(skip_serializing_if = "Option::is_none")]
        query_string: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        api_params: Option<Parameters>,
        keywords: Vec<String>,
        hashtags: Vec<String>,
        user_mentions: Vec<String>,
    }
    let QueryAnalysis { query, keywords, hashtags, user_mentions } = QueryAnalysis::of_words(prompt);
    let (query_string, api_params) = match key {
        QueryKey::QueryString => (Some(query), None),
        QueryKey::ApiParams => (None, Some(Parameters { query })),
    };
    serde_json::to_string(&Reply { query_string, api_params, keywords, hashtags, user_mentions }).ok()
}

/// What can be counted of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Counted {
    coverage: f64,
    length: f64,
    variety: f64,
}

fn counted(prompt: &str, completion: &str) -> Counted {
    let terms = QueryAnalysis::of_words(prompt).terms();
    let text = folded(completion);
    let hits = terms.iter().take(MAX_TERMS).filter(|term| mentions(&text, term)).count();
    let coverage = hits as f64 / terms.len().clamp(1, MAX_TERMS) as f64;
    let lowered = lower(completion);
    let words: Vec<&str> = split(&lowered).collect();
    let length = 1.0 - math::exp(-(words.len() as f64) / LENGTH_WORDS);
    let first = &words[..words.len().min(VARIETY_WORDS)];
    let distinct: BTreeSet<&&str> = first.iter().collect();
    let variety = if first.is_empty() { 0.0 } else { distinct.len() as f64 / first.len() as f64 };
    Counted { coverage, length, variety }
}

/// The stand-in for a sequence classifier's logit, from −5 to 5.
pub fn logit(prompt: &str, completion: &str) -> f64 {
    let Counted { coverage, length, variety } = counted(prompt, completion);
    5.0 * coverage + 3.0 * length + 2.0 * variety - 5.0
}

/// The stand-in for a language model's mark, from 0 to the best one.
pub fn mark(prompt: &str, completion: &str, best: f64) -> u8 {
    let Counted { coverage, length, variety } = counted(prompt, completion);
    // Shares sum to at most 1, and a mark is at most 10.
    math::round_half_even(best.min(10.0) * coverage * (0.5 + 0.25 * length + 0.25 * variety)) as u8
}

/// The stand-in for a language model's mean log-probability of an answer behind its prompt: letter pairs with one added to
/// each count, through the same penalty for repetitions, and with the same floor.
pub fn log_probability(prompt: &str, completion: &str, rule: &Preference) -> f64 {
    if !is_measurable(completion, rule) {
        return rule.floor;
    }
    let asked = symbols(prompt);
    let mut counts = [[1_u32; SYMBOLS]; SYMBOLS];
    let mut count = |text: &[u32], weight: u32| {
        for pair in text.windows(2) {
            let cell = &mut counts[pair[0] as usize][pair[1] as usize];
            *cell = cell.saturating_add(weight);
        }
    };
    count(&symbols(PAGE), 1);
    count(&asked, PROMPT_WEIGHT);
    let mut tokens = asked;
    tokens.push(SPACE);
    let before = tokens.len();
    tokens.extend(symbols(completion));
    tokens.truncate(CONTEXT_SYMBOLS as usize);
    let rows: Vec<Vec<f64>> = counts.iter().map(logits).collect();
    let logits: Vec<Vec<f64>> = tokens.iter().map(|symbol| rows[*symbol as usize].clone()).collect();
    let rule = Preference {
        maximum_tokens: CONTEXT_SYMBOLS,
        repeated_tokens: rule.repeated_tokens.saturating_mul(SYMBOLS_PER_TOKEN),
        ..rule.clone()
    };
    measure(&tokens, before, &logits, &rule).map_or(rule.floor, |measured| measured.reward)
}

fn logits(counts: &[u32; SYMBOLS]) -> Vec<f64> {
    let total = f64::from(counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count)));
    counts.iter().map(|count| math::ln(f64::from(*count) / total)).collect()
}

const SPACE: u32 = 26;
const OTHER: u32 = 27;

/// Letters without their case, one space for a run of white space, and one symbol for everything else.
fn symbols(text: &str) -> Vec<u32> {
    let mut out = Vec::new();
    for character in text.chars() {
        let symbol = match character.to_ascii_lowercase() {
            letter @ 'a'..='z' => u32::from(letter) - u32::from('a'),
            space if is_space(space) => SPACE,
            _ => OTHER,
        };
        if symbol != SPACE || out.last() != Some(&SPACE) {
            out.push(symbol);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::twitter::verdicts::{read_analysis, read_log_probability, read_logit, read_mark};
    use proptest::prelude::*;

    const ASKED: &str = "What are people saying about the SpaceX launch? #Starship";
    const GOOD: &str = "Two accounts report that the SpaceX launch moved to Friday because of wind; one of them posts a \
        picture of #Starship on its pad, and a third asks whether tickets for the beach stay valid.";
    const SPAM: &str = "Great question! Our premium garden furniture ships free this week.";

    #[test]
    fn answers_to_the_question_stand_above_spam_and_spam_above_nothing() {
        let rule = Constants::readme().preference;
        assert!(logit(ASKED, GOOD) > 2.0 && logit(ASKED, SPAM) < 0.0 && logit(ASKED, " ") == -5.0);
        assert!(mark(ASKED, GOOD, 10.0) >= 9);
        assert_eq!((mark(ASKED, SPAM, 10.0), mark(ASKED, "", 10.0)), (0, 0));
        let stuffed = "SpaceX launch ".repeat(80);
        assert!(logit(ASKED, GOOD) > logit(ASKED, &stuffed) && mark(ASKED, GOOD, 10.0) > mark(ASKED, &stuffed, 10.0));
        let likely = |text: &str| log_probability(ASKED, text, &rule);
        assert!(likely(GOOD) > likely("xqzv kkwq jzzx vvbq qqqx"), "{} {}", likely(GOOD), likely("xqzv kkwq"));
        assert!(likely(GOOD) > likely(&"the launch of the ship ".repeat(8)));
        assert_eq!([likely("short"), likely(""), likely("        ")], [-11.0; 3]);
        assert_eq!(log_probability(&"long prompt ".repeat(300), GOOD, &rule), -11.0);
    }

    #[test]
    fn verdicts_of_recorded_rounds_stay_what_they_are() {
        let constants = Constants::readme();
        let both = r#""task":"rain in Oslo?","completion":"Rain again in Oslo, says one tweet; rain until Friday.""#;
        let ask = |purpose: &str, more: &str| reply(purpose, &format!("{{{both}{more}}}"), &constants).unwrap();
        assert_eq!(ask(RLHF, ""), r#"{"logit":2.463597536087036}"#);
        assert_eq!(ask(PROMPT, r#","system":"","user":"","maximum_tokens":2"#), "8");
        assert_eq!(
            ask(DPO, r#","context_tokens":8192,"repeated_tokens":5"#),
            r#"{"log_probability":-2.662883758544922}"#
        );
    }

    #[test]
    fn replies_have_the_form_of_a_models() {
        for constants in [Constants::readme(), Constants::v2_5_9(), Constants::assay_1()] {
            let ask = |purpose: &str, request: &str| reply(purpose, request, &constants);
            let request = serde_json::to_string(&AnalysisRequest::new(ASKED, &constants.analysis)).unwrap();
            let found = ask(QUERY_ANALYSIS, &request).unwrap();
            let read = read_analysis(found.as_bytes(), &constants.analysis).unwrap();
            let own = QueryAnalysis::of_words(ASKED);
            assert_eq!((&read.keywords, &read.hashtags), (&own.keywords, &own.hashtags));
            assert!(read.query.contains("SpaceX OR launch"), "{}", read.query);
            let request = LogitRequest { task: ASKED.to_owned(), completion: GOOD.to_owned() };
            let found = ask(RLHF, &serde_json::to_string(&request).unwrap()).unwrap();
            assert_eq!(read_logit(found.as_bytes()), Ok(logit(ASKED, GOOD) as f32));
            for purpose in [QUERY_ANALYSIS, PROMPT, DPO, "other"] {
                assert_eq!(ask(purpose, &serde_json::to_string(&request).unwrap()), None, "{purpose}");
            }
            assert_eq!(read_mark(b"9", &constants), 0.9);
            let of = |text: &str| log_probability(ASKED, text, &constants.preference) as f32;
            assert_eq!(
                read_log_probability(format!(r#"{{"log_probability":{}}}"#, of(GOOD)).as_bytes(), &constants),
                Ok(of(GOOD))
            );
        }
    }

    proptest! {
        #[test]
        fn verdicts_are_bounded(prompt in "\\PC{0,80}", answer in "\\PC{0,200}") {
            let rule = Constants::assay_1().preference;
            prop_assert!((-5.0..=5.0).contains(&logit(&prompt, &answer)));
            prop_assert!(mark(&prompt, &answer, 10.0) <= 10);
            let likely = log_probability(&prompt, &answer, &rule);
            prop_assert!(likely.is_finite() && likely <= 0.0, "{}", likely);
        }
    }
}
