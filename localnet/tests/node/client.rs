//! subxt against the node: connect, read, submit, see what happened.

use std::time::Duration;

use localnet::Hyperparameters;
use localnet::server::{Configuration, Running, start};
use network::keys::Keypair;
use subxt::config::substrate::MultiSignature;
use subxt::dynamic::{self, Value};
use subxt::transactions::Signer;
use subxt::utils::AccountId32;
use subxt::{OnlineClient, SubstrateConfig};

use super::world::{NETUID, key, specification};

struct Hand(Keypair);

impl Signer<SubstrateConfig> for Hand {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public())
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign(payload))
    }
}

async fn running(folder: &tempfile::TempDir, hyperparameters: Hyperparameters) -> Running {
    let configuration = Configuration {
        path: folder.path().join("chain"),
        listen: "127.0.0.1:0".parse().unwrap(),
        block_time: Some(Duration::from_millis(100)),
        serve_other_machines: false,
    };
    start(configuration, &specification(hyperparameters)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn subxt_reads_and_submits() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(&folder, Hyperparameters::default()).await;
    let api = OnlineClient::<SubstrateConfig>::from_insecure_url(running.url()).await.unwrap();
    let at = api.at_current_block().await.unwrap();

    let tempo = dynamic::storage::<(u16,), u16>("SubtensorModule", "Tempo");
    assert_eq!(at.storage().fetch(&tempo, (NETUID,)).await.unwrap().decode().unwrap(), 20);
    let uids = dynamic::storage::<(u16, [u8; 32]), u16>("SubtensorModule", "Uids");
    let uid = at.storage().fetch(&uids, (NETUID, key("miner0").public())).await.unwrap();
    assert_eq!(uid.decode().unwrap(), 2);
    assert!(at.storage().try_fetch(&uids, (NETUID, [9; 32])).await.unwrap().is_none());

    let neurons = dynamic::runtime_api_call::<_, Value>("NeuronInfoRuntimeApi", "get_neurons_lite", (NETUID,));
    let neurons = at.runtime_apis().call(neurons).await.unwrap();
    assert!(neurons.to_string().contains("validator_permit: true"), "{neurons}");

    let serve = dynamic::transaction(
        "SubtensorModule",
        "serve_axon",
        subxt::ext::scale_value::Composite::named([
            ("netuid", Value::u128(u128::from(NETUID))),
            ("version", Value::u128(9_012_002)),
            ("ip", Value::u128(0x7f00_0001)),
            ("port", Value::u128(8091)),
            ("ip_type", Value::u128(4)),
            ("protocol", Value::u128(4)),
            ("placeholder1", Value::u128(0)),
            ("placeholder2", Value::u128(0)),
        ]),
    );
    let events = at
        .transactions()
        .sign_and_submit_then_watch_default(&serve, &Hand(key("Alice")))
        .await
        .unwrap()
        .wait_for_finalized_success()
        .await
        .unwrap();
    let told: Vec<String> = events
        .iter()
        .map(|event| event.map(|event| format!("{}.{}", event.pallet_name(), event.event_name())).unwrap())
        .collect();
    assert_eq!(told, ["SubtensorModule.AxonServed", "System.ExtrinsicSuccess"]);
}
