//! Matrices as the chain keeps them: a row per validator, of (column, value) in the order in which they were set.
//!
//! Every column is below the number of neurons; [`from_stored`] drops the others before anything is computed.

use substrate_fixed::types::I32F32;

use crate::fixed::{ONE, ZERO, quotient, sum};

/// A row: (column, value) in stored order.
pub(crate) type Row = Vec<(u16, I32F32)>;
/// A row per neuron.
pub(crate) type Matrix = Vec<Row>;

/// Stored rows with each value converted, without the columns that are no neuron.
pub(crate) fn from_stored(rows: &[Vec<(u16, u16)>], convert: fn(u16) -> I32F32) -> Matrix {
    let fits = |column: u16| usize::from(column) < rows.len();
    rows.iter()
        .map(|row| row.iter().filter(|(j, _)| fits(*j)).map(|(j, value)| (*j, convert(*value))).collect())
        .collect()
}

/// The entries for which `keep(row, column)` holds.
pub(crate) fn filter(matrix: &Matrix, keep: impl Fn(usize, usize) -> bool) -> Matrix {
    let rows = matrix.iter().enumerate();
    rows.map(|(i, row)| row.iter().filter(|(j, _)| keep(i, usize::from(*j))).copied().collect()).collect()
}

/// Divides each row by its sum, where that is positive.
pub(crate) fn normalise_rows(matrix: &mut Matrix) {
    for row in matrix {
        let total = sum(row.iter().map(|(_, value)| *value));
        if total > ZERO {
            row.iter_mut().for_each(|(_, value)| *value = quotient(*value, total));
        }
    }
}

/// Divides each column by its sum, where that is not 0.
pub(crate) fn normalise_columns(matrix: &mut Matrix) {
    divide_columns(matrix, I32F32::saturating_add);
}

/// Divides each column by its largest value, where that is positive.
pub(crate) fn upscale_columns(matrix: &mut Matrix) {
    divide_columns(matrix, I32F32::max);
}

/// Divides each column by its values folded from 0 with `fold`, where that is not 0.
fn divide_columns(matrix: &mut Matrix, fold: impl Fn(I32F32, I32F32) -> I32F32) {
    let mut totals = vec![ZERO; matrix.len()];
    for (j, value) in matrix.iter().flatten() {
        let total = &mut totals[usize::from(*j)];
        *total = fold(*total, *value);
    }
    for (j, value) in matrix.iter_mut().flatten() {
        let total = totals[usize::from(*j)];
        if total != ZERO {
            *value = quotient(*value, total);
        }
    }
}

/// The sum of each row.
pub(crate) fn row_sums(matrix: &Matrix) -> Vec<I32F32> {
    matrix.iter().map(|row| sum(row.iter().map(|(_, value)| *value))).collect()
}

/// `Σ_i vector_i · matrix_ij` for each column j.
pub(crate) fn columns_times(matrix: &Matrix, vector: &[I32F32]) -> Vec<I32F32> {
    let mut totals = vec![ZERO; matrix.len()];
    for (row, scale) in matrix.iter().zip(vector) {
        for (j, value) in row {
            let total = &mut totals[usize::from(*j)];
            *total = total.saturating_add(scale.saturating_mul(*value));
        }
    }
    totals
}

/// `Σ_j matrix_ij · vector_j` for each row i.
pub(crate) fn rows_times(matrix: &Matrix, vector: &[I32F32]) -> Vec<I32F32> {
    let product = |(j, value): &(u16, I32F32)| vector[usize::from(*j)].saturating_mul(*value);
    matrix.iter().map(|row| sum(row.iter().map(product))).collect()
}

/// Each row multiplied by its element of `vector`.
pub(crate) fn scale_rows(matrix: &Matrix, vector: &[I32F32]) -> Matrix {
    let scaled =
        |(row, scale): (&Row, &I32F32)| row.iter().map(|(j, value)| (*j, value.saturating_mul(*scale))).collect();
    matrix.iter().zip(vector).map(scaled).collect()
}

/// A row with a value in every column; the last of several entries of one column counts.
pub(crate) fn dense(row: &Row, columns: usize) -> Vec<I32F32> {
    let mut values = vec![ZERO; columns];
    for (j, value) in row {
        values[usize::from(*j)] = *value;
    }
    values
}

/// The positive elements of a dense row, by ascending column.
fn positive(values: &[I32F32]) -> Row {
    (0..=u16::MAX).zip(values).filter(|(_, value)| **value > ZERO).map(|(j, value)| (j, *value)).collect()
}

/// `from + ratio · (to − from)`: exactly `from` at 0 and `to` at 1, between them the positive elements only.
pub(crate) fn interpolate(from: &Matrix, to: &Matrix, ratio: I32F32) -> Matrix {
    if ratio == ZERO {
        return from.clone();
    }
    if ratio == ONE {
        return to.clone();
    }
    let columns = from.len();
    let between = |(a, b): (&I32F32, &I32F32)| a.saturating_add(ratio.saturating_mul(b.saturating_sub(*a)));
    let row = |(a, b): (&Row, &Row)| {
        let values: Vec<_> = dense(a, columns).iter().zip(&dense(b, columns)).map(between).collect();
        positive(&values)
    };
    from.iter().zip(to).map(row).collect()
}

/// `alpha · new + (1 − alpha) · old`, the positive elements only.
pub(crate) fn moving_average(new: &Matrix, old: &Matrix, alpha: I32F32) -> Matrix {
    let rest = ONE.saturating_sub(alpha);
    let columns = new.len();
    let row = |(new, old): (&Row, &Row)| {
        let mut values = vec![ZERO; columns];
        let parts = new.iter().map(|entry| (entry, alpha)).chain(old.iter().map(|entry| (entry, rest)));
        for ((j, value), factor) in parts {
            let total = &mut values[usize::from(*j)];
            *total = total.saturating_add(factor.saturating_mul(*value));
        }
        positive(&values)
    };
    new.iter().zip(old).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::whole;

    #[test]
    fn columns_that_are_no_neuron_are_dropped() {
        let matrix = from_stored(&[vec![(0, 1), (2, 7)], vec![(1, 3), (65_535, 9)]], whole);
        assert_eq!(matrix, [vec![(0, whole(1))], vec![(1, whole(3))]]);
    }

    #[test]
    fn a_row_keeps_its_order_and_its_zeros_until_it_is_averaged() {
        let mut matrix: Matrix = vec![vec![(1, whole(3)), (0, whole(1))], vec![(0, ZERO)]];
        normalise_rows(&mut matrix);
        assert_eq!(matrix[0][0], (1, whole(3).saturating_div(whole(4))));
        assert_eq!(matrix[1], [(0, ZERO)]);
        let half = ONE.saturating_div(whole(2));
        let averaged = moving_average(&matrix, &matrix, half);
        assert_eq!(averaged, [vec![(0, whole(1).saturating_div(whole(4))), (1, matrix[0][0].1)], vec![]]);
    }

    #[test]
    fn interpolation_is_exact_at_its_ends() {
        let from: Matrix = vec![vec![(1, ONE), (0, ZERO)], vec![]];
        let to: Matrix = vec![vec![(0, ONE)], vec![]];
        assert_eq!(interpolate(&from, &to, ZERO), from);
        assert_eq!(interpolate(&from, &to, ONE), to);
        let quarter = ONE.saturating_div(whole(4));
        assert_eq!(interpolate(&from, &to, quarter)[0], [(0, quarter), (1, ONE.saturating_sub(quarter))]);
    }
}
