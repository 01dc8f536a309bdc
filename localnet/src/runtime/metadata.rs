//! The metadata, versions 14, 15 and 16, made of the same types.
//!
//! The three number their types alike, and an account is type 0: version 9 of the Python SDK takes types' numbers from one
//! version and looks them up in another, and knows an account by its number. The paths of the types lose the part that is
//! this crate's, so that `pallet_subtensor::pallet::Call` is what clients see.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use codec::{Compact, Encode};
use frame_metadata::{RuntimeMetadataPrefixed, v14, v15, v16};
use scale_info::form::PortableForm;
use scale_info::{IntoPortable as _, MetaType, PortableRegistry, Registry, TypeInfo, meta_type};

use super::fp_self_contained::unchecked_extrinsic::UncheckedExtrinsic;
use super::node_subtensor_runtime::{RuntimeCall, RuntimeError, RuntimeEvent};
use super::sp_core::crypto::AccountId32;
use super::sp_runtime::MultiSignature;
use super::sp_runtime::multiaddress::MultiAddress;
use super::{
    apis, constants, extensions, frame_system, pallet_admin_utils, pallet_balances, pallet_commitments,
    pallet_development, pallet_drand, pallet_subtensor, pallet_subtensor_utility, pallet_sudo, pallet_timestamp,
};
use crate::schedule::Schedule;

pub(super) type Address = MultiAddress<AccountId32, ()>;
pub(super) type Extrinsic = UncheckedExtrinsic<Address, RuntimeCall, MultiSignature, extensions::Extensions>;

/// The versions that [`of_version`] gives.
pub(crate) const VERSIONS: [u32; 3] = [14, 15, 16];

type Encoded = LazyLock<BTreeMap<u32, Vec<u8>>>;

static LEGACY: Encoded = LazyLock::new(|| encoded(Schedule::Legacy));
static STATEFUL: Encoded = LazyLock::new(|| encoded(Schedule::Stateful));

fn encoded(schedule: Schedule) -> BTreeMap<u32, Vec<u8>> {
    let metadata: [RuntimeMetadataPrefixed; 3] =
        [version_14(schedule).into(), version_15(schedule).into(), version_16(schedule).into()];
    VERSIONS.into_iter().zip(metadata.map(|metadata| metadata.encode())).collect()
}

/// The metadata with its magic number; [`None`] for a version that is not offered.
pub(crate) fn of_version(schedule: Schedule, version: u32) -> Option<&'static [u8]> {
    let encoded = match schedule {
        Schedule::Legacy => &LEGACY,
        Schedule::Stateful => &STATEFUL,
    };
    encoded.get(&version).map(Vec::as_slice)
}

struct Pallet {
    name: &'static str,
    index: u8,
    storage: Option<Vec<v14::StorageEntryMetadata>>,
    call: Option<MetaType>,
    event: Option<MetaType>,
    error: Option<MetaType>,
}

impl Pallet {
    fn new(name: &'static str, index: u8) -> Self {
        Self { name, index, storage: None, call: None, event: None, error: None }
    }

    fn storage(mut self, entries: Vec<v14::StorageEntryMetadata>) -> Self {
        self.storage = Some(entries);
        self
    }

    fn call<T: TypeInfo + 'static>(mut self) -> Self {
        self.call = Some(meta_type::<T>());
        self
    }

    fn event<T: TypeInfo + 'static>(mut self) -> Self {
        self.event = Some(meta_type::<T>());
        self
    }

    fn error<T: TypeInfo + 'static>(mut self) -> Self {
        self.error = Some(meta_type::<T>());
        self
    }
}

/// All of a runtime.
fn pallets(schedule: Schedule) -> Vec<Pallet> {
    let mut pallets = every_pallet();
    for entries in pallets.iter_mut().filter_map(|pallet| pallet.storage.as_mut()) {
        entries.retain(|entry| schedule.has_entry(entry.name));
    }
    pallets
}

