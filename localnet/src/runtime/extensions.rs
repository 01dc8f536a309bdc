//! The transaction extensions of an extrinsic, in their order. Only era, nonce, tip and mode have bytes.

use codec::{Compact, Decode, Encode};
use scale_info::{MetaType, Path, Type, TypeInfo, build::Fields, meta_type};

use super::primitive_types::H256;
use super::sp_runtime::generic::era::Era;

/// One extension: its name, the type of its bytes in the extrinsic, and the type of what is signed besides them.
struct Extension {
    name: &'static str,
    ty: MetaType,
    implicit: MetaType,
}

/// Names, types and implicit types, for the metadata.
pub(crate) fn described() -> Vec<(&'static str, MetaType, MetaType)> {
    extensions().into_iter().map(|extension| (extension.name, extension.ty, extension.implicit)).collect()
}

/// The mode byte of `CheckMetadataHash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Mode {
    /// No hash of the metadata is signed.
    Disabled,
    /// The hash is signed. This chain has none.
    Enabled,
}

/// What `CheckMortality` holds.
#[derive(Debug, TypeInfo)]
pub struct CheckMortality(pub Era);
/// What `CheckNonce` holds.
#[derive(Debug, TypeInfo)]
pub struct CheckNonce(pub Compact<u32>);
/// What `ChargeTransactionPayment` holds: the tip.
#[derive(Debug, TypeInfo)]
pub struct ChargeTransactionPayment(pub Compact<u64>);
/// What `CheckMetadataHash` holds.
#[derive(Debug, TypeInfo)]
pub struct CheckMetadataHash {
    /// Whether a hash is signed.
    pub mode: Mode,
}

/// Types without bytes, which clients know by their names only.
macro_rules! empty {
    ($($name:ident $path:literal),*) => {$(
        struct $name;
        impl TypeInfo for $name {
            type Identity = Self;
            fn type_info() -> Type {
                Type::builder()
                    .path(Path::new(stringify!($name), concat!("localnet::runtime::", $path)))
                    .composite(Fields::unit())
            }
        }
    )*};
}
empty!(
    CheckNonZeroSender "frame_system::extensions::check_non_zero_sender",
    CheckSpecVersion "frame_system::extensions::check_spec_version",
    CheckTxVersion "frame_system::extensions::check_tx_version",
    CheckGenesis "frame_system::extensions::check_genesis",
    CheckWeight "frame_system::extensions::check_weight",
    SudoTransactionExtension "node_subtensor_runtime::sudo_wrapper",
    CheckShieldedTxValidity "pallet_shield::extension",
    SubtensorTransactionExtension "pallet_subtensor::extensions::subtensor",
    DrandPriority "pallet_drand::drand_priority"
);

macro_rules! extension {
    ($ty:ident => $implicit:ty) => {
        Extension { name: stringify!($ty), ty: meta_type::<$ty>(), implicit: meta_type::<$implicit>() }
    };
}

fn extensions() -> [Extension; 13] {
    [
        extension!(CheckNonZeroSender => ()),
        extension!(CheckSpecVersion => u32),
        extension!(CheckTxVersion => u32),
        extension!(CheckGenesis => H256),
        extension!(CheckMortality => H256),
        extension!(CheckNonce => ()),
        extension!(CheckWeight => ()),
        extension!(ChargeTransactionPayment => ()),
        extension!(SudoTransactionExtension => ()),
        extension!(CheckShieldedTxValidity => ()),
        extension!(SubtensorTransactionExtension => ()),
        extension!(DrandPriority => ()),
        extension!(CheckMetadataHash => Option<[u8; 32]>),
    ]
}

/// All of them as one tuple.
#[derive(Debug)]
pub struct Extensions;

impl TypeInfo for Extensions {
    type Identity = Self;

    fn type_info() -> Type {
        scale_info::TypeDefTuple::new(extensions().into_iter().map(|extension| extension.ty)).into()
    }
}
