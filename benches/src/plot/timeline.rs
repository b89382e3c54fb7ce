//! What arrived, step by step, around a moment.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    chart::{axes, line, name_lines},
    style::{INK, SIZE, TITLE, text},
};

/// A part of an entry of the report, under the name `timeline`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// What is seen.
    pub title: String,
    /// What the times are counted from, with their unit.
    pub x: String,
    /// What is counted.
    pub y: String,
    /// Contender → time and count, in ascending order of time.
    pub lines: BTreeMap<String, Vec<(f64, f64)>>,
}

/// The timelines of a report, by the names of their entries.
pub(super) fn timelines(report: &[Value]) -> Vec<(String, Timeline)> {
    let entries = report.iter().filter_map(|entry| {
        let timeline = serde_json::from_value(entry.get("timeline")?.clone()).ok()?;
        Some((entry["name"].as_str()?.to_owned(), timeline))
    });
    entries.collect()
}

pub(super) fn draw(timeline: &Timeline, path: &Path) -> Result<()> {
    let points = || timeline.lines.values().flatten();
    let first = points().map(|point| point.0).fold(0.0, f64::min);
    let last = points().map(|point| point.0).fold(0.0, f64::max);
    // Room above for the legend.
    let top = 1.4 * points().map(|point| point.1).fold(1.0, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .caption(&timeline.title, text(TITLE))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(first..last, 0.0..top)?;
    axes(&mut chart, &timeline.x, &timeline.y)?;
    let moment = [(0.0, 0.0), (0.0, top)];
    chart.draw_series([PathElement::new(moment, INK.stroke_width(1))])?;
    // Fabric, the first by its name, lies above the others.
    for (name, points) in timeline.lines.iter().rev() {
        line(&mut chart, name, points, 0)?;
    }
    name_lines(&mut chart)?;
    area.present().context("the file cannot be written")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_with_a_timeline_is_drawn_under_its_own_name() {
        let timeline = Timeline {
            title: "a".into(),
            x: "b".into(),
            y: "c".into(),
            lines: [("fabric".into(), vec![(-1.0, 2.0), (0.0, 3.0)])].into(),
        };
        let report = [json!({ "name": "x" }), json!({ "name": "y", "timeline": timeline })];
        assert_eq!(timelines(&report), [("y".to_owned(), timeline)]);
    }
}
