//! Which answers share a judgement, and which judgements share a batch file (spec 2.2).
//!
//! A *line* is one request to the judge, a *file* is one batch job. Answers are taken in order of uid. The 13th line of a
//! file is upstream's: the open group is closed as one more line before a new file begins.

use super::constants::Judge;
use super::tokens::TokenRule;

/// One request to the judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1 in each file.
    pub number: usize,
    /// Places of the answers in the list that was given.
    pub members: Vec<usize>,
    /// The answers as the judge sees them: cut to the limit.
    pub texts: Vec<&'a str>,
    /// Their tokens together.
    pub tokens: usize,
}

impl Line<'_> {
    /// The identifier that the request carries in its file; it repeats across files.
    #[must_use]
    pub fn identifier(&self, request: &str) -> String {
        format!("{request}_{}", self.number)
    }
}

/// One batch job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File<'a> {
    /// Its requests.
    pub lines: Vec<Line<'a>>,
}

impl<'a> File<'a> {
    fn close(&mut self, open: &mut Group<'a>) {
        let group = std::mem::take(open);
        if !group.members.is_empty() {
            let number = self.lines.len() + 1;
            self.lines.push(Line { number, members: group.members, texts: group.texts, tokens: group.tokens });
        }
    }
}

#[derive(Default)]
struct Group<'a> {
    members: Vec<usize>,
    texts: Vec<&'a str>,
    tokens: usize,
}

/// Groups answers into lines and files. Missing and empty answers are left out.
pub fn files<'a>(answers: &[Option<&'a str>], rule: &Judge, tokens: &dyn TokenRule) -> Vec<File<'a>> {
    let mut files = Vec::new();
    let mut file = File::default();
    let mut open = Group::default();
    let file_limit = rule.lines_per_file.map_or(usize::MAX, |limit| limit as usize);
    let line_limit = rule.answers_per_line.map_or(usize::MAX, |limit| limit as usize);
    for (at, text) in answers.iter().enumerate() {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        let (text, count) = tokens.clip(text, rule.answer_tokens as usize);
        if file.lines.len() >= file_limit {
            file.close(&mut open);
            files.push(std::mem::take(&mut file));
        }
        if open.tokens.saturating_add(count) > rule.line_tokens as usize || open.members.len() >= line_limit {
            file.close(&mut open);
        }
        open.members.push(at);
        open.texts.push(text);
        open.tokens = open.tokens.saturating_add(count);
    }
    file.close(&mut open);
    if !file.lines.is_empty() {
        files.push(file);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::super::constants::Constants;
    use super::super::tokens::PlainRule;
    use super::*;
    use proptest::prelude::*;

    /// One token per character, so that lengths are plain to see.
    struct Characters;

    impl TokenRule for Characters {
        fn clip<'a>(&self, text: &'a str, limit: usize) -> (&'a str, usize) {
            let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
            (&text[..end], text[..end].chars().count())
        }
    }

    #[test]
    fn fifteen_full_answers_fill_a_line_and_thirteen_lines_a_file() {
        let text = "x".repeat(1000);
        let answers = vec![Some(&text[..]); 200];
        let found = files(&answers, &Constants::v1_2_2().judge, &Characters);
        let sizes: Vec<Vec<usize>> =
            found.iter().map(|file| file.lines.iter().map(|line| line.members.len()).collect()).collect();
        assert_eq!(sizes, [[vec![15; 12], vec![1]].concat(), vec![15, 4]]);
        assert!(found.iter().all(|file| file.lines.iter().all(|line| line.texts.iter().all(|t| t.len() == 400))));
    }

    #[test]
    fn one_answer_per_judgement_and_one_file_under_our_own_rule() {
        let answers = [Some("one"), None, Some(""), Some("two"), Some("three")];
        let found = files(&answers, &Constants::assay_1().judge, &PlainRule);
        assert_eq!(found.len(), 1);
        let members: Vec<&[usize]> = found[0].lines.iter().map(|line| &line.members[..]).collect();
        assert_eq!(members, [[0], [3], [4]]);
        assert_eq!(found[0].lines[2].identifier("btai_X"), "btai_X_3");
        assert!(files(&[None, Some("")], &Constants::v1_2_2().judge, &PlainRule).is_empty());
    }

    proptest! {
        #[test]
        fn every_answer_is_judged_once_in_order(
            lengths in prop::collection::vec(0usize..60, 0..80),
            line_tokens in 50u32..200,
            lines in 1u32..5,
            most in 1u32..9,
        ) {
            let rule = Judge {
                answer_tokens: 50,
                line_tokens,
                lines_per_file: Some(lines),
                answers_per_line: Some(most),
                ..Constants::v1_2_2().judge
            };
            let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let answers: Vec<Option<&str>> = texts.iter().map(|text| Some(&text[..])).collect();
            let found = files(&answers, &rule, &Characters);
            let order: Vec<usize> =
                found.iter().flat_map(|file| &file.lines).flat_map(|line| line.members.clone()).collect();
            let expected: Vec<usize> = (0..texts.len()).filter(|at| lengths[*at] > 0).collect();
            prop_assert_eq!(order, expected);
            for file in &found {
                prop_assert!(file.lines.len() <= lines as usize + 1);
                for line in &file.lines {
                    prop_assert!(line.tokens <= line_tokens as usize && line.members.len() <= most as usize);
                }
            }
        }
    }
}
