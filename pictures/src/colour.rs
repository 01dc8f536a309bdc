//! The diverging colour map from cool blue over light grey to warm red.
//!
//! K. Moreland, "Diverging Color Maps for Scientific Visualization" (2009): both ends are taken into Msh, the polar form of
//! CIELAB, and interpolated there by way of an unsaturated middle. The ends are those of the paper's cool-warm map, which
//! plotting programs call `coolwarm`. `libm` alone, so that a colour is the same on every machine.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// The ends of the map.
const COOL: Rgb = Rgb(59, 76, 192);
const WARM: Rgb = Rgb(180, 4, 38);
/// Magnitude of the middle, unless an end is lighter.
const MIDDLE: f64 = 88.0;
/// Below this an angle counts as none.
const UNSATURATED: f64 = 0.05;
/// Tristimulus values of the white point D65.
const WHITE: [f64; 3] = [0.9505, 1.0, 1.089];
/// Steps of the map: what is drawn has one of these colours.
pub(crate) const LEVELS: usize = 256;

/// Magnitude, saturation angle and hue angle.
#[derive(Debug, Clone, Copy)]
struct Msh {
    magnitude: f64,
    saturation: f64,
    hue: f64,
}

impl Rgb {
    pub(crate) const WHITE: Self = Self(255, 255, 255);
    pub(crate) const INK: Self = Self(34, 34, 34);

    /// `#rrggbb`.
    pub(crate) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|part| {
            let part = f64::from(part) / 255.0;
            if part > 0.04045 { libm::pow((part + 0.055) / 1.055, 2.4) } else { part / 12.92 }
        })
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The ink that is read best on it: white or dark, whichever has the larger contrast ratio (WCAG 2, relative luminance).
    pub(crate) fn ink(self) -> Self {
        let (own, dark) = (self.luminance() + 0.05, Self::INK.luminance() + 0.05);
        let (on_dark, on_white) = (own / dark, 1.05 / own);
        if on_dark > on_white { Self::INK } else { Self::WHITE }
    }
}

/// The colour at a place from 0 (cool) to 1 (warm); what lies outside has the colour of the nearer end.
#[must_use]
pub fn cool_warm(place: f64) -> Rgb {
    let place = place.clamp(0.0, 1.0);
    let (cool, warm) = (to_msh(COOL), to_msh(WARM));
    let middle = Msh { magnitude: cool.magnitude.max(warm.magnitude).max(MIDDLE), saturation: 0.0, hue: 0.0 };
    let (from, to, part) = if place < 0.5 { (cool, middle, 2.0 * place) } else { (middle, warm, 2.0 * place - 1.0) };
    // An unsaturated colour has no hue of its own: it takes the other's, spun so that the way between looks even.
    let (from_hue, to_hue) = match (from.saturation < UNSATURATED, to.saturation < UNSATURATED) {
        (true, false) => (spun(to, from.magnitude), to.hue),
        (false, true) => (from.hue, spun(from, to.magnitude)),
        _ => (from.hue, to.hue),
    };
    let between = |from: f64, to: f64| (1.0 - part) * from + part * to;
    to_rgb(Msh {
        magnitude: between(from.magnitude, to.magnitude),
        saturation: between(from.saturation, to.saturation),
        hue: between(from_hue, to_hue),
    })
}

static STEPS: LazyLock<[Rgb; LEVELS]> =
    LazyLock::new(|| std::array::from_fn(|step| cool_warm(step as f64 / (LEVELS - 1) as f64)));

/// The colour of one of [`LEVELS`] steps.
pub(crate) fn level(step: usize) -> Rgb {
    STEPS[step.min(LEVELS - 1)]
}

/// The hue that an unsaturated neighbour of this magnitude takes.
fn spun(saturated: Msh, magnitude: f64) -> f64 {
    if saturated.magnitude >= magnitude - 0.1 {
        return saturated.hue;
    }
    let rise = libm::sqrt(magnitude * magnitude - saturated.magnitude * saturated.magnitude);
    let spin = saturated.saturation * rise / (saturated.magnitude * libm::sin(saturated.saturation));
    if saturated.hue > -0.3 * PI { saturated.hue + spin } else { saturated.hue - spin }
}

