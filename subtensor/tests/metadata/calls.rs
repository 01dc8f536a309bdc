//! Calls: each is written as the runtime wants it and read back as the same.

use std::net::IpAddr;

use chain::Call;
use domain::types::{HexBytes, NetUid, Uid};
use network::keys::Keypair;
use proptest::prelude::*;
use subtensor::{CallStyle, Runtime};

use crate::runtimes;

fn calls() -> Vec<Call> {
    let (netuid, uids, weights) = (NetUid(1), vec![Uid(0), Uid(1)], vec![65535, 32768]);
    let (version_key, hash, salt) = (9_012_002, HexBytes([7; 32]), vec![1, 2, 3]);
    let (commit, reveal_round, commit_reveal_version) = (vec![9; 295], 12_345_678_901, 4);
    let hotkey = Keypair::from_uri("//Alice").unwrap().hotkey();
    let mut calls = vec![
        Call::SetWeights { netuid, uids: uids.clone(), weights: weights.clone(), version_key },
        Call::CommitTimelockedWeights { netuid, commit: commit.clone(), reveal_round, commit_reveal_version },
        Call::BurnedRegister { netuid, hotkey },
    ];
    for mechanism in [0, 1, 15] {
        let (uids, weights, salt, commit) = (uids.clone(), weights.clone(), salt.clone(), commit.clone());
        calls.extend([
            Call::SetMechanismWeights { netuid, mechanism, uids: uids.clone(), weights: weights.clone(), version_key },
            Call::CommitWeights { netuid, mechanism, hash },
            Call::RevealWeights { netuid, mechanism, uids, weights, salt, version_key },
            Call::CommitTimelockedMechanismWeights { netuid, mechanism, commit, reveal_round, commit_reveal_version },
        ]);
    }
    for length in [0, 1, 32, 63, 64, 65, 128] {
        calls.push(Call::SetCommitment { netuid, data: vec![5; length] });
    }
    for address in ["10.1.2.3", "255.255.255.254", "::1", "2001:db8::1"] {
        calls.push(Call::ServeAxon { netuid, ip: address.parse::<IpAddr>().unwrap(), port: 8091 });
    }
    calls
}

#[test]
fn calls_survive_the_way_there_and_back() {
    for (name, runtime) in runtimes() {
        for call in calls() {
            let style = match call {
                Call::ServeAxon { .. } => CallStyle { axon_version: 7, axon_protocol: 0 },
                _ => CallStyle::default(),
            };
            let bytes = runtime.call_bytes(&call, style).unwrap_or_else(|error| panic!("{name}: {call:?}: {error}"));
            assert_eq!(runtime.decode_call(&bytes).unwrap(), Some((call, style)), "{name}");
        }
    }
}

#[test]
fn bytes_are_those_of_subtensor() {
    // Indexes, argument order and widths of finney at spec 393, written by hand.
    let key = Keypair::from_uri("//Alice").unwrap();
    let rows = [
        (calls()[0].clone(), "07000100080000010008ffff00802283890000000000".to_owned()),
        (
            Call::BurnedRegister { netuid: NetUid(258), hotkey: key.hotkey() },
            format!("07070201{}", hex::encode(key.public())),
        ),
        (
            Call::CommitWeights { netuid: NetUid(1), mechanism: 0, hash: HexBytes([7; 32]) },
            format!("07600100{}", "07".repeat(32)),
        ),
        (
            Call::CommitWeights { netuid: NetUid(1), mechanism: 2, hash: HexBytes([7; 32]) },
            format!("0773010002{}", "07".repeat(32)),
        ),
        (
            Call::CommitTimelockedMechanismWeights {
                netuid: NetUid(1),
                mechanism: 0,
                commit: vec![1, 2],
                reveal_round: 3,
                commit_reveal_version: 4,
            },
            "07760100000801020300000000000000".to_owned() + "0400",
        ),
        // Commitments 18, set_commitment 0: one field, Raw2 is the fourth variant of Data.
        (Call::SetCommitment { netuid: NetUid(1), data: vec![0xab, 0xcd] }, "120001000403abcd".to_owned()),
    ];
    for (name, runtime) in runtimes().into_iter().filter(|(name, _)| name.contains("393")) {
        for (call, expected) in &rows {
            let bytes = runtime.call_bytes(call, CallStyle::default()).unwrap();
            assert_eq!(&hex::encode(bytes), expected, "{name}: {call:?}");
        }
    }
}

#[test]
fn what_can_stand_in_no_call_is_refused() {
    for (_, runtime) in runtimes() {
        let refused = |call: Call| runtime.call_bytes(&call, CallStyle::default()).unwrap_err().to_string();
        let long = refused(Call::SetCommitment { netuid: NetUid(1), data: vec![0; 129] });
        assert_eq!(long, "commitment cannot be encoded: 129 bytes are more than 128");
        let call = Call::CommitTimelockedWeights {
            netuid: NetUid(1),
            commit: vec![0; 5001],
            reveal_round: 1,
            commit_reveal_version: 4,
        };
        assert_eq!(refused(call), "commit cannot be encoded: 5001 bytes are more than 5000");
    }
}

#[test]
fn calls_of_other_pallets_are_none_of_ours() {
    for (name, runtime) in runtimes() {
        // System.remark of nothing.
        assert_eq!(runtime.decode_call(&[0, 0, 0]).unwrap(), None, "{name}");
        assert!(runtime.decode_call(&[0]).is_err());
        assert!(runtime.decode_call(&[250, 0]).is_err());
        assert!(runtime.decode_call(&[7, 250]).is_err());
    }
}

fn newest() -> Option<Runtime> {
    runtimes().into_iter().rfind(|(name, _)| name.contains("393_v16")).map(|(_, runtime)| runtime)
}

#[test]
fn hostile_bytes_do_no_harm() {
    let Some(runtime) = newest() else { return };
    let known: Vec<_> = calls().iter().map(|call| runtime.call_bytes(call, CallStyle::default()).unwrap()).collect();
    proptest!(ProptestConfig::with_cases(2000), |(
        of in 0..known.len(), cut in any::<prop::sample::Index>(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        raw in prop::collection::vec(any::<u8>(), 0..64),
    )| {
        let mut bytes = known[of].clone();
        bytes.truncate(cut.index(bytes.len() + 1));
        for (at, value) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        // Whatever is read must be written as the same bytes again, but for calls that have two forms.
        let two_forms = |call: &Call| {
            matches!(call, Call::CommitWeights { .. } | Call::RevealWeights { .. } | Call::SetCommitment { .. })
        };
        if let Ok(Some((call, style))) = runtime.decode_call(&bytes)
            && !two_forms(&call)
        {
            prop_assert_eq!(runtime.call_bytes(&call, style).unwrap(), bytes);
        }
        let _ = runtime.outcome(&raw, 0);
        let _ = runtime.weight_events(&raw, NetUid(1));
    });
}
