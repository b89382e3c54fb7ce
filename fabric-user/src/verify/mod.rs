//! FRR, the kernel and the maps say the same, or which of them does not, why that may be, and what to do.
//!
//! What maps should hold is what a daemon would write into empty ones ([`wanted`]): the kernel's tables, compiled by
//! the same functions, and written by the same ones, into memory that no program reads. So whatever the
//! daemon leaves to the kernel is no difference. Which tables are read is in [`crate::facts::held`].

mod between;
mod difference;
mod frr;
pub(crate) mod kernel;
mod maps;
mod setup;
#[cfg(test)]
mod tests;
mod wanted;

pub use between::{Between, Compared, between, names, namesakes};
pub(crate) use between::{Reasons, reasons};
pub use difference::{Difference, Kind, Side};

use std::collections::HashSet;

use crate::facts::Facts;

/// What a look at a box has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What differs, sorted.
    pub differences: Vec<Difference>,
    /// What could not be compared, and why: sentences.
    pub not_asked: Vec<String>,
}

impl Report {
    /// Without the differences that a report from before has not: these are under way.
    #[must_use]
    pub fn lasting(mut self, before: &Self) -> Self {
        let old = before.differences.iter().map(|old| (old.kind, old.what.as_str()));
        let old: HashSet<(Kind, &str)> = old.collect();
        self.differences.retain(|new| old.contains(&(new.kind, new.what.as_str())));
        self
    }
}

/// Compares what facts have.
///
/// # Errors
/// If there is not enough memory for it.
pub fn verify(facts: &Facts) -> anyhow::Result<Report> {
    let mut report = Report { not_asked: facts.missing.clone(), ..Report::default() };
    let kernel = kernel::Kernel::of(&facts.network);
    if let Some(frr) = &facts.frr {
        report.differences.extend(frr::differences(frr, &kernel));
    }
    report.differences.extend(setup::differences(facts, &kernel));
    if let Some(fabric) = &facts.fabric {
        match &fabric.premises {
            Some(premises) => {
                let (wanted, full) = wanted::wanted(facts, premises, fabric.hz)?;
                match full.is_empty() {
                    true => report.differences.extend(maps::differences(&wanted, fabric)),
                    // Which entries found room depends on what came first.
                    false => report.not_asked.extend(full),
                }
            }
            None => report.not_asked.push(format!(
                "the maps cannot be compared: fabric-xdpd has not said what it goes by (instance {})",
                fabric.instance
            )),
        }
    }
    report.differences.sort_unstable();
    Ok(report)
}
