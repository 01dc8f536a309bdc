//! Calls of ours as calls of the present runtime.
//!
//! Argument names and indexes come from the metadata: arguments are matched by name. Where a runtime does not have the call
//! for mechanisms yet, mechanism 0 is addressed by the call without one, which means the same.

use std::net::IpAddr;

use chain::Call;
use domain::types::{NetUid, Uid};
use subxt::dynamic::Value;
use subxt::ext::scale_value::Composite;
use subxt::tx::DynamicPayload;

use super::{Runtime, SUBTENSOR, account, commitment};
use crate::error::Error;

/// A payload whose arguments have names.
pub(crate) type Payload = DynamicPayload<Composite<()>>;

/// The largest ciphertext of a timelocked commit.
const MAXIMUM_COMMIT: usize = 5000;

/// What a call on the wire has and [`chain::Call`] does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallStyle {
    /// The version of the software behind an axon, in the SDK's way of counting (major · 10⁶ + minor · 10³ + patch).
    pub axon_version: u32,
    /// The axon's protocol; the SDK sends 4.
    pub axon_protocol: u8,
}

impl Default for CallStyle {
    /// As SDK 10.5.0 announces.
    fn default() -> Self {
        Self { axon_version: 10_005_000, axon_protocol: 4 }
    }
}

fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

fn numbers<T: Copy + Into<u128>>(values: &[T]) -> Value {
    Value::unnamed_composite(values.iter().map(|value| Value::u128((*value).into())))
}

fn slots(uids: &[Uid]) -> Value {
    Value::unnamed_composite(uids.iter().map(|uid| number(uid.0)))
}

impl Runtime {
    /// The payload of a call.
    ///
    /// # Errors
    /// [`Error::Missing`] when the runtime does not have it, [`Error::Encode`] when a value can stand in no call.
    pub(crate) fn payload(&self, call: &Call, style: CallStyle) -> Result<Payload, Error> {
        let (pallet, name, arguments) = self.named(call, style)?;
        if !self.has_call(pallet, name) {
            return Err(self.missing(format!("call {pallet}.{name}")));
        }
        Ok(subxt::dynamic::tx(pallet, name, Composite::Named(own(arguments))))
    }

    /// Pallet, name and arguments of a call in this runtime.
    fn named(&self, call: &Call, style: CallStyle) -> Result<Named, Error> {
        let of = |name, arguments| Ok((SUBTENSOR, name, arguments));
        match call {
            Call::SetWeights { netuid, uids, weights, version_key } => of(
                "set_weights",
                vec![
                    ("netuid", number(netuid.0)),
                    ("dests", slots(uids)),
                    ("weights", numbers(weights)),
                    ("version_key", number(*version_key)),
                ],
            ),
            Call::SetMechanismWeights { netuid, mechanism, uids, weights, version_key } => self.of_mechanism(
                ("set_mechanism_weights", "set_weights"),
                (*netuid, *mechanism),
                vec![("dests", slots(uids)), ("weights", numbers(weights)), ("version_key", number(*version_key))],
            ),
            Call::CommitWeights { netuid, mechanism, hash } => self.plain_for_first(
                ("commit_mechanism_weights", "commit_weights"),
                (*netuid, *mechanism),
                vec![("commit_hash", Value::from_bytes(hash.0))],
            ),
            Call::RevealWeights { netuid, mechanism, uids, weights, salt, version_key } => self.plain_for_first(
                ("reveal_mechanism_weights", "reveal_weights"),
                (*netuid, *mechanism),
                vec![
                    ("uids", slots(uids)),
                    ("values", numbers(weights)),
                    ("salt", numbers(salt)),
                    ("version_key", number(*version_key)),
                ],
            ),
            Call::CommitTimelockedWeights { netuid, commit, reveal_round, commit_reveal_version } => {
                let mut arguments = vec![("netuid", number(netuid.0))];
                arguments.extend(timelocked(commit, *reveal_round, *commit_reveal_version)?);
                of("commit_timelocked_weights", arguments)
            }
            Call::CommitTimelockedMechanismWeights {
                netuid,
                mechanism,
                commit,
                reveal_round,
                commit_reveal_version,
            } => self.of_mechanism(
                ("commit_timelocked_mechanism_weights", "commit_timelocked_weights"),
                (*netuid, *mechanism),
                timelocked(commit, *reveal_round, *commit_reveal_version)?,
            ),
            Call::SetCommitment { netuid, data } => {
                let arguments = vec![("netuid", number(netuid.0)), ("info", commitment::information(data)?)];
                Ok((commitment::COMMITMENTS, "set_commitment", arguments))
            }
            Call::BurnedRegister { netuid, hotkey } => of(
                "burned_register",
                vec![("netuid", number(netuid.0)), ("hotkey", Value::from_bytes(account(hotkey)?.0))],
            ),
            Call::ServeAxon { netuid, ip, port } => of("serve_axon", announcement(*netuid, *ip, *port, style)),
            other => Err(self.missing(format!("call for {other:?}"))),
        }
    }

    /// The call with a mechanism where the runtime has it; else, for mechanism 0, the one without.
    fn of_mechanism(
        &self,
        (with, without): (&'static str, &'static str),
        (netuid, mechanism): (NetUid, u8),
        arguments: Vec<(&'static str, Value)>,
    ) -> Result<Named, Error> {
        let has = self.has_call(SUBTENSOR, with) || mechanism != 0;
        Ok(addressed(if has { with } else { without }, has, netuid, mechanism, arguments))
    }

    /// The call without a mechanism for mechanism 0, else the one with.
    fn plain_for_first(
        &self,
        (with, without): (&'static str, &'static str),
        (netuid, mechanism): (NetUid, u8),
        arguments: Vec<(&'static str, Value)>,
    ) -> Result<Named, Error> {
        let has = mechanism != 0;
        Ok(addressed(if has { with } else { without }, has, netuid, mechanism, arguments))
    }
}

type Named = (&'static str, &'static str, Vec<(&'static str, Value)>);

fn own(arguments: Vec<(&'static str, Value)>) -> Vec<(String, Value)> {
    arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn addressed(
    name: &'static str,
    with_mechanism: bool,
    netuid: NetUid,
    mechanism: u8,
    arguments: Vec<(&'static str, Value)>,
) -> Named {
    let mut all = vec![("netuid", number(netuid.0))];
    if with_mechanism {
        all.push(("mecid", number(mechanism)));
    }
    all.extend(arguments);
    (SUBTENSOR, name, all)
}

fn timelocked(commit: &[u8], reveal_round: u64, version: u16) -> Result<Vec<(&'static str, Value)>, Error> {
    if commit.len() > MAXIMUM_COMMIT {
        return Err(Error::encode("commit", format!("{} bytes are more than {MAXIMUM_COMMIT}", commit.len())));
    }
    Ok(vec![
        ("commit", Value::unnamed_composite([Value::from_bytes(commit)])),
        ("reveal_round", number(reveal_round)),
        ("commit_reveal_version", number(version)),
    ])
}

fn announcement(netuid: NetUid, ip: IpAddr, port: u16, style: CallStyle) -> Vec<(&'static str, Value)> {
    let (address, ip_type) = match ip {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 4u8),
        IpAddr::V6(address) => (address.to_bits(), 6),
    };
    vec![
        ("netuid", number(netuid.0)),
        ("version", number(style.axon_version)),
        ("ip", number(address)),
        ("port", number(port)),
        ("ip_type", number(ip_type)),
        ("protocol", number(style.axon_protocol)),
        ("placeholder1", number(0u8)),
        ("placeholder2", number(0u8)),
    ]
}
