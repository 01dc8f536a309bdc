//! Whole histograms: bars as high as their counts, and bytes that never differ.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pictures::{Histogram, Rgb};

fn words() -> Histogram {
    let numbers = [10, 11, 12, 20, 21, 110];
    Histogram::new("<loosh>/1", "2026-11-20 12:00:00 UTC", "words of 6 answers", &numbers).unwrap()
}

fn pixels(file: &[u8]) -> impl Fn(u32, u32) -> Rgb + use<> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.width, info.height), (500, 400));
    move |x, y| {
        let at = (y * info.width + x) as usize * 3;
        Rgb(bytes[at], bytes[at + 1], bytes[at + 2])
    }
}

#[test]
fn bars_are_as_high_as_their_counts() {
    assert_eq!(words().counts(), [3, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    let at = pixels(&words().png().unwrap());
    // Columns of 40 pixels from 60; the field ends at 338, and three answers are 274 pixels high.
    let height = |bin: u32| (58..338).filter(|y| at(60 + bin * 40 + 20, *y) != Rgb(255, 255, 255)).count();
    assert_eq!([0, 1, 2, 8, 9].map(height), [274, 182, 0, 0, 91]);
    assert_eq!(at(59, 100), Rgb(34, 34, 34), "the frame");
}

#[test]
fn what_it_says_is_text_and_the_same_each_time() {
    let svg = words().svg();
    assert!(svg.contains(">&lt;loosh&gt;/1</text>") && !svg.contains("<loosh>"));
    for told in [">10.0</text>", ">35.0</text>", ">110.0</text>", ">3</text>", ">words</text>", ">answers</text>"] {
        assert!(svg.contains(told), "{told}: {svg}");
    }
    assert_eq!((svg, words().png().unwrap()), (words().svg(), words().png().unwrap()));
    let same = Histogram::new("", "", "", &[7; 4]).unwrap();
    assert!(same.svg().contains(">6.5</text>") && same.svg().contains(">7.5</text>"));
    let huge = Histogram::new("", "", "", &[0, u64::MAX]).unwrap();
    assert!(huge.png().unwrap().len() < 50_000);
}
