//! Reads an exposition, strictly: what tests compare with what `fabricctl` and the maps say.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};

/// Labels of a series by name.
pub type Labels = BTreeMap<String, String>;

/// One metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// The word behind `# TYPE`.
    pub kind: String,
    /// The sentence behind `# HELP`.
    pub help: String,
    /// Values by the name of the sample and its labels.
    pub samples: BTreeMap<(String, Labels), f64>,
}

/// What an answer holds, by the name behind `# TYPE`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// The metrics.
    pub families: BTreeMap<String, Family>,
    /// It ends with `# EOF`, as OpenMetrics has to.
    pub is_open: bool,
}

impl Exposition {
    /// Reads an answer.
    ///
    /// # Errors
    /// With the line that is not as it should be: a sample of no metric, a name that comes twice, a metric that is
    /// spread over the answer, values that are none.
    pub fn read(text: &str) -> Result<Self> {
        let mut this = Self::default();
        let mut present = String::new();
        for line in text.lines() {
            ensure!(!this.is_open, "something follows the end: {line}");
            this.line(line, &mut present).with_context(|| format!("in the line {line:?}"))?;
        }
        ensure!(text.ends_with('\n'), "the last line has no end");
        Ok(this)
    }

    fn line(&mut self, line: &str, present: &mut String) -> Result<()> {
        if line == "# EOF" {
            self.is_open = true;
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').context("there is no help")?;
            let is_new = !self.families.contains_key(name);
            ensure!(is_new, "the metric comes twice");
            name.clone_into(present);
            let family = Family { help: help.into(), ..Family::default() };
            self.families.insert(name.into(), family);
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').context("there is no type")?;
            ensure!(name == present, "it is not that of the metric before");
            self.families.entry(name.into()).or_default().kind = kind.into();
            return Ok(());
        }
        ensure!(!line.starts_with('#'), "a comment of another kind");
        let (name, labels, value) = sample(line)?;
        let family = self.families.get_mut(present).context("it belongs to no metric")?;
        let suffix = name.strip_prefix(present.as_str()).context("it belongs to another metric")?;
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" if present.ends_with("_total") => &[""],
            "counter" => &["_total"],
            "info" => &["_info"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => bail!("the type {other} is unknown"),
        };
        ensure!(suffixes.contains(&suffix), "a {} has no {suffix:?}", family.kind);
        let before = family.samples.insert((name, labels), value);
        ensure!(before.is_none(), "the series comes twice");
        Ok(())
    }

    /// The value of a series, by the name and all labels that it is asked for by.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let key = (name.to_owned(), labels);
        self.families.values().find_map(|family| family.samples.get(&key).copied())
    }

    /// All series of a name.
    pub fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Labels, f64)> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.filter(move |((of, _), _)| of == name).map(|((_, labels), value)| (labels, *value))
    }

    /// The sum of the series of a name that have these labels, among others.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |of: &Labels| labels.iter().all(|(k, v)| of.get(*k).is_some_and(|it| it == v));
        self.series(name).filter(|(of, _)| has(of)).map(|(_, value)| value).sum()
    }

    /// The names by which samples are asked for.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let samples = self.families.values().flat_map(|family| family.samples.keys());
        samples.map(|(name, _)| name.as_str()).collect()
    }
}

/// Takes a sample apart: name, labels, value.
fn sample(line: &str) -> Result<(String, Labels, f64)> {
    let end = line.find(['{', ' ']).context("there is no value")?;
    let (name, rest) = line.split_at(end);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(!name.is_empty() && name.chars().all(plain), "the name {name:?} is none");
    let mut labels = Labels::new();
    let mut rest = rest;
    if let Some(mut inner) = rest.strip_prefix('{') {
        ensure!(!inner.starts_with('}'), "braces without labels");
        loop {
            let (label, behind) = inner.split_once("=\"").context("a label without a value")?;
            ensure!(!label.is_empty() && label.chars().all(plain), "the label {label:?} is none");
            let (value, behind) = quoted(behind)?;
            let value = if label == "le" { bound(&value)? } else { value };
            ensure!(labels.insert(label.into(), value).is_none(), "{label} comes twice");
            if let Some(behind) = behind.strip_prefix('}') {
                rest = behind;
                break;
            }
            inner = behind.strip_prefix(',').context("no comma between labels")?;
        }
    }
    let value = rest.strip_prefix(' ').context("no space before the value")?;
    let value = value.parse().with_context(|| format!("{value:?} is no number"))?;
    Ok((name.into(), labels, value))
}

/// A bucket's bound, which the two formats write in two ways.
fn bound(text: &str) -> Result<String> {
    let bound: f64 = text.parse().with_context(|| format!("{text:?} is no bound"))?;
    Ok(if bound.is_infinite() { "+Inf".into() } else { bound.to_string() })
}

/// A label's value, and what follows the quotation mark behind it.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('"' | '\\'))) => escaped,
                other => bail!("{other:?} needs no backslash"),
            }),
            plain => value.push(plain),
        }
    }
    bail!("a value without an end")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# HELP a A.\n# TYPE a counter\n";

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = format!("{HEAD}a_total{{b=\"x\\\"y\",c=\"\\\\\"}} 3\n# EOF\n");
        let read = Exposition::read(&text).unwrap();
        assert!(read.is_open);
        assert_eq!(read.value("a_total", &[("b", "x\"y"), ("c", "\\")]), Some(3.0));
        assert_eq!(read.sum("a_total", &[("c", "\\")]), 3.0);
        assert_eq!(read.value("a_total", &[]), None);
    }

    #[test]
    fn what_is_no_exposition_is_refused() {
        for wrong in [
            "a_total 1\n".to_owned(),
            format!("{HEAD}a 1\n"),
            format!("{HEAD}a_total one\n"),
            format!("{HEAD}a_total 1\na_total 2\n"),
            format!("{HEAD}a_total{{}} 1\n"),
            format!("{HEAD}a_total{{b=\"\\x\"}} 1\n"),
            format!("{HEAD}{HEAD}"),
            format!("{HEAD}# EOF\na_total 1\n"),
            format!("{HEAD}a_total 1"),
        ] {
            assert!(Exposition::read(&wrong).is_err(), "{wrong}");
        }
    }
}
