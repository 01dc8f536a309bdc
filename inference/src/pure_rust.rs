//! The graph on rten: no library, no GPU, the same numbers as ONNX Runtime to about 1e-7.

use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::model::ModelFiles;
use crate::{Batch, EmbeddingConfig, EncoderGraph, Error};

/// The version of rten this crate is built with; a test compares it with the lock file.
pub(crate) const VERSION: &str = "0.27.0";

const RUNTIME: &str = "rten";

pub(crate) struct Graph {
    model: Model,
    input_ids: NodeId,
    attention_mask: NodeId,
    output: NodeId,
    threads: Arc<ThreadPool>,
}

impl Graph {
    pub(crate) fn open(config: &EmbeddingConfig, files: &ModelFiles) -> Result<Self, Error> {
        let refused = |reason: String| Error::Graph { runtime: RUNTIME, reason };
        let model = Model::load_file(&files.graph_path).map_err(|error| refused(error.to_string()))?;
        let node = |name: &str| model.node_id(name).map_err(|error| refused(error.to_string()));
        let (input_ids, attention_mask, output) =
            (node("input_ids")?, node("attention_mask")?, node("sentence_embedding")?);
        let threads = Arc::new(ThreadPool::with_num_threads(config.thread_count()));
        Ok(Self { model, input_ids, attention_mask, output, threads })
    }
}

impl EncoderGraph for Graph {
    fn run(&self, batch: Batch) -> Result<Vec<f32>, Error> {
        let failed = |reason: String| Error::Run { runtime: RUNTIME, reason };
        let shape = [batch.rows, batch.columns];
        // rten reads the graph's int64 as int32; token ids and masks fit.
        let narrow = |values: Vec<i64>| -> Result<Value, Error> {
            let values: Result<Vec<i32>, _> = values.into_iter().map(i32::try_from).collect();
            Ok(NdTensor::from_data(shape, values.map_err(|error| failed(error.to_string()))?).into())
        };
        let (ids, mask) = (narrow(batch.ids)?, narrow(batch.mask)?);
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.threads));
        let inputs = vec![(self.input_ids, ids.into()), (self.attention_mask, mask.into())];
        let mut outputs =
            self.model.run(inputs, &[self.output], Some(options)).map_err(|error| failed(error.to_string()))?;
        let output = outputs.pop().ok_or_else(|| failed("it returned no output".to_owned()))?;
        let vectors = NdTensor::<f32, 2>::try_from(output).map_err(|error| failed(error.to_string()))?;
        Ok(vectors.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    #[test]
    fn the_recorded_version_is_the_locked_one() {
        let lock =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).expect("the lock file");
        let expected = format!("name = \"rten\"\nversion = \"{}\"\n", super::VERSION);
        assert!(lock.contains(&expected), "Cargo.lock has another rten than {}", super::VERSION);
    }
}
