//! What happens without a usable library of ONNX Runtime.
//!
//! One test in a file of its own, because a process keeps the first library that works: no other test may load one before.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use inference::{EmbeddingConfig, Error, Provider, Runtime, open};

#[test]
fn a_library_that_does_not_work_is_an_error_by_name_and_a_fall_back_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let not_a_library = folder.path().join("libonnxruntime.so");
    std::fs::write(&not_a_library, b"not a library").unwrap();
    let usual = EmbeddingConfig { threads: Some(2), ..EmbeddingConfig::discover() };
    let libraries = vec![folder.path().join("missing.so"), not_a_library];
    let by_name = EmbeddingConfig { libraries, runtime: Runtime::OnnxRuntime, ..usual.clone() };
    match open(&by_name).err().expect("neither is a library") {
        Error::LibraryUnusable { tried } => {
            assert!(tried.contains("missing.so") && tried.contains("libonnxruntime.so"), "{tried}");
        }
        error => panic!("{error}"),
    }
    let automatic = EmbeddingConfig { runtime: Runtime::Automatic, ..by_name.clone() };
    assert_eq!(open(&automatic).unwrap().identity().runtime, "rten");

    let required = Provider::Cuda { device: 0, required: true };
    let error = open(&EmbeddingConfig { provider: required, ..automatic }).err().expect("no library, no CUDA");
    assert!(matches!(error, Error::ProviderUnavailable { provider: "cuda", .. }), "{error}");

    let none = EmbeddingConfig { libraries: Vec::new(), ..by_name.clone() };
    let error = open(&none).err().expect("there is nowhere to look").to_string();
    assert!(error.contains("no place to look at"), "{error}");

    // A library that failed does not stand in the way of one that works.
    let libraries = by_name.libraries.iter().chain(&usual.libraries).cloned().collect();
    match open(&EmbeddingConfig { libraries, ..by_name }) {
        Ok(embedder) => assert_eq!(embedder.identity().runtime, "onnxruntime"),
        Err(Error::LibraryUnusable { .. }) => assert!(!usual.libraries.iter().any(|path| path.exists())),
        Err(error) => panic!("{error}"),
    }
}
