//! The GraphQL schema over the projections
