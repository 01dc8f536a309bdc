//! Puts made logs into a database as they are: the ledger's own append would give them other salts and times, and what
//! follows from those would no longer be what the log says.

use audit::Recorded;
use ledger::{LedgerReader, ledger_id};
use sqlx::{Connection, PgConnection};
use tlog::Frontier;

/// Bytes of payloads in one statement.
const BATCH: usize = 4 << 20;

/// A ledger that is being filled, in a superuser's session.
pub(crate) struct Filling {
    connection: PgConnection,
    origin: String,
    frontier: Frontier,
    recorded_at: u64,
    batch: Vec<Recorded>,
    bytes: usize,
}

impl Filling {
    pub(crate) async fn begin(url: &str, origin: &str) -> Self {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let id = ledger_id(origin);
        sqlx::query("SELECT ledger.create_ledger($1, $2)")
            .bind(id)
            .bind(origin)
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::query("SELECT ledger.ensure_segment($1, 0)").bind(id).execute(&mut connection).await.unwrap();
        let (frontier, batch) = (Frontier::new(), Vec::new());
        Self { connection, origin: origin.to_owned(), frontier, recorded_at: 0, batch, bytes: 0 }
    }

    pub(crate) async fn push(&mut self, recorded: Recorded) {
        self.frontier.append(recorded.leaf_hash);
        self.recorded_at = recorded.recorded_at;
        self.bytes += recorded.bytes();
        self.batch.push(recorded);
        if self.bytes >= BATCH {
            self.write().await;
        }
    }

    async fn write(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let signed = |of: fn(&Recorded) -> u64| -> Vec<i64> {
            batch.iter().map(|recorded| i64::try_from(of(recorded)).unwrap()).collect()
        };
        let bytes = |of: fn(&Recorded) -> Option<&[u8]>| -> Vec<Option<&[u8]>> { batch.iter().map(of).collect() };
        let words = |of: fn(&Recorded) -> &str| -> Vec<&str> { batch.iter().map(of).collect() };
        let statement = "INSERT INTO ledger.events (ledger_id, position, recorded_at, block, sequence, cause, version,
                payload_length, stream_type, stream_id, kind, leaf_hash, commitment, salt, payload)
            SELECT $1, p, r, b, s, c, v, l, st, si, k, lh, co, sa, pa
              FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[], $8::int[], $9::text[],
                          $10::text[], $11::text[], $12::bytea[], $13::bytea[], $14::bytea[], $15::bytea[])
                AS t (p, r, b, s, c, v, l, st, si, k, lh, co, sa, pa)";
        sqlx::query(statement)
            .bind(ledger_id(&self.origin))
            .bind(signed(|recorded| recorded.position))
            .bind(signed(|recorded| recorded.recorded_at))
            .bind(signed(|recorded| recorded.block))
            .bind(signed(|recorded| recorded.sequence))
            .bind(signed(|recorded| recorded.cause))
            .bind(batch.iter().map(|recorded| i32::from(recorded.version)).collect::<Vec<_>>())
            .bind(batch.iter().map(|recorded| recorded.payload_length as i32).collect::<Vec<_>>())
            .bind(words(|recorded| &recorded.stream_type))
            .bind(words(|recorded| &recorded.stream_id))
            .bind(words(|recorded| &recorded.kind))
            .bind(bytes(|recorded| Some(&recorded.leaf_hash.0)))
            .bind(bytes(|recorded| Some(&recorded.commitment)))
            .bind(bytes(|recorded| recorded.salt.as_ref().map(<[u8; 32]>::as_slice)))
            .bind(bytes(|recorded| recorded.payload.as_deref()))
            .execute(&mut self.connection)
            .await
            .unwrap();
    }

    /// Writes streams and head, and gives the server what it needs to know for its plans.
    pub(crate) async fn finish(mut self, url: &str) -> LedgerReader {
        self.write().await;
        let id = ledger_id(&self.origin);
        let streams =
            "INSERT INTO ledger.streams (ledger_id, stream_type, stream_id, version, first_position, last_position)
            SELECT ledger_id, stream_type, stream_id, max(sequence), min(position), max(position)
              FROM ledger.events WHERE ledger_id = $1 GROUP BY 1, 2, 3";
        sqlx::query(streams).bind(id).execute(&mut self.connection).await.unwrap();
        sqlx::query("UPDATE ledger.ledgers SET size = $2, frontier = $3, recorded_at = $4 WHERE ledger_id = $1")
            .bind(id)
            .bind(i64::try_from(self.frontier.size()).unwrap())
            .bind(self.frontier.to_bytes())
            .bind(i64::try_from(self.recorded_at).unwrap())
            .execute(&mut self.connection)
            .await
            .unwrap();
        sqlx::query("VACUUM (ANALYZE) ledger.events").execute(&mut self.connection).await.unwrap();
        self.connection.close().await.unwrap();
        LedgerReader::open(url, &self.origin).await.unwrap()
    }
}

/// Bytes on disk of a ledger's events: heap, out-of-line values and indexes.
pub(crate) async fn size_on_disk(url: &str, origin: &str) -> u64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let size: i64 = sqlx::query_scalar(
        "SELECT sum(pg_total_relation_size(relid))::bigint
           FROM pg_partition_tree(format('ledger.events_%s', lpad(to_hex($1::bigint), 16, '0'))::regclass)",
    )
    .bind(ledger_id(origin))
    .fetch_one(&mut connection)
    .await
    .unwrap();
    size as u64
}

/// Gives a ledger's data back to the disk.
pub(crate) async fn discard(url: &str, origin: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let drop = format!("DROP TABLE ledger.\"events_{:016x}\"", ledger_id(origin));
    sqlx::query(&drop).execute(&mut connection).await.unwrap();
    for table in ["streams", "ledgers"] {
        let delete = format!("DELETE FROM ledger.{table} WHERE ledger_id = $1");
        sqlx::query(&delete).bind(ledger_id(origin)).execute(&mut connection).await.unwrap();
    }
}
