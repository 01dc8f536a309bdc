//! A scene as PNG (<https://www.w3.org/TR/png/>): 8 bits a channel, no transparency.

use png::{BitDepth, ColorType, Encoder};

use crate::colour::Rgb;
use crate::error::Result;
use crate::font;
use crate::scene::{Fill, Scene, Text};

/// Pixels in rows from the top.
struct Canvas {
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

impl Canvas {
    /// A white one.
    fn new(width: u32, height: u32) -> Self {
        Self { width, height, bytes: vec![255; width as usize * height as usize * 3] }
    }

    /// What lies outside is cut off.
    fn fill(&mut self, fill: Fill) {
        let right = fill.x.saturating_add(fill.width).min(self.width);
        let bottom = fill.y.saturating_add(fill.height).min(self.height);
        let Rgb(red, green, blue) = fill.colour;
        for y in fill.y..bottom {
            for x in fill.x..right {
                let at = (y as usize * self.width as usize + x as usize) * 3;
                self.bytes[at..at + 3].copy_from_slice(&[red, green, blue]);
            }
        }
    }

    fn text(&mut self, text: &Text) {
        let (left, scale) = (text.left(), text.scale);
        for (letter, start) in text.text.chars().zip((left..self.width).step_by((font::ADVANCE * scale) as usize)) {
            for (row, dots) in (0..font::HEIGHT).zip(font::rows(letter)) {
                for column in (0..font::WIDTH).filter(|column| dots >> (font::WIDTH - 1 - column) & 1 == 1) {
                    let (x, y) = (start + column * scale, text.y + row * scale);
                    self.fill(Fill { x, y, width: scale, height: scale, colour: text.colour });
                }
            }
        }
    }
}

/// The whole file.
pub(crate) fn write(scene: &Scene) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(scene.width, scene.height);
    scene.layers.iter().flatten().for_each(|fill| canvas.fill(*fill));
    scene.texts.iter().for_each(|text| canvas.text(text));
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, scene.width, scene.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.bytes)?;
    writer.finish()?;
    Ok(file)
}
