//! Rounds, evidence, epochs and weight setting, and the push routes
