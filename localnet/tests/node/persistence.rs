//! The file of blocks: what a kill leaves behind, and what damage is.

use localnet::{BlockFile, Error, Node, State};

use super::world::{World, key, weights};

fn blocks(world: &World) -> Vec<u8> {
    std::fs::read(world.folder.path().join("chain")).unwrap()
}

#[test]
fn a_killed_chain_continues_where_it_was() {
    let world = World::new();
    world.call("Alice", weights(&[(2, 1)]));
    world.advance(30);
    let before = world.node.read(Clone::clone);
    let bytes = blocks(&world);
    let world = world.killed_and_started();
    assert_eq!(world.node.read(Clone::clone), before);
    assert_eq!(blocks(&world), bytes);
    world.advance(1);
    assert_eq!(world.height(), before.height() + 1);
    assert_eq!(world.node.read(|state| state.head().header.parent_hash.0), before.head().hash);
}

#[test]
fn a_line_torn_anywhere_is_cut_off_and_the_chain_goes_on() {
    let world = World::new();
    world.advance(2);
    world.node.submit(&world.signed(&key("Alice"), &weights(&[(2, 1)]).into())).unwrap();
    world.advance(1);
    let whole = blocks(&world);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let torn = world.folder.path().join("torn");
    let height = |node: &Node| node.read(State::height);
    // Every 37th place, and the last: only the newline is missing.
    for cut in (last..whole.len()).step_by(37).chain([whole.len() - 1]) {
        std::fs::write(&torn, &whole[..cut]).unwrap();
        let node = Node::open(&torn, &world.specification, 0).unwrap();
        assert_eq!(height(&node), 2, "cut at {cut}");
        assert_eq!(std::fs::metadata(&torn).unwrap().len(), last as u64);
        node.author(0).unwrap();
        drop(node);
        assert_eq!(height(&Node::open(&torn, &world.specification, 0).unwrap()), 3);
    }
    // Torn in the first line: there is no chain yet.
    std::fs::write(&torn, &whole[..10]).unwrap();
    assert_eq!(height(&Node::open(&torn, &world.specification, 0).unwrap()), 0);
}

#[test]
fn damage_before_the_end_is_told_with_its_line() {
    let world = World::new();
    world.call("Alice", weights(&[(2, 1)]));
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
    // Any hexadecimal digit of a block changed: its header follows from its contents and its parent.
    for (line, text) in lines.iter().enumerate().skip(1).take(2) {
        let digits: Vec<usize> = (20..text.len() - 10).step_by(41).filter(|at| text[*at].is_ascii_hexdigit()).collect();
        assert!(digits.len() > 3);
        for at in digits {
            let mut changed = text.to_vec();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let mut lines = lines.clone();
            lines[line] = &changed;
            // The letters of the field's name are digits too.
            if !text[at..].starts_with(b"e") || !text[at..].contains(&b':') {
                assert_eq!(open(lines.concat()).0, line + 1, "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
    assert_eq!(open(lines[1..].concat()), (1, "a block before genesis".to_owned()));
    assert_eq!(open([lines[0], lines[0]].concat()), (2, "a second genesis".to_owned()));
    assert_eq!(open([lines[0], lines[2]].concat()).0, 2, "a missing block");
    assert_eq!(open([lines[0], lines[1], lines[1]].concat()).0, 3, "a doubled block");
    // A changed genesis: the blocks do not follow it.
    let text = String::from_utf8(lines[0].to_vec()).unwrap();
    let changed = text.replacen("\"stake\":1000", "\"stake\":1001", 1);
    assert_ne!(changed, text);
    assert_eq!(open([changed.as_bytes(), lines[1]].concat()).0, 2);
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
    let (specification, folder) = (world.specification.clone(), world);
    let World { node, folder: _folder, .. } = folder;
    drop(node);
    let node = Node::open(&path, &other, 0).unwrap();
    assert_eq!(node.read(|state| state.specification().clone()), specification);
}

#[test]
fn specifications_that_contradict_themselves_are_refused() {
    let good = World::new().specification;
    let check = |change: fn(&mut localnet::Specification)| {
        let mut specification = good.clone();
        change(&mut specification);
        specification.check().unwrap_err().to_string()
    };
    for (change, part) in [
        ((|s| s.subnets[0].netuid.0 = 0) as fn(&mut localnet::Specification), "not from 1 to 4095"),
        (|s| s.subnets.push(s.subnets[0].clone()), "named twice"),
        (|s| s.subnets[0].hyperparameters.mechanism_count = 17, "mechanism_count"),
        (|s| s.subnets[0].hyperparameters.max_allowed_uids = 4, "more neurons than slots"),
        (|s| s.subnets[0].neurons[1].hotkey = s.subnets[0].neurons[0].hotkey, "twice"),
    ] {
        let told = check(change);
        assert!(told.contains(part), "{told}");
    }
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

const FULL_DISK: &str = "LOCALNET_TEST_FULL_DISK";

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
        assert!(world.height() < 100, "the limit has no effect");
    };
    assert!(matches!(error, Error::File { action: "append", .. }), "{error:?}");
    assert!(before.height() > 2);
    assert_eq!(world.node.read(Clone::clone), before);
    assert_eq!(*heads.borrow(), before.height());
    let bytes = world.signed(&key("Alice"), &weights(&[(2, 1)]).into());
    assert_eq!(world.node.submit(&bytes).unwrap_err().code, 1000);
    assert!(matches!(world.node.author(0), Err(Error::Stopped(_))));
    // The half-written block is cut off.
    assert_eq!(world.killed_and_started().node.read(Clone::clone), before);
}
