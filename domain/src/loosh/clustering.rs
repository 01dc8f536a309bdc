//! Average-linkage clustering with SciPy's merges and scikit-learn's label numbers (spec 3.5).
//!
//! The labels decide ties: upstream takes the lowest one of equally large clusters. Labels come from cutting the dendrogram
//! with a heap of node numbers, so the merge order (SciPy's nearest-neighbour chain, then a stable sort by height) is part
//! of the result and is reproduced exactly.
//!
//! Müllner, "Modern hierarchical, agglomerative clustering algorithms" (2011), describes the chain algorithm.

use super::matrix::SquareMatrix;
use crate::math;
use crate::math::order::first_largest;

/// One merge: the two nodes joined (leaves are 0..n, the k-th merge is node n + k), lower number first, and the height.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Merge {
    children: [usize; 2],
    height: f64,
}

/// Cluster labels of the points whose distances are given: merges with height below `threshold` are done.
///
/// One point has label 0; no points have no labels.
pub fn average_linkage_labels(distances: &SquareMatrix, threshold: f64) -> Vec<usize> {
    let count = distances.size();
    let merges = dendrogram(distances);
    // Not `count - merges below`: upstream counts the heights at or above the threshold.
    let clusters = merges.iter().filter(|merge| merge.height >= threshold).count() + 1;
    let mut labels = vec![0; count];
    for (label, node) in cut(&merges, count, clusters).into_iter().enumerate() {
        for leaf in leaves(&merges, count, node) {
            labels[leaf] = label;
        }
    }
    labels
}

/// All merges, by ascending height.
fn dendrogram(distances: &SquareMatrix) -> Vec<Merge> {
    let count = distances.size();
    let mut apart: Vec<Vec<f64>> = distances.rows().map(<[f64]>::to_vec).collect();
    let mut sizes = vec![1usize; count];
    let mut chain: Vec<usize> = Vec::with_capacity(count);
    let mut found: Vec<([usize; 2], f64)> = Vec::with_capacity(count.saturating_sub(1));
    for _ in 1..count {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|size| *size > 0));
        }
        let (a, b, height) = follow(&apart, &sizes, &mut chain);
        let (gone, stays) = (a.min(b), a.max(b));
        let (left, right) = (sizes[gone] as f64, sizes[stays] as f64);
        sizes[stays] += sizes[gone];
        sizes[gone] = 0;
        for other in 0..count {
            if sizes[other] > 0 && other != stays {
                let joined = (left * apart[gone][other] + right * apart[stays][other]) / (left + right);
                apart[stays][other] = joined;
                apart[other][stays] = joined;
            }
        }
        found.push(([gone, stays], height));
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    name_nodes(&found, count)
}

/// Goes from cluster to nearest cluster until two are each other's nearest, and takes them off the chain.
fn follow(apart: &[Vec<f64>], sizes: &[usize], chain: &mut Vec<usize>) -> (usize, usize, f64) {
    loop {
        let here = chain.last().copied().unwrap_or_default();
        let before = chain.len().checked_sub(2).map(|at| chain[at]);
        // The previous element is preferred on equality, or the chain might run in circles.
        let (mut nearest, mut least) = before.map_or((here, f64::INFINITY), |b| (b, apart[here][b]));
        for other in 0..sizes.len() {
            if sizes[other] > 0 && other != here && apart[here][other] < least {
                (nearest, least) = (other, apart[here][other]);
            }
        }
        // Infinite distances leave nothing nearer than the point itself; recorded vectors are finite, so this only
        // keeps the loop from being endless.
        if before == Some(nearest) || nearest == here {
            chain.truncate(chain.len().saturating_sub(2));
            return (here, nearest, least);
        }
        chain.push(nearest);
    }
}

