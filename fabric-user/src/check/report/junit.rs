//! For CI: a suite is the file, a case has the name of the case, and as class the suite, its kind and its device: where
//! reports of several suites are put together, no two cases have the same.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{place, short, took};
use crate::check::{
    outcome::{Decided, Outcome, Report},
    suite::ENDING,
};

/// The document.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn junit(report: &Report) -> anyhow::Result<String> {
    let mut suite = TestSuite::new(short(&report.file));
    suite.set_time(report.took());
    suite.add_property(("topology", report.topology.as_str()));
    suite.add_property(("fabricctl", report.version.as_str()));
    suite.add_test_cases(report.cases.iter().map(case));
    let mut document = Document::new(report.title.as_str());
    document.set_time(report.took()).add_test_suite(suite);
    Ok(document.to_string()?)
}

fn case(result: &Decided) -> TestCase {
    let why = result.why.as_deref().unwrap_or_default();
    let status = match result.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why);
            status
        }
        Outcome::NotAsked => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(why).set_type("could not ask");
            status
        }
        Outcome::Failed => {
            let said = |it: &Option<String>| it.clone().unwrap_or_default();
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!(
                "expected {}; actual {}",
                said(&result.expected),
                said(&result.actual)
            ));
            status.set_type(result.kind.as_str());
            status.set_description(format!(
                "expected  {}\nactual    {}\nlikely    {}\nnext      {}\nat        {}\n",
                said(&result.expected),
                said(&result.actual),
                said(&result.likely),
                said(&result.next),
                place(result),
            ));
            status
        }
    };
    let mut case = TestCase::new(result.case.as_str(), status);
    let file = short(&result.file);
    let suite = file.strip_suffix(ENDING).unwrap_or(file);
    case.set_classname(format!("{suite}.{}.{}", result.kind, result.device));
    case.set_time(Duration::from_millis(result.took_ms));
    case.add_property(("line", place(result).as_str()));
    if let Some(took) = took(result) {
        case.add_property(("looks", took.as_str()));
    }
    if let (Outcome::Passed, Some(actual)) = (result.outcome, &result.actual) {
        case.set_system_out(actual.as_str());
    }
    case
}
