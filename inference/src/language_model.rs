//! Causal language models as measures of text: the log-probability of each token after those before it. Nothing is
//! generated here.
//!
//! Logits are single precision as the graph has them; what is summed over a vocabulary or over places is summed in double
//! precision, left to right.

use crate::graph::{self, Graph, Opened};
use crate::model::{ModelFiles, ModelKind};
use crate::word_pieces::{self, WordPieces};
use crate::{Error, Limits, ModelConfig, ModelIdentity};

/// The most values of watched tokens for one sequence, 128 MiB: the most that 8,192 tokens can ask for who watch each
/// token that follows a repeated run of four (8,192 × 8,192 / 5) are fewer.
const MOST_WATCHED: usize = 1 << 24;

/// Tokens, and what is asked of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The tokens, prompt first. The first one is never predicted.
    pub tokens: Vec<u32>,
    /// The index of the first token that is read: where an answer begins, that is, the number of the prompt's tokens.
    pub from: usize,
    /// Tokens whose log-probability is wanted at each place that is read, whatever token stands there.
    pub watched: Vec<u32>,
}

/// What a model says of one token of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenReading {
    /// Natural logarithm of the token's probability: its logit less `log_sum`.
    pub log_probability: f64,
    /// Natural logarithm of the sum of the exponentials of all logits at its place.
    pub log_sum: f64,
    /// Log-probabilities of [`Sequence::watched`] at its place, in their order.
    pub watched: Vec<f64>,
}

/// What a model says of a sequence. Numbers that the model makes not finite are not finite here.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// One for each token from [`Sequence::from`] on, but the very first.
    pub tokens: Vec<TokenReading>,
    /// Mean of all logits that predict a token of the sequence, read or not; 0 if there are none.
    pub mean: f64,
    /// Their standard deviation, of a sample (divided by one less than their number); 0 if there are none.
    pub deviation: f64,
}

/// Reads sequences of tokens. Calls block for as long as the model computes: use [`crate::LanguageModelService`] from
/// async code.
pub trait LanguageModel: Send + Sync {
    /// The model, the runtime and the provider. Its `dimensions` are the size of the vocabulary, its `max_word_pieces` the
    /// longest sequence.
    fn identity(&self) -> &ModelIdentity;

    /// The largest input.
    fn limits(&self) -> &Limits;

    /// The tokens of each text with whatever the model's tokenizer puts around it, however many they are.
    ///
    /// # Errors
    /// [`Error::TooManyTexts`], [`Error::TextTooLong`] and [`Error::Tokenize`].
    fn tokens(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, Error>;

    /// One reading per sequence, in the order of the sequences. Nothing is cut: who wants a long sequence read cuts it.
    ///
    /// # Errors
    /// [`Error::TooManyTexts`], [`Error::SequenceTooLong`], [`Error::UnknownToken`] and [`Error::TooManyWatched`] before
    /// anything is computed; [`Error::Run`] and [`Error::Output`] if the model fails.
    fn read(&self, sequences: &[Sequence]) -> Result<Vec<Reading>, Error>;

    /// The log-probability of each token after those before it, without the first: the logarithm of the softmax of the
    /// logits, at the token.
    ///
    /// # Errors
    /// Those of [`LanguageModel::read`].
    fn log_probs(&self, sequences: &[Vec<u32>]) -> Result<Vec<Vec<f64>>, Error> {
        let sequence = |tokens: &Vec<u32>| Sequence { tokens: tokens.clone(), ..Sequence::default() };
        let readings = self.read(&sequences.iter().map(sequence).collect::<Vec<_>>())?;
        let own = |reading: Reading| reading.tokens.iter().map(|token| token.log_probability).collect();
        Ok(readings.into_iter().map(own).collect())
    }
}

/// Opens the language model of a configuration, on a runtime chosen as [`crate::open`] does.
///
/// # Errors
/// Those of [`crate::open`]; [`Error::OtherKind`] for a model that is no causal language model.
pub fn open_language_model(config: &ModelConfig) -> Result<Box<dyn LanguageModel>, Error> {
    config.limits.check()?;
    let files = ModelFiles::open(&config.model, ModelKind::CausalLanguageModel)?;
    let word_pieces = WordPieces::open(&files)?;
    let Opened { graph, identity } = graph::open(config, &files)?;
    Ok(Box::new(Pipeline { identity, limits: config.limits.clone(), word_pieces, graph }))
}

struct Pipeline {
    identity: ModelIdentity,
    limits: Limits,
    word_pieces: WordPieces,
    graph: Box<dyn Graph>,
}

impl Pipeline {
    /// Tokens of one batch, padding included, whose logits the limit allows.
    fn affordable_tokens(&self) -> usize {
        self.limits.logits / self.identity.dimensions
    }

