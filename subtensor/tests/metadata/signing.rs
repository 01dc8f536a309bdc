//! Signed extrinsics, taken apart byte by byte.

use chain::{Call, Era};
use domain::types::{BlockNumber, HexBytes, NetUid, Uid};
use network::keys::{Keypair, verify};
use subtensor::{CallStyle, Signing};

use crate::runtimes;

#[test]
fn an_extrinsic_is_what_subtensor_expects() {
    let keypair = Keypair::from_uri("//Alice").unwrap();
    let call = Call::SetWeights { netuid: NetUid(1), uids: vec![Uid(0)], weights: vec![65535], version_key: 0 };
    let style = CallStyle::default();
    for (era, encoded) in
        [(Some((32, 1000)), "8400"), (Some((128, 1000)), "8606"), (Some((4, 3)), "3100"), (None, "00")]
    {
        for (name, runtime) in runtimes() {
            let signing = Signing {
                nonce: 5,
                era: era.map(|(period, birth)| Era { period, birth: BlockNumber(birth) }),
                birth_hash: HexBytes([2; 32]),
                genesis_hash: HexBytes([1; 32]),
                tip: 0,
            };
            let signed = runtime.sign(&call, style, &signing, &keypair).unwrap();
            let call_bytes = hex::encode(runtime.call_bytes(&call, style).unwrap());
            let bytes = hex::encode(&signed.bytes);
            // Length, version 4 with signature, address, kind of signature, signature.
            let (length, rest) = bytes.split_at(4);
            assert_eq!(
                u16::from_str_radix(&(length[2..].to_owned() + &length[..2]), 16).unwrap() >> 2,
                (rest.len() / 2) as u16
            );
            let rest = rest.strip_prefix(&format!("8400{}01", hex::encode(keypair.public()))).expect(&name);
            let (signature, rest) = rest.split_at(128);
            // Era, nonce, tip, no metadata hash.
            assert_eq!(rest, format!("{encoded}140000{call_bytes}"), "{name}");
            let birth = if era.is_some() { "02" } else { "01" }.repeat(32);
            let payload = format!(
                "{call_bytes}{encoded}140000{}01000000{}{birth}00",
                hex::encode(runtime.spec_version().to_le_bytes()),
                "01".repeat(32),
            );
            assert_eq!(hex::encode(runtime.signer_payload(&call, style, &signing).unwrap()), payload, "{name}");
            let signature: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
            assert!(verify(&keypair.public(), &hex::decode(&payload).unwrap(), &signature), "{name}");
        }
    }
}

#[test]
fn eras_that_the_chain_would_misread_are_refused() {
    let keypair = Keypair::from_uri("//Alice").unwrap();
    let call = Call::SetWeights { netuid: NetUid(1), uids: vec![], weights: vec![], version_key: 0 };
    for (_, runtime) in runtimes() {
        for period in [0, 1, 2, 3, 5, 100, 4096, u64::MAX] {
            let era = Some(Era { period, birth: BlockNumber(9) });
            let (birth_hash, genesis_hash) = (HexBytes([2; 32]), HexBytes([1; 32]));
            let signing = Signing { nonce: 0, era, birth_hash, genesis_hash, tip: 0 };
            assert!(runtime.sign(&call, CallStyle::default(), &signing, &keypair).is_err(), "{period}");
        }
    }
}
