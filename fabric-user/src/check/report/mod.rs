//! How a report is told: to people, to programs, to CI.

mod json;
mod junit;
mod markdown;
mod text;

pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use markdown::markdown;
pub(crate) use text::text;

use super::outcome::Decided;

/// The name of a suite's file without folders.
fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Where a case stands: file and line.
fn place(result: &Decided) -> String {
    format!("{}:{}", short(&result.file), result.line)
}

/// That it took more than one look, and how long.
fn took(result: &Decided) -> Option<String> {
    (result.looks > 1).then(|| {
        let time = super::span::measured(std::time::Duration::from_millis(result.took_ms));
        format!("after {time}, {} looks", result.looks)
    })
}
