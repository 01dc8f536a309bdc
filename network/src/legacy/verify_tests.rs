#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;
use crate::keys::Keypair;
use crate::legacy::Terminal;

const NOW: u64 = 1_795_174_033_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(Keypair::from_uri("//Bob").unwrap().ss58(), NonceLimits::default())
}

/// A request of Alice to Bob that counts at `NOW`, before and after a change.
fn head(nonce: u64, change: impl Fn(&mut Head), later: impl Fn(&mut Head)) -> Head {
    let mut head = Head {
        dendrite: Terminal {
            version: Some(10_005_000),
            nonce: Some(nonce),
            uuid: Some("uuid".to_owned()),
            hotkey: Some(alice().ss58()),
            ..Terminal::default()
        },
        computed_body_hash: Some("hash".to_owned()),
        ..Head::default()
    };
    change(&mut head);
    let bob = Keypair::from_uri("//Bob").unwrap().ss58();
    let text = |value: &Option<String>| value.clone().unwrap_or("None".to_owned());
    let nonce = head.dendrite.nonce.map_or("None".to_owned(), |nonce| nonce.to_string());
    let (uuid, hash) = (text(&head.dendrite.uuid), text(&head.computed_body_hash));
    let message = message::request(&nonce, &text(&head.dendrite.hotkey), &bob, &uuid, &hash);
    head.dendrite.signature = Some(message::sign(&alice(), &message));
    later(&mut head);
    head
}

fn plain(nonce: u64) -> Head {
    head(nonce, |_| {}, |_| {})
}

#[test]
fn what_counts() {
    type Change = fn(&mut Head);
    let cases: [(u64, Change); 9] = [
        (NOW, |_| {}),
        (NOW - 16 * SECOND + 1, |_| {}),
        (NOW + 5 * SECOND, |_| {}),
        (NOW - 63 * SECOND, |head| head.timeout = 60.0),
        (NOW, |head| head.dendrite.uuid = None),
        (NOW, |head| head.computed_body_hash = None),
        (NOW, |head| head.axon.hotkey = Some("somebody else".to_owned())),
        (5, |head| head.dendrite.version = Some(722)),
        (5, |head| head.dendrite.version = None),
    ];
    for (at, (nonce, change)) in cases.into_iter().enumerate() {
        let verified = verifier().verify(&head(nonce, change, |_| {}), NOW).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert_eq!(verified.hotkey.as_str(), alice().ss58());
    }
}

#[test]
fn what_does_not_in_the_sdks_words() {
    type Change = fn(&mut Head);
    let cases: [(u64, Change, &str); 15] = [
        (NOW, |head| head.dendrite.hotkey = None, "No SS58 formatted address or public key provided."),
        (NOW, |head| head.dendrite.hotkey = Some("abc".to_owned()), "Invalid SS58 address: Length is bad"),
        (NOW, |head| head.dendrite.nonce = None, "Missing Nonce"),
        (NOW, |head| head.dendrite.signature = None, "Missing Signature"),
        (NOW, |head| head.dendrite.signature = Some(String::new()), "Missing Signature"),
        (NOW, |head| head.dendrite.signature = Some("0xzz".to_owned()), "Invalid SR25519 signature."),
        (
            NOW,
            |head| head.dendrite.signature = Some(format!("0x{}", "0".repeat(128))),
            "Signature mismatch with 1795174033000000000.5Grw",
        ),
        (NOW, |head| head.dendrite.uuid = Some("other".to_owned()), "Signature mismatch"),
        (NOW, |head| head.computed_body_hash = Some("other".to_owned()), "Signature mismatch"),
        (NOW, |head| head.dendrite.nonce = Some(NOW + 1), "Signature mismatch"),
        (
            NOW - 17 * SECOND,
            |_| {},
            "Nonce is too old: acceptable delta is 16.00 seconds but request was 17.00 seconds old",
        ),
        (5, |_| {}, "Nonce is too old: acceptable delta is 16.00 seconds but request was 1795174033.00 seconds old"),
        (NOW + 6 * SECOND, |_| {}, "Nonce is too new: it is 6.00 seconds ahead of the clock, acceptable are 5.00"),
        // A timeout is not signed: it widens the window by ten minutes at most.
        (NOW - 700 * SECOND, |head| head.timeout = 1e300, "Nonce is too old: acceptable delta is 604.00"),
        // Nor is the version: a nonce that is a time is measured as one.
        (NOW - 700 * SECOND, |head| head.dendrite.version = Some(712), "Nonce is too old: acceptable delta is 16.00"),
    ];
    for (nonce, change, text) in cases {
        let error = verifier().verify(&head(nonce, |_| {}, change), NOW).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error:?} instead of {text:?}");
    }
}

#[test]
fn requests_may_overtake_each_other_and_count_once() {
    let verifier = verifier();
    for (nonce, counts) in [(NOW, true), (NOW - 2, true), (NOW - 1, true), (NOW, false), (NOW - 2, false)] {
        let outcome = verifier.verify(&plain(nonce), NOW);
        assert_eq!(outcome.is_ok(), counts, "{outcome:?}");
    }
    // Another process of the same signer, the same nonce: a replay with another uuid would not verify, and this is refused too.
    let other = head(NOW, |head| head.dendrite.uuid = Some("other".to_owned()), |_| {});
    assert_eq!(verifier.verify(&other, NOW), Err(VerifyError::Used));
}

#[test]
fn a_used_request_never_counts_again_whatever_is_not_signed() {
    let verifier = verifier();
    let used = plain(NOW);
    verifier.verify(&used, NOW).unwrap();
    for later in [0, 1, 10, 15, 17, 100, 603, 605, 100_000] {
        for timeout in [0.0, 12.0, 600.0, 1e9] {
            for version in [None, Some(0), Some(722), Some(7_002_000), Some(-1)] {
                let mut again = used.clone();
                again.timeout = timeout;
                again.dendrite.version = version;
                again.name = Some("Other".to_owned());
                assert!(verifier.verify(&again, NOW + later * SECOND).is_err(), "{later} {timeout} {version:?}");
            }
        }
        // Traffic of others makes the memory forget what it may.
        let others = Keypair::from_seed(&[later as u8; 32]).unwrap();
        let mut nonces = verifier.nonces.lock().unwrap();
        nonces.timed.use_up(
            &others.public(),
            NOW + later * SECOND,
            ((NOW + later * SECOND).saturating_sub(604 * SECOND), NOW + later * SECOND),
        );
    }
}

#[test]
fn a_refused_request_uses_nothing_up() {
    let verifier = verifier();
    let forged = head(NOW, |_| {}, |head| head.dendrite.signature = Some(format!("0x{}", "0".repeat(128))));
    assert!(verifier.verify(&forged, NOW).is_err());
    assert!(verifier.verify(&plain(NOW), NOW).is_ok());
}

#[test]
fn old_senders_count_up() {
    let verifier = verifier();
    let old = |nonce| head(nonce, |head| head.dendrite.version = Some(722), |_| {});
    assert!(verifier.verify(&old(5), NOW).is_ok());
    assert_eq!(verifier.verify(&old(5), NOW), Err(VerifyError::Used));
    assert_eq!(verifier.verify(&old(4), NOW), Err(VerifyError::Used));
    assert!(verifier.verify(&old(6), NOW).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn times_beyond_all_measure_do_not_panic(nonce: u64, now: u64, timeout in 0f64.., version: Option<i64>) {
        let head = head(nonce, |_| {}, |head| { head.timeout = timeout; head.dendrite.version = version; });
        let _ = verifier().verify(&head, now);
    }
}