    fn admit(&self, sequences: &[Sequence]) -> Result<(), Error> {
        self.limits.admit_count(sequences.len())?;
        let limit = self.identity.max_word_pieces.min(self.affordable_tokens());
        let vocabulary = self.identity.dimensions;
        for (index, sequence) in sequences.iter().enumerate() {
            let tokens = sequence.tokens.len();
            if tokens > limit {
                return Err(Error::SequenceTooLong { index, tokens, limit });
            }
            let mut named = sequence.tokens.iter().chain(&sequence.watched);
            if let Some(token) = named.find(|token| **token as usize >= vocabulary) {
                return Err(Error::UnknownToken { index, token: *token, vocabulary });
            }
            let values = tokens.saturating_sub(sequence.from).saturating_mul(sequence.watched.len());
            if values > MOST_WATCHED {
                return Err(Error::TooManyWatched { index, values, limit: MOST_WATCHED });
            }
        }
        Ok(())
    }
}

impl LanguageModel for Pipeline {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn tokens(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, Error> {
        self.limits.admit(texts)?;
        self.word_pieces.tokens(texts)
    }

    fn read(&self, sequences: &[Sequence]) -> Result<Vec<Reading>, Error> {
        self.admit(sequences)?;
        let nothing = Reading { tokens: Vec::new(), mean: 0.0, deviation: 0.0 };
        let mut readings = vec![nothing; sequences.len()];
        // A sequence of one token, or none, has nothing that is predicted.
        let readable: Vec<usize> = (0..sequences.len()).filter(|index| sequences[*index].tokens.len() > 1).collect();
        let lengths: Vec<usize> = readable.iter().map(|index| sequences[*index].tokens.len()).collect();
        let word_pieces = self.limits.batch_word_pieces.min(self.affordable_tokens());
        let vocabulary = self.identity.dimensions;
        for group in word_pieces::groups_by_length(&lengths, self.limits.batch_texts, word_pieces) {
            let group: Vec<usize> = group.into_iter().map(|at| readable[at]).collect();
            let rows: Vec<&[u32]> = group.iter().map(|index| sequences[*index].tokens.as_slice()).collect();
            let batch = self.word_pieces.batch_of_tokens(&rows);
            self.graph.run(&batch, &mut |shape, logits| {
                graph::expect_shape(shape, &[batch.rows, batch.columns, vocabulary])?;
                for (index, logits) in group.iter().zip(logits.chunks_exact(batch.columns * vocabulary)) {
                    readings[*index] = reading(&sequences[*index], logits, vocabulary);
                }
                Ok(())
            })?;
        }
        Ok(readings)
    }
}

/// A sequence's reading from its logits: row `i` predicts token `i + 1`, rows beyond the last but one are not looked at.
fn reading(sequence: &Sequence, logits: &[f32], vocabulary: usize) -> Reading {
    let predicted = sequence.tokens.len().saturating_sub(1);
    let predicting = &logits[..predicted * vocabulary];
    let count = predicting.len() as f64;
    let mean = predicting.iter().map(|logit| f64::from(*logit)).sum::<f64>() / count;
    let squares: f64 = predicting.iter().map(|logit| (f64::from(*logit) - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    let first = sequence.from.max(1);
    let rows = predicting.chunks_exact(vocabulary).zip(&sequence.tokens[1..]).skip(first - 1);
    let tokens = rows.map(|(row, token)| token_reading(row, *token, &sequence.watched)).collect();
    Reading { tokens, mean, deviation }
}

fn token_reading(row: &[f32], token: u32, watched: &[u32]) -> TokenReading {
    let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = row.iter().map(|logit| (f64::from(*logit) - most).exp()).sum();
    let log_total = total.ln();
    // In this order nothing is lost when all logits are far from 0.
    let of = |token: &u32| f64::from(row[*token as usize]) - most - log_total;
    let log_sum = most + log_total;
    TokenReading { log_probability: of(&token), log_sum, watched: watched.iter().map(of).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_follows_from_its_logits() {
        // Two words, three places; the last row predicts nothing and is not looked at.
        let logits = [0.0, 0.0, 3.0f32.ln(), 0.0, f32::NAN, f32::NAN];
        let sequence = Sequence { tokens: vec![0, 1, 0], from: 0, watched: vec![1] };
        let found = reading(&sequence, &logits, 2);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
        assert_eq!(found.tokens.len(), 2);
        close(found.tokens[0].log_probability, 0.5f64.ln());
        close(found.tokens[0].log_sum, 2.0f64.ln());
        close(found.tokens[1].log_probability, 0.75f64.ln());
        close(found.tokens[1].watched[0], 0.25f64.ln());
        close(found.mean, 3.0f64.ln() / 4.0);
        // Of 0, 0, 0, x: x / 2.
        close(found.deviation, 3.0f64.ln() / 2.0);
        for (from, count) in [(1, 2), (2, 1), (3, 0), (9, 0)] {
            let part = reading(&Sequence { from, ..sequence.clone() }, &logits, 2);
            assert_eq!(part.tokens, found.tokens[2 - count..], "from {from}");
            assert_eq!((part.mean, part.deviation), (found.mean, found.deviation));
        }
    }

    #[test]
    fn logits_of_any_size_have_a_softmax() {
        for (row, expected) in
            [([1e30f32, 0.0], 0.0), ([-1e30, -1e30], 0.5f64.ln()), ([f32::NEG_INFINITY, 0.0], -f64::INFINITY)]
        {
            assert_eq!(token_reading(&row, 0, &[]).log_probability, expected, "{row:?}");
        }
        assert!(token_reading(&[f32::NAN, 0.0], 1, &[]).log_probability.is_nan());
    }
}
