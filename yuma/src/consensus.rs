//! Steps 5 and 6: the weights that count, and the weight on which a majority of the stake agrees.

use substrate_fixed::types::I32F32;

use crate::fixed::{ZERO, normalise, sum, whole};
use crate::input::EpochInput;
use crate::sparse::{Matrix, Row, filter, from_stored, normalise_rows};

/// Step 5: weights of those who hold a permit, without self-weights (but the owner's) and without weights for somebody who
/// registered after they were set; each row normalised.
pub(crate) fn counted_weights(input: &EpochInput, permits: &[bool]) -> Matrix {
    let stored = from_stored(&input.weights, whole);
    let mut weights = filter(&stored, |i, j| {
        let registered = input.block_at_registration[j];
        // A commit that is still hidden was made for the neurons of its own block.
        let committed = input.earliest_commit.get(i).copied().flatten().unwrap_or(u64::MAX);
        permits[i] && (i != j || input.is_owner(i)) && input.last_update[i] > registered && committed >= registered
    });
    normalise_rows(&mut weights);
    weights
}

/// Step 6: for each column the largest weight that validators with more than `kappa` of the active stake give at least.
pub(crate) fn medians(active_stake: &[I32F32], weights: &Matrix, kappa: I32F32) -> Vec<I32F32> {
    let voters: Vec<usize> = (0..active_stake.len()).filter(|i| active_stake[*i] > ZERO).collect();
    let mut stake: Vec<I32F32> = voters.iter().map(|i| active_stake[*i]).collect();
    normalise(&mut stake);
    let total = sum(stake.iter().copied());
    let minority = total.saturating_sub(kappa);
    let columns = weights.len();
    let mut scores = vec![vec![ZERO; voters.len()]; columns];
    for (voter, row) in voters.iter().map(|i| &weights[*i]).enumerate() {
        for (j, value) in row {
            scores[usize::from(*j)][voter] = *value;
        }
    }
    scores.iter().map(|scores| weighted_median(&stake, scores, minority, total)).collect()
}

/// The score at which the stake of the lower scores first exceeds `minority`. Searched by halving around the score in the
/// middle of the remaining voters, which is the chain's order of search: where stakes do not add up, it decides the result.
fn weighted_median(stake: &[I32F32], scores: &[I32F32], minority: I32F32, total: I32F32) -> I32F32 {
    let mut remaining: Vec<usize> = (0..scores.len()).collect();
    let (mut low, mut high) = (ZERO, total);
    // Each turn leaves at least the pivot out, so there are at most as many turns as voters.
    loop {
        let Some(pivot) = remaining.get(remaining.len() / 2).map(|voter| scores[*voter]) else { return ZERO };
        let below: Vec<usize> = remaining.iter().copied().filter(|voter| scores[*voter] < pivot).collect();
        let above: Vec<usize> = remaining.iter().copied().filter(|voter| scores[*voter] > pivot).collect();
        let lower_edge = low.saturating_add(sum(below.iter().map(|voter| stake[*voter])));
        let upper_edge = high.saturating_sub(sum(above.iter().map(|voter| stake[*voter])));
        if minority < lower_edge && !below.is_empty() {
            (remaining, high) = (below, lower_edge);
        } else if upper_edge <= minority && !above.is_empty() {
            (remaining, low) = (above, upper_edge);
        } else {
            return pivot;
        }
    }
}

/// Step 6: weights cut at consensus; a weight over a consensus of 0 is dropped.
pub(crate) fn clip(weights: &Matrix, consensus: &[I32F32]) -> Matrix {
    let cut = |(j, value): &(u16, I32F32)| {
        let most = consensus[usize::from(*j)];
        let kept = if most < *value { most } else { *value };
        (kept == *value || most > ZERO).then_some((*j, kept))
    };
    weights.iter().map(|row: &Row| row.iter().filter_map(cut).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::{ONE, share};

    fn values(numbers: &[u16]) -> Vec<I32F32> {
        numbers.iter().copied().map(share).collect()
    }

    #[test]
    fn the_median_is_what_a_majority_gives_at_least() {
        // Stakes are 10, 20, 30 and 40 %.
        let stake = [6554, 13107, 19660, 26214];
        for (scores, kappa, expected) in [
            ([10, 20, 30, 40], 32_767, 30),
            ([40, 30, 20, 10], 32_767, 20),
            ([0, 0, 0, 40], 32_767, 0),
            ([0, 0, 30, 30], 32_767, 30),
            ([7, 7, 7, 7], 32_767, 7),
            ([10, 20, 30, 40], 0, 40),
            ([10, 20, 30, 40], 65_535, 10),
        ] {
            let weights: Matrix = scores.iter().map(|score| vec![(0, share(*score))]).collect();
            let found = medians(&values(&stake), &weights, share(kappa));
            assert_eq!(found[0], share(expected), "{scores:?} {kappa}");
            assert!(found[1..].iter().all(|median| *median == ZERO));
        }
    }

    #[test]
    fn without_voters_nobody_agrees_on_anything() {
        assert_eq!(medians(&[ZERO, ZERO], &vec![vec![(0, ONE)], vec![]], share(32_767)), [ZERO, ZERO]);
    }

    #[test]
    fn weights_over_no_consensus_are_dropped_and_zeros_stay() {
        let weights: Matrix = vec![vec![(0, ONE), (1, ONE), (2, ZERO)]];
        assert_eq!(clip(&weights, &[share(9), ZERO, ZERO]), [vec![(0, share(9)), (2, ZERO)]]);
    }
}
