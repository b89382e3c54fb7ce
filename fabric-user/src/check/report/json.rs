//! For programs: one object, with one for each case.

use serde::Serialize;

use crate::check::outcome::{Outcome, Report};

/// Number of what `docs/json.md` says.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    passed: usize,
    failed: usize,
    not_asked: usize,
    skipped: usize,
    status: u8,
    #[serde(flatten)]
    report: &'a Report,
}

/// The document.
pub(crate) fn json(report: &Report) -> impl Serialize + '_ {
    Document {
        schema: SCHEMA,
        passed: report.count(Outcome::Passed),
        failed: report.count(Outcome::Failed),
        not_asked: report.count(Outcome::NotAsked),
        skipped: report.count(Outcome::Skipped),
        status: report.status(),
        report,
    }
}
