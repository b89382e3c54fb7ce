//! Where each MAC is.
//!
//! The bridge's entry says where a MAC is. The vxlan device's own entry only says which VTEP, and
//! only if the bridge's entry points to the vxlan device: it stays behind when a MAC moves to a
//! local port, and alone it means nothing.

use std::collections::{BTreeMap, HashMap};

use super::{CircuitKey, FdbKey, Network, Problem, Structure, Target, VtepKey};
use crate::observe::TunnelTarget;

/// Where every known MAC is.
#[must_use]
pub fn compile_fdb(network: &Network, structure: &Structure) -> HashMap<FdbKey, Target> {
    let entry = |key| Some((key, compile_mac(network, structure, key)?));
    network.bridge_macs().filter_map(entry).collect()
}

/// Where one MAC is; `None` leaves it to the kernel.
#[must_use]
pub fn compile_mac(network: &Network, structure: &Structure, key: FdbKey) -> Option<Target> {
    place(network, structure, key).ok()
}

/// Why a MAC is left to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Usual: not known to the bridge, no domain, a port that does not forward, not a station.
    Nothing,
    NoVtep,
    NexthopGroup,
    Override,
    OddAddress,
}

fn place(network: &Network, structure: &Structure, key: FdbKey) -> Result<Target, Why> {
    let domain = structure.domains.get(&key.domain).ok_or(Why::Nothing)?;
    let entry = network.bridge_mac(key).ok_or(Why::Nothing)?;
    if !key.mac.is_unicast() || entry.locked {
        return Err(Why::Nothing);
    }
    if entry.permanent {
        return Ok(Target::Own);
    }
    if domain.vni.is_none() || entry.port != domain.vxlan {
        let circuit = CircuitKey { bridge_port: entry.port, domain: key.domain };
        return match structure.circuits.contains_key(&circuit) {
            true => Ok(Target::Local(circuit)),
            false => Err(Why::Nothing),
        };
    }
    let target = network.tunnel_mac(domain.vxlan, key.mac).ok_or(Why::NoVtep)?;
    let (address, port, vni, via) = match *target {
        TunnelTarget::NexthopGroup(_) => return Err(Why::NexthopGroup),
        TunnelTarget::Vtep { address, port, vni, via } => (address, port, vni, via),
    };
    if port.is_some_and(|port| port != domain.udp_port)
        || vni.is_some_and(|vni| Some(vni) != domain.vni)
        || via.is_some()
    {
        return Err(Why::Override);
    }
    let vtep = VtepKey { local: domain.local, remote: address };
    // Missing for a multicast group, for our own address and for one of another family.
    match structure.vteps.contains_key(&vtep) {
        true => Ok(Target::Remote(vtep)),
        false => Err(Why::OddAddress),
    }
}

/// MACs that are left to the kernel though a bridge knows them: one problem per reason and device,
/// with a count. Costs one lookup per MAC, so it is not part of [`Structure::problems`].
#[must_use]
pub fn fdb_problems(network: &Network, structure: &Structure) -> Vec<Problem> {
    let mut found: BTreeMap<(u32, Why), (usize, FdbKey)> = BTreeMap::new();
    for key in network.bridge_macs() {
        let Err(why) = place(network, structure, key) else {
            continue;
        };
        let Some(entry) = network.bridge_mac(key).filter(|_| why != Why::Nothing) else {
            continue;
        };
        let (count, example) = found.entry((entry.port, why)).or_insert((0, key));
        *count += 1;
        *example = key.min(*example);
    }
    let sentence = |((ifindex, why), (count, example)): ((u32, Why), (usize, FdbKey))| {
        let what = match why {
            Why::NoVtep => "the vxlan device knows no VTEP for",
            Why::NexthopGroup => "an Ethernet segment (nexthop group) is not supported for",
            Why::Override => "an own VNI, UDP port or interface is not supported for",
            Why::OddAddress => "the VTEP's address is no remote station's for",
            Why::Nothing => "unknown",
        };
        let name = network.name(ifindex);
        let text = format!(
            "{name}: {what} {count} MAC addresses, for example {}, left to the kernel",
            example.mac
        );
        Problem { ifindex: Some(ifindex), text }
    };
    found.into_iter().map(sentence).collect()
}
