//! One file per subcommand: arguments in, composition of the crates, something printed, an exit code out.

pub mod api;
pub mod ask;
pub mod audit;
pub mod check;
pub mod compare;
pub mod conversations;
pub mod export;
pub mod follow;
pub mod health;
pub mod heatmap;
pub mod localnet;
pub mod migrate;
pub mod miner;
mod mock_run;
pub mod process;
pub mod provision;
pub mod query;
pub mod rebuild;
pub mod register;
pub mod replay;
pub mod rules;
pub mod subnets;
pub mod tables;
pub mod validator;
pub mod verify;
pub mod wallet;
