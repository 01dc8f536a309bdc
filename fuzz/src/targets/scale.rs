//! SCALE: what a node answers, read by its metadata, and what others send to the development chain.

use std::sync::LazyLock;

use domain::types::BlockNumber;
use localnet::extrinsic::Extrinsic;
use localnet::runtime::TRANSACTION_VERSION;
use localnet::{Schedule, State};
use network::keys::verify;
use subtensor::{Runtime, Signing};
use subxt::config::substrate::{H256, SubstrateHeader};
use subxt::dynamic::Value;
use subxt::ext::codec::{Compact, Decode as _, Encode as _};

use super::node::{NETUID, World};
use super::{choice, choosing};

static WORLD: LazyLock<Option<World>> = LazyLock::new(World::new);

pub(super) fn metadata_seeds() -> Vec<Vec<u8>> {
    let of = |schedule| (14..=16).filter_map(move |version| localnet::metadata_of(schedule, version));
    [Schedule::Legacy, Schedule::Stateful].into_iter().flat_map(of).map(<[u8]>::to_vec).collect()
}

/// Metadata that is read reads real answers, or says why not: hostile types neither recurse nor grow without end.
pub(super) fn metadata(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Ok(runtime) = Runtime::decode(Schedule::Legacy.spec_version(), TRANSACTION_VERSION, input) else {
        return false;
    };
    let values = world.values.iter().zip(0..64);
    for ((index, bytes), _) in values {
        let (pallet, entry) = &world.entries[*index];
        let _ = runtime.storage_value::<Value>(pallet, entry, Some(bytes));
    }
    for (index, bytes) in &world.answers {
        let (api, method) = &world.methods[*index];
        let _ = runtime.api_answer::<Value>(api, method, bytes);
    }
    for events in &world.events {
        let _ = runtime.outcome(events, 1);
        let _ = runtime.weight_events(events, NETUID);
    }
    for bytes in &world.extrinsics {
        if let Ok(read) = runtime.read_extrinsic(bytes) {
            let _ = runtime.decode_call(&read.call);
        }
    }
    true
}

pub(super) fn storage_seeds() -> Vec<Vec<u8>> {
    let world = WORLD.iter();
    world.flat_map(|world| world.values.iter().map(|(index, bytes)| choosing(*index, bytes))).collect()
}

/// The first two bytes choose the entry. A value that is read has its type's own bytes; an anchor has a block and bytes.
pub(super) fn storage(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Some(((pallet, entry), bytes)) = choice(&world.entries, input) else { return false };
    let found = world.runtime.storage_value::<Value>(pallet, entry, Some(bytes));
    assert!(found.as_ref().is_ok_and(Option::is_some) || found.is_err());
    if let Ok(Some(anchor)) = world.runtime.anchor(bytes) {
        assert!(anchor.data.len() <= bytes.len() && anchor.block <= BlockNumber(u64::from(u32::MAX)));
    }
    let _ = world.runtime.storage_value::<Vec<u16>>(pallet, entry, Some(bytes));
    let _ = world.runtime.storage_value::<Vec<(u16, u16)>>(pallet, entry, Some(bytes));
    let _ = world.runtime.storage_value::<u64>(pallet, entry, Some(bytes));
    found.is_ok()
}

pub(super) fn runtime_api_seeds() -> Vec<Vec<u8>> {
    let world = WORLD.iter();
    world.flat_map(|world| world.answers.iter().map(|(index, bytes)| choosing(*index, bytes))).collect()
}

/// The first two bytes choose the method. Neurons stand in the order of their uids.
pub(super) fn runtime_api(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Some(((api, method), bytes)) = choice(&world.methods, input) else { return false };
    if let Ok(Some(neurons)) = world.runtime.metagraph_neurons(bytes) {
        assert!(neurons.iter().zip(0u16..).all(|(neuron, uid)| neuron.uid.0 == uid));
        assert!(neurons.len() * 64 <= bytes.len());
    }
    world.runtime.api_answer::<Value>(api, method, bytes).is_ok()
}

pub(super) fn events_seeds() -> Vec<Vec<u8>> {
    WORLD.iter().flat_map(|world| world.events.clone()).collect()
}

/// The outcome of every extrinsic and the weights' events of the subnet.
pub(super) fn events(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let outcomes = (0..3).filter(|index| world.runtime.outcome(input, *index).is_ok()).count();
    let weights = world.runtime.weight_events(input, NETUID);
    assert!(weights.as_ref().map_or(0, Vec::len) <= input.len());
    outcomes > 0 || weights.is_ok()
}

