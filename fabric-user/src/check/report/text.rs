//! For people: what has failed comes last.

use std::fmt::Write as _;

use super::{place, took};
use crate::check::{
    outcome::{Decided, Outcome, Report},
    span::measured,
};

/// The lines of a report; with those of cases that have passed if it is to be verbose.
pub(crate) fn text(report: &Report, verbose: bool) -> String {
    let mut text = String::new();
    let mut block = |outcome: Outcome| {
        for result in report.of(outcome) {
            text.push_str(&of_case(result));
        }
    };
    if verbose {
        block(Outcome::Passed);
    }
    for outcome in [Outcome::Skipped, Outcome::NotAsked, Outcome::Failed] {
        block(outcome);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}: {} in {}", report.title, report.tally(), measured(report.took()));
    // What devices say may hold what a terminal obeys.
    text.replace(|it: char| it.is_control() && it != '\n', " ")
}

fn of_case(result: &Decided) -> String {
    let mark = result.outcome.mark();
    let mut text = format!("{mark}  {}  ({})", result.case, place(result));
    match result.outcome {
        Outcome::Passed => {
            if let Some(actual) = &result.actual {
                let _ = write!(text, "  {actual}");
            }
            if let Some(took) = took(result) {
                let _ = write!(text, "  [{took}]");
            }
        }
        Outcome::Skipped | Outcome::NotAsked => {
            let _ = write!(text, "\n      {}", result.why.as_deref().unwrap_or_default());
            if let Some(took) = took(result) {
                let _ = write!(text, "  [{took}]");
            }
        }
        Outcome::Failed => {
            let lines = [
                ("expected", &result.expected),
                ("actual", &result.actual),
                ("likely", &result.likely),
                ("next", &result.next),
            ];
            for (what, said) in lines {
                if let Some(said) = said {
                    let _ = write!(text, "\n      {what:<8}  {said}");
                }
            }
            if let Some(took) = took(result) {
                let _ = write!(text, "\n      {:<8}  {took}", "decided");
            }
        }
    }
    text.push('\n');
    text
}
