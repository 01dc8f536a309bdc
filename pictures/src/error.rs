//! Why there is no picture.

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One answer has nothing to be compared with.
    #[error("a heat map needs at least 2 rows, not {rows}")]
    TooFew {
        /// How many there are.
        rows: usize,
    },
    /// More rows than pixels would show.
    #[error("a heat map shows at most {most} rows, not {rows}")]
    TooMany {
        /// How many there are.
        rows: usize,
        /// How many there may be.
        most: usize,
    },
    /// The numbers are no square with a label for each row.
    #[error("row {row} of a heat map of {labels} labels has {columns} columns")]
    Shape {
        /// The first row that does not fit; the number of rows if one is missing or over.
        row: usize,
        /// Its numbers.
        columns: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// A number that has no colour.
    #[error("row {row}, column {column} of a heat map is not a finite number")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
    },
    /// Nothing to be counted.
    #[error("a histogram needs at least 1 number")]
    NoNumbers,
    /// The encoder refused.
    #[error("the picture cannot be written as PNG")]
    Png(#[from] png::EncodingError),
}
