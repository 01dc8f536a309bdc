//! Slots of the metagraph with the interval in which they held, and what availability sweeps found.

use std::collections::BTreeMap;

use domain::events::{AvailabilitySwept, MetagraphObserved, Neuron};
use sqlx::PgConnection;

use super::{At, failed, text};
use crate::error::Result;

/// Ends the slots that changed and begins the new ones. The block of the last update is no state of the slot.
pub(super) async fn observed(connection: &mut PgConnection, at: &At<'_>, observed: &MetagraphObserved) -> Result<()> {
    // As in the metagraph's own fold, the last mention of a slot counts.
    let neurons: BTreeMap<u16, &Neuron> = observed.neurons.iter().map(|neuron| (neuron.uid.0, neuron)).collect();
    let neurons: Vec<&Neuron> = neurons.into_values().collect();
    let removed: Vec<i32> = observed.removed.iter().map(|uid| i32::from(uid.0)).collect();
    let uids: Vec<i32> = neurons.iter().map(|neuron| i32::from(neuron.uid.0)).collect();
    let hotkeys: Vec<&str> = neurons.iter().map(|neuron| neuron.hotkey.as_str()).collect();
    let coldkeys: Vec<&str> = neurons.iter().map(|neuron| neuron.coldkey.as_str()).collect();
    let ips: Vec<String> = neurons.iter().map(|neuron| text(&neuron.ip)).collect();
    let ports: Vec<i32> = neurons.iter().map(|neuron| i32::from(neuron.port)).collect();
    let stakes: Vec<String> = neurons.iter().map(|neuron| neuron.stake.to_string()).collect();
    let permits: Vec<bool> = neurons.iter().map(|neuron| neuron.validator_permit).collect();
    sqlx::query(
        "UPDATE slots held SET to_position = $2
          WHERE held.ledger_id = $1 AND held.to_position IS NULL
            AND (held.uid = ANY ($10) OR ($11 AND held.uid <> ALL ($3)) OR EXISTS (
                SELECT 1 FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::boolean[])
                              AS seen (uid, hotkey, coldkey, ip, port, stake, permit)
                 WHERE seen.uid = held.uid
                   AND (seen.hotkey, seen.coldkey, seen.ip, seen.port, seen.stake, seen.permit)
                       <> (held.hotkey, held.coldkey, held.ip, held.port, held.stake, held.validator_permit)))",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(&uids)
    .bind(&hotkeys)
    .bind(&coldkeys)
    .bind(&ips)
    .bind(&ports)
    .bind(&stakes)
    .bind(&permits)
    .bind(&removed)
    .bind(observed.full)
    .execute(&mut *connection)
    .await
    .map_err(failed("end slots"))?;
    sqlx::query(
        "INSERT INTO slots (ledger_id, from_position, uid, hotkey, coldkey, ip, port, stake, validator_permit)
         SELECT $1, $2, seen.* FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[],
                                           $9::boolean[]) AS seen (uid, hotkey, coldkey, ip, port, stake, permit)
          WHERE NOT EXISTS (SELECT 1 FROM slots held
                             WHERE held.ledger_id = $1 AND held.uid = seen.uid AND held.to_position IS NULL)",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(&uids)
    .bind(&hotkeys)
    .bind(&coldkeys)
    .bind(&ips)
    .bind(&ports)
    .bind(&stakes)
    .bind(&permits)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("begin slots"))
}

pub(super) async fn swept(connection: &mut PgConnection, at: &At<'_>, swept: &AvailabilitySwept) -> Result<()> {
    let probes = &swept.probes;
    sqlx::query(
        "INSERT INTO availability (ledger_id, position, recorded_at, hotkey, available, reason, latency_ms)
         SELECT $1, $2, $3, * FROM unnest($4::text[], $5::boolean[], $6::text[], $7::bigint[])
         ON CONFLICT (ledger_id, hotkey, position) DO NOTHING",
    )
    .bind(at.ledger)
    .bind(at.position())
    .bind(at.recorded_at())
    .bind(probes.iter().map(|probe| probe.hotkey.as_str()).collect::<Vec<_>>())
    .bind(probes.iter().map(|probe| probe.available).collect::<Vec<_>>())
    .bind(probes.iter().map(|probe| text(&probe.reason)).collect::<Vec<_>>())
    .bind(probes.iter().map(|probe| i64::from(probe.latency_ms)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("write availability"))
}
