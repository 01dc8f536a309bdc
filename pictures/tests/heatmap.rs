//! Whole pictures: a golden SVG, decoded PNGs, bytes that never differ.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pictures::{Heatmap, MAX_ROWS, Rgb};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/four.svg");

fn four() -> Heatmap {
    let rows = vec![
        vec![1.0, 0.91, 0.87, 0.215],
        vec![0.91, 1.0, 0.885, 0.3],
        vec![0.87, 0.885, 1.0, 0.25],
        vec![0.215, 0.3, 0.25, 1.0],
    ];
    let labels = ["1", "12", "123", "65535"].map(str::to_owned).to_vec();
    Heatmap::new("<loosh> & co/1", "2026-11-20 12:00:00 UTC", "cosines of 4 answers", labels, rows).unwrap()
}

/// Rows that are alike in two groups.
fn of_size(size: usize) -> Heatmap {
    let cell = |row: usize, column: usize| {
        if row == column {
            1.0
        } else {
            0.9 - 0.6 * f64::from(u8::from(row % 2 != column % 2)) - row.abs_diff(column) as f64 / 1e3
        }
    };
    let rows = (0..size).map(|row| (0..size).map(|column| cell(row, column)).collect()).collect();
    let labels = (0..size).map(|at| at.to_string()).collect();
    Heatmap::new("a-challenge-with-a-long-name-of-more-than-forty-letters/3", "2026-11-20", "", labels, rows).unwrap()
}

struct Decoded {
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

impl Decoded {
    fn of(file: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: info.width, height: info.height, bytes }
    }

    fn at(&self, x: u32, y: u32) -> Rgb {
        let at = (y * self.width + x) as usize * 3;
        Rgb(self.bytes[at], self.bytes[at + 1], self.bytes[at + 2])
    }
}

#[test]
fn the_svg_is_the_golden_one() {
    let svg = four().svg();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &svg).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(svg == golden, "{GOLDEN} is stale; run the test with UPDATE_GOLDEN=1 and look at the picture");
    assert!(svg.contains("&lt;loosh&gt; &amp; co/1") && !svg.contains("<loosh>"));
    assert_eq!((svg.matches(">0.91</text>").count(), svg.matches(">1.00</text>").count()), (2, 4 + 1));
}

#[test]
fn the_png_has_the_colours_of_the_numbers() {
    let map = four();
    let picture = Decoded::of(&map.png().unwrap());
    assert_eq!((picture.width, picture.height), (500, 400));
    let scale = map.scale();
    // A corner of each cell, where no number stands; cells are 75 pixels wide.
    for (row, column, number) in [(0, 0, 1.0), (0, 1, 0.91), (1, 2, 0.885), (3, 0, 0.215), (2, 3, 0.25)] {
        let corner = picture.at(80 + column * 75 + 3, 58 + row * 75 + 3);
        assert_eq!(corner, scale.colour(number), "row {row}, column {column}");
    }
    let written = (80..155).flat_map(|x| (58..133).map(move |y| (x, y)));
    assert!(
        written.map(|(x, y)| picture.at(x, y)).any(|pixel| pixel == Rgb(255, 255, 255)),
        "the number of a warm cell"
    );
    assert_eq!((picture.at(0, 0), picture.at(79, 100)), (Rgb(255, 255, 255), Rgb(34, 34, 34)), "paper and frame");
    assert_eq!((picture.at(410, 58), picture.at(410, 357)), (Rgb(180, 4, 38), Rgb(59, 76, 192)), "ends of the bar");
}

#[test]
fn numbers_stand_in_the_cells_of_small_rounds_only() {
    let written = |size: usize| of_size(size).svg().matches("0.").count();
    // Beside the bar there are always four numbers that begin so.
    assert!(written(5) > 20);
    assert_eq!(written(6), 4);
}

#[test]
fn every_size_is_drawn_within_its_limits_and_the_same_each_time() {
    for size in [2, 3, 5, 6, 17, 64, MAX_ROWS] {
        let (map, again) = (of_size(size), of_size(size));
        let (svg, png) = (map.svg(), map.png().unwrap());
        assert!(svg == again.svg() && png == again.png().unwrap(), "{size}");
        assert!(svg.len() < 2 << 20 && png.len() < 600_000, "{size}: {} and {} bytes", svg.len(), png.len());
        let picture = Decoded::of(&png);
        assert_eq!((picture.width, picture.height), (500, 400));
        let last = map.scale().colour(1.0);
        assert_eq!(picture.at(379, 357), last, "{size}: the last cell reaches the frame");
    }
}
