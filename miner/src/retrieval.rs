//! From a question to an answer: the passages nearest in meaning, and of them the sentences that say most about it.
//!
//! Extractive: every sentence of an answer stands word for word in the corpus, but for an opening that names the source and
//! for the admission that the corpus has nothing to say. The same question, corpus, profile and model give the same answer.

use std::path::Path;

use inference::EmbeddingService;
use sha2::{Digest, Sha256};

use crate::{Corpus, Error, Passage, Profile, cache, split_sentences};

/// Below this relevance the nearest passage is about something else. Measured on `demo/questions.jsonl` with the shipped
/// corpus: questions that it answers reach at least 0.543, those that it does not at most 0.306; this is the middle.
const RELEVANT: f32 = 0.42;

/// A passage that is this much less relevant than the best one adds noise rather than substance.
const WORTH_ADDING: f32 = 0.12;

/// The texts of a corpus that need vectors, in the order in which [`Index::new`] takes them.
fn texts(corpus: &Corpus) -> Vec<String> {
    let of_passage = |passage: &Passage| {
        let whole = format!("{}. {}", passage.title, passage.text);
        std::iter::once(whole).chain(split_sentences(&passage.text).into_iter().map(str::to_owned)).collect::<Vec<_>>()
    };
    corpus.passages().iter().flat_map(of_passage).collect()
}

struct IndexedSentence {
    text: String,
    vector: Vec<f32>,
}

struct IndexedPassage {
    id: String,
    title: String,
    vector: Vec<f32>,
    sentences: Vec<IndexedSentence>,
}

/// The part of a corpus that one miner has, with its vectors.
pub struct Index {
    passages: Vec<IndexedPassage>,
    profile: Profile,
}

/// An answer and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer.
    pub text: String,
    /// Ids of the passages it draws from, the most relevant first; empty when the corpus has nothing to say.
    pub passages: Vec<String>,
    /// Relevance of the best passage, about 0 (unrelated) to 1.
    pub relevance: f32,
}

impl Index {
    /// Embeds a corpus and keeps what the profile gives this miner. Vectors come from the folder `cache` if they are there.
    ///
    /// # Errors
    /// Those of the embedding model.
    pub async fn build(
        corpus: &Corpus,
        profile: &Profile,
        embedding: &EmbeddingService,
        cache: Option<&Path>,
    ) -> Result<Self, Error> {
        let texts = texts(corpus);
        let vectors = match cache {
            Some(folder) => cache::vectors(folder, &texts, embedding).await?,
            None => embed_all(&texts, embedding).await?,
        };
        Self::new(corpus, profile, vectors)
    }

    /// An index from the vectors of [`texts`].
    fn new(corpus: &Corpus, profile: &Profile, vectors: Vec<Vec<f32>>) -> Result<Self, Error> {
        let expected = texts(corpus).len();
        if vectors.len() != expected {
            return Err(Error::Vectors { texts: expected, vectors: vectors.len() });
        }
        let mut vectors = vectors.into_iter();
        let mut next = || vectors.next().unwrap_or_default();
        let index_passage = |passage: &Passage| {
            let vector = next();
            let sentences = split_sentences(&passage.text)
                .into_iter()
                .map(|text| IndexedSentence { text: text.to_owned(), vector: next() })
                .collect();
            IndexedPassage { id: passage.id.clone(), title: passage.title.clone(), vector, sentences }
        };
        let all: Vec<IndexedPassage> = corpus.passages().iter().map(index_passage).collect();
        let passages = all.into_iter().filter(|passage| has(profile, &passage.id)).collect();
        Ok(Self { passages, profile: profile.clone() })
    }

