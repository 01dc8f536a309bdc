//! The shipped rule sets: frozen bytes that open.

use super::*;

/// Hashes stand in ledgers: a row that changes is a rule set that nobody can audit any more.
const SHIPPED: [(&str, &str); 15] = [
    ("loosh/readme", "1565471732db18ddb3cbd545eeeee1d3ae63c1fa580f8a7f63a411ca4e2666b3"),
    ("loosh/1.2.8", "4b359b6e079f222038ca248e2d50e38aab5e7fc42e6bae6dc272dfaad7b71b9d"),
    ("loosh/assay-1", "610d1aefe659d9ecbb1984d8070cfbb579b3f4b3f7a426154ab884a1ec290fb8"),
    ("cgp/readme", "10fa3f7ba03c29dce8b7145364648d5daa6789f2706fe37170193ca73e4b1735"),
    ("cgp/2.30.65", "2305822113d76e6a3c7465b1e886fa3987a7d8eee8b6b94d2c6b927dc63d8104"),
    ("cgp/assay-1", "22e7327c57ad3ec655a0c6b09ac2c734345a458438e9764e9e68dc7722a20c57"),
    ("conversion/readme", "90847bdd25fea7a603f8f437738a258669e4631663e1888f5ba6d5a1b15fe170"),
    ("conversion/0.1.0", "1dc06447caa2126b3528baa7fbecfbaaac91daf2cd2c3de6aed8bc69ee6ea4a8"),
    ("conversion/assay-1", "656ae98eb3f87ca5e71e61d735b07be97616f426a6a7eec6130cbd4ffaa62cf9"),
    ("twitter/readme", "a6dfceb813f3f31a6c620587c16680b3e46650c5121710018fae59767842ebec"),
    ("twitter/2.5.9", "a2c03bf5555ba393583df31c98be7471a840cedd591fc36fcc5ab0991fc6b3c1"),
    ("twitter/assay-1", "16b8747631bfe059dc0dfa97de82019f83b026092970f3deb597af5a00862486"),
    ("bettertherapy/readme", "7ac6711c4d53d753e45a077615d1cb0eb09ca1f8fd793297b90ddf834ab68e3e"),
    ("bettertherapy/1.2.2", "72cad37c3eb24e0b4d61a7327fed8075c0fbc890e9cf4e68a88b5b176c99b075"),
    ("bettertherapy/assay-1", "659341c5201b411c586a72edb2ae167e99d3602c95ba0a17adad2184c66769fb"),
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
