//! What a batch must know before it is built: versions of streams not seen yet, and keys used before.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, Row};
use tlog::Hash;

use crate::appender::sealed::Request;
use crate::appender::versions::{Versions, name};
use crate::event::Appended;

/// An append that was made with a key before.
#[derive(Debug)]
pub(crate) struct KnownKey {
    pub(crate) request_hash: [u8; 32],
    pub(crate) appended: Appended,
}

/// Keys of the batch that are in the ledger.
pub(crate) type KnownKeys = HashMap<String, KnownKey>;

/// Fills `versions` with every stream that the requests write or expect: one statement, none when all are known.
pub(crate) async fn versions(
    connection: &mut PgConnection,
    ledger_id: i64,
    requests: &[Request],
    versions: &mut Versions,
) -> Result<(), sqlx::Error> {
    let mut missing = BTreeSet::new();
    let mut note = |stream_type: &str, stream_id: &str| {
        let name = name(stream_type, stream_id);
        match versions.get(&name) {
            // Put again, so that an entry of the older generation is not forgotten before the batch is built.
            Some(version) => versions.put(name, version),
            None => drop(missing.insert(name)),
        }
    };
    for unit in requests.iter().map(|request| &request.unit) {
        unit.events.iter().for_each(|event| note(&event.stream_type, &event.stream_id));
        unit.expected.iter().for_each(|expected| note(&expected.stream_type, &expected.stream_id));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let parts = || missing.iter().map(|name| name.split_once('\0').unwrap_or_default());
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT coalesce(s.version, 0)
           FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS wanted (t, i, n)
           LEFT JOIN ledger.streams s ON s.ledger_id = $1 AND s.stream_type = wanted.t AND s.stream_id = wanted.i
          ORDER BY wanted.n",
    )
    .bind(ledger_id)
    .bind(parts().map(|(stream_type, _)| stream_type).collect::<Vec<_>>())
    .bind(parts().map(|(_, stream_id)| stream_id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    if rows.len() != missing.len() {
        return Err(sqlx::Error::Protocol(format!("asked for {} streams, got {}", missing.len(), rows.len())));
    }
    for (name, version) in missing.into_iter().zip(rows) {
        versions.put(name, version.unsigned_abs());
    }
    Ok(())
}

/// The earlier appends with the requests' keys; no statement when no request has one.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    ledger_id: i64,
    requests: &[Request],
) -> Result<KnownKeys, sqlx::Error> {
    let keys: Vec<&str> = requests.iter().filter_map(|request| request.unit.idempotency_key.as_deref()).collect();
    if keys.is_empty() {
        return Ok(KnownKeys::new());
    }
    let rows = sqlx::query(
        "SELECT i.key, i.request_hash, i.first_position, i.last_position, min(e.recorded_at),
                array_agg(e.leaf_hash ORDER BY e.position)
           FROM ledger.idempotency i
           JOIN ledger.events e ON e.ledger_id = i.ledger_id AND e.position BETWEEN i.first_position AND i.last_position
          WHERE i.ledger_id = $1 AND e.ledger_id = $1 AND i.key = ANY ($2)
          GROUP BY i.ledger_id, i.key",
    )
    .bind(ledger_id)
    .bind(keys)
    .fetch_all(connection)
    .await?;
    let mut known = KnownKeys::new();
    for row in rows {
        let leaf_hashes: Vec<[u8; 32]> = row.try_get(5)?;
        let appended = Appended {
            first: row.try_get::<i64, _>(2)?.unsigned_abs(),
            last: row.try_get::<i64, _>(3)?.unsigned_abs(),
            recorded_at: row.try_get::<i64, _>(4)?.unsigned_abs(),
            leaf_hashes: leaf_hashes.into_iter().map(Hash).collect(),
            repeated: true,
        };
        known.insert(row.try_get(0)?, KnownKey { request_hash: row.try_get(1)?, appended });
    }
    Ok(known)
}
