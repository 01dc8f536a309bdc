//! Small models over rows of numbers: one float32 tensor in, one out.
//!
//! They run on rten alone: a few thousand multiplications need no library to be loaded, and a miner with such a model then
//! answers the same on every machine that has the program. What the columns mean stands in the model's metadata, and is the
//! caller's to read.

use std::path::Path;
use std::sync::Arc;

use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use sha2::{Digest, Sha256};

use crate::Error;

const RUNTIME: &str = "rten";

/// Larger files are refused: 64 MiB hold 16 million weights.
pub const MAX_MODEL_BYTES: usize = 64 << 20;

/// A loaded model. Calls block for as long as it computes, on the calling thread and one of its own.
pub struct Tabular {
    model: Model,
    input: NodeId,
    output: NodeId,
    columns: Option<usize>,
    sha256: String,
    threads: Arc<ThreadPool>,
}

impl std::fmt::Debug for Tabular {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tabular").field("sha256", &self.sha256).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Tabular {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::ModelFile`] for the file, and those of [`Tabular::from_bytes`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::ModelFile { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if length > MAX_MODEL_BYTES as u64 {
            return Err(unreadable(format!("has {length} bytes; the limit is {MAX_MODEL_BYTES}")));
        }
        Self::from_bytes(std::fs::read(path).map_err(|error| unreadable(error.to_string()))?)
    }

    /// Opens a model in ONNX format with one input and one output.
    ///
    /// # Errors
    /// [`Error::Graph`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let refused = |reason: String| Error::Graph { runtime: RUNTIME, reason };
        if bytes.len() > MAX_MODEL_BYTES {
            return Err(refused(format!("it has {} bytes; the limit is {MAX_MODEL_BYTES}", bytes.len())));
        }
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let model = Model::load(bytes).map_err(|error| refused(error.to_string()))?;
        let ([input], [output]) = (model.input_ids(), model.output_ids()) else {
            let (inputs, outputs) = (model.input_ids().len(), model.output_ids().len());
            return Err(refused(format!("it has {inputs} inputs and {outputs} outputs instead of one each")));
        };
        let (input, output) = (*input, *output);
        let shape = model.node_info(input).and_then(|info| info.shape());
        let columns = match shape.as_deref() {
            Some([_, Dimension::Fixed(columns)]) => Some(*columns),
            Some([_, Dimension::Symbolic(_)]) | None => None,
            Some(other) => return Err(refused(format!("its input has {} dimensions instead of 2", other.len()))),
        };
        Ok(Self { model, input, output, columns, sha256, threads: Arc::new(ThreadPool::with_num_threads(1)) })
    }

    /// Numbers in a row, where the model says so.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// SHA-256 of the file, 64 hex digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A text of the model's metadata.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.model.metadata().get(name)
    }

    /// The numbers that the model gives for one row.
    ///
    /// # Errors
    /// [`Error::Run`] for a row of another width or with numbers that are not finite, and if the model fails; [`Error::Output`] for what is not finite.
    pub fn run(&self, row: &[f32]) -> Result<Vec<f32>, Error> {
        let failed = |reason: String| Error::Run { runtime: RUNTIME, reason };
        if let Some(columns) = self.columns.filter(|columns| *columns != row.len()) {
            return Err(failed(format!("a row of {} numbers instead of {columns}", row.len())));
        }
        // Rectifiers may swallow a NaN, and a number would come out that nothing went into.
        if let Some(number) = row.iter().find(|number| !number.is_finite()) {
            return Err(failed(format!("a row with a number that is not finite: {number}")));
        }
        let input = NdTensor::from_data([1, row.len()], row.to_vec());
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.threads));
        let outputs = self.model.run(vec![(self.input, input.into())], &[self.output], Some(options));
        let output = outputs.map_err(|error| failed(error.to_string()))?.pop();
        let output = output.ok_or_else(|| failed("it returned no output".to_owned()))?;
        let numbers = Tensor::<f32>::try_from(output).map_err(|error| failed(error.to_string()))?.to_vec();
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(number) => Err(Error::Output { what: format!("a number that is not finite: {number}") }),
            None => Ok(numbers),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../miner/models/conversion.onnx");

    /// A row of zeros but for one number.
    fn row((column, number): (usize, f32)) -> Vec<f32> {
        (0..40).map(|at| if at == column { number } else { 0.0 }).collect()
    }

    #[test]
    fn a_model_tells_what_it_is() {
        let model = Tabular::open(Path::new(MODEL)).unwrap();
        assert_eq!(model.columns(), Some(40));
        assert_eq!(model.sha256(), hex::encode(Sha256::digest(std::fs::read(MODEL).unwrap())));
        assert_eq!(model.metadata("positive_seconds"), Some("76.49"));
        assert_eq!(model.metadata("nothing"), None);
    }

    /// From onnxruntime 1.31.1 in Python on the same rows.
    const EXPECTED: [((usize, f32), f32); 5] = [
        ((0, -1.125), 0.049_059_898),
        ((0, -1.093_75), 0.513_870_1),
        ((0, -1.062_5), 0.956_782_34),
        ((1, -1.0), 0.948_737_56),
        ((18, -0.437_5), 0.053_693_593),
    ];

    #[test]
    fn gives_the_numbers_of_onnxruntime() {
        let model = Tabular::open(Path::new(MODEL)).unwrap();
        for (at, expected) in EXPECTED {
            let found = model.run(&row(at)).unwrap();
            assert!(found.len() == 1 && (found[0] - expected).abs() < 1e-5, "{found:?} {expected}");
        }
    }

    #[test]
    fn what_cannot_be_opened_or_run() {
        assert!(matches!(Tabular::open(Path::new("/nowhere/model.onnx")), Err(Error::ModelFile { .. })));
        for bytes in [Vec::new(), b"no model".to_vec(), std::fs::read(MODEL).unwrap()[..9000].to_vec()] {
            assert!(matches!(Tabular::from_bytes(bytes), Err(Error::Graph { .. })));
        }
        let model = Tabular::open(Path::new(MODEL)).unwrap();
        for wrong in [vec![], vec![0.0; 39], vec![0.0; 80], vec![f32::NAN; 40]] {
            assert!(matches!(model.run(&wrong), Err(Error::Run { .. })));
        }
    }
}