/// Replaces representatives by node numbers, merge by merge.
fn name_nodes(found: &[([usize; 2], f64)], count: usize) -> Vec<Merge> {
    let mut parent: Vec<usize> = (0..2 * count).collect();
    let root = |parent: &[usize], mut node: usize| {
        while parent[node] != node {
            node = parent[node];
        }
        node
    };
    let mut merges = Vec::with_capacity(found.len());
    for (at, (pair, height)) in found.iter().enumerate() {
        let (a, b) = (root(&parent, pair[0]), root(&parent, pair[1]));
        parent[a] = count + at;
        parent[b] = count + at;
        merges.push(Merge { children: [a.min(b), a.max(b)], height: *height });
    }
    merges
}

/// The nodes that remain when the tree is cut into `clusters` parts, in the order in which scikit-learn's heap holds them;
/// the place in it is the label.
fn cut(merges: &[Merge], count: usize, clusters: usize) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    let mut heap = vec![merges.len() + count - 1];
    for _ in 1..clusters {
        let Some(split) = heap[0].checked_sub(count).map(|at| merges[at].children) else { break };
        heap.push(split[0]);
        sift_towards_root(&mut heap);
        // Push the other child and pop the largest: the split node itself, which is on top.
        heap[0] = split[1];
        sift_towards_leaves(&mut heap);
    }
    heap
}

/// Python's `heapq._siftdown` on a heap with the largest on top.
fn sift_towards_root(heap: &mut [usize]) {
    let Some(mut at) = heap.len().checked_sub(1) else { return };
    while at > 0 && heap[at] > heap[(at - 1) / 2] {
        heap.swap(at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/// Python's `heapq._siftup`: the larger child moves up all the way to a leaf, then the new item moves back up. The plain
/// method would leave another arrangement, and the arrangement is the labels.
fn sift_towards_leaves(heap: &mut [usize]) {
    let Some(item) = heap.first().copied() else { return };
    let mut at = 0;
    while 2 * at + 1 < heap.len() {
        let left = 2 * at + 1;
        // The left child wins only if it is strictly larger.
        let child = if left + 1 < heap.len() && heap[left] <= heap[left + 1] { left + 1 } else { left };
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
    while at > 0 && heap[at] > heap[(at - 1) / 2] {
        heap.swap(at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

fn leaves(merges: &[Merge], count: usize, node: usize) -> Vec<usize> {
    let (mut open, mut found) = (vec![node], Vec::new());
    while let Some(node) = open.pop() {
        match node.checked_sub(count) {
            Some(at) => open.extend(merges[at].children),
            None => found.push(node),
        }
    }
    found
}

/// How many clusters the labels name.
pub fn cluster_count(labels: &[usize]) -> usize {
    labels.iter().max().map_or(0, |label| label + 1)
}

/// Who belongs to the dominant cluster: the largest sum of votes (counts, where there are no votes), ties to the lowest
/// label.
pub fn dominant(labels: &[usize], votes: Option<&[f64]>) -> Vec<bool> {
    let totals: Vec<f64> = (0..cluster_count(labels))
        .map(|cluster| {
            let member = |at: &usize| labels[*at] == cluster;
            let cast: Vec<f64> = (0..labels.len()).filter(member).map(|at| votes.map_or(1.0, |v| v[at])).collect();
            math::sum(&cast)
        })
        .collect();
    let winner = first_largest(&totals).unwrap_or_default();
    labels.iter().map(|label| *label == winner).collect()
}

/// The whole stage: labels by `1 − similarity` cut at `distance`, and who is in the dominant cluster. Everybody stays when
/// fewer than `minimum` responses are left.
pub fn filter(
    similarity: &SquareMatrix,
    votes: Option<&[f64]>,
    constants: &super::constants::Clusters,
) -> (Vec<usize>, Vec<bool>) {
    let count = similarity.size();
    if (count as u64) < constants.minimum_responses {
        return (vec![0; count], vec![true; count]);
    }
    let apart = SquareMatrix::from_cells(count, |i, j| 1.0 - similarity.get(i, j));
    let labels = average_linkage_labels(&apart, constants.distance);
    let kept = dominant(&labels, votes);
    (labels, kept)
}

#[cfg(test)]
#[path = "clustering_tests.rs"]
mod tests;
