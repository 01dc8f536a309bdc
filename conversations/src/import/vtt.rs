//! [WebVTT](https://www.w3.org/TR/webvtt1/) captions: one file, one conversation. Voices (`<v Name>`) are speakers.

use crate::conversation::{Conversation, Source};
use crate::error::Error;
use crate::text;

use super::cues::{self, Block, Cue, Said};

/// The conversation of a WebVTT file; none if nobody says anything.
///
/// # Errors
/// By line and field: a file that does not begin with `WEBVTT`, blocks without times, bad times, limits.
pub fn vtt(file: &str, bytes: &[u8], source: Source) -> Result<Vec<Conversation>, Error> {
    let text = text::decode(file, bytes)?;
    let first = text::lines(text).next().map(|(_, line)| line).unwrap_or_default();
    if first != "WEBVTT" && !first.starts_with("WEBVTT ") && !first.starts_with("WEBVTT\t") {
        return Err(Error::Line {
            file: file.to_owned(),
            line: 1,
            problem: "a WebVTT file begins with WEBVTT".to_owned(),
        });
    }
    let mut found = Vec::new();
    // The first block is the file's own heading.
    for block in cues::blocks(text).skip(1) {
        if let Some(cue) = cue(file, &block)? {
            cues::push(file, &mut found, cue)?;
        }
    }
    Ok(cues::conversation(file, found, source)?.into_iter().collect())
}

fn cue(file: &str, block: &Block<'_>) -> Result<Option<Cue>, Error> {
    let (line, times, payload) = match block.lines.as_slice() {
        [(line, times), payload @ ..] if times.contains("-->") => (*line, *times, payload),
        [(_, _), (line, times), payload @ ..] if times.contains("-->") => (*line, *times, payload),
        [(_, first), ..] if ["NOTE", "STYLE", "REGION"].iter().any(|word| is_block(first, word)) => return Ok(None),
        [(line, _), ..] => {
            let problem = "neither the times of a cue nor NOTE, STYLE or REGION".to_owned();
            return Err(Error::Line { file: file.to_owned(), line: *line, problem });
        }
        [] => return Ok(None),
    };
    let (start, end) = cues::times(file, line, times, &['.'])?;
    let mut said = Vec::new();
    let mut voice = None;
    for (line, content) in payload {
        if content.contains("-->") {
            let problem = "an arrow within a cue; an empty line ends a cue".to_owned();
            return Err(Error::Line { file: file.to_owned(), line: *line, problem });
        }
        speech(content, &mut voice, &mut said);
    }
    Ok(Some(Cue { line, start, end, said }))
}

fn is_block(line: &str, word: &str) -> bool {
    line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// Takes the tags off a line; a voice stays until it ends or another begins.
fn speech(line: &str, voice: &mut Option<String>, said: &mut Vec<Said>) {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('<') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let Some((tag, behind)) = tag(after) else {
            text.push('<');
            rest = after.strip_prefix('<').unwrap_or_default();
            continue;
        };
        let opens = is_voice(tag);
        if opens || tag == "/v" {
            say(&mut text, voice.as_ref(), said);
            let name = tag.split_once([' ', '\t']).map(|(_, name)| unescape(name.trim()));
            *voice = name.filter(|name| opens && !name.is_empty());
        }
        rest = behind;
    }
    text.push_str(rest);
    say(&mut text, voice.as_ref(), said);
}

fn say(text: &mut String, voice: Option<&String>, said: &mut Vec<Said>) {
    let text = unescape(std::mem::take(text).trim());
    if !text.is_empty() {
        said.push(Said { speaker: voice.cloned(), text });
    }
}

/// The inside of the tag that a text begins with, and what comes behind; a bare `<` is none.
pub(super) fn tag(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    if !inside.starts_with(|first: char| first == '/' || first.is_ascii_alphanumeric()) {
        return None;
    }
    // Only up to the next tag, so that no line takes longer than its length.
    let end = inside.find(['<', '>'])?;
    let (tag, behind) = (inside.get(..end)?, inside.get(end..)?.strip_prefix('>')?);
    let is_time = tag.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.') && tag.contains(':');
    (is_time || !tag.starts_with(|first: char| first.is_ascii_digit())).then_some((tag, behind))
}

fn is_voice(tag: &str) -> bool {
    tag.strip_prefix('v').is_some_and(|rest| rest.starts_with([' ', '\t', '.']))
}

/// Replaces the references that captions use.
pub(super) fn unescape(text: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&quot;", "\""), ("&#39;", "'")];
    let text = named.iter().fold(text.to_owned(), |text, (reference, meant)| text.replace(reference, meant));
    // Last, so that what it leaves is not read again.
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn spoken(line: &str) -> Vec<(Option<String>, String)> {
        let (mut voice, mut said) = (None, Vec::new());
        speech(line, &mut voice, &mut said);
        said.into_iter().map(|said| (said.speaker, said.text)).collect()
    }

    #[test]
    fn tags_are_taken_off_and_voices_speak() {
        for (line, expected) in [
            ("plain", vec![(None, "plain")]),
            ("<v.loud Mary &amp; Co>Hello <i>there</i>", vec![(Some("Mary & Co"), "Hello there")]),
            ("<v Joe>Hi.</v> <v Ann>Ho.", vec![(Some("Joe"), "Hi."), (Some("Ann"), "Ho.")]),
            ("so<00:00:01.000><c> we</c>", vec![(None, "so we")]),
            ("a < b and 1 <2 &lt;ok&gt; &amp;lt;", vec![(None, "a < b and 1 <2 <ok> &lt;")]),
            ("<v >nameless", vec![(None, "nameless")]),
            ("<b never closed", vec![(None, "<b never closed")]),
            ("<c></c>", vec![]),
        ] {
            let expected: Vec<(Option<String>, String)> =
                expected.into_iter().map(|(who, what)| (who.map(str::to_owned), what.to_owned())).collect();
            assert_eq!(spoken(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("", "f, line 1: a WebVTT file begins with WEBVTT"),
            ("WEBVTTX\n", "f, line 1: a WebVTT file begins with WEBVTT"),
            ("WEBVTT\n\nNOTES\nHi", "f, line 3: neither the times of a cue nor NOTE, STYLE or REGION"),
            ("WEBVTT\n\n1\n00:01.0 --> 00:02.000\nHi", "f, line 4, start: not a time of the form 00:00:00.000"),
            ("WEBVTT\n\n00:01,000 --> 00:02,000\nHi", "f, line 3, start: not a time of the form 00:00:00.000"),
            (
                "WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n00:03.000 --> 00:04.000\nHo",
                "f, line 5: an arrow within a cue; an empty line ends a cue",
            ),
        ] {
            assert_eq!(vtt("f", text.as_bytes(), Source::Youtube).unwrap_err().to_string(), expected, "{text}");
        }
        assert!(vtt("f", b"WEBVTT", Source::Youtube).unwrap().is_empty());
    }

    #[test]
    fn tags_that_never_end_take_no_longer_than_others() {
        for piece in ["<1", "<a", "<v "] {
            let line = piece.repeat(1 << 20);
            let expected = line.trim_end();
            assert!(spoken(&line).iter().all(|(_, text)| text == expected));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[<>/vc& ;a-z0-9:.\n-]{0,80}") {
            let _ = vtt("f", format!("WEBVTT\n\n{text}").as_bytes(), Source::Youtube);
            let _ = vtt("f", format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{text}").as_bytes(), Source::Youtube);
        }
    }
}
