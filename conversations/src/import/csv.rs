//! Tables of text, as [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180) has them: quoted fields may hold separators, doubled
//! quotes and ends of lines. A quote that never closes is an error with the line it opens in, rather than a field that
//! swallows the file.

use crate::error::Error;

/// Fields of a row at most.
const MAX_FIELDS: usize = 256;
/// Bytes of a field at most: a whole chat can stand in one.
const MAX_FIELD: usize = 1 << 20;

/// A row with the line it begins in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) fields: Vec<String>,
}

/// The rows of a text; rows without anything in them are skipped.
pub(crate) struct Rows<'a> {
    file: &'a str,
    rest: &'a str,
    line: u64,
    separator: char,
}

impl<'a> Rows<'a> {
    /// `separator`: comma, semicolon or tab.
    pub(crate) fn new(file: &'a str, text: &'a str, separator: char) -> Self {
        Self { file, rest: text, line: 1, separator }
    }

    fn problem(&self, line: u64, problem: String) -> Error {
        Error::Line { file: self.file.to_owned(), line, problem }
    }

    /// Takes the end of a line off the rest.
    fn end_line(&mut self) -> bool {
        let after = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix(['\n', '\r']));
        match after {
            Some(after) => {
                self.rest = after;
                self.line += 1;
                true
            }
            None => false,
        }
    }

    fn field(&mut self) -> Result<String, Error> {
        let Some(mut rest) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([self.separator, '\n', '\r']).unwrap_or(self.rest.len());
            let (field, after) = self.rest.split_at(end);
            self.rest = after;
            return self.sized(self.line, field.to_owned());
        };
        let opened = self.line;
        let mut field = String::new();
        loop {
            let Some(end) = rest.find('"') else {
                return Err(self.problem(opened, "a quote opens here and never closes".to_owned()));
            };
            let (part, after) = rest.split_at(end);
            field.push_str(part);
            self.line += ends_of_lines(part);
            field = self.sized(opened, field)?;
            match after.strip_prefix("\"\"") {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => {
                    self.rest = after.strip_prefix('"').unwrap_or(after);
                    break;
                }
            }
        }
        if !self.rest.is_empty() && !self.rest.starts_with([self.separator, '\n', '\r']) {
            return Err(self.problem(self.line, "text after a closing quote".to_owned()));
        }
        Ok(field)
    }

    fn sized(&self, line: u64, field: String) -> Result<String, Error> {
        if field.len() > MAX_FIELD {
            return Err(self.problem(line, format!("a field of more than {MAX_FIELD} bytes")));
        }
        Ok(field)
    }

    fn row(&mut self) -> Result<Row, Error> {
        let line = self.line;
        let mut fields = vec![self.field()?];
        while let Some(after) = self.rest.strip_prefix(self.separator) {
            if fields.len() >= MAX_FIELDS {
                return Err(self.problem(line, format!("more than {MAX_FIELDS} fields")));
            }
            self.rest = after;
            fields.push(self.field()?);
        }
        self.end_line();
        Ok(Row { line, fields })
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.end_line() {}
        if self.rest.is_empty() {
            return None;
        }
        let row = self.row();
        if row.is_err() {
            // Nothing can be said about what comes after it.
            self.rest = "";
        }
        Some(row)
    }
}

/// As [`crate::text::lines`] counts them.
fn ends_of_lines(text: &str) -> u64 {
    let text = text.as_bytes();
    let ends = text.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Result<Vec<(u64, Vec<String>)>, String> {
        let rows = Rows::new("f", text, ',').map(|row| row.map(|row| (row.line, row.fields)));
        rows.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn quotes_hold_separators_quotes_and_ends_of_lines() {
        let found = rows("a,\"b, \"\"c\"\"\r\nd\",\r\n\n,e\"f,\n").unwrap();
        let expected = [
            (1, vec!["a".to_owned(), "b, \"c\"\r\nd".to_owned(), String::new()]),
            (4, vec![String::new(), "e\"f".to_owned(), String::new()]),
        ];
        assert_eq!(found, expected);
        assert!(rows("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("a\n\"b\nc", "f, line 2: a quote opens here and never closes"),
            ("a\n\"b\nc\"d", "f, line 3: text after a closing quote"),
        ] {
            assert_eq!(rows(text).unwrap_err(), expected);
        }
        assert_eq!(rows(&",".repeat(MAX_FIELDS)).unwrap_err(), "f, line 1: more than 256 fields");
        let huge = "x".repeat(MAX_FIELD + 1);
        for text in [huge.clone(), format!("\"{huge}\"")] {
            assert_eq!(rows(&text).unwrap_err(), "f, line 1: a field of more than 1048576 bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(fields in prop::collection::vec("[a\",\n\r;é]{0,6}", 1..5)) {
            let line: Vec<String> = fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            let found = rows(&line.join(",")).unwrap();
            prop_assert_eq!(&found[0].1, &fields);
        }

        #[test]
        fn any_text_is_survived(text in "[a\",\n\r]{0,40}") {
            let _ = rows(&text);
        }
    }
}
