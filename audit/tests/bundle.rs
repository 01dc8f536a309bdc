//! Bundles: written and read back, equal for each epoch, golden bytes, and nothing that a file says is believed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use audit::bundle::{self, BundleError, Header, Item, Reader, Writer};
use audit::{Recorded, Replay, Report, Settings, Verdict};
use domain::events::Event;
use domain::types::sha256;
use support::seal::{Sealed, Signers, seal};
use support::{World, history, mutate, rule_set};
use tlog::MemoryTree;
use tlog::proof::{consistency, inclusion};

/// What of a log goes into the bundle of an epoch.
struct Cut {
    from: u64,
    end: u64,
    previous: Option<u64>,
    antecedents: Vec<u64>,
}

fn derivation(log: &Sealed, epoch: u64) -> (u64, domain::events::WeightsDerived) {
    let found = log.records.iter().find_map(|recorded| match recorded.event().unwrap() {
        Some(Event::WeightsDerived(derived)) if derived.epoch == epoch && derived.revision == 0 => {
            Some((recorded.position, derived))
        }
        _ => None,
    });
    found.unwrap()
}

fn cut(log: &Sealed, epoch: u64) -> Cut {
    let closed = |recorded: &&Recorded| matches!(recorded.event().unwrap(), Some(Event::EpochClosed(closed)) if closed.epoch == epoch);
    cut_to(log, epoch, log.records.iter().find(closed).unwrap().position + 1)
}

fn cut_to(log: &Sealed, epoch: u64, end: u64) -> Cut {
    let (_, derived) = derivation(log, epoch);
    let from = derived.from.0;
    let previous = epoch.checked_sub(1).map(|before| derivation(log, before).0);
    let wanted = ["LedgerOpened", "RuleSetAdopted", "MetagraphObserved", "AvailabilitySwept", "ExternalScoresFetched"];
    let others = ["ChallengeAccepted", "RoundAbandoned", "RoundEvaluated", "DeliveryAttempted"];
    let mut antecedents: Vec<u64> = Vec::new();
    for kind in wanted {
        let before = log.records[..from as usize].iter().rev().find(|recorded| recorded.kind == kind);
        antecedents.extend(before.map(|recorded| recorded.position));
    }
    let needed = log.records[..from as usize].iter().filter(|recorded| others.contains(&recorded.kind.as_str()));
    antecedents.extend(needed.map(|recorded| recorded.position));
    antecedents.sort_unstable();
    Cut { from, end, previous, antecedents }
}

fn write(
    log: &Sealed,
    cut: &Cut,
    epoch: Option<u64>,
    note: impl Fn(u64, tlog::Hash) -> String,
    origin: &str,
) -> Vec<u8> {
    let tree = MemoryTree::from_leaves(&log.leaves);
    let size = log.leaves.len() as u64;
    let header = Header {
        origin: origin.to_owned(),
        epoch,
        from: cut.from,
        end: cut.end,
        checkpoint: note(size, tree.root()),
        frontier: log.frontier_at(cut.from),
    };
    let at = |position: u64| &log.records[position as usize];
    let mut writer = Writer::new(Vec::new(), &header).unwrap();
    for position in &cut.antecedents {
        writer.antecedent(at(*position), &inclusion(*position, size, &tree).unwrap()).unwrap();
    }
    if let Some(previous) = cut.previous {
        writer.previous(at(previous), &inclusion(previous, size, &tree).unwrap()).unwrap();
    }
    for position in cut.from..cut.end {
        writer.event(at(position)).unwrap();
    }
    writer.finish(&consistency(cut.end, size, &tree).unwrap()).unwrap()
}

fn bundle_of(world: &World, log: &Sealed, epoch: u64) -> Vec<u8> {
    let signers = Signers::of(world);
    write(log, &cut(log, epoch), Some(epoch), |size, root| signers.checkpoint(size, root), &world.opened.origin)
}

fn audit(bytes: &[u8]) -> Result<Report, BundleError> {
    bundle::audit(bytes, Settings::default())
}

#[test]
fn each_epoch_is_equal_offline() {
    let world = history::complete();
    let log = seal(&world);
    let (mut rounds, mut scores) = (0, 0);
    for epoch in 0..4 {
        let report = audit(&bundle_of(&world, &log, epoch)).unwrap();
        assert_eq!(report.verdict, Verdict::Equal, "epoch {epoch}\n{report}");
        assert_eq!((report.counts.epochs, report.counts.closed), (Some((epoch, epoch)), 1));
        rounds += report.counts.rounds;
        scores += report.counts.scores;
    }
    // The epochs together are the whole.
    let mut replay = Replay::new(Settings::default());
    for recorded in &log.records {
        replay.push(recorded.clone());
    }
    let whole = replay.finish();
    assert_eq!((rounds, scores), (whole.counts.rounds, whole.counts.scores));
}

