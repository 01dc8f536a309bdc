//! Penalties: shares of the reward that an answer loses (spec 2.7).
//!
//! Each penalty is clipped to [0, 1] and to its maximum; what is left, `1 − penalty`, is multiplied into the reward. They are
//! computed for all responses, failed ones too.

use super::Error;
use super::analysis::{QueryAnalysis, mentions};
use super::constants::{AccuracyShares, Penalties};
use super::criteria::{Criterion, total};
use super::numbers::{self, Real};
use crate::text::ignore_case::{Step, contains, folded, matches_phrase};
use crate::text::{lower, strip};

/// One penalty of all responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalty<R> {
    /// As calculated.
    pub raw: Vec<R>,
    /// Clipped to [0, 1] and to the maximum.
    pub adjusted: Vec<R>,
    /// What the reward is multiplied with.
    pub applied: Vec<R>,
}

/// Clips raw penalties and turns them into factors.
pub fn adjusted<R: Real>(raw: Vec<R>, maximum: f64) -> Penalty<R> {
    let (zero, one) = (R::near(0.0), R::near(1.0));
    let clipped = |x: &R| numbers::clip(numbers::clip(*x, zero, one), zero, R::near(maximum));
    let adjusted: Vec<R> = raw.iter().map(clipped).collect();
    let applied = adjusted.iter().map(|penalty| one - *penalty).collect();
    Penalty { raw, adjusted, applied }
}

/// The penalty for missing the task's criteria.
///
/// # Errors
/// A criterion that cannot be computed.
pub fn task_validation<R: Real>(criteria: &[Criterion], answers: &[&str], maximum: f64) -> Result<Penalty<R>, Error> {
    Ok(adjusted(total(criteria, answers)?, maximum))
}

/// The penalty for missing what the query asks for: a share for each list with terms of which the answer has none.
///
/// A keyword is looked for as it is, a hashtag behind `#`, a mention behind `@`, all ignoring case, as substrings or where words
/// begin. One hit is enough of hashtags and of mentions, and as many keywords as the rule asks for.
pub fn accuracy<R: Real>(analysis: &QueryAnalysis, answers: &[&str], rule: &Penalties) -> Penalty<R> {
    let lists =
        [(&analysis.keywords, "", rule.keyword_hits), (&analysis.hashtags, "#", 1), (&analysis.user_mentions, "@", 1)]
            .into_iter()
            .map(|(terms, prefix, hits)| (patterns(terms, prefix, rule), hits))
            .filter(|(patterns, _)| !patterns.is_empty());
    let lists: Vec<(Vec<String>, u64)> = lists.collect();
    let shares = match rule.accuracy_shares {
        AccuracyShares::Three => 3.0,
        AccuracyShares::ListsWithTerms => lists.len().max(1) as f64,
    };
    let raw = |answer: &&str| {
        let text = folded(answer);
        let has = |pattern: &&String| {
            if rule.inside_words { contains(&text, pattern) } else { mentions(&text, pattern) }
        };
        let missed = lists.iter().filter(|(patterns, hits)| {
            let needed = usize::try_from(*hits).unwrap_or(usize::MAX).min(patterns.len().div_ceil(2));
            patterns.iter().filter(has).take(needed).count() < needed
        });
        let charged = missed.fold(0.0, |total, _| total + rule.accuracy / shares);
        R::near(charged)
    };
    adjusted(answers.iter().map(raw).collect(), rule.accuracy)
}

fn patterns(terms: &[String], prefix: &str, rule: &Penalties) -> Vec<String> {
    let given = |term: &&String| rule.empty_term_matches || !strip(term.trim_start_matches(prefix)).is_empty();
    let pattern = |term: &String| {
        if !rule.prefix_always && !prefix.is_empty() && term.starts_with(prefix) {
            term.clone()
        } else {
            format!("{prefix}{term}")
        }
    };
    // `trim_start_matches` of an empty prefix takes nothing away.
    terms.iter().filter(given).map(pattern).collect()
}

/// How many keywords an answer has under the rule, and how many it has only inside of other words.
pub fn keyword_hits(analysis: &QueryAnalysis, answer: &str, rule: &Penalties) -> (u64, u64) {
    let text = folded(answer);
    let (mut found, mut inside) = (0, 0);
    for pattern in patterns(&analysis.keywords, "", rule).iter().filter(|pattern| contains(&text, pattern)) {
        let as_a_word = mentions(&text, pattern);
        found += u64::from(rule.inside_words || as_a_word);
        inside += u64::from(!as_a_word);
    }
    (found, inside)
}

/// How many hashtags and mentions carry their sign already, so that it is doubled where it is always put.
pub fn signed_terms(analysis: &QueryAnalysis) -> u64 {
    let signed = |terms: &[String], sign| terms.iter().filter(|term| term.starts_with(sign)).count() as u64;
    signed(&analysis.hashtags, '#') + signed(&analysis.user_mentions, '@')
}

/// How many terms are empty but for their sign.
pub fn empty_terms(analysis: &QueryAnalysis) -> u64 {
    let lists = [(&analysis.keywords, ""), (&analysis.hashtags, "#"), (&analysis.user_mentions, "@")];
    let empty = |(terms, sign): (&Vec<String>, &str)| {
        terms.iter().filter(|term| strip(term.trim_start_matches(sign)).is_empty()).count() as u64
    };
    lists.into_iter().map(empty).sum()
}

