#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::checkpoint_key::CheckpointKey;

/// Hotkey files written by btwallet 4.1.1 from the public development phrase.
const FROM_PHRASE: &str = r#"{"secretPhrase":"bottom drive obey lake curtain smoke basket hold race lonely fit walk","accountId":"0x46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a","secretSeed":"0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e","cryptoType":1,"publicKey":"0x46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a","ss58Address":"5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV","privateKey":"0x05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0afd190cce74df356432b410bd64682309d6dedb27c76845daf388557cbac3ca34"}"#;
const ALICE: &str = r#"{"cryptoType":1,"privateKey":"0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011","accountId":"0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d","ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY","publicKey":"0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"}"#;

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotkey");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

#[test]
fn a_stored_key_is_the_loaded_key_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotkey");
    let key = Keypair::generate().unwrap();
    key.store(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let loaded = Keypair::load(&path).unwrap();
    assert_eq!(loaded.public(), key.public());
    assert!(crate::keys::verify(&key.public(), b"m", &loaded.sign(b"m")));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["hotkey"], "nothing is left beside it");
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotkey");
    let first = Keypair::load_or_generate(&path).unwrap();
    assert!(matches!(Keypair::generate().unwrap().store(&path), Err(Error::KeyFileExists(_))));
    assert_eq!(Keypair::load_or_generate(&path).unwrap().public(), first.public());
    let checkpoint = folder.path().join("checkpoint");
    let key = CheckpointKey::load_or_generate(&checkpoint).unwrap();
    assert!(matches!(CheckpointKey::generate().unwrap().store(&checkpoint), Err(Error::KeyFileExists(_))));
    assert_eq!(CheckpointKey::load_or_generate(&checkpoint).unwrap().public(), key.public());
    assert!(matches!(CheckpointKey::load(&path), Err(Error::KeyFileContent { .. })), "a hotkey is no checkpoint key");
}

#[test]
fn those_who_start_together_end_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotkey");
    let publics: std::collections::BTreeSet<[u8; 32]> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| Keypair::load_or_generate(&path).unwrap().public())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(publics.len(), 1);
}

#[test]
fn wallet_files_are_read() {
    for (text, address) in [
        (FROM_PHRASE, "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"),
        (ALICE, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
    ] {
        let (_folder, path) = written(text);
        assert_eq!(Keypair::load(&path).unwrap().ss58(), address);
    }
}

#[test]
fn files_that_others_can_read_are_refused() {
    let (_folder, path) = written(ALICE);
    for mode in [0o640, 0o604, 0o620, 0o644, 0o777] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = Keypair::load(&path).unwrap_err();
        assert!(matches!(error, Error::KeyFileMode { mode: found, .. } if found == mode), "{error}");
    }
}

