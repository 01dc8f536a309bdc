//! Addresses, signatures, eras, headers and dispatch errors.

use codec::{Decode, Encode};
use scale_info::TypeInfo;

use super::sp_arithmetic::ArithmeticError;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum MultiSignature {
    Ed25519([u8; 64]),
    Sr25519([u8; 64]),
    Ecdsa([u8; 65]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ModuleError {
    pub index: u8,
    pub error: [u8; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum TokenError {
    FundsUnavailable,
    OnlyProvider,
    BelowMinimum,
    CannotCreate,
    UnknownAsset,
    Frozen,
    Unsupported,
    CannotCreateHold,
    NotExpendable,
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum TransactionalError {
    LimitReached,
    NoLayer,
}

pub mod proving_trie {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum TrieError {
        InvalidStateRoot,
        IncompleteDatabase,
        ValueAtIncompleteKey,
        DecoderError,
        InvalidHash,
        DuplicateKey,
        ExtraneousNode,
        ExtraneousValue,
        ExtraneousHashReference,
        InvalidChildReference,
        ValueMismatch,
        IncompleteProof,
        RootMismatch,
        DecodeError,
    }
}

/// Why a call did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum DispatchError {
    Other,
    CannotLookup,
    BadOrigin,
    Module(ModuleError),
    ConsumerRemaining,
    NoProviders,
    TooManyConsumers,
    Token(TokenError),
    Arithmetic(ArithmeticError),
    Transactional(TransactionalError),
    Exhausted,
    Corruption,
    Unavailable,
    RootNotAllowed,
    Trie(proving_trie::TrieError),
}

pub mod multiaddress {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum MultiAddress<AccountId, AccountIndex> {
        Id(AccountId),
        Index(codec::Compact<AccountIndex>),
        Raw(Vec<u8>),
        Address32([u8; 32]),
        Address20([u8; 20]),
    }
}

pub mod generic {
    pub mod digest {
        use codec::{Decode, Encode};
        use scale_info::TypeInfo;

        #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
        pub struct Digest {
            pub logs: Vec<DigestItem>,
        }

        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
        pub enum DigestItem {
            #[codec(index = 6)]
            PreRuntime([u8; 4], Vec<u8>),
            #[codec(index = 4)]
            Consensus([u8; 4], Vec<u8>),
            #[codec(index = 5)]
            Seal([u8; 4], Vec<u8>),
            #[codec(index = 0)]
            Other(Vec<u8>),
            #[codec(index = 8)]
            RuntimeEnvironmentUpdated,
        }
    }

    pub mod header {
        use codec::{Decode, Encode};
        use scale_info::TypeInfo;

        use super::super::super::primitive_types::H256;
        use super::digest::Digest;

        /// A block's header; its hash is blake2-256 of its SCALE form.
        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
        pub struct Header {
            pub parent_hash: H256,
            #[codec(compact)]
            pub number: u32,
            pub state_root: H256,
            pub extrinsics_root: H256,
            pub digest: Digest,
        }
    }

    pub mod unchecked_extrinsic {
        use std::marker::PhantomData;

        use scale_info::{Path, Type, TypeInfo, TypeParameter, build::Fields, meta_type};

        /// Only for the metadata: clients read the types of an extrinsic's parts from the parameters of this type.
        #[derive(Debug)]
        pub struct UncheckedExtrinsic<Address, Call, Signature, Extension>(
            PhantomData<(Address, Call, Signature, Extension)>,
        );

        impl<A, C, S, E> TypeInfo for UncheckedExtrinsic<A, C, S, E>
        where
            A: TypeInfo + 'static,
            C: TypeInfo + 'static,
            S: TypeInfo + 'static,
            E: TypeInfo + 'static,
        {
            type Identity = Self;

            fn type_info() -> Type {
                Type::builder()
                    .path(Path::new("UncheckedExtrinsic", module_path!()))
                    .type_params(vec![
                        TypeParameter::new("Address", Some(meta_type::<A>())),
                        TypeParameter::new("Call", Some(meta_type::<C>())),
                        TypeParameter::new("Signature", Some(meta_type::<S>())),
                        TypeParameter::new("Extra", Some(meta_type::<E>())),
                    ])
                    .composite(Fields::unnamed().field(|field| field.ty::<Vec<u8>>()))
            }
        }
    }

    pub mod era {
        use std::sync::LazyLock;

        use codec::{Decode, Encode, Error, Input, Output};
        use scale_info::{Path, Type, TypeInfo, build::Variants};

        /// In which blocks an extrinsic may be included.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Era {
            /// In all.
            Immortal,
            /// In `period` blocks (a power of two from 4 to 65536), from the last block whose number is `phase` modulo
            /// `period`.
            Mortal { period: u64, phase: u64 },
        }

        impl Era {
            /// The block with which the era began that holds `current`.
            pub fn birth(self, current: u64) -> u64 {
                match self {
                    Self::Immortal => 0,
                    Self::Mortal { period, phase } => {
                        (current.max(phase).saturating_sub(phase) / period).saturating_mul(period).saturating_add(phase)
                    }
                }
            }

            /// The first block that is too late.
            pub fn death(self, current: u64) -> u64 {
                match self {
                    Self::Immortal => u64::MAX,
                    Self::Mortal { period, .. } => self.birth(current).saturating_add(period),
                }
            }
        }

        /// Phases are told in so many steps of a long period.
        fn quantum(period: u64) -> u64 {
            (period >> 12).max(1)
        }

        impl Encode for Era {
            fn encode_to<T: Output + ?Sized>(&self, output: &mut T) {
                match self {
                    Self::Immortal => output.push_byte(0),
                    Self::Mortal { period, phase } => {
                        let exponent = u64::from(period.trailing_zeros()).saturating_sub(1).clamp(1, 15);
                        // 4 bits of exponent and 12 of phase.
                        let encoded = exponent as u16 | ((phase / quantum(*period)) << 4) as u16;
                        encoded.encode_to(output);
                    }
                }
            }
        }

        impl Decode for Era {
            fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
                let first = input.read_byte()?;
                if first == 0 {
                    return Ok(Self::Immortal);
                }
                let encoded = u64::from(first) + (u64::from(input.read_byte()?) << 8);
                let period = 2u64 << (encoded % 16);
                let phase = (encoded >> 4) * quantum(period);
                if period >= 4 && phase < period {
                    Ok(Self::Mortal { period, phase })
                } else {
                    Err("era: the period is below 4 or the phase not below the period".into())
                }
            }
        }

        /// `Mortal1` to `Mortal255`: the first byte of an era is the variant's index. Made once; the metadata wants names
        /// that live for ever.
        static NAMES: LazyLock<Vec<&'static str>> =
            LazyLock::new(|| (1..=255).map(|byte| &*format!("Mortal{byte}").leak()).collect());

        impl TypeInfo for Era {
            type Identity = Self;

            fn type_info() -> Type {
                let immortal = Variants::new().variant("Immortal", |variant| variant.index(0));
                let variants = (1..=255u8).zip(NAMES.iter().copied()).fold(immortal, |variants, (index, name)| {
                    variants.variant(name, |variant| {
                        variant
                            .index(index)
                            .fields(scale_info::build::Fields::unnamed().field(|field| field.ty::<u8>()))
                    })
                });
                Type::builder().path(Path::new("Era", module_path!())).variant(variants)
            }
        }
    }
}
