//! The rules: one paragraph for each topic.

use std::collections::BTreeMap;

use crate::facts::{End, Prompt, Round, Score};
use crate::words::{abandoned, joined, list, mean_of_pairs, pairs, plain, stage_name};
use crate::{MADE_BY, Narrative, NarrativeSubject, NarrativeTopic, explain_reason};

/// Letters of a prompt that are quoted.
const QUOTED: usize = 300;

/// Tells a round from its facts.
#[must_use]
pub fn narrate(round: &Round) -> Narrative {
    let told = Told(round);
    let topics = [
        (NarrativeSubject::Prompt, told.prompt()),
        (NarrativeSubject::Comparison, told.comparison()),
        (NarrativeSubject::Process, told.process()),
        (NarrativeSubject::Filtering, told.filtering()),
        (NarrativeSubject::Miners, told.miners()),
        (NarrativeSubject::Verdict, told.verdict()),
    ];
    let topics = topics.into_iter().map(|(subject, text)| NarrativeTopic { subject, text }).collect();
    Narrative { challenge_id: plain(&round.challenge_id), attempt: round.attempt, made_by: MADE_BY, topics }
}

/// A round that is being told.
struct Told<'a>(&'a Round);

impl Told<'_> {
    fn prompt(&self) -> String {
        match &self.0.prompt {
            Prompt::Withheld => "The prompt is shown once the challenge has ended.".to_owned(),
            Prompt::None => "No prompt is recorded as text.".to_owned(),
            Prompt::Shown(prompt) => {
                let letters = prompt.chars().count();
                let start: String = plain(prompt).chars().take(QUOTED).collect();
                let rest = if letters > QUOTED { format!(" … ({letters} characters in all)") } else { String::new() };
                format!("The miners were asked: \"{start}\"{rest}. What it means is not judged by rules.")
            }
        }
    }

    fn comparison(&self) -> String {
        let Some((similarity, mean)) =
            self.0.similarity.as_ref().and_then(|found| Some((found, mean_of_pairs(found, &|_, _| true)?)))
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
        let Round { drawn, candidates, excluded, .. } = self.0;
        let rules = self.0.rules.as_ref().map_or_else(|| "an unnamed rule set".to_owned(), |name| plain(name));
        let mut text =
            format!("Under {rules} {drawn} of {candidates} candidates were drawn, {excluded} neurons were excluded.");
        let answered = self.0.answers.iter().filter(|answer| answer.received).count();
        text.push_str(&format!(" {answered} answered{}.", self.failures()));
        text.push_str(&self.times());
        if let Some(consensus) = self.0.consensus {
            text.push_str(&format!(" The measure of agreement is {consensus:.4}."));
        }
        let figures = self.0.figures.iter().map(|part| format!("{} {:.4}", plain(&part.name), part.value));
        let figures: Vec<String> = figures.collect();
        if !figures.is_empty() {
            text.push_str(&format!(" Figures: {}.", list(&figures)));
        }
        text
    }

    /// Failures by reason, in order of the reason's word.
    fn failures(&self) -> String {
        let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in self.0.answers.iter().filter_map(|answer| answer.failure.as_deref()) {
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
        let received = self.0.answers.iter().filter(|answer| answer.received);
        let mut times: Vec<u64> = received.filter_map(|answer| answer.response_time_ms).collect();
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
        for score in &self.0.scores {
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
        let Some(similarity) = &self.0.similarity else { return text };
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
        if self.0.scores.is_empty() {
            return "Nobody was scored.".to_owned();
        }
        let agreed = self.0.scores.iter().any(|score| component(score, "in_consensus").is_some());
        let inside = |score: &&Score| {
            if agreed { component(score, "in_consensus") == Some(1.0) } else { score.score > 0.0 }
        };
        let told = |score: &Score| {
            let why = score.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", explain_reason(reason)));
            format!("{} with {:.4}{}", self.name(&score.hotkey), score.score, plain(&why))
        };
        let (mut yes, mut no): (Vec<&Score>, Vec<&Score>) = self.0.scores.iter().partition(inside);
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
        if let End::Abandoned { reason, last } = &self.0.end {
            let why = reason.as_deref().map_or("for no recorded reason", abandoned);
            let next = if *last { "The challenge ended with it" } else { "The challenge is drawn again" };
            return format!("The round was abandoned {why}. {next}; nobody is paid for this attempt.");
        }
        let reached = match self.0.consensus_achieved {
            Some(true) => "The measure of agreement passed the rule set's threshold",
            Some(false) => "The measure of agreement did not pass the rule set's threshold",
            None => "No measure of agreement is recorded",
        };
        let best = match &self.0.best {
            Some(best) => {
                let score = self.score(best).map_or_else(String::new, |score| format!(" with {:.4}", score.score));
                format!("the best answer is that of {}{score}", self.name(best))
            }
            None => "no answer was the best".to_owned(),
        };
        let counted = self.0.scores.iter().filter(|score| score.counted).count();
        let above = self.0.scores.iter().filter(|score| score.score > 0.0).count();
        let all = self.0.scores.len();
        format!("{reached}; {best}. {above} of {all} scores are above zero, {counted} enter the moving averages.")
    }

    /// Drawn miners whose answer came.
    fn answers(&self) -> usize {
        self.0.answers.iter().filter(|answer| answer.received).count()
    }

    fn score(&self, hotkey: &str) -> Option<&Score> {
        self.0.scores.iter().find(|score| score.hotkey == hotkey)
    }

    fn in_consensus(&self, hotkey: &str) -> Option<bool> {
        component(self.score(hotkey)?, "in_consensus").map(|value| value == 1.0)
    }

    /// `uid 3`; the hotkey where the slot is not known.
    fn name(&self, hotkey: &str) -> String {
        let drawn = self.0.answers.iter().find(|answer| answer.hotkey == hotkey).map(|answer| answer.uid);
        let uid = drawn.or_else(|| self.score(hotkey).map(|score| score.uid));
        uid.map_or_else(|| plain(hotkey), |uid| format!("uid {uid}"))
    }
}

fn component(score: &Score, name: &str) -> Option<f64> {
    score.components.iter().find(|part| part.name == name).map(|part| part.value)
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
