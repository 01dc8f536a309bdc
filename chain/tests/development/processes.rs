//! The chain over HTTP: what two clients see, and what a killed server leaves to them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use chain::development::server::{Configuration, Running, start};
use chain::development::{Client, RootCall};
use chain::{Chain, Error, ExtrinsicStatus, Hyperparameters};
use domain::types::{BlockNumber, NetUid, Uid};

use super::world::{NETUID, key, specification};

const WAIT: Duration = Duration::from_secs(20);

async fn running(folder: &tempfile::TempDir, listen: &str) -> Running {
    let configuration = Configuration {
        path: folder.path().join("chain"),
        listen: listen.parse().unwrap(),
        block_time: Duration::from_millis(25),
        serve_other_machines: false,
    };
    start(configuration, &specification(Hyperparameters::default())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_agree_on_what_either_did() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(&folder, "127.0.0.1:0").await;
    let (one, two) = (Client::connect(&running.url()).await.unwrap(), Client::connect(&running.url()).await.unwrap());
    assert_eq!(one.genesis_hash().await.unwrap(), two.genesis_hash().await.unwrap());
    let validator = key("validator");

    let anchor = one.prepare_anchor(NETUID, b"root of size 12", &validator).await.unwrap();
    assert_eq!(two.extrinsic_status(&anchor.reference()).await.unwrap(), ExtrinsicStatus::Unknown);
    one.submit(&anchor).await.unwrap();
    two.submit(&anchor).await.unwrap();
    let anchored = two.await_extrinsic(&anchor.reference(), WAIT).await.unwrap().into_success(anchor.hash).unwrap();
    assert_eq!(one.block_hash(anchored.block).await.unwrap(), Some(anchored.block_hash));

    let weights = [(Uid(2), 65535), (Uid(3), 100)];
    let extrinsic = one.prepare_set_weights(NETUID, &weights, 0, &validator).await.unwrap();
    one.submit(&extrinsic).await.unwrap();
    let included =
        two.await_extrinsic(&extrinsic.reference(), WAIT).await.unwrap().into_success(extrinsic.hash).unwrap();
    assert!(included.block > anchored.block);
    assert_eq!(two.weights(NETUID, Uid(0), included.block).await.unwrap(), weights);
    assert_eq!(two.weights(NETUID, Uid(0), anchored.block).await.unwrap(), []);
    let read = two.anchor_of(NETUID, &validator.hotkey(), included.block).await.unwrap().unwrap();
    assert_eq!((read.block, read.data.as_slice()), (anchored.block, b"root of size 12".as_slice()));
    let metagraph = one.metagraph(NETUID, included.block).await.unwrap();
    assert_eq!(metagraph, two.metagraph(NETUID, included.block).await.unwrap());
    assert_eq!(metagraph.neuron_of(&validator.hotkey()).unwrap().last_update, included.block);
    assert_eq!(two.hyperparameters(NETUID, included.block).await.unwrap(), Hyperparameters::default());

    let newcomer = key("newcomer");
    let registered = two.register(NETUID, &newcomer.hotkey(), &key("newcomer//cold"), WAIT).await.unwrap();
    assert_eq!(one.uid_of(NETUID, &newcomer.hotkey(), registered.block).await.unwrap(), Some(Uid(5)));
    let before = BlockNumber(registered.block.0 - 1);
    assert_eq!(one.uid_of(NETUID, &newcomer.hotkey(), before).await.unwrap(), None);
    let axon: SocketAddr = "127.0.0.1:8091".parse().unwrap();
    let served = two.serve_axon(NETUID, axon, &newcomer, WAIT).await.unwrap();
    assert_eq!(one.metagraph(NETUID, served.block).await.unwrap().neurons[5].axon(), Some(axon));

    let call = RootCall::SetHyperparameters {
        netuid: NETUID,
        hyperparameters: Hyperparameters { tempo: 3, ..Hyperparameters::default() },
    };
    let failed = one.execute_root(call.clone(), &newcomer, WAIT).await;
    assert!(matches!(&failed, Err(Error::CallFailed { error, .. }) if error == "RequireSudo"), "{failed:?}");
    let changed = one.execute_root(call, &key("root"), WAIT).await.unwrap();
    assert_eq!(two.hyperparameters(NETUID, changed.block).await.unwrap().tempo, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_arrive_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(&folder, "127.0.0.1:0").await;
    let client = Client::connect(&running.url()).await.unwrap();
    let head = client.head().await.unwrap().number;
    let far = BlockNumber(head.0 + 1_000_000);
    assert!(matches!(client.metagraph(NETUID, far).await, Err(Error::UnknownBlock(number)) if number == far));
    assert!(matches!(client.metagraph(NetUid(9), head).await, Err(Error::UnknownSubnet { netuid: NetUid(9), .. })));
    assert_eq!(client.block_hash(far).await.unwrap(), None);
    assert_eq!(client.await_block(far, Duration::from_millis(50)).await.unwrap(), None);
    let mut extrinsic = client.prepare_anchor(NETUID, b"x", &key("validator")).await.unwrap();
    extrinsic.bytes[5] ^= 1;
    assert!(matches!(client.submit(&extrinsic).await, Err(Error::Rejected { name, .. }) if name == "BadFormat"));
    extrinsic.bytes = vec![b'x'; 300_000];
    assert!(matches!(client.submit(&extrinsic).await, Err(Error::NodeFailed { .. } | Error::Unreachable { .. })));
    let url = running.url();
    drop(running);
    assert!(matches!(Client::connect(&url).await, Err(Error::Unreachable { .. })));
    let configuration = Configuration {
        path: folder.path().join("other"),
        listen: "0.0.0.0:0".parse().unwrap(),
        block_time: Duration::from_secs(1),
        serve_other_machines: false,
    };
    let refused = start(configuration, &specification(Hyperparameters::default())).await;
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_blocks_misses_none_of_the_numbers_that_follow() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(&folder, "127.0.0.1:0").await;
    let client = Client::connect(&running.url()).await.unwrap();
    let mut last = client.head().await.unwrap();
    let mut hashes = BTreeSet::from([last.hash]);
    for _ in 0..10 {
        assert_eq!(client.block_hash(BlockNumber(last.number.0 + 1_000)).await.unwrap(), None);
        let next = client.await_block(last.number, WAIT).await.unwrap().unwrap();
        assert!(next.number > last.number && next.timestamp_ms > last.timestamp_ms);
        assert!(hashes.insert(next.hash));
        assert_eq!(client.block_hash(next.number).await.unwrap(), Some(next.hash));
        last = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = running(&folder, "127.0.0.1:0").await;
    let address = first.address().to_string();
    let client = Client::connect(&first.url()).await.unwrap();
    let validator = key("validator");
    let extrinsic = client.prepare_set_weights(NETUID, &[(Uid(2), 9)], 0, &validator).await.unwrap();
    client.submit(&extrinsic).await.unwrap();
    let included = client.await_extrinsic(&extrinsic.reference(), WAIT).await.unwrap();
    assert!(matches!(included, ExtrinsicStatus::Included(_)));
    drop(first);
    assert!(matches!(client.head().await, Err(Error::Unreachable { .. })));
    // The author's last block may still be on its way to the disk and holds the file until then.
    let mut second = None;
    for _ in 0..100 {
        let configuration = Configuration {
            path: folder.path().join("chain"),
            listen: address.parse().unwrap(),
            block_time: Duration::from_millis(25),
            serve_other_machines: false,
        };
        match start(configuration, &specification(Hyperparameters::default())).await {
            Ok(running) => {
                second = Some(running);
                break;
            }
            Err(Error::FileInUse(_) | Error::Listen { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(second.is_some());
    assert_eq!(client.extrinsic_status(&extrinsic.reference()).await.unwrap(), included);
    client.submit(&extrinsic).await.unwrap();
    assert_eq!(client.extrinsic_status(&extrinsic.reference()).await.unwrap(), included);
}

const FOLDER: &str = "CHAIN_TEST_FOLDER";

/// The chain in a process of its own, killed with -9 when dropped.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the next test as a process of its own and gives the address it listens on.
async fn spawned(folder: &tempfile::TempDir) -> (Process, String) {
    let url = folder.path().join("url");
    let _ = std::fs::remove_file(&url);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::in_a_process_of_its_own", "--ignored"]).env(FOLDER, folder.path());
    let process = Process(command.stdout(std::process::Stdio::null()).spawn().unwrap());
    for _ in 0..1000 {
        if let Ok(url) = std::fs::read_to_string(&url) {
            return (process, url);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the chain's process does not listen");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the process that the test below kills"]
async fn in_a_process_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let configuration = Configuration {
        path: folder.join("chain"),
        listen: "127.0.0.1:0".parse().unwrap(),
        block_time: Duration::from_millis(10),
        serve_other_machines: false,
    };
    let mut running = start(configuration, &specification(Hyperparameters::default())).await.unwrap();
    std::fs::write(folder.join("url.new"), running.url()).unwrap();
    std::fs::rename(folder.join("url.new"), folder.join("url")).unwrap();
    // Ends by itself should the test that started it be gone.
    let fault = tokio::time::timeout(Duration::from_secs(60), running.fault()).await;
    assert!(fault.is_err(), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let miner = key("miner0");
    let (mut told, mut anchored) = (Vec::new(), Vec::new());
    for cycle in 0..6u8 {
        let (process, url) = spawned(&folder).await;
        let client = Client::connect(&url).await.unwrap();
        for (reference, inclusion) in &anchored {
            assert_eq!(&client.extrinsic_status(reference).await.unwrap(), inclusion);
        }
        for (number, hash) in &told {
            assert_eq!(client.block_hash(*number).await.unwrap(), Some(*hash));
        }
        let extrinsic = client.prepare_anchor(NETUID, &[cycle], &miner).await.unwrap();
        assert_eq!(extrinsic.nonce, u64::from(cycle), "none lost, none doubled");
        client.submit(&extrinsic).await.unwrap();
        let status = client.await_extrinsic(&extrinsic.reference(), WAIT).await.unwrap();
        assert!(matches!(status, ExtrinsicStatus::Included(_)), "{status:?}");
        anchored.push((extrinsic.reference(), status));
        // At another moment of the block each time.
        tokio::time::sleep(Duration::from_millis(3 * u64::from(cycle))).await;
        let head = client.head().await.unwrap();
        told.push((head.number, head.hash));
        drop(process);
    }
}
