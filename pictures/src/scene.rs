//! What stands where: rectangles and texts in whole pixels. Both formats are written from it.

use crate::colour::Rgb;
use crate::font;

/// A filled rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) colour: Rgb,
}

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) x: u32,
    /// Its upper edge.
    pub(crate) y: u32,
    pub(crate) anchor: Anchor,
    /// Pixels of a dot.
    pub(crate) scale: u32,
    pub(crate) colour: Rgb,
    pub(crate) text: String,
}

impl Text {
    /// Pixels that a text of so many letters takes.
    pub(crate) fn width_of(letters: usize, scale: u32) -> u32 {
        let letters = u32::try_from(letters).unwrap_or(u32::MAX);
        letters.saturating_mul(font::ADVANCE).saturating_mul(scale).saturating_sub(scale)
    }

    /// The left edge; 0 for what would begin outside.
    pub(crate) fn left(&self) -> u32 {
        let width = Self::width_of(self.text.chars().count(), self.scale);
        match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x.saturating_sub(width / 2),
            Anchor::End => self.x.saturating_sub(width),
        }
    }
}

/// A picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// What it shows, for those who do not see it.
    pub(crate) description: String,
    /// From the lowest to the highest. Within a layer nothing overlaps.
    pub(crate) layers: Vec<Vec<Fill>>,
    /// Above all layers.
    pub(crate) texts: Vec<Text>,
}
