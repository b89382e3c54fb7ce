//! Horizontal bars, each with its label, its value and its spread.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    chart::plain,
    series::Chart,
    style::{INK, SIZE, TEXT, TITLE, colour, text},
};

/// Pixels for the labels on the left.
const LABELS: i32 = 220;
/// Height of a bar with the room around it.
const STEP: u32 = 26;

pub(super) fn draw(chart: &Chart, path: &Path) -> Result<()> {
    let count = chart.bars.len();
    let height = 110 + STEP * count as u32;
    let longest = chart.bars.iter().map(|bar| bar.1 + bar.2).fold(1.0, f64::max);
    let area = SVGBackend::new(path, (SIZE.0, height)).into_drawing_area();
    let mut context = ChartBuilder::on(&area)
        .caption(chart.title, text(TITLE))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(LABELS)
        .build_cartesian_2d(0.0..longest * 1.12, 0.0..count as f64)?;
    plain(&mut context.configure_mesh())
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc(chart.x)
        .draw()?;
    let left = text(TEXT).pos(Pos::new(HPos::Right, VPos::Center));
    let right = text(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    for (number, (label, value, half)) in chart.bars.iter().enumerate() {
        let middle = (count - number) as f64 - 0.5;
        let colour = colour("fabric");
        let bar = Rectangle::new([(0.0, middle - 0.32), (*value, middle + 0.32)], colour.filled());
        context.draw_series([bar])?;
        let spread = [((value - half).max(0.0), middle), (value + half, middle)];
        context.draw_series([PathElement::new(spread, INK.stroke_width(2))])?;
        let (x, y) = context.backend_coord(&(0.0, middle));
        area.draw_text(label, &left, (x - 8, y))?;
        let (x, y) = context.backend_coord(&(value + half, middle));
        area.draw_text(&format!("{value:.2}"), &right, (x + 6, y))?;
    }
    // Where both are the same.
    let same = [(1.0, 0.0), (1.0, count as f64)];
    context.draw_series([PathElement::new(same, INK.stroke_width(2))])?;
    area.present().context("the file cannot be written")
}
