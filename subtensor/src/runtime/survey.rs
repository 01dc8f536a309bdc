//! Goes through the bytes of a value as its type says, and keeps nothing.
//!
//! Types come from the node, and so do values: a type may hold itself, a call holds calls, and a list says how long it is. The
//! decoders behind this crate follow a type by calling themselves, and some make room for as many items as a list says it has. So
//! whatever a node answers is surveyed first, without recursion and without memory to speak of: afterwards it is known that a
//! value's depth is bounded and that its items are there.

use scale_info::form::{Form, PortableForm};
use scale_info::{Field, PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::ext::codec::{Compact, Decode};

use crate::error::Error;

/// How deep a value may be nested. A call within a call takes three levels (the runtime's call, the pallet's, the list), and what
/// calls hold takes a few: that is a batch of batches some 18 deep. The chain takes up to 256, which nobody needs for weights.
const MAXIMUM_DEPTH: usize = 64;
/// Steps that a byte of a value may cost: a byte within a few wrappers that have none of their own.
const STEPS_PER_BYTE: usize = 64;
/// Steps that a value without bytes may cost.
const FREE_STEPS: usize = 1 << 16;

/// The types in a registry, each of which ends.
///
/// # Errors
/// [`Error::Metadata`] names a type that holds itself, or too many within each other, with no choice and no length between them:
/// what is written by such a type, or told to skip one, never ends.
pub(super) fn check_types(types: &PortableRegistry) -> Result<(), Error> {
    let mut ends = vec![false; types.types.len()];
    for _ in 0..MAXIMUM_DEPTH {
        // One level more in each round.
        let ending = |(id, known): (usize, &bool)| {
            let parts = types.types.get(id).map(|found| parts(&found.ty.type_def));
            let end = parts.is_some_and(|mut parts| parts.all(|part| ends.get(part as usize) == Some(&true)));
            (!known && end).then_some(id)
        };
        let found: Vec<usize> = ends.iter().enumerate().filter_map(ending).collect();
        if found.is_empty() {
            break;
        }
        for id in found {
            if let Some(end) = ends.get_mut(id) {
                *end = true;
            }
        }
    }
    match ends.iter().position(|end| !end) {
        None => Ok(()),
        Some(id) => Err(Error::Metadata(format!(
            "type {id} holds itself, or more than {MAXIMUM_DEPTH} types within each other, or one that is not there"
        ))),
    }
}

/// The types that a value of a type always has within it.
fn parts(definition: &TypeDef<PortableForm>) -> Box<dyn Iterator<Item = u32> + '_> {
    match definition {
        TypeDef::Composite(composite) => Box::new(composite.fields.iter().map(|field| field.ty.id)),
        TypeDef::Tuple(tuple) => Box::new(tuple.fields.iter().map(|field| field.id)),
        TypeDef::Array(array) => Box::new(std::iter::once(array.type_param.id)),
        TypeDef::Compact(compact) => Box::new(std::iter::once(compact.type_param.id)),
        TypeDef::Variant(_) | TypeDef::Sequence(_) | TypeDef::Primitive(_) | TypeDef::BitSequence(_) => {
            Box::new(std::iter::empty())
        }
    }
}

/// What is left of one level of a value.
enum Level<'a> {
    Fields(&'a [Field<PortableForm>]),
    Types(&'a [<PortableForm as Form>::Type]),
    Items { type_id: u32, left: u32 },
}

impl Level<'_> {
    /// The type of the next part.
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Fields(fields) => {
                let (first, rest) = fields.split_first()?;
                *fields = rest;
                Some(first.ty.id)
            }
            Self::Types(types) => {
                let (first, rest) = types.split_first()?;
                *types = rest;
                Some(first.id)
            }
            Self::Items { type_id, left } => {
                *left = left.checked_sub(1)?;
                Some(*type_id)
            }
        }
    }
}

/// Goes through one value of a type, and leaves `bytes` behind it.
///
/// # Errors
/// What is wrong: bytes that are no such value, and values that are nested too deep.
pub(super) fn survey(types: &PortableRegistry, type_id: u32, bytes: &mut &[u8]) -> Result<(), String> {
    let mut steps = bytes.len().saturating_mul(STEPS_PER_BYTE).saturating_add(FREE_STEPS);
    let mut levels: Vec<Level<'_>> = vec![Level::Items { type_id, left: 1 }];
    while let Some(level) = levels.last_mut() {
        let Some(type_id) = level.next() else {
            levels.pop();
            continue;
        };
        steps = steps.checked_sub(1).ok_or("it has more parts than its bytes are worth")?;
        if let Some(inner) = enter(types, type_id, bytes)? {
            if levels.len() > MAXIMUM_DEPTH {
                return Err(format!("it is nested more than {MAXIMUM_DEPTH} levels deep"));
            }
            levels.push(inner);
        }
    }
    Ok(())
}

