//! Extrinsics that the SDK signed: the call is read, written again by our code with its parameters, signed by the SDK's
//! signature, and compared byte by byte; every part of it is read back from the bytes.
//!
//! The runtime is of the spec version that a case names: from a blob `*spec<number>_*` in the folder `ASSAY_METADATA`, or
//! `shared/metadata` beside the checkout where that is there, or the development chain's own, which has the types and numbers of
//! that version.

use std::path::{Path, PathBuf};

use chain::Era;
use domain::types::{BlockNumber, HexBytes};
use network::keys::verify;
use subtensor::{Runtime, Signing, bytes_to_sign};

use super::json::{Found, Json, offer, texts};

/// Fields of a case that describe it and state no result.
const ABOUT: [&str; 3] = ["sdk", "name", "note"];
/// What is signed behind the call and the extensions, in the chain's order.
const IMPLIED: [&str; 5] = [
    "spec_version u32",
    "tx_version u32",
    "genesis_hash 32",
    "era_birth_hash 32",
    "metadata_hash Option<[u8;32]> = 00",
];

fn bytes(json: &Json) -> Found<Vec<u8>> {
    let text = json.text()?;
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| error.to_string())
}

fn array<const LENGTH: usize>(json: &Json) -> Found<[u8; LENGTH]> {
    bytes(json)?.try_into().map_err(|found: Vec<u8>| format!("{} bytes instead of {LENGTH}", found.len()))
}

fn shown(bytes: &[u8]) -> Json {
    Json::Text(format!("0x{}", hex::encode(bytes)))
}

fn number(value: impl Into<i128>) -> Json {
    Json::Int(value.into())
}

fn said(error: subtensor::Error) -> String {
    error.to_string()
}

/// The folder of metadata blobs, if there is one.
fn blobs() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/metadata");
    std::env::var_os("ASSAY_METADATA").map(PathBuf::from).or_else(|| beside.is_dir().then_some(beside))
}

/// The runtime of a spec version.
fn runtime(spec_version: u32, transaction_version: u32) -> Found<Runtime> {
    let decode = |metadata: &[u8]| Runtime::decode(spec_version, transaction_version, metadata).map_err(said);
    if let Some(folder) = blobs() {
        let wanted = format!("spec{spec_version}_");
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let named = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&wanted));
        if let Some(path) = paths.iter().rfind(named) {
            return decode(&std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?);
        }
    }
    if spec_version != localnet::runtime::SPEC_VERSION {
        return Err(format!("no metadata of spec {spec_version}: name a folder of blobs with ASSAY_METADATA"));
    }
    decode(localnet::metadata(16).ok_or("the development chain has no metadata of format 16")?)
}

/// The era of a case; none where it says that it has none.
fn era(case: &Json) -> Found<Option<Era>> {
    match (case.get("era_period"), case.get("era_birth_block")) {
        (Some(period), Some(birth)) => {
            Ok(Some(Era { period: period.natural()?, birth: BlockNumber(birth.natural()?) }))
        }
        (None, None) => Ok(None),
        _ => Err("an era has a period and a block at which it begins".to_owned()),
    }
}

