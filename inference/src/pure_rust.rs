//! The graph on rten: no library, no GPU, the same numbers as ONNX Runtime to about 1e-7.

use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use crate::graph::{Batch, Graph, Input, Reader};
use crate::model::ModelFiles;
use crate::{Error, ModelConfig};

/// The version of rten this crate is built with; a test compares it with the lock file.
pub(crate) const VERSION: &str = "0.27.0";

const RUNTIME: &str = "rten";

pub(crate) struct RtenGraph {
    model: Model,
    inputs: Vec<(NodeId, Input)>,
    output: NodeId,
    threads: Arc<ThreadPool>,
}

impl RtenGraph {
    pub(crate) fn open(config: &ModelConfig, files: &ModelFiles) -> Result<Self, Error> {
        let refused = |reason: String| Error::Graph { runtime: RUNTIME, reason };
        let model = Model::load_file(&files.graph_path).map_err(|error| refused(error.to_string()))?;
        let node = |name: &str| model.node_id(name).map_err(|error| refused(error.to_string()));
        let names = model.input_ids().iter().filter_map(|id| model.node_info(*id)?.name());
        let inputs = Input::named(names).map_err(refused)?;
        let inputs = inputs.into_iter().map(|(name, input)| Ok((node(name)?, input))).collect::<Result<_, Error>>()?;
        let output = node(files.manifest.output())?;
        let threads = Arc::new(ThreadPool::with_num_threads(config.thread_count()));
        Ok(Self { model, inputs, output, threads })
    }
}

impl Graph for RtenGraph {
    fn run(&self, batch: &Batch, read: &mut Reader<'_>) -> Result<(), Error> {
        let failed = |reason: String| Error::Run { runtime: RUNTIME, reason };
        let shape = [batch.rows, batch.columns];
        // rten reads the graph's int64 as int32; token ids and masks fit.
        let narrow = |(node, input): &(NodeId, Input)| {
            let values: Result<Vec<i32>, _> = batch.values(*input).into_iter().map(i32::try_from).collect();
            let values = NdTensor::from_data(shape, values.map_err(|error| failed(error.to_string()))?);
            Ok((*node, Value::from(values).into()))
        };
        let inputs = self.inputs.iter().map(narrow).collect::<Result<_, Error>>()?;
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.threads));
        let mut outputs =
            self.model.run(inputs, &[self.output], Some(options)).map_err(|error| failed(error.to_string()))?;
        let output = outputs.pop().ok_or_else(|| failed("it returned no output".to_owned()))?;
        let output = Tensor::<f32>::try_from(output).map_err(|error| failed(error.to_string()))?;
        let shape = output.shape().to_vec();
        match output.data() {
            Some(numbers) => read(&shape, numbers),
            None => read(&shape, &output.to_vec()),
        }
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
