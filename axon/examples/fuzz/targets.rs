//! The readers, and what they promise of what they accept.

use network::btauth::{Authenticator, Presented};
use network::legacy::nonces::NonceLimits;
use network::legacy::python::{compact, dumps, string_of};
use network::legacy::{Head, Json, Kind, Shape, Verifier};

/// A reader.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Panics where a promise is broken.
    pub(crate) check: fn(&[u8]),
}

pub(crate) const TARGETS: [Target; 5] = [
    Target { name: "headers", check: headers },
    Target { name: "body", check: body },
    Target { name: "btauth", check: btauth },
    Target { name: "fernet", check: fernet },
    Target { name: "address", check: address },
];

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
fn headers(input: &[u8]) {
    let lines = lines(input);
    let Ok(head) = Head::read(lines.iter().map(|(name, value)| (name.as_str(), *value))) else { return };
    let written = head.lines();
    assert!(written.iter().all(|(_, value)| value.bytes().all(|byte| matches!(byte, b' '..=b'~'))));
    let again = Head::read(written.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    assert_eq!(again.map(|head| head.lines()), Ok(written));
    let verifier = Verifier::new("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty".to_owned(), NonceLimits::default());
    let now = head.dendrite.nonce.unwrap_or(1_795_174_033_000_000_000);
    // The seeds' signatures are of another receiver, so that none can count here.
    assert!(verifier.verify(&head, now).is_err());
    let shape = Shape::new("Echo").required("prompt", Kind::Text);
    let _ = shape.accepts_inputs(&head.inputs);
}

/// What is read is written back as the same value, in both forms, and every shape takes it or not.
fn body(input: &[u8]) {
    let Ok(json) = Json::parse(input) else { return };
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
}

/// Nothing but the seed's own bytes counts.
fn btauth(input: &[u8]) {
    let lines = lines(input);
    let find = |name: &str| lines.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let Ok(presented) = Presented::read(find) else { return };
    let own = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty".to_owned();
    let authenticator = Authenticator::new(own, false, NonceLimits::default());
    assert!(authenticator.verify(&presented, ("POST", "/fuzz", input), 1_760_000_000_000_000_000).is_err());
}

/// No token but one made with the key opens.
fn fernet(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    assert!(network::fernet::FernetKey::from_bytes([7; 32]).open(text, None).is_err());
}

/// An address that is let through is the one that was written, but for a scope, which public addresses have no use for; and public.
fn address(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let guard = network::address::AddressGuard::for_network("finney");
    if let Ok(address) = guard.parse(text) {
        let written: Option<std::net::SocketAddr> = text.parse().ok();
        assert_eq!(written.map(|written| (written.ip(), written.port())), Some((address.ip(), address.port())));
        assert!(!address.ip().is_loopback() && !address.ip().is_unspecified() && !address.ip().is_multicast());
    }
    let _ = domain::ss58::decode(text);
}
