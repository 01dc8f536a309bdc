#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::os::unix::fs::PermissionsExt as _;

use super::*;

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
        ("$NACL abc".to_owned(), "encrypted"),
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
