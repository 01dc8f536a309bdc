//! The golden files of every format, and hostile ones made here because they are large or not text.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use conversations::import::{self, Format};
use conversations::{Conversation, Source, store};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn imported(name: &str, source: Source) -> Vec<Conversation> {
    import::file(&golden(name), None, Some(source)).unwrap()
}

/// Lines as `speaker: text`.
fn script(conversation: &Conversation) -> Vec<String> {
    let speakers: Vec<String> = (0..conversation.participants.len()).map(|at| format!("SPEAKER_{at}")).collect();
    assert_eq!(conversation.participants, speakers);
    conversation.lines.iter().map(|line| format!("{}: {}", line.speaker(), line.text())).collect()
}

#[test]
fn json_lines_of_all_kinds() {
    let found = imported("chat.jsonl", Source::Chat);
    let kinds: Vec<(u128, Source)> = found.iter().map(|found| (found.guid, found.source)).collect();
    assert_eq!(kinds[0], (u128::MAX, Source::Discord));
    assert_eq!(kinds[1], (302_165_498_713_245_781_236_549_871_324_578_123_654, Source::Podcast));
    assert_eq!((kinds[2].1, kinds[3].1, kinds.len()), (Source::Twitter, Source::Chat, 4), "the same twice is once");
    assert_eq!(script(&found[1]), ["0: Welcome back to the workshop.", "1: Glad to be here."]);
    assert_eq!(script(&found[2]), ["0: Night trains are back.", "1: About time!"]);
    assert_eq!(script(&found[3]), ["0: No source of my own, no guid.", "0: Just words."]);
    assert_eq!(kinds[3].0, imported("chat.jsonl", Source::Chat)[3].guid);
    assert_ne!(kinds[3].0, imported("chat.jsonl", Source::Podcast)[3].guid);
}

#[test]
fn chats_in_tables() {
    let found = imported("discord.csv", Source::Discord);
    assert_eq!(found.len(), 2);
    assert_eq!(script(&found[0]), ["0: Hello, everyone", "1: She said \"hi\" and left"]);
    assert_eq!(script(&found[1]), ["0: Any plans?", "1: The coast."]);
    let found = imported("turns.csv", Source::Chat);
    assert_eq!(script(&found[0]), ["0: Hi, how are you?", "1: Fine, thanks.", "0: Tea?"]);
    assert_eq!(script(&found[1]), ["0: Rain again.", "1: Lovely."]);
}

#[test]
fn captions() {
    let found = imported("meeting.vtt", Source::Youtube);
    assert_eq!(
        script(&found[0]),
        [
            "0: Shall we begin with the bridge & its cost?",
            "0: Wait, the drawings first.",
            "1: Sure.",
            "1: It is twice what we said.",
            "2: I brought them.",
        ]
    );
    let found = imported("rolling.vtt", Source::Youtube);
    assert_eq!(script(&found[0]), ["0: so today we plant the beans before it rains."]);
    let found = imported("stairs.srt", Source::Podcast);
    assert_eq!(
        script(&found[0]),
        [
            "0: Where did you find it?",
            "0: Under the stairs.",
            "1: Under the stairs!",
            "0: {\\an8}Note: do not tell them.".replace("{\\an8}", "").as_str(),
            "1: I will not.",
        ]
    );
}

#[test]
fn names_of_speakers_do_not_reach_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.jsonl");
    for (name, source) in
        [("chat.jsonl", Source::Chat), ("discord.csv", Source::Discord), ("meeting.vtt", Source::Youtube)]
    {
        store::append(&path, &imported(name, source)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    for name in ["Host", "@first", "ann#1", "Rosa", "Karl"] {
        assert!(!text.contains(name), "{name}");
    }
    assert!(text.starts_with(r#"{"guid":340282366920938463463374607431768211455,"source":"discord","#));
    let again = import::file(&path, Some(Format::JsonLines), None).unwrap();
    assert_eq!(again, store::read(&path).unwrap());
    assert_eq!(again.len(), 7);
}

#[test]
fn hostile_files_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let huge = "x".repeat((4 << 20) + 1);
    let utf16: Vec<u8> = "WEBVTT\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: Vec<(&str, Vec<u8>, &str)> = vec![
        ("huge.jsonl", format!("{{\"lines\":[[0,\"a\"]]}}\n{huge}").into_bytes(), "line 2: 4194305 bytes are over"),
        ("huge.csv", format!("author,text\nA,{huge}").into_bytes(), "line 2: 4194307 bytes are over"),
        ("huge.vtt", format!("WEBVTT\n\n{huge}").into_bytes(), "line 3: 4194305 bytes are over"),
        ("huge.srt", format!("1\n{huge}").into_bytes(), "line 2: 4194305 bytes are over"),
        ("nul.jsonl", b"{\"lines\":[[0,\"a\0\"]]}".to_vec(), "line 1: a NUL byte"),
        ("nul.csv", b"author,text\nA,b\nA,\0".to_vec(), "line 3: a NUL byte"),
        ("nul.vtt", b"WEBVTT\n\n\0".to_vec(), "line 3: a NUL byte"),
        ("nul.srt", b"1\r\n\0".to_vec(), "line 2: a NUL byte"),
        ("wide.vtt", [b"\xff\xfe".to_vec(), utf16].concat(), ": this is UTF-16; save it as UTF-8"),
        ("latin.csv", b"author,text\nA,caf\xe9\n".to_vec(), "line 2: not UTF-8"),
        ("times.vtt", b"WEBVTT\n\n00:00:05.000 --> 00:00:04.000\nHi".to_vec(), "line 3, end: before the start"),
        ("times.srt", b"1\n00:00:61,000 --> 00:01:04,000\nHi".to_vec(), "line 2, start: minutes and seconds go to 59"),
        ("silent.srt", b"1\n00:00:01,000 --> 00:01:04,000\n[Music]".to_vec(), ": there is no conversation in it"),
        ("empty.jsonl", Vec::new(), ": there is no conversation in it"),
        ("what.bin", Vec::new(), ": the extension does not tell the format; say --format json-lines|csv|vtt|srt"),
    ];
    for (name, bytes, expected) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = import::file(&path, None, Some(Source::Chat)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expected), "{name}: {error}");
    }
    let error = import::file(&golden("stairs.srt"), None, None).unwrap_err().to_string();
    assert!(error.ends_with("say --source youtube|podcast|discord|twitter|chat"), "{error}");
    assert!(import::file(&folder.path().join("none.vtt"), None, Some(Source::Chat)).is_err());
}

#[test]
fn a_byte_order_mark_is_no_text() {
    for name in ["chat.jsonl", "turns.csv", "meeting.vtt", "stairs.srt"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        let marked = [b"\xef\xbb\xbf".to_vec(), bytes].concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, marked).unwrap();
        let found = import::file(&path, None, Some(Source::Chat)).unwrap();
        assert_eq!(found, imported(name, Source::Chat), "{name}");
    }
}
