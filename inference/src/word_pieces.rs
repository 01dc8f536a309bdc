//! Texts to word pieces to padded batches.
//!
//! `tokenizer.json` of the published model pins truncation to 128 and a fixed padding of 128; the model was trained with
//! 256 (`sentence_bert_config.json`) and a fixed padding makes a short sentence cost ten times its work. Both are
//! overridden here: cut at the manifest's length, pad to the longest text of the batch.

use tokenizers::{EncodeInput, Encoding, Tokenizer, TruncationParams};

use crate::graph::Batch;
use crate::model::{ModelFiles, ModelKind};
use crate::{Error, TextPair};

/// What padding is called where `tokenizer.json` says nothing of it.
const PADDING_TOKENS: [&str; 2] = ["[PAD]", "<pad>"];

/// A text, or a pair of texts, as a model reads it.
pub(crate) struct Pieces {
    /// Token ids, those around the text included.
    pub(crate) ids: Vec<i64>,
    /// Which text of a pair each belongs to, as the tokenizer has it.
    pub(crate) types: Vec<i64>,
    /// Whether something was cut off.
    pub(crate) truncated: bool,
}

/// The tokenizer with our truncation and without its own padding. Language models' texts are not truncated here.
pub(crate) struct WordPieces {
    tokenizer: Tokenizer,
    padding: i64,
}

impl WordPieces {
    pub(crate) fn open(files: &ModelFiles) -> Result<Self, Error> {
        let refused = |reason: String| Error::ModelDamaged { path: files.tokenizer_path.clone(), reason };
        let damaged = |error: tokenizers::Error| refused(error.to_string());
        let mut tokenizer = Tokenizer::from_bytes(&files.tokenizer).map_err(damaged)?;
        // The mask hides padding whatever its id; the model's own is taken since MPNet counts positions by it.
        let named = || PADDING_TOKENS.iter().find_map(|token| tokenizer.token_to_id(token));
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id).or_else(named);
        let causal = files.manifest.kind == ModelKind::CausalLanguageModel;
        let longest = TruncationParams { max_length: files.manifest.max_word_pieces, ..TruncationParams::default() };
        tokenizer.with_truncation((!causal).then_some(longest)).map_err(damaged)?;
        tokenizer.with_padding(None);
        let opened = Self { tokenizer, padding: i64::from(padding.unwrap_or(0)) };
        let empty = opened.of(&[String::new()])?;
        if !causal && empty.iter().any(|text| text.ids.is_empty()) {
            return Err(refused("puts nothing around a text, so that an empty one cannot be read".to_owned()));
        }
        Ok(opened)
    }

    /// The word pieces of each text, `[CLS]` and `[SEP]` or their like included: never none, never more than the model
    /// reads, except for language models, where a text is as long as it is.
    pub(crate) fn of(&self, texts: &[String]) -> Result<Vec<Pieces>, Error> {
        texts.iter().enumerate().map(|(index, text)| self.encode(index, text.as_str())).collect()
    }

    /// The word pieces of each pair. Of a pair that is too long, the longer text is cut first.
    pub(crate) fn of_pairs(&self, pairs: &[TextPair]) -> Result<Vec<Pieces>, Error> {
        let one = |(index, pair): (usize, &TextPair)| self.encode(index, (pair.first.as_str(), pair.second.as_str()));
        pairs.iter().enumerate().map(one).collect()
    }

    /// The tokens of each text as the vocabulary numbers them.
    pub(crate) fn tokens(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, Error> {
        let one = |(index, text): (usize, &String)| Ok(self.encoding(index, text.as_str())?.get_ids().to_vec());
        texts.iter().enumerate().map(one).collect()
    }

    fn encoding<'s>(&self, index: usize, input: impl Into<EncodeInput<'s>>) -> Result<Encoding, Error> {
        let refused = |error: tokenizers::Error| Error::Tokenize { index, reason: error.to_string() };
        self.tokenizer.encode_fast(input, true).map_err(refused)
    }

    fn encode<'s>(&self, index: usize, input: impl Into<EncodeInput<'s>>) -> Result<Pieces, Error> {
        let encoding = self.encoding(index, input)?;
        let wide = |numbers: &[u32]| numbers.iter().map(|number| i64::from(*number)).collect();
        let truncated = !encoding.get_overflowing().is_empty();
        Ok(Pieces { ids: wide(encoding.get_ids()), types: wide(encoding.get_type_ids()), truncated })
    }

    /// The texts of one group side by side, padded at their ends to the longest.
    pub(crate) fn batch(&self, pieces: &[Pieces], group: &[usize]) -> Batch {
        let rows: Vec<(&[i64], &[i64])> =
            group.iter().map(|index| (pieces[*index].ids.as_slice(), pieces[*index].types.as_slice())).collect();
        padded(&rows, self.padding)
    }

    /// Sequences of tokens side by side, of type 0.
    pub(crate) fn batch_of_tokens(&self, sequences: &[&[u32]]) -> Batch {
        let ids: Vec<Vec<i64>> =
            sequences.iter().map(|tokens| tokens.iter().map(|token| i64::from(*token)).collect()).collect();
        let rows: Vec<(&[i64], &[i64])> = ids.iter().map(|ids| (ids.as_slice(), [].as_slice())).collect();
        padded(&rows, self.padding)
    }
}

/// Rows of ids and types, padded to the longest; missing types are 0.
fn padded(rows: &[(&[i64], &[i64])], padding: i64) -> Batch {
    let columns = rows.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0);
    let size = rows.len() * columns;
    let (mut ids, mut mask, mut types) = (Vec::with_capacity(size), Vec::with_capacity(size), Vec::with_capacity(size));
    for (row, (own_ids, own_types)) in rows.iter().enumerate() {
        let end = (row + 1) * columns;
        ids.extend_from_slice(own_ids);
        ids.resize(end, padding);
        mask.resize(row * columns + own_ids.len(), 1);
        mask.resize(end, 0);
        types.extend_from_slice(own_types);
        types.resize(end, 0);
    }
    Batch { ids, mask, types, rows: rows.len(), columns }
}

/// Groups texts of similar length, shortest first, so that little padding is computed.
///
/// A group has at most `texts` texts and at most `word_pieces` word pieces counted with padding, but always one text.
pub(crate) fn groups_by_length(lengths: &[usize], texts: usize, word_pieces: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| lengths[*index]);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in order {
        // Sorted: this text is the longest of the group so far.
        let longest = lengths[index];
        match groups.last_mut() {
            Some(group) if group.len() < texts && (group.len() + 1) * longest <= word_pieces => group.push(index),
            _ => groups.push(vec![index]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{groups_by_length, padded};

    fn check(lengths: &[usize], texts: usize, word_pieces: usize, expected: &[&[usize]]) {
        let groups = groups_by_length(lengths, texts, word_pieces);
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

    #[test]
    fn shorter_rows_are_padded_at_their_ends() {
        let batch = padded(&[(&[5, 6, 7], &[0, 1, 1]), (&[8], &[])], 9);
        assert_eq!((batch.rows, batch.columns), (2, 3));
        assert_eq!(batch.ids, [5, 6, 7, 8, 9, 9]);
        assert_eq!(batch.mask, [1, 1, 1, 1, 0, 0]);
        assert_eq!(batch.types, [0, 1, 1, 0, 0, 0]);
    }
}
