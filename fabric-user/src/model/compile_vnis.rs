//! The VLANs whose frames travel through a vxlan device, with their VNIs.

use std::collections::BTreeSet;

use super::{Inside, compile::Compiler};
use crate::observe::{Link, PortVlan, Vxlan};

/// Largest VNI; a tunnel ID has 32 bits.
const MAX_VNI: u32 = 0xff_ffff;

impl Compiler<'_> {
    /// Those that can be expressed, by VLAN; the others are named. `vlan_devices` has interfaces with the VLANs that a
    /// device on top of them takes.
    pub(super) fn tunnel_vlans(
        &mut self,
        link: &Link,
        vxlan: &Vxlan,
        vlan_devices: &BTreeSet<(u32, u16)>,
    ) -> Vec<(u16, u32, Inside)> {
        let vlans = self.network.vlans(link.ifindex);
        match vxlan.external {
            true => self.mapped(link, vxlan, vlans),
            false => self.of_one_vni(link, vxlan, vlans, vlan_devices),
        }
    }

    /// A device of one VNI: its PVID without a tag, the others with theirs inside the tunnel.
    fn of_one_vni(
        &mut self,
        link: &Link,
        vxlan: &Vxlan,
        vlans: &[PortVlan],
        vlan_devices: &BTreeSet<(u32, u16)>,
    ) -> Vec<(u16, u32, Inside)> {
        let name = &link.name;
        if vlans.iter().any(|vlan| vlan.tunnel.is_some()) {
            let text = format!(
                "vxlan device {name} has VLANs with tunnel IDs as a bridge port, but one VNI: not \
                 supported, left to the kernel (`bridge link set dev {name} vlan_tunnel off`)"
            );
            self.problem(Some(link.ifindex), text);
            return Vec::new();
        }
        // The kernel hands what arrives with such a tag to the VLAN device and not to the bridge.
        let taken = |vlan: u16| vlan_devices.contains(&(link.ifindex, vlan));
        let has_tags = vlans.iter().any(|vlan| !vlan.untagged);
        let mut found = Vec::new();
        for PortVlan { id, pvid, untagged, .. } in vlans {
            let inside = match (pvid, untagged) {
                (true, true) if !has_tags || taken(*id) || taken(0) => Ok(Inside::Untagged),
                (false, true) => Err("untagged without its being the PVID".into()),
                (true, _) if !taken(*id) && !taken(0) => {
                    Ok(Inside::Pvid { sent_tagged: !untagged })
                }
                (false, false) if !taken(*id) => Ok(Inside::Tagged),
                _ => {
                    Err(format!("of which a VLAN device takes what arrives (VLAN {id} on {name})"))
                }
            };
            match inside {
                Ok(inside) => found.push((*id, vxlan.vni, inside)),
                Err(why) => {
                    let text = format!(
                        "vxlan device {name} carries VLAN {id} {why}: not supported, left to the kernel"
                    );
                    self.problem(Some(link.ifindex), text);
                }
            }
        }
        found
    }

    /// A device that gets VNIs from the bridge: the VLANs with a tunnel ID. Frames of the others have none,
    /// and the kernel drops them (`vxlan_xmit`), which is nothing to name: a port's default VLAN is one of
    /// them nearly always.
    fn mapped(
        &mut self,
        link: &Link,
        vxlan: &Vxlan,
        vlans: &[PortVlan],
    ) -> Vec<(u16, u32, Inside)> {
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
                    found.push((vlan.id, vni, Inside::Untagged));
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