fn every_pallet() -> Vec<Pallet> {
    vec![
        Pallet::new("System", 0)
            .storage(frame_system::described())
            .call::<frame_system::pallet::Call>()
            .event::<frame_system::pallet::Event>()
            .error::<frame_system::pallet::Error>(),
        Pallet::new("Timestamp", 2).storage(pallet_timestamp::described()).call::<pallet_timestamp::pallet::Call>(),
        Pallet::new("Balances", 5)
            .storage(pallet_balances::described())
            .call::<pallet_balances::pallet::Call>()
            .event::<pallet_balances::pallet::Event>()
            .error::<pallet_balances::pallet::Error>(),
        Pallet::new("SubtensorModule", 7)
            .storage(pallet_subtensor::storage::described())
            .call::<pallet_subtensor::pallet::Call>()
            .event::<pallet_subtensor::pallet::Event>()
            .error::<pallet_subtensor::pallet::Error>(),
        Pallet::new("Utility", 11)
            .call::<pallet_subtensor_utility::pallet::Call>()
            .event::<pallet_subtensor_utility::pallet::Event>()
            .error::<pallet_subtensor_utility::pallet::Error>(),
        Pallet::new("Sudo", 12)
            .storage(pallet_sudo::described())
            .call::<pallet_sudo::pallet::Call>()
            .event::<pallet_sudo::pallet::Event>()
            .error::<pallet_sudo::pallet::Error>(),
        Pallet::new("Commitments", 18)
            .storage(pallet_commitments::described())
            .call::<pallet_commitments::pallet::Call>()
            .event::<pallet_commitments::pallet::Event>()
            .error::<pallet_commitments::pallet::Error>(),
        Pallet::new("AdminUtils", 19)
            .call::<pallet_admin_utils::pallet::Call>()
            .error::<pallet_admin_utils::pallet::Error>(),
        Pallet::new("Drand", 26)
            .storage(pallet_drand::described())
            .event::<pallet_drand::pallet::Event>()
            .error::<pallet_drand::pallet::Error>(),
        Pallet::new("Development", 200)
            .storage(pallet_development::described())
            .call::<pallet_development::pallet::Call>()
            .error::<pallet_development::pallet::Error>(),
    ]
}

fn version_14(schedule: Schedule) -> v14::RuntimeMetadataV14 {
    let pallet = |pallet: Pallet| v14::PalletMetadata {
        name: pallet.name,
        storage: pallet.storage.map(|entries| v14::PalletStorageMetadata { prefix: pallet.name, entries }),
        calls: pallet.call.map(|ty| v14::PalletCallMetadata { ty }),
        event: pallet.event.map(|ty| v14::PalletEventMetadata { ty }),
        constants: constants::of(schedule, pallet.name),
        error: pallet.error.map(|ty| v14::PalletErrorMetadata { ty }),
        index: pallet.index,
    };
    let extension =
        |(identifier, ty, additional_signed)| v14::SignedExtensionMetadata { identifier, ty, additional_signed };
    let extrinsic = v14::ExtrinsicMetadata {
        ty: meta_type::<Extrinsic>(),
        version: 4,
        signed_extensions: extensions::described().into_iter().map(extension).collect(),
    };
    let mut registry = registry(schedule);
    v14::RuntimeMetadataV14 {
        pallets: registry.map_into_portable(pallets(schedule).into_iter().map(pallet)),
        extrinsic: extrinsic.into_portable(&mut registry),
        ty: registry.register_type(&meta_type::<()>()),
        types: portable(registry),
    }
}

