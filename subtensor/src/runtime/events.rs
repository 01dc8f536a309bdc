//! What a block's events say: an extrinsic's outcome and what happened to weights.
//!
//! An outcome is read, never assumed: an extrinsic without an event of its own is an error.

use chain::{ExtrinsicOutcome, WeightEvent};
use domain::types::{NetUid, Uid};
use subxt::SubstrateConfig;
use subxt::config::substrate::H256;
use subxt::events::{Event, Phase};
use subxt::ext::scale_decode::DecodeAsFields;
use subxt::ext::scale_value::{Composite, Primitive, Value, ValueDef, Variant};
use subxt::utils::AccountId32;

use super::{Runtime, SUBTENSOR, digest, hotkey};
use crate::error::Error;

const SYSTEM: &str = "System";

impl Runtime {
    /// What the extrinsic in place `index` of a block did, from the bytes of `System.Events` after it.
    ///
    /// # Errors
    /// [`Error::Decode`] when the events cannot be read or say nothing of it.
    pub fn outcome(&self, events: &[u8], index: u32) -> Result<ExtrinsicOutcome, Error> {
        self.survey_events(events)?;
        let client = self.events_client()?;
        let events = client.events().from_bytes(events.to_vec());
        for event in events.iter() {
            let event = event.map_err(unreadable)?;
            if event.phase() != Phase::ApplyExtrinsic(index) || event.pallet_name() != SYSTEM {
                continue;
            }
            match event.event_name() {
                "ExtrinsicSuccess" => return Ok(ExtrinsicOutcome::Succeeded),
                "ExtrinsicFailed" => {
                    let error = self.dispatch_error(&fields::<Composite<()>>(&event)?);
                    return Ok(ExtrinsicOutcome::Failed { error });
                }
                _ => {}
            }
        }
        Err(Error::decode("System.Events", format!("they do not say what extrinsic {index} did")))
    }

    /// What happened to weights of a subnet, in order.
    ///
    /// # Errors
    /// [`Error::Decode`].
    pub fn weight_events(&self, events: &[u8], netuid: NetUid) -> Result<Vec<WeightEvent>, Error> {
        self.weight_events_in(events, netuid, |_| true)
    }

    /// What the extrinsic in place `index` of a block did to weights of a subnet, in order.
    ///
    /// # Errors
    /// [`Error::Decode`].
    pub fn weight_events_of(&self, events: &[u8], netuid: NetUid, index: u32) -> Result<Vec<WeightEvent>, Error> {
        self.weight_events_in(events, netuid, |phase| phase == Phase::ApplyExtrinsic(index))
    }

    fn weight_events_in(
        &self,
        events: &[u8],
        netuid: NetUid,
        counts: impl Fn(Phase) -> bool,
    ) -> Result<Vec<WeightEvent>, Error> {
        self.survey_events(events)?;
        let client = self.events_client()?;
        let events = client.events().from_bytes(events.to_vec());
        let mut found = Vec::new();
        for event in events.iter() {
            let event = event.map_err(unreadable)?;
            if event.pallet_name() != SUBTENSOR || !counts(event.phase()) {
                continue;
            }
            if let Some((index, make)) = weight_event(&event)? {
                let (of, mechanism) = Self::subnet_of_index(index);
                if of == netuid {
                    found.push(make(mechanism));
                }
            }
        }
        Ok(found)
    }

    /// Events are read one by one as far as they are asked for; no bytes are none.
    fn survey_events(&self, events: &[u8]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let what = || format!("{SYSTEM}.Events");
        let rest = self.survey(what, self.storage_info(SYSTEM, "Events")?.value_id, events)?;
        match rest.len() {
            0 => Ok(()),
            left => Err(Error::decode(what(), format!("{left} bytes are left over"))),
        }
    }

    /// The name of a dispatch error: that of the pallet's error, or the variants' names joined by dots.
    fn dispatch_error(&self, fields: &Composite<()>) -> String {
        let Some(Value { value: ValueDef::Variant(variant), .. }) = fields.values().next() else {
            return format!("unreadable: {fields:?}");
        };
        if variant.name == "Module" {
            return self.module_error(&variant.values).unwrap_or_else(|| format!("unknown: {:?}", variant.values));
        }
        names(variant)
    }

    fn module_error(&self, fields: &Composite<()>) -> Option<String> {
        let mut numbers = Vec::new();
        collect(fields, &mut numbers)?;
        // The pallet's index, then the error's and three bytes of its own.
        let [pallet, error, ..] = numbers[..] else { return None };
        let pallet = self.metadata().pallet_by_error_index(pallet)?;
        Some(pallet.error_variant_by_index(error)?.name.clone())
    }
}

fn names(variant: &Variant<()>) -> String {
    let inner = variant.values.values().next().map(|value| &value.value);
    match inner {
        Some(ValueDef::Variant(inner)) => format!("{}.{}", variant.name, names(inner)),
        _ => variant.name.clone(),
    }
}

fn collect(fields: &Composite<()>, into: &mut Vec<u8>) -> Option<()> {
    for value in fields.values() {
        match &value.value {
            ValueDef::Primitive(Primitive::U128(number)) => into.push(u8::try_from(*number).ok()?),
            ValueDef::Composite(inner) => collect(inner, into)?,
            _ => return None,
        }
    }
    Some(())
}

fn unreadable(error: impl ToString) -> Error {
    Error::decode("System.Events", error)
}

fn fields<T: DecodeAsFields>(event: &Event<'_, SubstrateConfig>) -> Result<T, Error> {
    let what = || format!("event {}.{}", event.pallet_name(), event.event_name());
    event.decode_fields_unchecked_as::<T>().map_err(|error| Error::decode(what(), error))
}

type Made = Box<dyn FnOnce(u8) -> WeightEvent>;

/// The index of subnet and mechanism, and the event once the mechanism is known.
fn weight_event(event: &Event<'_, SubstrateConfig>) -> Result<Option<(u16, Made)>, Error> {
    let made: (u16, Made) = match event.event_name() {
        "WeightsSet" => {
            let (index, uid) = fields::<(u16, u16)>(event)?;
            (index, Box::new(move |mechanism| WeightEvent::Set { mechanism, uid: Uid(uid) }))
        }
        "WeightsCommitted" => {
            let (account, index, hash) = fields::<(AccountId32, u16, H256)>(event)?;
            let (hotkey, hash) = (hotkey(&account), digest(hash.0));
            (index, Box::new(move |mechanism| WeightEvent::Committed { mechanism, hotkey, hash }))
        }
        "WeightsRevealed" => {
            let (account, index, hash) = fields::<(AccountId32, u16, H256)>(event)?;
            let (hotkey, hash) = (hotkey(&account), digest(hash.0));
            (index, Box::new(move |mechanism| WeightEvent::Revealed { mechanism, hotkey, hash }))
        }
        "TimelockedWeightsCommitted" => {
            let (account, index, hash, reveal_round) = fields::<(AccountId32, u16, H256, u64)>(event)?;
            let (hotkey, hash) = (hotkey(&account), digest(hash.0));
            let make = move |mechanism| WeightEvent::TimelockedCommitted { mechanism, hotkey, hash, reveal_round };
            (index, Box::new(make))
        }
        "TimelockedWeightsRevealed" => {
            let (index, account) = fields::<(u16, AccountId32)>(event)?;
            let hotkey = hotkey(&account);
            (index, Box::new(move |mechanism| WeightEvent::TimelockedRevealed { mechanism, hotkey }))
        }
        _ => return Ok(None),
    };
    Ok(Some(made))
}
