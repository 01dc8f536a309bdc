//! Where the parts of a heat map stand, and what pictures have in common.

use crate::colour::{LEVELS, Rgb, level};
use crate::font;
use crate::heatmap::{Heatmap, Scale};
use crate::scene::{Anchor, Fill, Scene, Text};

/// 5 × 4 inches at 100 dots an inch.
pub(crate) const WIDTH: u32 = 500;
pub(crate) const HEIGHT: u32 = 400;
/// The square of the cells.
const LEFT: u32 = 80;
const TOP: u32 = 58;
const SIDE: u32 = 300;
/// The bar that shows which colour is which number.
const BAR_LEFT: u32 = 404;
const BAR_WIDTH: u32 = 18;
/// Cells carry their number up to this many rows.
const ANNOTATED: usize = 5;
/// Numbers beside the bar, with both ends.
const TICKS: u32 = 5;
/// Letters of a label at most; a uid has up to five.
const LABEL_LETTERS: usize = 9;
/// Space around a text.
const MARGIN: u32 = 6;

/// The picture of a heat map.
pub(crate) fn scene(map: &Heatmap) -> Scene {
    let scale = map.scale();
    let mut cells = cells(map, scale);
    cells.extend(bar());
    let mut frames = frame(LEFT, TOP, SIDE, SIDE);
    frames.extend(frame(BAR_LEFT, TOP, BAR_WIDTH, SIDE));
    let paper = Fill { x: 0, y: 0, width: WIDTH, height: HEIGHT, colour: Rgb::WHITE };
    let mut texts = headings(map.texts());
    texts.extend(labels(map));
    if map.labels().len() <= ANNOTATED {
        texts.extend(annotations(map, scale));
    }
    texts.extend(ticks(scale));
    let [title, time, note] = map.texts();
    let description = [title, time, note].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    Scene { width: WIDTH, height: HEIGHT, description, layers: vec![vec![paper], cells, frames], texts }
}

/// The edge before a row or column: whole pixels, so that both formats agree.
fn edge(at: usize, size: usize) -> u32 {
    // At most 256 rows of 300 pixels.
    u32::try_from(at * SIDE as usize / size).unwrap_or(SIDE)
}

/// The cells, neighbours of one colour in a row as one.
fn cells(map: &Heatmap, scale: Scale) -> Vec<Fill> {
    let size = map.labels().len();
    let mut fills = Vec::new();
    for (row, numbers) in map.rows().iter().enumerate() {
        let (top, bottom) = (edge(row, size), edge(row + 1, size));
        let mut from = 0;
        for column in 0..size {
            let colour = scale.colour(numbers[column]);
            let ends = numbers.get(column + 1).is_none_or(|next| scale.colour(*next) != colour);
            if ends {
                let (left, right) = (edge(from, size), edge(column + 1, size));
                fills.push(Fill { x: LEFT + left, y: TOP + top, width: right - left, height: bottom - top, colour });
                from = column + 1;
            }
        }
    }
    fills
}

/// One line of pixels after the other, warmest on top.
fn bar() -> impl Iterator<Item = Fill> {
    (0..SIDE).map(|line| {
        let colour = level((SIDE - 1 - line) as usize * LEVELS / SIDE as usize);
        Fill { x: BAR_LEFT, y: TOP + line, width: BAR_WIDTH, height: 1, colour }
    })
}

/// A line of one pixel around a rectangle.
pub(crate) fn frame(x: u32, y: u32, width: u32, height: u32) -> Vec<Fill> {
    let side = |x: u32, y: u32, width: u32, height: u32| Fill { x, y, width, height, colour: Rgb::INK };
    vec![
        side(x - 1, y - 1, width + 2, 1),
        side(x - 1, y + height, width + 2, 1),
        side(x - 1, y, 1, height),
        side(x + width, y, 1, height),
    ]
}

