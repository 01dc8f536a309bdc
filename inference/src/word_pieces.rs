//! Texts to word pieces to padded batches.
//!
//! `tokenizer.json` of the published model pins truncation to 128 and a fixed padding of 128; the model was trained with
//! 256 (`sentence_bert_config.json`) and a fixed padding makes a short sentence cost ten times its work. Both are
//! overridden here: cut at the manifest's length, pad to the longest text of the batch.

use tokenizers::{Tokenizer, TruncationParams};

use crate::model::ModelFiles;
use crate::{Batch, Error};

/// The tokenizer with our truncation and without its own padding.
pub(crate) struct WordPieces {
    tokenizer: Tokenizer,
    padding: i64,
}

impl WordPieces {
    pub(crate) fn open(files: &ModelFiles) -> Result<Self, Error> {
        let damaged = |error: tokenizers::Error| Error::ModelDamaged {
            path: files.tokenizer_path.clone(),
            reason: error.to_string(),
        };
        let mut tokenizer = Tokenizer::from_bytes(&files.tokenizer).map_err(damaged)?;
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id).or_else(|| tokenizer.token_to_id("[PAD]"));
        let truncation = TruncationParams { max_length: files.manifest.max_word_pieces, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(damaged)?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, padding: i64::from(padding.unwrap_or(0)) })
    }

    /// The token ids of each text, `[CLS]` and `[SEP]` included, never empty and never longer than the model reads.
    pub(crate) fn of(&self, texts: &[String]) -> Result<Vec<Vec<i64>>, Error> {
        let of_one = |(index, text): (usize, &String)| {
            let encoding = self
                .tokenizer
                .encode_fast(text.as_str(), true)
                .map_err(|error| Error::Tokenize { index, reason: error.to_string() })?;
            Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
        };
        texts.iter().enumerate().map(of_one).collect()
    }

    /// The texts of one group side by side, padded at their ends to the longest.
    pub(crate) fn batch(&self, tokens: &[Vec<i64>], group: &[usize]) -> Batch {
        let columns = group.iter().map(|index| tokens[*index].len()).max().unwrap_or(0);
        let size = group.len() * columns;
        let (mut ids, mut mask) = (Vec::with_capacity(size), Vec::with_capacity(size));
        for index in group {
            let row = &tokens[*index];
            ids.extend_from_slice(row);
            ids.resize(ids.len() + columns - row.len(), self.padding);
            mask.resize(mask.len() + row.len(), 1);
            mask.resize(mask.len() + columns - row.len(), 0);
        }
        Batch { ids, mask, rows: group.len(), columns }
    }
}

/// Groups texts of similar length, shortest first, so that little padding is computed.
///
/// A group has at most `texts` texts and at most `word_pieces` word pieces counted with padding, but always one text.
pub(crate) fn groups_by_length(tokens: &[Vec<i64>], texts: usize, word_pieces: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|index| tokens[*index].len());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in order {
        // Sorted: this text is the longest of the group so far.
        let longest = tokens[index].len();
        match groups.last_mut() {
            Some(group) if group.len() < texts && (group.len() + 1) * longest <= word_pieces => group.push(index),
            _ => groups.push(vec![index]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::groups_by_length;

    fn check(lengths: &[usize], texts: usize, word_pieces: usize, expected: &[&[usize]]) {
        let tokens: Vec<Vec<i64>> = lengths.iter().map(|length| vec![7; *length]).collect();
        let groups = groups_by_length(&tokens, texts, word_pieces);
        assert_eq!(groups, expected, "lengths {lengths:?}, at most {texts} texts and {word_pieces} word pieces");
    }

    #[test]
    fn groups_keep_both_limits_and_lose_no_text() {
        check(&[], 4, 100, &[]);
        check(&[5, 3, 4], 4, 100, &[&[1, 2, 0]]);
        check(&[5, 3, 4], 2, 100, &[&[1, 2], &[0]]);
        // 3 × 5 = 15 word pieces with padding: too many by one.
        check(&[5, 3, 4], 4, 14, &[&[1, 2], &[0]]);
        // A text longer than the budget still goes, alone.
        check(&[50, 2], 4, 10, &[&[1], &[0]]);
        check(&[2, 2, 2, 2], 4, 8, &[&[0, 1, 2, 3]]);
    }
}
