//! What plots have in common: axes, lines, a legend.

use anyhow::Result;
use plotters::{
    chart::MeshStyle,
    coord::{
        ranged1d::{Ranged, ValueFormatter},
        types::RangedCoordf64,
    },
    prelude::*,
};

use super::style::{INK, TEXT, colour, legend, short, text};

pub(super) type Chart<'a, X> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, RangedCoordf64>>;

/// Axes and the bold lines of the grid in the colours that all plots have.
pub(super) fn plain<'m, 'a, 'b, X: Ranged, Y: Ranged>(
    mesh: &'m mut MeshStyle<'a, 'b, X, Y, SVGBackend<'a>>,
) -> &'m mut MeshStyle<'a, 'b, X, Y, SVGBackend<'a>> {
    mesh.axis_style(INK)
        .bold_line_style(INK.mix(0.25))
        .light_line_style(INK.mix(0.0))
        .label_style(text(TEXT))
        .axis_desc_style(text(TEXT))
}

/// Draws axes with their titles, and of the grid the bold lines.
pub(super) fn axes<X>(chart: &mut Chart<'_, X>, x: &str, y: &str) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let number = |number: &f64| match *number {
        negative if negative < 0.0 => format!("-{}", short(-negative)),
        other => short(other),
    };
    plain(&mut chart.configure_mesh())
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;
    Ok(())
}

/// Draws the line of a contender, with dots of so many pixels.
pub(super) fn line<X>(
    chart: &mut Chart<'_, X>,
    name: &str,
    points: &[(f64, f64)],
    dots: u32,
) -> Result<()>
where
    X: Ranged<ValueType = f64>,
{
    let colour = colour(name);
    let series = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(dots);
    chart
        .draw_series(series)?
        .label(legend(name))
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
    Ok(())
}

/// Says whose the lines are that were drawn so far.
pub(super) fn name_lines<X>(chart: &mut Chart<'_, X>) -> Result<()>
where
    X: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .border_style(INK.mix(0.4))
        .label_font(text(TEXT))
        .draw()?;
    Ok(())
}
