//! What a block does: its beginning, its calls in their order, and the events that tell of them.

use crate::dispatch::{self, Origin};
use crate::epoch;
use crate::extrinsic::Extrinsic;
use crate::runtime::frame_support::dispatch::{DispatchClass, Pays};
use crate::runtime::frame_system::{self, DispatchEventInfo, EventRecord, Phase};
use crate::runtime::node_subtensor_runtime::{RuntimeCall, RuntimeEvent};
use crate::runtime::pallet_subtensor::pallet::Call as SubtensorCall;
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_runtime::DispatchError;
use crate::runtime::sp_weights::weight_v2::Weight;
use crate::runtime::{BLOCK_HASH_COUNT, pallet_drand, pallet_timestamp};
use crate::state::Invalid;
use crate::store::{Overlay, Read};

/// `CustomTransactionError::InvalidRevealRound` of subtensor.
const INVALID_REVEAL_ROUND: u8 = 15;

/// A block in the making.
pub(crate) struct Context<'c, 's> {
    /// The state with what was done so far.
    pub(crate) state: &'c mut Overlay<'s>,
    /// The block's number.
    pub(crate) block: u32,
    phase: Phase,
    events: Vec<EventRecord<RuntimeEvent, H256>>,
}

impl<'c, 's> Context<'c, 's> {
    pub(crate) fn new(state: &'c mut Overlay<'s>, block: u32) -> Self {
        Self { state, block, phase: Phase::Initialization, events: Vec::new() }
    }

    /// Tells of something.
    pub(crate) fn deposit(&mut self, event: RuntimeEvent) {
        self.events.push(EventRecord { phase: self.phase, event, topics: Vec::new() });
    }

    /// Does all of something or nothing of it, events included.
    pub(crate) fn all_or_nothing<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, DispatchError>,
    ) -> Result<T, DispatchError> {
        let (mark, events) = (self.state.mark(), self.events.len());
        let outcome = act(self);
        if outcome.is_err() {
            self.state.take_back(mark);
            self.events.truncate(events);
        }
        outcome
    }
}

/// Makes all changes of a block. The extrinsics were checked: none of them can stop it.
pub(crate) fn execute(state: &mut Overlay<'_>, number: u32, parent: [u8; 32], now_ms: u64, extrinsics: &[Extrinsic]) {
    begin(state, number, parent);
    let mut context = Context::new(state, number);
    epoch::on_block(&mut context);
    context.phase = Phase::ApplyExtrinsic(0);
    pallet_timestamp::NOW.put(context.state, &(), &now_ms);
    let mandatory = DispatchEventInfo { class: DispatchClass::Mandatory, ..INFO };
    context.deposit(success(mandatory));
    for (index, extrinsic) in (1u32..).zip(extrinsics) {
        context.phase = Phase::ApplyExtrinsic(index);
        frame_system::ACCOUNT.change(context.state, &extrinsic.signer, |account| {
            account.nonce = account.nonce.saturating_add(1);
            account.providers = account.providers.max(1);
        });
        let origin = Origin::Signed(extrinsic.signer);
        let outcome = context.all_or_nothing(|context| dispatch::dispatch(context, origin, &extrinsic.call));
        context.deposit(match outcome {
            Ok(()) => success(INFO),
            Err(dispatch_error) => RuntimeEvent::System(frame_system::pallet::Event::ExtrinsicFailed {
                dispatch_error,
                dispatch_info: INFO,
            }),
        });
    }
    let events = context.events;
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    frame_system::EVENT_COUNT.put(state, &(), &count);
    frame_system::EVENTS.put(state, &(), &events);
    frame_system::EXTRINSIC_COUNT.put(state, &(), &u32::try_from(extrinsics.len() + 1).unwrap_or(u32::MAX));
}

/// Nothing costs anything here.
const INFO: DispatchEventInfo = DispatchEventInfo {
    weight: Weight { ref_time: 0, proof_size: 0 },
    class: DispatchClass::Normal,
    pays_fee: Pays::No,
};

fn success(dispatch_info: DispatchEventInfo) -> RuntimeEvent {
    RuntimeEvent::System(frame_system::pallet::Event::ExtrinsicSuccess { dispatch_info })
}

fn begin(state: &mut Overlay<'_>, number: u32, parent: [u8; 32]) {
    frame_system::NUMBER.put(state, &(), &number);
    frame_system::PARENT_HASH.put(state, &(), &H256(parent));
    frame_system::BLOCK_HASH.put(state, &(number - 1), &H256(parent));
    if let Some(forgotten) = (number - 1).checked_sub(BLOCK_HASH_COUNT) {
        frame_system::BLOCK_HASH.remove(state, &forgotten);
    }
}

/// What subtensor's own extension refuses before the pool: a commit for a round that is already public.
pub(crate) fn check_before_pool(state: &impl Read, call: &RuntimeCall) -> Result<(), Invalid> {
    match call {
        RuntimeCall::SubtensorModule(
            SubtensorCall::commit_timelocked_weights { reveal_round, .. }
            | SubtensorCall::commit_timelocked_mechanism_weights { reveal_round, .. },
        ) if *reveal_round < pallet_drand::LAST_STORED_ROUND.get(state, &()) => {
            Err(Invalid::Custom(INVALID_REVEAL_ROUND))
        }
        _ => Ok(()),
    }
}
