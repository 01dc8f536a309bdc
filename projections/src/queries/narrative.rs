//! A round told in sentences, by rules: the same facts give the same text.
//!
//! The topics are the six that upstream asks a language model for. No model is asked here, and the text says so: what a
//! prompt means or whether an answer is true is left to the reader.
//!
//! **Architecture invariant:** the text is made of what the other queries showed, so it discloses nothing before them.

use std::collections::BTreeMap;

use super::explain_reason;
use super::narrative_words::{abandoned, joined, list, mean_of_pairs, pairs, plain, stage_name};
use super::rounds::{self, Response, Round, RoundKey, Similarity};
use super::scores::{self, Score};
use crate::error::{Error, Result};
use crate::view::{Frame, Meta, View};

/// Letters of a prompt that are quoted.
const QUOTED: usize = 300;

/// What a paragraph is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NarrativeSubject {
    /// What was asked.
    Prompt,
    /// How alike the answers are.
    Comparison,
    /// Who was drawn, who answered, and the figures of the mechanism.
    Process,
    /// What the filters dropped, and what that changed.
    Filtering,
    /// Who is in the consensus and who is not.
    Miners,
    /// What came out.
    Verdict,
}

/// One paragraph.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NarrativeTopic {
    /// What it is about.
    pub subject: NarrativeSubject,
    /// One or more sentences.
    pub text: String,
}

/// A round told in sentences.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Narrative {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What made the text.
    pub made_by: &'static str,
    /// The paragraphs, in upstream's order.
    pub topics: Vec<NarrativeTopic>,
}

/// Says what made a narrative.
pub const MADE_BY: &str = "rules over the recorded facts; no language model was asked";

/// A narrative with the moment at which it was read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ToldRound {
    /// At which position it was read.
    pub meta: Meta,
    /// The round; none while it is open.
    pub narrative: Option<Narrative>,
}

impl NarrativeSubject {
    /// The heading of its paragraph.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Prompt => "Prompt",
            Self::Comparison => "Comparison",
            Self::Process => "Process",
            Self::Filtering => "Filtering",
            Self::Miners => "Miners",
            Self::Verdict => "Verdict",
        }
    }
}

impl Narrative {
    /// The whole text, a paragraph a line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("Round {}/{}, told by {}.", self.challenge_id, self.attempt, self.made_by);
        for topic in &self.topics {
            text.push_str(&format!("\n{}: {}", topic.subject.heading(), topic.text));
        }
        text
    }
}

/// Tells a round: the given attempt, else the newest one. None when there is no such round.
///
/// # Errors
/// What the database says.
pub async fn narrative(
    view: &View,
    frame: &Frame,
    challenge_id: &str,
    attempt: Option<u32>,
) -> Result<Option<ToldRound>> {
    let Some(round) = rounds::round(view, frame, challenge_id, attempt).await? else { return Ok(None) };
    let keys = [RoundKey { challenge_id: round.challenge_id.clone(), attempt: round.attempt }];
    let responses = rounds::responses_of(view, frame, &keys).await?;
    let scores = scores::scores_of_rounds(view, frame, &keys).await?;
    let similarity = rounds::similarity(view, frame, &keys[0]).await?;
    let rules = rules_of(view, frame, &round).await?;
    let narrative = narrate(&round, rules.as_deref(), &responses, &scores, similarity.as_ref());
    Ok(Some(ToldRound { meta: frame.into(), narrative }))
}

/// The name of a round's rule set.
///
/// # Errors
/// What the database says.
pub async fn rules_of(view: &View, frame: &Frame, round: &Round) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT name FROM rule_sets WHERE ledger_id = $1 AND position <= $2 AND hash = $3 ORDER BY position LIMIT 1",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(&round.rule_set)
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("find the name of a rule set"))
}

/// Tells a round from its facts; none while it is open. `rules` is the name of its rule set.
#[must_use]
pub fn narrate(
    round: &Round,
    rules: Option<&str>,
    responses: &[Response],
    scores: &[Score],
    similarity: Option<&Similarity>,
) -> Option<Narrative> {
    round.ended_position?;
    let facts = Facts { round, rules, responses, scores, similarity };
    let topics = [
        (NarrativeSubject::Prompt, facts.prompt()),
        (NarrativeSubject::Comparison, facts.comparison()),
        (NarrativeSubject::Process, facts.process()),
        (NarrativeSubject::Filtering, facts.filtering()),
        (NarrativeSubject::Miners, facts.miners()),
        (NarrativeSubject::Verdict, facts.verdict()),
    ];
    let topics = topics.into_iter().map(|(subject, text)| NarrativeTopic { subject, text }).collect();
    Some(Narrative { challenge_id: plain(&round.challenge_id), attempt: round.attempt, made_by: MADE_BY, topics })
}

