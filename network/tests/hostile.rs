//! Any bytes in any field: refused, never a panic, and never accepted.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use network::epistula;
use network::fiber::headers::{self, Headers};
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{Dialect, Receiver};
use network::fiber::rsa_key::{MinerKey, encrypt};
use network::fiber::server::Miner;
use network::keys::Keypair;
use network::wallet::phrase::Phrase;
use network::wallet::sealing::Sealing;
use network::wallet::{keyfile, password};
use proptest::prelude::*;

static MINER: LazyLock<Miner> =
    LazyLock::new(|| Miner::new(Keypair::from_uri("//Bob").unwrap().hotkey(), MinerKey::generate().unwrap()));
static RECEIVER: LazyLock<Receiver> =
    LazyLock::new(|| Receiver::new(Dialect::Miner, Signatures::Required, MinerKey::generate().unwrap()));

/// Texts near to what a field should have, and far from it.
fn field() -> impl Strategy<Value = String> {
    let address = Keypair::from_uri("//Bob").unwrap().ss58();
    prop_oneof![
        any::<String>(),
        "[0-9]{0,30}_?[a-zA-Z0-9]{0,12}",
        "(0x)?[0-9a-f]{0,140}",
        Just("1760000000000000000_aB3dE6gH9k".to_owned()),
        Just(format!("0x{}", "00".repeat(64))),
        Just(address),
        Just("2".to_owned()),
    ]
}

fn fields(names: &'static [&'static str]) -> impl Strategy<Value = HashMap<&'static str, String>> {
    proptest::collection::hash_map(proptest::sample::select(names), field(), 0..8)
}

const NOW: u64 = 1_760_000_000;

proptest! {
    #[test]
    fn no_request_passes_without_a_signature(
        fiber in fields(&["validator-hotkey", "miner-hotkey", "nonce", "signature", "symmetric-key-uuid"]),
        signed in fields(&[epistula::VERSION, epistula::TIMESTAMP, epistula::UUID, epistula::SIGNED_BY, epistula::SIGNATURE]),
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(read) = Headers::read(|name| fiber.get(name).map(String::as_str)) {
            prop_assert!(MINER.open(&read, &body, NOW * 1_000_000_000, |_| true).is_err());
            prop_assert!(MINER.exchange(&read, &body, NOW * 1_000_000_000, |_| true).is_err());
        }
        let receiver = epistula::Receiver { own: Keypair::from_uri("//Bob").unwrap().hotkey(), unaddressed: true };
        let get = |name: &str| signed.get(name).map(String::as_str);
        prop_assert!(receiver.verify(get, &body, NOW * 1000, |_| true, &Mutex::default()).is_err());
        prop_assert!(RECEIVER.exchange(&body, NOW * 1_000_000, |_| true).is_err());
        prop_assert!(RECEIVER.open(|_| Some("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"), &body, NOW).is_err());
    }

    #[test]
    fn exchanges_with_odd_fields_are_refused(
        key in field(), uuid in field(), nonce in field(), signature in field(), hotkey in field(), time in any::<f64>(),
    ) {
        let body = serde_json::json!({
            "encrypted_symmetric_key": key, "symmetric_key_uuid": uuid, "nonce": nonce, "signature": signature,
            "validator_hotkey_ss58": hotkey, "timestamp": time,
        });
        prop_assert!(RECEIVER.exchange(body.to_string().as_bytes(), NOW * 1_000_000, |_| true).is_err());
    }

    #[test]
    fn texts_of_every_kind_are_read_or_refused(text in field(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = headers::nonce_time(&text);
        let _ = headers::signature(&text);
        prop_assert!(encrypt(&text, b"secret").is_err());
        prop_assert!(keyfile::parse(text.as_bytes()).is_err() && keyfile::parse(&bytes).is_err());
        let _ = keyfile::parse_public(text.as_bytes());
        let _ = keyfile::parse_public(&bytes);
        prop_assert!(Phrase::parse(&text).is_err());
        let _ = password::reveal("BT_PW_X", &text);
        let vault = [b"$ANSIBLE_VAULT;1.1;AES256\n", text.as_bytes()].concat();
        prop_assert!(Sealing::AnsibleVault.open(&vault, b"password").is_err());
        prop_assert!(Sealing::AnsibleVault.open(&bytes, b"password").is_err());
    }
}
