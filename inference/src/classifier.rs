//! Sequence classification with one logit: what a reward model gives for a pair of texts, such as a question and an answer.

use crate::graph::{self, Graph, Opened};
use crate::model::{ModelFiles, ModelKind};
use crate::word_pieces::{self, WordPieces};
use crate::{Error, Limits, ModelConfig, ModelIdentity};

/// Two texts that are read together, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextPair {
    /// The first, a question.
    pub first: String,
    /// The second, an answer to it.
    pub second: String,
}

impl TextPair {
    /// Bytes of both texts.
    pub(crate) fn bytes(&self) -> usize {
        self.first.len() + self.second.len()
    }
}

/// What a classifier gives for a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The logit as the model has it: of any size, not a number if the model's is not. What that is worth is not said here.
    pub logit: f32,
    /// Word pieces that were read, those around the texts included.
    pub word_pieces: usize,
    /// Whether something was cut off because the model reads no more.
    pub truncated: bool,
}

/// Scores pairs of texts. Calls block for as long as the model computes: use [`crate::ClassifierService`] from async code.
pub trait Classifier: Send + Sync {
    /// The model, the runtime and the provider. Its `dimensions` are 1.
    fn identity(&self) -> &ModelIdentity;

    /// The largest input. [`Limits::text_bytes`] counts both texts of a pair.
    fn limits(&self) -> &Limits;

    /// One score per pair, in the order of the pairs. Empty texts have one too. Of a pair that is too long, the longer
    /// text is cut at its end until it is as long as the other, then both.
    ///
    /// # Errors
    /// [`Error::TooManyTexts`] and [`Error::TextTooLong`] before anything is computed; [`Error::Tokenize`],
    /// [`Error::Run`] and [`Error::Output`] if the model fails.
    fn score(&self, pairs: &[TextPair]) -> Result<Vec<Score>, Error>;
}

/// Opens the classifier of a configuration, on a runtime chosen as [`crate::open`] does.
///
/// # Errors
/// Those of [`crate::open`]; [`Error::OtherKind`] for a model that is no classifier.
pub fn open_classifier(config: &ModelConfig) -> Result<Box<dyn Classifier>, Error> {
    config.limits.check()?;
    let files = ModelFiles::open(&config.model, ModelKind::SequenceClassification)?;
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

impl Classifier for Pipeline {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn score(&self, pairs: &[TextPair]) -> Result<Vec<Score>, Error> {
        let limits = &self.limits;
        limits.admit_bytes(pairs.iter().map(TextPair::bytes))?;
        let pieces = self.word_pieces.of_pairs(pairs)?;
        let lengths: Vec<usize> = pieces.iter().map(|pair| pair.ids.len()).collect();
        let mut logits = vec![0.0; pairs.len()];
        for group in word_pieces::groups_by_length(&lengths, limits.batch_texts, limits.batch_word_pieces) {
            let batch = self.word_pieces.batch(&pieces, &group);
            self.graph.run(&batch, &mut |shape, numbers| {
                graph::expect_shape(shape, &[batch.rows, 1])?;
                group.iter().zip(numbers).for_each(|(index, logit)| logits[*index] = *logit);
                Ok(())
            })?;
        }
        let score = |(pair, logit): (&word_pieces::Pieces, f32)| Score {
            logit,
            word_pieces: pair.ids.len(),
            truncated: pair.truncated,
        };
        Ok(pieces.iter().zip(logits).map(score).collect())
    }
}
