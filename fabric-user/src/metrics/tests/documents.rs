//! What is written about metrics: the table of `docs/prometheus.md`, the alerts, and the dashboard.

use std::{collections::BTreeSet, fs};

use fabric_common::reason::Reason;
use serde_json::Value;

use crate::metrics::{family, metric::Metric};

fn text(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The row of a metric in the document.
fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let name = metric.full_name();
    format!("| `{name}` | {} | {} | {} |", metric.kind.name(), labels.join(", "), metric.help)
}

#[test]
fn the_document_lists_every_metric_as_it_is_and_no_other() {
    let document = text("docs/prometheus.md");
    let found: Vec<&str> = document.lines().filter(|line| line.starts_with("| `fabric_")).collect();
    let wanted: Vec<String> = family::all().map(row).collect();
    assert_eq!(found, wanted, "docs/prometheus.md should have these rows:\n{}", wanted.join("\n"));
}

/// The names by which series are asked for, those of the script for the textfile collector among them.
fn names() -> BTreeSet<String> {
    let script = text("observability/fabric-verify");
    let declared = script.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let declared = declared.filter_map(|rest| rest.split(' ').next()).map(str::to_owned);
    family::all().flat_map(Metric::series_names).chain(declared).collect()
}

/// The words of an expression.
fn words(expression: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expression.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

/// Checks that an expression asks for metrics and reasons that there are, of Fabric and of the exporter for FRR.
fn check(of: &str, expression: &str) {
    let names = names();
    let words = words(expression);
    let metrics = || words.iter().filter(|word| word.starts_with("fabric_"));
    for name in metrics() {
        assert!(names.contains(*name), "{of}: there is no metric {name}");
    }
    for name in words.iter().filter(|word| word.starts_with("frr_")) {
        assert_eq!(*name, "frr_bgp_l2vpn_evpn_mac_count_total", "{of}");
    }
    let is_other = words.contains(&"up") && words.contains(&"job");
    assert!(metrics().next().is_some() || is_other, "{of} asks for no metric: {expression}");
    for part in expression.split("reason=").skip(1) {
        let wanted = part.trim_start_matches('~').split('"').nth(1).unwrap_or_default();
        for reason in wanted.split('|') {
            let is_one = Reason::ALL.iter().any(|one| one.name() == reason);
            assert!(is_one, "{of}: there is no reason {reason}");
        }
    }
}

fn alerts() -> Vec<Value> {
    let document: Value = serde_saphyr::from_str(&text("observability/alerts.yml")).unwrap();
    let groups = document["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn alerts_ask_for_what_there_is_are_explained_and_have_a_case() {
    let manual = text("docs/operations.md");
    let headings: Vec<String> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_ascii_lowercase().replace(' ', "-"))
        .collect();
    let cases = text("observability/alerts.test.yml");
    let alerts = alerts();
    assert!(alerts.len() >= 15, "{} alerts", alerts.len());
    for rule in &alerts {
        let name = rule["alert"].as_str().unwrap();
        check(name, rule["expr"].as_str().unwrap());
        let link = rule["annotations"]["runbook_url"].as_str().unwrap();
        let anchor = link.strip_prefix("docs/operations.md#").unwrap();
        assert!(headings.iter().any(|heading| heading == anchor), "{name}: no heading {anchor}");
        assert_eq!(anchor, name.to_ascii_lowercase());
        let fires = cases
            .split("alertname: ")
            .any(|part| part.starts_with(&format!("{name}\n")) && part.contains("exp_labels"));
        assert!(fires, "{name} has no case in which it fires");
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is_and_for_everything() {
    let dashboard: Value = serde_json::from_str(&text("observability/dashboard.json")).unwrap();
    let mut asked = String::new();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.filter_map(|row| row["title"].as_str()).collect();
    let wanted = ["Health", "Ports", "VNIs", "VTEPs", "Why slow", "ECMP", "Control loop"];
    assert_eq!(rows[..7], wanted);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            check(panel["title"].as_str().unwrap(), expression);
            asked += &format!("{expression}\n");
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        check("an annotation", annotation["expr"].as_str().unwrap());
        asked += &format!("{}\n", annotation["expr"]);
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            check("a variable", variable["query"]["query"].as_str().unwrap());
        }
    }
    let asked = words(&asked);
    for metric in family::all() {
        let names = metric.series_names();
        let is_asked = names.iter().any(|name| asked.contains(&name.as_str()));
        assert!(is_asked, "no panel shows {}", metric.full_name());
    }
}
