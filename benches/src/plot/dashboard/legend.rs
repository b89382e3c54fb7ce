//! The names of series, in rows below a chart.

use anyhow::Result;
use plotters::prelude::*;

use super::{super::style::text, Area, SMALL, width};

/// Height of a row.
pub(super) const STEP: i32 = 18;
/// Pixels of the stroke in front of a name, with the room around it, and behind a name.
const STROKE: i32 = 20;
const ROOM: i32 = 12;

/// Colours of series, of middle lightness.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x2f, 0x81, 0xf7),
    RGBColor(0xd9, 0x7a, 0x1e),
    RGBColor(0x2d, 0xa4, 0x4e),
    RGBColor(0xa3, 0x71, 0xf7),
    RGBColor(0xdb, 0x4c, 0x5f),
    RGBColor(0x1a, 0xa3, 0xa3),
    RGBColor(0xb5, 0x8a, 0x00),
    RGBColor(0xd1, 0x5c, 0xb0),
    RGBColor(0x6c, 0x8e, 0x3a),
    RGBColor(0x8c, 0x6d, 0x5c),
];

/// The colour of a series by its number.
pub(super) const fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

/// A name in the legend: its number, and where it begins, in pixels from the left and rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    number: usize,
    x: i32,
    pub(super) row: i32,
}

/// Gives each name its place, as long as there is room for `rows` rows.
pub(super) fn places<'a>(names: impl Iterator<Item = &'a str>, room: u32, rows: i32) -> Vec<Name> {
    let (mut x, mut row) = (0, 0);
    let place = |(number, name): (usize, &str)| {
        let takes = STROKE + width(name) + ROOM;
        if x > 0 && x + takes > room as i32 {
            (x, row) = (0, row + 1);
        }
        let place = Name { number, x, row };
        x += takes;
        place
    };
    names.enumerate().map(place).take_while(|name| name.row < rows).collect()
}

/// Draws the names that have places below `top`.
pub(super) fn draw(area: &Area<'_>, all: &[&str], places: &[Name], top: i32) -> Result<()> {
    for Name { number, x, row } in places {
        let y = top + row * STEP;
        let middle = y + STEP / 2 - 1;
        let stroke = [(*x, middle), (x + STROKE - 6, middle)];
        area.draw(&PathElement::new(stroke, colour(*number).stroke_width(3)))?;
        area.draw_text(all[*number], &text(SMALL), (x + STROKE, y + 2))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn a_name_that_does_not_fit_begins_the_next_row_if_there_is_one() {
        let names = ["a".repeat(10), "b".repeat(10), "c".repeat(10)];
        let found = |rows| {
            let found = places(names.iter().map(String::as_str), 200, rows);
            found.into_iter().map(|name| (name.x, name.row)).collect::<Vec<_>>()
        };
        assert_eq!(found(2), [(0, 0), (97, 0), (0, 1)]);
        assert_eq!(found(1), [(0, 0), (97, 0)]);
    }
}
