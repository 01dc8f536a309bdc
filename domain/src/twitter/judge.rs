//! The prompt reward: a language model marks an answer from 0 to 10, and its reply is read (spec 2.3; codes of later
//! versions: spec 3).
//!
//! The reply is evidence; composing the request and reading the reply are pure. Miners' texts stand between tags of the
//! template and must not close them. Upstream deletes the tags' names from the texts as bare words, in the order of a set
//! that changes with each process, so that ordinary words vanish and results differ: here that order is drawn.

use super::constants::{Judge, Sanitising};
use crate::draw::Stream;
use crate::text::ignore_case::{contains, folded};
use crate::text::{is_space, is_word, strip};

/// What is marked. Upstream's names must be equal to be known: `followup0` is none and earns 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A summary of a context.
    Augment,
    /// A question about a context.
    Followup,
    /// An answer to a question.
    Answer,
}

const AUGMENT: &str = "Mark from 0 to 10 how well the summary covers what matters in the context. Reply with the number \
only.\n\n<Context>\nThe ferry was late on Monday because of fog; on Tuesday it left on time.\n</Context>\n\n<Summary>\nFog \
delayed Monday's ferry. Tuesday's was on time.\n</Summary>\n\n<Score>9</Score>\n\n<Context>\nThe bakery opens at six. Rye \
sells out first.\n</Context>\n\n<Summary>\nI like trains.\n</Summary>\n\n<Score>0</Score>\n\n<Context>\n{}\n</Context>\n\n\
<Summary>\n{}\n</Summary>\n\n<Score>";
const FOLLOWUP: &str = "Mark from 0 to 10 how relevant and how searching the question is for the context. Reply with the \
number only.\n\n<Context>\nThe reservoir stands at half of last year's level.\n</Context>\n\n<Question>\nWhich towns draw \
their water from it, and how long would half last?\n</Question>\n\n<Score>9</Score>\n\n<Context>\n{}\n</Context>\n\n\
<Question>\n{}\n</Question>\n\n<Score>";
const ANSWER: &str = "Mark from 0 to 10 how correct and how complete the answer to the question is. Reply with the number \
only.\n\n<Question>\nWhy is the sky dark at night?\n</Question>\n\n<Answer>\nThe Sun is below the horizon, so that no \
sunlight is scattered towards us.\n</Answer>\n\n<Score>8</Score>\n\n<Question>\n{}\n</Question>\n\n<Answer>\n{}\n</Answer>\
\n\n<Score>";

impl Task {
    /// The task of exactly this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "augment" => Some(Self::Augment),
            "followup" => Some(Self::Followup),
            "answer" => Some(Self::Answer),
            _ => None,
        }
    }

    /// The template with two slots `{}`.
    pub fn template(self) -> &'static str {
        match self {
            Self::Augment => AUGMENT,
            Self::Followup => FOLLOWUP,
            Self::Answer => ANSWER,
        }
    }

    /// The whole request: the template with both texts sanitised and put in. `stream` gives the order where it is drawn
    /// (label it with the challenge's attempt and what is judged).
    pub fn request(self, first: &str, second: &str, rule: Sanitising, stream: &mut Stream) -> String {
        let mut tags = tags(self.template());
        if rule == Sanitising::NamesInDrawnOrder {
            shuffle(&mut tags, stream);
        }
        let clean = |text: &str| match rule {
            Sanitising::NamesInDrawnOrder => without_names(text, &tags),
            Sanitising::Tags => without_tags(text, &tags),
        };
        let mut parts = self.template().split("{}");
        let mut request = parts.next().unwrap_or_default().to_owned();
        for (text, rest) in [first, second].into_iter().zip(parts) {
            request.push_str(&clean(text));
            request.push_str(rest);
        }
        request
    }
}

/// `<([^>]*)>`: the distinct names between angle brackets, sorted.
pub fn tags(template: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((name, next)) = after.split_once('>') else { break };
        found.push(name);
        rest = next;
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn shuffle(names: &mut [&str], stream: &mut Stream) {
    for at in (1..names.len()).rev() {
        let other = stream.below(at as u64 + 1) as usize;
        names.swap(at, other);
    }
}

/// Deletes each name wherever it stands, one name after the other.
pub fn without_names(text: &str, names: &[&str]) -> String {
    names.iter().fold(text.to_owned(), |text, name| if name.is_empty() { text } else { text.replace(name, "") })
}

/// Deletes `<name>` until none is left, also those that a deletion makes.
pub fn without_tags(text: &str, names: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        out.push(character);
        if character != '>' {
            continue;
        }
        let tag = names.iter().find_map(|name| {
            let open = out.strip_suffix('>')?.strip_suffix(name)?.strip_suffix('<')?;
            Some(open.len())
        });
        if let Some(length) = tag {
            out.truncate(length);
        }
    }
    out
}

