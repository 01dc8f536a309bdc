//! The graph on ONNX Runtime, loaded at run time from a shared library.
//!
//! A process loads one library and has one environment; both live until it ends. `ort::init` panics on a library that is
//! missing or too old, so the library is always loaded by path, where the same is an error and the next path is tried.
//! Execution providers are registered one by one: the builder's own list falls back to the CPU with a log line only.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::Tensor;

use crate::graph::{Batch, Graph, Input, Reader};
use crate::model::ModelFiles;
use crate::{Error, ModelConfig, Provider};

const RUNTIME: &str = "onnxruntime";

/// The library in use: set once, by the first graph that finds a usable one.
static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);

#[derive(Clone)]
struct Library {
    environment: Environment,
    version: String,
}

pub(crate) struct OnnxGraph {
    // `Session::run` needs the session for itself alone.
    session: Mutex<Session>,
    inputs: Vec<(&'static str, Input)>,
    output: &'static str,
    version: String,
    provider: &'static str,
}

impl OnnxGraph {
    pub(crate) fn open(config: &ModelConfig, files: &ModelFiles) -> Result<Self, Error> {
        let library = load(&config.libraries)?;
        let open = |provider| session(config, files, &library.environment, provider);
        let (session, provider) = match (open(config.provider), config.provider) {
            (Ok(session), Provider::Cpu) => (session, "cpu"),
            (Ok(session), Provider::Cuda { .. }) => (session, "cuda"),
            (Err(reason), Provider::Cpu) => return Err(Error::Graph { runtime: RUNTIME, reason }),
            (Err(reason), Provider::Cuda { required: true, .. }) => {
                return Err(Error::ProviderUnavailable { provider: "cuda", reason });
            }
            (Err(reason), Provider::Cuda { required: false, .. }) => {
                tracing::warn!(reason, "cuda was asked for and cannot be used: the model runs on the CPU");
                (open(Provider::Cpu).map_err(|reason| Error::Graph { runtime: RUNTIME, reason })?, "cpu")
            }
        };
        let refused = |reason: String| Error::Graph { runtime: RUNTIME, reason };
        let inputs = Input::named(session.inputs().iter().map(|input| input.name())).map_err(refused)?;
        let output = files.manifest.output();
        if !session.outputs().iter().any(|found| found.name() == output) {
            return Err(refused(format!("it has no output named {output}")));
        }
        Ok(Self { session: Mutex::new(session), inputs, output, version: library.version, provider })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn provider(&self) -> &'static str {
        self.provider
    }
}

impl Graph for OnnxGraph {
    fn run(&self, batch: &Batch, read: &mut Reader<'_>) -> Result<(), Error> {
        let failed = |error: ort::Error| Error::Run { runtime: RUNTIME, reason: error.to_string() };
        let shape = [batch.rows, batch.columns];
        let tensor = |(name, input): &(&'static str, Input)| {
            Ok((*name, Tensor::from_array((shape, batch.values(*input))).map_err(failed)?))
        };
        let inputs: Vec<(&str, Tensor<i64>)> = self.inputs.iter().map(tensor).collect::<Result<_, Error>>()?;
        // A thread that panicked in here left nothing half-done: ONNX Runtime keeps no state between runs.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs).map_err(failed)?;
        let output = outputs
            .get(self.output)
            .ok_or_else(|| Error::Output { what: format!("no output named {}", self.output) })?;
        let (shape, numbers) = output.try_extract_tensor::<f32>().map_err(failed)?;
        let shape: Vec<usize> = shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect();
        read(&shape, numbers)
    }
}

/// A session of the graph on one provider, or the runtime's own words why not.
fn session(
    config: &ModelConfig,
    files: &ModelFiles,
    environment: &Environment,
    provider: Provider,
) -> Result<Session, String> {
    let words = |error: ort::Error| error.to_string();
    let words_of_builder = |error: ort::Error<SessionBuilder>| error.to_string();
    let mut builder = Session::builder(environment)
        .map_err(words)?
        .with_intra_threads(config.thread_count())
        .map_err(words_of_builder)?
        // Several processes share a machine; a thread that spins for work takes it from the others.
        .with_intra_op_spinning(false)
        .map_err(words_of_builder)?
        .with_deterministic_compute(true)
        .map_err(words_of_builder)?;
    if let Provider::Cuda { device, .. } = provider {
        // TF32 keeps 10 bits of the mantissa: too few for vectors that a CPU checks to 1e-5.
        let cuda = ep::CUDA::default().with_device_id(device).with_tf32(false).build();
        cuda.register(&mut builder).map_err(words)?;
    }
    builder.commit_from_file(&files.graph_path).map_err(words)
}

/// The library this process uses; the first call decides, by the first path that works.
fn load(candidates: &[PathBuf]) -> Result<Library, Error> {
    let mut current = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = current.as_ref() {
        return Ok(library.clone());
    }
    let mut tried = Vec::new();
    for path in candidates {
        match load_one(path) {
            Ok(library) => {
                tracing::debug!(path = %path.display(), version = library.version, "ONNX Runtime is loaded");
                return Ok(current.insert(library).clone());
            }
            Err(reason) => tried.push(format!("{}: {reason}", path.display())),
        }
    }
    let tried = if tried.is_empty() { "no place to look at is configured".to_owned() } else { tried.join("; ") };
    Err(Error::LibraryUnusable { tried })
}

fn load_one(path: &Path) -> Result<Library, String> {
    // The links are resolved here, so that the version can be read off the file's name; a bare name stays as it is.
    let real = path.canonicalize().map_err(|error| error.to_string())?;
    let builder = ort::init_from(&real).map_err(|error| error.to_string())?;
    let environment = builder.with_name("assay").with_telemetry(false).build().map_err(|error| error.to_string())?;
    Ok(Library { environment, version: version_of(&real) })
}

/// `1.31.1 (6af1a93)`: the release, from the file's name or its symbol version, and the commit it was built from.
fn version_of(path: &Path) -> String {
    let release = release_in_name(path).or_else(|| release_in_symbols(path)).unwrap_or_else(|| "unknown".to_owned());
    let commit = ort::info().split("git-commit-id=").nth(1).and_then(|rest| rest.split(',').next());
    match commit {
        Some(commit) => format!("{release} ({})", commit.trim()),
        None => release,
    }
}

fn release_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let release = name.split_once(".so.")?.1;
    (release.split('.').count() == 3).then(|| release.to_owned())
}

/// ONNX Runtime exports its functions under the symbol version `VERS_1.31.1`.
fn release_in_symbols(path: &Path) -> Option<String> {
    const PREFIX: &[u8] = b"\0VERS_";
    let bytes = std::fs::read(path).ok()?;
    let start = bytes.windows(PREFIX.len()).position(|window| window == PREFIX)? + PREFIX.len();
    let release: Vec<u8> =
        bytes[start..].iter().copied().take(16).take_while(|b| *b == b'.' || b.is_ascii_digit()).collect();
    String::from_utf8(release).ok().filter(|release| !release.is_empty())
}