/// What a round is told from.
struct Facts<'a> {
    round: &'a Round,
    rules: Option<&'a str>,
    responses: &'a [Response],
    scores: &'a [Score],
    similarity: Option<&'a Similarity>,
}

impl Facts<'_> {
    fn prompt(&self) -> String {
        match &self.round.prompt {
            None if !self.round.disclosed => "The prompt is shown once the challenge has ended.".to_owned(),
            None => "No prompt is recorded as text.".to_owned(),
            Some(prompt) => {
                let letters = prompt.chars().count();
                let start: String = plain(prompt).chars().take(QUOTED).collect();
                let rest = if letters > QUOTED { format!(" … ({letters} characters in all)") } else { String::new() };
                format!("The miners were asked: \"{start}\"{rest}. What it means is not judged by rules.")
            }
        }
    }

    fn comparison(&self) -> String {
        let Some((similarity, mean)) =
            self.similarity.and_then(|found| Some((found, mean_of_pairs(found, &|_, _| true)?)))
        else {
            return "There are no two answers whose similarity is recorded.".to_owned();
        };
        let mut pairs = pairs(similarity.labels.len()).collect::<Vec<_>>();
        // The first of equal pairs, in recorded order.
        pairs.sort_by(|a, b| similarity.rows[b.0][b.1].total_cmp(&similarity.rows[a.0][a.1]));
        let pair = |(row, column): (usize, usize)| {
            let (one, other) = (self.name(&similarity.labels[row]), self.name(&similarity.labels[column]));
            format!("{one} and {other} ({:.4})", similarity.rows[row][column])
        };
        let mut text =
            format!("{} answers were compared; the mean cosine of a pair is {mean:.4}.", similarity.labels.len());
        if let (Some(most), Some(least)) = (pairs.first(), pairs.last())
            && most != least
        {
            text.push_str(&format!(" Most alike are {}, least alike {}.", pair(*most), pair(*least)));
        }
        let inside = |at: usize| self.in_consensus(&similarity.labels[at]);
        let within = mean_of_pairs(similarity, &|a, b| inside(a) == Some(true) && inside(b) == Some(true));
        let across =
            mean_of_pairs(similarity, &|a, b| inside(a).is_some() && inside(b).is_some() && inside(a) != inside(b));
        if let (Some(within), Some(across)) = (within, across) {
            text.push_str(&format!(
                " Within the consensus the mean is {within:.4}, between it and the other answers {across:.4}."
            ));
        }
        text
    }

    fn process(&self) -> String {
        let Round { drawn, candidates, excluded, .. } = self.round;
        let rules = self.rules.map_or_else(|| "an unnamed rule set".to_owned(), plain);
        let mut text =
            format!("Under {rules} {drawn} of {candidates} candidates were drawn, {excluded} neurons were excluded.");
        let answered = self.responses.iter().filter(|response| response.status == "received").count();
        text.push_str(&format!(" {answered} answered{}.", self.failures()));
        text.push_str(&self.times());
        if let Some(consensus) = self.round.consensus {
            text.push_str(&format!(" The measure of agreement is {consensus:.4}."));
        }
        let figures = self.round.components.iter().map(|part| format!("{} {:.4}", plain(&part.name), part.value));
        let figures: Vec<String> = figures.collect();
        if !figures.is_empty() {
            text.push_str(&format!(" Figures: {}.", list(&figures)));
        }
        text
    }

    /// Failures by reason, in order of the reason's word.
    fn failures(&self) -> String {
        let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in self.responses.iter().filter_map(|response| response.failure.as_deref()) {
            *by_reason.entry(reason).or_default() += 1;
        }
        if by_reason.is_empty() {
            return ", none failed".to_owned();
        }
        let failed: usize = by_reason.values().sum();
        let reasons = by_reason.iter().map(|(reason, times)| format!("{times} {}", plain(reason).replace('_', " ")));
        format!(", {failed} failed ({})", list(&reasons.collect::<Vec<_>>()))
    }

    fn times(&self) -> String {
        let received = self.responses.iter().filter(|response| response.status == "received");
        let mut times: Vec<u64> = received.filter_map(|response| response.response_time_ms).collect();
        times.sort_unstable();
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return String::new() };
        let half = times.len() / 2;
        let median = if times.len() % 2 == 1 {
            times[half].to_string()
        } else {
            ((times[half - 1] as f64 + times[half] as f64) / 2.0).to_string()
        };
        format!(" Answers took {first} to {last} ms, in the median {median} ms.")
    }

    fn filtering(&self) -> String {
        let mut by_stage: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for score in self.scores {
            if let Some(stage) = &score.filtered {
                by_stage.entry(stage).or_default().push(self.name(&score.hotkey));
            }
        }
        if by_stage.is_empty() {
            return "No filter dropped an answer.".to_owned();
        }
        let dropped: usize = by_stage.values().map(Vec::len).sum();
        let stages =
            by_stage.iter().map(|(stage, who)| format!("{} by {} ({})", who.len(), stage_name(stage), list(who)));
        let mut text =
            format!("Filters dropped {dropped} of {} answers: {}.", self.answers(), list(&stages.collect::<Vec<_>>()));
        let Some(similarity) = self.similarity else { return text };
        let kept = |at: usize| self.score(&similarity.labels[at]).is_some_and(|score| score.filtered.is_none());
        let before = mean_of_pairs(similarity, &|_, _| true);
        let after = mean_of_pairs(similarity, &|a, b| kept(a) && kept(b));
        match (before, after) {
            (Some(before), Some(after)) => {
                text.push_str(&format!(" By that the mean cosine went from {before:.4} to {after:.4}."));
            }
            (Some(_), None) => text.push_str(" Fewer than two answers were left to compare."),
            _ => {}
        }
        text
    }

    fn miners(&self) -> String {
        if self.scores.is_empty() {
            return "Nobody was scored.".to_owned();
        }
        let agreed = self.scores.iter().any(|score| component(score, "in_consensus").is_some());
        let inside = |score: &&Score| {
            if agreed { component(score, "in_consensus") == Some(1.0) } else { score.score > 0.0 }
        };
        let told = |score: &Score| {
            let why = score.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", explain_reason(reason)));
            format!("{} with {:.4}{}", self.name(&score.hotkey), score.score, plain(&why))
        };
        let (mut yes, mut no): (Vec<&Score>, Vec<&Score>) = self.scores.iter().partition(inside);
        // Best first; equal ones in recorded order.
        for group in [&mut yes, &mut no] {
            group.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        let [yes, no] = [yes, no].map(|group| {
            let told: Vec<String> = group.into_iter().map(told).collect();
            if told.is_empty() { "nobody".to_owned() } else { joined(&told, "; ") }
        });
        let (good, bad) = if agreed { ("In the consensus", "Not in it") } else { ("Above zero", "At or below zero") };
        format!("{good}: {yes}. {bad}: {no}.")
    }

    fn verdict(&self) -> String {
        if self.round.state == "abandoned" {
            let why = self.round.abandon_reason.as_deref().map_or("for no recorded reason", abandoned);
            let next = if self.round.last_attempt == Some(true) {
                "The challenge ended with it"
            } else {
                "The challenge is drawn again"
            };
            return format!("The round was abandoned {why}. {next}; nobody is paid for this attempt.");
        }
        let reached = match self.round.consensus_achieved {
            Some(true) => "The measure of agreement passed the rule set's threshold",
            Some(false) => "The measure of agreement did not pass the rule set's threshold",
            None => "No measure of agreement is recorded",
        };
        let best = match &self.round.best {
            Some(best) => {
                let score = self.score(best).map_or_else(String::new, |score| format!(" with {:.4}", score.score));
                format!("the best answer is that of {}{score}", self.name(best))
            }
            None => "no answer was the best".to_owned(),
        };
        let counted = self.scores.iter().filter(|score| score.counted).count();
        let above = self.scores.iter().filter(|score| score.score > 0.0).count();
        let all = self.scores.len();
        format!("{reached}; {best}. {above} of {all} scores are above zero, {counted} enter the moving averages.")
    }

    /// Drawn miners whose answer came.
    fn answers(&self) -> usize {
        self.responses.iter().filter(|response| response.status == "received").count()
    }

    fn score(&self, hotkey: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.hotkey == hotkey)
    }

    fn in_consensus(&self, hotkey: &str) -> Option<bool> {
        component(self.score(hotkey)?, "in_consensus").map(|value| value == 1.0)
    }

    /// `uid 3`; the hotkey where the slot is not known.
    fn name(&self, hotkey: &str) -> String {
        let drawn = self.responses.iter().find(|response| response.hotkey == hotkey).map(|response| response.uid);
        let uid = drawn.or_else(|| self.score(hotkey).map(|score| score.uid));
        uid.map_or_else(|| plain(hotkey), |uid| format!("uid {uid}"))
    }
}

fn component(score: &Score, name: &str) -> Option<f64> {
    score.components.iter().find(|part| part.name == name).map(|part| part.value)
}

#[cfg(test)]
#[path = "narrative_samples.rs"]
pub(super) mod samples;

#[cfg(test)]
#[path = "narrative_tests.rs"]
mod tests;
