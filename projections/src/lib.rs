//! Read models folded from the log, and their runner
