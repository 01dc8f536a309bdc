//! Texts to vectors: tokenizer, batches, pooling and checks, the same above either runtime.

use crate::graph::{self, Batch, Graph, Opened};
use crate::model::{ModelFiles, ModelKind, Pooling};
use crate::word_pieces::{self, WordPieces};
use crate::{Error, Limits, ModelConfig, ModelIdentity};

/// The shortest length a vector is divided by.
const TINY: f64 = 1e-12;

/// Turns texts into vectors. Calls block for as long as the model computes: use [`crate::EmbeddingService`] from async code.
pub trait Embedder: Send + Sync {
    /// The model, the runtime and the provider.
    fn identity(&self) -> &ModelIdentity;

    /// The largest input this embedder takes.
    fn limits(&self) -> &Limits;

    /// One vector per text, in the order of the texts, each of [`ModelIdentity::dimensions`] numbers, and of length 1 if
    /// the graph or the manifest normalises. Every text has a vector, the empty one too.
    ///
    /// # Errors
    /// [`Error::TooManyTexts`] and [`Error::TextTooLong`] before anything is computed; [`Error::Tokenize`],
    /// [`Error::Run`] and [`Error::Output`] if the model fails.
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error>;
}

/// Opens the embedding model of a configuration on the runtime it names. How it is pooled and whether vectors are
/// normalised is for the model's manifest to say, so that MiniLM and MPNet open alike.
///
/// [`crate::Runtime::Automatic`] takes ONNX Runtime when a usable library is found, else rten, and logs which and why.
///
/// # Errors
/// [`Error::ModelMissing`] and [`Error::ModelDamaged`] for the model's files; [`Error::OtherKind`] for a model that is not
/// for embeddings; [`Error::LibraryUnusable`] when ONNX Runtime was asked for by name; [`Error::ProviderUnavailable`] when
/// CUDA was required.
pub fn open(config: &ModelConfig) -> Result<Box<dyn Embedder>, Error> {
    config.limits.check()?;
    let files = ModelFiles::open(&config.model, ModelKind::Embedding)?;
    let word_pieces = WordPieces::open(&files)?;
    let Opened { graph, identity } = graph::open(config, &files)?;
    let (pooling, normalise) = (files.manifest.pooling, files.manifest.normalise);
    Ok(Box::new(Pipeline { identity, limits: config.limits.clone(), word_pieces, graph, pooling, normalise }))
}

struct Pipeline {
    identity: ModelIdentity,
    limits: Limits,
    word_pieces: WordPieces,
    graph: Box<dyn Graph>,
    pooling: Pooling,
    normalise: bool,
}

impl Embedder for Pipeline {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        self.limits.admit(texts)?;
        let pieces = self.word_pieces.of(texts)?;
        let lengths: Vec<usize> = pieces.iter().map(|text| text.ids.len()).collect();
        let mut vectors = vec![Vec::new(); texts.len()];
        let limits = &self.limits;
        for group in word_pieces::groups_by_length(&lengths, limits.batch_texts, limits.batch_word_pieces) {
            let batch = self.word_pieces.batch(&pieces, &group);
            for (index, vector) in group.iter().zip(self.vectors(&batch)?) {
                if let Some(position) = vector.iter().position(|number| !number.is_finite()) {
                    return Err(Error::Output {
                        what: format!("a number that is not finite: text {index}, at {position}"),
                    });
                }
                vectors[*index] = vector;
            }
        }
        Ok(vectors)
    }
}

impl Pipeline {
    /// One vector per row of a batch.
    fn vectors(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, Error> {
        let dimensions = self.identity.dimensions;
        let mut vectors = Vec::with_capacity(batch.rows);
        self.graph.run(batch, &mut |shape, numbers| {
            if self.pooling == Pooling::InGraph {
                graph::expect_shape(shape, &[batch.rows, dimensions])?;
                vectors.extend(numbers.chunks_exact(dimensions).map(<[f32]>::to_vec));
                return Ok(());
            }
            graph::expect_shape(shape, &[batch.rows, batch.columns, dimensions])?;
            let rows = numbers.chunks_exact(batch.columns * dimensions).zip(batch.mask.chunks_exact(batch.columns));
            vectors.extend(rows.map(|(row, mask)| pooled(self.pooling, row, mask, dimensions)));
            Ok(())
        })?;
        if self.normalise {
            vectors.iter_mut().for_each(|vector| normalise(vector));
        }
        Ok(vectors)
    }
}

/// Of the vectors of one text's word pieces, the mean or the first. Sums are in double precision, left to right.
fn pooled(pooling: Pooling, row: &[f32], mask: &[i64], dimensions: usize) -> Vec<f32> {
    if pooling == Pooling::First {
        return row[..dimensions].to_vec();
    }
    let mut sums = vec![0.0f64; dimensions];
    let present = row.chunks_exact(dimensions).zip(mask).filter(|(_, present)| **present == 1);
    let mut count = 0.0;
    for (vector, _) in present {
        count += 1.0;
        sums.iter_mut().zip(vector).for_each(|(sum, number)| *sum += f64::from(*number));
    }
    sums.into_iter().map(|sum| (sum / f64::max(count, 1.0)) as f32).collect()
}

fn normalise(vector: &mut [f32]) {
    let squares: f64 = vector.iter().map(|number| f64::from(*number) * f64::from(*number)).sum();
    let length = squares.sqrt().max(TINY);
    vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_has_no_part_in_a_mean() {
        let row = [1.0, 2.0, 3.0, 6.0, 50.0, 50.0];
        assert_eq!(pooled(Pooling::Mean, &row, &[1, 1, 0], 2), [2.0, 4.0]);
        assert_eq!(pooled(Pooling::Mean, &row, &[0, 0, 0], 2), [0.0, 0.0]);
        assert_eq!(pooled(Pooling::First, &row, &[1, 1, 0], 2), [1.0, 2.0]);
    }

    #[test]
    fn vectors_are_divided_by_their_length() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut nothing = [0.0, 0.0];
        normalise(&mut nothing);
        assert_eq!(nothing, [0.0, 0.0]);
    }
}
