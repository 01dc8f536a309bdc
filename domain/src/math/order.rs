//! Order statistics and index sorts with numpy's results, ties included.
//!
//! [`argsort`] is numpy's portable introsort (`kind="quicksort"`): not stable, so its answer for equal keys is a fact of
//! the algorithm, and upstream's keyword list depends on it.

/// The `q`-th percentile (0 ≤ q ≤ 100) with linear interpolation, as `numpy.percentile`; `None` for no values.
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * (q / 100.0);
    let below = libm::floor(place);
    let at = (below as usize).min(last);
    let (low, high) = (sorted[at], sorted[(at + 1).min(last)]);
    let fraction = place - below;
    let step = high - low;
    // numpy interpolates from the nearer end, which makes the result monotonic.
    Some(if fraction >= 0.5 { high - step * (1.0 - fraction) } else { low + step * fraction })
}

/// The index of the largest value, the first one if several are equal; `None` for no values.
pub fn first_largest(values: &[f64]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, value) in values.iter().enumerate() {
        if best.is_none_or(|b| *value > values[b]) {
            best = Some(at);
        }
    }
    best
}

/// Parts of up to 16 elements go to insertion sort (numpy's `SMALL_QUICKSORT`).
const SMALL: usize = 15;

/// Indices that sort `values` ascending, equal values in the order in which numpy's quicksort leaves them.
pub fn argsort(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // (first, last, how much deeper it may go before heapsort takes over)
    let depth = 2 * i64::from(usize::BITS - 1 - values.len().max(1).leading_zeros());
    let mut open = Vec::new();
    if !order.is_empty() {
        open.push((0, order.len() - 1, depth));
    }
    while let Some((mut first, mut last, mut depth)) = open.pop() {
        if depth < 0 {
            heap_sort(values, &mut order[first..=last]);
            continue;
        }
        while last - first > SMALL {
            let (before, after) = partition(values, &mut order, first, last);
            depth -= 1;
            // The larger part waits, the smaller one goes on.
            if before - first < last - before {
                open.push((after, last, depth));
                last = before - 1;
            } else {
                open.push((first, before - 1, depth));
                first = after;
            }
        }
        insertion_sort(values, &mut order[first..=last]);
    }
    order
}

/// Median of three, then Hoare's scan. The pivot ends at the first of the two returned places; the second is the start
/// of the upper part.
fn partition(values: &[f64], order: &mut [usize], first: usize, last: usize) -> (usize, usize) {
    let middle = first + (last - first) / 2;
    for (a, b) in [(first, middle), (middle, last), (first, middle)] {
        if values[order[b]] < values[order[a]] {
            order.swap(a, b);
        }
    }
    let pivot = values[order[middle]];
    let (mut up, mut down) = (first, last - 1);
    order.swap(middle, down);
    loop {
        up += 1;
        while values[order[up]] < pivot {
            up += 1;
        }
        down -= 1;
        while pivot < values[order[down]] {
            down -= 1;
        }
        if up >= down {
            break;
        }
        order.swap(up, down);
    }
    order.swap(up, last - 1);
    (up, up + 1)
}

fn insertion_sort(values: &[f64], part: &mut [usize]) {
    for at in 1..part.len() {
        let moving = part[at];
        let mut to = at;
        while to > 0 && values[moving] < values[part[to - 1]] {
            part[to] = part[to - 1];
            to -= 1;
        }
        part[to] = moving;
    }
}

/// The fall-back that keeps hostile orders from costing quadratic time.
fn heap_sort(values: &[f64], part: &mut [usize]) {
    let sift = |part: &mut [usize], mut root: usize, end: usize| {
        while 2 * root + 1 < end {
            let mut child = 2 * root + 1;
            if child + 1 < end && values[part[child]] < values[part[child + 1]] {
                child += 1;
            }
            if values[part[root]] < values[part[child]] {
                part.swap(root, child);
                root = child;
            } else {
                return;
            }
        }
    };
    let length = part.len();
    for root in (0..length / 2).rev() {
        sift(part, root, length);
    }
    for end in (1..length).rev() {
        part.swap(0, end);
        sift(part, 0, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_of_numpy() {
        let values = [0.3, 0.1, 0.9, 0.4, 0.2];
        for (q, expected) in [(0.0, 0.1), (50.0, 0.3), (90.0, 0.7), (99.9, 0.898), (100.0, 0.9)] {
            let got = percentile(&values, q);
            assert!(got.is_some_and(|p| (p - expected).abs() < 1e-15), "{q}: {got:?}");
        }
        assert_eq!(percentile(&[7.0], 99.9), Some(7.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn equal_keys_fall_as_in_numpy() {
        // numpy.argsort of [i % 3 for i in range(24)] with the portable quicksort.
        let values: Vec<f64> = (0..24).map(|i| f64::from(i % 3)).collect();
        let order = argsort(&values);
        assert_eq!(order, EXPECTED_24);
    }

    const EXPECTED_24: [usize; 24] =
        [0, 18, 21, 3, 12, 6, 15, 9, 13, 22, 19, 7, 4, 1, 10, 16, 20, 11, 14, 8, 5, 2, 17, 23];

    proptest! {
        #[test]
        fn argsort_sorts(values in proptest::collection::vec(0u8..12, 0..300)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let order = argsort(&values);
            let mut seen = order.clone();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..values.len()).collect::<Vec<_>>());
            prop_assert!(order.windows(2).all(|pair| values[pair[0]] <= values[pair[1]]));
        }
    }
}
