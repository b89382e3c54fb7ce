//! How plots look. The background stays transparent and every colour is of middle lightness, so
//! that plots can be read on light and on dark pages.

use plotters::prelude::*;

/// Width and height of a plot in pixels.
pub(super) const SIZE: (u32, u32) = (860, 480);
/// Font of all texts.
pub(super) const FONT: &str = "sans-serif";
/// Size of titles.
pub(super) const TITLE: u32 = 20;
/// Size of all other texts.
pub(super) const TEXT: u32 = 15;
/// Axes and texts.
pub(super) const INK: RGBColor = RGBColor(0x76, 0x7f, 0x8a);

/// A contender has the same colour in every plot.
pub(super) fn colour(name: &str) -> RGBColor {
    match name {
        "fabric" => RGBColor(0x2f, 0x81, 0xf7),
        "kernel" => RGBColor(0xd9, 0x7a, 0x1e),
        "redirect" => RGBColor(0x2d, 0xa4, 0x4e),
        _ => RGBColor(0xa3, 0x71, 0xf7),
    }
}

/// Shades of Fabric's colour, for loads that grow.
pub(super) fn shade(number: usize) -> RGBColor {
    match number {
        0 => RGBColor(0x8c, 0xc8, 0xff),
        1 => RGBColor(0x2f, 0x81, 0xf7),
        _ => RGBColor(0x1b, 0x4b, 0xa5),
    }
}

/// A text in the colour of the axes.
pub(super) fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// What a contender is called in a legend.
pub(super) fn legend(name: &str) -> String {
    match name {
        "fabric" => "Fabric".into(),
        "kernel" => "Linux kernel".into(),
        "redirect" => "bare XDP redirect".into(),
        other => other.into(),
    }
}

/// A number as people write it: 64, 1k, 1M; powers of two that are near count as such.
pub(super) fn short(number: f64) -> String {
    for (unit, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if number >= unit {
            let exact = number / unit;
            let binary = number / 1024_f64.powi(unit.log(1e3).round() as i32);
            let binary_is_whole = (binary - binary.round()).abs() < 1e-9;
            let value = if binary_is_whole { binary } else { exact };
            return if (value - value.round()).abs() < 0.05 {
                format!("{value:.0}{letter}")
            } else {
                format!("{value:.1}{letter}")
            };
        }
    }
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_written_as_people_do() {
        let numbers = [1.0, 0.5, 64.0, 1_024.0, 65_536.0, 1_048_576.0, 100_000.0, 1_518.0];
        let texts = numbers.map(short);
        assert_eq!(texts, ["1", "0.5", "64", "1k", "64k", "1M", "100k", "1.5k"]);
    }
}
