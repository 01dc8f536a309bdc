//! Names that must be there in every runtime, and those that may.

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
            "LastMechansimStepBlock",
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
            "TaoWeight",
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
    ("System", &["Account", "Events"]),
    ("Timestamp", &["Now"]),
    ("Commitments", &["CommitmentOf"]),
    ("Drand", &["LastStoredRound", "Pulses"]),
];
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
        assert!(runtime.has_call("Commitments", "set_commitment"), "{name}");
        for (api, method) in APIS {
            assert_eq!(runtime.has_api(api, method), lists_apis(&name), "{name}: {api}_{method}");
        }
    }
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