/// Title, time and note above a picture.
pub(crate) fn headings([title, time, note]: [&str; 3]) -> Vec<Text> {
    let room = WIDTH - 2 * MARGIN;
    let fits = Text::width_of(title.chars().count(), 2) <= room;
    let mut texts = Vec::new();
    for (text, y, scale) in [(title, if fits { 8 } else { 12 }, if fits { 2 } else { 1 }), (time, 30, 1), (note, 42, 1)]
    {
        let text = cut(text, (room / (font::ADVANCE * scale)) as usize);
        texts.push(Text { x: WIDTH / 2, y, anchor: Anchor::Middle, scale, colour: Rgb::INK, text });
    }
    texts
}

/// The labels of rows and columns; where there is no room for all, each second, third, … one.
fn labels(map: &Heatmap) -> Vec<Text> {
    let size = map.labels().len();
    let shown: Vec<String> = map.labels().iter().map(|label| cut(label, LABEL_LETTERS)).collect();
    let longest = shown.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let middle = |at: usize| (edge(at, size) + edge(at + 1, size)) / 2;
    let each = |room: u32| (room as usize * size).div_ceil(SIDE as usize).max(1);
    let mut texts = Vec::new();
    for at in (0..size).step_by(each(font::HEIGHT + 2)) {
        let (x, y) = (LEFT - MARGIN, TOP + middle(at) - font::HEIGHT / 2);
        texts.push(Text { x, y, anchor: Anchor::End, scale: 1, colour: Rgb::INK, text: shown[at].clone() });
    }
    for at in (0..size).step_by(each(Text::width_of(longest, 1) + MARGIN)) {
        let (x, y) = (LEFT + middle(at), TOP + SIDE + MARGIN);
        texts.push(Text { x, y, anchor: Anchor::Middle, scale: 1, colour: Rgb::INK, text: shown[at].clone() });
    }
    let (x, y) = (LEFT + SIDE / 2, TOP + SIDE + MARGIN + 2 * font::HEIGHT);
    texts.push(Text { x, y, anchor: Anchor::Middle, scale: 1, colour: Rgb::INK, text: "uid".to_owned() });
    texts
}

fn annotations(map: &Heatmap, scale: Scale) -> Vec<Text> {
    let size = map.labels().len();
    let middle = |at: usize| (edge(at, size) + edge(at + 1, size)) / 2;
    let mut texts = Vec::new();
    for (row, numbers) in map.rows().iter().enumerate() {
        for (column, number) in numbers.iter().enumerate() {
            let (x, y) = (LEFT + middle(column), TOP + middle(row) - font::HEIGHT);
            let colour = scale.colour(*number).ink();
            let text = cut(&format!("{number:.2}"), LABEL_LETTERS);
            // Letters of twice the size where the cell is wide enough for `-0.00`.
            let size = if size < ANNOTATED || Text::width_of(text.chars().count(), 2) < SIDE / 5 { 2 } else { 1 };
            texts.push(Text { x, y, anchor: Anchor::Middle, scale: size, colour, text });
        }
    }
    texts
}

fn ticks(scale: Scale) -> impl Iterator<Item = Text> {
    (0..TICKS).map(move |tick| {
        let part = f64::from(tick) / f64::from(TICKS - 1);
        let number = scale.low + part * (scale.high - scale.low);
        let y = TOP + SIDE - tick * SIDE / (TICKS - 1) - font::HEIGHT / 2;
        let x = BAR_LEFT + BAR_WIDTH + MARGIN;
        Text { x, y, anchor: Anchor::Start, scale: 1, colour: Rgb::INK, text: format!("{number:.2}") }
    })
}

/// At most so many letters, the last two of them dots where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_by_letters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "ä..");
    }

    #[test]
    fn edges_cover_the_square_without_a_gap() {
        for size in 2..=crate::MAX_ROWS {
            assert_eq!((edge(0, size), edge(size, size)), (0, SIDE));
            assert!((0..size).all(|at| edge(at, size) < edge(at + 1, size)), "{size}");
        }
    }
}
