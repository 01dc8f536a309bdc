//! Inclusion and consistency proofs of [RFC 6962, section 2.1](https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1).
//!
//! A proof is planned first: the plan names the stored nodes that it needs, so that a database fetches them in one query,
//! and then folds them. Verification shares no code with planning: it derives the shape of the proof from the bits of
//! index and sizes, compares lengths before it hashes, and never allocates.

use crate::tree::{Coordinate, HashSource, fetch, subtree_coordinates};
use crate::{Error, Hash, MAX_SIZE, empty_root, frontier::fold_peaks, node_hash};

/// The stored nodes that a proof is made of. Each element of the proof is the root of one subtree, which is stored as one
/// or, at the right edge of the tree, several perfect subtrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    elements: Vec<Vec<Coordinate>>,
}

impl Plan {
    /// Every coordinate that [`Plan::fold`] asks for, in the order of the proof.
    pub fn coordinates(&self) -> impl Iterator<Item = Coordinate> + '_ {
        self.elements.iter().flatten().copied()
    }

    /// The proof: its hashes in the order of RFC 6962, from the bottom of the tree up.
    ///
    /// # Errors
    /// [`Error::MissingHash`] when the source lacks a node.
    pub fn fold(&self, source: &impl HashSource) -> Result<Vec<Hash>, Error> {
        let mut proof = Vec::with_capacity(self.elements.len());
        for coordinates in &self.elements {
            // No element is an empty subtree.
            proof.extend(fold_peaks(fetch(source, coordinates)?.into_iter()));
        }
        Ok(proof)
    }
}

/// The largest power of two below `count`, which must be at least 2: where RFC 6962 splits a tree.
fn split_point(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Plans the proof that the leaf at `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1: `PATH`).
///
/// # Errors
/// When `index` is not below `size` or `size` is above [`MAX_SIZE`].
pub fn inclusion_plan(index: u64, size: u64) -> Result<Plan, Error> {
    check_index(index, size)?;
    let (mut start, mut end) = (0, size);
    let mut elements = Vec::new();
    while end - start > 1 {
        let middle = start + split_point(end - start);
        if index < middle {
            elements.push(subtree_coordinates(middle, end));
            end = middle;
        } else {
            elements.push(subtree_coordinates(start, middle));
            start = middle;
        }
    }
    elements.reverse();
    Ok(Plan { elements })
}

/// Plans the proof that the tree of `old_size` leaves is the beginning of the tree of `new_size` leaves (RFC 6962,
/// section 2.1.2: `PROOF`). From the empty tree, and between equal sizes, the proof is empty.
///
/// # Errors
/// When `old_size` is above `new_size` or `new_size` above [`MAX_SIZE`].
pub fn consistency_plan(old_size: u64, new_size: u64) -> Result<Plan, Error> {
    check_sizes(old_size, new_size)?;
    let mut elements = Vec::new();
    if old_size == 0 {
        return Ok(Plan { elements });
    }
    let (mut start, mut end) = (0, new_size);
    while old_size != end {
        let middle = start + split_point(end - start);
        if old_size <= middle {
            elements.push(subtree_coordinates(middle, end));
            end = middle;
        } else {
            elements.push(subtree_coordinates(start, middle));
            start = middle;
        }
    }
    // The subtree at which the old tree ends: the verifier knows it already if it is the whole old tree.
    if start > 0 {
        elements.push(subtree_coordinates(start, end));
    }
    elements.reverse();
    Ok(Plan { elements })
}

/// Proof that the leaf at `index` is in the tree of `size` leaves.
///
/// # Errors
/// As [`inclusion_plan`] and [`Plan::fold`].
pub fn inclusion(index: u64, size: u64, source: &impl HashSource) -> Result<Vec<Hash>, Error> {
    inclusion_plan(index, size)?.fold(source)
}

/// Proof that the tree of `old_size` leaves is the beginning of the tree of `new_size` leaves.
///
/// # Errors
/// As [`consistency_plan`] and [`Plan::fold`].
pub fn consistency(old_size: u64, new_size: u64, source: &impl HashSource) -> Result<Vec<Hash>, Error> {
    consistency_plan(old_size, new_size)?.fold(source)
}

/// Checks that `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with this root.
///
/// # Errors
/// When `index` or `size` are impossible, the proof has another length than they ask for, or it leads to another root.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), Error> {
    check_index(index, size)?;
    // Up to the level where the path to the leaf joins the right edge of the tree, siblings are on either side; above
    // it the path is the edge itself and only left siblings are left, one for each set bit.
    let inner = bit_length(index ^ (size - 1));
    let border = shifted(index, inner).count_ones() as usize;
    check_length(inner + border, proof)?;
    let (inner_proof, border_proof) = proof.split_at(inner);
    let joined = climb(*leaf, index, inner_proof);
    check_root(size, climb_edge(joined, border_proof), root)
}

