//! The commitments pallet: bytes that a hotkey lets stand on chain, here an anchor of its ledger.
//!
//! A commitment is a list of fields of type `Data`, whose variants `Raw0` to `Raw128` hold as many bytes. An anchor is the only
//! field. Of what others committed, the first field of raw bytes is read.

use chain::Anchor;
use domain::types::BlockNumber;
use subxt::dynamic::Value;
use subxt::ext::scale_value::{Composite, Primitive, ValueDef};

use super::Runtime;
use crate::error::Error;

/// The pallet's name.
pub(crate) const COMMITMENTS: &str = "Commitments";
/// The storage entry's name.
pub(crate) const COMMITMENT_OF: &str = "CommitmentOf";
/// The longest raw field.
const MAXIMUM_FIELD: usize = 128;

/// `CommitmentInfo` with one raw field.
///
/// # Errors
/// [`Error::Encode`] for more than 128 bytes.
pub(crate) fn information(data: &[u8]) -> Result<Value, Error> {
    if data.len() > MAXIMUM_FIELD {
        let reason = format!("{} bytes are more than {MAXIMUM_FIELD}", data.len());
        return Err(Error::encode("commitment", reason));
    }
    let field = Value::unnamed_variant(format!("Raw{}", data.len()), [Value::from_bytes(data)]);
    // Around the fields stand a list and its bound.
    let fields = Value::unnamed_composite([Value::unnamed_composite([field])]);
    Ok(Value::named_composite([("fields", fields)]))
}

/// The bytes of the first raw field of a `CommitmentInfo`.
pub(crate) fn bytes_of_information<T>(information: &Value<T>) -> Option<Vec<u8>> {
    let mut fields = member(information, "fields")?;
    // Down through the bound and the list to the first variant that holds raw bytes.
    loop {
        match &fields.value {
            ValueDef::Composite(inner) => {
                let raw = inner.values().find(|value| is_raw(value));
                fields = raw.or_else(|| inner.values().next())?;
            }
            ValueDef::Variant(variant) if is_raw(fields) => return bytes(&variant.values),
            _ => return None,
        }
    }
}

fn is_raw<T>(value: &Value<T>) -> bool {
    match &value.value {
        ValueDef::Variant(variant) => {
            let length = variant.name.strip_prefix("Raw");
            variant.name == "BigRaw" || length.is_some_and(|length| length.parse::<u8>().is_ok())
        }
        _ => false,
    }
}

fn member<'a, T>(value: &'a Value<T>, name: &str) -> Option<&'a Value<T>> {
    match &value.value {
        ValueDef::Composite(Composite::Named(members)) => {
            members.iter().find(|(found, _)| found == name).map(|(_, value)| value)
        }
        _ => None,
    }
}

/// All bytes below: an array is a composite of numbers, a bounded vector a composite around one.
fn bytes<T>(values: &Composite<T>) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    for value in values.values() {
        match &value.value {
            ValueDef::Primitive(Primitive::U128(number)) => found.push(u8::try_from(*number).ok()?),
            ValueDef::Composite(inner) => found.extend(bytes(inner)?),
            _ => return None,
        }
    }
    Some(found)
}

impl Runtime {
    /// The anchor in the bytes of `Commitments.CommitmentOf`; [`None`] when no field of it is raw bytes.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Decode`].
    pub fn anchor(&self, stored: &[u8]) -> Result<Option<Anchor>, Error> {
        let Some(registration) = self.storage_value::<Value>(COMMITMENTS, COMMITMENT_OF, Some(stored))? else {
            return Ok(None);
        };
        let malformed = |field| Error::decode(format!("{COMMITMENTS}.{COMMITMENT_OF}"), format!("it has no {field}"));
        let block = member(&registration, "block").and_then(unsigned).ok_or_else(|| malformed("block"))?;
        let information = member(&registration, "info").ok_or_else(|| malformed("info"))?;
        Ok(bytes_of_information(information).map(|data| Anchor { block: BlockNumber(block), data }))
    }
}

fn unsigned<T>(value: &Value<T>) -> Option<u64> {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(number)) => u64::try_from(*number).ok(),
        _ => None,
    }
}
