//! A short run of each target: every kept input still passes, the readers still take their seeds, and some seconds of changed
//! inputs break nothing. `make fuzz` takes longer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use fuzz::{Limits, run, targets};

fn check(name: &str) {
    let all = targets();
    let target = all.iter().find(|target| target.name == name).expect("the target");
    let limits = Limits { time: Duration::from_secs(2), seed: 1, threads: 1, journal: None };
    let found = run(target, &limits).unwrap();
    assert!(found.failure.is_none(), "{name}: {:?}", found.failure);
    assert!(found.accepted_seeds > 0, "{name}: the reader takes none of the seeds");
    assert!(found.tried > found.accepted, "{name}: the reader takes whatever it gets");
    assert!(found.tried > 20, "{name}: only {} inputs in 2 s", found.tried);
}

macro_rules! each {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_target_is_tested() {
            let tested = BTreeSet::from([$(stringify!($name)),*]);
            assert_eq!(tested, targets().iter().map(|target| target.name).collect());
        }
    };
}

each!(
    headers,
    body,
    btauth,
    fernet,
    address,
    fiber,
    loosh,
    epistula,
    timelock,
    key_file,
    vault,
    sealed_file,
    metadata,
    storage,
    runtime_api,
    events,
    extrinsic,
    header,
    submitted,
    called,
    answers,
    replies,
    labels,
    challenge,
    question,
    synapse,
    service,
);
