//! How many of a round's answers have how many words: ten bins of equal width, as upstream's plotting program makes them.

use crate::bars;
use crate::error::{Error, Result};
use crate::{raster, svg};

/// Bins of a histogram.
pub const BINS: usize = 10;

/// A histogram of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    title: String,
    time: String,
    note: String,
    least: u64,
    most: u64,
    counts: [u32; BINS],
}

impl Histogram {
    /// A histogram of these numbers. Bins reach from the least to the most, and each but the last is without its upper end; where all
    /// numbers are the same, from half below it to half above it. Texts that are too long for the picture are cut there.
    ///
    /// # Errors
    /// [`Error::NoNumbers`].
    pub fn new(title: &str, time: &str, note: &str, numbers: &[u64]) -> Result<Self> {
        let (Some(least), Some(most)) = (numbers.iter().min().copied(), numbers.iter().max().copied()) else {
            return Err(Error::NoNumbers);
        };
        let mut counts = [0_u32; BINS];
        for number in numbers {
            let bin = bin(*number, least, most);
            counts[bin] = counts[bin].saturating_add(1);
        }
        let [title, time, note] = [title, time, note].map(str::to_owned);
        Ok(Self { title, time, note, least, most, counts })
    }

    /// Numbers in each bin.
    #[must_use]
    pub fn counts(&self) -> [u32; BINS] {
        self.counts
    }

    /// The picture as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(&bars::scene(self))
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// [`Error::Png`].
    pub fn png(&self) -> Result<Vec<u8>> {
        raster::write(&bars::scene(self))
    }

    pub(crate) fn texts(&self) -> [&str; 3] {
        [&self.title, &self.time, &self.note]
    }

    /// The lower end of the first bin and the upper end of the last.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let (least, most) = (self.least as f64, self.most as f64);
        if self.least == self.most { (least - 0.5, most + 0.5) } else { (least, most) }
    }
}

/// The bin of a number, in whole numbers, so that no rounding moves one over an edge.
fn bin(number: u64, least: u64, most: u64) -> usize {
    if least == most {
        return BINS / 2;
    }
    let place = u128::from(number - least) * BINS as u128 / u128::from(most - least);
    usize::try_from(place).unwrap_or(BINS).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bins_are_of_equal_width_and_the_last_has_its_upper_end() {
        let check = |numbers: &[u64], expected: [u32; BINS]| {
            let made = Histogram::new("", "", "", numbers).unwrap();
            assert_eq!(made.counts(), expected, "{numbers:?}");
        };
        check(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
        check(&[5, 5, 5], [0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
        check(&[0, 29, 30, 59, 60, 100], [1, 0, 1, 1, 0, 1, 1, 0, 0, 1]);
        check(&[1, 2], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        check(&[0, u64::MAX / 2, u64::MAX], [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert!(matches!(Histogram::new("", "", "", &[]), Err(Error::NoNumbers)));
        assert_eq!(Histogram::new("", "", "", &[7]).unwrap().ends(), (6.5, 7.5));
    }
}
