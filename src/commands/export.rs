//! `assay export`: an epoch as one file.
