//! Vectors with a limit, which the metadata does not tell.

pub mod bounded_vec {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    /// At most so many items as the chain's own type allows; whoever takes one in checks that.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct BoundedVec<T>(pub Vec<T>);
}
