//! Keys and values of storage.

use domain::types::NetUid;
use network::keys::Keypair;
use subtensor::Runtime;
use subxt::utils::AccountId32;

use crate::runtimes;

fn key(runtime: &Runtime, pallet: &str, entry: &str, keys: Vec<subxt::dynamic::Value>) -> String {
    hex::encode(runtime.storage_key(pallet, entry, keys).expect("a key"))
}

#[test]
fn keys_are_those_of_substrate() {
    let alice = AccountId32(Keypair::from_uri("//Alice").unwrap().public());
    for (name, runtime) in runtimes() {
        // The account of //Alice on every development chain of Substrate: twox128 of both names, then blake2_128_concat.
        let account = hex::encode(runtime.storage_key("System", "Account", (alice,)).unwrap());
        let expected = "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9de1e86a9a8c739864cf3cc5ec2bea59f\
                        d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
        assert_eq!(account, expected, "{name}");
        assert_eq!(
            key(&runtime, "System", "Events", vec![]),
            "26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"
        );
        // Identity keys stand behind the prefix as they are.
        let prefix = key(&runtime, "SubtensorModule", "TaoWeight", vec![]);
        let weights = hex::encode(runtime.storage_key("SubtensorModule", "Weights", (4097u16, 258u16)).unwrap());
        assert_eq!(weights[..32], prefix[..32], "{name}: the same pallet");
        assert_eq!(&weights[64..], "01100201", "{name}");
    }
}

#[test]
fn number_of_keys_must_fit() {
    for (_, runtime) in runtimes() {
        for given in [0u16, 2] {
            let keys: Vec<u16> = vec![1; usize::from(given)];
            let error = runtime.storage_key("SubtensorModule", "Tempo", keys).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("key of SubtensorModule.Tempo cannot be encoded: it has 1 keys, {given} were given")
            );
        }
    }
}

#[test]
fn absent_values_are_the_stated_defaults() {
    for (name, runtime) in runtimes() {
        let tempo: Option<u16> = runtime.storage_value("SubtensorModule", "Tempo", None).unwrap();
        assert!(tempo.is_some(), "{name}");
        let uid: Option<u16> = runtime.storage_value("SubtensorModule", "Uids", None).unwrap();
        assert_eq!(uid, None, "{name}: an optional entry has none");
        let mechanisms: Option<u8> = runtime.storage_value("SubtensorModule", "MechanismCountCurrent", None).unwrap();
        assert_eq!(mechanisms, Some(1), "{name}");
    }
}

#[test]
fn values_must_fit_to_the_last_byte() {
    for (name, runtime) in runtimes() {
        let read = |bytes: &[u8]| runtime.storage_value::<u16>("SubtensorModule", "Tempo", Some(bytes));
        assert_eq!(read(&[0x68, 1]).unwrap(), Some(360), "{name}");
        assert!(read(&[0x68]).is_err());
        assert!(read(&[0x68, 1, 0]).is_err());
        let weights: Option<Vec<(u16, u16)>> =
            runtime.storage_value("SubtensorModule", "Weights", Some(&[8, 1, 0, 255, 255, 2, 0, 1, 0])).unwrap();
        assert_eq!(weights, Some(vec![(1, 65535), (2, 1)]), "{name}");
        // A length of 2^30 - 1 with nothing behind it.
        let forged =
            runtime.storage_value::<Vec<(u16, u16)>>("SubtensorModule", "Weights", Some(&[254, 255, 255, 255]));
        assert!(forged.is_err(), "{name}");
    }
}

#[test]
fn mechanisms_are_numbered_in_steps_of_4096() {
    for (netuid, mechanism, expected) in
        [(1, 0, Some(1)), (1, 1, Some(4097)), (4095, 15, Some(65535)), (4096, 0, None), (1, 16, None)]
    {
        assert_eq!(Runtime::mechanism_index(NetUid(netuid), mechanism).ok(), expected, "{netuid} {mechanism}");
    }
}
