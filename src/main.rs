//! `assay`: a validator you can check.

fn main() {}
