//! From the bytes of a file to lines of text, with everything refused that no importer should have to think of: other
//! encodings, NUL bytes, lines and files without end.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::Error;

/// Bytes of a file at most.
pub(crate) const MAX_FILE: usize = 256 << 20;
/// Bytes of a line at most: a conversation's 512 KiB of text, with every character escaped.
pub(crate) const MAX_LINE: usize = 4 << 20;

/// The bytes of a file, unless there are more than a limit.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = || path.display().to_string();
    let reading = |source| Error::Read { file: file(), source };
    let opened = File::open(path).map_err(reading)?;
    read_from(opened, &file())
}

/// The same of a file that is open.
pub(crate) fn read_from(opened: impl Read, file: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One byte more than may be there tells the rest.
    let reading = |source| Error::Read { file: file.to_owned(), source };
    opened.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(reading)?;
    if bytes.len() > MAX_FILE {
        return Err(Error::File { file: file.to_owned(), problem: format!("more than {MAX_FILE} bytes; split it") });
    }
    Ok(bytes)
}

/// The text of a file, without a byte order mark.
pub(crate) fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    let whole = |problem: &str| Error::File { file: file.to_owned(), problem: problem.to_owned() };
    let at = |place: usize, problem: String| {
        let line = line_of(bytes.get(..place).unwrap_or(bytes));
        Error::Line { file: file.to_owned(), line, problem }
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(whole("this is UTF-16; save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(place) = bytes.iter().position(|byte| *byte == 0) {
        return Err(at(place, "a NUL byte".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| at(error.valid_up_to(), "not UTF-8".to_owned()))?;
    for (line, content) in lines(text) {
        if content.len() > MAX_LINE {
            let problem = format!("{} bytes are over the limit of {MAX_LINE} for a line", content.len());
            return Err(Error::Line { file: file.to_owned(), line, problem });
        }
    }
    Ok(text)
}

/// The number of the line that begins or goes on after these bytes.
fn line_of(before: &[u8]) -> u64 {
    let ends = before.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => before.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64 + 1
}

/// The lines of a text with their numbers from 1; LF, CR LF and CR end one.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        number += 1;
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix(['\n', '\r'])).unwrap_or(after);
        Some((number, line))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn all_ends_of_lines_count() {
        let found: Vec<_> = lines("a\nb\r\nc\rd\n\n\re").collect();
        assert_eq!(found, [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, ""), (6, ""), (7, "e")]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }

    #[test]
    fn what_no_importer_should_see_is_refused_with_its_line() {
        for (bytes, expected) in [
            (&b"\xff\xfea\0"[..], "f: this is UTF-16; save it as UTF-8"),
            (b"a\r\nb\rc\0", "f, line 3: a NUL byte"),
            (b"a\n\n\xc3(", "f, line 3: not UTF-8"),
        ] {
            assert_eq!(decode("f", bytes).unwrap_err().to_string(), expected);
        }
        let mut long = b"short\n".to_vec();
        long.resize(long.len() + MAX_LINE, b'x');
        assert!(decode("f", &long).is_ok());
        long.push(b'x');
        let error = decode("f", &long).unwrap_err().to_string();
        assert_eq!(error, "f, line 2: 4194305 bytes are over the limit of 4194304 for a line");
        assert_eq!(decode("f", b"\xef\xbb\xbfa").unwrap(), "a");
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let error = read_from(std::io::repeat(b'x'), "endless").unwrap_err().to_string();
        assert_eq!(error, "endless: more than 268435456 bytes; split it");
    }
}
