//! The model's files and the manifest that identifies them. Opens only what the manifest describes, byte for byte.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

/// The newest format of manifests that this code reads. Format 1 has embeddings pooled in the graph and nothing else.
const FORMAT: u32 = 2;

/// What a model is for, and with it what its graph returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A vector for a text: `sentence_embedding` (batch, dimensions), or `last_hidden_state` (batch, sequence, dimensions).
    #[default]
    Embedding,
    /// One logit for a pair of texts: `logits` (batch, 1).
    SequenceClassification,
    /// Logits of the next token at each place: `logits` (batch, sequence, dimensions).
    CausalLanguageModel,
}

impl ModelKind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Embedding => "embeddings",
            Self::SequenceClassification => "sequence classification",
            Self::CausalLanguageModel => "causal language modelling",
        }
    }

    /// The longest input a manifest may state, in word pieces: BERT's table of positions has 512, models with relative
    /// positions take more.
    fn most_word_pieces(self) -> usize {
        match self {
            Self::Embedding => 512,
            Self::SequenceClassification => 8_192,
            Self::CausalLanguageModel => 32_768,
        }
    }

    fn dimensions_fit(self, dimensions: usize) -> bool {
        match self {
            Self::Embedding => (1..=8_192).contains(&dimensions),
            Self::SequenceClassification => dimensions == 1,
            Self::CausalLanguageModel => (2..=1 << 20).contains(&dimensions),
        }
    }
}

/// How the vectors of a text's word pieces become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The graph has done it: its output is `sentence_embedding`.
    #[default]
    InGraph,
    /// Their mean, padding left out.
    Mean,
    /// The first one, `[CLS]` or `<s>`.
    First,
}

/// `manifest.json` beside a model, written by `scripts/make_minilm_onnx.py` or `models/make_manifest.py` (see `models/README.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1 or 2. Everything from `kind` on needs 2.
    pub format: u32,
    /// The model's name.
    pub name: String,
    /// SHA-256 of the published weights, hex.
    pub weights_sha256: String,
    /// SHA-256 of `tokenizer.json`, hex.
    pub tokenizer_sha256: String,
    /// SHA-256 of `model.onnx`, hex. Finds damage; it does not identify the model.
    pub graph_sha256: String,
    /// Numbers in one vector; 1 for a classifier; the size of a language model's vocabulary.
    pub dimensions: usize,
    /// Longest input in word pieces.
    pub max_word_pieces: usize,
    /// What the model is for.
    #[serde(default)]
    pub kind: ModelKind,
    /// How an embedding is pooled.
    #[serde(default)]
    pub pooling: Pooling,
    /// Whether a pooled vector is divided by its length here, rather than in the graph or not at all.
    #[serde(default)]
    pub normalise: bool,
    /// SHA-256 of `model.onnx_data`, hex, if the graph keeps its weights there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph_data_sha256: Option<String>,
}

impl Manifest {
    /// The name of the graph's output.
    pub(crate) fn output(&self) -> &'static str {
        match (self.kind, self.pooling) {
            (ModelKind::Embedding, Pooling::InGraph) => "sentence_embedding",
            (ModelKind::Embedding, Pooling::Mean | Pooling::First) => "last_hidden_state",
            (ModelKind::SequenceClassification | ModelKind::CausalLanguageModel, _) => "logits",
        }
    }
}

/// A model's folder after its files were compared with the manifest.
pub(crate) struct ModelFiles {
    pub(crate) manifest: Manifest,
    pub(crate) tokenizer_path: PathBuf,
    pub(crate) tokenizer: Vec<u8>,
    pub(crate) graph_path: PathBuf,
}

impl ModelFiles {
    pub(crate) fn open(folder: &Path, wanted: ModelKind) -> Result<Self, Error> {
        let manifest_path = folder.join("manifest.json");
        let manifest: Manifest = serde_json::from_slice(&read(&manifest_path)?)
            .map_err(|error| Error::ModelDamaged { path: manifest_path.clone(), reason: error.to_string() })?;
        check_manifest(&manifest).map_err(|reason| Error::ModelDamaged { path: manifest_path, reason })?;
        if manifest.kind != wanted {
            let (found, wanted) = (manifest.kind.words(), wanted.words());
            return Err(Error::OtherKind { path: folder.to_owned(), found, wanted });
        }

        let tokenizer_path = folder.join("tokenizer.json");
        let tokenizer = read(&tokenizer_path)?;
        same(&tokenizer_path, &hex::encode(Sha256::digest(&tokenizer)), &manifest.tokenizer_sha256)?;
        let graph_path = folder.join("model.onnx");
        same(&graph_path, &hash_of_file(&graph_path)?, &manifest.graph_sha256)?;
        let data_path = folder.join("model.onnx_data");
        if let Some(expected) = &manifest.graph_data_sha256 {
            same(&data_path, &hash_of_file(&data_path)?, expected)?;
        } else if data_path.exists() {
            let reason = "is not in the manifest (graph_data_sha256)".to_owned();
            return Err(Error::ModelDamaged { path: data_path, reason });
        }
        Ok(Self { manifest, tokenizer_path, tokenizer, graph_path })
    }
}

