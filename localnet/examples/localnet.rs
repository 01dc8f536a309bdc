//! Runs a chain of one subnet for clients by hand: `cargo run -p localnet --example localnet -- 9944 0.25`.
//!
//! A third argument names a file with the specification as JSON. Without one, `//Alice` is a validator in slot 0 of subnet 2,
//! `//Bob`, `//Charlie` and `//Dave` are miners, and `//Root` is the root key. Port 0 takes a free one; where it listens is the
//! first line of the output.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::time::Duration;

use domain::types::{NetUid, Rao};
use localnet::server::{Configuration, start};
use localnet::{GenesisNeuron, Hyperparameters, Specification};
use network::keys::Keypair;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_else(|| "9944".to_owned()).parse()?;
    let seconds: f64 = arguments.next().unwrap_or_else(|| "0.25".to_owned()).parse()?;
    let specification = match arguments.next() {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)?,
        None => ordinary()?,
    };
    let folder = std::env::temp_dir().join(format!("localnet-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let configuration = Configuration {
        path: folder.join("blocks.jsonl"),
        listen: ([127, 0, 0, 1], port).into(),
        block_time: Some(Duration::from_secs_f64(seconds)),
        serve_other_machines: false,
    };
    let mut running = start(configuration, &specification).await?;
    println!("{}", running.url());
    Err(running.fault().await.into())
}

fn ordinary() -> Result<Specification, Box<dyn std::error::Error>> {
    let mut neurons = Vec::new();
    for (name, stake) in [("Alice", 1_000_000_000_000), ("Bob", 0), ("Charlie", 0), ("Dave", 0)] {
        neurons.push(GenesisNeuron {
            hotkey: Keypair::from_uri(&format!("//{name}"))?.hotkey(),
            coldkey: Keypair::from_uri(&format!("//{name}//cold"))?.hotkey(),
            stake: Rao(stake),
            axon: None,
        });
    }
    let root = Keypair::from_uri("//Root")?.hotkey();
    Ok(Specification::single(root, NetUid(2), Hyperparameters::default(), neurons))
}
