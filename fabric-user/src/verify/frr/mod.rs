//! FRR's tables and the kernel's: what zebra says that it has written, and what is there.

mod floods;
mod leftovers;
mod macs;
mod neighbours;
mod networks;
mod routers;
mod routes;
#[cfg(test)]
pub(super) mod tests;

use super::{
    difference::{Difference, Kind, Side},
    kernel::Kernel,
};
use crate::frr::facts::Frr;

/// Every entry that one of them has and the other has not, or has elsewhere.
pub(super) fn differences(frr: &Frr, kernel: &Kernel<'_>) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    networks::compare(frr, kernel, &mut found);
    macs::compare(frr, kernel, &mut found);
    floods::compare(frr, kernel, &mut found);
    neighbours::compare(frr, kernel, &mut found);
    routers::compare(frr, kernel, &mut found);
    routes::compare(frr, kernel, &mut found);
    leftovers::compare(frr, kernel, &mut found);
    found.0
}

/// Collects what differs.
struct Found(Vec<Difference>);

/// What both say of one thing.
struct Said {
    frr: String,
    kernel: String,
}

impl Said {
    fn new(frr: impl ToString, kernel: impl ToString) -> Self {
        Self { frr: frr.to_string(), kernel: kernel.to_string() }
    }
}

impl Found {
    fn add(
        &mut self,
        kind: Kind,
        what: impl Into<String>,
        differs: Side,
        said: Said,
        likely: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.0.push(Difference {
            kind,
            what: what.into(),
            differs,
            frr: Some(said.frr),
            kernel: Some(said.kernel),
            maps: None,
            likely: likely.into(),
            next: next.into(),
        });
    }
}
