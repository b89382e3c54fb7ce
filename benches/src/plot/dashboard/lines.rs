//! Values over time.

use anyhow::Result;
use plotters::prelude::*;

use super::{
    super::style::{INK, text},
    Area, SMALL, Series, legend, scale,
};

/// Longest time between two points that are joined, in seconds.
const JOINED: f64 = 5.0;
/// Rows of the legend, at most: what has no place there is a line without a name.
const ROWS: i32 = 4;

pub(super) fn draw(
    area: &Area<'_>,
    series: &[Series],
    are_stacked: bool,
    unit: &str,
    seconds: f64,
) -> Result<()> {
    let names: Vec<&str> = series.iter().map(|(name, _)| name.as_str()).collect();
    let (width, height) = area.dim_in_pixel();
    let places = legend::places(names.iter().copied(), width, ROWS);
    let rows = places.last().map_or(0, |name| name.row + 1);
    let bottom = height as i32 - rows * legend::STEP - 4;
    let shown = if are_stacked { stacked(series) } else { series.to_vec() };

    let values = || shown.iter().flat_map(|(_, points)| points).map(|(_, value)| *value);
    let least = values().fold(0.0, f64::min);
    let most = values().fold(0.0, f64::max);
    // A line at nothing but 0 wants a range all the same.
    let most = if least == 0.0 && most == 0.0 { 1.0 } else { most };
    let above = 0.08 * (most - least);
    let range = if least < 0.0 { least - above } else { 0.0 }..most + above;

    let mut chart = ChartBuilder::on(&area.clone().shrink((0, 0), (width, bottom as u32)))
        .margin_top(6)
        .margin_right(12)
        .x_label_area_size(24)
        .y_label_area_size(74)
        .build_cartesian_2d(0.0..seconds, range)?;
    chart
        .configure_mesh()
        .axis_style(INK.mix(0.6))
        .bold_line_style(INK.mix(0.25))
        .light_line_style(INK.mix(0.0))
        .label_style(text(SMALL))
        .x_labels(6)
        .y_labels(5)
        .x_label_formatter(&|second: &f64| format!("{second:.0} s"))
        .y_label_formatter(&|value: &f64| scale::shown(*value, unit))
        .draw()?;
    // What lies above hides what it stands upon.
    for (number, (_, points)) in shown.iter().enumerate().rev() {
        let colour = legend::colour(number);
        for part in parts(points) {
            if are_stacked {
                let upper = part.iter().copied();
                let below = number.checked_sub(1).map(|below| shown[below].1.as_slice());
                let lower =
                    part.iter().rev().map(|(x, _)| (*x, below.map_or(0.0, |it| at(it, *x))));
                let corners: Vec<_> = upper.chain(lower).collect();
                chart.draw_series([Polygon::new(corners, colour.mix(0.3))])?;
            }
            chart.draw_series([PathElement::new(part.to_vec(), colour.stroke_width(2))])?;
        }
    }
    legend::draw(area, &names, &places, bottom + 2)
}

/// The series one upon the other, at the times that any of them has.
fn stacked(series: &[Series]) -> Vec<Series> {
    let mut times: Vec<f64> =
        series.iter().flat_map(|(_, points)| points).map(|(time, _)| *time).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let mut sum = vec![0.0; times.len()];
    let pile = |(name, points): &Series| {
        for (sum, time) in sum.iter_mut().zip(&times) {
            *sum += at(points, *time);
        }
        (name.clone(), times.iter().copied().zip(sum.iter().copied()).collect())
    };
    series.iter().map(pile).collect()
}

/// The value at a time, 0 without one.
fn at(points: &[(f64, f64)], time: f64) -> f64 {
    let found = points.binary_search_by(|(other, _)| other.total_cmp(&time));
    found.map_or(0.0, |place| points[place].1)
}

/// The points that belong together, without the gaps between them.
fn parts(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.chunk_by(|one, next| next.0 - one.0 <= JOINED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_adds_nothing_to_a_pile() {
        let series = [
            ("a".to_owned(), vec![(0.0, 1.0), (2.0, 3.0)]),
            ("b".to_owned(), vec![(2.0, 4.0), (4.0, 5.0)]),
        ];
        let piled = stacked(&series);
        assert_eq!(piled[0].1, [(0.0, 1.0), (2.0, 3.0), (4.0, 0.0)]);
        assert_eq!(piled[1].1, [(0.0, 1.0), (2.0, 7.0), (4.0, 5.0)]);
    }

    #[test]
    fn a_gap_ends_a_line() {
        let points = [(0.0, 1.0), (2.0, 1.0), (60.0, 1.0)];
        let lengths: Vec<_> = parts(&points).map(<[_]>::len).collect();
        assert_eq!(lengths, [2, 1]);
    }
}
