//! What peers of the SDK 6 to 11 send: head, body, `btauth/1`; tokens; addresses.

use network::btauth::{Authenticator, Presented};
use network::fernet::FernetKey;
use network::legacy::nonces::NonceLimits;
use network::legacy::python::{compact, dumps, string_of};
use network::legacy::{Head, Json, Kind, Shape, Verifier};

/// Lines of `name: value`.
fn lines(input: &[u8]) -> Vec<(String, &[u8])> {
    let split = |line: &[u8]| line.iter().position(|byte| *byte == b':');
    input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = split(line)?;
            let name = String::from_utf8_lossy(&line[..colon]).trim().to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii()))
        })
        .collect()
}

/// What is read can be written and read again, is printable, and a forged request never counts.
pub(super) fn headers(input: &[u8]) -> bool {
    let lines = lines(input);
    let Ok(head) = Head::read(lines.iter().map(|(name, value)| (name.as_str(), *value))) else { return false };
    let written = head.lines();
    assert!(written.iter().all(|(_, value)| value.bytes().all(|byte| matches!(byte, b' '..=b'~'))));
    let again = Head::read(written.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    assert_eq!(again.map(|head| head.lines()), Ok(written));
    // The address of //Dave, for whom nothing in the seeds is signed: whatever is put together of them, none can count.
    let verifier = Verifier::new("5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy".to_owned(), NonceLimits::default());
    let now = head.dendrite.nonce.unwrap_or(1_795_174_033_000_000_000);
    assert!(verifier.verify(&head, now).is_err());
    let shape = Shape::new("Echo").required("prompt", Kind::Text);
    let _ = shape.accepts_inputs(&head.inputs);
    true
}

/// What is read is written back as the same value, in both forms, and every shape takes it or not.
pub(super) fn body(input: &[u8]) -> bool {
    let Ok(json) = Json::parse(input) else { return false };
    for text in [dumps(&json), compact(&json)] {
        assert_eq!(Json::parse(text.as_bytes()).as_ref(), Ok(&json), "{text}");
    }
    let _ = string_of(&json);
    let list = |kind| Kind::List(Box::new(kind));
    for kind in [Kind::Any, Kind::Text, Kind::Integer, Kind::Float, Kind::Bool, list(Kind::Float), list(Kind::Integer)]
    {
        let shape = Shape::new("Any").required("prompt", kind.clone()).optional("n", kind).hashed(["prompt", "n"]);
        if let Ok(fields) = shape.read(&json) {
            assert_eq!(shape.body_hash(&fields).len(), 64);
            // Converting what is converted changes nothing.
            assert_eq!(shape.read(&Json::Object(fields.clone())).as_ref(), Ok(&fields));
            assert!(shape.inputs(&fields).is_empty() || shape.accepts_inputs(&shape.inputs(&fields)).is_ok());
        }
    }
    true
}

/// Nothing but the seed's own bytes counts.
pub(super) fn btauth(input: &[u8]) -> bool {
    let lines = lines(input);
    let find = |name: &str| lines.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let Ok(presented) = Presented::read(find) else { return false };
    let own = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty".to_owned();
    let authenticator = Authenticator::new(own, false, NonceLimits::default());
    assert!(authenticator.verify(&presented, ("POST", "/fuzz", input), 1_760_000_000_000_000_000).is_err());
    true
}

/// What the token below holds.
const PLAINTEXT: &[u8] = br#"{"prompt":"tea","nonce":"1760000000000000000_aB3dE6gH9k"}"#;

fn fernet_key() -> FernetKey {
    FernetKey::from_bytes([7; 32])
}

/// A token of the key.
pub(super) fn token() -> Vec<Vec<u8>> {
    let token = fernet_key().seal_with(PLAINTEXT, 1_760_000_000, &[3; 16]);
    token.into_iter().map(String::into_bytes).collect()
}

/// No token opens but the one that was made with the key, whatever base64 leaves open.
pub(super) fn fernet(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let opened = fernet_key().open(text, Some((1_760_000_010, 60)));
    assert!(opened.as_deref().is_ok_and(|found| found == PLAINTEXT) || opened.is_err(), "{opened:?}");
    opened.is_ok()
}

/// An address that is let through is the one that was written, but for a scope, which public addresses have no use for; and public.
pub(super) fn address(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let guard = network::address::AddressGuard::for_network("finney");
    let parsed = guard.parse(text);
    if let Ok(address) = parsed {
        let written: Option<std::net::SocketAddr> = text.parse().ok();
        assert_eq!(written.map(|written| (written.ip(), written.port())), Some((address.ip(), address.port())));
        assert!(!address.ip().is_loopback() && !address.ip().is_unspecified() && !address.ip().is_multicast());
    }
    let decoded = domain::ss58::decode(text);
    assert!(decoded.as_ref().is_ok_and(|public| domain::ss58::encode(public) == text) || decoded.is_err(), "{text}");
    parsed.is_ok() || decoded.is_ok()
}
