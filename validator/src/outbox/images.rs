//! The pictures of a recorded round, as upstream draws them: how alike its answers are, and how long.
//!
//! Both show the answers that no filter dropped, and there are none where these are not two.

use domain::mechanism::Mechanism;
use domain::text::word_count;
use domain::types::{Position, sha256};
use pictures::{Heatmap, Histogram};

use super::results::Results;

/// Answers of a picture at most; a draw asks fewer.
const MOST_ROWS: usize = pictures::MAX_ROWS;

impl Results {
    /// The recorded cosines as a whole symmetric matrix, in the order of their labels.
    ///
    /// # Errors
    /// A block of another size.
    pub(super) fn similarity(&self) -> Result<Vec<Vec<f64>>, String> {
        let (size, block) = (self.evaluated.labels.len(), self.evaluated.similarity.bytes());
        let (numbers, rest) = block.as_chunks::<8>();
        if !rest.is_empty() || numbers.len() != size * (size + 1) / 2 {
            return Err(format!("a similarity block of {} bytes for {size} answers", block.len()));
        }
        // The upper triangle with its diagonal, row by row.
        let mut rows = vec![vec![0.0; size]; size];
        let cells = (0..size).flat_map(|row| (row..size).map(move |column| (row, column)));
        for ((row, column), bytes) in cells.zip(numbers) {
            let number = f64::from_be_bytes(*bytes);
            (rows[row][column], rows[column][row]) = (number, number);
        }
        Ok(rows)
    }

    /// How alike the answers are.
    ///
    /// # Errors
    /// A recorded matrix that is none, or what cannot be written as PNG.
    pub(super) fn heatmap(&self) -> Result<Option<Vec<u8>>, String> {
        let (rows, labels) = (self.similarity()?, &self.evaluated.labels);
        let kept = |place: &usize| self.score(&labels[*place]).is_some_and(|scored| scored.filtered.is_none());
        let kept: Vec<usize> = (0..labels.len()).filter(kept).collect();
        if kept.len() < 2 || kept.len() > MOST_ROWS {
            return Ok(None);
        }
        let uid = |place: &usize| self.score(&labels[*place]).map_or_else(String::new, |scored| scored.uid.to_string());
        let rows = kept.iter().map(|row| kept.iter().map(|column| rows[*row][*column]).collect()).collect();
        let (title, note) = (self.title(), self.challenge.correlation_id.clone().unwrap_or_default());
        let drawn = Heatmap::new(&title, &self.at.rfc3339(), &note, kept.iter().map(uid).collect(), rows);
        drawn.and_then(|map| map.png()).map(Some).map_err(|error| error.to_string())
    }

    /// How many words the answers have: upstream's plot of quality.
    ///
    /// # Errors
    /// What cannot be written as PNG.
    pub(super) fn quality_plot(&self, mechanism: &dyn Mechanism) -> Result<Option<Vec<u8>>, String> {
        let kept = self
            .responses
            .iter()
            .filter(|response| self.score(&response.hotkey).is_some_and(|scored| scored.filtered.is_none()));
        let texts = kept.filter_map(|response| mechanism.parse_response(response.body.bytes()).ok());
        let words: Vec<u64> = texts.map(|text| word_count(&text) as u64).collect();
        if words.len() < 2 {
            return Ok(None);
        }
        let note = self.challenge.correlation_id.clone().unwrap_or_default();
        let drawn = Histogram::new(&self.title(), &self.at.rfc3339(), &note, &words);
        drawn.and_then(|plot| plot.png()).map(Some).map_err(|error| error.to_string())
    }

    fn title(&self) -> String {
        format!("{}/{}", self.challenge.id, self.evaluated.attempt)
    }
}

/// The file name of a picture: a challenge's id may hold anything.
pub(super) fn file_name(what: &str, challenge_id: &str, evaluated: Position) -> String {
    format!("{what}-{}-{evaluated}.png", &sha256(challenge_id.as_bytes()).to_string()[..16])
}
