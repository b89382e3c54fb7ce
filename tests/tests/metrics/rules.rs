//! The alerts, by Debian's promtool.

use std::process::Stdio;

use fabric_tests::prometheus::promtool;

fn file(name: &str) -> String {
    format!("{}/../observability/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn promtool_takes_the_rules() {
    let (content, said) = promtool(&["check", "rules", &file("alerts.yml")], Stdio::null());
    assert!(content && said.contains("SUCCESS"), "{said}");
}

#[test]
fn every_alert_fires_when_it_should_and_not_on_a_healthy_box() {
    let (content, said) = promtool(&["test", "rules", &file("alerts.test.yml")], Stdio::null());
    assert!(content && said.contains("SUCCESS"), "{said}");
}
