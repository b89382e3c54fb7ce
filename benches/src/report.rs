//! `target/bench/report.json`: a list with one object per benchmark entry. A run replaces its own
//! entries and leaves the others, and draws the plots of all of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use crate::{environment::Environment, plot};

/// What one entry of a benchmark found.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Unique among all entries.
    pub name: String,
    /// Median time of a frame, in nanoseconds, from the generator to the sink.
    pub median_ns: f64,
    /// Million frames per second at that time.
    pub mpps: f64,
    /// Baseline → median of the rounds' ratios. `kernel` is how many times faster than the kernel
    /// Fabric is, `redirect` how many times the time of a bare redirect it takes.
    pub ratios: BTreeMap<String, f64>,
    /// Interquartile range of the time of a frame, in nanoseconds.
    pub spread: f64,
    /// Interquartile range of each of the `ratios`.
    pub ratio_spread: BTreeMap<String, f64>,
    /// Contender → median time of a frame in nanoseconds.
    pub contenders_ns: BTreeMap<String, f64>,
    /// True if every figure is within the bar.
    pub meets_bar: bool,
    /// What was sent: frame size, stations, flows, rounds.
    pub settings: BTreeMap<String, Value>,
    /// Where it was measured.
    pub environment: Environment,
}

/// What an entry found that is no time of a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Unique among all entries.
    pub name: String,
    /// Figure, with its unit in its name → value.
    pub figures: BTreeMap<String, f64>,
    /// True if every figure is within its bar.
    pub meets_bar: bool,
    /// What was measured.
    pub settings: BTreeMap<String, Value>,
    /// Where it was measured.
    pub environment: Environment,
}

/// Where the report is.
#[must_use]
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/report.json")
}

/// Puts `entries`, each with a `name`, into the report at `path`, and draws the plots beside it.
///
/// # Errors
/// If the file cannot be read or written, or holds something else than a list.
pub fn write(path: &Path, entries: &[impl Serialize]) -> Result<()> {
    let shown = path.display();
    let mut list: Vec<Value> = match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!("{shown} is not a list of benchmark entries; remove it and run again")
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    for entry in entries {
        let value = serde_json::to_value(entry)?;
        match list.iter_mut().find(|old| old["name"] == value["name"]) {
            Some(old) => *old = value,
            None => list.push(value),
        }
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder of {shown}"))?;
    }
    // Written beside and renamed, so that no reader finds half a report.
    let new = path.with_extension("json.new");
    fs::write(&new, serde_json::to_string_pretty(&list)? + "\n")
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {shown}"))?;
    plot::draw(&list, path.parent().unwrap_or(path))
}
