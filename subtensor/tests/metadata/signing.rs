//! Signed extrinsics, taken apart byte by byte.

use chain::{Call, Era};
use domain::types::{BlockNumber, HexBytes, NetUid, Uid};
use network::keys::{Keypair, verify};
use subtensor::{CallStyle, Signing, bytes_to_sign};

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
fn a_long_call_is_signed_by_its_hash_and_read_back() {
    let keypair = Keypair::from_uri("//Alice").unwrap();
    let uids: Vec<Uid> = (0..256).map(Uid).collect();
    let call = Call::SetMechanismWeights {
        netuid: NetUid(1),
        mechanism: 0,
        weights: vec![65535; uids.len()],
        uids,
        version_key: 0,
    };
    for (name, runtime) in runtimes() {
        let era = Some(Era { period: 128, birth: BlockNumber(1_000_003) });
        let (birth_hash, genesis_hash) = (HexBytes([2; 32]), HexBytes([1; 32]));
        let signing = Signing { nonce: 70_000, era, birth_hash, genesis_hash, tip: 5 };
        let payload = runtime.signer_payload(&call, CallStyle::default(), &signing).unwrap();
        assert_eq!(payload.len(), 32, "{name}");
        assert_eq!(bytes_to_sign(&payload), payload, "{name}");
        let signed = runtime.sign(&call, CallStyle::default(), &signing, &keypair).unwrap();
        let read = runtime.read_extrinsic(&signed.bytes).unwrap();
        assert!(verify(&keypair.public(), &payload, &read.signature), "{name}");
        assert_eq!(
            (read.hash, read.signer, read.nonce, read.tip),
            (signed.hash, keypair.public(), 70_000, 5),
            "{name}"
        );
        assert_eq!((read.version_byte, read.address_kind, read.signature_kind), (0x84, 0, 1), "{name}");
        assert_eq!((read.period_and_phase, read.metadata_hash_mode), (Some((128, 1_000_003 % 128)), 0), "{name}");
        assert_eq!(runtime.decode_call(&read.call).unwrap().unwrap().0, call, "{name}");
        for cut in [0, 1, 2, 10, 100, 500] {
            assert!(runtime.read_extrinsic(&signed.bytes[..cut]).is_err(), "{name} {cut}");
        }
        // An unsigned one: Timestamp.set of 1.
        assert!(runtime.read_extrinsic(&[0x10, 4, 2, 0, 4]).is_err(), "{name}");
    }
}

#[test]
fn any_call_can_be_signed_from_its_bytes() {
    let keypair = Keypair::from_uri("//Alice").unwrap();
    let signing =
        Signing { nonce: 1, era: None, birth_hash: HexBytes([1; 32]), genesis_hash: HexBytes([1; 32]), tip: 0 };
    let ours = Call::SetCommitment { netuid: NetUid(1), data: vec![1, 2, 3] };
    for (name, runtime) in runtimes() {
        let bytes = runtime.call_bytes(&ours, CallStyle::default()).unwrap();
        let (joined, payload) = runtime.assemble_bytes(&bytes, &signing, keypair.public(), [7; 64]).unwrap();
        assert_eq!(payload, runtime.signer_payload(&ours, CallStyle::default(), &signing).unwrap(), "{name}");
        let same = runtime.assemble(&ours, CallStyle::default(), &signing, keypair.public(), [7; 64]).unwrap();
        assert_eq!(joined, same, "{name}");
        // System.remark of two bytes is none of our calls.
        let (joined, _) = runtime.assemble_bytes(&[0, 0, 8, 1, 2], &signing, keypair.public(), [7; 64]).unwrap();
        assert_eq!(runtime.read_extrinsic(&joined.bytes).unwrap().call, [0, 0, 8, 1, 2], "{name}");
        for bad in [&[][..], &[0, 0, 8, 1], &[0, 0, 8, 1, 2, 3], &[250, 0]] {
            assert!(runtime.assemble_bytes(bad, &signing, keypair.public(), [7; 64]).is_err(), "{name} {bad:?}");
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
