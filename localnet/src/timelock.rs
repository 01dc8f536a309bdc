//! Opening timelocked weights, and the pulses of this chain's own beacon.

use commit_reveal::{BeaconKey, Signature, Weights, decrypt};

use crate::execution::Context;
use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_drand::types::Pulse;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::{pallet_development, pallet_drand, pallet_timestamp};

/// The weights that a hotkey locked; [`None`] when the signature does not open them or they are not that hotkey's.
pub(crate) fn open(ciphertext: &[u8], signature: &[u8], committer: &AccountId32) -> Option<Weights> {
    let signature = Signature::from_bytes(signature.try_into().ok()?).ok()?;
    let opened = decrypt(ciphertext, &signature).ok()?;
    Weights::from_bytes(&opened, &committer.0).ok()
}

/// The newest round that this chain's own beacon has signed at the parent's time, noted at each block. A pulse itself is
/// made when something waits for it.
pub(crate) fn note_round(context: &mut Context<'_, '_>) {
    if pallet_development::BEACON_SEED.find(context.state, &()).is_none() {
        return;
    }
    let beacon = pallet_drand::BEACON_CONFIG.get(context.state, &());
    let seconds = pallet_timestamp::NOW.get(context.state, &()) / 1000;
    let since = seconds.checked_sub(u64::from(beacon.genesis_time));
    let round = since.and_then(|since| since.checked_div(u64::from(beacon.period))).map_or(0, |rounds| rounds + 1);
    if round > pallet_drand::LAST_STORED_ROUND.get(context.state, &()) {
        pallet_drand::LAST_STORED_ROUND.put(context.state, &(), &round);
    }
}

/// The signature of a round: of a stored pulse, or of one that the own beacon makes now because its time has come.
pub(crate) fn signature(context: &mut Context<'_, '_>, round: u64) -> Option<Vec<u8>> {
    if let Some(pulse) = pallet_drand::PULSES.find(context.state, &round) {
        return Some(pulse.signature.0);
    }
    let seed = pallet_development::BEACON_SEED.find(context.state, &())?;
    if round == 0 || round > pallet_drand::LAST_STORED_ROUND.get(context.state, &()) {
        return None;
    }
    let pulse = BeaconKey::from_seed(&seed).pulse(round).ok()?;
    store(context, round, &pulse.signature);
    Some(pulse.signature.to_vec())
}

/// Stores a pulse; its randomness is SHA-256 of the signature, as drand has it.
pub(crate) fn store(context: &mut Context<'_, '_>, round: u64, signature: &[u8]) {
    let randomness = domain::types::sha256(signature).0.to_vec();
    let pulse = Pulse { round, randomness: BoundedVec(randomness), signature: BoundedVec(signature.to_vec()) };
    pallet_drand::PULSES.put(context.state, &round, &pulse);
    pallet_drand::LAST_STORED_ROUND.change(context.state, &(), |last| *last = round.max(*last));
    pallet_drand::OLDEST_STORED_ROUND.change(context.state, &(), |oldest| {
        *oldest = if *oldest == 0 { round } else { round.min(*oldest) };
    });
    context.deposit(RuntimeEvent::Drand(pallet_drand::pallet::Event::NewPulse { rounds: vec![round] }));
}
