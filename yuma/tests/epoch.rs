//! Laws of the epoch that hold for every subnet, and inputs that no chain would store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use yuma::{EpochInput, EpochOutput, I32F32, Stake, epoch, epoch_traced};

fn rows(neurons: usize, columns: u16) -> impl Strategy<Value = Vec<Vec<(u16, u16)>>> {
    vec(vec((0..columns, prop_oneof![Just(0u16), any::<u16>()]), 0..neurons.max(1) + 1), neurons)
}

/// Subnets that a chain could hold, or with `wild` any integers whatever.
fn subnets(wild: bool) -> impl Strategy<Value = EpochInput> {
    let block = if wild { any::<u64>().boxed() } else { (0u64..1000).boxed() };
    (0usize..12)
        .prop_flat_map(move |neurons| {
            let columns = if wild { u16::MAX } else { (neurons as u16).max(1) };
            let stake = prop_oneof![Just(0), if wild { any::<u64>().boxed() } else { (1u64..1 << 50).boxed() }];
            let vectors = (
                vec(block.clone(), neurons),
                vec(prop_oneof![Just(0), block.clone()], neurons),
                prop_oneof![Just(Vec::new()), vec(proptest::option::of(block.clone()), neurons)],
                vec(stake, neurons),
                vec(any::<bool>(), neurons),
                rows(neurons, columns),
                rows(neurons, columns),
            );
            let average = if wild { any::<u64>().boxed() } else { (0u64..=1_000_000).boxed() };
            let numbers =
                (block.clone(), block.clone(), block.clone(), any::<u16>(), any::<u16>(), average, any::<u64>());
            let switches = (
                any::<bool>(),
                any::<bool>(),
                any::<(u16, u16)>(),
                any::<i16>(),
                proptest::option::of(0u16..14),
                any::<u16>(),
            );
            (vectors, numbers, switches)
        })
        .prop_map(|(vectors, numbers, switches)| EpochInput {
            last_update: vectors.0,
            block_at_registration: vectors.1,
            earliest_commit: vectors.2,
            stake: vectors.3.into_iter().map(Stake::whole).collect(),
            validator_permit: vectors.4,
            weights: vectors.5,
            bonds: vectors.6,
            block: numbers.0,
            last_epoch_block: numbers.1,
            activity_cutoff: numbers.2,
            kappa: numbers.3,
            bonds_penalty: numbers.4,
            bonds_moving_average: numbers.5,
            emission: numbers.6,
            yuma3: switches.0,
            liquid_alpha: switches.1,
            alpha_values: switches.2,
            alpha_sigmoid_steepness: switches.3,
            owner: switches.4,
            max_allowed_validators: switches.5 % 16,
            stake_threshold: u64::from(switches.5 % 3),
        })
}

fn total(values: &[u16]) -> u64 {
    values.iter().copied().map(u64::from).sum()
}

/// One entry for each column, as the chain demands of weights.
fn distinct(mut rows: Vec<Vec<(u16, u16)>>) -> Vec<Vec<(u16, u16)>> {
    for row in &mut rows {
        row.sort_unstable();
        row.dedup_by_key(|(column, _)| *column);
    }
    rows
}

/// Neuron `order[k]` becomes neuron k.
fn reordered<T: Clone>(values: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|old| values[*old].clone()).collect()
}

fn renamed(rows: &[Vec<(u16, u16)>], order: &[usize]) -> Vec<Vec<(u16, u16)>> {
    let new = |old: u16| order.iter().position(|before| *before == usize::from(old)).unwrap() as u16;
    let mut rows = reordered(rows, order);
    for row in &mut rows {
        row.iter_mut().for_each(|(column, _)| *column = new(*column));
    }
    rows
}

fn permuted(input: &EpochInput, order: &[usize]) -> EpochInput {
    EpochInput {
        last_update: reordered(&input.last_update, order),
        block_at_registration: reordered(&input.block_at_registration, order),
        earliest_commit: if input.earliest_commit.is_empty() {
            Vec::new()
        } else {
            reordered(&input.earliest_commit, order)
        },
        stake: reordered(&input.stake, order),
        validator_permit: reordered(&input.validator_permit, order),
        weights: renamed(&input.weights, order),
        bonds: renamed(&input.bonds, order),
        owner: input
            .owner
            .and_then(|owner| order.iter().position(|old| *old == usize::from(owner)))
            .map(|uid| uid as u16),
        ..input.clone()
    }
}