fn check_manifest(manifest: &Manifest) -> Result<(), String> {
    let kind = manifest.kind;
    if manifest.format == 0 || manifest.format > FORMAT {
        return Err(format!("has format {}, this program reads 1 to {FORMAT}", manifest.format));
    }
    let plain = kind == ModelKind::Embedding && manifest.pooling == Pooling::InGraph && !manifest.normalise;
    if manifest.format == 1 && !(plain && manifest.graph_data_sha256.is_none()) {
        return Err("has format 1 and says what needs format 2".to_owned());
    }
    if kind != ModelKind::Embedding && (manifest.pooling != Pooling::InGraph || manifest.normalise) {
        return Err(format!("says how to pool, and is for {}", kind.words()));
    }
    if !kind.dimensions_fit(manifest.dimensions) {
        return Err(format!("says {} dimensions, and is for {}", manifest.dimensions, kind.words()));
    }
    // Four for what stands around a pair of texts, and one for each text.
    if manifest.max_word_pieces < 6 || manifest.max_word_pieces > kind.most_word_pieces() {
        return Err(format!("says {} word pieces", manifest.max_word_pieces));
    }
    let hashes = [&manifest.weights_sha256, &manifest.tokenizer_sha256, &manifest.graph_sha256];
    match hashes
        .into_iter()
        .chain(&manifest.graph_data_sha256)
        .find(|hash| hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    {
        Some(hash) => Err(format!("has a SHA-256 that is none: {hash:?}")),
        None => Ok(()),
    }
}

fn same(path: &Path, found: &str, expected: &str) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::ModelDamaged {
        path: path.to_owned(),
        reason: format!("has sha256 {found}, the manifest says {expected}"),
    })
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    Error::ModelMissing { path: path.to_owned(), reason: error.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| missing(path, &error))
}

fn hash_of_file(path: &Path) -> Result<String, Error> {
    let mut file = std::fs::File::open(path).map_err(|error| missing(path, &error))?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block).map_err(|error| missing(path, &error))?;
        if count == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&block[..count]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn write_model(folder: &Path, change: impl FnOnce(&mut Manifest)) {
        let (tokenizer, graph) = (b"{}".as_slice(), b"graph".as_slice());
        let mut manifest = Manifest {
            format: 1,
            name: "small".to_owned(),
            weights_sha256: "a".repeat(64),
            tokenizer_sha256: hex::encode(Sha256::digest(tokenizer)),
            graph_sha256: hex::encode(Sha256::digest(graph)),
            dimensions: 4,
            max_word_pieces: 16,
            kind: ModelKind::Embedding,
            pooling: Pooling::InGraph,
            normalise: false,
            graph_data_sha256: None,
        };
        change(&mut manifest);
        std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
        std::fs::write(folder.join("model.onnx"), graph).unwrap();
        std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    fn check(change: impl FnOnce(&mut Manifest), expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), change);
        let error =
            ModelFiles::open(folder.path(), ModelKind::Embedding).err().expect("the model must be refused").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn opens_what_the_manifest_describes() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), |_| {});
        assert_eq!(ModelFiles::open(folder.path(), ModelKind::Embedding).unwrap().manifest.name, "small");
    }

    #[test]
    fn refuses_what_it_does_not_describe() {
        check(|m| m.graph_sha256 = "b".repeat(64), "model.onnx has sha256");
        check(|m| m.tokenizer_sha256 = "b".repeat(64), "tokenizer.json has sha256");
        check(|m| m.weights_sha256 = "B".repeat(64), "a SHA-256 that is none");
        check(|m| m.format = 3, "has format 3, this program reads 1 to 2");
        check(|m| m.format = 0, "has format 0");
        check(|m| m.pooling = Pooling::Mean, "has format 1 and says what needs format 2");
        let second = |change: fn(&mut Manifest)| {
            move |m: &mut Manifest| {
                m.format = 2;
                change(m);
            }
        };
        check(second(|m| m.kind = ModelKind::SequenceClassification), "says 4 dimensions, and is for sequence");
        check(
            second(|m| m.kind = ModelKind::CausalLanguageModel),
            "is for causal language modelling, not for embeddings",
        );
        let pooled = second(|m| (m.kind, m.normalise) = (ModelKind::CausalLanguageModel, true));
        check(pooled, "says how to pool");
        check(second(|m| m.graph_data_sha256 = Some("c".repeat(64))), "model.onnx_data");
        check(second(|m| m.graph_data_sha256 = Some("c".repeat(63))), "a SHA-256 that is none");
        check(|m| m.dimensions = 0, "says 0 dimensions");
        check(|m| m.max_word_pieces = 513, "says 513 word pieces");
    }

    #[test]
    fn weights_in_a_second_file_are_in_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let sums = |data: Option<&[u8]>| data.map(|data| hex::encode(Sha256::digest(data)));
        std::fs::write(folder.path().join("model.onnx_data"), b"weights").unwrap();
        let opened = |data: Option<&[u8]>| {
            write_model(folder.path(), |m| (m.format, m.graph_data_sha256) = (2, sums(data)));
            ModelFiles::open(folder.path(), ModelKind::Embedding).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(opened(Some(b"weights")), Ok(()));
        assert!(opened(Some(b"others")).unwrap_err().contains("model.onnx_data has sha256"));
        assert!(opened(None).unwrap_err().contains("is not in the manifest"));
    }

    #[test]
    fn a_word_that_the_manifest_does_not_have_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), |_| {});
        let path = folder.path().join("manifest.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"format\"", "\"poolling\":\"mean\",\"format\"")).unwrap();
        let error = ModelFiles::open(folder.path(), ModelKind::Embedding).err().unwrap().to_string();
        assert!(error.contains("poolling"), "{error}");
    }

    #[test]
    fn says_how_to_get_a_missing_model() {
        let folder = tempfile::tempdir().unwrap();
        let error = ModelFiles::open(folder.path(), ModelKind::Embedding)
            .err()
            .expect("an empty folder is no model")
            .to_string();
        assert!(error.contains("run `make setup`"), "{error}");
    }
}
