//! Participant profiles, made of a conversation's own words: what each speaker talks about, likes, and how it speaks.
//!
//! The document promises "synthetic participant profiles generated from conversation metadata"; no formula exists. This is
//! ours: deterministic, from counts alone, recorded with a conversation and never paid for. It claims nothing about
//! anybody's age, origin or character.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::conversation::Line;
use super::tagger;
use super::words::{Word, is_liking, is_stop, words};
use crate::text::word_count;

/// Topics and interests of a profile at most.
const MAX_TOPICS: usize = 8;

/// Profiles of a conversation at most; later speakers have none.
pub const MAX_PROFILES: usize = 64;

/// How a speaker speaks, by counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// At least three of ten lines ask.
    Inquisitive,
    /// Half more than an even share of the words.
    Talkative,
    /// Less than half of an even share of the words.
    Quiet,
    /// Five words a line or fewer.
    Brief,
    /// Twenty words a line or more.
    Elaborate,
}

/// One participant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Number of the speaker.
    pub speaker: u32,
    /// The label that the conversation gives it, `SPEAKER_n` if none.
    pub label: String,
    /// Lines spoken.
    pub lines: u32,
    /// Words spoken.
    pub words: u32,
    /// Share of all words, 0 to 1.
    pub share: f64,
    /// Lines that ask something.
    pub questions: u32,
    /// Distinct words among all words, 0 to 1.
    pub vocabulary: f64,
    /// What it talks about, the weightiest first.
    pub topics: Vec<String>,
    /// What it says that it likes, in order.
    pub interests: Vec<String>,
    /// How it speaks.
    pub traits: Vec<Trait>,
}

/// What follows "I like", "I love", "we enjoyed": up to two content words each.
fn interests(lines: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        let text = words(line);
        for (at, word) in text.iter().enumerate() {
            let own = at > 0 && matches!(text[at - 1].text.as_str(), "i" | "we");
            if !own || !is_liking(&word.text) {
                continue;
            }
            let liked = liked(&text[at + 1..]);
            if !liked.is_empty() && !found.contains(&liked) && found.len() < MAX_TOPICS {
                found.push(liked);
            }
        }
    }
    found
}

/// The first run of at most two content words of the same phrase.
fn liked(rest: &[Word]) -> String {
    let phrase = rest.iter().take_while(|word| !word.fresh);
    let run = phrase.skip_while(|word| is_stop(&word.text)).take_while(|word| !is_stop(&word.text)).take(2);
    run.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn traits(profile: &Profile, speakers: usize) -> Vec<Trait> {
    let even = 1.0 / speakers.max(1) as f64;
    let per_line = f64::from(profile.words) / f64::from(profile.lines.max(1));
    let checks = [
        (Trait::Inquisitive, 10 * profile.questions >= 3 * profile.lines),
        (Trait::Talkative, speakers > 1 && profile.share >= 1.5 * even),
        (Trait::Quiet, speakers > 1 && profile.share < 0.5 * even),
        (Trait::Brief, per_line <= 5.0),
        (Trait::Elaborate, per_line >= 20.0),
    ];
    checks.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}

/// Profiles of all speakers by their numbers. `labels` are the conversation's participants in order of their numbers.
pub fn profiles(lines: &[Line], labels: &[String]) -> Vec<Profile> {
    let speakers: BTreeSet<u32> = lines.iter().map(Line::speaker).collect();
    let all: usize = lines.iter().map(|line| word_count(line.text())).sum();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let profile = |speaker: u32| {
        let own: Vec<&str> = lines.iter().filter(|line| line.speaker() == speaker).map(Line::text).collect();
        let said: Vec<String> = own.iter().flat_map(|line| words(line)).map(|word| word.text).collect();
        let distinct: BTreeSet<&String> = said.iter().collect();
        let spoken: usize = own.iter().map(|line| word_count(line)).sum();
        let label = usize::try_from(speaker).ok().and_then(|at| labels.get(at)).cloned();
        let mut found = Profile {
            speaker,
            label: label.unwrap_or_else(|| format!("SPEAKER_{speaker}")),
            lines: number(own.len()),
            words: number(spoken),
            share: spoken as f64 / all.max(1) as f64,
            questions: number(own.iter().filter(|line| line.contains('?')).count()),
            vocabulary: distinct.len() as f64 / said.len().max(1) as f64,
            topics: tagger::tags(&own, MAX_TOPICS),
            interests: interests(&own),
            traits: Vec::new(),
        };
        found.traits = traits(&found, speakers.len());
        found
    };
    speakers.iter().take(MAX_PROFILES).copied().map(profile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conversation() -> Vec<Line> {
        [
            (0, "What did you do on the coast? Did it rain?"),
            (1, "We walked along the cliffs every morning, and I love the old lighthouse near the harbour so much that I drew it."),
            (0, "I enjoyed sea kayaking there once. Any seals?"),
            (1, "Dozens of seals below the lighthouse, and I really like tide pools."),
            (0, "Lovely!"),
        ]
        .map(|(speaker, text)| Line(speaker, text.to_owned()))
        .to_vec()
    }

    #[test]
    fn profiles_use_the_speakers_own_words() {
        let found = profiles(&conversation(), &["Ana".to_owned()]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].label.as_str(), found[1].label.as_str()), ("Ana", "SPEAKER_1"));
        assert_eq!((found[0].lines, found[0].questions, found[0].words), (3, 2, 19));
        assert_eq!(found[0].interests, ["sea kayaking"]);
        assert_eq!(found[1].interests, ["lighthouse"]);
        assert!(found[1].topics.contains(&"lighthouse".to_owned()));
        assert!(found[0].traits.contains(&Trait::Inquisitive) && !found[1].traits.contains(&Trait::Inquisitive));
        assert!((found[0].share + found[1].share - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nobody_and_too_many() {
        assert!(profiles(&[], &[]).is_empty());
        let crowd: Vec<Line> = (0..200).map(|speaker| Line(speaker, "hello".to_owned())).collect();
        assert_eq!(profiles(&crowd, &[]).len(), MAX_PROFILES);
    }

    proptest! {
        #[test]
        fn shares_are_shares(lines in prop::collection::vec((0u32..5, "\\PC{0,40}"), 0..20)) {
            let lines: Vec<Line> = lines.into_iter().map(|(speaker, text)| Line(speaker, text)).collect();
            let found = profiles(&lines, &[]);
            for profile in &found {
                prop_assert!((0.0..=1.0).contains(&profile.share) && (0.0..=1.0).contains(&profile.vocabulary));
                prop_assert!(profile.topics.len() <= MAX_TOPICS && profile.interests.len() <= MAX_TOPICS);
            }
            prop_assert_eq!(profiles(&lines, &[]), found);
        }
    }
}
