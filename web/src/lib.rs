//! The read side over HTTP: GraphQL, GraphiQL, the schema, health, figures for Prometheus, and a page that leads to them.
//!
//! Everything is read-only and open to anybody, so nothing here may become expensive: bodies, queries, time and the number
//! of requests at once are limited, and what is too much is refused at once.
//!
//! **Architecture invariant:** no page refers to another host, no text of a ledger reaches a page unescaped, and no route
//! changes anything.

mod accept;
mod assets;
mod figures;
mod graphiql;
mod graphql_http;
mod health;
mod heatmaps;
mod layers;
mod pages;
mod server;

pub use server::{Config, Error, Server, router, serve};