/// Takes the bytes that stand in front of a value's parts, and all of a value that has none.
fn enter<'a>(types: &'a PortableRegistry, type_id: u32, bytes: &mut &[u8]) -> Result<Option<Level<'a>>, String> {
    let definition = &types.resolve(type_id).ok_or_else(|| format!("there is no type {type_id}"))?.type_def;
    Ok(match definition {
        TypeDef::Composite(composite) => Some(Level::Fields(&composite.fields)),
        TypeDef::Tuple(tuple) => Some(Level::Types(&tuple.fields)),
        TypeDef::Variant(variant) => {
            let index = take(bytes, 1)?.first().copied();
            let chosen = variant.variants.iter().find(|variant| Some(variant.index) == index);
            let chosen =
                chosen.ok_or_else(|| format!("type {type_id} has no variant {}", index.unwrap_or_default()))?;
            Some(Level::Fields(&chosen.fields))
        }
        TypeDef::Sequence(sequence) => items(types, sequence.type_param.id, length(bytes)?, bytes)?,
        TypeDef::Array(array) => items(types, array.type_param.id, array.len, bytes)?,
        TypeDef::Primitive(TypeDefPrimitive::Str) => {
            let length = length(bytes)?;
            take(bytes, length as usize)?;
            None
        }
        TypeDef::Primitive(primitive) => {
            take(bytes, width(primitive))?;
            None
        }
        TypeDef::Compact(_) => {
            compact(bytes)?;
            None
        }
        TypeDef::BitSequence(bits) => {
            let store = types.resolve(bits.bit_store_type.id).map(|found| &found.type_def);
            let Some(TypeDef::Primitive(store)) = store else { return Err(format!("type {type_id} has no bits")) };
            let words = (length(bytes)? as usize).div_ceil((width(store) * 8).max(1));
            take(bytes, words.saturating_mul(width(store)))?;
            None
        }
    })
}

/// Items of one type; those of a fixed width are passed over at once.
fn items<'a>(
    types: &PortableRegistry,
    type_id: u32,
    left: u32,
    bytes: &mut &[u8],
) -> Result<Option<Level<'a>>, String> {
    match types.resolve(type_id).map(|found| &found.type_def) {
        Some(TypeDef::Primitive(primitive)) if !matches!(primitive, TypeDefPrimitive::Str) => {
            take(bytes, (left as usize).saturating_mul(width(primitive)))?;
            Ok(None)
        }
        _ => Ok(Some(Level::Items { type_id, left })),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, rest) =
        bytes.split_at_checked(count).ok_or_else(|| format!("{count} bytes are wanted, {} are left", bytes.len()))?;
    *bytes = rest;
    Ok(taken)
}

/// How many items or bytes follow.
fn length(bytes: &mut &[u8]) -> Result<u32, String> {
    Compact::<u32>::decode(bytes).map(|length| length.0).map_err(|error| format!("a length cannot be read: {error}"))
}

/// A compact number of any width.
fn compact(bytes: &mut &[u8]) -> Result<(), String> {
    let first = bytes.first().copied().ok_or("a number is wanted, no bytes are left")?;
    let count = match first & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => usize::from(first >> 2) + 5,
    };
    take(bytes, count).map(drop)
}

/// Bytes of a number, a truth value or a character.
fn width(primitive: &TypeDefPrimitive) -> usize {
    match primitive {
        TypeDefPrimitive::Bool | TypeDefPrimitive::U8 | TypeDefPrimitive::I8 => 1,
        TypeDefPrimitive::U16 | TypeDefPrimitive::I16 => 2,
        TypeDefPrimitive::Char | TypeDefPrimitive::U32 | TypeDefPrimitive::I32 => 4,
        TypeDefPrimitive::U64 | TypeDefPrimitive::I64 => 8,
        TypeDefPrimitive::U128 | TypeDefPrimitive::I128 => 16,
        TypeDefPrimitive::U256 | TypeDefPrimitive::I256 => 32,
        TypeDefPrimitive::Str => 0,
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
