//! What to open: which model, on which runtime, within which limits, and where the files are looked for.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;

/// The folder name of the default model below `models/`.
pub const DEFAULT_MODEL: &str = "all-MiniLM-L6-v2";

/// Which runtime computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// ONNX Runtime when its library is found, else rten.
    #[default]
    Automatic,
    /// ONNX Runtime or an error.
    OnnxRuntime,
    /// rten.
    PureRust,
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// On the CPU.
    #[default]
    Cpu,
    /// On an NVIDIA GPU.
    Cuda {
        /// The device's number.
        device: i32,
        /// An error instead of the CPU when it cannot be used.
        required: bool,
    },
}

impl Provider {
    pub(crate) fn required(self) -> bool {
        matches!(self, Self::Cuda { required: true, .. })
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda { required: false, .. } => "cuda",
            Self::Cuda { required: true, .. } => "cuda, required",
        })
    }
}

/// The largest input and the shape of batches. Every field must be at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Texts in one call. Default 8,192: 64 miners' answers with 64 sentences each, twice.
    pub texts: usize,
    /// Bytes of one text. Default 1 MiB; the model reads 256 word pieces of it.
    pub text_bytes: usize,
    /// Texts in one batch. Default 32: larger ones are no faster on a CPU.
    pub batch_texts: usize,
    /// Word pieces in one batch, padding included. Default 8,192 = 32 texts of 256.
    pub batch_word_pieces: usize,
    /// Logits of a language model in one batch: word pieces with padding times its vocabulary. Default 2^29, which are
    /// 2 GiB: 8,192 word pieces of GPT-2's vocabulary of 50,257 are three quarters of it.
    pub logits: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { texts: 8_192, text_bytes: 1 << 20, batch_texts: 32, batch_word_pieces: 8_192, logits: 1 << 29 }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fields = [
            ("texts", self.texts),
            ("text_bytes", self.text_bytes),
            ("batch_texts", self.batch_texts),
            ("batch_word_pieces", self.batch_word_pieces),
            ("logits", self.logits),
        ];
        match fields.into_iter().find(|(_, value)| *value == 0) {
            Some((field, value)) => Err(Error::Limit { field, value }),
            None => Ok(()),
        }
    }

    /// Refuses a call that is too large, naming the first text that is.
    pub(crate) fn admit(&self, texts: &[String]) -> Result<(), Error> {
        self.admit_bytes(texts.iter().map(String::len))
    }

    /// The same for anything that has a length in bytes.
    pub(crate) fn admit_bytes(&self, mut lengths: impl ExactSizeIterator<Item = usize>) -> Result<(), Error> {
        self.admit_count(lengths.len())?;
        match lengths.by_ref().enumerate().find(|(_, bytes)| *bytes > self.text_bytes) {
            Some((index, bytes)) => Err(Error::TextTooLong { index, bytes, limit: self.text_bytes }),
            None => Ok(()),
        }
    }

    pub(crate) fn admit_count(&self, count: usize) -> Result<(), Error> {
        if count > self.texts {
            return Err(Error::TooManyTexts { count, limit: self.texts });
        }
        Ok(())
    }
}

/// Which model to open and how.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The folder that holds `manifest.json`, `model.onnx` and `tokenizer.json`.
    pub model: PathBuf,
    /// Which runtime computes.
    pub runtime: Runtime,
    /// Where it computes.
    pub provider: Provider,
    /// Threads that compute one batch; `None` for one per core, at most 8.
    pub threads: Option<usize>,
    /// Libraries of ONNX Runtime to try, in this order.
    pub libraries: Vec<PathBuf>,
    /// The largest input and the shape of batches.
    pub limits: Limits,
}

impl ModelConfig {
    /// The default model below `home` (see [`find_home`]), on the first usable runtime, on the CPU. `ASSAY_MODELS` names another
    /// folder of models, such as one that several machines or containers share.
    ///
    /// Libraries: `ORT_DYLIB_PATH` alone if it is set, since whoever names one wants that one; else
    /// `home/onnxruntime`, then the system's library folders.
    #[must_use]
    pub fn in_home(home: &Path) -> Self {
        let libraries = match std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
            Some(path) => vec![PathBuf::from(path)],
            None => usual_libraries(home),
        };
        Self {
            model: models_folder(home).join(DEFAULT_MODEL),
            runtime: Runtime::Automatic,
            provider: Provider::Cpu,
            threads: None,
            libraries,
            limits: Limits::default(),
        }
    }

    /// [`Self::in_home`] of [`find_home`].
    #[must_use]
    pub fn discover() -> Self {
        Self::in_home(&find_home())
    }

    /// The model in this folder, everything else as [`Self::discover`] has it.
    #[must_use]
    pub fn at(model: PathBuf) -> Self {
        Self { model, ..Self::discover() }
    }

    /// Threads to compute one batch with.
    pub(crate) fn thread_count(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(|| cores.min(8)).max(1)
    }
}

fn models_folder(home: &Path) -> PathBuf {
    match std::env::var_os("ASSAY_MODELS").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => home.join("models"),
    }
}

fn usual_libraries(home: &Path) -> Vec<PathBuf> {
    let name = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
    let mut folders = vec![home.join("onnxruntime")];
    folders.extend(
        ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].map(PathBuf::from),
    );
    folders.into_iter().map(|folder| folder.join(name)).collect()
}

/// The folder of fetched files: `ASSAY_HOME`, else the first `.assay` above the working directory or above the running
/// program, else `.assay` in the working directory (which then need not exist).
#[must_use]
pub fn find_home() -> PathBuf {
    if let Some(home) = std::env::var_os("ASSAY_HOME").filter(|home| !home.is_empty()) {
        return PathBuf::from(home);
    }
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join(".assay"))
        .find(|home| home.join("models").is_dir())
        .unwrap_or_else(|| PathBuf::from(".assay"))
}