fn version_15(schedule: Schedule) -> v15::RuntimeMetadataV15 {
    let pallet = |pallet: Pallet| v15::PalletMetadata {
        name: pallet.name,
        storage: pallet.storage.map(|entries| v14::PalletStorageMetadata { prefix: pallet.name, entries }),
        calls: pallet.call.map(|ty| v14::PalletCallMetadata { ty }),
        event: pallet.event.map(|ty| v14::PalletEventMetadata { ty }),
        constants: constants::of(schedule, pallet.name),
        error: pallet.error.map(|ty| v14::PalletErrorMetadata { ty }),
        index: pallet.index,
        docs: vec![],
    };
    let extension =
        |(identifier, ty, additional_signed)| v15::SignedExtensionMetadata { identifier, ty, additional_signed };
    let extrinsic = v15::ExtrinsicMetadata {
        version: 4,
        address_ty: meta_type::<Address>(),
        call_ty: meta_type::<RuntimeCall>(),
        signature_ty: meta_type::<MultiSignature>(),
        extra_ty: meta_type::<extensions::Extensions>(),
        signed_extensions: extensions::described().into_iter().map(extension).collect(),
    };
    let parameter = |(name, ty)| v15::RuntimeApiMethodParamMetadata { name, ty };
    let method = |method: apis::Method| v15::RuntimeApiMethodMetadata {
        name: method.name,
        inputs: method.inputs.into_iter().map(parameter).collect(),
        output: method.output,
        docs: vec![],
    };
    let api = |api: apis::Api| v15::RuntimeApiMetadata {
        name: api.name,
        methods: api.methods.into_iter().map(method).collect(),
        docs: vec![],
    };
    let mut registry = registry(schedule);
    v15::RuntimeMetadataV15 {
        pallets: registry.map_into_portable(pallets(schedule).into_iter().map(pallet)),
        extrinsic: extrinsic.into_portable(&mut registry),
        ty: registry.register_type(&meta_type::<()>()),
        apis: registry.map_into_portable(apis::all(schedule).into_iter().map(api)),
        outer_enums: outer_enums().into_portable(&mut registry),
        custom: v15::CustomMetadata { map: BTreeMap::new() },
        types: portable(registry),
    }
}

fn outer_enums() -> v15::OuterEnums {
    v15::OuterEnums {
        call_enum_ty: meta_type::<RuntimeCall>(),
        event_enum_ty: meta_type::<RuntimeEvent>(),
        error_enum_ty: meta_type::<RuntimeError>(),
    }
}

fn version_16(schedule: Schedule) -> v16::RuntimeMetadataV16 {
    let mut registry = registry(schedule);
    v16::RuntimeMetadataV16 {
        pallets: registry.map_into_portable(pallets(schedule).into_iter().map(|pallet| pallet_16(schedule, pallet))),
        extrinsic: extrinsic_16().into_portable(&mut registry),
        apis: registry.map_into_portable(apis_16(schedule)),
        outer_enums: outer_enums().into_portable(&mut registry),
        custom: v16::CustomMetadata { map: BTreeMap::new() },
        types: portable(registry),
    }
}

/// All types of all versions, in an order of their own.
fn registry(schedule: Schedule) -> Registry {
    let mut registry = Registry::new();
    registry.register_type(&meta_type::<AccountId32>());
    registry.map_into_portable(pallets(schedule).into_iter().map(|pallet| pallet_16(schedule, pallet)));
    extrinsic_16().into_portable(&mut registry);
    registry.map_into_portable(apis_16(schedule));
    outer_enums().into_portable(&mut registry);
    registry.register_types([meta_type::<Extrinsic>(), meta_type::<extensions::Extensions>(), meta_type::<()>()]);
    registry
}

fn portable(registry: Registry) -> PortableRegistry {
    let mut types = registry.into();
    give_real_paths(&mut types);
    types
}

fn apis_16(schedule: Schedule) -> Vec<v16::RuntimeApiMetadata> {
    let parameter = |(name, ty)| v16::FunctionParamMetadata { name, ty };
    let method = |method: apis::Method| v16::RuntimeApiMethodMetadata {
        name: method.name,
        inputs: method.inputs.into_iter().map(parameter).collect(),
        output: method.output,
        docs: vec![],
        deprecation_info: v16::ItemDeprecationInfo::NotDeprecated,
    };
    let api = |api: apis::Api| v16::RuntimeApiMetadata {
        name: api.name,
        methods: api.methods.into_iter().map(method).collect(),
        docs: vec![],
        version: Compact(api.version),
        deprecation_info: v16::ItemDeprecationInfo::NotDeprecated,
    };
    apis::all(schedule).into_iter().map(api).collect()
}

