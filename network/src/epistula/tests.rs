#![allow(clippy::unwrap_used)]
use super::*;

const NOW: u64 = 1_760_000_000_000;

fn pair() -> (Keypair, Hotkey) {
    (Keypair::from_uri("//Alice").unwrap(), Keypair::from_uri("//Bob").unwrap().hotkey())
}

type Fields = Vec<(&'static str, String)>;

fn get<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn verify(fields: &Fields, body: &[u8], now: u64, seen: &Mutex<ReplayStore>) -> Result<Hotkey, Refusal> {
    let receiver = Receiver { own: pair().1, unaddressed: false };
    receiver.verify(|name| get(fields, name), body, now, |_| true, seen)
}

fn with(fields: &Fields, name: &'static str, value: &str) -> Fields {
    let mut fields: Fields = fields.iter().filter(|(known, _)| *known != name).cloned().collect();
    fields.push((name, value.to_owned()));
    fields
}

#[test]
fn a_request_passes_once_within_its_window() {
    let (alice, bob) = pair();
    let seen = Mutex::new(ReplayStore::default());
    let fields = sign(&alice, b"{}", Some(&bob), NOW).unwrap();
    assert_eq!(verify(&fields, b"{}", NOW + WINDOW + 1, &seen), Err(Refusal::Stale));
    assert_eq!(verify(&fields, b"{}", NOW - WINDOW - 1, &seen), Err(Refusal::Stale));
    assert_eq!(verify(&fields, b"[]", NOW, &seen), Err(Refusal::Signature));
    assert_eq!(verify(&fields, b"{}", NOW + WINDOW, &seen), Ok(alice.hotkey()));
    assert_eq!(verify(&fields, b"{}", NOW, &seen), Err(Refusal::Replayed));
    let again = sign(&alice, b"{}", Some(&bob), NOW).unwrap();
    assert_eq!(verify(&again, b"{}", NOW, &seen), Ok(alice.hotkey()));
    let full = Mutex::new(ReplayStore::with_limits(0, 0));
    assert_eq!(verify(&again, b"{}", NOW, &full), Err(Refusal::Full));
}

#[test]
fn each_field_is_looked_at() {
    let (alice, bob) = pair();
    let fields = sign(&alice, b"{}", Some(&bob), NOW).unwrap();
    let refused = |fields: &Fields| verify(fields, b"{}", NOW, &Mutex::default()).unwrap_err();
    for name in [VERSION, TIMESTAMP, UUID, SIGNED_BY, SIGNATURE] {
        let without: Fields = fields.iter().filter(|(known, _)| *known != name).cloned().collect();
        assert_eq!(refused(&without), Refusal::Header(name));
        assert_eq!(refused(&with(&fields, name, "")), Refusal::Header(name));
        assert_eq!(refused(&with(&fields, name, &"1".repeat(200))), Refusal::Header(name));
    }
    assert_eq!(refused(&with(&fields, VERSION, "1")), Refusal::Version);
    assert_eq!(refused(&with(&fields, TIMESTAMP, "+1760000000000")), Refusal::Header(TIMESTAMP));
    assert_eq!(refused(&with(&fields, TIMESTAMP, "1760000000001")), Refusal::Signature);
    assert_eq!(refused(&with(&fields, UUID, "other")), Refusal::Signature);
    assert_eq!(refused(&with(&fields, SIGNED_BY, bob.as_str())), Refusal::Signature);
    assert_eq!(refused(&with(&fields, SIGNED_FOR, alice.hotkey().as_str())), Refusal::OtherReceiver);
    assert_eq!(refused(&with(&fields, SIGNED_FOR, "")), Refusal::OtherReceiver);
    let receiver = Receiver { own: bob, unaddressed: true };
    let ask = |fields: &Fields, admitted: bool| {
        receiver.verify(|name| get(fields, name), b"{}", NOW, |_| admitted, &Mutex::default())
    };
    assert_eq!(ask(&fields, false), Err(Refusal::NotAllowed));
    assert_eq!(ask(&with(&fields, SIGNED_FOR, ""), true), Err(Refusal::Signature), "the receiver is signed");
    let unaddressed = sign(&alice, b"{}", None, NOW).unwrap();
    assert_eq!((unaddressed.len(), ask(&unaddressed, true)), (5, Ok(alice.hotkey())));
    assert_eq!(refused(&unaddressed), Refusal::OtherReceiver);
}

#[test]
fn secret_signatures_fit_their_intervals_in_both_forms() {
    let (alice, bob) = pair();
    assert_eq!([interval(NOW), interval(NOW + 1), interval(NOW + INTERVAL)], [176_000_000, 176_000_001, 176_000_001]);
    let fields = sign(&alice, b"{}", Some(&bob), NOW).unwrap();
    let fits = |signed: &str, now| is_secret_signature(signed, &alice.hotkey(), &bob, now);
    for (name, ahead) in SECRET_SIGNATURES.into_iter().zip([-1i64, 0, 1]) {
        let signed = get(&fields, name).unwrap();
        let own = NOW.checked_add_signed(ahead * INTERVAL as i64).unwrap();
        assert!(fits(signed, own) && fits(signed, NOW) && !fits(signed, own + 2 * INTERVAL), "{name}");
        assert!(
            !is_secret_signature(signed, &bob, &bob, NOW)
                && !is_secret_signature(signed, &alice.hotkey(), &alice.hotkey(), NOW)
        );
    }
    let multiplied = hex::encode(alice.sign(format!("{}.{bob}", interval(NOW) * INTERVAL).as_bytes()));
    assert!(fits(&multiplied, NOW) && !fits(&multiplied, NOW + 2 * INTERVAL));
    assert!(!fits("", NOW) && !fits("0x00", NOW));
}
