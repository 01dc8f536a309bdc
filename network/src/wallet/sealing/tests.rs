#![allow(clippy::unwrap_used)]
use super::*;

/// Written by other software, see `golden/README.md`.
const GOLDEN: [(&[u8], Sealing); 3] = [
    (include_bytes!("../golden/coldkey.nacl"), Sealing::Nacl),
    (include_bytes!("../golden/coldkey.ansible"), Sealing::AnsibleVault),
    (include_bytes!("../golden/coldkey.fernet"), Sealing::Fernet),
];
const PASSWORD: &str = "päss wörd-1";
const ADDRESS: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

#[test]
fn files_of_other_software_open() {
    for (bytes, form) in GOLDEN {
        assert_eq!(Sealing::of(bytes), Some(form));
        let opened = form.open(bytes, PASSWORD.as_bytes()).unwrap();
        assert_eq!(crate::wallet::keyfile::parse(&opened).unwrap().ss58(), ADDRESS, "{form:?}");
    }
    assert_eq!(Sealing::of(b"{\"publicKey\":\"0x\"}"), None);
}

#[test]
fn wrong_passwords_are_told() {
    let wrong = [
        Sealing::AnsibleVault.open(GOLDEN[1].0, b"another password").unwrap_err(),
        // Ten million rounds are another test's.
        open_fernet(GOLDEN[2].0, PASSWORD.as_bytes(), 1).unwrap_err(),
    ];
    assert!(wrong.iter().all(|error| error.to_string().ends_with(WRONG)), "{wrong:?}");
}

/// That the unchanged file opens is tested with new wallets.
#[test]
fn what_is_sealed_and_changed_does_not_open() {
    let sealed = seal(b"{\"secretSeed\":\"\"}", b"long enough").unwrap();
    assert_eq!(Sealing::of(&sealed), Some(Sealing::Nacl));
    assert_eq!(sealed.len(), NACL.len() + NONCE + TAG + 17);
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    let mut changed = sealed;
    *changed.last_mut().unwrap() ^= 1;
    assert!(Sealing::Nacl.open(&changed, b"long enough").unwrap_err().to_string().ends_with(WRONG));
}

#[test]
fn damaged_envelopes_are_refused_without_effort() {
    for (bytes, form) in [
        (&b"$NACL"[..], Sealing::Nacl),
        (b"$NACL0123456789012345678901234567890123456", Sealing::Nacl),
        (b"$ANSIBLE_VAULT", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.1;AES256", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.1;AES256\nzz", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.1;AES256\n30\n0a", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.1;AES256\n300a300a30", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.1;AES256\n30300a30300a3030", Sealing::AnsibleVault),
        (b"$ANSIBLE_VAULT;1.0;AES\n30300a30300a3030", Sealing::AnsibleVault),
        (b"gAAAAA\xff", Sealing::Fernet),
    ] {
        assert!(matches!(form.open(bytes, b"p"), Err(Error::Sealing { .. })), "{bytes:?}");
    }
    for form in [Sealing::Nacl, Sealing::AnsibleVault, Sealing::Fernet] {
        assert!(form.open(b"", &[b'p'; MAXIMUM_PASSWORD + 1]).is_err());
    }
    assert!(open_fernet(b"gAAAAAB", b"p", 1).is_err());
    assert!(seal(b"", &[b'p'; MAXIMUM_PASSWORD + 1]).is_err());
}