fn extrinsic_16() -> v16::ExtrinsicMetadata {
    let extension = |(identifier, ty, implicit)| v16::TransactionExtensionMetadata { identifier, ty, implicit };
    let extensions: Vec<_> = extensions::described().into_iter().map(extension).collect();
    v16::ExtrinsicMetadata {
        versions: vec![4],
        address_ty: meta_type::<Address>(),
        call_ty: meta_type::<RuntimeCall>(),
        signature_ty: meta_type::<MultiSignature>(),
        transaction_extensions_by_version: [(0, (0..).map(Compact).take(extensions.len()).collect())].into(),
        transaction_extensions: extensions,
    }
}

fn pallet_16(schedule: Schedule, pallet: Pallet) -> v16::PalletMetadata {
    let entry = |entry: v14::StorageEntryMetadata| v16::StorageEntryMetadata {
        name: entry.name,
        modifier: entry.modifier,
        ty: entry.ty,
        default: entry.default,
        docs: entry.docs,
        deprecation_info: v16::ItemDeprecationInfo::NotDeprecated,
    };
    let constant = |constant: v14::PalletConstantMetadata| v16::PalletConstantMetadata {
        name: constant.name,
        ty: constant.ty,
        value: constant.value,
        docs: constant.docs,
        deprecation_info: v16::ItemDeprecationInfo::NotDeprecated,
    };
    let nothing = v16::EnumDeprecationInfo::nothing_deprecated;
    v16::PalletMetadata {
        name: pallet.name,
        storage: pallet.storage.map(|entries| v16::PalletStorageMetadata {
            prefix: pallet.name,
            entries: entries.into_iter().map(entry).collect(),
        }),
        calls: pallet.call.map(|ty| v16::PalletCallMetadata { ty, deprecation_info: nothing() }),
        event: pallet.event.map(|ty| v16::PalletEventMetadata { ty, deprecation_info: nothing() }),
        constants: constants::of(schedule, pallet.name).into_iter().map(constant).collect(),
        error: pallet.error.map(|ty| v16::PalletErrorMetadata { ty, deprecation_info: nothing() }),
        associated_types: vec![],
        view_functions: vec![],
        index: pallet.index,
        docs: vec![],
        deprecation_info: v16::ItemDeprecationInfo::NotDeprecated,
    }
}

/// Takes this crate's own part off the paths, and gives what stands in several files here the one module it has there.
fn give_real_paths(types: &mut PortableRegistry) {
    for ty in &mut types.types {
        let segments: Vec<&str> = ty.ty.path.segments.iter().map(String::as_str).collect();
        let real: Vec<&str> = match segments.as_slice() {
            ["localnet", "runtime", "extensions", "Mode"] => vec!["frame_metadata_hash_extension", "Mode"],
            ["localnet", "runtime", "extensions", name @ "CheckMetadataHash"] => {
                vec!["frame_metadata_hash_extension", name]
            }
            ["localnet", "runtime", "extensions", name @ "ChargeTransactionPayment"] => {
                vec!["pallet_transaction_payment", name]
            }
            ["localnet", "runtime", "extensions", name @ "CheckMortality"] => {
                vec!["node_subtensor_runtime", "check_mortality", name]
            }
            ["localnet", "runtime", "extensions", name @ "CheckNonce"] => {
                vec!["node_subtensor_runtime", "check_nonce", name]
            }
            ["localnet", "runtime", "pallet_subtensor", "call" | "error" | "event" | "types", name] => {
                vec!["pallet_subtensor", "pallet", name]
            }
            ["localnet", "runtime", rest @ ..] => rest.to_vec(),
            _ => continue,
        };
        let segments = real.into_iter().map(str::to_owned).collect();
        ty.ty.path = scale_info::Path::<PortableForm> { segments };
    }
}
