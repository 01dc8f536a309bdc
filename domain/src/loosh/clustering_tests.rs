//! Labels against scikit-learn 1.9.1 on random distances, half of them full of ties (`clustering_golden.json`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::loosh::matrix::pairs;
use proptest::prelude::*;

fn square(size: usize, upper: &[f64]) -> SquareMatrix {
    let places: Vec<(usize, usize)> = pairs(size).collect();
    SquareMatrix::from_cells(size, |i, j| {
        places.iter().position(|place| *place == (i.min(j), i.max(j))).map_or(0.0, |at| upper[at])
    })
}

#[test]
fn labels_of_scikit_learn() {
    let rows: Vec<(usize, f64, Vec<f64>, Vec<usize>)> =
        serde_json::from_str(include_str!("clustering_golden.json")).unwrap();
    assert!(rows.len() > 50);
    for (size, threshold, upper, labels) in rows {
        assert_eq!(average_linkage_labels(&square(size, &upper), threshold), labels, "{size} {threshold} {upper:?}");
    }
}

#[test]
fn small_sets() {
    assert!(average_linkage_labels(&square(0, &[]), 0.5).is_empty());
    assert_eq!(average_linkage_labels(&square(1, &[]), 0.5), [0]);
    assert_eq!(average_linkage_labels(&square(2, &[0.5]), 0.5), [1, 0]);
    assert_eq!(average_linkage_labels(&square(2, &[0.499_999]), 0.5), [0, 0]);
    assert_eq!(average_linkage_labels(&square(4, &[0.0; 6]), 0.5), [0; 4]);
    assert!(dominant(&[], None).is_empty());
    assert_eq!(dominant(&[1, 1, 0, 0], None), [false, false, true, true]);
    assert_eq!(dominant(&[1, 1, 0, 2], Some(&[0.5, 0.5, 0.9, 1.0])), [true, true, false, false]);
}

/// Heights of the textbook algorithm: join the two nearest clusters, distances anew as plain means over members.
fn naive_heights(distances: &SquareMatrix) -> Vec<f64> {
    let mut clusters: Vec<Vec<usize>> = (0..distances.size()).map(|leaf| vec![leaf]).collect();
    let mut heights = Vec::new();
    while clusters.len() > 1 {
        let mut best = (f64::INFINITY, 0, 0);
        for (a, b) in pairs(clusters.len()) {
            let all: Vec<f64> =
                clusters[a].iter().flat_map(|x| clusters[b].iter().map(|y| distances.get(*x, *y))).collect();
            let mean = math::mean(&all);
            if mean < best.0 {
                best = (mean, a, b);
            }
        }
        let joined = clusters.remove(best.2);
        clusters[best.1].extend(joined);
        heights.push(best.0);
    }
    heights
}

proptest! {
    #[test]
    fn heights_are_those_of_the_textbook(upper in proptest::collection::vec(0.01f64..1.0, 28)) {
        let distances = square(8, &upper);
        let merges = dendrogram(&distances);
        for (merge, naive) in merges.iter().zip(naive_heights(&distances)) {
            prop_assert!((merge.height - naive).abs() < 1e-12);
        }
        prop_assert_eq!(merges.len(), 7);
    }

    #[test]
    fn labels_are_a_partition_without_gaps(upper in proptest::collection::vec(0.0f64..1.0, 21), threshold in 0.0f64..1.0) {
        let labels = average_linkage_labels(&square(7, &upper), threshold);
        let clusters = cluster_count(&labels);
        for label in 0..clusters {
            prop_assert!(labels.contains(&label));
        }
        let kept = dominant(&labels, None);
        let size = kept.iter().filter(|k| **k).count();
        for label in 0..clusters {
            prop_assert!(labels.iter().filter(|l| **l == label).count() <= size);
        }
    }
}
