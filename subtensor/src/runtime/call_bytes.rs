//! What the bytes of a call mean, in terms of [`chain::Call`]: the inverse of the encoding, for what others have signed.

use chain::Call;
use domain::types::{NetUid, Uid};
use subxt::dynamic::Value;
use subxt::ext::scale_decode::{DecodeAsFields, Field};
use subxt::ext::scale_value::Composite;

use super::arguments::{
    BurnedRegister, CommitTimelocked, CommitWeights, OfMechanism, OfSubnet, RevealWeights, ServeAxon, SetWeights,
};
use super::calls::CallStyle;
use super::{Runtime, SUBTENSOR, address_of, commitment, digest, hotkey};
use crate::error::Error;

/// A call's bytes behind its two indexes.
struct Arguments<'a> {
    runtime: &'a Runtime,
    pallet: u8,
    call: u8,
    bytes: &'a [u8],
}

impl Arguments<'_> {
    fn unknown(&self) -> Error {
        Error::decode("call", format!("there is no call {} of pallet {}", self.call, self.pallet))
    }

    fn names(&self) -> Result<(&str, &str), Error> {
        let pallet = self.runtime.metadata().pallet_by_call_index(self.pallet).ok_or_else(|| self.unknown())?;
        let call = pallet.call_variant_by_index(self.call).ok_or_else(|| self.unknown())?;
        Ok((pallet.name(), call.name.as_str()))
    }

    /// Some or all arguments, found by their names. All bytes must be arguments.
    fn read<T: DecodeAsFields>(&self) -> Result<T, Error> {
        let metadata = self.runtime.metadata();
        let pallet = metadata.pallet_by_call_index(self.pallet).ok_or_else(|| self.unknown())?;
        let call = pallet.call_variant_by_index(self.call).ok_or_else(|| self.unknown())?;
        let mut fields = call.fields.iter().map(|field| Field::new(field.ty.id, field.name.as_deref()));
        let cursor = &mut &self.bytes[..];
        let what = || format!("arguments of {}.{}", pallet.name(), call.name);
        let value =
            T::decode_as_fields(cursor, &mut fields, metadata.types()).map_err(|error| Error::decode(what(), error))?;
        if !cursor.is_empty() {
            return Err(Error::decode(what(), format!("{} bytes are left over", cursor.len())));
        }
        Ok(value)
    }

    fn mechanism(&self) -> Result<u8, Error> {
        Ok(self.read::<OfMechanism>()?.mecid)
    }
}

impl Runtime {
    /// The call that bytes stand for (pallet's index, call's index, arguments); [`None`] for one that [`chain::Call`] does not
    /// have. The style is that of an announced axon, the usual one elsewhere.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are no call of this runtime.
    pub fn decode_call(&self, bytes_of_call: &[u8]) -> Result<Option<(Call, CallStyle)>, Error> {
        let &[pallet, call, ref bytes @ ..] = bytes_of_call else {
            return Err(Error::decode("call", "it has fewer than 2 bytes"));
        };
        self.survey_call(bytes_of_call)?;
        let arguments = Arguments { runtime: self, pallet, call, bytes };
        let (pallet, name) = arguments.names()?;
        if (pallet, name) == (commitment::COMMITMENTS, "set_commitment") {
            return commitment_of(&arguments);
        }
        if pallet != SUBTENSOR {
            return Ok(None);
        }
        let call = match name {
            "set_weights" => set_weights(arguments.read()?, None),
            "set_mechanism_weights" => set_weights(arguments.read()?, Some(arguments.mechanism()?)),
            "commit_weights" => commit_weights(&arguments.read()?, 0),
            "commit_mechanism_weights" => commit_weights(&arguments.read()?, arguments.mechanism()?),
            "reveal_weights" => reveal_weights(arguments.read()?, 0),
            "reveal_mechanism_weights" => reveal_weights(arguments.read()?, arguments.mechanism()?),
            "commit_timelocked_weights" => timelocked(arguments.read()?, None),
            "commit_timelocked_mechanism_weights" => timelocked(arguments.read()?, Some(arguments.mechanism()?)),
            "burned_register" => {
                let BurnedRegister { netuid, hotkey: account } = arguments.read()?;
                Call::BurnedRegister { netuid: NetUid(netuid), hotkey: hotkey(&account) }
            }
            "serve_axon" => return Ok(serve_axon(&arguments.read()?)),
            _ => return Ok(None),
        };
        Ok(Some((call, CallStyle::default())))
    }

    /// Whether bytes begin with a call of this runtime; calls may hold calls, to a depth. Gives what follows it.
    pub(super) fn survey_call<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
        self.survey(|| "call".to_owned(), self.metadata().outer_enums().call_enum_ty(), bytes)
    }
}

fn slots(uids: Vec<u16>) -> Vec<Uid> {
    uids.into_iter().map(Uid).collect()
}

fn set_weights(arguments: SetWeights, mechanism: Option<u8>) -> Call {
    let SetWeights { netuid, dests, weights, version_key } = arguments;
    let (netuid, uids) = (NetUid(netuid), slots(dests));
    match mechanism {
        None => Call::SetWeights { netuid, uids, weights, version_key },
        Some(mechanism) => Call::SetMechanismWeights { netuid, mechanism, uids, weights, version_key },
    }
}

fn commit_weights(arguments: &CommitWeights, mechanism: u8) -> Call {
    Call::CommitWeights { netuid: NetUid(arguments.netuid), mechanism, hash: digest(arguments.commit_hash.0) }
}

fn reveal_weights(arguments: RevealWeights, mechanism: u8) -> Call {
    let RevealWeights { netuid, uids, values, salt, version_key } = arguments;
    Call::RevealWeights { netuid: NetUid(netuid), mechanism, uids: slots(uids), weights: values, salt, version_key }
}

fn timelocked(arguments: CommitTimelocked, mechanism: Option<u8>) -> Call {
    let CommitTimelocked { netuid, commit, reveal_round, commit_reveal_version } = arguments;
    let netuid = NetUid(netuid);
    match mechanism {
        None => Call::CommitTimelockedWeights { netuid, commit, reveal_round, commit_reveal_version },
        Some(mechanism) => {
            Call::CommitTimelockedMechanismWeights { netuid, mechanism, commit, reveal_round, commit_reveal_version }
        }
    }
}

/// [`None`] for an address that is none, and for placeholders that are used: [`Call`] cannot say them.
fn serve_axon(arguments: &ServeAxon) -> Option<(Call, CallStyle)> {
    let ServeAxon { netuid, version, ip, port, ip_type, protocol, placeholder1, placeholder2 } = *arguments;
    if (placeholder1, placeholder2) != (0, 0) {
        return None;
    }
    let call = Call::ServeAxon { netuid: NetUid(netuid), ip: address_of(ip, ip_type)?, port };
    Some((call, CallStyle { axon_version: version, axon_protocol: protocol }))
}

fn commitment_of(arguments: &Arguments<'_>) -> Result<Option<(Call, CallStyle)>, Error> {
    let netuid = NetUid(arguments.read::<OfSubnet>()?.netuid);
    let Composite::Named(values) = arguments.read::<Composite<()>>()? else { return Ok(None) };
    let information: Option<Value> = values.into_iter().find(|(name, _)| name == "info").map(|(_, value)| value);
    let data = information.as_ref().and_then(commitment::bytes_of_information);
    Ok(data.map(|data| (Call::SetCommitment { netuid, data }, CallStyle::default())))
}
