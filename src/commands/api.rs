//! `assay api`: projections and the read side over HTTP.
