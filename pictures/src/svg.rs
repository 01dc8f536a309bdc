//! A scene as SVG 1.1 (<https://www.w3.org/TR/SVG11/>): text, without scripts, styles or anything from elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::colour::Rgb;
use crate::scene::{Anchor, Fill, Scene, Text};

/// Font size of a dot: letters of a fixed-width font are 0.6 of it wide, ours are 6 dots.
const SIZE: u32 = 10;

/// The whole file.
pub(crate) fn write(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    // Writing to a string cannot fail.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"monospace\">\n<title>{}</title>\n<g shape-rendering=\"crispEdges\">\n",
        escape(&scene.description)
    );
    scene.layers.iter().for_each(|layer| add_layer(&mut svg, layer));
    svg.push_str("</g>\n");
    scene.texts.iter().for_each(|text| add_text(&mut svg, text));
    svg.push_str("</svg>\n");
    svg
}

/// One path for each colour: a picture of 256 × 256 cells stays under a megabyte.
fn add_layer(svg: &mut String, fills: &[Fill]) {
    let mut paths: BTreeMap<Rgb, String> = BTreeMap::new();
    for fill in fills {
        let Fill { x, y, width, height, colour } = fill;
        let _ = write!(paths.entry(*colour).or_default(), "M{x} {y}h{width}v{height}h-{width}z");
    }
    for (colour, path) in paths {
        let _ = writeln!(svg, "<path fill=\"{}\" d=\"{path}\"/>", colour.hex());
    }
}

fn add_text(svg: &mut String, text: &Text) {
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let (x, base, size) = (text.x, text.y + crate::font::HEIGHT * text.scale, SIZE * text.scale);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{base}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
        text.colour.hex(),
        escape(&text.text)
    );
}

/// Text for XML. A character that XML 1.0 does not allow becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            escape("<a b='c'>&\"\u{0}\u{1b}é</a>"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}é&lt;/a&gt;"
        );
    }
}