/// Labels of a kind of text, in lower case.
const SUMMARY: [&str; 4] = ["summary:", "paraphrase:", "paraphrasing:", "paraphrased:"];
const QUESTION: [&str; 3] = ["question:", "query:", "q:"];
const ANSWER: [&str; 4] = ["answer:", "response:", "a:", "completion:"];

/// How the ancestor separates the parts of its own prompts; an answer with one copies its context.
const SEPARATORS: [&[Step]; 3] = [
    &[Step::Hashes, Step::DigitsOrSpaces, Step::Text("question"), Step::DigitsOrSpaces, Step::Text(":")],
    &[
        Step::Text("f\"\\n"),
        Step::Hashes,
        Step::DigitsOrSpaces,
        Step::Text("answer"),
        Step::DigitsOrSpaces,
        Step::Text(":"),
    ],
    &[Step::Hashes, Step::DigitsOrSpaces, Step::Text("summary"), Step::DigitsOrSpaces, Step::Text("context:")],
];

/// The ancestor's keyword penalty: 1 for an answer that has the label of another kind of task, else 0. The labels are
/// substrings, so that `Data: a` has the label `A:`.
pub fn keyword_match(task: &str, answer: &str) -> f64 {
    let lowered = lower(answer);
    let has = |labels: &[&str]| labels.iter().any(|label| lowered.contains(label));
    let (summary, question, reply) = (task == "augment", task.starts_with("followup"), task.starts_with("answer"));
    let charged = (summary || question) && has(&ANSWER)
        || (summary || reply) && has(&QUESTION)
        || !summary && has(&SUMMARY)
        || SEPARATORS.iter().any(|steps| matches_phrase(&folded(answer), steps));
    f64::from(u8::from(charged))
}

/// Stock phrases of models that answer the prompt instead of the task, as upstream's patterns have them.
#[rustfmt::skip]
const STOCK: [&[Step]; 20] = {
    use Step::{MaybeSpaces as M, Rest, Spaces as S, Text as T, Word};
    [
        &[T("here"), S, T("is"), S, T("a"), S, T("task")],
        &[T("here"), M, T("'s"), S, T("a"), S, T("task")],
        &[T("here"), S, T("is"), S, T("the"), S, T("solution")],
        &[T("here"), M, T("'s"), S, T("the"), S, T("solution")],
        &[T("here"), S, T("is"), S, T("my"), S, T("question")],
        &[T("here"), M, T("'s"), S, T("my"), S, T("question")],
        &[T("what"), S, T("have"), S, T("we"), S, T("learned"), S, T("from"), S, T("this"), S, T("task?")],
        &[T("use"), S, T("complete"), S, T("sentences")],
        &[T("the"), S, T("question"), S, T("was")],
        &[T("use"), S, T("proper"), S, T("grammar")],
        &[T("what"), S, T("is"), S, T("the"), S, T("correct"), S, T("order"), S, T("of"), S, T("the"), S, T("key"), S,
          T("points")],
        &[T("sure!"), S, T("her"), Rest],
        &[T("solution"), S, T("(in"), S, Word, T(")")],
        &[T("great"), S, T("job!"), S, T("here's")],
        &[T("great"), S, T("job!"), S, T("here is")],
        &[T("keep"), S, T("it"), S, T("clear"), S, T("and"), S, T("concise"), Rest, S, T("use"), S, T("complete"), S,
          T("sentences"), Rest],
        &[T("task"), M, T(":i"), S, T("can"), S, T("help"), S, T("you"), S, T("with")],
        &[T("what"), S, T("did"), S, T("i"), S, T("learn"), S, T("today"), M, T("?")],
        &[T("paraphrase"), M, T(":")],
        &[T("what"), S, T("is"), S, T("the"), S, T("main"), S, T("point"), S, T("of"), S, T("the"), S, T("passage")],
    ]
};

/// Which patterns of [`STOCK`] are two spellings of one phrase, which is charged once.
const SAME_PHRASE: [(usize, usize); 4] = [(0, 1), (2, 3), (4, 5), (13, 14)];

/// One more phrase, too long for a table of short ones.
const TWEET: &str = "your task now is to write a tweet about the previous text";

/// The ancestor's content penalty: 0.1 for each stock phrase in the first 200 characters of the trimmed answer, in double
/// precision. Its maximum is 0.2.
pub fn content_match(answer: &str) -> f64 {
    let start: String = strip(answer).chars().take(200).collect();
    let text = folded(&lower(&start));
    let tweet: Vec<&'static str> = TWEET.split(' ').collect();
    let mut steps = Vec::new();
    for word in tweet {
        if !steps.is_empty() {
            steps.push(Step::Spaces);
        }
        steps.push(Step::Text(word));
    }
    let found: Vec<bool> = STOCK.iter().map(|steps| matches_phrase(&text, steps)).collect();
    let second = |at: usize| SAME_PHRASE.iter().any(|(first, second)| *second == at && found[*first]);
    let count = (0..found.len()).filter(|at| found[*at] && !second(*at)).count();
    let count = count + usize::from(matches_phrase(&text, &steps));
    (0..count).fold(0.0, |total, _| total + 0.1)
}

#[cfg(test)]
#[path = "penalty_tests.rs"]
mod tests;
