//! Names that must be there in every runtime, and those that may.

use std::collections::BTreeSet;

use subtensor::Runtime;

use crate::runtimes;

const STORAGE: &[(&str, &[&str])] = &[
    (
        "SubtensorModule",
        &[
            "Active",
            "ActivityCutoff",
            "Axons",
            "BlockAtRegistration",
            "BlocksSinceLastStep",
            "CommitRevealWeightsEnabled",
            "CommitRevealWeightsVersion",
            "Consensus",
            "Dividends",
            "Emission",
            "ImmunityPeriod",
            "Incentive",
            "Keys",
            "LastUpdate",
            "MaxAllowedUids",
            "MaxAllowedValidators",
            "MaxWeightsLimit",
            "MechanismCountCurrent",
            "MinAllowedWeights",
            "NetworksAdded",
            "Owner",
            "RevealPeriodEpochs",
            "ServingRateLimit",
            "StakeThreshold",
            "SubnetOwnerHotkey",
            "SubnetworkN",
            "Tempo",
            "TotalHotkeyAlpha",
            "Uids",
            "ValidatorPermit",
            "ValidatorTrust",
            "Weights",
            "WeightsSetRateLimit",
            "WeightsVersionKey",
        ],
    ),
    ("System", &["Events"]),
    ("Timestamp", &["Now"]),
    ("Commitments", &["CommitmentOf"]),
    ("Drand", &["BeaconConfig"]),
];
/// Storage entries that only newer runtimes have; what reads them does without.
const NEWER: &[&str] = &["ActivityCutoffFactorMilli", "LastEpochBlock", "PendingEpochAt", "SubnetEpochIndex"];
const CALLS: &[&str] = &[
    "set_weights",
    "set_mechanism_weights",
    "commit_weights",
    "commit_mechanism_weights",
    "reveal_weights",
    "reveal_mechanism_weights",
    "commit_timelocked_weights",
    "commit_timelocked_mechanism_weights",
    "burned_register",
    "serve_axon",
];
const EVENTS: &[&str] =
    &["WeightsSet", "WeightsCommitted", "WeightsRevealed", "TimelockedWeightsCommitted", "TimelockedWeightsRevealed"];
const SYSTEM_EVENTS: &[&str] = &["ExtrinsicFailed", "ExtrinsicSuccess"];
/// Errors that the validator or its operator acts on.
const ERRORS: &[&str] = &[
    "CommitRevealDisabled",
    "CommittingWeightsTooFast",
    "HotKeyNotRegisteredInNetwork",
    "HotKeyNotRegisteredInSubNet",
    "IncorrectCommitRevealVersion",
    "IncorrectWeightVersionKey",
    "MaxWeightExceeded",
    "MechanismDoesNotExist",
    "NeuronNoValidatorPermit",
    "NotEnoughStakeToSetWeights",
    "ServingRateLimitExceeded",
    "SettingWeightsTooFast",
    "SubnetNotExists",
    "TooManyUnrevealedCommits",
    "WeightVecLengthIsLow",
];
const APIS: &[(&str, &str)] = &[
    ("SubnetInfoRuntimeApi", "get_metagraph"),
    ("NeuronInfoRuntimeApi", "get_neurons_lite"),
    ("AccountNonceApi", "account_nonce"),
    ("Metadata", "metadata_at_version"),
    ("Metadata", "metadata_versions"),
];

/// Metadata of format 14 lists no runtime APIs.
fn lists_apis(name: &str) -> bool {
    !name.contains("v14")
}

#[test]
fn every_name_is_there() {
    for (name, runtime) in runtimes() {
        for (pallet, entries) in STORAGE {
            for entry in *entries {
                assert!(runtime.has_storage(pallet, entry), "{name}: {pallet}.{entry}");
            }
        }
        let has = |what: &str, all: &[&str], has: fn(&Runtime, &str, &str) -> bool| {
            for item in all {
                assert!(has(&runtime, "SubtensorModule", item), "{name}: {what} {item}");
            }
        };
        has("call", CALLS, Runtime::has_call);
        has("event", EVENTS, Runtime::has_event);
        has("error", ERRORS, Runtime::has_error);
        for event in SYSTEM_EVENTS {
            assert!(runtime.has_event("System", event), "{name}: event {event}");
        }
        assert!(runtime.has_call("Commitments", "set_commitment"), "{name}");
        for (api, method) in APIS {
            assert_eq!(runtime.has_api(api, method), lists_apis(&name), "{name}: {api}_{method}");
        }
    }
}

