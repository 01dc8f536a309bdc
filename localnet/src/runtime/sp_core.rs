//! Accounts.

pub mod crypto {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    /// A public key.
    #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, TypeInfo)]
    pub struct AccountId32(pub [u8; 32]);

    impl std::fmt::Debug for AccountId32 {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(&domain::ss58::encode(&self.0))
        }
    }
}

/// The metadata as bytes.
#[derive(Debug, Clone, PartialEq, Eq, codec::Encode, codec::Decode, scale_info::TypeInfo)]
pub struct OpaqueMetadata(pub Vec<u8>);
