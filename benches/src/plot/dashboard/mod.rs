//! Rows of a dashboard as pictures: each panel stands where Grafana has it, and shows what Prometheus answers to it.

mod legend;
mod lines;
mod scale;
mod stats;
mod table;

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::{coord::Shift, prelude::*};

use super::style::{INK, text};

/// Pixels of a column of Grafana's grid, which has 24, and of a row.
const COLUMN: u32 = 50;
const ROW: u32 = 30;
/// Pixels between panels, on each side.
const GAP: i32 = 5;
/// Height of a panel's title with the room around it.
const TITLE: u32 = 26;
/// Size of titles and of all other texts.
const LARGE: u32 = 15;
const SMALL: u32 = 13;

/// Where a panel is, in cells of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Columns left of it.
    pub left: u32,
    /// Rows above it, of those of the picture.
    pub top: u32,
    /// Columns that it takes.
    pub width: u32,
    /// Rows that it takes.
    pub height: u32,
}

/// A panel with its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// The unit of its values, by Grafana's name: `pps`, `bps`, `s`, `percentunit`, …
    pub unit: String,
    /// Where it is.
    pub place: Place,
    /// What it shows.
    pub content: Content,
}

/// A series: its name in the legend, and its seconds and values in ascending order of time.
pub type Series = (String, Vec<(f64, f64)>);

/// What a panel shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Values over time.
    Lines {
        /// One upon the other.
        are_stacked: bool,
        /// The series.
        series: Vec<Series>,
    },
    /// The last value of each series, large.
    Stats {
        /// Name and value.
        values: Vec<(String, f64)>,
        /// Values from which on another colour is right, by Grafana's name; the first for all below.
        steps: Vec<(f64, String)>,
    },
    /// Labels and the last value of each series.
    Table {
        /// Titles of the columns.
        head: Vec<String>,
        /// The cells of each row.
        rows: Vec<Vec<String>>,
    },
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws `panels`, whose answers are from `seconds` that end with the last of them.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(panels: &[Panel], seconds: f64, path: &Path) -> Result<()> {
    let bottom = panels.iter().map(|panel| panel.place.top + panel.place.height).max();
    let height = ROW * bottom.context("a row without panels")?;
    let area = SVGBackend::new(path, (24 * COLUMN, height)).into_drawing_area();
    for Panel { title, unit, place, content } in panels {
        let Place { left, top, width, height } = *place;
        let from = ((left * COLUMN) as i32 + GAP, (top * ROW) as i32 + GAP);
        let to = (((left + width) * COLUMN) as i32 - GAP, ((top + height) * ROW) as i32 - GAP);
        area.draw(&Rectangle::new([from, to], INK.mix(0.35).stroke_width(1)))?;
        area.draw_text(title, &text(LARGE), (from.0 + 8, from.1 + 7))?;
        let inner = (from.0 + 8, from.1 + TITLE as i32 + 4);
        let size = ((to.0 - 8 - inner.0) as u32, (to.1 - 6 - inner.1) as u32);
        let inner = area.clone().shrink(inner, size);
        match content {
            Content::Lines { are_stacked, series } => {
                lines::draw(&inner, series, *are_stacked, unit, seconds)?;
            }
            Content::Stats { values, steps } => stats::draw(&inner, values, steps)?,
            Content::Table { head, rows } => table::draw(&inner, head, rows)?,
        }
    }
    area.present().context("the file cannot be written")
}

/// About how many pixels a text of the smaller size is wide: its font is the reader's.
fn width(text: &str) -> i32 {
    SMALL as i32 * text.chars().count() as i32 / 2
}
