//! Leaf and bundle formats, tree check, replay and report: what an auditor runs

pub mod keys;
pub mod leaf;
