//! What captions of both kinds share: blocks, times, and how cues become the lines of a conversation.
//!
//! A cue is a piece of the screen, not a sentence. Pieces of one speaker are joined until a sentence ends, two seconds pass or
//! a line is long enough. Captions that roll (each cue shows the line before again) are told by their repetitions, which are
//! taken out. Who is not named is not told apart: words without a name belong to whoever was named last.

use std::collections::BTreeMap;

use crate::conversation::{Conversation, Draft, Source};
use crate::error::Error;
use crate::text;

/// Cues of a file at most.
const MAX_CUES: usize = 100_000;
/// A pause after which a new line begins, in ms.
const PAUSE: u64 = 2000;
/// Bytes from which on a line is long enough.
const LONG: usize = 400;
/// Words of a name that stands before a colon, at most.
const NAME_WORDS: usize = 4;
/// Bytes of such a name at most.
const NAME_BYTES: usize = 40;
/// How often a name must stand before a colon to be one: "Note: …" happens once.
const NAME_TIMES: usize = 2;

/// Lines between empty ones.
pub(crate) struct Block<'a> {
    pub(crate) lines: Vec<(u64, &'a str)>,
}

/// The blocks of a text.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut lines = text::lines(text);
    std::iter::from_fn(move || {
        let mut block: Vec<(u64, &str)> = Vec::new();
        for (number, line) in lines.by_ref() {
            if !line.trim().is_empty() {
                block.push((number, line));
            } else if !block.is_empty() {
                break;
            }
        }
        (!block.is_empty()).then_some(Block { lines: block })
    })
}

/// A piece of speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) speaker: Option<String>,
    pub(crate) text: String,
}

/// What is shown from one moment to another, in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) line: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) said: Vec<Said>,
}

/// The times of `start --> end …`; `point` separates the milliseconds.
pub(crate) fn times(file: &str, line: u64, content: &str, points: &[char]) -> Result<(u64, u64), Error> {
    let problem = |field: &str, problem: &str| Error::Field {
        file: file.to_owned(),
        line,
        field: field.to_owned(),
        problem: problem.to_owned(),
    };
    let (start, rest) = content.split_once("-->").ok_or_else(|| problem("times", "no arrow"))?;
    let end = rest.split_whitespace().next().unwrap_or_default();
    let start = time(start.trim(), points).map_err(|what| problem("start", what))?;
    let end = time(end, points).map_err(|what| problem("end", what))?;
    if end < start {
        return Err(problem("end", "before the start"));
    }
    Ok((start, end))
}

/// `hours:minutes:seconds.milliseconds` in ms; without hours, too.
fn time(text: &str, points: &[char]) -> Result<u64, &'static str> {
    const FORM: &str = "not a time of the form 00:00:00.000";
    let number = |digits: &str, from: usize, to: usize| {
        let fits = (from..=to).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| digits.parse::<u64>().ok()).flatten().ok_or(FORM)
    };
    let (clock, milliseconds) = text.split_once(points).ok_or(FORM)?;
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes, seconds] => (number(hours, 1, 4)?, number(minutes, 2, 2)?, number(seconds, 2, 2)?),
        [minutes, seconds] => (0, number(minutes, 2, 2)?, number(seconds, 2, 2)?),
        _ => return Err(FORM),
    };
    if minutes > 59 || seconds > 59 {
        return Err("minutes and seconds go to 59");
    }
    Ok(((hours * 60 + minutes) * 60 + seconds) * 1000 + number(milliseconds, 3, 3)?)
}

/// Keeps the number of cues within its limit.
pub(crate) fn push(file: &str, cues: &mut Vec<Cue>, cue: Cue) -> Result<(), Error> {
    if cues.len() >= MAX_CUES {
        let problem = format!("more than {MAX_CUES} cues");
        return Err(Error::Line { file: file.to_owned(), line: cue.line, problem });
    }
    cues.push(cue);
    Ok(())
}

