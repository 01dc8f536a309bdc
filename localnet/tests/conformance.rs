//! What this chain offers against the metadata of a real one: by structure, never by type numbers.
//!
//! `ASSAY_METADATA` names a file with real metadata of spec 393, version 16, or a folder in which one lies under a name with
//! `spec393_v16`; where it is not set, the folder `shared/metadata` beside the checkout is taken if there is one. Without either
//! the test says loudly that nothing was compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codec::Decode;
use frame_metadata::v14::StorageEntryType;
use frame_metadata::v16::RuntimeMetadataV16;
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use localnet::Schedule;
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef};

/// Pallets that only this chain has.
const OWN: [&str; 1] = ["Development"];

fn decode(mut bytes: &[u8]) -> RuntimeMetadataV16 {
    match RuntimeMetadataPrefixed::decode(&mut bytes).unwrap().1 {
        RuntimeMetadata::V16(metadata) => metadata,
        other => panic!("version {}", other.version()),
    }
}

fn real() -> Option<RuntimeMetadataV16> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/metadata");
    let named = std::env::var_os("ASSAY_METADATA").map(PathBuf::from);
    let path = named.or_else(|| beside.is_dir().then_some(beside))?;
    let file = if path.is_dir() {
        let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|file| file.to_string_lossy().contains("spec393_v16"))?
    } else {
        path
    };
    Some(decode(&std::fs::read(file).unwrap()))
}

/// Types that hold all calls, events or errors: their variants are compared one by one, not as a whole.
const OUTER: [&str; 3] = ["RuntimeCall", "RuntimeEvent", "RuntimeError"];

/// A type's structure as text: names of fields and variants, indexes and primitive types, and the last part of the path,
/// by which clients choose how to decode. Types that stand under themselves are named only.
fn shape(types: &PortableRegistry, id: u32, above: &mut Vec<u32>) -> String {
    let ty = types.resolve(id).unwrap();
    let name = ty.path.segments.last().cloned().unwrap_or_default();
    if above.contains(&id) || OUTER.contains(&name.as_str()) {
        return format!("@{name}");
    }
    above.push(id);
    let mut inner = |id| shape(types, id, above);
    let text = match &ty.type_def {
        // Whether Rust owns a value is nothing that a client sees.
        TypeDef::Composite(composite) if name == "Cow" => fields(&composite.fields, &mut inner),
        TypeDef::Composite(composite) => format!("{name}{{{}}}", fields(&composite.fields, &mut inner)),
        TypeDef::Variant(variant) => {
            let variants: BTreeMap<u8, String> = variant
                .variants
                .iter()
                .map(|variant| (variant.index, format!("{}({})", variant.name, fields(&variant.fields, &mut inner))))
                .collect();
            format!("{name}{variants:?}")
        }
        TypeDef::Sequence(sequence) => format!("[{}]", inner(sequence.type_param.id)),
        TypeDef::Array(array) => format!("[{}; {}]", inner(array.type_param.id), array.len),
        TypeDef::Tuple(tuple) => {
            format!("({})", tuple.fields.iter().map(|field| inner(field.id)).collect::<Vec<_>>().join(", "))
        }
        TypeDef::Primitive(primitive) => format!("{primitive:?}").to_lowercase(),
        TypeDef::Compact(compact) => format!("compact {}", inner(compact.type_param.id)),
        TypeDef::BitSequence(_) => "bits".to_owned(),
    };
    above.pop();
    text
}

