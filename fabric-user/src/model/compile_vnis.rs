//! The VLANs whose frames travel through a vxlan device, with their VNIs.

use super::compile::Compiler;
use crate::observe::{Link, PortVlan, Vxlan};

/// Largest VNI; a tunnel ID has 32 bits.
const MAX_VNI: u32 = 0xff_ffff;

impl Compiler<'_> {
    /// Those that can be expressed, by VLAN; the others are named.
    pub(super) fn tunnel_vlans(&mut self, link: &Link, vxlan: &Vxlan) -> Vec<(u16, u32)> {
        let vlans = self.network.vlans(link.ifindex);
        match vxlan.external {
            true => self.mapped(link, vxlan, vlans),
            false => self.untagged(link, vxlan, vlans),
        }
    }

    /// A device of one VNI: its PVID. What has a tag keeps it inside the tunnel.
    fn untagged(&mut self, link: &Link, vxlan: &Vxlan, vlans: &[PortVlan]) -> Vec<(u16, u32)> {
        let name = &link.name;
        if vlans.iter().any(|vlan| vlan.tunnel.is_some()) {
            let text = format!(
                "vxlan device {name} has VLANs with tunnel IDs as a bridge port, but one VNI: not \
                 supported, left to the kernel (`bridge link set dev {name} vlan_tunnel off`)"
            );
            self.problem(Some(link.ifindex), text);
            return Vec::new();
        }
        let mut found = Vec::new();
        for vlan in vlans {
            if vlan.pvid && vlan.untagged {
                found.push((vlan.id, vxlan.vni));
            } else {
                let text = format!(
                    "vxlan device {name} carries VLAN {} with its tag: only its PVID, sent untagged, is \
                     supported, left to the kernel",
                    vlan.id
                );
                self.problem(Some(link.ifindex), text);
            }
        }
        found
    }

    /// A device that gets VNIs from the bridge: the VLANs with a tunnel ID. Frames of the others have none,
    /// and the kernel drops them (`vxlan_xmit`), which is nothing to name: a port's default VLAN is one of
    /// them nearly always.
    fn mapped(&mut self, link: &Link, vxlan: &Vxlan, vlans: &[PortVlan]) -> Vec<(u16, u32)> {
        let name = &link.name;
        if !link.port.is_some_and(|port| port.vlan_tunnel) {
            let text = format!(
                "vxlan device {name} is in external mode and gets no VNIs from the bridge, left to the \
                 kernel (`bridge link set dev {name} vlan_tunnel on`)"
            );
            self.problem(Some(link.ifindex), text);
            return Vec::new();
        }
        if vxlan.vni != 0 {
            let text = format!(
                "vxlan device {name} is in external mode with a VNI of its own, left to the kernel"
            );
            self.problem(Some(link.ifindex), text);
            return Vec::new();
        }
        let mut found = Vec::new();
        for vlan in vlans {
            let why = match vlan.tunnel {
                None => continue,
                Some(vni @ 1..=MAX_VNI) if !vlan.untagged => {
                    found.push((vlan.id, vni));
                    continue;
                }
                // The bridge takes the tag off first and finds no tunnel ID without (`br_handle_vlan`).
                Some(1..=MAX_VNI) => "is untagged there, so that its frames get no VNI",
                Some(_) => "has a tunnel ID there that is no VNI",
            };
            let text = format!(
                "vxlan device {name}: VLAN {} {why}, left to the kernel (`bridge vlan tunnelshow dev \
                 {name}`)",
                vlan.id
            );
            self.problem(Some(link.ifindex), text);
        }
        found
    }
}