/// The parts of a case that are written by us, and the bytes of the whole.
pub fn check(case: &Json) -> Found<(Json, Json)> {
    let small = |key: &str| u32::try_from(case.at(key)?.natural()?).map_err(|error| error.to_string());
    let runtime = runtime(small("spec_version")?, small("transaction_version")?)?;
    let call = bytes(case.at("call")?)?;
    let meaning = runtime.decode_call(&call).map_err(said)?;
    let era = era(case)?;
    let signing = Signing {
        nonce: case.at("nonce")?.natural()?,
        era,
        birth_hash: HexBytes(array(case.any(&["era_birth_hash", "genesis_hash"])?)?),
        genesis_hash: HexBytes(array(case.at("genesis_hash")?)?),
        tip: case.at("tip")?.natural()?.into(),
    };
    let (account, signature) = (array(case.at("account")?)?, array(case.at("signature")?)?);
    // A call that a validator or miner makes goes through its own parameters, another through the metadata's types alone.
    let (made, payload) = match &meaning {
        Some((call, style)) => (
            runtime.assemble(call, *style, &signing, account, signature).map_err(said)?,
            runtime.signer_payload(call, *style, &signing).map_err(said)?,
        ),
        None => runtime.assemble_bytes(&call, &signing, account, signature).map_err(said)?,
    };
    let read = runtime.read_extrinsic(&made.bytes).map_err(said)?;
    let stated = bytes(case.at("signer_payload")?)?;
    let expected = case.fields()?.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())).cloned();
    let expected = Json::Object(expected.collect());
    let mut offers = vec![
        ("extrinsic", shown(&made.bytes)),
        ("extrinsic_hash", shown(&made.hash.0)),
        ("version_byte", number(read.version_byte)),
        ("address_type", number(read.address_kind)),
        ("account", shown(&read.signer)),
        ("signature_type", number(read.signature_kind)),
        ("signature", shown(&read.signature)),
        ("era", shown(&read.era)),
        ("nonce", number(read.nonce)),
        ("tip", number(i128::try_from(read.tip).map_err(|error| error.to_string())?)),
        ("metadata_hash_mode", number(read.metadata_hash_mode)),
        ("call", shown(&read.call)),
        ("spec_version", number(runtime.spec_version())),
        ("transaction_version", number(runtime.transaction_version())),
        ("genesis_hash", shown(&signing.genesis_hash.0)),
        ("era_birth_hash", shown(&signing.birth_hash.0)),
        ("additional_signed_order", texts(IMPLIED)),
        ("signature_verifies", Json::Bool(verify(&account, &payload, &signature))),
    ];
    // A long payload may be stated as it is or as the hash that is signed in its place.
    let same = bytes_to_sign(&stated) == payload;
    offers.push(("signer_payload", if same { shown(&stated) } else { shown(&payload) }));
    if let (Some(era), Some((period, phase))) = (era, read.period_and_phase) {
        offers.push(("era_period", number(period)));
        offers.push(("era_phase", number(phase)));
        offers.push(("era_birth_block", number(era.birth.0)));
        // It was made in a block of its era.
        let current = case.get("current_block").map(Json::natural).transpose()?;
        let current = current.filter(|current| (era.birth.0..era.death().0).contains(current));
        offers.extend(current.map(|current| ("current_block", number(current))));
    } else if read.period_and_phase.is_none() && era.is_none() {
        for key in ["era_period", "era_phase", "era_birth_block"] {
            offers.push((key, Json::Null));
        }
        offers.extend(case.get("current_block").map(|current| ("current_block", current.clone())));
    }
    Ok((expected.clone(), offer(&expected, offers)))
}

/// All cases: one, a list of them, or a list in a section.
pub fn run(json: &Json) -> Vec<(String, Found<(Json, Json)>)> {
    let mut judged = Vec::new();
    match json {
        Json::List(cases) => {
            judged.extend(cases.iter().enumerate().map(|(at, case)| (format!("extrinsic[{at}]"), check(case))))
        }
        Json::Object(_) if json.get("call").is_some() => judged.push(("extrinsic".to_owned(), check(json))),
        Json::Object(sections) => {
            for (section, cases) in sections.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
                match cases.list() {
                    Ok(cases) => {
                        let named = |(at, case)| (format!("{section}[{at}]"), check(case));
                        judged.extend(cases.iter().enumerate().map(named));
                    }
                    Err(error) => judged.push((section.clone(), Err(error))),
                }
            }
        }
        other => judged.push(("extrinsic".to_owned(), Err(format!("{other:?} holds no case")))),
    }
    judged
}

#[test]
fn a_change_anywhere_in_a_case_is_found() {
    let text = include_bytes!("extrinsic.json");
    let Json::List(cases) = serde_json::from_slice(text).unwrap() else { panic!("a list") };
    let judged = |case: &Json| check(case).map(|(expected, actual)| super::json::compare(&expected, &actual, 0.0));
    for case in &cases {
        assert_eq!(judged(case), Ok(Vec::new()));
        let fields = case.fields().unwrap();
        for (key, value) in fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
            let changed = match value {
                Json::Int(number) => Json::Int(number + 256),
                Json::Bool(flag) => Json::Bool(!flag),
                Json::Text(text) => {
                    let last = if text.ends_with('0') { '1' } else { '0' };
                    Json::Text(text[..text.len() - 1].to_owned() + &last.to_string())
                }
                other => Json::List(vec![other.clone()]),
            };
            let fields = fields
                .iter()
                .map(|(name, old)| (name.clone(), if name == key { changed.clone() } else { old.clone() }));
            let found = judged(&Json::Object(fields.collect()));
            assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "{key} was changed");
        }
        let more = fields.iter().cloned().chain([("more".to_owned(), Json::Int(1))]);
        assert_eq!(judged(&Json::Object(more.collect())).map(|found| found.len()), Ok(1), "a field that nobody reads");
    }
}
