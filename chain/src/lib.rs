//! The chain as the validator sees it, and a development chain
