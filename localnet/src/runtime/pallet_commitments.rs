//! Bytes that a hotkey commits.

use super::sp_core::crypto::AccountId32;
use crate::item::storage;

storage! { "Commitments":
    /// The last commitment of a hotkey in a subnet.
    COMMITMENT_OF "CommitmentOf": [Identity, Twox64Concat] (u16, AccountId32) => types::Registration<u64, u32>, optional;
    /// The block of the last commitment.
    LAST_COMMITMENT "LastCommitment": [Identity, Twox64Concat] (u16, AccountId32) => u32, optional;
    /// Bytes committed in this epoch.
    USED_SPACE_OF "UsedSpaceOf": [Identity, Twox64Concat] (u16, AccountId32) => types::UsageTracker, optional;
    /// Bytes that a hotkey may commit in one epoch.
    MAX_SPACE "MaxSpace": [] () => u32 = 3100;
}

pub mod types {
    use codec::{Decode, Encode, Error, Input, Output};
    use scale_info::build::{Fields, Variants};
    use scale_info::{Path, Type, TypeInfo};

    use crate::runtime::bounded_collections::bounded_vec::BoundedVec;

    /// The longest [`Data::Raw`].
    pub const MAXIMUM_RAW: usize = 128;
    /// The longest [`Data::BigRaw`].
    pub const MAXIMUM_BIG_RAW: usize = 512;
    /// The longest [`Data::TimelockEncrypted`].
    pub const MAXIMUM_TIMELOCKED: usize = 1024;

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct Registration<Balance, BlockNumber> {
        pub deposit: Balance,
        pub block: BlockNumber,
        pub info: CommitmentInfo,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct CommitmentInfo {
        pub fields: BoundedVec<Data>,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct UsageTracker {
        pub last_epoch: u64,
        pub used_space: u64,
    }

    /// One field of a commitment. `Raw0` to `Raw128` are one variant here: their length is their index less one.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub enum Data {
        #[default]
        None,
        Raw(Vec<u8>),
        BlakeTwo256([u8; 32]),
        Sha256([u8; 32]),
        Keccak256([u8; 32]),
        ShaThree256([u8; 32]),
        TimelockEncrypted {
            encrypted: BoundedVec<u8>,
            reveal_round: u64,
        },
        ResetBondsFlag,
        BigRaw(BoundedVec<u8>),
    }

    impl Data {
        /// Bytes that count as used space.
        pub fn length(&self) -> usize {
            match self {
                Self::None | Self::ResetBondsFlag => 0,
                Self::Raw(bytes) => bytes.len(),
                Self::BlakeTwo256(_) | Self::Sha256(_) | Self::Keccak256(_) | Self::ShaThree256(_) => 32,
                Self::TimelockEncrypted { encrypted, .. } => encrypted.0.len(),
                Self::BigRaw(bytes) => bytes.0.len(),
            }
        }

        /// Whether the chain's own type can hold it.
        pub fn is_within_bounds(&self) -> bool {
            match self {
                Self::Raw(bytes) => bytes.len() <= MAXIMUM_RAW,
                Self::TimelockEncrypted { encrypted, .. } => encrypted.0.len() <= MAXIMUM_TIMELOCKED,
                Self::BigRaw(bytes) => bytes.0.len() <= MAXIMUM_BIG_RAW,
                _ => true,
            }
        }
    }

    impl Encode for Data {
        fn encode_to<T: Output + ?Sized>(&self, output: &mut T) {
            match self {
                Self::None => output.push_byte(0),
                Self::Raw(bytes) => {
                    let bytes = bytes.get(..MAXIMUM_RAW).unwrap_or(bytes);
                    output.push_byte(bytes.len() as u8 + 1);
                    output.write(bytes);
                }
                Self::BlakeTwo256(hash) => (130u8, hash).encode_to(output),
                Self::Sha256(hash) => (131u8, hash).encode_to(output),
                Self::Keccak256(hash) => (132u8, hash).encode_to(output),
                Self::ShaThree256(hash) => (133u8, hash).encode_to(output),
                Self::TimelockEncrypted { encrypted, reveal_round } => {
                    (134u8, encrypted, reveal_round).encode_to(output);
                }
                Self::ResetBondsFlag => output.push_byte(135),
                Self::BigRaw(bytes) => (136u8, bytes).encode_to(output),
            }
        }
    }

    impl Decode for Data {
        fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
            Ok(match input.read_byte()? {
                0 => Self::None,
                index @ 1..=129 => {
                    let mut bytes = vec![0; usize::from(index) - 1];
                    input.read(&mut bytes)?;
                    Self::Raw(bytes)
                }
                130 => Self::BlakeTwo256(Decode::decode(input)?),
                131 => Self::Sha256(Decode::decode(input)?),
                132 => Self::Keccak256(Decode::decode(input)?),
                133 => Self::ShaThree256(Decode::decode(input)?),
                134 => {
                    Self::TimelockEncrypted { encrypted: Decode::decode(input)?, reveal_round: Decode::decode(input)? }
                }
                135 => Self::ResetBondsFlag,
                136 => Self::BigRaw(Decode::decode(input)?),
                _ => return Err("data: no variant has this index".into()),
            })
        }
    }

    macro_rules! raw_variants {
        ($variants:expr, $($length:literal)*) => {
            $variants$(.variant(concat!("Raw", $length), |variant| {
                variant.index($length + 1).fields(Fields::unnamed().field(|field| field.ty::<[u8; $length]>()))
            }))*
        };
    }

    impl TypeInfo for Data {
        type Identity = Self;

        #[rustfmt::skip]
        fn type_info() -> Type {
            let variants = Variants::new().variant("None", |variant| variant.index(0));
            let variants = raw_variants!(variants,
                0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
                39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74
                75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107
                108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128);
            let hash = |index: u8| {
                move |variant: scale_info::build::VariantBuilder<_>| {
                    variant.index(index).fields(Fields::unnamed().field(|field| field.ty::<[u8; 32]>()))
                }
            };
            let variants = variants
                .variant("BlakeTwo256", hash(130))
                .variant("Sha256", hash(131))
                .variant("Keccak256", hash(132))
                .variant("ShaThree256", hash(133))
                .variant("TimelockEncrypted", |variant| {
                    let fields = Fields::named()
                        .field(|field| field.ty::<BoundedVec<u8>>().name("encrypted"))
                        .field(|field| field.ty::<u64>().name("reveal_round"));
                    variant.index(134).fields(fields)
                })
                .variant("ResetBondsFlag", |variant| variant.index(135))
                .variant("BigRaw", |variant| {
                    variant.index(136).fields(Fields::unnamed().field(|field| field.ty::<BoundedVec<u8>>()))
                });
            Type::builder().path(Path::new("Data", module_path!())).variant(variants)
        }
    }
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use super::types::CommitmentInfo;
    use crate::runtime::sp_core::crypto::AccountId32;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        set_commitment { netuid: u16, info: Box<CommitmentInfo> },
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 0)]
        Commitment { netuid: u16, who: AccountId32 },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        TooManyFieldsInCommitmentInfo,
        AccountNotAllowedCommit,
        SpaceLimitExceeded,
        UnexpectedUnreserveLeftover,
    }
}
