//! Finds the first NaN or infinity in a value about to be encoded, and names its field.
//!
//! serde_json writes `null` for them, which would lose the fact silently; this serializer writes nothing and only looks.

use serde::ser::{self, Serialize};
use std::fmt;

/// The path of the offending field, for example `components[2].value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFinite(pub String);

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotFinite {}

impl ser::Error for NotFinite {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Checks every float in the value.
///
/// # Errors
/// [`NotFinite`] with the path of the first NaN or infinity.
pub fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), NotFinite> {
    value.serialize(Look { at: Path::Root })
}

#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[derive(Clone, Copy)]
struct Look<'a> {
    at: Path<'a>,
}

struct Items<'a> {
    at: Path<'a>,
    next: usize,
}

macro_rules! ignore {
    ($($method:ident: $ty:ty),*) => { $(fn $method(self, _: $ty) -> Result<(), NotFinite> { Ok(()) })* };
}

impl<'a> ser::Serializer for Look<'a> {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    ignore!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str);

    fn serialize_f32(self, value: f32) -> Result<(), NotFinite> {
        if value.is_finite() { Ok(()) } else { Err(NotFinite(self.at.to_string())) }
    }
    fn serialize_f64(self, value: f64) -> Result<(), NotFinite> {
        if value.is_finite() { Ok(()) } else { Err(NotFinite(self.at.to_string())) }
    }
    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }
    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), NotFinite> {
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(Look { at: Path::Field(&self.at, name) })
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotFinite> {
        Ok(Items { at: self.at, next: 0 })
    }
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        let index = self.next;
        self.next += 1;
        value.serialize(Look { at: Path::Index(&self.at, index) })
    }
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NotFinite> {
        value.serialize(Look { at: Path::Field(&self.at, name) })
    }
}

macro_rules! items {
    ($($name:ident $method:ident),*) => { $(
        impl ser::$name for Items<'_> {
            type Ok = ();
            type Error = NotFinite;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> { self.item(value) }
            fn end(self) -> Result<(), NotFinite> { Ok(()) }
        }
    )* };
}
items!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field);

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = NotFinite;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        self.item(value)
    }
    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

macro_rules! fields {
    ($($name:ident),*) => { $(
        impl ser::$name for Items<'_> {
            type Ok = ();
            type Error = NotFinite;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NotFinite> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), NotFinite> { Ok(()) }
        }
    )* };
}
fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Inner {
        value: f64,
    }
    #[derive(Serialize)]
    struct Outer {
        score: f32,
        components: Vec<Option<Inner>>,
    }

    #[test]
    fn names_the_field() {
        let outer = |score, value| Outer { score, components: vec![None, Some(Inner { value })] };
        assert_eq!(check(&outer(1.0, 2.0)), Ok(()));
        assert_eq!(check(&outer(f32::NAN, 2.0)).unwrap_err().0, "score");
        assert_eq!(check(&outer(1.0, f64::NEG_INFINITY)).unwrap_err().0, "components[1].value");
    }
}
