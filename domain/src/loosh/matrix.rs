//! Similarity matrices of a round's embeddings.
//!
//! Cosines are inner products of [`math::unit`]s, as scikit-learn's `cosine_similarity`: a zero vector has similarity 0
//! with everything. Rows are the responses in the order in which the round recorded them, and the matrix of a filtered
//! round is the sub-matrix, never computed anew.

use crate::math;

/// One response's (or sentence's) embedding.
pub type Embedding = Vec<f64>;

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct SquareMatrix {
    size: usize,
    cells: Vec<f64>,
}

impl SquareMatrix {
    /// The matrix of `size` rows whose cell (i, j) is `cell(i, j)`.
    pub fn from_cells(size: usize, cell: impl Fn(usize, usize) -> f64) -> Self {
        let cells = (0..size * size).map(|at| cell(at / size, at % size)).collect();
        Self { size, cells }
    }

    /// The matrix of these rows; `None` if one of them has not as many cells as there are rows.
    pub fn from_rows(rows: &[Vec<f64>]) -> Option<Self> {
        rows.iter().all(|row| row.len() == rows.len()).then(|| Self { size: rows.len(), cells: rows.concat() })
    }

    /// How many rows there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The cell in row `row`, column `column`; both must be below [`Self::size`].
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.cells[row * self.size + column]
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks(self.size.max(1))
    }

    /// The rows and columns for which `keep` says yes.
    pub fn select(&self, keep: &[bool]) -> Self {
        let kept = indices(keep);
        Self::from_cells(kept.len(), |i, j| self.get(kept[i], kept[j]))
    }

    /// Cells above the diagonal, row by row (numpy's `triu_indices(k=1)`).
    pub fn upper(&self) -> Vec<f64> {
        pairs(self.size).map(|(i, j)| self.get(i, j)).collect()
    }

    /// Row `row` without its diagonal cell.
    pub fn others(&self, row: usize) -> Vec<f64> {
        (0..self.size).filter(|column| *column != row).map(|column| self.get(row, column)).collect()
    }
}

/// Pairs i < j of 0..size, row by row.
pub fn pairs(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |i| (i + 1..size).map(move |j| (i, j)))
}

/// The places where `keep` says yes.
pub fn indices(keep: &[bool]) -> Vec<usize> {
    keep.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at).collect()
}

/// Those items for which `keep` says yes.
pub fn select<T: Clone>(items: &[T], keep: &[bool]) -> Vec<T> {
    items.iter().zip(keep).filter(|(_, kept)| **kept).map(|(item, _)| item.clone()).collect()
}

/// All vectors scaled to length one.
pub fn units(embeddings: &[Embedding]) -> Vec<Embedding> {
    embeddings.iter().map(|e| math::unit(e)).collect()
}

/// Pairwise cosines (spec 3, `S_ij`).
pub fn similarity(embeddings: &[Embedding]) -> SquareMatrix {
    similarity_of_units(&units(embeddings))
}

/// Pairwise inner products of vectors that already have length one.
pub fn similarity_of_units(units: &[Embedding]) -> SquareMatrix {
    let size = units.len();
    let mut cells = vec![0.0; size * size];
    for i in 0..size {
        for (offset, value) in inner_products(&units[i], &units[i..]).into_iter().enumerate() {
            cells[i * size + i + offset] = value;
            cells[(i + offset) * size + i] = value;
        }
    }
    SquareMatrix { size, cells }
}

/// Inner products of one vector with many.
pub fn inner_products(left: &[f64], right: &[Embedding]) -> Vec<f64> {
    let mut out = Vec::with_capacity(right.len());
    let mut fours = right.chunks_exact(4);
    for four in &mut fours {
        out.extend(math::dot_four(left, [&four[0], &four[1], &four[2], &four[3]]));
    }
    out.extend(fours.remainder().iter().map(|row| math::dot(left, row)));
    out
}

/// Cosines of one vector with many.
pub fn cosines(left: &[f64], right: &[Embedding]) -> Vec<f64> {
    inner_products(&math::unit(left), &units(right))
}

/// Pairwise Euclidean distances.
pub fn distances(embeddings: &[Embedding]) -> SquareMatrix {
    let size = embeddings.len();
    let mut cells = vec![0.0; size * size];
    for i in 0..size {
        let right = &embeddings[i + 1..];
        let mut found = Vec::with_capacity(right.len());
        let mut fours = right.chunks_exact(4);
        for four in &mut fours {
            found.extend(math::distance_four(&embeddings[i], [&four[0], &four[1], &four[2], &four[3]]));
        }
        found.extend(fours.remainder().iter().map(|row| math::distance(&embeddings[i], row)));
        for (offset, value) in found.into_iter().enumerate() {
            let j = i + 1 + offset;
            cells[i * size + j] = value;
            cells[j * size + i] = value;
        }
    }
    SquareMatrix { size, cells }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_vectors_resemble_nothing() {
        let matrix = similarity(&[vec![0.0, 0.0], vec![3.0, 4.0], vec![4.0, 3.0]]);
        assert_eq!(matrix.others(0), [0.0, 0.0]);
        assert!((matrix.get(1, 2) - 0.96).abs() < 1e-15);
        assert_eq!(matrix.select(&[false, true, true]).upper(), [matrix.get(1, 2)]);
        assert!(SquareMatrix::from_rows(&[vec![1.0, 2.0]]).is_none());
        assert_eq!(similarity(&[]).upper(), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn cells_are_single_cosines(rows in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 7), 0..11)) {
            let matrix = similarity(&rows);
            for (i, j) in pairs(rows.len()) {
                prop_assert_eq!(matrix.get(i, j).to_bits(), math::cosine(&rows[i], &rows[j]).to_bits());
                prop_assert_eq!(matrix.get(i, j).to_bits(), matrix.get(j, i).to_bits());
            }
        }
    }
}
