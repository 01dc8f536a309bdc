//! How long blocks take on a full subnet: `cargo run -p localnet --release --example measure`.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::time::{Duration, Instant};

use domain::types::{NetUid, Rao};
use localnet::extrinsic::{Signing, sign};
use localnet::runtime::SPEC_VERSION;
use localnet::runtime::pallet_subtensor::pallet::Call;
use localnet::runtime::sp_runtime::generic::era::Era;
use localnet::{GenesisNeuron, Hyperparameters, Node, Specification};
use network::keys::Keypair;

/// Neurons, of which every fourth is a validator that weighs all others.
const NEURONS: u16 = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = (0..NEURONS).map(|uid| Keypair::from_uri(&format!("//{uid}"))).collect::<Result<Vec<_>, _>>()?;
    let neuron = |(uid, key): (u64, &Keypair)| GenesisNeuron {
        hotkey: key.hotkey(),
        coldkey: key.hotkey(),
        stake: Rao(if uid.is_multiple_of(4) { 1_000 + uid } else { 0 }),
        axon: None,
    };
    let neurons = (0..).zip(&keys).map(neuron).collect();
    let specification = Specification::single(keys[0].hotkey(), NetUid(2), Hyperparameters::default(), neurons);
    let folder = std::env::temp_dir().join(format!("localnet-measure-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("blocks.jsonl");
    let node = Node::open(&path, &specification, 0)?;
    let genesis_hash = node.read(localnet::State::genesis_hash);
    let signing =
        Signing { nonce: 0, era: Era::Immortal, spec_version: SPEC_VERSION, genesis_hash, birth_hash: genesis_hash };
    let began = Instant::now();
    for (uid, key) in (0u16..).zip(&keys).step_by(4) {
        let dests: Vec<u16> = (0..NEURONS).filter(|other| *other != uid).collect();
        let weights = dests.iter().map(|other| other % 17 + 1).collect();
        let call = Call::set_weights { netuid: 2, dests, weights, version_key: 0 }.into();
        node.submit(&sign(&call, &signing, key))?;
    }
    println!("64 rows of 255 weights into the pool: {:?}", began.elapsed());
    let (mut longest, mut all) = (Duration::ZERO, Duration::ZERO);
    for number in 1..=210u64 {
        let began = Instant::now();
        node.author(number * 250)?;
        let took = began.elapsed();
        if number == 1 {
            println!("the block with all of them: {took:?}");
        }
        (longest, all) = (longest.max(took), all + took);
    }
    println!("210 blocks with 10 epochs: {all:?}, the longest {longest:?}");
    println!("file: {} bytes", std::fs::metadata(&path)?.len());
    drop(node);
    let began = Instant::now();
    let node = Node::open(&path, &specification, 0)?;
    println!("replay: {:?} to block {}", began.elapsed(), node.read(localnet::State::height));
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
