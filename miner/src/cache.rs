//! The vectors of a corpus on disk, so that several miners of one machine compute them once.
//!
//! A file belongs to exactly one set of texts and one model (their hashes are its name) and carries a hash of its content: a
//! damaged or foreign file is computed anew, never trusted. One miner computes while the others wait, for a limited time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inference::{EmbeddingService, ModelIdentity};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::retrieval::embed_all;

/// Longest wait for another miner that computes the same vectors; then this one computes them itself.
const LONGEST_WAIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);

/// The vectors of the texts: from the folder if they are there, else computed and put there.
///
/// # Errors
/// Those of the embedding model. A folder that cannot be written is only logged.
pub(crate) async fn vectors(
    folder: &Path,
    texts: &[String],
    embedding: &EmbeddingService,
) -> Result<Vec<Vec<f32>>, Error> {
    let identity = embedding.identity();
    let path = file_of(folder, texts, identity);
    if let Some(found) = read(&path, texts.len(), identity.dimensions) {
        return Ok(found);
    }
    let lock = lock(&path).await;
    // Another miner may have computed them while this one waited.
    if let Some(found) = read(&path, texts.len(), identity.dimensions) {
        return Ok(found);
    }
    let computed = embed_all(texts, embedding).await?;
    if let Err(error) = write(&path, &computed) {
        tracing::warn!(path = %path.display(), %error, "the corpus' vectors cannot be kept");
    }
    drop(lock);
    Ok(computed)
}

fn file_of(folder: &Path, texts: &[String], identity: &ModelIdentity) -> PathBuf {
    let mut digest = Sha256::new();
    for part in [&identity.weights_sha256, &identity.tokenizer_sha256].into_iter().chain(texts) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    folder.join(format!("corpus-{}.vectors", &hex::encode(digest.finalize())[..32]))
}

async fn lock(path: &Path) -> Option<File> {
    let folder = path.parent()?;
    std::fs::create_dir_all(folder).ok()?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock")).ok()?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < LONGEST_WAIT => tokio::time::sleep(POLL).await,
            Err(_) => return None,
        }
    }
}

/// SHA-256 of the numbers, then the numbers, little-endian f32, text by text.
fn read(path: &Path, texts: usize, dimensions: usize) -> Option<Vec<Vec<f32>>> {
    let length = std::fs::metadata(path).ok()?.len();
    let expected = 32 + texts.checked_mul(dimensions)?.checked_mul(4)?;
    if length != u64::try_from(expected).ok()? {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let (hash, numbers) = bytes.split_at_checked(32)?;
    if Sha256::digest(numbers).as_slice() != hash {
        return None;
    }
    let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    Some(numbers.chunks_exact(dimensions * 4).map(|vector| vector.chunks_exact(4).map(number).collect()).collect())
}

fn write(path: &Path, vectors: &[Vec<f32>]) -> std::io::Result<()> {
    let numbers: Vec<u8> = vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = File::create(&unfinished)?;
    file.write_all(&Sha256::digest(&numbers))?;
    file.write_all(&numbers)?;
    drop(file);
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn reads_back_what_it_wrote_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corpus.vectors");
        let vectors = vec![vec![0.25, -1.5, 3.0e-8], vec![1.0, 0.0, -0.0]];
        write(&path, &vectors).unwrap();
        assert_eq!(read(&path, 2, 3).unwrap(), vectors);
        assert!(read(&path, 3, 2).is_some(), "six numbers are also three of two");
        assert!(read(&path, 2, 4).is_none());
        assert!(read(&folder.path().join("other"), 2, 3).is_none());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path, 2, 3).is_none(), "a flipped bit was believed");
    }
}