fn fields(fields: &[scale_info::Field<PortableForm>], inner: &mut impl FnMut(u32) -> String) -> String {
    let named = |field: &scale_info::Field<PortableForm>| {
        let name = field.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{name}{}", inner(field.ty.id))
    };
    fields.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// Everything that a client can use, each with its structure.
fn offered(metadata: &RuntimeMetadataV16) -> BTreeMap<String, String> {
    let types = &metadata.types;
    let show = |id: u32| shape(types, id, &mut Vec::new());
    let mut items = BTreeMap::new();
    for pallet in &metadata.pallets {
        let name = &pallet.name;
        items.insert(format!("pallet {name}"), pallet.index.to_string());
        for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
            let prefix = &pallet.storage.as_ref().unwrap().prefix;
            let ty = match &entry.ty {
                StorageEntryType::Plain(value) => show(value.id),
                StorageEntryType::Map { hashers, key, value } => {
                    format!("{hashers:?} {} -> {}", show(key.id), show(value.id))
                }
            };
            let text = format!("{prefix} {:?} {ty} default {:?}", entry.modifier, entry.default);
            items.insert(format!("storage {name}.{}", entry.name), text);
        }
        let enums = [
            ("call", pallet.calls.as_ref().map(|calls| calls.ty.id)),
            ("event", pallet.event.as_ref().map(|event| event.ty.id)),
            ("error", pallet.error.as_ref().map(|error| error.ty.id)),
        ];
        for (kind, id) in enums {
            let Some(TypeDef::Variant(variants)) = id.map(|id| types.resolve(id).unwrap().type_def.clone()) else {
                continue;
            };
            let path = types.resolve(id.unwrap()).unwrap().path.segments.join("::");
            items.insert(format!("{kind}s of {name}"), path);
            for variant in &variants.variants {
                let text = format!("{} ({})", variant.index, fields(&variant.fields, &mut |id| show(id)));
                items.insert(format!("{kind} {name}.{}", variant.name), text);
            }
        }
        for constant in &pallet.constants {
            let text = format!("{} {:?}", show(constant.ty.id), constant.value);
            items.insert(format!("constant {name}.{}", constant.name), text);
        }
    }
    for api in &metadata.apis {
        items.insert(format!("api {}", api.name), api.version.0.to_string());
        for method in &api.methods {
            let inputs: Vec<String> =
                method.inputs.iter().map(|input| format!("{}: {}", input.name, show(input.ty.id))).collect();
            let text = format!("({}) -> {}", inputs.join(", "), show(method.output.id));
            items.insert(format!("api {}.{}", api.name, method.name), text);
        }
    }
    let extrinsic = &metadata.extrinsic;
    for (at, extension) in extrinsic.transaction_extensions.iter().enumerate() {
        let path = types.resolve(extension.ty.id).unwrap().path.segments.join("::");
        let text =
            format!("{} {path} {} / {}", extension.identifier, show(extension.ty.id), show(extension.implicit.id));
        items.insert(format!("extension {at:02}"), text);
    }
    items.insert("extrinsic address".to_owned(), show(extrinsic.address_ty.id));
    items.insert("extrinsic signature".to_owned(), show(extrinsic.signature_ty.id));
    items.insert(
        "extrinsic extensions by version".to_owned(),
        format!("{:?}", extrinsic.transaction_extensions_by_version),
    );
    items
}

/// Deliberate differences, each with its reason.
fn is_excused(item: &str) -> bool {
    // The runtime's version names the APIs, and this chain has fewer; the beacon's default is this chain's own.
    ["constant System.Version", "storage Drand.BeaconConfig"].contains(&item)
}

#[test]
fn everything_offered_is_as_on_the_real_chain() {
    let own = decode(localnet::metadata(16).unwrap());
    let offered_here = offered(&own);
    assert!(offered_here.len() > 300, "{}", offered_here.len());
    let Some(real) = real() else {
        eprintln!(
            "NOT COMPARED: set ASSAY_METADATA to real metadata of spec 393 to compare {} items",
            offered_here.len()
        );
        return;
    };
    let real = offered(&real);
    let mut differences = Vec::new();
    let mut compared = 0;
    for (item, here) in &offered_here {
        if OWN.iter().any(|pallet| item.contains(pallet)) || is_excused(item) {
            continue;
        }
        compared += 1;
        match real.get(item) {
            Some(there) if there == here => {}
            Some(there) => differences.push(format!("{item}\n  here  {here}\n  there {there}")),
            None => differences.push(format!("{item} is not there")),
        }
    }
    assert!(differences.is_empty(), "{} of {compared}:\n{}", differences.len(), differences.join("\n"));
    eprintln!("{compared} items are as on the real chain");
}

