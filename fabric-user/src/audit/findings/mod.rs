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
use context::Context;
pub use finding::{Finding, Kind};

/// Compares. Sorted by kind and identifier.
#[must_use]
pub fn compare(netbox: &Records, fabric: &Fabric) -> Vec<Finding> {
    let context = Context::of(netbox, fabric);
    let mut found = Vec::new();
    duplicate::find(&context, &mut found);
    vrf::find(&context, &mut found);
    without_gateway::find(&context, &mut found);
    gateway_outside::find(&context, &mut found);
    not_active::find(&context, &mut found);
    in_use::find(&context, &mut found);
    hosts::find(&context, &mut found);
    let known = vni::find(&context, &mut found);
    l2vpn::find(&context, &known, &mut found);
    found.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    found
}
