//! The read side over HTTP: GraphQL, GraphiQL, health
