//! For the summary of a step of GitHub's and GitLab's CI.

use std::fmt::Write as _;

use super::{place, took};
use crate::check::{
    outcome::{Decided, Outcome, Report},
    span::measured,
};

/// The page.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "### {}\n\n{} in {}\n",
        cell(&report.title),
        report.tally(),
        measured(report.took())
    );
    if report.count(Outcome::Failed) > 0 {
        text.push_str("\n| failed | expected | actual | likely | next |\n|---|---|---|---|---|\n");
        for it in report.of(Outcome::Failed) {
            let said = |it: &Option<String>| cell(it.as_deref().unwrap_or_default());
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                name(it),
                said(&it.expected),
                said(&it.actual),
                said(&it.likely),
                said(&it.next),
            );
        }
    }
    for (outcome, title) in
        [(Outcome::NotAsked, "could not be asked"), (Outcome::Skipped, "skipped")]
    {
        if report.count(outcome) > 0 {
            let _ = write!(text, "\n| {title} | why |\n|---|---|\n");
            for it in report.of(outcome) {
                let _ = writeln!(
                    text,
                    "| {} | {} |",
                    name(it),
                    cell(it.why.as_deref().unwrap_or_default())
                );
            }
        }
    }
    text
}

/// A case, where it stands, and that it took more than one look if it did.
fn name(result: &Decided) -> String {
    let took = took(result).map(|took| format!(", {took}")).unwrap_or_default();
    cell(&format!("{} ({}{took})", result.case, place(result)))
}

/// A text that ends neither a cell nor a row, and is no markup.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for it in text.chars() {
        match it {
            '\n' => cell.push_str("<br>"),
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => cell.extend(['\\', it]),
            _ => cell.push(it),
        }
    }
    cell
}