/// `\b([0-9]|10)\b`: the first such number of a text.
pub fn first_mark(text: &str) -> Option<u8> {
    let text: Vec<char> = text.chars().collect();
    let word = |at: usize| text.get(at).is_some_and(|c| is_word(*c));
    (0..text.len()).find_map(|at| {
        if at > 0 && word(at - 1) {
            return None;
        }
        mark_at(&text, at).filter(|(_, end)| !word(*end)).map(|(mark, _)| mark)
    })
}

/// `[0-9]|10` followed by no word character: a digit, or 10 when the digit alone does not end there.
fn mark_at(text: &[char], at: usize) -> Option<(u8, usize)> {
    let first = text.get(at).and_then(|c| c.to_digit(10))?;
    let ten = first == 1 && text.get(at + 1) == Some(&'0');
    Some(if ten { (10, at + 2) } else { (first as u8, at + 1) })
}

/// Codes of later versions and their marks, in the order in which they are looked for.
pub const CODES: [(&str, u8); 6] =
    [("SM_SCS_RDD", 0), ("SM_SCS_PNK", 2), ("SM_SCS_BLE", 5), ("SM_SCS_GRY", 8), ("SM_SCS_YAL", 9), ("SM_SCS_GRN", 10)];

/// The mark of a reply in later versions: of the first code of the list that it has, else its first number, else 0.
pub fn coded_mark(reply: &str) -> u8 {
    let code = CODES.iter().find(|(code, _)| reply.contains(code)).map(|(_, mark)| *mark);
    code.or_else(|| first_mark(reply)).unwrap_or(0)
}

/// The mark of a link's description in later versions: `score[:\s]*([0-9]|10)` ignoring case, which reads `Score: 10` as 1,
/// else the first number, else 0.
pub fn link_mark(reply: &str) -> u8 {
    let text = folded(reply);
    let separator = |c: &&char| **c == ':' || is_space(**c);
    let labelled = (0..text.len()).find_map(|at| {
        let end = crate::text::ignore_case::literal_at(&text, at, "score")?;
        let number = end + text[end..].iter().take_while(separator).count();
        text.get(number).and_then(|c| c.to_digit(10))
    });
    labelled.map(|digit| digit as u8).or_else(|| first_mark(reply)).unwrap_or(0)
}

/// Upstream's list of what an answer must not contain in later versions. It lacks the code `YAL`.
#[rustfmt::skip]
const TAMPERING: [&str; 23] = [
    "<Question>", "</Question>", "<Answer>", "</Answer>", "<Score>", "</Score>", "----", "SM_SCS_RDD", "SM_SCS_PNK",
    "SM_SCS_BLE", "SM_SCS_GRY", "SM_SCS_GRN", "SM-SCS-RDD", "SM-SCS-PNK", "SM-SCS-BLE", "SM-SCS-GRY", "SM-SCS-GRN",
    "SM SCS RDD", "SM SCS PNK", "SM SCS BLE", "SM SCS GRY", "SM SCS GRN", "SM RDD",
];

/// Whether an answer speaks to the judge instead of the reader; later versions count it as failed.
pub fn tampers(answer: &str) -> bool {
    let text = folded(answer);
    TAMPERING.iter().any(|pattern| contains(&text, pattern))
}

/// The mark that a reply gives under a rule set; `None` when it gives none.
///
/// With `whole_reply` nothing but the number may be said, so that a judge that was talked into a conversation marks nothing.
pub fn mark(reply: &str, rule: &Judge) -> Option<u8> {
    let found = if rule.whole_reply {
        let only: Vec<char> = strip(reply).chars().collect();
        mark_at(&only, 0).filter(|(_, end)| *end == only.len()).map(|(mark, _)| mark)
    } else {
        first_mark(reply)
    };
    found.filter(|mark| f64::from(*mark) <= rule.best)
}

/// Whether a reply says more than a mark, of which its first number is one.
pub fn says_more_than_a_mark(reply: &str) -> bool {
    let mark = |whole_reply| mark(reply, &Judge { best: 10.0, whole_reply, sanitising: Sanitising::Tags });
    mark(false).is_some() && mark(true).is_none()
}

/// How many words of an answer upstream's cleaning deletes though they are no tags: names of the template's tags, which are
/// ordinary words.
pub fn template_words(answer: &str) -> u64 {
    let tags = tags(Task::Augment.template());
    let left = without_tags(answer, &tags);
    tags.iter().filter(|name| !name.starts_with('/')).map(|name| left.matches(name).count() as u64).sum()
}

/// The raw prompt reward, in [0, 1]: the mark over the best one; 0 for an unknown task or no mark.
pub fn reward(task: &str, reply: &str, rule: &Judge) -> f64 {
    match Task::named(task) {
        Some(_) => mark(reply, rule).map_or(0.0, |mark| f64::from(mark) / rule.best),
        None => 0.0,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
