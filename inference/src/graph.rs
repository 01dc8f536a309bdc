//! What a graph is run on and what it returns, the same for either runtime.
//!
//! A graph is fed by the names of its inputs, as exports of published models have them: `input_ids`, `attention_mask`,
//! `token_type_ids` and `position_ids`, each int64 (batch, sequence). One that asks for anything else, such as the past
//! keys and values of a generating export, is refused when it is opened.

use crate::model::ModelFiles;
use crate::{Error, ModelConfig, ModelIdentity, Runtime, onnx_runtime, pure_rust};

/// Word pieces of several texts, padded at their ends to one length.
pub(crate) struct Batch {
    /// Token ids, `rows × columns`, row by row.
    pub(crate) ids: Vec<i64>,
    /// 1 where there is a word piece, 0 where there is padding.
    pub(crate) mask: Vec<i64>,
    /// Which text of a pair a word piece belongs to.
    pub(crate) types: Vec<i64>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// An input that a graph may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Ids,
    Mask,
    Types,
    Positions,
}

impl Input {
    const ALL: [(&'static str, Self); 4] = [
        ("input_ids", Self::Ids),
        ("attention_mask", Self::Mask),
        ("token_type_ids", Self::Types),
        ("position_ids", Self::Positions),
    ];

    /// The inputs of these names.
    pub(crate) fn named<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<(&'static str, Self)>, String> {
        let mut inputs = Vec::new();
        for name in names {
            let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
            inputs.push(known.ok_or_else(|| format!("it has an input {name:?}, for which there is nothing to feed"))?);
        }
        match Self::ALL.into_iter().take(2).find(|needed| !inputs.contains(needed)) {
            Some((name, _)) => Err(format!("it has no input named {name}")),
            None => Ok(inputs),
        }
    }
}

impl Batch {
    /// `rows × columns` numbers for an input.
    pub(crate) fn values(&self, input: Input) -> Vec<i64> {
        match input {
            Input::Ids => self.ids.clone(),
            Input::Mask => self.mask.clone(),
            Input::Types => self.types.clone(),
            // Padding stands at the end, so a word piece's position does not depend on it.
            Input::Positions => (0..self.rows).flat_map(|_| (0i64..).take(self.columns)).collect(),
        }
    }
}

/// Sees a graph's output where the runtime holds it: shape, and numbers in row-major order.
pub(crate) type Reader<'a> = dyn FnMut(&[usize], &[f32]) -> Result<(), Error> + 'a;

/// A loaded graph with one output. It keeps nothing between two runs.
pub(crate) trait Graph: Send + Sync {
    fn run(&self, batch: &Batch, read: &mut Reader<'_>) -> Result<(), Error>;
}

/// Refuses an output of another shape.
pub(crate) fn expect_shape(found: &[usize], expected: &[usize]) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Output { what: format!("numbers of shape {found:?}, not {expected:?}") })
}

/// A graph and what it is recorded as.
pub(crate) struct Opened {
    pub(crate) graph: Box<dyn Graph>,
    pub(crate) identity: ModelIdentity,
}

/// Opens a graph on the runtime of the configuration; logs which and why.
pub(crate) fn open(config: &ModelConfig, files: &ModelFiles) -> Result<Opened, Error> {
    let required = config.provider.required();
    let no_cuda = |reason: String| Error::ProviderUnavailable { provider: "cuda", reason };
    let opened = match config.runtime {
        Runtime::OnnxRuntime => on_onnx_runtime(config, files)?,
        Runtime::PureRust if required => return Err(no_cuda("rten runs on the CPU only".to_owned())),
        Runtime::PureRust => on_rten(config, files)?,
        Runtime::Automatic => match on_onnx_runtime(config, files) {
            Ok(opened) => opened,
            Err(error @ Error::LibraryUnusable { .. }) if !required => {
                tracing::warn!(%error, model = files.manifest.name, "the model runs in pure Rust");
                on_rten(config, files)?
            }
            Err(Error::LibraryUnusable { tried }) => return Err(no_cuda(format!("no ONNX Runtime: {tried}"))),
            Err(error) => return Err(error),
        },
    };
    let identity = &opened.identity;
    tracing::info!(
        model = identity.name,
        runtime = identity.runtime,
        version = identity.runtime_version,
        asked = identity.provider_asked,
        provider = identity.provider,
        "model for {} is open",
        files.manifest.kind.words()
    );
    Ok(opened)
}

fn on_onnx_runtime(config: &ModelConfig, files: &ModelFiles) -> Result<Opened, Error> {
    let graph = onnx_runtime::OnnxGraph::open(config, files)?;
    let identity = identity(config, files, "onnxruntime", graph.version(), graph.provider());
    Ok(Opened { graph: Box::new(graph), identity })
}

fn on_rten(config: &ModelConfig, files: &ModelFiles) -> Result<Opened, Error> {
    let graph = Box::new(pure_rust::RtenGraph::open(config, files)?);
    Ok(Opened { graph, identity: identity(config, files, "rten", pure_rust::VERSION, "cpu") })
}

fn identity(config: &ModelConfig, files: &ModelFiles, runtime: &str, version: &str, provider: &str) -> ModelIdentity {
    let manifest = &files.manifest;
    ModelIdentity {
        name: manifest.name.clone(),
        weights_sha256: manifest.weights_sha256.clone(),
        tokenizer_sha256: manifest.tokenizer_sha256.clone(),
        dimensions: manifest.dimensions,
        max_word_pieces: manifest.max_word_pieces,
        runtime: runtime.to_owned(),
        runtime_version: version.to_owned(),
        provider_asked: config.provider.to_string(),
        provider: provider.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_inputs_that_can_be_fed_are_taken() {
        let named = |names: &[&str]| Input::named(names.iter().copied());
        assert_eq!(
            named(&["attention_mask", "input_ids"]).unwrap(),
            [("attention_mask", Input::Mask), ("input_ids", Input::Ids)]
        );
        assert_eq!(named(&["input_ids", "attention_mask", "token_type_ids", "position_ids"]).unwrap().len(), 4);
        assert!(named(&["input_ids"]).unwrap_err().contains("no input named attention_mask"));
        let past = named(&["input_ids", "attention_mask", "past_key_values.0.key"]).unwrap_err();
        assert!(past.contains("past_key_values.0.key"), "{past}");
    }

    #[test]
    fn every_row_counts_its_own_positions() {
        let batch = Batch { ids: vec![5; 6], mask: vec![1; 6], types: vec![0; 6], rows: 2, columns: 3 };
        assert_eq!(batch.values(Input::Positions), [0, 1, 2, 0, 1, 2]);
    }
}
