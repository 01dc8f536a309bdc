//! What the recorded evidence of a round says, and what of it is still missing.
//!
//! Verdicts on the conversation come before the window is sent: its quality where the rule set has a gate, then its ground truth.
//! Verdicts on tags come after the answers. Vectors are asked for of whole lists, one part per tag.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::boring::{self, BoringIndex};
use super::constants::Constants;
use super::conversation::{Line, parse_quality, passes};
use super::requests::{self, GROUND_TRUTH, PROFILES, QUALITY, VALIDATE_TAGS, single_line};
use super::similarity::Neighbourhood;
use super::tags::{
    embedded_tags, enough, is_cut, parse_tag_json, parse_tag_reply, parse_validation, parse_validation_json,
    truth_tags, validation_input,
};
use super::task::Task;
use super::windows::{self, of_conversation};
use crate::events::TextRole;
use crate::math::unit;
use crate::mechanism::{EvaluationError, JudgementFact, MAX_PARTS, ResponseFact, RoundFacts, TextVectors, Want};
use crate::types::{Digest, Hotkey, Position, sha256};

/// What is known of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// Verdict of the gate, where there is one and it can be read.
    pub quality: Option<f64>,
    /// Into how many windows it is cut.
    pub windows: usize,
    /// How many tags the tagger gave, of which at most [`MAX_PARTS`] are looked at. None without a reply in the form asked for.
    pub truth_tags: Option<usize>,
    /// The ground truth; none when the conversation is left out.
    pub truth: Option<Vec<String>>,
}

/// Tags as sent and as they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tags {
    /// As the miner sent them.
    pub sent: Vec<String>,
    /// How many a model was asked about; 0 without validation.
    pub asked: usize,
    /// Those that count; none when nothing is left after cleaning, or the reply is empty or not of the form asked for.
    pub counting: Option<Vec<String>>,
    /// Whether the reply about them loses its last character.
    pub cut: bool,
}

/// The canonical text of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Canonical {
    /// Tags as sent.
    pub tags: Vec<String>,
    /// How many profiles came along. Nobody scores them.
    pub profiles: usize,
}

/// A round's evidence under a rule set.
pub(super) struct Evidence<'a> {
    pub constants: &'a Constants,
    pub facts: &'a RoundFacts,
    pub task: &'a Task,
}

fn text(judgement: &JudgementFact) -> Cow<'_, str> {
    String::from_utf8_lossy(&judgement.reply)
}

fn missing(purpose: &str, about: Option<Hotkey>) -> EvaluationError {
    EvaluationError::MissingJudgement { purpose: purpose.to_owned(), about }
}

/// The text whose parts are these tags, one per line.
fn listed<'t>(tags: impl IntoIterator<Item = &'t str>) -> String {
    tags.into_iter().map(single_line).collect::<Vec<_>>().join("\n")
}

/// The different tags that say something, in alphabetical order.
fn distinct(tags: &[String]) -> BTreeSet<&str> {
    tags.iter().map(String::as_str).filter(|tag| !crate::text::strip(tag).is_empty()).collect()
}