pub(super) fn extrinsic_seeds() -> Vec<Vec<u8>> {
    let Some(world) = WORLD.as_ref() else { return Vec::new() };
    let timestamp = world.state.block(1).and_then(|block| block.extrinsics.first().cloned());
    world.extrinsics.iter().cloned().chain(nested()).chain(timestamp).collect()
}

/// Batches of one call within each other, as deep as they are read and deeper: three bytes a level.
fn nested() -> Vec<Vec<u8>> {
    let Some(world) = WORLD.as_ref() else { return Vec::new() };
    let hash = domain::types::HexBytes(world.state.genesis_hash());
    let signing = Signing { nonce: 0, era: None, birth_hash: hash, genesis_hash: hash, tip: 0 };
    let call = |levels: usize| [[11u8, 0, 4].repeat(levels), vec![0, 0, 0]].concat();
    let signed = |levels| world.runtime.assemble_bytes(&call(levels), &signing, [1; 32], [2; 64]).ok();
    let Some(one) = signed(1).map(|(signed, _)| signed.bytes) else { return Vec::new() };
    let head = one.len().saturating_sub(call(1).len());
    let deeper = [20usize, 21, 1_000].map(|levels| {
        // Behind the two bytes of its length.
        let body = [one.get(2..head).unwrap_or_default(), &call(levels)].concat();
        [Compact(body.len() as u32).encode(), body].concat()
    });
    deeper.into_iter().chain([one]).collect()
}

/// What others have signed: its call encodes to the same call, and the parts are parts of the bytes.
pub(super) fn extrinsic(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Ok(read) = world.runtime.read_extrinsic(input) else { return false };
    assert!(read.call.len() + read.era.len() <= input.len() && input.ends_with(&read.call));
    if let Ok(Some((call, style))) = world.runtime.decode_call(&read.call)
        && let Ok(again) = world.runtime.call_bytes(&call, style)
    {
        assert_eq!(world.runtime.decode_call(&again).ok().flatten(), Some((call, style)));
    }
    true
}

/// A block's header in JSON: its hash is of what it says.
pub(super) fn header(input: &[u8]) -> bool {
    let Ok(header) = serde_json::from_slice::<SubstrateHeader<H256>>(input) else { return false };
    let bytes = header.encode();
    assert_eq!(SubstrateHeader::<H256>::decode(&mut &bytes[..]).map(|header| header.encode()).ok(), Some(bytes));
    true
}

/// An extrinsic that is submitted to the development chain: understood within its limits, and believed only with its signature.
pub(super) fn submitted(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Ok(read) = Extrinsic::decode(input) else { return false };
    assert!(read.bytes == input && input.len() <= localnet::extrinsic::MAXIMUM_BYTES);
    let genesis = world.state.genesis_hash();
    if read.is_signed(Schedule::Legacy.spec_version(), &genesis, &genesis) {
        // Whoever reads it by the metadata sees the same signer, and the same bytes signed.
        if let Ok(other) = world.runtime.read_extrinsic(input) {
            assert_eq!((other.signer, other.nonce), (read.signer.0, u64::from(read.nonce)));
            assert!(!verify(&[0; 32], &other.call, &other.signature));
        }
        assert!(world.extrinsics.iter().any(|known| known == input), "nobody signed this");
    }
    true
}

pub(super) fn called_seeds() -> Vec<Vec<u8>> {
    let Some(world) = WORLD.as_ref() else { return Vec::new() };
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (index, (api, method)) in world.methods.iter().enumerate() {
        let netuid = NETUID.0;
        let arguments = [
            world.runtime.api_arguments(api, method, ()),
            world.runtime.api_arguments(api, method, (netuid,)),
            world.runtime.api_arguments(api, method, (netuid, 0u16)),
            world.runtime.api_arguments(api, method, (netuid, vec![0u16, 1, 72])),
        ];
        found.extend(arguments.into_iter().flatten().map(|bytes| choosing(index, &bytes)));
    }
    found
}

/// What a client asks the development chain's runtime: the answer is one of its own metadata.
pub(super) fn called(input: &[u8]) -> bool {
    let Some(world) = WORLD.as_ref() else { return false };
    let Some(((api, method), bytes)) = choice(&world.methods, input) else { return false };
    let state: &State = &world.state;
    let Ok(answer) = state.call(&format!("{api}_{method}"), bytes, state.height()) else { return false };
    if answer.len() < 32 << 10 {
        let read = world.runtime.api_answer::<Value>(api, method, &answer);
        assert!(read.is_ok(), "{api}_{method}: {read:?}");
    }
    true
}
