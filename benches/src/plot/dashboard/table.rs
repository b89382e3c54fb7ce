//! Labels and values in rows.

use anyhow::Result;
use plotters::prelude::*;

use super::{
    super::style::{INK, text},
    Area, SMALL, width,
};

/// Height of a row.
const STEP: i32 = 20;
/// Pixels between two columns.
const ROOM: i32 = 14;

pub(super) fn draw(area: &Area<'_>, head: &[String], rows: &[Vec<String>]) -> Result<()> {
    let (right, bottom) = area.dim_in_pixel();
    let mut left = 0;
    for (column, title) in head.iter().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.get(column));
        let widest = cells().chain([title]).map(|cell| width(cell)).max().unwrap_or(0);
        for (cell, y) in std::iter::once(title).chain(cells()).zip((0..).step_by(STEP as usize)) {
            if y + STEP <= bottom as i32 {
                let fits = ((right as i32 - left) / 7).max(0) as usize;
                let cell: String = cell.chars().take(fits).collect();
                area.draw_text(&cell, &text(SMALL), (left, y))?;
            }
        }
        left += widest + ROOM;
    }
    let below = [(0, STEP - 3), (right as i32, STEP - 3)];
    area.draw(&PathElement::new(below, INK.mix(0.6).stroke_width(1)))?;
    Ok(())
}