    /// How many passages this miner has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.passages.len()
    }

    /// Whether this miner has no passage at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// The answer to a question, given the question's vector.
    #[must_use]
    pub fn answer(&self, question: &[f32]) -> Answer {
        let mut ranked: Vec<(f32, &IndexedPassage)> =
            self.passages.iter().map(|passage| (relevance(question, passage), passage)).collect();
        // Total: by relevance, then by id.
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.id.cmp(&right.1.id)));
        let Some((best, nearest)) = ranked.first().map(|(relevance, passage)| (*relevance, *passage)) else {
            return Answer {
                text: "I have no passages to answer from.".to_owned(),
                passages: Vec::new(),
                relevance: 0.0,
            };
        };
        if best < RELEVANT {
            let text = format!(
                "I have no passage that answers this question. The nearest one I have is about something else: {}.",
                nearest.title
            );
            return Answer { text, passages: Vec::new(), relevance: best };
        }
        ranked.truncate(self.profile.passages);
        ranked.retain(|(relevance, _)| *relevance >= best - WORTH_ADDING);
        let chosen = self.choose(question, &ranked);
        let sentences: Vec<&str> =
            chosen.iter().map(|(rank, at)| ranked[*rank].1.sentences[*at].text.as_str()).collect();
        let opening = if self.profile.names_source { format!("On “{}”: ", nearest.title) } else { String::new() };
        let used = ranked.iter().enumerate().filter(|(rank, _)| chosen.iter().any(|(of, _)| of == rank));
        let passages = used.map(|(_, (_, passage))| passage.id.clone()).collect();
        Answer { text: format!("{opening}{}", sentences.join(" ")), passages, relevance: best }
    }

    /// Sentences as (rank of the passage, place in it): one by one the most relevant that repeats the chosen ones least
    /// (maximal marginal relevance, Carbonell and Goldstein 1998), then in the order in which they read best.
    fn choose(&self, question: &[f32], ranked: &[(f32, &IndexedPassage)]) -> Vec<(usize, usize)> {
        let mut open: Vec<(usize, usize, f32, &[f32])> = Vec::new();
        for (rank, (of_passage, passage)) in ranked.iter().enumerate() {
            for (at, sentence) in passage.sentences.iter().enumerate() {
                let relevance = (dot(question, &sentence.vector) + of_passage) / 2.0;
                open.push((rank, at, relevance, &sentence.vector));
            }
        }
        let mut chosen: Vec<(usize, usize, f32, &[f32])> = Vec::new();
        while chosen.len() < self.profile.sentences && !open.is_empty() {
            let worth = |candidate: &(usize, usize, f32, &[f32])| {
                let repeats = chosen.iter().map(|other| dot(candidate.3, other.3)).fold(0.0, f32::max);
                (1.0 - self.profile.variety) * candidate.2 - self.profile.variety * repeats
            };
            let values: Vec<f32> = open.iter().map(worth).collect();
            let best = (0..open.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]).then(b.cmp(a))).unwrap_or(0);
            chosen.push(open.remove(best));
        }
        let mut places: Vec<(usize, usize)> = chosen.into_iter().map(|(rank, at, _, _)| (rank, at)).collect();
        places.sort_unstable();
        places
    }
}

/// Vectors of many texts, in calls of a size that lets other callers of a shared model in between.
pub(crate) async fn embed_all(texts: &[String], embedding: &EmbeddingService) -> Result<Vec<Vec<f32>>, Error> {
    let mut vectors = Vec::with_capacity(texts.len());
    for chunk in texts.chunks(64) {
        vectors.extend(embedding.embed(chunk.to_vec()).await?);
    }
    Ok(vectors)
}

/// Whether a miner of this profile has the passage: a share of all passages, decided by seed and id.
fn has(profile: &Profile, id: &str) -> bool {
    let digest = Sha256::new_with_prefix(profile.seed.to_be_bytes()).chain_update(id.as_bytes()).finalize();
    let draw = f32::from(u16::from_be_bytes([digest[0], digest[1]])) / 65_536.0;
    draw < profile.corpus_share
}

/// Half how near the whole passage is, half how near its nearest sentence is.
fn relevance(question: &[f32], passage: &IndexedPassage) -> f32 {
    let nearest = passage.sentences.iter().map(|sentence| dot(question, &sentence.vector)).fold(-1.0, f32::max);
    (dot(question, &passage.vector) + nearest) / 2.0
}

/// The cosine of two vectors of length 1.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_share_of_the_corpus_is_that_share() {
        let count = |share: f32, seed: u64| {
            let profile = Profile { corpus_share: share, seed, ..Profile::default() };
            (0..10_000).filter(|n| has(&profile, &format!("passage-{n}"))).count()
        };
        assert_eq!(count(1.0, 3), 10_000);
        assert!((8_800..9_200).contains(&count(0.9, 3)), "{}", count(0.9, 3));
        // Another seed, another part.
        let has_by = |seed, n: u32| has(&Profile { corpus_share: 0.5, seed, ..Profile::default() }, &n.to_string());
        assert!((0..100).any(|n| has_by(1, n) != has_by(2, n)));
    }

    #[test]
    fn vectors_must_fit_the_corpus() {
        let corpus = Corpus::shipped().unwrap();
        let error = Index::new(&corpus, &Profile::default(), vec![vec![1.0]]).err().expect("one vector is too few");
        assert!(matches!(error, Error::Vectors { vectors: 1, .. }), "{error}");
    }
}