impl Evidence<'_> {
    /// The seed of the round's draw streams.
    pub(super) fn seed(&self) -> Digest {
        self.facts.seed.unwrap_or_else(|| sha256(self.facts.challenge_id.as_bytes()))
    }

    /// The verdicts on the conversation.
    ///
    /// # Errors
    /// A verdict that is not recorded yet.
    pub(super) fn known(&self) -> Result<Known, EvaluationError> {
        let windows = of_conversation(self.task.lines.len(), &self.constants.windows).len();
        let mut known = Known { quality: None, windows, truth_tags: None, truth: None };
        if !windows::enough(windows, None, &self.constants.windows) {
            return Ok(known);
        }
        if let Some(gate) = &self.constants.quality {
            let verdict = self.facts.judgement(QUALITY, None).ok_or_else(|| missing(QUALITY, None))?;
            let verdict = parse_quality(&text(verdict), self.constants.tags.json_replies);
            known.quality = verdict.as_ref().map(|verdict| verdict.quality_score);
            if !passes(verdict.as_ref(), Some(gate)) {
                return Ok(known);
            }
        }
        let truth = self.facts.judgement(GROUND_TRUTH, None).ok_or_else(|| missing(GROUND_TRUTH, None))?;
        let reply = text(truth);
        let read =
            if self.constants.tags.json_replies { parse_tag_json(&reply) } else { Some(parse_tag_reply(&reply)) };
        let Some(mut tags) = read else { return Ok(known) };
        known.truth_tags = Some(tags.len());
        tags.truncate(MAX_PARTS);
        // Upstream's bundle without a single usable tag is never ready.
        let usable = enough(tags.len(), &self.constants.tags) && !embedded_tags(&tags).is_empty();
        known.truth = usable.then_some(tags);
        Ok(known)
    }

    /// The truth's tags as they are compared.
    pub(super) fn compared(&self, truth: &[String]) -> Vec<String> {
        truth_tags(truth, &self.constants.tags)
    }

    /// The tags of an answer.
    ///
    /// # Errors
    /// A verdict on them that is not recorded yet.
    pub(super) fn tags(&self, response: &ResponseFact) -> Result<Tags, EvaluationError> {
        let (sent, input) = self.asked(response);
        let Some(rule) = &self.constants.tags.validation else {
            return Ok(Tags { counting: Some(sent.clone()), sent, asked: 0, cut: false });
        };
        let asked = input.len();
        if input.is_empty() {
            return Ok(Tags { sent, asked, counting: None, cut: false });
        }
        let hotkey = Some(response.miner.hotkey);
        let judged = self.facts.judgement(VALIDATE_TAGS, hotkey).ok_or_else(|| missing(VALIDATE_TAGS, hotkey))?;
        let reply = text(judged);
        if self.constants.tags.json_replies {
            let counting = parse_validation_json(&reply, &sent, &input, rule);
            return Ok(Tags { sent, asked, counting, cut: false });
        }
        let counting = parse_validation(&reply, &sent, &input, rule);
        Ok(Tags { sent, asked, counting, cut: is_cut(&reply) })
    }

    /// The tags that a miner sent, and those that a model is asked about: none without validation.
    fn asked(&self, response: &ResponseFact) -> (Vec<String>, Vec<String>) {
        // The text is what `parse_response` wrote; anything else holds no tag.
        let sent = serde_json::from_str::<Canonical>(&response.text).map(|answer| answer.tags).unwrap_or_default();
        let Some(rule) = &self.constants.tags.validation else { return (sent, Vec::new()) };
        let input = validation_input(&sent, rule, &self.seed());
        (sent, input)
    }

    /// Whether an answer has no usable tag, and the rule set gives the round up for that.
    pub(super) fn spoils(&self, response: &ResponseFact) -> bool {
        !self.constants.isolates_empty()
            && self.constants.tags.validation.is_some()
            && self.asked(response).1.is_empty()
    }

    /// Whether an answer makes the rule set give the round up.
    pub(super) fn spoilt(&self) -> bool {
        self.facts.responses.iter().any(|response| self.spoils(response))
    }

    /// Lines with characters of XML that stand in prompts as they are, where they can forge speakers and instructions.
    pub(super) fn unescaped_lines(&self) -> usize {
        let lines = self.task.whole(self.constants.windows.maximum_lines);
        let forges = |line: &&Line| line.text().contains(['<', '>', '&']);
        if self.constants.tags.escape_lines { 0 } else { lines.iter().filter(forges).count() }
    }

    /// The neighbourhood of the ground truth.
    ///
    /// # Errors
    /// Vectors that are missing or malformed.
    pub(super) fn neighbourhood(&self, truth: &[String]) -> Result<Option<Neighbourhood>, EvaluationError> {
        let tags = embedded_tags(truth);
        let text = listed(tags.iter().map(String::as_str));
        let parts = self.parts(TextRole::Prompt, &text, tags.len(), None)?;
        Neighbourhood::of(&parts).map_err(|ragged| EvaluationError::MalformedVectors {
            text: sha256(text.as_bytes()),
            problem: ragged.to_string(),
        })
    }

    /// Vectors of the ground truth's tags.
    ///
    /// # Errors
    /// Vectors that are missing or malformed.
    pub(super) fn truth_vectors(&self, truth: &[String]) -> Result<BTreeMap<String, Vec<f64>>, EvaluationError> {
        let tags = embedded_tags(truth);
        let text = listed(tags.iter().map(String::as_str));
        let parts = self.parts(TextRole::Prompt, &text, tags.len(), None)?;
        Ok(tags.into_iter().zip(parts).collect())
    }

    /// Vectors of an answer's distinct tags, as long as those of the truth.
    ///
    /// # Errors
    /// Vectors that are missing or malformed.
    pub(super) fn vectors<'t>(
        &self,
        tags: &'t [String],
        width: Option<usize>,
    ) -> Result<BTreeMap<&'t str, Vec<f64>>, EvaluationError> {
        let distinct = distinct(tags);
        if distinct.is_empty() {
            return Ok(BTreeMap::new());
        }
        let text = listed(distinct.iter().copied());
        let parts = self.parts(TextRole::Answer, &text, distinct.len(), width)?;
        Ok(distinct.into_iter().zip(parts).collect())
    }

    /// Recorded vectors of a text's parts, scaled to length one.
    fn parts(
        &self,
        role: TextRole,
        text: &str,
        count: usize,
        width: Option<usize>,
    ) -> Result<Vec<Vec<f64>>, EvaluationError> {
        let hash = sha256(text.as_bytes());
        let found: &TextVectors = self.facts.vectors_of(role, text).ok_or(EvaluationError::MissingVectors(hash))?;
        let malformed = |problem: String| Err(EvaluationError::MalformedVectors { text: hash, problem });
        if found.parts.len() != count.min(MAX_PARTS) {
            return malformed(format!("{} part vectors for {count} parts", found.parts.len()));
        }
        let width = width.or_else(|| found.parts.first().map(Vec::len)).unwrap_or_default();
        if let Some(other) = found.parts.iter().find(|part| part.len() != width) {
            return malformed(format!("a vector of {} numbers among vectors of {width}", other.len()));
        }
        Ok(found.parts.iter().map(|part| unit(part)).collect())
    }

    /// The lines that the Boring Index looks at: the first [`MAX_PARTS`] that say something.
    fn described(&self) -> Vec<Line> {
        let lines = self.task.whole(self.constants.windows.maximum_lines);
        let says = |line: &&Line| !crate::text::strip(line.text()).is_empty();
        lines.iter().filter(says).take(MAX_PARTS).cloned().collect()
    }

    /// The Boring Index of the conversation and how many profiles there are of it; none where this round does not describe it.
    ///
    /// # Errors
    /// Evidence that is missing or malformed.
    pub(super) fn description(&self) -> Result<Option<(BoringIndex, usize)>, EvaluationError> {
        let lines = self.described();
        if !self.task.describe || lines.is_empty() {
            return Ok(None);
        }
        let text = listed(lines.iter().map(Line::text));
        let vectors = self.parts(TextRole::Prompt, &text, lines.len(), None)?;
        let index = boring::index(&lines, &vectors).map_err(|error| EvaluationError::MalformedVectors {
            text: sha256(text.as_bytes()),
            problem: error.to_string(),
        })?;
        let judged = self.facts.judgement(PROFILES, None).ok_or_else(|| missing(PROFILES, None))?;
        #[derive(Deserialize)]
        struct Reply {
            profiles: Vec<IgnoredAny>,
        }
        // A reply that cannot be read holds no profile: nothing depends on it.
        let profiles = serde_json::from_slice::<Reply>(&judged.reply).map_or(0, |reply| reply.profiles.len());
        Ok(Some((index, profiles)))
    }

    /// What is missing before the window is sent.
    pub(super) fn before_issue(&self) -> Vec<Want> {
        let ask = |purpose| requests::of_conversation(purpose, self.task, self.constants).map(Want::Judgement);
        let lacks = |purpose| self.facts.judgement(purpose, None).is_none();
        let known = self.known();
        if let Ok(Known { truth: None, .. }) = known {
            return Vec::new();
        }
        if self.constants.quality.is_some() && lacks(QUALITY) {
            return ask(QUALITY).into_iter().collect();
        }
        let mut wants = Vec::new();
        if lacks(GROUND_TRUTH) {
            wants.extend(ask(GROUND_TRUTH));
        }
        let lines = self.described();
        if self.task.describe && !lines.is_empty() {
            if lacks(PROFILES) {
                wants.extend(ask(PROFILES));
            }
            self.want_vectors(&mut wants, TextRole::Prompt, listed(lines.iter().map(Line::text)), self.facts.accepted);
        }
        if let (Ok(Known { truth: Some(truth), .. }), Some(_)) = (known, &self.constants.evaluator) {
            let tags = embedded_tags(&truth);
            self.want_vectors(
                &mut wants,
                TextRole::Prompt,
                listed(tags.iter().map(String::as_str)),
                self.facts.accepted,
            );
        }
        wants
    }

    /// What is missing after the answers: verdicts on all of them, then vectors.
    pub(super) fn after_answers(&self) -> Vec<Want> {
        let mut wants = Vec::new();
        let usable = matches!(self.known(), Ok(Known { truth: Some(_), .. })) && !self.spoilt();
        let Some(rule) = self.constants.evaluator.as_ref().filter(|_| usable) else { return wants };
        for response in &self.facts.responses {
            let (_, input) = self.asked(response);
            let hotkey = response.miner.hotkey;
            if !input.is_empty() && self.facts.judgement(VALIDATE_TAGS, Some(hotkey)).is_none() {
                wants.extend(requests::of_tags(hotkey, &input, self.constants.tags.json_replies).map(Want::Judgement));
            }
        }
        if !wants.is_empty() {
            return wants;
        }
        for response in &self.facts.responses {
            let Ok(Tags { counting: Some(tags), .. }) = self.tags(response) else { continue };
            let distinct = distinct(&tags);
            if rule.too_few(&tags) || distinct.is_empty() {
                continue;
            }
            let text = listed(distinct);
            self.want_vectors(&mut wants, TextRole::Answer, text, response.position);
        }
        wants
    }

    /// Adds a text whose vectors are not recorded, or another source of one that is there already.
    fn want_vectors(&self, wants: &mut Vec<Want>, role: TextRole, text: String, source: Position) {
        if self.facts.vectors_of(role, &text).is_some() {
            return;
        }
        let known = wants.iter_mut().find_map(|want| match want {
            Want::Vectors { role: other, text: known, sources } if (*other, &*known) == (role, &text) => Some(sources),
            _ => None,
        });
        match known {
            Some(sources) if !sources.contains(&source) => sources.push(source),
            Some(_) => {}
            None => wants.push(Want::Vectors { role, text, sources: vec![source] }),
        }
    }
}