/// The output with neuron `order[k]` as neuron k, rows by ascending column.
fn permuted_output(output: &EpochOutput, order: &[usize]) -> EpochOutput {
    EpochOutput {
        consensus: reordered(&output.consensus, order),
        incentive: reordered(&output.incentive, order),
        dividends: reordered(&output.dividends, order),
        validator_trust: reordered(&output.validator_trust, order),
        stake_weight: reordered(&output.stake_weight, order),
        active: reordered(&output.active, order),
        emission: reordered(&output.emission, order),
        server_emission: reordered(&output.server_emission, order),
        validator_emission: reordered(&output.validator_emission, order),
        permits: reordered(&output.permits, order),
        bonds: distinct(renamed(&output.bonds, order)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_shares_sum_to_more_than_everything(input in subnets(false)) {
        let input = EpochInput { weights: distinct(input.weights), bonds: distinct(input.bonds), ..input };
        let (output, trace) = epoch_traced(&input).unwrap();
        for shares in [&output.incentive, &output.dividends, &output.stake_weight] {
            prop_assert!(total(shares) <= 65_535);
        }
        for shares in [&trace.stake, &trace.active_stake, &trace.incentive, &trace.dividends] {
            let sum = shares.iter().map(|share| share.to_bits()).sum::<i64>();
            prop_assert!(sum <= 1 << 32 && shares.iter().all(|share| *share >= I32F32::from_bits(0)));
        }
        let paid: u128 = output.server_emission.iter().chain(&output.validator_emission).copied().map(u128::from).sum();
        prop_assert!(paid <= u128::from(input.emission));
        prop_assert!(output.emission.iter().copied().map(u128::from).sum::<u128>() <= u128::from(input.emission));
        for (uid, permit) in output.permits.iter().enumerate() {
            let owner = input.owner.map(usize::from) == Some(uid);
            prop_assert!(*permit || output.bonds[uid].is_empty() || output.bonds[uid] == input.bonds[uid]);
            prop_assert!(!*permit || owner || trace.stake[uid] > I32F32::from_bits(0));
        }
    }

    #[test]
    fn a_neurons_number_does_not_matter((input, order) in subnets(false).prop_flat_map(|input| {
        let order: Vec<usize> = (0..input.stake.len()).collect();
        (Just(input), Just(order).prop_shuffle())
    })) {
        // With a place for everybody, equal stakes do not compete for permits by their uids.
        let input = EpochInput {
            weights: distinct(input.weights),
            bonds: distinct(input.bonds),
            owner: input.owner.filter(|owner| usize::from(*owner) < input.stake.len()),
            max_allowed_validators: 16,
            ..input
        };
        let expected = permuted_output(&epoch(&input).unwrap(), &order);
        let mut found = epoch(&permuted(&input, &order)).unwrap();
        found.bonds = distinct(found.bonds);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn absurd_integers_are_computed_without_panic(input in subnets(true)) {
        let neurons = input.stake.len();
        let output = epoch(&input).unwrap();
        prop_assert_eq!(output.emission.len(), neurons);
        prop_assert!(output.bonds.iter().zip(&input.bonds).all(|(row, old)| row == old || row.iter().all(|(j, _)| usize::from(*j) < neurons)));
    }
}

/// One validator, one miner, and what happens to the validator's weight on it.
fn pair() -> EpochInput {
    EpochInput {
        block: 1000,
        last_epoch_block: 640,
        activity_cutoff: 500,
        last_update: vec![900, 0],
        block_at_registration: vec![0, 0],
        stake: vec![Stake::whole(1000), Stake::whole(0)],
        validator_permit: vec![true, false],
        max_allowed_validators: 64,
        weights: vec![vec![(1, 65_535)], vec![]],
        bonds: vec![vec![], vec![]],
        kappa: 32_767,
        bonds_moving_average: 900_000,
        bonds_penalty: 65_535,
        emission: 1_000_000,
        ..EpochInput::default()
    }
}

#[test]
fn a_weight_counts_only_for_who_it_was_set_for() {
    let incentive = |input: EpochInput| epoch(&input).unwrap().incentive;
    assert_eq!(incentive(pair()), [0, 65_535]);
    let nothing = [0, 0];
    for (why, input) in [
        ("registered in the block of the update", EpochInput { block_at_registration: vec![0, 900], ..pair() }),
        ("no permit", EpochInput { validator_permit: vec![false, false], ..pair() }),
        (
            "a hidden commit older than the miner",
            EpochInput { block_at_registration: vec![0, 800], earliest_commit: vec![Some(799), None], ..pair() },
        ),
        ("inactive", EpochInput { activity_cutoff: 99, ..pair() }),
        ("self-weight", EpochInput { weights: vec![vec![(0, 65_535)], vec![]], ..pair() }),
    ] {
        assert_eq!(incentive(input), nothing, "{why}");
    }
    for (why, input, expected) in [
        ("registered one block before", EpochInput { block_at_registration: vec![0, 899], ..pair() }, [0, 65_535]),
        (
            "a commit of the miner's own block",
            EpochInput { block_at_registration: vec![0, 800], earliest_commit: vec![Some(800), None], ..pair() },
            [0, 65_535],
        ),
        ("at the edge of activity", EpochInput { activity_cutoff: 100, ..pair() }, [0, 65_535]),
        (
            "the owner needs no permit",
            EpochInput { validator_permit: vec![false, false], owner: Some(0), ..pair() },
            [0, 65_535],
        ),
        (
            "the owner's self-weight",
            EpochInput { weights: vec![vec![(0, 65_535)], vec![]], owner: Some(0), ..pair() },
            [65_535, 0],
        ),
    ] {
        assert_eq!(incentive(input), expected, "{why}");
    }
}

#[test]
fn bonds_end_with_the_miner_and_with_the_permit() {
    let held = EpochInput { bonds: vec![vec![(1, 65_535)], vec![]], weights: vec![vec![], vec![]], ..pair() };
    let bonds = |input: &EpochInput| epoch(input).unwrap().bonds;
    assert_eq!(bonds(&held), [vec![(1, 65_535)], vec![]]);
    let new_miner = EpochInput { block_at_registration: vec![0, 640], ..held.clone() };
    assert_eq!(bonds(&new_miner), [vec![], vec![]]);
    let lost = EpochInput { stake: vec![Stake::whole(0), Stake::whole(5)], ..held.clone() };
    assert_eq!(bonds(&lost), [vec![], vec![]]);
    let never = EpochInput { validator_permit: vec![false, false], ..lost };
    assert_eq!(bonds(&never), [vec![(1, 65_535)], vec![]]);
}
