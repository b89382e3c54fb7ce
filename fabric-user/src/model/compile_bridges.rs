//! Bridges with a vxlan member, and those that route together with them: their domains, access ports and attachment
//! circuits.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::schema::circuits::NOT_A_TARGET;

use super::{
    Circuit, CircuitKey, DomainKey, Inside, Port, Role, compile::Compiler, compile_tunnels::Tunnel,
};
use crate::observe::{Bridge, Classifiers, Link, LinkKind, PortState, Vxlan};

/// EtherType of IEEE 802.1Q tags, the only ones Fabric reads and writes.
pub(super) const DOT1Q: u16 = 0x8100;

/// Where a bridge port's frames are on the wire.
#[derive(Clone, Copy)]
struct Attachment {
    /// Interface index of the device.
    device: u32,
    /// VLAN ID that the bridge port itself puts around its frames, 0 for none.
    vlan: u16,
    /// Device and bridge port are up, and the spanning tree lets frames through.
    forwards: bool,
}

impl Link {
    /// Up, with a carrier.
    pub(super) fn alive(&self) -> bool {
        self.up && self.carrier
    }

    /// An alive bridge port in the only state in which the bridge forwards.
    pub(super) fn forwards(&self) -> bool {
        self.alive() && self.port.is_some_and(|port| port.state == PortState::Forwarding)
    }
}

impl<'a> Compiler<'a> {
    pub(super) fn bridges(&mut self) {
        let network = self.network;
        let mut members: BTreeMap<u32, Vec<&'a Link>> = BTreeMap::new();
        // The kernel hands frames with these tags to the VLAN device and not to a bridge.
        let mut vlan_devices = BTreeSet::new();
        for link in network.links() {
            if let (Some(bridge), true) = (link.master, link.port.is_some()) {
                members.entry(bridge).or_default().push(link);
            }
            if let (LinkKind::Vlan(vlan), Some(lower)) = (&link.kind, link.lower)
                && vlan.protocol == DOT1Q
                && !link.lower_elsewhere
            {
                vlan_devices.insert((lower, vlan.id));
            }
        }
        let mut without_tunnels = Vec::new();
        for (bridge, members) in members {
            let Some(bridge) = network.link(bridge) else {
                continue;
            };
            let LinkKind::Bridge(options) = &bridge.kind else {
                continue;
            };
            let gateways = self.gateways_of(bridge, options);
            if members.iter().any(|link| matches!(link.kind, LinkKind::Vxlan(_))) {
                self.bridge(bridge, options, &members, &vlan_devices);
                self.note_gateways(gateways);
            } else {
                without_tunnels.push((bridge, options, members, gateways));
            }
        }
        if without_tunnels.is_empty() {
            return;
        }
        let ways_out = self.ways_out();
        for (bridge, options, members, gateways) in without_tunnels {
            if self.routes_along(&gateways, &ways_out) {
                self.bridge(bridge, options, &members, &vlan_devices);
                self.note_gateways(gateways);
            }
        }
    }