/// The conversation that cues show, in order of their times; none if nobody says anything.
pub(crate) fn conversation(file: &str, mut cues: Vec<Cue>, source: Source) -> Result<Option<Conversation>, Error> {
    cues.sort_by_key(|cue| cue.start);
    unroll(&mut cues);
    let names = names(&cues);
    let mut draft = Draft::default();
    let mut open: Option<Open> = None;
    let mut speaker = String::new();
    for cue in &cues {
        for said in cue.said.iter().filter(|said| !is_sound(&said.text)) {
            let (name, text) = match (&said.speaker, name(&said.text)) {
                (Some(name), _) => (Some(name.as_str()), said.text.as_str()),
                (None, Some((name, rest))) if names.contains_key(name) => (Some(name), rest),
                _ => (None, said.text.as_str()),
            };
            let dash = text.starts_with("- ") || text.starts_with(">>");
            let text = text.trim_start_matches(['-', '>', ' ']);
            let turn = dash || name.is_some_and(|name| name != speaker);
            if let Some(name) = name {
                name.clone_into(&mut speaker);
            }
            match &mut open {
                Some(open) if !turn && open.goes_on(cue.start) => open.add(text, cue.end),
                _ => {
                    finish(file, &mut draft, open.take())?;
                    open = Some(Open { line: cue.line, speaker: speaker.clone(), text: text.to_owned(), end: cue.end });
                }
            }
        }
    }
    finish(file, &mut draft, open)?;
    Ok(draft.finish(None, source))
}

fn finish(file: &str, draft: &mut Draft, open: Option<Open>) -> Result<(), Error> {
    let Some(open) = open else { return Ok(()) };
    draft.say(&open.speaker, &open.text).map_err(|(field, problem)| Error::Field {
        file: file.to_owned(),
        line: open.line,
        field: field.to_owned(),
        problem,
    })
}

/// A line that may go on in the next cue.
struct Open {
    line: u64,
    speaker: String,
    text: String,
    end: u64,
}

impl Open {
    fn goes_on(&self, start: u64) -> bool {
        let closed = self.text.trim_end().trim_end_matches(['"', '\'', '”', '’', ')', ']']);
        !closed.ends_with(['.', '!', '?', '…', '。', '！', '？'])
            && self.text.len() < LONG
            && start.saturating_sub(self.end) <= PAUSE
    }

    fn add(&mut self, text: &str, end: u64) {
        self.text.push(' ');
        self.text.push_str(text);
        self.end = self.end.max(end);
    }
}

/// Takes out what each cue repeats of the one before, if at least a third of the cues do: then the captions roll. Fewer may be
/// people who say a thing twice.
fn unroll(cues: &mut [Cue]) {
    let last = |cue: &Cue| cue.said.last().map(|said| said.text.clone());
    let repeats: Vec<bool> = cues
        .windows(2)
        .map(|pair| match pair {
            [before, cue] => cue.start <= before.end + 50 && last(before).is_some_and(|text| starts_with(cue, &text)),
            _ => false,
        })
        .collect();
    let repeated = repeats.iter().filter(|repeats| **repeats).count();
    if repeated < 2 || repeated * 3 < repeats.len() {
        return;
    }
    for (cue, repeats) in cues.iter_mut().skip(1).zip(repeats) {
        if repeats {
            cue.said.remove(0);
        }
    }
}

fn starts_with(cue: &Cue, text: &str) -> bool {
    cue.said.first().is_some_and(|said| said.text == text)
}

/// Names that stand before a colon often enough.
fn names(cues: &[Cue]) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for said in cues.iter().flat_map(|cue| &cue.said).filter(|said| said.speaker.is_none()) {
        if let Some((name, _)) = name(&said.text) {
            *names.entry(name).or_insert(0) += 1;
        }
    }
    names.retain(|_, times| *times >= NAME_TIMES);
    names
}

/// What may be a name before a colon, and the rest: one to four words that begin with a capital letter or a digit.
fn name(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.trim_start_matches(['-', '>', ' ']).split_once(": ")?;
    let words: Vec<&str> = name.split(' ').collect();
    let is_word = |word: &&str| {
        word.starts_with(|first: char| first.is_uppercase() || first.is_ascii_digit())
            && word.chars().all(|character| character.is_alphanumeric() || ".'’-_".contains(character))
    };
    let fits = name.len() <= NAME_BYTES && words.len() <= NAME_WORDS && words.iter().all(is_word);
    (fits && name.contains(char::is_alphabetic)).then_some((name, rest))
}

