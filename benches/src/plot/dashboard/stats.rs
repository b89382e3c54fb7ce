//! The last values, large, on the colour that says whether they are as they should be.

use anyhow::Result;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{super::style::FONT, Area, SMALL, scale};

/// Size of the values.
const VALUE: u32 = 34;

pub(super) fn draw(
    area: &Area<'_>,
    values: &[(String, f64)],
    steps: &[(f64, String)],
) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let share = width as i32 / values.len().max(1) as i32;
    let centre = Pos::new(HPos::Center, VPos::Center);
    for ((name, value), left) in values.iter().zip((0..).step_by(share as usize)) {
        let body = [(left + 2, 0), (left + share - 2, height as i32)];
        area.draw(&Rectangle::new(body, colour(*value, steps).filled()))?;
        let white = |size| (FONT, size).into_font().color(&WHITE).pos(centre);
        let middle = left + share / 2;
        area.draw_text(&scale::shown(*value, ""), &white(VALUE), (middle, height as i32 * 2 / 5))?;
        area.draw_text(name, &white(SMALL), (middle, height as i32 * 4 / 5))?;
    }
    Ok(())
}

fn colour(value: f64, steps: &[(f64, String)]) -> RGBColor {
    let step = steps.iter().rev().find(|(from, _)| value >= *from);
    match step.map(|(_, colour)| colour.as_str()) {
        Some("red") => RGBColor(0xc9, 0x3c, 0x4c),
        _ => RGBColor(0x2d, 0x8a, 0x46),
    }
}