    fn bridge(
        &mut self,
        bridge: &'a Link,
        options: &'a Bridge,
        members: &[&'a Link],
        vlan_devices: &BTreeSet<(u32, u16)>,
    ) {
        let tunnels: Vec<(&Link, &Vxlan)> = members
            .iter()
            .filter_map(|link| match &link.kind {
                LinkKind::Vxlan(vxlan) => Some((*link, vxlan)),
                _ => None,
            })
            .collect();
        let ports: Vec<(&Link, Attachment)> = members
            .iter()
            .filter(|link| !matches!(link.kind, LinkKind::Vxlan(_)))
            .filter_map(|link| Some((*link, self.attach(link, !tunnels.is_empty())?)))
            .collect();
        if !bridge.up {
            self.problem(
                Some(bridge.ifindex),
                format!("bridge {0} is down (`ip link set {0} up`)", bridge.name),
            );
        } else if !self.listens(bridge, options) {
            self.problem(
                Some(bridge.ifindex),
                format!(
                    "bridge {0} is promiscuous, because a program or a device on top of it wants \
                     to see all frames (`ip -d link show {0}`), which cannot be copied: left to \
                     the kernel",
                    bridge.name
                ),
            );
        } else if let Some(seen) = self.sees_bridged(options) {
            self.filtered.push((&bridge.name, seen));
        } else if !options.vlan_filtering {
            self.plain(bridge, options, &tunnels, &ports);
        } else if options.mst {
            self.problem(
                Some(bridge.ifindex),
                format!(
                    "bridge {0} has the states of MSTP (`mst_enabled`), of whose changes the \
                     kernel tells nobody: left to the kernel (`ip link set {0} type bridge \
                     mst_enabled 0`)",
                    bridge.name
                ),
            );
        } else if options.vlan_protocol == DOT1Q {
            self.vlan_aware(bridge, options, &tunnels, &ports, vlan_devices);
        } else {
            self.problem(
                Some(bridge.ifindex),
                format!(
                    "bridge {} is a provider bridge (vlan_protocol 802.1ad): not supported, \
                     left to the kernel",
                    bridge.name
                ),
            );
        }
    }

    /// Finds the device of a bridge port and makes it an access port. A port of a bridge without a tunnel is none if that
    /// were the only reason why the device beneath could not route any more.
    fn attach(&mut self, member: &Link, has_tunnel: bool) -> Option<Attachment> {
        let (device, vlan) = match self.device(member) {
            Ok(found) => found,
            Err(reason) => {
                self.out.declined.insert(member.ifindex, reason);
                return None;
            }
        };
        if let Some((reason, of_device)) = self.why_no_port(member, device) {
            if of_device {
                self.out.declined.insert(device.ifindex, reason.clone());
            }
            self.out.declined.insert(member.ifindex, reason);
            return None;
        }
        let may_route = vlan != 0 && device.port.is_none();
        if may_route && !has_tunnel && !self.out.ports.contains_key(&device.ifindex) {
            let text = format!(
                "port {} is a VLAN of {}, which may route because it is no port of a bridge and carries no bridge with a \
                 tunnel: left to the kernel",
                member.name, device.name
            );
            self.out.declined.insert(member.ifindex, text);
            return None;
        }
        let is_target = self.is_target(device);
        self.out.ports.entry(device.ifindex).or_insert_with(|| Port {
            name: device.name.clone(),
            role: Role::Access,
            mtu: device.mtu,
            mac: device.mac.unwrap_or_default(),
            is_target,
            ..Port::default()
        });
        let forwards = member.forwards() && device.alive();
        Some(Attachment { device: device.ifindex, vlan, forwards })
    }

    /// Why a bridge port is the kernel's, and whether all of its device is.
    fn why_no_port(&self, member: &Link, device: &Link) -> Option<(String, bool)> {
        if let Some(reason) = self.policy.why_not(device.ifindex, &device.name) {
            return Some((reason, true));
        }
        if let Some(reason) = self.policy.why_not_part(member.ifindex, &member.name) {
            return Some((reason, false));
        }
        if member.ifindex != device.ifindex
            && self.network.classifiers(member.ifindex) != Classifiers::default()
        {
            let reason = format!(
                "port {0} has filters of `tc` (`tc filter show dev {0} ingress`, and `egress`), left to \
                 the kernel",
                member.name
            );
            return Some((reason, false));
        }
        let hooked = self.hooked(member).or_else(|| self.hooked(device));
        let why = match hooked {
            Some(why) => format!(": {why}"),
            None => format!(" {}", self.why_not_source(device)?),
        };
        Some((format!("port {}{why}, left to the kernel", device.name), true))
    }

    fn device(&self, member: &'a Link) -> Result<(&'a Link, u16), String> {
        let name = &member.name;
        if member.port.is_some_and(|port| port.vlan_tunnel) {
            return Err(format!(
                "port {name} maps VLANs to tunnel IDs (`vlan_tunnel`), which is not supported, left to \
                 the kernel"
            ));
        }
        let LinkKind::Vlan(vlan) = &member.kind else {
            return Ok((member, 0));
        };
        if vlan.protocol != DOT1Q {
            return Err(format!(
                "port {name} is an 802.1ad VLAN device: only 802.1Q is supported, left to the kernel"
            ));
        }
        // The kernel gives it what has a tag with this number, which is a priority elsewhere, and sends
        // with one.
        if vlan.id == 0 {
            return Err(format!(
                "port {name} is a device of VLAN 0: not supported, left to the kernel"
            ));
        }
        if vlan.maps_priorities {
            return Err(format!(
                "port {name} maps priorities into its tags (`egress-qos-map`), which is not supported, \
                 left to the kernel"
            ));
        }
        let lower = member
            .lower
            .filter(|_| !member.lower_elsewhere)
            .and_then(|lower| self.network.link(lower))
            .ok_or_else(|| {
                format!(
                    "port {name} is a VLAN of an interface in another network namespace: left to \
                     the kernel"
                )
            })?;
        match lower.kind {
            LinkKind::Vlan(_) => Err(format!(
                "port {name} is a VLAN inside the VLAN device {}: double tags are not supported, \
                 left to the kernel",
                lower.name
            )),
            LinkKind::Bridge(_) | LinkKind::Vxlan(_) | LinkKind::Vrf { .. } => Err(format!(
                "port {name} is a VLAN of {}, which is no port: left to the kernel",
                lower.name
            )),
            LinkKind::Device | LinkKind::Other(_) => Ok((lower, vlan.id)),
        }
    }

    /// A bridge without VLAN filtering is one domain.
    fn plain(
        &mut self,
        bridge: &Link,
        options: &Bridge,
        tunnels: &[(&Link, &Vxlan)],
        ports: &[(&Link, Attachment)],
    ) {
        let key = DomainKey { bridge: bridge.ifindex, vlan: 0 };
        let tunnel = match tunnels {
            [] => None,
            [(link, vxlan)] if vxlan.external => {
                self.problem(
                    Some(link.ifindex),
                    format!(
                        "bridge {0}: vxlan device {1} is in external mode and gets no VNI from a bridge \
                         without VLANs, left to the kernel (`ip link set {0} type bridge \
                         vlan_filtering 1`)",
                        bridge.name, link.name
                    ),
                );
                None
            }
            [(link, vxlan)] => {
                Some(Tunnel { link, vxlan, vni: vxlan.vni, inside: Inside::default() })
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(link, _)| link.name.as_str()).collect();
                self.problem(
                    Some(bridge.ifindex),
                    format!(
                        "bridge {} has several vxlan devices ({}): frames to and from them are left \
                         to the kernel",
                        bridge.name,
                        names.join(", ")
                    ),
                );
                None
            }
        };
        self.domain(key, bridge, options, tunnel);
        for (member, attachment) in ports {
            self.circuit(member, *attachment, key, attachment.vlan);
        }
    }

