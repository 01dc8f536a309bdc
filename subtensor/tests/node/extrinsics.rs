//! Extrinsics from the signature to the result, and everything that can become of them instead.

use chain::{Call, Chain, Error, ExtrinsicOutcome, ExtrinsicStatus, SignedExtrinsic};
use domain::types::{BlockNumber, Uid};
use subtensor::{Settings, Subtensor};

use crate::world::{NETUID, World, failed, hyperparameters, key, settings};

async fn anchor(chain: &Subtensor, byte: u8) -> SignedExtrinsic {
    chain.prepare_anchor(NETUID, &[byte], &key("Validator")).await.unwrap()
}

async fn status(chain: &Subtensor, extrinsic: &SignedExtrinsic) -> ExtrinsicStatus {
    chain.extrinsic_status(&extrinsic.reference()).await.unwrap()
}

fn rejected(error: &Error) -> &str {
    match error {
        Error::Rejected { name, .. } => name,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_go_from_the_key_to_the_row() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    world.blocks(&chain, 3).await;
    let weights = [(Uid(2), 100), (Uid(1), 200)];
    let extrinsic = chain.prepare_set_weights(NETUID, &weights, 0, &key("Validator")).await.unwrap();
    assert_eq!((extrinsic.nonce, extrinsic.era.period, extrinsic.era.birth), (0, 128, BlockNumber(3)));
    assert_eq!(status(&chain, &extrinsic).await, ExtrinsicStatus::Unknown, "signed and not sent");
    chain.submit(&extrinsic).await.unwrap();
    assert_eq!(status(&chain, &extrinsic).await, ExtrinsicStatus::Pending);
    chain.submit(&extrinsic).await.expect("sending it twice is no error");
    let inclusion = world.include(&chain, &extrinsic).await;
    assert_eq!((inclusion.block, inclusion.outcome.clone()), (BlockNumber(4), ExtrinsicOutcome::Succeeded));
    assert_eq!(Some(inclusion.block_hash), chain.block_hash(BlockNumber(4)).await.unwrap());
    let row = chain.weights(NETUID, Uid(0), BlockNumber(4)).await.unwrap();
    assert_eq!(row, [(Uid(1), 65535), (Uid(2), 32768)]);
    assert_eq!(chain.weights(NETUID, Uid(0), BlockNumber(3)).await.unwrap(), []);
    chain.submit(&extrinsic).await.expect("sending what is in a block is no error");
    // Found again from far above, and after its era.
    for blocks in [1, 60, 100] {
        world.blocks(&chain, blocks).await;
        assert_eq!(status(&chain, &extrinsic).await, ExtrinsicStatus::Included(inclusion.clone()), "{blocks}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_has_the_chains_name() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    world.blocks(&chain, 10).await;
    type Row = (&'static str, &'static [(Uid, u16)], &'static str);
    let rows: [Row; 5] = [
        ("Validator", &[(Uid(9), 1)], "UidVecContainInvalidOne"),
        ("Validator", &[(Uid(1), 1), (Uid(1), 1)], "DuplicateUids"),
        ("Miner1", &[(Uid(2), 1)], "NotEnoughStakeToSetWeights"),
        ("Stranger", &[(Uid(1), 1)], "HotKeyNotRegisteredInSubNet"),
        ("Validator", &[(Uid(0), 1), (Uid(1), 1), (Uid(2), 1), (Uid(3), 1)], "UidsLengthExceedUidsInSubNet"),
    ];
    for (who, weights, error) in rows {
        let extrinsic = chain.prepare_set_weights(NETUID, weights, 0, &key(who)).await.unwrap();
        assert_eq!(world.include(&chain, &extrinsic).await.outcome, failed(error), "{who} {weights:?}");
    }
    let good = [(Uid(1), 1)];
    for outcome in [ExtrinsicOutcome::Succeeded, failed("SettingWeightsTooFast")] {
        let extrinsic = chain.prepare_set_weights(NETUID, &good, 0, &key("Validator")).await.unwrap();
        assert_eq!(world.include(&chain, &extrinsic).await.outcome, outcome);
    }
    let call =
        Call::SetMechanismWeights { netuid: NETUID, mechanism: 3, uids: vec![], weights: vec![], version_key: 0 };
    let extrinsic = chain.prepare(&call, &key("Validator")).await.unwrap();
    assert_eq!(world.include(&chain, &extrinsic).await.outcome, failed("MechanismDoesNotExist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_count_what_waits_in_the_pool() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let mut sent = Vec::new();
    for nonce in 0..3 {
        let extrinsic = anchor(&chain, nonce).await;
        assert_eq!(extrinsic.nonce, u64::from(nonce));
        chain.submit(&extrinsic).await.unwrap();
        sent.push(extrinsic);
    }
    world.blocks(&chain, 1).await;
    for (place, extrinsic) in sent.iter().enumerate() {
        let ExtrinsicStatus::Included(inclusion) = status(&chain, extrinsic).await else { panic!("{place}") };
        assert_eq!((inclusion.block, inclusion.outcome), (BlockNumber(1), ExtrinsicOutcome::Succeeded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_with_one_nonce_one_can_never_be_included() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let (first, second) = (anchor(&chain, 1).await, anchor(&chain, 2).await);
    assert_eq!(first.nonce, second.nonce);
    chain.submit(&first).await.unwrap();
    let error = chain.submit(&second).await.unwrap_err();
    assert_eq!(rejected(&error), "PriorityTooLow", "{error}");
    assert_eq!(status(&chain, &second).await, ExtrinsicStatus::Unknown, "its time may still come");
    world.blocks(&chain, 1).await;
    assert!(matches!(status(&chain, &first).await, ExtrinsicStatus::Included(_)));
    assert_eq!(status(&chain, &second).await, ExtrinsicStatus::Expired);
    let error = chain.submit(&second).await.unwrap_err();
    assert_eq!(rejected(&error), "Stale", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_era_ends() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect_with(Settings { era_period: 4, ..settings() }).await;
    world.blocks(&chain, 5).await;
    let extrinsic = anchor(&chain, 1).await;
    assert_eq!(extrinsic.era.death(), BlockNumber(9));
    world.blocks(&chain, 2).await;
    assert_eq!(status(&chain, &extrinsic).await, ExtrinsicStatus::Unknown, "block 8 could have it");
    world.blocks(&chain, 1).await;
    assert_eq!(status(&chain, &extrinsic).await, ExtrinsicStatus::Expired, "block 8 was the last");
    let error = chain.submit(&extrinsic).await.unwrap_err();
    assert!(["AncientBirthBlock", "BadProof"].contains(&rejected(&error)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_block_of_an_era_still_counts() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect_with(Settings { era_period: 4, ..settings() }).await;
    world.blocks(&chain, 5).await;
    let extrinsic = anchor(&chain, 1).await;
    world.blocks(&chain, 2).await;
    let inclusion = world.include(&chain, &extrinsic).await;
    assert_eq!((inclusion.block, inclusion.outcome), (BlockNumber(8), ExtrinsicOutcome::Succeeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_changed_are_refused() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let mut extrinsic = anchor(&chain, 1).await;
    *extrinsic.bytes.last_mut().unwrap() ^= 1;
    let error = chain.submit(&extrinsic).await.unwrap_err();
    assert_eq!(rejected(&error), "BadProof", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_executed_and_its_failure_told() {
    let world =
        World::of(&crate::world::specification(hyperparameters()), Some(std::time::Duration::from_millis(100))).await;
    let chain = world.connect().await;
    let wait = std::time::Duration::from_secs(10);
    let hotkey = key("New").hotkey();
    let inclusion = chain.register(NETUID, &hotkey, &key("Coldkey"), wait).await.unwrap();
    assert_eq!(chain.uid_of(NETUID, &hotkey, inclusion.block).await.unwrap(), Some(Uid(3)));
    let error = chain.register(NETUID, &hotkey, &key("Coldkey"), wait).await.unwrap_err();
    let Error::CallFailed { error, .. } = error else { panic!("{error}") };
    assert_eq!(error, "HotKeyAlreadyRegisteredInSubNet");
}
