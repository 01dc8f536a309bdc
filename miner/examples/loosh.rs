//! A miner of Loosh's questions for `make interop`: Python's dendrite asks it with a synapse class of its own.
//!
//! `loosh` prints `ready ADDRESS HOTKEY` and serves until it is stopped. It answers each question with the same text, so that no
//! model is needed: what is looked at is the wire.
#![allow(clippy::print_stdout)]

use miner::{Behaviour, EmbeddingSource, MinerConfig, Server};
use network::keys::Keypair;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let embedding = EmbeddingSource::Open(inference::EmbeddingConfig::discover());
    let mut config = MinerConfig::new("127.0.0.1:0".parse()?, Keypair::from_uri("//Bob")?, embedding);
    config.behaviour = Behaviour::Spammer;
    let hotkey = config.keypair.ss58();
    let server = Server::bind(config).await?;
    println!("ready {} {hotkey}", server.address());
    Ok(server.serve(std::future::pending()).await?)
}
