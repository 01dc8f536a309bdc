//! Reading columns by name into the types of the queries.

use sqlx::postgres::PgRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row, Type};

use super::scores::Component;
use crate::error::{Error, Result};

pub(super) struct Columns<'r>(pub(super) &'r PgRow);

impl<'r> Columns<'r> {
    pub(super) fn get<T>(&self, name: &'static str) -> Result<T>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
        &'static str: ColumnIndex<PgRow>,
    {
        self.0.try_get(name).map_err(Error::database("read a column"))
    }

    pub(super) fn number(&self, name: &'static str) -> Result<u64> {
        self.get::<i64>(name).map(i64::unsigned_abs)
    }

    pub(super) fn number_if(&self, name: &'static str) -> Result<Option<u64>> {
        Ok(self.get::<Option<i64>>(name)?.map(i64::unsigned_abs))
    }

    pub(super) fn small(&self, name: &'static str) -> Result<u16> {
        narrow(name, self.get::<i32>(name)?)
    }

    pub(super) fn small_if(&self, name: &'static str) -> Result<Option<u16>> {
        self.get::<Option<i32>>(name)?.map(|value| narrow(name, value)).transpose()
    }

    pub(super) fn attempt(&self) -> Result<u32> {
        let attempt = self.get::<i64>("attempt")?;
        u32::try_from(attempt).map_err(|_| Error::Damaged { what: format!("attempt {attempt}") })
    }

    pub(super) fn components(&self) -> Result<Vec<Component>> {
        let text: Option<&str> = self.get("components")?;
        let damaged = |error: serde_json::Error| Error::Damaged { what: format!("components: {error}") };
        text.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(text).map_err(damaged))
    }

    pub(super) fn hex(&self, name: &'static str) -> Result<String> {
        self.get::<&[u8]>(name).map(hex::encode)
    }
}

fn narrow(name: &'static str, value: i32) -> Result<u16> {
    u16::try_from(value).map_err(|_| Error::Damaged { what: format!("{name} {value}") })
}
