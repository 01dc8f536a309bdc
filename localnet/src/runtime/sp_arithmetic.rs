//! Errors of arithmetic.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum ArithmeticError {
    Underflow,
    Overflow,
    DivisionByZero,
}
