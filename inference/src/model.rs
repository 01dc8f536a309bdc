//! The model's files and the manifest that identifies them. Opens only what the manifest describes, byte for byte.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

/// The manifest's format this code reads.
const FORMAT: u32 = 1;

/// `manifest.json` beside a model, written by `scripts/make_minilm_onnx.py`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1.
    pub format: u32,
    /// The model's name.
    pub name: String,
    /// SHA-256 of the published weights, hex.
    pub weights_sha256: String,
    /// SHA-256 of `tokenizer.json`, hex.
    pub tokenizer_sha256: String,
    /// SHA-256 of `model.onnx`, hex. Finds damage; it does not identify the model.
    pub graph_sha256: String,
    /// Numbers in one vector.
    pub dimensions: usize,
    /// Longest input in word pieces.
    pub max_word_pieces: usize,
}

/// A model's folder after its files were compared with the manifest.
pub(crate) struct ModelFiles {
    pub(crate) manifest: Manifest,
    pub(crate) tokenizer_path: PathBuf,
    pub(crate) tokenizer: Vec<u8>,
    pub(crate) graph_path: PathBuf,
}

impl ModelFiles {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let manifest_path = folder.join("manifest.json");
        let manifest: Manifest = serde_json::from_slice(&read(&manifest_path)?)
            .map_err(|error| Error::ModelDamaged { path: manifest_path.clone(), reason: error.to_string() })?;
        check_manifest(&manifest).map_err(|reason| Error::ModelDamaged { path: manifest_path, reason })?;

        let tokenizer_path = folder.join("tokenizer.json");
        let tokenizer = read(&tokenizer_path)?;
        same(&tokenizer_path, &hex::encode(Sha256::digest(&tokenizer)), &manifest.tokenizer_sha256)?;
        let graph_path = folder.join("model.onnx");
        same(&graph_path, &hash_of_file(&graph_path)?, &manifest.graph_sha256)?;
        Ok(Self { manifest, tokenizer_path, tokenizer, graph_path })
    }
}

fn check_manifest(manifest: &Manifest) -> Result<(), String> {
    if manifest.format != FORMAT {
        return Err(format!("has format {}, this program reads {FORMAT}", manifest.format));
    }
    if manifest.dimensions == 0 || manifest.dimensions > 8_192 {
        return Err(format!("says {} dimensions", manifest.dimensions));
    }
    // [CLS] and [SEP] take two; BERT's table of positions has 512.
    if manifest.max_word_pieces < 3 || manifest.max_word_pieces > 512 {
        return Err(format!("says {} word pieces", manifest.max_word_pieces));
    }
    let hashes = [&manifest.weights_sha256, &manifest.tokenizer_sha256, &manifest.graph_sha256];
    match hashes
        .into_iter()
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
        };
        change(&mut manifest);
        std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
        std::fs::write(folder.join("model.onnx"), graph).unwrap();
        std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    fn check(change: impl FnOnce(&mut Manifest), expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), change);
        let error = ModelFiles::open(folder.path()).err().expect("the model must be refused").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn opens_what_the_manifest_describes() {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), |_| {});
        assert_eq!(ModelFiles::open(folder.path()).unwrap().manifest.name, "small");
    }

    #[test]
    fn refuses_what_it_does_not_describe() {
        check(|m| m.graph_sha256 = "b".repeat(64), "model.onnx has sha256");
        check(|m| m.tokenizer_sha256 = "b".repeat(64), "tokenizer.json has sha256");
        check(|m| m.weights_sha256 = "B".repeat(64), "a SHA-256 that is none");
        check(|m| m.format = 2, "has format 2, this program reads 1");
        check(|m| m.dimensions = 0, "says 0 dimensions");
        check(|m| m.max_word_pieces = 513, "says 513 word pieces");
    }

    #[test]
    fn says_how_to_get_a_missing_model() {
        let folder = tempfile::tempdir().unwrap();
        let error = ModelFiles::open(folder.path()).err().expect("an empty folder is no model").to_string();
        assert!(error.contains("run `make setup`"), "{error}");
    }
}
