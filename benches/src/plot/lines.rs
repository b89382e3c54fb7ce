//! Lines over a quantity, with a legend.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::{
    coord::ranged1d::{Ranged, ValueFormatter},
    prelude::*,
};

use super::{
    chart::{Chart, axes, line, name_lines},
    series::Plot,
    style::{SIZE, TITLE, text},
};

pub(super) fn draw(plot: &Plot, path: &Path) -> Result<()> {
    let points = || plot.lines.values().flatten();
    let first = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let last = points().map(|point| point.0).fold(0.0, f64::max);
    // Room above for the legend.
    let top = 1.4 * points().map(|point| point.1).fold(0.0, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let mut builder = ChartBuilder::on(&area);
    builder
        .caption(&plot.title, text(TITLE))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64);
    if plot.logarithmic {
        let range = (first / 1.3..last * 1.3).log_scale().base(4.0);
        fill(builder.build_cartesian_2d(range, 0.0..top)?, plot)?;
    } else {
        fill(builder.build_cartesian_2d(0.0..last * 1.05, 0.0..top)?, plot)?;
    }
    area.present().context("the file cannot be written")
}

fn fill<X>(mut chart: Chart<'_, X>, plot: &Plot) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    axes(&mut chart, plot.x, plot.y)?;
    for (name, points) in &plot.lines {
        line(&mut chart, name, points, 4)?;
    }
    name_lines(&mut chart)
}
