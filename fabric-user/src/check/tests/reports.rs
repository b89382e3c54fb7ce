//! What is told of a suite, in all forms.

use std::collections::BTreeSet;

use super::fabric::{Paper, cases};
use crate::check::{
    new::suite_for,
    outcome::{Decided, Outcome, Report},
    report,
};

/// A report with a case of each outcome.
fn report() -> Report {
    let case = |case: &str, line, outcome| Decided {
        case: case.into(),
        kind: case.split(' ').next().unwrap().into(),
        device: "leaf03".into(),
        file: "topologies/two-sites.check.toml".into(),
        line,
        outcome,
        expected: None,
        actual: None,
        likely: None,
        next: None,
        why: None,
        left_out: false,
        late: false,
        took_ms: 1_250,
        looks: 1,
        round: 1,
        compared_with: None,
    };
    let some = |text: &str| Some(text.to_owned());
    Report {
        title: "Two sites".into(),
        file: "topologies/two-sites.check.toml".into(),
        topology: "two-sites".into(),
        took_ms: 14_600,
        version: "0.1.0".into(),
        cases: vec![
            Decided {
                expected: some("10.0.1.11, 10.0.1.12"),
                actual: some("FRR and kernel as expected; maps lack 10.0.1.12"),
                likely: some("fabric-xdpd has not followed"),
                next: some("on leaf03: fabricctl verify --repair"),
                ..case("vteps app leaf03", 12, Outcome::Failed)
            },
            Decided {
                actual: some("up"),
                looks: 3,
                ..case("bgp leaf03→spine03 (swp1)", 4, Outcome::Passed)
            },
            Decided {
                why: some("log01: ssh says: <no>"),
                ..case("reach log01→log02 (icmp)", 30, Outcome::NotAsked)
            },
            Decided { why: some("until Monday"), ..case("daemon leaf03", 40, Outcome::Skipped) },
        ],
        ..Report::default()
    }
}

#[test]
fn what_a_terminal_obeys_is_not_printed() {
    let mut report = report();
    report.cases[0].actual = Some("\u{1b}[2J\u{7}gone".into());
    let text = report::text(&report, false);
    assert!(text.contains("actual     [2J gone\n"), "{text:?}");
}

#[test]
fn people_read_what_has_failed_last_with_cause_and_next_command() {
    let text = report::text(&report(), true);
    assert_eq!(
        text,
        "\
pass  bgp leaf03→spine03 (swp1)  (two-sites.check.toml:4)  up  [after 1.2 s, 3 looks]
skip  daemon leaf03  (two-sites.check.toml:40)
      until Monday
ASK   reach log01→log02 (icmp)  (two-sites.check.toml:30)
      log01: ssh says: <no>
FAIL  vteps app leaf03  (two-sites.check.toml:12)
      expected  10.0.1.11, 10.0.1.12
      actual    FRR and kernel as expected; maps lack 10.0.1.12
      likely    fabric-xdpd has not followed
      next      on leaf03: fabricctl verify --repair
Two sites: 1 passed (1 after several looks), 1 failed, 1 could not be asked, 1 skipped in 14.6 s
"
    );
    assert!(!report::text(&report(), false).contains("pass "));
    assert_eq!(report().status(), 1);
}

#[test]
fn junit_is_read_back_with_errors_beside_failures() {
    let text = report::junit(&report()).unwrap();
    let document = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suite = &document.test_suites[0];
    assert_eq!((suite.tests, suite.failures, suite.errors, suite.skipped), (4, 1, 1, 1));
    assert_eq!(suite.name.as_str(), "two-sites.check.toml");
    let case = &suite.test_cases[0];
    assert_eq!(case.name.as_str(), "vteps app leaf03");
    assert_eq!(case.classname.as_ref().unwrap().as_str(), "two-sites.vteps.leaf03");
    assert!(text.contains("maps lack 10.0.1.12") && text.contains("&lt;no&gt;"), "{text}");
}

#[test]
fn names_in_junit_are_unique_for_every_suite_that_is_written() {
    for name in super::fabric::topologies() {
        let paper = Paper::named(&name);
        let text = suite_for(&paper.inventory, &paper.inventory.topology.picture_file);
        let all = cases(&text, &paper.inventory);
        let names: BTreeSet<&str> = all.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "{name}");
    }
}

#[test]
fn markdown_has_a_row_for_each_failure_and_no_text_ends_a_cell() {
    let mut report = report();
    report.cases[0].actual = Some("a | b\nc".into());
    report.cases[2].looks = 4;
    let text = report::markdown(&report);
    assert!(
        text.starts_with("### Two sites\n\n1 passed (1 after several looks), 1 failed, "),
        "{text}"
    );
    assert!(
        text.contains(
            "| vteps app leaf03 (two-sites.check.toml:12) | 10.0.1.11, 10.0.1.12 | a \\| b<br>c |"
        ),
        "{text}"
    );
    assert!(text.contains("\\<no\\>"), "{text}");
    let several = "(two-sites.check.toml:30, after 1.2 s, 4 looks) |";
    assert!(text.contains(several), "{text}");
}

#[test]
fn json_has_counts_and_an_object_for_each_case() {
    let value = serde_json::to_value(report::json(&report())).unwrap();
    assert_eq!(
        (&value["schema"], &value["failed"], &value["status"]),
        (&1.into(), &1.into(), &1.into())
    );
    let case = &value["cases"][0];
    assert_eq!(
        (&case["case"], &case["outcome"], &case["line"]),
        (&"vteps app leaf03".into(), &"failed".into(), &12.into())
    );
    assert_eq!(value["cases"][2]["outcome"], "not_asked");
}

#[test]
fn a_suite_of_which_nothing_was_checked_has_not_passed_unless_it_says_so_itself() {
    let mut report = report();
    report.cases.retain(|it| it.outcome == Outcome::Skipped);
    assert_eq!(report.status(), 0, "its table says so");
    report.cases[0].left_out = true;
    assert_eq!(report.status(), 3, "nobody asks its device");
    report.cases.push(Decided {
        left_out: false,
        outcome: Outcome::Passed,
        ..report.cases[0].clone()
    });
    assert_eq!(report.status(), 0);
}

#[test]
fn that_somebody_could_not_be_asked_after_several_looks_is_told_to_people_as_well() {
    let mut report = report();
    report.cases[2].looks = 4;
    let text = report::text(&report, false);
    assert!(text.contains("log01: ssh says: <no>  [after 1.2 s, 4 looks]\n"), "{text}");
    assert!(text.contains("1 could not be asked (1 after several looks)"), "{text}");
}
