//! The dashboard for Grafana, `observability/dashboard.json`, as who draws it or asks its questions reads it.

use std::{fs, path::Path};

use serde_json::Value;

/// A panel that asks something.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Title of the row in which it stands.
    pub row: String,
    /// Its title.
    pub title: String,
    /// `timeseries`, `stat` or `table`.
    pub kind: String,
    /// The unit of its values, by Grafana's name.
    pub unit: String,
    /// Columns left of it, rows above it in its row, columns and rows that it takes.
    pub place: [u32; 4],
    /// Series stand one upon the other.
    pub is_stacked: bool,
    /// Values from which on another colour is right, by Grafana's name.
    pub steps: Vec<(f64, String)>,
    /// What it asks.
    pub questions: Vec<Question>,
}

/// An expression, and how its series are called.
#[derive(Clone, Debug)]
pub struct Question {
    /// As Prometheus takes it.
    pub expression: String,
    /// `{{label}}` stands for the label's value.
    pub legend: String,
}

impl Question {
    /// What a series with these labels is called.
    #[must_use]
    pub fn name(&self, labels: &Value) -> String {
        let mut name = String::new();
        let mut rest = self.legend.as_str();
        while let Some((before, behind)) = rest.split_once("{{") {
            let (label, behind) = behind.split_once("}}").unwrap_or((behind, ""));
            name += before;
            name += labels[label].as_str().unwrap_or_default();
            rest = behind;
        }
        (name + rest).trim().to_owned()
    }
}

/// The panels that ask something, with a value in the place of each variable of `choices`.
///
/// # Panics
/// If the file is not there, or no dashboard.
#[must_use]
pub fn panels(choices: &[(&str, &str)]) -> Vec<Panel> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability/dashboard.json");
    let text = fs::read_to_string(path).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("it is JSON");
    let chosen = |text: &Value| {
        let text = text.as_str().unwrap_or_default().to_owned();
        choices.iter().fold(text, |it, (name, value)| it.replace(name, value))
    };
    let (mut row, mut above) = (String::new(), 0);
    let mut panels = Vec::new();
    for panel in dashboard["panels"].as_array().expect("it has panels") {
        let place = |side: &str| panel["gridPos"][side].as_u64().expect("it has a place") as u32;
        if panel["type"] == "row" {
            (row, above) = (chosen(&panel["title"]), place("y") + place("h"));
            continue;
        }
        let defaults = &panel["fieldConfig"]["defaults"];
        let step = |step: &Value| {
            let from = step["value"].as_f64().unwrap_or(f64::NEG_INFINITY);
            (from, step["color"].as_str().unwrap_or_default().to_owned())
        };
        let steps = defaults["thresholds"]["steps"].as_array().into_iter().flatten();
        let targets = panel["targets"].as_array().expect("it asks something").iter();
        panels.push(Panel {
            row: row.clone(),
            title: chosen(&panel["title"]),
            kind: panel["type"].as_str().expect("it has a type").to_owned(),
            unit: defaults["unit"].as_str().unwrap_or("none").to_owned(),
            place: [place("x"), place("y") - above, place("w"), place("h")],
            is_stacked: defaults["custom"]["stacking"]["mode"] == "normal",
            steps: steps.map(step).collect(),
            questions: targets
                .map(|target| Question {
                    expression: chosen(&target["expr"]),
                    legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
                })
                .collect(),
        });
    }
    panels
}
