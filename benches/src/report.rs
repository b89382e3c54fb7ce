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

use crate::{
    environment::Environment,
    plot::{self, Timeline},
};

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
    /// Fabric is, `redirect` how many times the time of a bare redirect it takes, `encap` how many times
    /// that of plain encapsulation, and the name of another build how many times that one's time.
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
    /// What is drawn of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

/// A figure and what is asked of it.
#[derive(Clone, Debug)]
pub struct Bar {
    figure: String,
    limit: f64,
    at_least: bool,
}

impl Bar {
    /// This or less.
    pub fn at_most(figure: impl Into<String>, limit: f64) -> Self {
        Self { figure: figure.into(), limit, at_least: false }
    }

    /// This or more.
    pub fn at_least(figure: impl Into<String>, limit: f64) -> Self {
        Self { figure: figure.into(), limit, at_least: true }
    }
}

impl Figures {
    /// Says of every bar whether its figure is within it.
    #[must_use]
    pub fn judged(
        name: impl Into<String>,
        figures: BTreeMap<String, f64>,
        bars: impl IntoIterator<Item = Bar>,
        settings: BTreeMap<String, Value>,
        environment: Environment,
    ) -> Self {
        let name = name.into();
        let mut meets_bar = true;
        for Bar { figure, limit, at_least } in bars {
            let value = figures.get(&figure).copied().unwrap_or(f64::NAN);
            let met = if at_least { value >= limit } else { value <= limit };
            meets_bar &= met;
            let side = if at_least { "at least" } else { "at most" };
            println!("{name}: {figure}: {value:.2}; the bar is {side} {limit}: {}", word(met));
        }
        Self { name, figures, meets_bar, settings, environment, timeline: None }
    }
}

/// Whether a bar is met, in words.
#[must_use]
pub const fn word(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}

/// Settings under their names.
#[must_use]
pub fn settings<const N: usize>(all: [(&str, Value); N]) -> BTreeMap<String, Value> {
    all.map(|(name, value)| (name.to_owned(), value)).into()
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

/// Puts the entries of another report, which was written elsewhere, into the one at `path`, and
/// returns their names.
///
/// # Errors
/// If `other` is not a report.
pub fn merge(path: &Path, other: &Path) -> Result<Vec<String>> {
    let shown = other.display();
    let text = fs::read(other).with_context(|| format!("cannot read {shown}"))?;
    let entries: Vec<Value> = serde_json::from_slice(&text)
        .with_context(|| format!("{shown} is not a list of benchmark entries"))?;
    let names = entries
        .iter()
        .map(|entry| entry["name"].as_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .with_context(|| format!("{shown} has an entry without a name"))?;
    write(path, &entries)?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("fabric-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn another_reports_entries_replace_those_of_the_same_name_and_no_others() {
        let folder = Folder::new("report-merge");
        let ours = folder.write("ours.json", r#"[{"name":"a","mpps":1},{"name":"b","mpps":2}]"#);
        let other = folder.write("other.json", r#"[{"name":"b","mpps":3},{"name":"c","mpps":4}]"#);
        assert_eq!(merge(&ours, &other).unwrap(), ["b", "c"]);
        let merged: Value = serde_json::from_slice(&fs::read(&ours).unwrap()).unwrap();
        let figures: Vec<_> = ["a", "b", "c"]
            .map(|name| merged.as_array().unwrap().iter().find(|e| e["name"] == name).unwrap())
            .iter()
            .map(|entry| entry["mpps"].as_u64().unwrap())
            .collect();
        assert_eq!(figures, [1, 3, 4]);
    }

    #[test]
    fn what_is_no_report_leaves_the_report_as_it_was() {
        let folder = Folder::new("report-refused");
        let ours = folder.write("ours.json", r#"[{"name":"a"}]"#);
        for text in ["{}", "[{}]", "[1]", "no JSON"] {
            let other = folder.write("other.json", text);
            assert!(merge(&ours, &other).is_err(), "{text}");
        }
        assert_eq!(fs::read_to_string(&ours).unwrap(), r#"[{"name":"a"}]"#);
    }
}