    /// Each VLAN of a bridge with VLAN filtering is a domain.
    fn vlan_aware(
        &mut self,
        bridge: &Link,
        options: &Bridge,
        tunnels: &[(&Link, &Vxlan)],
        ports: &[(&Link, Attachment)],
        vlan_devices: &BTreeSet<(u32, u16)>,
    ) {
        let mut tunnel_of: BTreeMap<u16, Option<Tunnel<'_>>> = BTreeMap::new();
        for (link, vxlan) in tunnels {
            for (vlan, vni, inside) in self.tunnel_vlans(link, vxlan, vlan_devices) {
                let tunnel = Tunnel { link, vxlan, vni, inside };
                let first = tunnel_of.insert(vlan, Some(tunnel)).flatten();
                if let Some(other) = first {
                    tunnel_of.insert(vlan, None);
                    self.problem(
                        Some(bridge.ifindex),
                        format!(
                            "bridge {}: VLAN {vlan} has several vxlan devices ({}, {}): frames to and \
                             from them are left to the kernel",
                            bridge.name, other.link.name, link.name
                        ),
                    );
                }
            }
        }
        for (vlan, tunnel) in &tunnel_of {
            let key = DomainKey { bridge: bridge.ifindex, vlan: *vlan };
            self.domain(key, bridge, options, *tunnel);
        }
        for (member, attachment) in ports {
            for vlan in self.network.vlans(member.ifindex) {
                let name = &member.name;
                let on_wire = match (vlan.pvid, vlan.untagged, attachment.vlan) {
                    (true, true, outer) => outer,
                    (false, false, 0) => vlan.id,
                    (false, false, _) => {
                        let text = format!(
                            "port {name} carries VLAN {} inside its own tag: double tags are not \
                             supported, left to the kernel",
                            vlan.id
                        );
                        self.problem(Some(member.ifindex), text);
                        continue;
                    }
                    (pvid, _, _) => {
                        let text = format!(
                            "port {name} uses VLAN {} {}: not supported, left to the kernel",
                            vlan.id,
                            match pvid {
                                true => "for untagged frames but sends it tagged",
                                false => "untagged without its being the PVID",
                            }
                        );
                        self.problem(Some(member.ifindex), text);
                        continue;
                    }
                };
                if on_wire != 0
                    && attachment.vlan == 0
                    && vlan_devices.contains(&(attachment.device, on_wire))
                {
                    let text = format!(
                        "port {name}: a VLAN device takes the frames of VLAN {on_wire} before the \
                         bridge {} sees them",
                        bridge.name
                    );
                    self.problem(Some(member.ifindex), text);
                    continue;
                }
                if !self.network.vlan_forwards(member.ifindex, vlan.id) {
                    continue;
                }
                let key = DomainKey { bridge: bridge.ifindex, vlan: vlan.id };
                if !self.out.domains.contains_key(&key) {
                    self.domain(key, bridge, options, None);
                }
                self.circuit(member, *attachment, key, on_wire);
            }
        }
    }

    fn circuit(&mut self, member: &Link, attachment: Attachment, domain: DomainKey, on_wire: u16) {
        if !attachment.forwards {
            return;
        }
        let key = CircuitKey { bridge_port: member.ifindex, domain };
        let Some(port) = self.out.ports.get_mut(&attachment.device) else {
            return;
        };
        match on_wire {
            0 => port.untagged = Some(key),
            vlan => {
                port.tagged.insert(vlan, key);
            }
        }
        let options = member.port.unwrap_or_default();
        let circuit = Circuit {
            port: attachment.device,
            vlan: on_wire,
            isolated: options.isolated,
            hairpin: options.hairpin,
            suppresses: self.network.suppresses(member, domain.vlan),
            max_frame: if port.is_target { member.mtu + 14 } else { NOT_A_TARGET },
        };
        self.out.circuits.insert(key, circuit);
    }
}