fn to_msh(colour: Rgb) -> Msh {
    let [red, green, blue] = colour.linear();
    let tristimulus = [
        0.4124 * red + 0.3576 * green + 0.1805 * blue,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        0.0193 * red + 0.1192 * green + 0.9505 * blue,
    ];
    let curve = |at: usize| {
        let part = tristimulus[at] / WHITE[at];
        if part > 0.008856 { libm::cbrt(part) } else { 7.787 * part + 16.0 / 116.0 }
    };
    let (x, y, z) = (curve(0), curve(1), curve(2));
    let (lightness, a, b) = (116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
    let magnitude = libm::sqrt(lightness * lightness + a * a + b * b);
    let saturation = if magnitude > 0.001 { libm::acos(lightness / magnitude) } else { 0.0 };
    let hue = if saturation > 0.001 { libm::atan2(b, a) } else { 0.0 };
    Msh { magnitude, saturation, hue }
}

fn to_rgb(colour: Msh) -> Rgb {
    let lightness = colour.magnitude * libm::cos(colour.saturation);
    let a = colour.magnitude * libm::sin(colour.saturation) * libm::cos(colour.hue);
    let b = colour.magnitude * libm::sin(colour.saturation) * libm::sin(colour.hue);
    let middle = (lightness + 16.0) / 116.0;
    let curve = |part: f64| {
        let cube = part * part * part;
        if cube > 0.008856 { cube } else { (part - 16.0 / 116.0) / 7.787 }
    };
    let x = WHITE[0] * curve(middle + a / 500.0);
    let y = WHITE[1] * curve(middle);
    let z = WHITE[2] * curve(middle - b / 200.0);
    let linear = [
        3.2406 * x - 1.5372 * y - 0.4986 * z,
        -0.9689 * x + 1.8758 * y + 0.0415 * z,
        0.0557 * x - 0.2040 * y + 1.0570 * z,
    ];
    let [red, green, blue] = linear.map(|part| {
        let part = if part > 0.0031308 { 1.055 * libm::pow(part, 1.0 / 2.4) - 0.055 } else { 12.92 * part };
        libm::round(part.clamp(0.0, 1.0) * 255.0) as u8
    });
    Rgb(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table published with the paper, at each 1/16.
    const PUBLISHED: [[u8; 3]; 17] = [
        [59, 76, 192],
        [77, 104, 215],
        [98, 130, 234],
        [119, 154, 247],
        [141, 176, 254],
        [163, 194, 255],
        [184, 208, 249],
        [204, 217, 238],
        [221, 221, 221],
        [236, 211, 197],
        [245, 196, 173],
        [247, 177, 148],
        [244, 154, 123],
        [236, 127, 99],
        [222, 96, 77],
        [203, 62, 56],
        [180, 4, 38],
    ];

    #[test]
    fn the_map_is_the_published_one() {
        for (step, [red, green, blue]) in PUBLISHED.into_iter().enumerate() {
            let ours = cool_warm(step as f64 / 16.0);
            let far = [ours.0.abs_diff(red), ours.1.abs_diff(green), ours.2.abs_diff(blue)];
            assert!(far.iter().all(|part| *part <= 1), "{step}/16: {ours:?}, published {red} {green} {blue}");
        }
    }

    #[test]
    fn what_lies_outside_has_the_colour_of_an_end_and_levels_span_the_map() {
        assert_eq!((cool_warm(-7.0), cool_warm(7.0)), (COOL, WARM));
        assert_eq!((level(0), level(255), level(999)), (COOL, WARM, WARM));
        assert_eq!(COOL.hex(), "#3b4cc0");
    }

    #[test]
    fn ink_can_be_read_on_every_level() {
        assert_eq!((COOL.ink(), WARM.ink(), cool_warm(0.5).ink()), (Rgb::WHITE, Rgb::WHITE, Rgb::INK));
    }
}
