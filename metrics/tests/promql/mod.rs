//! The words of a PromQL expression: which metrics it reads, and by which labels. Enough to hold a query to what exists; promtool,
//! where it is installed, says whether it is well-formed.

#![allow(unreachable_pub)]

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub metrics: BTreeSet<String>,
    pub labels: BTreeSet<String>,
    /// Values that labels are compared with for equality.
    pub equal: BTreeSet<(String, String)>,
}

const WORDS: [&str; 7] = ["and", "or", "unless", "offset", "bool", "inf", "nan"];
/// Behind these stands a list of labels.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' {
            let mut text = String::new();
            while let Some(next) = letters.next() {
                match next {
                    '"' => break,
                    '\\' => text.extend(letters.next()),
                    other => text.push(other),
                }
            }
            found.push(Token::Text(text));
        } else if letter.is_ascii_alphanumeric() || "_:.".contains(letter) {
            let mut word = String::from(letter);
            while let Some(next) = letters.next_if(|next| next.is_ascii_alphanumeric() || "_:.".contains(*next)) {
                word.push(next);
            }
            found.push(Token::Word(word));
        } else if !letter.is_whitespace() {
            found.push(Token::Sign(letter));
        }
    }
    found
}

/// Reads an expression.
pub fn named(expression: &str) -> Named {
    let tokens = tokens(expression);
    let mut named = Named::default();
    let sign = |at: usize, sign: char| tokens.get(at) == Some(&Token::Sign(sign));
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Sign('{') => at = selectors(&tokens, at, &mut named),
            Token::Word(word) if GROUPING.contains(&word.as_str()) && sign(at, '(') => {
                while let Some(token) = tokens.get(at).filter(|_| !sign(at, ')')) {
                    if let Token::Word(label) = token {
                        named.labels.insert(label.clone());
                    }
                    at += 1;
                }
            }
            Token::Word(word) if word == "label_values" => {
                // Grafana's own: a selector and a label.
                let end = (at..tokens.len()).rfind(|at| sign(*at, ')')).unwrap_or(tokens.len());
                if let Some(Token::Word(label)) = tokens.get(end.saturating_sub(1)) {
                    named.labels.insert(label.clone());
                }
                let Named { metrics, labels, equal } = among(&tokens[at..end.saturating_sub(1)]);
                named.metrics.extend(metrics);
                named.labels.extend(labels);
                named.equal.extend(equal);
                return named;
            }
            Token::Word(word) => {
                let is_name = word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
                let is_function = sign(at, '(') || tokens.get(at).is_some_and(is_grouping);
                let is_word = [&WORDS[..], &GROUPING[..]].concat().contains(&word.to_lowercase().as_str());
                if is_name && !is_function && !is_word {
                    named.metrics.insert(word.clone());
                }
            }
            // A range: `[5m]`.
            Token::Sign('[') => at = (at..tokens.len()).find(|at| sign(*at, ']')).unwrap_or(tokens.len()),
            _ => {}
        }
    }
    named
}

fn is_grouping(token: &Token) -> bool {
    matches!(token, Token::Word(word) if ["by", "without"].contains(&word.as_str()))
}

fn among(tokens: &[Token]) -> Named {
    let mut named = Named::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Sign('{') => at = selectors(tokens, at, &mut named),
            Token::Word(word) => drop(named.metrics.insert(word.clone())),
            _ => {}
        }
    }
    named
}

/// Labels between braces; gives the place behind them.
fn selectors(tokens: &[Token], mut at: usize, named: &mut Named) -> usize {
    while let Some(token) = tokens.get(at).filter(|token| **token != Token::Sign('}')) {
        if let Token::Word(label) = token {
            named.labels.insert(label.clone());
            if let [Token::Sign('='), Token::Text(value), ..] = &tokens[at + 1..] {
                named.equal.insert((label.clone(), value.clone()));
            }
        }
        at += 1;
    }
    at + 1
}
