//! The file of blocks: what a kill leaves behind, and what damage is.

use chain::Error;
use chain::development::{BlockFile, Node};

use super::world::{World, key, weights_call};

fn blocks(world: &World) -> Vec<u8> {
    std::fs::read(world.folder.path().join("chain")).unwrap()
}

#[test]
fn a_killed_chain_continues_where_it_was() {
    let world = World::new();
    world.set_weights("validator", &[(2, 1)]);
    world.advance(3);
    let before = world.node.read(Clone::clone);
    let bytes = blocks(&world);
    let world = world.killed_and_started();
    assert_eq!(world.node.read(Clone::clone), before);
    assert_eq!(blocks(&world), bytes);
    world.advance(1);
    assert_eq!(world.head().0, before.head().number.0 + 1);
    assert_eq!(world.node.read(|state| state.head().parent), before.head().hash);
}

#[test]
fn a_line_torn_anywhere_is_cut_off_and_the_chain_goes_on() {
    let world = World::new();
    world.advance(2);
    world.node.submit(&world.signed(&key("validator"), weights_call(&[(2, 1)])).bytes).unwrap();
    world.advance(1);
    let whole = blocks(&world);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let torn = world.folder.path().join("torn");
    // Every seventh place, and the last: only the newline is missing.
    for cut in (last..whole.len()).step_by(7).chain([whole.len() - 1]) {
        std::fs::write(&torn, &whole[..cut]).unwrap();
        let node = Node::open(&torn, &world.specification, 0).unwrap();
        assert_eq!(node.read(|state| state.head().number.0), 2, "cut at {cut}");
        assert_eq!(std::fs::metadata(&torn).unwrap().len(), last as u64);
        assert_eq!(node.author(0).unwrap().number.0, 3);
        drop(node);
        assert_eq!(Node::open(&torn, &world.specification, 0).unwrap().read(|state| state.head().number.0), 3);
    }
    // Torn in the first line: there is no chain yet.
    std::fs::write(&torn, &whole[..10]).unwrap();
    assert_eq!(Node::open(&torn, &world.specification, 0).unwrap().read(|state| state.head().number.0), 0);
}

#[test]
fn damage_before_the_end_is_told_with_its_line() {
    let world = World::new();
    world.set_weights("validator", &[(2, 1)]);
    world.advance(3);
    let whole = blocks(&world);
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let damaged = world.folder.path().join("damaged");
    let open = |bytes: Vec<u8>| {
        std::fs::write(&damaged, bytes).unwrap();
        match BlockFile::open(&damaged) {
            Err(Error::FileDamaged { line, reason, .. }) => (line, reason),
            other => panic!("{other:?}"),
        }
    };
    let replaced = |at: usize, from: &str, to: &str| {
        let text = String::from_utf8(lines[at].to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        let mut lines = lines.clone();
        let changed = text.replacen(from, to, 1);
        lines[at] = changed.as_bytes();
        lines.concat()
    };
    // A changed weight: the block's hash is over its extrinsics.
    assert_eq!(open(replaced(1, "\"weights\":[1]", "\"weights\":[2]")).0, 2);
    // Numbers of the file's own: the same signed contents under another block number.
    assert_eq!(open(replaced(2, "\"number\":2", "\"number\":3")).0, 3);
    assert_eq!(open(replaced(2, "\"timestamp_ms\":1", "\"timestamp_ms\":2")).0, 3);
    assert_eq!(open(replaced(2, "{", "[")).0, 3);
    assert_eq!(open(lines[1..].concat()), (1, "a block before genesis".to_owned()));
    assert_eq!(open([lines[0], lines[0]].concat()), (2, "a second genesis".to_owned()));
    assert_eq!(open([lines[0], lines[2]].concat()).0, 2, "a missing block");
    assert_eq!(open([lines[0], lines[1], lines[1]].concat()).0, 3, "a doubled block");
    // A changed genesis: the blocks do not follow it.
    assert_eq!(open(replaced(0, "\"stake\":1000", "\"stake\":1001")).0, 2);
}

#[test]
fn two_authors_are_refused() {
    let world = World::new();
    let path = world.folder.path().join("chain");
    assert!(matches!(Node::open(&path, &world.specification, 0), Err(Error::FileInUse(_))));
    let world = world.killed_and_started();
    world.advance(1);
}

#[test]
fn a_chain_keeps_the_specification_it_began_with() {
    let world = World::new();
    let path = world.folder.path().join("chain");
    let mut other = world.specification.clone();
    other.subnets[0].hyperparameters.tempo = 1;
    let World { node, specification, folder: _folder } = world;
    drop(node);
    let node = Node::open(&path, &other, 0).unwrap();
    assert_eq!(node.read(|state| state.specification().clone()), specification);
}

/// Runs the next test where files may have at most a few kilobytes and exceeding that is an error, not a signal.
#[test]
fn a_full_disk_stops_the_chain_before_anyone_hears_of_the_block() {
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact persistence::on_a_full_disk --ignored"])
        .arg(std::env::current_exe().unwrap())
        .env(FULL_DISK, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

const FULL_DISK: &str = "CHAIN_TEST_FULL_DISK";

#[test]
#[ignore = "needs a file size limit, which the test above sets"]
fn on_a_full_disk() {
    if std::env::var_os(FULL_DISK).is_none() {
        return;
    }
    let world = World::new();
    let mut before = world.node.read(Clone::clone);
    let heads = world.node.heads();
    let error = loop {
        match world.node.author(0) {
            Ok(_) => before = world.node.read(Clone::clone),
            Err(error) => break error,
        }
        assert!(world.head().0 < 100, "the limit has no effect");
    };
    assert!(matches!(error, Error::File { action: "append", .. }), "{error:?}");
    assert!(before.head().number.0 > 2);
    assert_eq!(world.node.read(Clone::clone), before);
    assert_eq!(*heads.borrow(), before.head());
    let extrinsic = world.signed(&key("validator"), weights_call(&[(2, 1)]));
    assert!(matches!(world.node.submit(&extrinsic.bytes), Err(Error::Stopped(_))));
    assert!(matches!(world.node.author(0), Err(Error::Stopped(_))));
    // The half-written block is cut off.
    assert_eq!(world.killed_and_started().node.read(Clone::clone), before);
}