/// The sources that name what they ask a runtime for. The names of calls are held by the tests of calls.
const SOURCES: [&str; 9] = [
    "src/client.rs",
    "src/link/rpc.rs",
    "src/link/supervisor.rs",
    "src/read/hyperparameters.rs",
    "src/read/metagraph.rs",
    "src/read/mod.rs",
    "src/read/rows.rs",
    "src/runtime/commitment.rs",
    "src/runtime/events.rs",
];
/// Texts of those sources that look like such a name: one of our types, and variants of types that are read by name.
const OTHER_TEXTS: [&str; 4] = ["BigRaw", "Module", "Raw", "Subtensor"];

/// The quoted words of a source that begin with a capital, as the names of pallets, entries, events and APIs do.
fn quoted_names(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let quoted = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_name = |text: &&str| {
        text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    quoted.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_lists_hold_what_the_sources_ask_for() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let reads = std::fs::read_dir(folder.join("src/read")).unwrap().count();
    assert_eq!(reads, SOURCES.iter().filter(|source| source.starts_with("src/read/")).count(), "sources of src/read");
    let read = |source: &&str| std::fs::read_to_string(folder.join(source)).expect(source);
    // `SubtensorModule` stands where the module's constant is defined.
    let mut asked = BTreeSet::from(["SubtensorModule".to_owned()]);
    asked.extend(SOURCES.iter().flat_map(|source| quoted_names(&read(source))));
    for other in OTHER_TEXTS {
        assert!(asked.remove(other), "{other} stands in no source any more");
    }
    let mut listed: BTreeSet<String> =
        NEWER.iter().chain(EVENTS).chain(SYSTEM_EVENTS).map(ToString::to_string).collect();
    for (pallet, entries) in STORAGE {
        listed.insert((*pallet).to_owned());
        listed.extend(entries.iter().map(ToString::to_string));
    }
    for (api, method) in APIS {
        // Either the two apart, or the name by which a node is asked.
        let joined = format!("{api}_{method}");
        listed.insert(if asked.contains(&joined) { joined } else { (*api).to_owned() });
    }
    let unlisted: Vec<_> = asked.difference(&listed).collect();
    let unasked: Vec<_> = listed.difference(&asked).collect();
    assert!(
        unlisted.is_empty() && unasked.is_empty(),
        "asked for and not listed {unlisted:?}, listed only {unasked:?}"
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    for (name, runtime) in runtimes() {
        assert!(!runtime.has_storage("SubtensorModule", "LastEpochBlock"), "{name} has the newer schedule of epochs");
        assert!(!runtime.has_storage("NoSuchPallet", "Tempo"));
        assert!(!runtime.has_call("SubtensorModule", "commit_crv3_weights"));
        assert!(!runtime.has_event("SubtensorModule", "NoSuchEvent"));
        assert!(!runtime.has_error("Balances", "SettingWeightsTooFast"));
        assert!(!runtime.has_api("NeuronInfoRuntimeApi", "no_such_method"));
        assert!(runtime.storage_key("SubtensorModule", "NoSuchEntry", ()).is_err());
        assert!(runtime.api_arguments("NeuronInfoRuntimeApi", "no_such_method", (1u16,)).is_err());
    }
}

#[test]
fn damaged_metadata_is_refused() {
    assert!(Runtime::decode(1, 1, b"").is_err());
    assert!(Runtime::decode(1, 1, b"meta").is_err());
    assert!(Runtime::decode(1, 1, b"meta\x10\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    assert!(Runtime::decode(1, 1, &[0x41; 100]).is_err());
}
