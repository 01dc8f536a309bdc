//! The shipped rule sets: frozen bytes that open.

use super::*;

/// Hashes stand in ledgers: a row that changes is a rule set that nobody can audit any more.
const SHIPPED: [(&str, &str); 15] = [
    ("loosh/readme", "1565471732db18ddb3cbd545eeeee1d3ae63c1fa580f8a7f63a411ca4e2666b3"),
    ("loosh/1.2.8", "4b359b6e079f222038ca248e2d50e38aab5e7fc42e6bae6dc272dfaad7b71b9d"),
    ("loosh/assay-1", "610d1aefe659d9ecbb1984d8070cfbb579b3f4b3f7a426154ab884a1ec290fb8"),
    ("cgp/readme", "88b5742098283c6d073424551b7e0d5c624743981e0159763b52ddce770df620"),
    ("cgp/2.30.65", "15bfe438e5813c6eed48aac0b55e0caeee8f7ac3401ad166127ba602a52ec4c6"),
    ("cgp/assay-1", "bd3a6beea576953004858a9417f61d013350363085dca1245624a31db9f9db43"),
    ("conversion/readme", "43f0f3e37ec3f69509117b02028ba5945da6cfed106ea993bf7ae82a9509b416"),
    ("conversion/0.1.0", "c907d284ef34561a2aff46785a6efb8b0e06a6f4fd4fba8903b4291c81ee9a24"),
    ("conversion/assay-1", "2419bd2d87c97df68f1b30a55aad821620c2a13d7f5e57fc9644ad671a191c7b"),
    ("twitter/readme", "a6dfceb813f3f31a6c620587c16680b3e46650c5121710018fae59767842ebec"),
    ("twitter/2.5.9", "a2c03bf5555ba393583df31c98be7471a840cedd591fc36fcc5ab0991fc6b3c1"),
    ("twitter/assay-1", "725f4b6ab9386c6056b41f0fc50c02c2f583bd223a9247582f67cfaab47fdbdb"),
    ("bettertherapy/readme", "73bfa2747afb8dd541145db99040e6e5916cd0b2a344baecd9b4159596087b84"),
    ("bettertherapy/1.2.2", "07b8330ad1bdac7df4783a2029b561889d75a24af1b1e98654d386d23cbdd548"),
    ("bettertherapy/assay-1", "8773ec6dc92a74f7b9a7ce0aff2eb58f8811a0af4752aed3f35ac46165755f9b"),
];

#[test]
fn shipped_rule_sets_are_frozen_and_open() {
    let sets = shipped();
    let found: Vec<(String, String)> = sets.iter().map(|set| (set.name(), set.hash().to_string())).collect();
    assert_eq!(found, SHIPPED.map(|(name, hash)| (name.to_owned(), hash.to_owned())));
    for set in sets {
        assert_eq!(open(&set).unwrap().rule_set(), &set);
    }
}

#[test]
fn a_mechanism_opens_its_own_rule_sets_only() {
    let foreign = shipped_by_name("loosh/readme").unwrap();
    assert!(matches!(BetterTherapy::new(foreign), Err(RuleSetError::UnknownAlgorithm(found)) if found == "loosh"));
    let unknown = RuleSet::parse(r#"{"algorithm":"elsewhere","version":"x","constants":{}}"#).unwrap();
    assert!(matches!(open(&unknown), Err(RuleSetError::UnknownAlgorithm(_))));
}
