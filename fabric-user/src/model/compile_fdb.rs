//! Where each MAC is.
//!
//! The bridge's entry says where a MAC is. The vxlan device's own entry only says which VTEP, and
//! only if the bridge's entry points to the vxlan device: it stays behind when a MAC moves to a
//! local port, and alone it means nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CircuitKey, FdbKey, Network, Problem, SegmentKey, Station, Structure, Target, VtepKey,
};
use crate::{hashed::HashMap, observe::TunnelTarget};

/// Where every known MAC is.
#[must_use]
pub fn compile_fdb(network: &Network, structure: &Structure) -> HashMap<FdbKey, Target> {
    LeftMacs::default().compile_fdb(network, structure).into_iter().collect()
}

/// Why a MAC is left to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Usual: no domain, a port that does not forward, not a station.
    Nothing,
    NoVtep,
    Override,
    OddAddress,
}

fn place(
    network: &Network,
    structure: &Structure,
    key: FdbKey,
    entry: &Station,
) -> Result<Target, Why> {
    let domain = structure.domains.get(&key.domain).ok_or(Why::Nothing)?;
    if !key.mac.is_unicast() || entry.locked {
        return Err(Why::Nothing);
    }
    if entry.permanent {
        let gateway = structure.gateways.get(&key).copied();
        return Ok(gateway.map_or(Target::Own, Target::Gateway));
    }
    // The kernel passes it up, and floods it where the FDB does not know better; and it learns where else it is.
    if structure.hears(key) {
        return Err(Why::Nothing);
    }
    if domain.vni.is_none() || entry.port != domain.vxlan {
        let circuit = CircuitKey { bridge_port: entry.port, domain: key.domain };
        return match structure.circuits.contains_key(&circuit) {
            true => Ok(Target::Local(circuit)),
            false => Err(Why::Nothing),
        };
    }
    let target = network.tunnel_mac(domain.vxlan, domain.source_vni, key.mac).ok_or(Why::NoVtep)?;
    let (address, port, vni, via) = match *target {
        TunnelTarget::NexthopGroup(group) => {
            let segment = SegmentKey { local: domain.local, group };
            let known = structure.segments.contains_key(&segment);
            return if known { Ok(Target::Segment(segment)) } else { Err(Why::NoVtep) };
        }
        TunnelTarget::Vtep { address, port, vni, via } => (address, port, vni, via),
    };
    if port.is_some_and(|port| port != domain.udp_port)
        || vni.is_some_and(|vni| Some(vni) != domain.vni)
        // The VRF is where the device sends anyway.
        || via.is_some_and(|via| structure.vrfs.get(&domain.local) != Some(&via))
    {
        return Err(Why::Override);
    }
    let vtep = structure.vtep(VtepKey { local: domain.local, remote: address });
    match vtep.filter(|vtep| structure.vteps.contains_key(vtep)) {
        Some(vtep) => Ok(Target::Remote(vtep)),
        // Of the VTEP itself it is said why.
        None if domain.local.is_unspecified() && structure.sources.contains_key(&address) => {
            Err(Why::Nothing)
        }
        // A multicast group, our own address, or one of another family.
        None => Err(Why::OddAddress),
    }
}

/// MACs that are left to the kernel though a bridge knows them. Compiling through this keeps it up
/// to date, so that nobody has to walk all MACs to say which these are.
#[derive(Clone, Debug, Default)]
pub struct LeftMacs {
    reasons: HashMap<FdbKey, (u32, Why)>,
    macs: BTreeMap<(u32, Why), BTreeSet<FdbKey>>,
}

impl LeftMacs {
    /// Where every known MAC is. Costs one lookup for each.
    #[must_use]
    pub fn compile_fdb(
        &mut self,
        network: &Network,
        structure: &Structure,
    ) -> Vec<(FdbKey, Target)> {
        *self = Self::default();
        let entries = network.bridge_macs();
        let place = |(key, entry)| Some((key, self.place(network, structure, key, Some(entry))?));
        let routers = structure.routers.iter().map(|(key, vtep)| (*key, Target::Remote(*vtep)));
        entries.filter_map(place).chain(routers).collect()
    }

    /// Where one MAC is; `None` leaves it to the kernel. Costs one lookup.
    #[must_use]
    pub fn compile_mac(
        &mut self,
        network: &Network,
        structure: &Structure,
        key: FdbKey,
    ) -> Option<Target> {
        self.place(network, structure, key, network.bridge_mac(key))
    }

    fn place(
        &mut self,
        network: &Network,
        structure: &Structure,
        key: FdbKey,
        entry: Option<&Station>,
    ) -> Option<Target> {
        let place = entry.map(|entry| (entry, place(network, structure, key, entry)));
        let why = match place {
            Some((entry, Err(why))) if why != Why::Nothing => Some((entry.port, why)),
            _ => None,
        };
        self.note(key, why);
        place?.1.ok()
    }

    fn note(&mut self, key: FdbKey, reason: Option<(u32, Why)>) {
        // Nearly always there is nothing to say, neither before nor now.
        if reason.is_none() && self.reasons.is_empty() {
            return;
        }
        let before = match reason {
            Some(reason) => self.reasons.insert(key, reason),
            None => self.reasons.remove(&key),
        };
        if before == reason {
            return;
        }
        if let Some(before) = before
            && let Some(macs) = self.macs.get_mut(&before)
        {
            macs.remove(&key);
            if macs.is_empty() {
                self.macs.remove(&before);
            }
        }
        if let Some(reason) = reason {
            self.macs.entry(reason).or_default().insert(key);
        }
    }

    /// One problem per reason and device, with a count.
    #[must_use]
    pub fn problems(&self, network: &Network) -> Vec<Problem> {
        let sentence = |((ifindex, why), macs): (&(u32, Why), &BTreeSet<FdbKey>)| {
            let what = match why {
                Why::NoVtep => "the vxlan device knows no VTEP for",
                Why::Override => "an own VNI, UDP port or interface is not supported for",
                Why::OddAddress => "the VTEP's address is no remote station's for",
                Why::Nothing => "unknown",
            };
            let (name, count, example) = (network.name(*ifindex), macs.len(), macs.first()?.mac);
            let text = format!(
                "{name}: {what} {count} MAC addresses, for example {example}, left to the kernel"
            );
            Some(Problem { ifindex: Some(*ifindex), text })
        };
        self.macs.iter().filter_map(sentence).collect()
    }
}
