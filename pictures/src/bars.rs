//! Where the parts of a histogram stand.

use crate::colour::{Rgb, level};
use crate::font;
use crate::histogram::{BINS, Histogram};
use crate::layout::{HEIGHT, WIDTH, frame, headings};
use crate::scene::{Anchor, Fill, Scene, Text};

/// The field of the bars.
const LEFT: u32 = 60;
const TOP: u32 = 58;
const BROAD: u32 = 400;
const HIGH: u32 = 280;
/// One bar, with the gap to the next.
const BAR: u32 = BROAD / BINS as u32;
/// The colour of the bars, towards the cool end of the map.
const COLOUR: usize = 32;
/// Numbers below the field, with both ends.
const TICKS: u32 = 5;
/// Space around a text.
const MARGIN: u32 = 6;

/// The picture of a histogram.
pub(crate) fn scene(histogram: &Histogram) -> Scene {
    let most = histogram.counts().into_iter().max().unwrap_or(0).max(1);
    let paper = Fill { x: 0, y: 0, width: WIDTH, height: HEIGHT, colour: Rgb::WHITE };
    let mut texts = headings(histogram.texts());
    texts.extend(widths(histogram));
    texts.extend(heights(most));
    texts.extend(names());
    let told = histogram.texts().into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let layers = vec![vec![paper], bars(histogram, most), frame(LEFT, TOP, BROAD, HIGH)];
    Scene { width: WIDTH, height: HEIGHT, description: told.join(", "), layers, texts }
}

/// The height of a count, in whole pixels; the largest one fills the field but for a margin.
fn height(count: u32, most: u32) -> u32 {
    let room = u64::from(HIGH - MARGIN);
    u32::try_from(u64::from(count) * room / u64::from(most)).unwrap_or(HIGH)
}

fn bars(histogram: &Histogram, most: u32) -> Vec<Fill> {
    let bar = |(x, count): (u32, u32)| {
        let height = height(count, most);
        Fill { x: x + 1, y: TOP + HIGH - height, width: BAR - 2, height, colour: level(COLOUR) }
    };
    let places = (LEFT..).step_by(BAR as usize).zip(histogram.counts());
    places.filter(|(_, count)| *count > 0).map(bar).collect()
}

/// Which number of words stands where.
fn widths(histogram: &Histogram) -> impl Iterator<Item = Text> {
    let (low, high) = histogram.ends();
    (0..TICKS).map(move |tick| {
        let number = low + (high - low) * f64::from(tick) / f64::from(TICKS - 1);
        let (x, y) = (LEFT + tick * BROAD / (TICKS - 1), TOP + HIGH + MARGIN);
        Text { x, y, anchor: Anchor::Middle, scale: 1, colour: Rgb::INK, text: format!("{number:.1}") }
    })
}

/// No answer, and as many as the highest bar has.
fn heights(most: u32) -> impl Iterator<Item = Text> {
    [0, most].into_iter().map(move |count| {
        let (x, y) = (LEFT - MARGIN, TOP + HIGH - height(count, most) - font::HEIGHT / 2);
        Text { x, y, anchor: Anchor::End, scale: 1, colour: Rgb::INK, text: count.to_string() }
    })
}

fn names() -> [Text; 2] {
    let text = |x, y, anchor, text: &str| Text { x, y, anchor, scale: 1, colour: Rgb::INK, text: text.to_owned() };
    let below = TOP + HIGH + MARGIN + 2 * font::HEIGHT;
    [
        text(LEFT + BROAD / 2, below, Anchor::Middle, "words"),
        text(LEFT - MARGIN, TOP + HIGH / 2, Anchor::End, "answers"),
    ]
}
