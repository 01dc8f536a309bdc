//! The heat map of a round: how alike the answers are, two by two.
//!
//! As Loosh draws it: 500 pixels wide, the cool-warm map, its range widened by 0.05 and cut at 0 and 1, the numbers written
//! into the cells of small rounds only.

use crate::colour::{LEVELS, Rgb, level};
use crate::error::{Error, Result};
use crate::{layout, raster, svg};

/// Most rows: each still has a pixel.
pub const MAX_ROWS: usize = 256;
/// Below this spread the numbers are as good as equal and the range is 0 to 1.
pub const SPREAD: f64 = 0.01;
/// How far the range reaches beyond the numbers.
const MARGIN: f64 = 0.05;

/// A checked square of finite numbers, with its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    title: String,
    time: String,
    note: String,
    labels: Vec<String>,
    rows: Vec<Vec<f64>>,
}

/// The numbers that have the first and the last colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Has the coolest colour.
    pub low: f64,
    /// Has the warmest colour.
    pub high: f64,
}

impl Heatmap {
    /// A heat map of a symmetric matrix, one label a row. Texts that are too long for the picture are cut there.
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::TooMany`], [`Error::Shape`] and [`Error::NotFinite`].
    pub fn new(title: &str, time: &str, note: &str, labels: Vec<String>, rows: Vec<Vec<f64>>) -> Result<Self> {
        let size = labels.len();
        if size < 2 {
            return Err(Error::TooFew { rows: size });
        }
        if size > MAX_ROWS {
            return Err(Error::TooMany { rows: size, most: MAX_ROWS });
        }
        if rows.len() != size {
            return Err(Error::Shape { row: rows.len(), columns: 0, labels: size });
        }
        for (row, numbers) in rows.iter().enumerate() {
            if numbers.len() != size {
                return Err(Error::Shape { row, columns: numbers.len(), labels: size });
            }
            if let Some(column) = numbers.iter().position(|number| !number.is_finite()) {
                return Err(Error::NotFinite { row, column });
            }
        }
        let [title, time, note] = [title, time, note].map(str::to_owned);
        Ok(Self { title, time, note, labels, rows })
    }

    /// `max(0, least - 0.05)` to `min(1, most + 0.05)`; 0 to 1 where the numbers are as good as equal, or all of them outside.
    #[must_use]
    pub fn scale(&self) -> Scale {
        let numbers = || self.rows.iter().flatten().copied();
        let (least, most) = (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = ((least - MARGIN).max(0.0), (most + MARGIN).min(1.0));
        if most - least < SPREAD || low >= high { Scale { low: 0.0, high: 1.0 } } else { Scale { low, high } }
    }

    /// The picture as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(&layout::scene(self))
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// [`Error::Png`].
    pub fn png(&self) -> Result<Vec<u8>> {
        raster::write(&layout::scene(self))
    }

    pub(crate) fn texts(&self) -> [&str; 3] {
        [&self.title, &self.time, &self.note]
    }

    pub(crate) fn labels(&self) -> &[String] {
        &self.labels
    }

    pub(crate) fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }
}

impl Scale {
    /// The colour of a number.
    #[must_use]
    pub fn colour(self, number: f64) -> Rgb {
        let place = (number - self.low) / (self.high - self.low);
        // Steps of equal width; the cast cuts at 0.
        level((place * LEVELS as f64) as usize)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(rows: &[&[f64]]) -> Result<Heatmap> {
        let labels = (0..rows.len()).map(|at| at.to_string()).collect();
        Heatmap::new("t", "now", "", labels, rows.iter().map(|row| row.to_vec()).collect())
    }

    #[test]
    fn the_range_is_widened_cut_and_never_empty() {
        for (rows, low, high) in [
            (&[&[1.0, 0.5][..], &[0.5, 1.0]][..], 0.45, 1.0),
            (&[&[1.0, 0.02], &[0.02, 1.0]], 0.0, 1.0),
            (&[&[0.6, 0.4], &[0.4, 0.6]], 0.35, 0.65),
            (&[&[1.0, 0.995], &[0.995, 1.0]], 0.0, 1.0),
            (&[&[0.5, 0.5], &[0.5, 0.5]], 0.0, 1.0),
            (&[&[-1.0, -0.5], &[-0.5, -1.0]], 0.0, 1.0),
            (&[&[3.0, 2.0], &[2.0, 3.0]], 0.0, 1.0),
        ] {
            let scale = map(rows).unwrap().scale();
            assert!((scale.low - low).abs() < 1e-12 && (scale.high - high).abs() < 1e-12, "{rows:?}: {scale:?}");
        }
    }

    #[test]
    fn only_finite_squares_of_a_good_size_are_drawn() {
        assert!(matches!(map(&[&[1.0]]), Err(Error::TooFew { rows: 1 })));
        assert!(matches!(map(&[&[1.0, 0.5], &[0.5]]), Err(Error::Shape { row: 1, columns: 1, labels: 2 })));
        assert!(matches!(map(&[&[1.0, f64::NAN], &[0.5, 1.0]]), Err(Error::NotFinite { row: 0, column: 1 })));
        let rows = vec![vec![0.0; 257]; 257];
        let many = Heatmap::new("", "", "", vec![String::new(); 257], rows);
        assert!(matches!(many, Err(Error::TooMany { rows: 257, most: 256 })));
        let missing = Heatmap::new("", "", "", vec![String::new(); 2], vec![vec![0.0; 2]]);
        assert!(matches!(missing, Err(Error::Shape { row: 1, columns: 0, labels: 2 })));
    }

    #[test]
    fn numbers_beyond_the_range_have_the_colours_of_its_ends() {
        let scale = Scale { low: 0.0, high: 1.0 };
        assert_eq!((scale.colour(-5.0), scale.colour(5.0)), (level(0), level(255)));
        assert_eq!(scale.colour(0.5), level(128));
    }
}
