//! What cannot work, whoever agrees with whom.

mod offloads;
mod suppression;
#[cfg(test)]
mod tests;
mod tunnels;
mod underlay;

use super::{
    difference::{Difference, Kind, Side},
    kernel::{Kernel, Tunnel},
};
use crate::{facts::Facts, observe::LinkKind};

/// Settings that lose packets or make entries lie.
pub(super) fn differences(facts: &Facts, kernel: &Kernel<'_>) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    // Without any VNI FRR announces nothing of what is in them.
    let frr = facts.frr.as_ref().filter(|frr| !frr.vnis.is_empty());
    tunnels::look(kernel, frr, &mut found);
    if let Some(frr) = frr {
        suppression::look(frr, kernel, &mut found);
    }
    underlay::look(kernel, &mut found);
    if let Some(fabric) = &facts.fabric {
        offloads::look(&fabric.held, &facts.offloads, kernel, &mut found);
    }
    let mut found = found.0;
    found.sort_unstable();
    found.dedup();
    found
}

/// Collects what is found.
struct Found(Vec<Difference>);

impl Found {
    fn add(
        &mut self,
        what: impl Into<String>,
        says: impl Into<String>,
        likely: &str,
        next: impl Into<String>,
    ) {
        self.0.push(Difference {
            kind: Kind::Setup,
            what: what.into(),
            differs: Side::Kernel,
            frr: None,
            kernel: Some(says.into()),
            maps: None,
            likely: likely.into(),
            next: next.into(),
        });
    }
}

/// A tunnel as people look for it: by its VNI, or by the device that carries many.
fn of(vni: u32, tunnel: &Tunnel<'_>) -> String {
    match &tunnel.vxlan.kind {
        LinkKind::Vxlan(device) if device.external => format!("of {}", tunnel.vxlan.name),
        _ => format!("of VNI {vni}"),
    }
}
