//! A complete history, audited from the beginning and epoch by epoch.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use audit::{ChainView, Replay, Report, Settings, Verdict};
use support::history;
use support::seal::{Sealed, seal};

fn from_genesis(log: &Sealed, chain: Option<ChainView>) -> Report {
    let mut replay = Replay::new(Settings { epoch: None, chain });
    for recorded in &log.records {
        replay.push(recorded);
    }
    replay.finish()
}

#[test]
fn a_complete_history_is_equal() {
    let world = history::complete();
    let log = seal(&world);
    for chain in [None, Some(log.chain.clone())] {
        let asked = chain.is_some();
        let report = from_genesis(&log, chain);
        assert_eq!(report.verdict, Verdict::Equal, "{report}");
        assert_eq!(report.counts.epochs, Some((0, 3)));
        assert_eq!((report.counts.rounds, report.counts.revisions, report.counts.erased), (5, 1, 1));
        assert_eq!(report.counts.unanswered, 0, "{report}");
        assert_eq!(report.counts.confirmed > 0, asked);
    }
}

#[test]
fn every_kind_occurs() {
    let world = history::complete();
    let kinds: std::collections::BTreeSet<&str> = world.drafts.iter().map(|draft| draft.event.kind()).collect();
    for kind in domain::events::Event::KINDS {
        assert!(kinds.contains(kind), "{kind} does not occur");
    }
}