/// A range holds what became of epochs from long before it; that is for their own audits.
#[test]
fn each_epoch_of_overlapping_ones_is_equal_offline() {
    let world = history::overlapping();
    let log = seal(&world);
    for epoch in 0..3 {
        let report = audit(&bundle_of(&world, &log, epoch)).unwrap();
        assert_eq!(report.verdict, Verdict::Equal, "epoch {epoch}\n{report}");
        assert_eq!(report.counts.closed, 1);
    }
    // Of the last, nothing is known yet but that it is committed.
    let signers = Signers::of(&world);
    let report = audit(&write(
        &log,
        &cut_to(&log, 3, log.leaves.len() as u64),
        Some(3),
        |size, root| signers.checkpoint(size, root),
        &world.opened.origin,
    ));
    let report = report.unwrap();
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::CannotTell, 2), "{report}");
    let [doubt] = report.doubts.as_slice() else { panic!("{report}") };
    assert!(doubt.reason.contains("epoch 3 are committed in block") && doubt.reason.contains("reveal due at block"));
}

#[test]
fn the_last_line_has_the_words_that_scripts_look_for() {
    let world = history::complete();
    let log = seal(&world);
    let report = audit(&bundle_of(&world, &log, 0)).unwrap();
    let expected = "audit: equal; 3 rounds, 9 scores, 8 weights recomputed; 5 of 6 responses miner-signed; \
                    embeddings not recomputed";
    assert_eq!(report.to_string().lines().last(), Some(expected));
    assert_eq!(report.verdict.exit_code(), 0);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

fn items(bytes: &[u8]) -> (Header, Vec<Item>) {
    let mut reader = Reader::open(bytes).unwrap();
    let header = reader.header().clone();
    let mut items = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        items.push(item);
    }
    (header, items)
}

/// Writes items as they are, also where a writer would refuse them.
fn rewrite(header: &Header, items: &[Item]) -> Result<Vec<u8>, BundleError> {
    let mut writer = Writer::new(Vec::new(), header)?;
    let mut end = Vec::new();
    for item in items {
        match item {
            Item::Antecedent(recorded, proof) => writer.antecedent(recorded, proof)?,
            Item::Previous(recorded, proof) => writer.previous(recorded, proof)?,
            Item::Event(recorded) => writer.event(recorded)?,
            Item::End(proof) => end.clone_from(proof),
        }
    }
    writer.finish(&end)
}

#[test]
fn what_is_read_is_what_was_written() {
    let world = history::complete();
    let log = seal(&world);
    let bytes = bundle_of(&world, &log, 1);
    let (header, items) = items(&bytes);
    assert_eq!(rewrite(&header, &items).unwrap(), bytes);
    for item in &items {
        if let Item::Event(recorded) = item {
            assert_eq!(recorded, &log.records[recorded.position as usize]);
        }
    }
}

#[test]
fn nothing_can_be_left_out_added_or_moved() {
    let world = history::complete();
    let log = seal(&world);
    let bytes = bundle_of(&world, &log, 1);
    let (header, items) = items(&bytes);
    let events: Vec<usize> =
        items.iter().enumerate().filter(|(_, item)| matches!(item, Item::Event(_))).map(|(at, _)| at).collect();
    // A gap is refused by writer and reader alike.
    let mut gap = items.clone();
    gap.remove(events[3]);
    assert!(matches!(rewrite(&header, &gap), Err(BundleError::Order { .. })));
    let mut swapped = items.clone();
    swapped.swap(events[3], events[4]);
    assert!(matches!(rewrite(&header, &swapped), Err(BundleError::Order { .. })));
    // Renumbered after a removal, the root is another one.
    let mut renumbered = gap;
    for item in &mut renumbered {
        if let Item::Event(recorded) = item
            && recorded.position > header.from + 3
        {
            recorded.position -= 1;
        }
    }
    let shorter = Header { end: header.end - 1, ..header.clone() };
    let report = audit(&rewrite(&shorter, &renumbered).unwrap()).unwrap();
    assert_eq!(report.verdict, Verdict::Differs);
    assert!(report.differences.iter().any(|difference| difference.field == "checkpoint"), "{report}");
    // An antecedent that is not in the log.
    let mut forged = items.clone();
    if let Item::Antecedent(recorded, _) = &mut forged[1] {
        recorded.block += 1;
    }
    let report = audit(&rewrite(&header, &forged).unwrap()).unwrap();
    assert!(report.differences.iter().any(|difference| difference.field == "<leaf_hash>"), "{report}");
    // A missing antecedent.
    let mut missing = items;
    missing.remove(0);
    assert_ne!(audit(&rewrite(&header, &missing).unwrap()).unwrap().verdict, Verdict::Equal);
}

