//! The walk of its README: a change breaks one front server's reachability, is caught, mended and passes.

use std::fs;

use fabric_tests::fabric::{PATIENCE, until};

use crate::copy::{Copy, wrong};

#[test]
fn a_change_that_makes_a_front_server_unreachable_fails_its_case_alone_until_it_is_mended() {
    let copy = Copy::new("walk");
    let ran = copy.ci();
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let reports = copy.reports();
    assert_eq!(reports.keys().collect::<Vec<_>>(), ["fabric", "shop"]);
    assert!(
        reports.values().all(|it| it.tests > 5 && it.failures + it.errors == 0),
        "{}",
        ran.said
    );
    assert!(!copy.folder().join("reports/shop").exists(), "evidence of what has passed");

    copy.apply("changes/add-front05.patch");
    let ran = copy.ci();
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    let reports = copy.reports();
    assert_eq!(wrong(&reports["fabric"]), []);
    let [(case, message)] = &wrong(&reports["shop"])[..] else { panic!("{}", ran.said) };
    assert_eq!(case, "reach client01→203.0.113.14 (icmp) [front04]");
    assert!(message.starts_with("expected 3 answers from 203.0.113.14"), "{message}");
    // What README shows is what is said.
    let readme = fs::read_to_string(copy.folder().join("README.md")).expect("it is there");
    let said = ran.said.split("FAIL  ").nth(1).and_then(|it| it.split("\nShop:").next());
    let said = said.unwrap_or_else(|| panic!("{}", ran.said));
    assert!(readme.contains(&format!("FAIL  {said}\n")), "README.md does not show:\nFAIL  {said}");
    assert!(fs::read_dir(copy.folder().join("reports/shop")).is_ok(), "there is no evidence");
    assert!(!copy.folder().join("reports/fabric").exists(), "evidence of what has passed");

    copy.apply("changes/add-front05-mended.patch");
    let ran = copy.ci();
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    // The new server has a case of its own.
    assert_eq!(copy.reports()["shop"].tests, reports["shop"].tests + 1);
}

#[test]
fn a_run_that_is_cancelled_takes_its_lab_down() {
    let copy = Copy::new("cancelled");
    let running = copy.start();
    let leaf = format!("/run/netns/fab-{}-leaf01", copy.lab());
    until(PATIENCE, "the lab is being made", || fs::exists(&leaf).is_ok_and(|it| it));
    running.cancel();
    let ran = running.end();
    assert_eq!(ran.status, Some(143), "{}", ran.said);
    copy.assert_nothing_is_left(&ran.said);
}

#[test]
fn a_drawing_that_contradicts_itself_ends_before_anything_is_checked() {
    let copy = Copy::new("contradicts");
    let path = copy.folder().join("fabric.toml");
    let text = fs::read_to_string(&path).expect("it is there");
    // Two front servers with one address.
    let text = text.replace("front02 = [\"10.50.0.12/24\"]", "front02 = [\"10.50.0.11/24\"]");
    fs::write(&path, text).expect("it can be written");
    let ran = copy.ci();
    assert_eq!(ran.status, Some(2), "{}", ran.said);
    assert!(ran.said.contains("address 10.50.0.11 is used twice"), "{}", ran.said);
    assert!(copy.reports().is_empty(), "{}", ran.said);
}