/// Whether a text is no speech: `[Music]`, `(applause)`, `♪ … ♪`.
fn is_sound(text: &str) -> bool {
    let text = text.trim_matches([' ', '-', '>']);
    let within = |open: char, close: char| {
        let inside = text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
        inside.is_some_and(|inside| !inside.contains([open, close]))
    };
    text.is_empty() || within('[', ']') || within('(', ')') || text.starts_with('♪')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn times_are_read_or_said_to_be_bad() {
        let read = |text: &str| times("f", 7, text, &['.', ',']).map_err(|error| error.to_string());
        assert_eq!(read("00:01.500 --> 01:02:03,004 align:start"), Ok((1500, 3_723_004)));
        assert_eq!(read("9999:00:00.000 --> 9999:59:59.999"), Ok((35_996_400_000, 35_999_999_999)));
        for (text, expected) in [
            ("00:01.500 -> 00:02.000", "f, line 7, times: no arrow"),
            ("00:01.500 -->", "f, line 7, end: not a time of the form 00:00:00.000"),
            ("1.500 --> 00:02.000", "f, line 7, start: not a time of the form 00:00:00.000"),
            ("00:01 --> 00:02.000", "f, line 7, start: not a time of the form 00:00:00.000"),
            ("00:01.50 --> 00:02.000", "f, line 7, start: not a time of the form 00:00:00.000"),
            ("-1:00:01.500 --> 00:02.000", "f, line 7, start: not a time of the form 00:00:00.000"),
            ("99999999999999999999:00:01.500 --> 00:02.000", "f, line 7, start: not a time of the form 00:00:00.000"),
            ("00:60:01.500 --> 00:02.000", "f, line 7, start: minutes and seconds go to 59"),
            ("00:03.500 --> 00:02.000", "f, line 7, end: before the start"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
    }

    fn cue(start: u64, end: u64, texts: &[&str]) -> Cue {
        let said = texts.iter().map(|text| Said { speaker: None, text: (*text).to_owned() }).collect();
        Cue { line: start, start, end, said }
    }

    fn lines(cues: Vec<Cue>) -> Vec<(u32, String)> {
        let found = conversation("f", cues, Source::Podcast).unwrap().unwrap();
        found.lines.into_iter().map(|line| (line.speaker(), line.text().to_owned())).collect()
    }

    #[test]
    fn pieces_become_sentences() {
        let found = lines(vec![
            cue(0, 1000, &["The kettle", "is on,"]),
            cue(1000, 2000, &["I think."]),
            cue(2000, 3000, &["[Music]", "Good"]),
            cue(5001, 6000, &["after a pause"]),
            cue(6000, 7000, &["- somebody else"]),
        ]);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["The kettle is on, I think.", "Good", "after a pause", "somebody else"]);
        let long = "word ".repeat(80);
        assert_eq!(lines(vec![cue(0, 1, &[&long]), cue(1, 2, &["next"])]).len(), 2);
    }

    #[test]
    fn a_name_before_a_colon_counts_when_it_comes_again() {
        let found = lines(vec![
            cue(0, 1, &["MARY ANN: Note: the tide is out."]),
            cue(1, 2, &["Joe: Is it?"]),
            cue(2, 3, &["MARY ANN: It is."]),
            cue(3, 4, &["Look there."]),
            cue(4, 5, &["Warning: mud."]),
            cue(5, 6, &["Joe: Ten to one: mud it is."]),
        ]);
        let expected = [
            (0, "Note: the tide is out."),
            (1, "Is it?"),
            (0, "It is."),
            (0, "Look there."),
            (0, "Warning: mud."),
            (1, "Ten to one: mud it is."),
        ];
        assert_eq!(found, expected.map(|(who, what)| (who, what.to_owned())));
    }

    #[test]
    fn captions_that_roll_say_everything_once_and_people_may_repeat_themselves() {
        let rolling = vec![
            cue(0, 2000, &["we walked along"]),
            cue(2000, 4000, &["we walked along", "the harbour wall"]),
            cue(4000, 6000, &["the harbour wall", "until it rained."]),
        ];
        assert_eq!(lines(rolling), [(0, "we walked along the harbour wall until it rained.".to_owned())]);
        let people = vec![
            cue(0, 1, &["Yes."]),
            cue(1, 2, &["Yes."]),
            cue(2, 3, &["What?"]),
            cue(3, 4, &["Now."]),
            cue(4, 5, &["Go."]),
        ];
        assert_eq!(lines(people).len(), 5);
    }

    #[test]
    fn overlapping_cues_come_in_order_of_their_start() {
        let found = lines(vec![cue(900, 3000, &["Second."]), cue(0, 5000, &["First."]), cue(900, 1000, &["Third."])]);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["First.", "Second.", "Third."]);
    }

    #[test]
    fn cues_have_a_limit() {
        let mut cues = vec![cue(0, 1, &["a"]); MAX_CUES];
        let error = push("f", &mut cues, cue(3, 4, &["a"])).unwrap_err();
        assert_eq!(error.to_string(), "f, line 3: more than 100000 cues");
    }
}
