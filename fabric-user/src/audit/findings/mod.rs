//! What NetBox and the fabric say otherwise: one kind of finding a file.
//!
//! One fault is one finding: what follows from another finding is not told again. Only what the audited boxes can know
//! is told: of sites without such a box nothing is missed.

mod context;
mod duplicate;
mod finding;
mod gateway_outside;
mod hosts;
mod in_use;
mod index;
mod l2vpn;
mod not_active;
mod stretched;
#[cfg(test)]
mod tests;
mod vni;
mod vrf;
mod without_gateway;
mod words;

use super::{fabric::Fabric, model::Records};
use context::{Context, Sight};
pub use finding::{Finding, Kind};
pub(super) use words::list;

/// What a comparison comes to, sorted by kind and identifier.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What NetBox and the fabric say otherwise.
    pub findings: Vec<Finding>,
    /// What is missing on the audited boxes, and may lie where none of them is: NetBox does not say where.
    pub unplaced: Vec<Finding>,
}

impl Found {
    fn tell(&mut self, sight: Sight, finding: Finding) {
        match sight {
            Sight::In => self.findings.push(finding),
            Sight::Unknown => self.unplaced.push(finding),
            Sight::Out => {}
        }
    }
}

/// Compares.
#[must_use]
pub fn compare(netbox: &Records, fabric: &Fabric) -> Found {
    let context = Context::of(netbox, fabric);
    let mut found = Found::default();
    vrf::find(&context, &mut found);
    without_gateway::find(&context, &mut found);
    let known = vni::find(&context, &mut found.findings);
    l2vpn::find(&context, &known, &mut found);
    for find in
        [duplicate::find, gateway_outside::find, not_active::find, in_use::find, hosts::find]
    {
        find(&context, &mut found.findings);
    }
    for found in [&mut found.findings, &mut found.unplaced] {
        found.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    }
    found
}
