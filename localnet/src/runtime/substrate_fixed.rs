//! Fixed-point numbers, by their bits.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct FixedI128 {
    pub bits: i128,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct FixedU128 {
    pub bits: u128,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct FixedI64 {
    pub bits: i64,
}
