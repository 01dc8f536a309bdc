//! Sentence embeddings with ONNX Runtime, or in pure Rust where there is none