/// Checks that the tree of `old_size` leaves with `old_root` is the beginning of the tree of `new_size` leaves with
/// `new_root`.
///
/// # Errors
/// When the sizes are impossible, the proof has another length than they ask for, or it leads to another old or new root.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), Error> {
    check_sizes(old_size, new_size)?;
    if old_size == 0 {
        check_length(0, proof)?;
        check_root(0, empty_root(), old_root)?;
        return if new_size == 0 { check_root(0, empty_root(), new_root) } else { Ok(()) };
    }
    if old_size == new_size {
        check_length(0, proof)?;
        return check_root(new_size, *old_root, new_root);
    }
    // The path starts at the lowest peak of the old tree, `shift` levels above the leaves. The old tree's last leaf
    // differs from the new one's in a bit above them, so that the subtraction holds.
    let last = old_size - 1;
    let shift = old_size.trailing_zeros() as usize;
    let join = bit_length(last ^ (new_size - 1));
    let inner = join - shift;
    let border = shifted(last, join).count_ones() as usize;
    // The lowest peak of an old tree that is one perfect subtree is its root, and is not repeated in the proof.
    let (seed, rest) = match (old_size.is_power_of_two(), proof.split_first()) {
        (true, _) => (*old_root, proof),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return Err(Error::ProofLength { expected: 1 + inner + border, found: 0 }),
    };
    if rest.len() != inner + border {
        let seeds = usize::from(!old_size.is_power_of_two());
        return Err(Error::ProofLength { expected: seeds + inner + border, found: proof.len() });
    }
    let (inner_proof, border_proof) = rest.split_at(inner);
    let path = shifted(last, shift);
    let old_joined = climb_left(seed, path, inner_proof);
    check_root(old_size, climb_edge(old_joined, border_proof), old_root)?;
    let new_joined = climb(seed, path, inner_proof);
    check_root(new_size, climb_edge(new_joined, border_proof), new_root)
}

/// Joins siblings on either side: to the left of the path where its bit is set, else to the right.
fn climb(seed: Hash, path: u64, proof: &[Hash]) -> Hash {
    proof.iter().enumerate().fold(seed, |hash, (level, sibling)| match shifted(path, level) & 1 {
        0 => node_hash(&hash, sibling),
        _ => node_hash(sibling, &hash),
    })
}

/// Joins only the siblings to the left of the path: those on the right came after the old tree.
fn climb_left(seed: Hash, path: u64, proof: &[Hash]) -> Hash {
    proof.iter().enumerate().fold(seed, |hash, (level, sibling)| match shifted(path, level) & 1 {
        0 => hash,
        _ => node_hash(sibling, &hash),
    })
}

/// Joins siblings along the right edge of the tree: all of them are to the left.
fn climb_edge(seed: Hash, proof: &[Hash]) -> Hash {
    proof.iter().fold(seed, |hash, sibling| node_hash(sibling, &hash))
}

/// Bits up to and with the highest set one.
fn bit_length(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

/// `value >> by`, and 0 where that shifts everything out.
fn shifted(value: u64, by: usize) -> u64 {
    u32::try_from(by).ok().and_then(|by| value.checked_shr(by)).unwrap_or(0)
}

fn check_index(index: u64, size: u64) -> Result<(), Error> {
    if size > MAX_SIZE {
        return Err(Error::SizeLimit { size });
    }
    if index >= size {
        return Err(Error::IndexOutside { index, size });
    }
    Ok(())
}

fn check_sizes(old: u64, new: u64) -> Result<(), Error> {
    if new > MAX_SIZE {
        return Err(Error::SizeLimit { size: new });
    }
    if old > new {
        return Err(Error::SizesReversed { old, new });
    }
    Ok(())
}

fn check_length(expected: usize, proof: &[Hash]) -> Result<(), Error> {
    if proof.len() == expected { Ok(()) } else { Err(Error::ProofLength { expected, found: proof.len() }) }
}

fn check_root(size: u64, computed: Hash, expected: &Hash) -> Result<(), Error> {
    if computed == *expected { Ok(()) } else { Err(Error::RootMismatch { size, expected: *expected, computed }) }
}

#[cfg(test)]
mod tests;
