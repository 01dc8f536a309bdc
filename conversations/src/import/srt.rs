//! SubRip captions: one file, one conversation. There is no standard; read are blocks of a number, times and text.

use crate::conversation::{Conversation, Source};
use crate::error::Error;
use crate::text;

use super::cues::{self, Block, Cue, Said};
use super::vtt::{tag, unescape};

/// The conversation of a SubRip file; none if nobody says anything.
///
/// # Errors
/// By line and field: blocks without times, bad times, limits.
pub fn srt(file: &str, bytes: &[u8], source: Source) -> Result<Vec<Conversation>, Error> {
    let text = text::decode(file, bytes)?;
    let mut found = Vec::new();
    for block in cues::blocks(text) {
        let cue = cue(file, &block)?;
        cues::push(file, &mut found, cue)?;
    }
    Ok(cues::conversation(file, found, source)?.into_iter().collect())
}

fn cue(file: &str, block: &Block<'_>) -> Result<Cue, Error> {
    let is_number = |line: &str| !line.trim().is_empty() && line.trim().bytes().all(|byte| byte.is_ascii_digit());
    let (line, times, payload) = match block.lines.as_slice() {
        [(line, times), payload @ ..] if times.contains("-->") => (*line, *times, payload),
        [(_, number), (line, times), payload @ ..] if is_number(number) => (*line, *times, payload),
        lines => {
            let line = lines.first().map_or(1, |(line, _)| *line);
            let problem = "neither a cue's number nor its times".to_owned();
            return Err(Error::Line { file: file.to_owned(), line, problem });
        }
    };
    let (start, end) = cues::times(file, line, times, &[',', '.'])?;
    if let Some((line, _)) = payload.iter().find(|(_, content)| content.contains("-->")) {
        let problem = "an arrow within a cue; an empty line ends a cue".to_owned();
        return Err(Error::Line { file: file.to_owned(), line: *line, problem });
    }
    let said = payload.iter().map(|(_, content)| plain(content)).filter(|text| !text.is_empty());
    Ok(Cue { line, start, end, said: said.map(|text| Said { speaker: None, text }).collect() })
}

/// A line without `<i>` and `{\an8}`.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        // Only up to the next brace, so that no line takes longer than its length.
        let place =
            after.strip_prefix("{\\").and_then(|inside| inside.get(inside.find(['{', '}'])?..)?.strip_prefix('}'));
        if let Some(behind) = place.or_else(|| tag(after).map(|(_, behind)| behind)) {
            rest = behind;
        } else {
            let mut characters = after.chars();
            text.extend(characters.next());
            rest = characters.as_str();
        }
    }
    text.push_str(rest);
    unescape(text.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formatting_is_taken_off() {
        for (line, expected) in [
            ("<i>Hello</i> <font color=\"#fff\">there</font>", "Hello there"),
            ("{\\an8}Up here", "Up here"),
            ("{set} and {\\unclosed", "{set} and {\\unclosed"),
            ("I <3 you &amp; tea", "I <3 you & tea"),
        ] {
            assert_eq!(plain(line), expected);
        }
        for piece in ["{\\", "<1", "<a{\\"] {
            let line = piece.repeat(1 << 20);
            assert_eq!(plain(&line), line, "and in a time like its length");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("Hi\n", "f, line 1: neither a cue's number nor its times"),
            ("1\nHi\n", "f, line 2, times: no arrow"),
            ("7\n", "f, line 1: neither a cue's number nor its times"),
            ("1\n00:00:01,000 --> 00:00:00,999\nHi", "f, line 2, end: before the start"),
            ("1\n00:00:01,000 --> 00:00:02,000\nHi\n\nlost", "f, line 5: neither a cue's number nor its times"),
            (
                "1\n00:00:01,000 --> 00:00:02,000\nHi\n2\n00:00:03,000 --> 00:00:04,000\nHo",
                "f, line 5: an arrow within a cue; an empty line ends a cue",
            ),
        ] {
            assert_eq!(srt("f", text.as_bytes(), Source::Podcast).unwrap_err().to_string(), expected, "{text}");
        }
        assert!(srt("f", b"", Source::Podcast).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[<>/{}\\\\& ;a-z0-9:,\n-]{0,80}") {
            let _ = srt("f", text.as_bytes(), Source::Podcast);
            let _ = srt("f", format!("1\n00:00:01,000 --> 00:00:02,000\n{text}").as_bytes(), Source::Podcast);
        }
    }
}
