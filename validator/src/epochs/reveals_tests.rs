use super::*;

#[test]
fn a_row_is_told_from_another() {
    let uids = [Uid(3), Uid(1), Uid(2)];
    type Row = &'static [(u16, u16)];
    let rows: [(Row, &[u16], bool); 6] = [
        (&[(1, 65535), (3, 32768)], &[32768, 65535, 0], true),
        (&[(1, 65535), (3, 32768), (2, 0)], &[1, 2, 0], true),
        (&[(1, 65535), (3, 32766)], &[1, 2, 0], false),
        (&[(1, 65535)], &[1, 2, 0], false),
        (&[(1, 65535), (3, 32768), (7, 9)], &[1, 2, 0], false),
        (&[], &[1, 2, 0], false),
    ];
    for (row, weights, expected) in rows {
        let found: Vec<_> = row.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect();
        assert_eq!(is_row_of(&found, &uids, weights), expected, "{row:?} {weights:?}");
    }
}

/// Three epochs wait whose reveals are due at 100, 200 and 300; the weights of the second and the third are the same.
#[test]
fn a_reveal_is_of_the_epoch_whose_weights_stand() {
    const FIRST: &[u16] = &[65535, 1];
    const OTHERS: &[u16] = &[1, 65535];
    let uids = [Uid(1), Uid(2)];
    let one = |epoch: u64, weights: &'static [u16]| {
        let due = BlockNumber(100 * (epoch + 1));
        Candidate { epoch, since: BlockNumber(due.0 - 90), due, uids: &uids, weights }
    };
    let all = [one(0, FIRST), one(1, OTHERS), one(2, OTHERS)];
    let somebody_elses: &[u16] = &[300, 65535];
    let rows = [
        ("in time", 100, FIRST, Some(0)),
        ("in time, the first was dropped", 200, OTHERS, Some(1)),
        ("late", 210, OTHERS, Some(1)),
        ("of the same weights the last that is due", 300, OTHERS, Some(2)),
        ("very late", 350, FIRST, Some(0)),
        ("before its time", 60, FIRST, Some(0)),
        ("before its time, of the same weights the first", 150, OTHERS, Some(1)),
        ("before its time, and not these", 60, somebody_elses, None),
        ("somebody else's row, the last that is due", 250, somebody_elses, Some(1)),
    ];
    for (name, block, weights, expected) in rows {
        let row: Vec<(Uid, u16)> = uids.iter().copied().zip(weights.iter().copied()).collect();
        assert_eq!(whose(&all, BlockNumber(block), &row), expected, "{name}");
    }
    assert_eq!(whose(&[], BlockNumber(100), &[]), None);
}
