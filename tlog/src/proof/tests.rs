//! Proofs against the reference log's vectors and against `ct-merkle`, and hostile input.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::reference_log::{CONSISTENCY_PROOFS, INCLUSION_PROOFS, LEAVES, ROOTS};
use crate::tree::{self, MemoryTree};
use crate::{Frontier, leaf_hash};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

type Peer = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

fn reference_tree() -> MemoryTree {
    MemoryTree::from_leaves(&LEAVES.map(leaf_hash))
}

fn hashes(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn reference_root(size: u64) -> Hash {
    ROOTS[size as usize - 1].parse().unwrap()
}

#[test]
fn inclusion_proofs_of_the_reference_log() {
    for (index, size, proof) in INCLUSION_PROOFS {
        let proof = hashes(proof);
        assert_eq!(inclusion(index, size, &reference_tree()), Ok(proof.clone()), "{index} in {size}");
        let leaf = leaf_hash(LEAVES[index as usize]);
        assert_eq!(verify_inclusion(index, size, &leaf, &proof, &reference_root(size)), Ok(()));
    }
}

#[test]
fn consistency_proofs_of_the_reference_log() {
    for (old, new, proof) in CONSISTENCY_PROOFS {
        let proof = hashes(proof);
        assert_eq!(consistency(old, new, &reference_tree()), Ok(proof.clone()), "{old} to {new}");
        let verified = verify_consistency(old, &reference_root(old), new, &reference_root(new), &proof);
        assert_eq!(verified, Ok(()), "{old} to {new}");
    }
}

#[test]
fn the_empty_tree_is_the_beginning_of_every_tree() {
    let (empty, eighth) = (empty_root(), reference_root(8));
    assert_eq!(consistency(0, 8, &reference_tree()), Ok(vec![]));
    assert_eq!(verify_consistency(0, &empty, 8, &eighth, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
    let mismatch = Error::RootMismatch { size: 0, expected: eighth, computed: empty };
    assert_eq!(verify_consistency(0, &eighth, 8, &eighth, &[]), Err(mismatch.clone()));
    assert_eq!(verify_consistency(0, &empty, 0, &eighth, &[]), Err(mismatch));
    let length = Error::ProofLength { expected: 0, found: 1 };
    assert_eq!(verify_consistency(0, &empty, 8, &eighth, &[eighth]), Err(length.clone()));
    assert_eq!(verify_consistency(8, &eighth, 8, &eighth, &[eighth]), Err(length));
}

#[test]
fn impossible_sizes_and_indices_are_refused() {
    let hash = leaf_hash(b"x");
    let outside = |index, size| Err(Error::IndexOutside { index, size });
    assert_eq!(verify_inclusion(0, 0, &hash, &[], &hash), outside(0, 0));
    assert_eq!(verify_inclusion(8, 8, &hash, &[], &hash), outside(8, 8));
    assert_eq!(verify_inclusion(u64::MAX, MAX_SIZE, &hash, &[], &hash), outside(u64::MAX, MAX_SIZE));
    assert_eq!(inclusion_plan(3, 3).unwrap_err(), Error::IndexOutside { index: 3, size: 3 });
    let limit = Error::SizeLimit { size: u64::MAX };
    assert_eq!(verify_inclusion(0, u64::MAX, &hash, &[], &hash), Err(limit.clone()));
    assert_eq!(inclusion_plan(0, u64::MAX).unwrap_err(), limit);
    assert_eq!(verify_consistency(1, &hash, u64::MAX, &hash, &[]), Err(limit.clone()));
    assert_eq!(consistency_plan(1, u64::MAX).unwrap_err(), limit);
    let reversed = Error::SizesReversed { old: 9, new: 8 };
    assert_eq!(verify_consistency(9, &hash, 8, &hash, &[]), Err(reversed.clone()));
    assert_eq!(consistency_plan(9, 8).unwrap_err(), reversed);
    assert_eq!(inclusion_plan(0, MAX_SIZE).unwrap().elements.len(), 63);
}

/// One tree in both implementations.
fn grow(leaves: u64, seed: u64) -> (MemoryTree, Peer) {
    let (mut tree, mut peer) = (MemoryTree::new(), Peer::new());
    for leaf in 0..leaves {
        let data = [seed.to_be_bytes(), leaf.to_be_bytes()].concat();
        tree.append(leaf_hash(&data));
        peer.push(data);
    }
    (tree, peer)
}

proptest! {
    #[test]
    fn inclusion_agrees_with_ct_merkle(size in 1_u64..600, at in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let (tree, peer) = grow(size, seed);
        let (root, theirs) = (tree.root(), peer.root());
        prop_assert_eq!(root.0.as_slice(), theirs.as_bytes().as_slice());
        let index = at.index(size as usize) as u64;
        let proof = inclusion(index, size, &tree).unwrap();
        let theirs = peer.prove_inclusion(index as usize);
        prop_assert_eq!(proof.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(), theirs.as_bytes());
        let leaf = tree.hash(Coordinate { level: 0, index }).unwrap();
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &tree.root()), Ok(()));
    }

    #[test]
    fn consistency_agrees_with_ct_merkle(
        size in 1_u64..600, at in any::<prop::sample::Index>(), seed in any::<u64>(),
    ) {
        let (tree, peer) = grow(size, seed);
        let old_size = 1 + at.index(size as usize) as u64;
        let old_root = tree::root(old_size, &tree).unwrap();
        let proof = consistency(old_size, size, &tree).unwrap();
        if old_size < size {
            let theirs = peer.prove_consistency((size - old_size) as usize);
            prop_assert_eq!(proof.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(), theirs.as_bytes());
        }
        prop_assert_eq!(verify_consistency(old_size, &old_root, size, &tree.root(), &proof), Ok(()));
    }

    #[test]
    fn a_changed_proof_never_verifies(
        size in 2_u64..200, at in any::<prop::sample::Index>(), change in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let (tree, _) = grow(size, 7);
        let index = at.index(size as usize) as u64;
        let leaf = tree.hash(Coordinate { level: 0, index }).unwrap();
        let mut proof = inclusion(index, size, &tree).unwrap();
        let changed = change.index(proof.len());
        proof[changed].0[bit / 8] ^= 1 << (bit % 8);
        let refused = verify_inclusion(index, size, &leaf, &proof, &tree.root());
        prop_assert!(matches!(refused, Err(Error::RootMismatch { .. })), "{refused:?}");

        let old_size = index + 1;
        let old_root = tree::root(old_size, &tree).unwrap();
        let mut proof = consistency(old_size, size, &tree).unwrap();
        if !proof.is_empty() {
            let changed = change.index(proof.len());
            proof[changed].0[bit / 8] ^= 1 << (bit % 8);
            let refused = verify_consistency(old_size, &old_root, size, &tree.root(), &proof);
            prop_assert!(matches!(refused, Err(Error::RootMismatch { .. })), "{refused:?}");
        }
    }

    /// Two logs that share all but one early leaf: no old or new root of one passes for the other's.
    #[test]
    fn a_rewritten_past_is_not_consistent(size in 2_u64..200, at in any::<prop::sample::Index>()) {
        let (tree, _) = grow(size, 19);
        let old_size = 1 + at.index(size as usize - 1) as u64;
        let old_root = tree::root(old_size, &tree).unwrap();
        let mut rewritten = MemoryTree::new();
        for index in 0..size {
            let leaf = tree.hash(Coordinate { level: 0, index }).unwrap();
            rewritten.append(if index == old_size / 2 { leaf_hash(b"rewritten") } else { leaf });
        }
        let rewritten_old = tree::root(old_size, &rewritten).unwrap();
        let (new_root, rewritten_new) = (tree.root(), rewritten.root());
        let own = consistency(old_size, size, &tree).unwrap();
        let others = consistency(old_size, size, &rewritten).unwrap();
        for (old, new, proof, expected_size) in [
            (rewritten_old, new_root, &own, old_size),
            (old_root, rewritten_new, &others, old_size),
            (old_root, rewritten_new, &own, size),
        ] {
            let refused = verify_consistency(old_size, &old, size, &new, proof);
            match refused {
                Err(Error::RootMismatch { size: found, .. }) => {
                    // A perfect old tree's root is not recomputed from the proof but climbs to the new root itself.
                    prop_assert!(found == expected_size || old_size.is_power_of_two());
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(verify_consistency(old_size, &rewritten_old, size, &rewritten_new, &others), Ok(()));
    }

    #[test]
    fn a_proof_of_another_leaf_or_length_never_verifies(size in 2_u64..200, at in any::<prop::sample::Index>()) {
        let (tree, _) = grow(size, 11);
        let index = at.index(size as usize) as u64;
        let other = tree.hash(Coordinate { level: 0, index: (index + 1) % size }).unwrap();
        let proof = inclusion(index, size, &tree).unwrap();
        prop_assert!(verify_inclusion(index, size, &other, &proof, &tree.root()).is_err());
        let longer = [proof.as_slice(), &[other]].concat();
        let found = verify_inclusion(index, size, &other, &longer, &tree.root());
        prop_assert_eq!(found, Err(Error::ProofLength { expected: proof.len(), found: proof.len() + 1 }));
        let shorter = &proof[1..];
        let found = verify_inclusion(index, size, &other, shorter, &tree.root());
        prop_assert_eq!(found, Err(Error::ProofLength { expected: proof.len(), found: proof.len() - 1 }));
    }

    /// Any numbers and any proof: an error or success, never a panic; and a plan's length is what verification expects.
    #[test]
    fn hostile_numbers_do_not_panic(first in any::<u64>(), second in any::<u64>(), length in 0_usize..130) {
        let hash = leaf_hash(b"hostile");
        let proof = vec![hash; length];
        let (low, high) = (first.min(second) >> 1, first.max(second) >> 1);
        for (first, second) in [(first, second), (low, high)] {
            prop_assert!(verify_inclusion(first, second, &hash, &proof, &hash).is_err());
            let _ = verify_consistency(first, &hash, second, &hash, &proof);
        }
        if low < high {
            let expected = inclusion_plan(low, high).unwrap().elements.len();
            let wrong = verify_inclusion(low, high, &hash, &vec![hash; expected + 1], &hash);
            prop_assert_eq!(wrong, Err(Error::ProofLength { expected, found: expected + 1 }));
            let expected = consistency_plan(low, high).unwrap().elements.len();
            let wrong = verify_consistency(low, &hash, high, &hash, &vec![hash; expected + 1]);
            prop_assert_eq!(wrong, Err(Error::ProofLength { expected, found: expected + 1 }));
        }
    }

    /// A plan names exactly the nodes that are needed: folding from only those gives the same proof.
    #[test]
    fn a_plan_names_all_it_needs(size in 1_u64..300, at in any::<prop::sample::Index>()) {
        let (tree, _) = grow(size, 13);
        let index = at.index(size as usize) as u64;
        for plan in [inclusion_plan(index, size).unwrap(), consistency_plan(index, size).unwrap()] {
            let fetched: std::collections::BTreeMap<_, _> =
                plan.coordinates().map(|coordinate| (coordinate, tree.hash(coordinate).unwrap())).collect();
            prop_assert_eq!(plan.fold(&fetched), plan.fold(&tree));
        }
    }

    /// An auditor who holds only the frontier before a range and the leaves of the range reaches the published root.
    #[test]
    fn a_range_is_checked_from_its_frontier(size in 1_u64..300, at in any::<prop::sample::Index>()) {
        let (tree, _) = grow(size, 17);
        let from = at.index(size as usize) as u64;
        let before = tree::frontier(from, &tree).unwrap();
        let mut resumed = Frontier::from_bytes(from, &before.to_bytes()).unwrap();
        for index in from..size {
            resumed.append(tree.hash(Coordinate { level: 0, index }).unwrap());
        }
        prop_assert_eq!(resumed.root(), tree.root());
    }
}