#[test]
fn files_that_are_no_key_are_refused_without_showing_the_secret() {
    let secret = "33a6f3093f158a7109f679410bef1a0c";
    for (text, reason) in [
        (ALICE.replace("0xd43593c7", "0xd43593c8"), "publicKey"),
        (ALICE.replace("5GrwvaEF", "5FHneW46"), "ss58Address"),
        (ALICE.replace("\"cryptoType\":1", "\"cryptoType\":0"), "cryptoType"),
        (ALICE.replace("privateKey", "otherKey"), "neither"),
        (ALICE.replace("6011\"", "60\""), "privateKey is not 64 bytes"),
        (ALICE.replace("\"accountId\":", "\"accountId\""), "line 1"),
        (ALICE[..100].to_owned(), "line 1"),
        (ALICE.replace("\"publicKey\"", "\"otherKey\""), "no publicKey"),
        (FROM_PHRASE.replace("\"secretSeed\"", "\"otherSeed\"").replace("walk\"", "fit\""), "checksum"),
        ("$NACL abc".to_owned(), "BT_PW_"),
        (format!("{ALICE}{}", " ".repeat(20_000)), "bytes"),
    ] {
        let (_folder, path) = written(&text);
        let error = Keypair::load(&path).unwrap_err();
        assert!(error.to_string().contains(reason), "{error} does not say {reason}");
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
    assert!(matches!(Keypair::load(Path::new("/nonexistent/hotkey")), Err(Error::KeyFile { .. })));
    assert!(matches!(Keypair::load(Path::new("/")), Err(Error::KeyFileContent { .. })));
}

#[test]
fn every_form_of_the_secret_gives_the_key() {
    let without = |text: &str, names: &[&str]| {
        names.iter().fold(text.to_owned(), |text, name| text.replace(&format!("\"{name}\""), &format!("\"x{name}\"")))
    };
    for gone in
        [&[][..], &["secretSeed"], &["secretPhrase"], &["secretSeed", "secretPhrase"], &["privateKey", "secretSeed"]]
    {
        let key = parse(without(FROM_PHRASE, gone).as_bytes()).unwrap();
        assert_eq!(key.ss58(), "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV", "{gone:?}");
    }
    // A phrase or a seed proves itself; an expanded secret does not.
    let public = ["publicKey", "accountId", "ss58Address"];
    assert!(parse(without(FROM_PHRASE, &public).as_bytes()).is_ok());
    assert!(parse(without(ALICE, &public).as_bytes()).is_err());
}

#[test]
fn what_is_written_is_read_with_its_phrase() {
    let phrase = Phrase::generate(12).unwrap();
    let key = phrase.keypair().unwrap();
    let text = write(&key, Some(&phrase)).unwrap();
    assert!(String::from_utf8_lossy(&text).contains(phrase.text().as_str()));
    assert_eq!(parse(&text).unwrap().public(), key.public());
    assert_eq!(parse_public(&text).unwrap(), key.public());
    assert!(write(&Keypair::generate().unwrap(), Some(&phrase)).is_err());
    let public = write_public(&key.public()).unwrap();
    assert_eq!(parse_public(&public).unwrap(), key.public());
    assert!(parse(&public).is_err());
    assert!(!String::from_utf8(public).unwrap().contains("secret"));
}

#[test]
fn public_files_of_every_age_are_read() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let digits = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    for text in [
        format!(
            "{{\"ss58Address\":\"{alice}\",\"cryptoType\":1,\"accountId\":\"{digits}\",\"publicKey\":\"{digits}\"}}"
        ),
        format!("{{\"ss58Address\":\"{alice}\",\"publicKey\":null}}"),
        format!("{{\"accountId\":\"{digits}\"}}"),
        format!("{alice}\n"),
        digits.to_owned(),
    ] {
        assert_eq!(domain::ss58::encode(&parse_public(text.as_bytes()).unwrap()), alice, "{text}");
    }
    for text in ["", "{}", "0x12", "[]", "\u{0}", "5GrwvaEF", "{\"ss58Address\":\"5F\"}"] {
        assert!(parse_public(text.as_bytes()).is_err(), "{text:?}");
    }
    let contradiction = format!("{{\"ss58Address\":\"{alice}\",\"publicKey\":\"0x{}\"}}", "00".repeat(32));
    assert!(parse_public(contradiction.as_bytes()).is_err() && parse_public(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_sealed_file_asks_for_its_password() {
    let (_folder, path) = written("");
    std::fs::write(&path, include_bytes!("../golden/coldkey.ansible")).unwrap();
    let given = |password: &'static str| move || Ok(Some(Zeroizing::new(password.as_bytes().to_vec())));
    let loaded = Keypair::load_with(&path, given("päss wörd-1")).unwrap();
    assert_eq!(loaded.ss58(), "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV");
    let error = Keypair::load_with(&path, given("wrong")).unwrap_err();
    assert!(matches!(error, Error::KeyFileContent { .. }) && error.to_string().contains("password"), "{error}");
    assert!(matches!(Keypair::load(&path), Err(Error::KeyFileSealed { form: "Ansible Vault", .. })));
    let (_folder, plain) = written(ALICE);
    assert!(Keypair::load_with(&plain, || unreachable!("a plain file has no password")).is_ok());
}