#[test]
fn another_checkpoint_is_not_accepted() {
    let world = history::complete();
    let log = seal(&world);
    let signers = Signers::of(&world);
    let other = |size, _| signers.checkpoint(size, tlog::leaf_hash(b"other"));
    let report = audit(&write(&log, &cut(&log, 1), Some(1), other, &world.opened.origin)).unwrap();
    assert_eq!(report.verdict, Verdict::Differs);
    let note = |size, root| {
        let key = audit::keys::Ed25519NoteSigner::new(&world.opened.origin, &[8; 32]).unwrap();
        tlog::Checkpoint { origin: world.opened.origin.clone(), size, root }.sign(&[&key]).unwrap()
    };
    let report = audit(&write(&log, &cut(&log, 1), Some(1), note, &world.opened.origin)).unwrap();
    let named: Vec<&str> = report.differences.iter().map(|difference| difference.field.as_str()).collect();
    assert_eq!(named, ["checkpoint"], "{report}");
    let report =
        audit(&write(&log, &cut(&log, 1), Some(1), |size, root| signers.checkpoint(size, root), "other")).unwrap();
    assert_eq!(report.differences[0].field, "origin");
}

/// Any value of the derivation that an audit begins with, and of the antecedents: another verdict, and no panic.
#[test]
fn what_the_audit_begins_with_is_hostile_too() {
    let world = history::complete();
    let log = seal(&world);
    let (header, items) = items(&bundle_of(&world, &log, 1));
    let other = world.neurons[2].hotkey.to_string();
    for (at, item) in items.iter().enumerate() {
        let (Item::Antecedent(recorded, _) | Item::Previous(recorded, _)) = item else { break };
        let payload = recorded.payload.as_ref().unwrap();
        for mutation in mutate::mutations(&recorded.kind, recorded.version, payload, &other).into_iter().step_by(3) {
            let mut items = items.clone();
            if let Item::Antecedent(changed, _) | Item::Previous(changed, _) = &mut items[at] {
                let salt = changed.salt.unwrap();
                changed.payload_length = mutation.payload.len() as u32;
                changed.commitment = audit::leaf::commitment(&salt, &mutation.payload);
                changed.payload = Some(mutation.payload.clone());
                changed.leaf_hash = changed.leaf().hash().unwrap();
            }
            if mutation.payload == *payload {
                continue;
            }
            let report = audit(&rewrite(&header, &items).unwrap()).unwrap();
            assert_eq!(report.verdict, Verdict::Differs, "{}.{}", recorded.kind, mutation.path);
        }
    }
}

/// Every byte changed, and every end cut: an error or another verdict, never a panic and never "equal".
#[test]
fn hostile_bytes_are_refused() {
    let world = small();
    let log = seal(&world);
    let bytes = golden_bundle(&world, &log);
    assert_eq!(audit(&bytes).unwrap().verdict, Verdict::Equal);
    for at in (0..bytes.len()).step_by(7) {
        assert!(audit(&bytes[..at]).is_err(), "cut at {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        if let Ok(report) = audit(&changed) {
            assert_ne!(report.verdict, Verdict::Equal, "byte {at}");
        }
    }
    assert!(matches!(audit(&[&bytes[..], &[0]].concat()), Err(BundleError::Malformed(_))));
    let mut huge = bytes[..41].to_vec();
    huge.extend_from_slice(&[0xff; 64]);
    assert!(audit(&huge).is_err());
}

fn small() -> World {
    let mut world = World::new(2, rule_set("readme", 2, 4), 4);
    world.open();
    world.sweep(&[]);
    world.finish_epoch();
    // Only the log's key signs these checkpoints in a golden file; the published ones have drawn signatures.
    world.drafts.retain(|draft| !matches!(draft.event, Event::CheckpointPublished(_) | Event::CheckpointAnchored(_)));
    world
}

fn golden_bundle(world: &World, log: &Sealed) -> Vec<u8> {
    let (derived_at, derived) = derivation(log, 0);
    let cut = Cut { from: derived.from.0, end: derived_at + 1, previous: None, antecedents: Vec::new() };
    let note = |size, root| {
        let checkpoint = tlog::Checkpoint { origin: world.opened.origin.clone(), size, root };
        checkpoint.sign(&[&world.log_key]).unwrap()
    };
    write(log, &cut, Some(0), note, &world.opened.origin)
}

/// The bytes of format 1. This test may only change together with the version in the magic.
#[test]
fn golden_bytes() {
    let world = small();
    let bytes = golden_bundle(&world, &seal(&world));
    assert_eq!(&bytes[..16], bundle::MAGIC);
    let head = hex::encode(&bytes[..49]);
    assert_eq!(
        (bytes.len(), head.as_str(), sha256(&bytes).to_string().as_str()),
        (
            7775,
            "61737361792f62756e646c652f310a0001000000000000000000000000000000000000000000000008004a61737361792f",
            "1020afdb66ccf27336451dfd5b09aa2047cb2e6ae09365121277815fdadfbabd"
        )
    );
}