/// The real outer enums hold every variant of ours under the same index and name.
#[test]
fn the_outer_enums_have_the_real_indexes() {
    let own = decode(localnet::metadata(16).unwrap());
    let Some(real) = real() else {
        eprintln!("NOT COMPARED: set ASSAY_METADATA to real metadata of spec 393");
        return;
    };
    let variants = |metadata: &RuntimeMetadataV16, id: u32| -> BTreeMap<String, u8> {
        let TypeDef::Variant(variants) = &metadata.types.resolve(id).unwrap().type_def else { panic!() };
        variants.variants.iter().map(|variant| (variant.name.clone(), variant.index)).collect()
    };
    let of = |metadata: &RuntimeMetadataV16| {
        let outer = &metadata.outer_enums;
        [outer.call_enum_ty.id, outer.event_enum_ty.id, outer.error_enum_ty.id].map(|id| variants(metadata, id))
    };
    for (here, there) in of(&own).iter().zip(of(&real)) {
        for (name, index) in here.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            assert_eq!(there.get(name), Some(index), "{name}");
        }
    }
}

/// The three versions tell the same of storage, and number their types alike: clients mix them.
#[test]
fn the_older_versions_tell_the_same() {
    let of = |version| {
        let mut bytes = localnet::metadata(version).unwrap();
        match RuntimeMetadataPrefixed::decode(&mut bytes).unwrap().1 {
            RuntimeMetadata::V14(metadata) => {
                let entries = metadata.pallets.iter().flat_map(|pallet| &pallet.storage);
                (metadata.types, entries.map(|storage| storage.entries.len()).sum::<usize>())
            }
            RuntimeMetadata::V15(metadata) => {
                let entries = metadata.pallets.iter().flat_map(|pallet| &pallet.storage);
                (metadata.types, entries.map(|storage| storage.entries.len()).sum())
            }
            RuntimeMetadata::V16(metadata) => {
                let entries = metadata.pallets.iter().flat_map(|pallet| &pallet.storage);
                (metadata.types, entries.map(|storage| storage.entries.len()).sum())
            }
            other => panic!("version {}", other.version()),
        }
    };
    assert!(of(14) == of(16) && of(15) == of(16));
    assert_eq!(of(14).0.resolve(0).unwrap().path.segments, ["sp_core", "crypto", "AccountId32"]);
    assert_eq!(localnet::metadata(13), None);
}

/// A chain of spec 425 offers the same but for its schedule, and what that runtime dropped.
#[test]
fn the_stateful_schedule_adds_and_drops_what_it_says() {
    let metadata = |schedule| offered(&decode(localnet::metadata_of(schedule, 16).unwrap()));
    let (legacy, stateful) = (metadata(Schedule::Legacy), metadata(Schedule::Stateful));
    let without = |all: &BTreeMap<String, String>, other: &BTreeMap<String, String>| -> Vec<String> {
        all.keys().filter(|item| !other.contains_key(*item)).cloned().collect()
    };
    assert_eq!(
        without(&legacy, &stateful),
        ["PruningScores", "Rank", "Trust"].map(|name| format!("storage SubtensorModule.{name}"))
    );
    assert_eq!(
        without(&stateful, &legacy),
        [
            "api SubnetInfoRuntimeApi.get_next_epoch_start_block",
            "storage Development.EpochBlocks",
            "storage SubtensorModule.ActivityCutoffFactorMilli",
            "storage SubtensorModule.LastEpochBlock",
            "storage SubtensorModule.MaxEpochsPerBlock",
            "storage SubtensorModule.PendingEpochAt",
            "storage SubtensorModule.SubnetEpochIndex",
        ]
    );
    let changed: Vec<&String> = legacy
        .iter()
        .filter(|(item, text)| stateful.get(*item).is_some_and(|other| other != *text))
        .map(|(item, _)| item)
        .collect();
    assert_eq!(changed, ["api SubnetInfoRuntimeApi", "constant System.Version"]);
}
