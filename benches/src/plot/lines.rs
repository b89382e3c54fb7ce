//! Lines over a quantity, with a legend.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::{
    coord::ranged1d::{Ranged, ValueFormatter},
    prelude::*,
};

use super::{
    series::Plot,
    style::{INK, SIZE, TEXT, TITLE, colour, legend, short, text},
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

fn fill<'a, X>(
    mut chart: ChartContext<
        'a,
        SVGBackend<'a>,
        Cartesian2d<X, plotters::coord::types::RangedCoordf64>,
    >,
    plot: &Plot,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.25))
        .light_line_style(INK.mix(0.0))
        .label_style(text(TEXT))
        .axis_desc_style(text(TEXT))
        .x_desc(plot.x)
        .y_desc(plot.y)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .draw()?;
    for (name, points) in &plot.lines {
        let colour = colour(name);
        chart
            .draw_series(
                LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4),
            )?
            .label(legend(name))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .border_style(INK.mix(0.4))
        .label_font(text(TEXT))
        .draw()?;
    Ok(())
}
