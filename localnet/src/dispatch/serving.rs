//! What a hotkey announces: its axon, its metrics, bytes of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Outcome, Subtensor};
use crate::execution::Context;
use crate::runtime::bounded_collections::bounded_vec::BoundedVec;
use crate::runtime::constants::MAXIMUM_FIELDS;
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_commitments::types::{CommitmentInfo, Registration};
use crate::runtime::pallet_commitments::{self, pallet as commitments};
use crate::runtime::pallet_development::ALLOW_LOOPBACK_AXONS;
use crate::runtime::pallet_subtensor::pallet::{AxonInfo, Error, Event, NeuronCertificate, PrometheusInfo};
use crate::runtime::pallet_subtensor::storage as s;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::schedule::epoch_index;

/// A commitment counts as at least this many bytes.
const LEAST_SPACE: u64 = 100;
/// An algorithm's byte and a key of at most 64 bytes.
const LONGEST_CERTIFICATE: usize = 65;

/// `serve_axon` and `serve_axon_tls`.
pub(super) fn serve_axon(context: &mut Context<'_, '_>, signer: AccountId32, call: &Subtensor) -> Outcome {
    let (Subtensor::serve_axon { netuid, version, ip, port, ip_type, protocol, placeholder1, placeholder2 }
    | Subtensor::serve_axon_tls {
        netuid, version, ip, port, ip_type, protocol, placeholder1, placeholder2, ..
    }) = call
    else {
        return Ok(());
    };
    let netuid = *netuid;
    check_address(context, signer, netuid, *ip, *ip_type)?;
    if *port == 0 {
        return Err(Error::InvalidPort.into());
    }
    let block = u64::from(context.block);
    let before = s::AXONS.find(context.state, &(netuid, signer)).map(|axon| axon.block);
    check_rate(context, netuid, before)?;
    if let Subtensor::serve_axon_tls { certificate, .. } = call
        && let Some((algorithm, public_key)) = certificate.split_first()
        && certificate.len() <= LONGEST_CERTIFICATE
        && !public_key.is_empty()
    {
        let certificate = NeuronCertificate { public_key: BoundedVec(public_key.to_vec()), algorithm: *algorithm };
        s::NEURON_CERTIFICATES.put(context.state, &(netuid, signer), &certificate);
    }
    let axon = AxonInfo {
        block,
        version: *version,
        ip: *ip,
        port: *port,
        ip_type: *ip_type,
        protocol: *protocol,
        placeholder1: *placeholder1,
        placeholder2: *placeholder2,
    };
    s::AXONS.put(context.state, &(netuid, signer), &axon);
    context.deposit(RuntimeEvent::SubtensorModule(Event::AxonServed(netuid, signer)));
    Ok(())
}

/// `serve_prometheus`.
pub(super) fn serve_prometheus(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    version: u32,
    ip: u128,
    port: u16,
    ip_type: u8,
) -> Outcome {
    check_address(context, signer, netuid, ip, ip_type)?;
    if port == 0 {
        return Err(Error::InvalidPort.into());
    }
    let before = s::PROMETHEUS.find(context.state, &(netuid, signer)).map(|prometheus| prometheus.block);
    check_rate(context, netuid, before)?;
    let prometheus = PrometheusInfo { block: u64::from(context.block), version, ip, port, ip_type };
    s::PROMETHEUS.put(context.state, &(netuid, signer), &prometheus);
    context.deposit(RuntimeEvent::SubtensorModule(Event::PrometheusServed(netuid, signer)));
    Ok(())
}

fn check_address(
    context: &Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    ip: u128,
    ip_type: u8,
) -> Result<(), Error> {
    if s::UIDS.find(context.state, &(netuid, signer)).is_none() {
        return Err(Error::HotKeyNotRegisteredInNetwork);
    }
    let allow_loopback = ALLOW_LOOPBACK_AXONS.get(context.state, &());
    let valid = match ip_type {
        4 => {
            let loopback = ip == u128::from(Ipv4Addr::LOCALHOST.to_bits());
            ip < u128::from(Ipv4Addr::BROADCAST.to_bits()) && (allow_loopback || !loopback)
        }
        6 => ip < u128::MAX && (allow_loopback || ip != Ipv6Addr::LOCALHOST.to_bits()),
        _ => return Err(Error::InvalidIpType),
    };
    if valid { Ok(()) } else { Err(Error::InvalidIpAddress) }
}

fn check_rate(context: &Context<'_, '_>, netuid: u16, before: Option<u64>) -> Result<(), Error> {
    let limit = s::SERVING_RATE_LIMIT.get(context.state, &netuid);
    // Block 0 stands for "never": axons of genesis were announced by nobody.
    let too_fast = |before: &u64| *before != 0 && u64::from(context.block).saturating_sub(*before) < limit;
    if before.as_ref().is_some_and(too_fast) { Err(Error::ServingRateLimitExceeded) } else { Ok(()) }
}

/// `Commitments.set_commitment`: it stands until the next.
pub(super) fn set_commitment(
    context: &mut Context<'_, '_>,
    signer: AccountId32,
    netuid: u16,
    info: &CommitmentInfo,
) -> Outcome {
    let key = (netuid, signer);
    if s::UIDS.find(context.state, &key).is_none() {
        return Err(commitments::Error::AccountNotAllowedCommit.into());
    }
    if info.fields.0.len() > MAXIMUM_FIELDS as usize {
        return Err(commitments::Error::TooManyFieldsInCommitmentInfo.into());
    }
    let bytes: usize = info.fields.0.iter().map(|field| field.length()).sum();
    let epoch = epoch_index(context.state, netuid, u64::from(context.block));
    let mut usage = pallet_commitments::USED_SPACE_OF.find(context.state, &key).unwrap_or_default();
    if usage.last_epoch != epoch {
        (usage.last_epoch, usage.used_space) = (epoch, 0);
    }
    usage.used_space = usage.used_space.saturating_add((bytes as u64).max(LEAST_SPACE));
    if usage.used_space > u64::from(pallet_commitments::MAX_SPACE.get(context.state, &())) {
        return Err(commitments::Error::SpaceLimitExceeded.into());
    }
    pallet_commitments::USED_SPACE_OF.put(context.state, &key, &usage);
    pallet_commitments::LAST_COMMITMENT.put(context.state, &key, &context.block);
    let registration = Registration { deposit: 0, block: context.block, info: info.clone() };
    pallet_commitments::COMMITMENT_OF.put(context.state, &key, &registration);
    context.deposit(RuntimeEvent::Commitments(commitments::Event::Commitment { netuid, who: signer }));
    Ok(())
}
