//! Hashes.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, TypeInfo)]
pub struct H256(pub [u8; 32]);
