//! Rows on a development chain beside a derivation.
#![allow(clippy::unwrap_used)]

use super::*;
use chain::Call;
use domain::events::{Weight, WeightMode, WeightsCommitted, WeightsIncluded, WeightsRevealed};
use domain::types::{Block, HexBytes, Position};
use localnet::{GenesisNeuron, Hyperparameters, Specification, server};
use network::keys::Keypair;
use std::time::Duration;

const NETUID: NetUid = NetUid(78);

/// Validators at uid 0 and 1, the first with twice the stake; miners at 2, 3 and 4.
fn key(uid: u8) -> Keypair {
    Keypair::from_seed(&[uid + 1; 32]).unwrap()
}

fn specification() -> Specification {
    let neuron = |uid: u8| {
        let stake = Rao([100, 50, 0, 0, 0][usize::from(uid)]);
        GenesisNeuron { hotkey: key(uid).hotkey(), coldkey: key(9).hotkey(), stake, axon: None }
    };
    let hyperparameters = Hyperparameters { max_allowed_validators: 2, ..Hyperparameters::default() };
    Specification::single(key(9).hotkey(), NETUID, hyperparameters, (0..5).map(neuron).collect())
}

fn derived(weights: &[(u16, u8, u16)]) -> WeightsDerived {
    let weight = |(uid, holder, weight): &(u16, u8, u16)| Weight {
        uid: Uid(*uid),
        hotkey: key(*holder).hotkey(),
        weight: *weight,
    };
    WeightsDerived {
        epoch: 3,
        revision: 0,
        rule_set: HexBytes([0; 32]),
        from: Position(0),
        to: Position(1),
        metagraph: Position(1),
        block: BlockNumber(1),
        external_scores: None,
        mode: WeightMode::Normal,
        rounds: 1,
        skip: None,
        weights: weights.iter().map(weight).collect(),
        zeros: Vec::new(),
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::new(Vec::new()),
    }
}

async fn set(chain: &dyn Chain, validator: u8, weights: &[(u16, u16)]) {
    let (uids, weights) = weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).unzip();
    let call = Call::SetWeights { netuid: NETUID, uids, weights, version_key: 0 };
    chain.execute(&call, &key(validator), Duration::from_secs(30)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_derivation_is_set_beside_every_row_and_their_consensus() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = server::Configuration {
        path: folder.path().join("blocks.jsonl"),
        listen: ([127, 0, 0, 1], 0).into(),
        block_time: Some(Duration::from_millis(50)),
        serve_other_machines: false,
    };
    let running = server::start(configuration, &specification()).await.unwrap();
    let chain = chain_connection::open(&running.url()).await.unwrap();
    let opened = LedgerOpened {
        leaf_format: 1,
        origin: "assay/test".to_owned(),
        genesis_hash: chain.genesis_hash().await.unwrap(),
        netuid: NETUID,
        hotkey: key(0).hotkey(),
        checkpoint_key: HexBytes([0; 32]),
    };
    // Slot 4 was derived for a key that does not hold it.
    let derived = derived(&[(2, 2, 65535), (3, 3, 65535), (4, 7, 65535)]);
    let look = async |most: usize| {
        let head = chain.head().await.unwrap().number;
        compared(most, chain.as_ref(), &opened, &derived, head).await.unwrap()
    };

    let empty = look(9).await;
    assert!(empty.own.is_none() && empty.validators.is_empty(), "{empty:?}");
    assert_eq!((empty.consensus.rows, empty.consensus.comparison.cosine), (0, None));

    set(chain.as_ref(), 0, &[(2, 400), (3, 200)]).await;
    set(chain.as_ref(), 1, &[(4, 7)]).await;
    let found = look(1).await;
    assert_eq!((found.epoch, found.slots, found.changed_hands.as_slice()), (3, 3, [Uid(4)].as_slice()));
    let close = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-4;
    // (1, 1, 1)/3 beside (2, 1, 0)/3: cosine 3/√15, a third moves, most of it away from or to slot 2.
    let own = found.own.unwrap();
    assert_eq!((own.uid, own.stake, own.comparison.slots, own.comparison.largest.len()), (Uid(0), Rao(100), 3, 1));
    assert!(close(own.comparison.cosine, 0.774_597) && close(own.comparison.moved, 1.0 / 3.0), "{own:?}");
    let [other] = found.validators.as_slice() else { unreachable!("{:?}", found.validators) };
    assert!(
        other.uid == Uid(1) && close(other.comparison.cosine, 0.577_350) && close(other.comparison.moved, 2.0 / 3.0)
    );
    // Two thirds of the stake agree with themselves, whatever the other third says; the chain says so after its next epoch.
    let mut consensus = found.consensus;
    for _ in 0..100 {
        let Consensus { computed, rows, comparison } = &consensus;
        assert_eq!(*rows, 2);
        assert!(comparison.cosine.is_none_or(|cosine| (cosine - 0.774_597).abs() < 1e-4), "{comparison:?}");
        if *computed == Source::Chain {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        consensus = look(1).await.consensus;
    }
    unreachable!("the chain has no consensus: {consensus:?}");
}

/// Rows are read where the epoch's own row stands: under commit-reveal the next derivation is older than that.
#[test]
fn rows_are_read_once_the_epochs_own_weights_stand_there() {
    let digest = |text: &str| domain::types::sha256(text.as_bytes());
    let derivation = || Event::from(derived(&[(2, 2, 65535)]));
    let [extrinsic, block_hash, commitment] = ["weights", "block", "commitment"].map(digest);
    let committed =
        WeightsCommitted { epoch: 3, extrinsic, block: BlockNumber(40), commitment, reveal_at: BlockNumber(90) };
    let revealed = WeightsRevealed { epoch: 3, block: BlockNumber(91), block_hash };
    let included = WeightsIncluded { epoch: 3, extrinsic, block: BlockNumber(42), block_hash };
    let waiting = [derivation(), committed.clone().into()];
    let opened = [derivation(), committed.into(), revealed.into()];
    let plain = [derivation(), included.into()];
    for (facts, next_derived, wanted) in [
        (opened.as_slice(), Some(60), Some(91)),
        (&opened, Some(120), Some(120)),
        (&opened, None, Some(91)),
        (&plain, Some(60), Some(60)),
        (&plain, None, Some(42)),
        (&waiting, Some(60), Some(60)),
        (&waiting, None, None),
    ] {
        let recorded = Recorded::of(facts);
        assert!(recorded.derived.is_some());
        let found = answered_at(recorded.on_chain, next_derived.map(BlockNumber));
        assert_eq!(found, wanted.map(BlockNumber), "{:?}, next at {next_derived:?}", recorded.on_chain);
    }
}
