//! Plots of the report, as SVG files beside it: what was measured is drawn, and only that.

mod bars;
mod chart;
pub mod dashboard;
mod lines;
mod series;
mod stages;
mod style;
mod timeline;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub use self::timeline::Timeline;

/// Draws everything that the `report`'s entries are enough for into `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn draw(report: &[Value], folder: &Path) -> Result<()> {
    for plot in series::plots(report) {
        let path = folder.join(format!("{}.svg", plot.file));
        lines::draw(&plot, &path).with_context(|| format!("cannot draw {}", path.display()))?;
    }
    for chart in series::charts(report) {
        let path = folder.join(format!("{}.svg", chart.file));
        bars::draw(&chart, &path).with_context(|| format!("cannot draw {}", path.display()))?;
    }

    for (name, timeline) in timeline::timelines(report) {
        let path = folder.join(format!("{name}.svg"));
        timeline::draw(&timeline, &path)
            .with_context(|| format!("cannot draw {}", path.display()))?;
    }
    for chart in stages::charts(report) {
        let path = folder.join(format!("{}.svg", chart.file));
        stages::draw(&chart, &path).with_context(|| format!("cannot draw {}", path.display()))?;
    }
    Ok(())
}
