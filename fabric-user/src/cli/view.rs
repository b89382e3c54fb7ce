//! Names for what the maps hold as indexes.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use fabric_common::{
    bfd::Watch,
    schema::{
        buckets::CHUNK,
        domains::Domain,
        groups::Choice,
        nexthops::{FLAG_DOWN, Nexthop},
        ports::{self, Port, ROLE_GATEWAY, is_tunnel},
        vteps::Vtep,
    },
};

use super::{contents::Contents, interfaces::Interfaces, row::Said};
use crate::kernel::clock;

/// The contents of the maps with the interfaces and the time that they refer to.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) contents: Contents,
    pub(crate) interfaces: Interfaces,
    /// Kernel time in jiffies, if it is known.
    pub(crate) now: Option<u64>,
}

impl View {
    pub(crate) fn new(contents: Contents, interfaces: Interfaces) -> Self {
        let now = clock::jiffies(contents.settings.hz);
        Self { contents, interfaces, now }
    }

    /// A port by its slot.
    pub(crate) fn port(&self, slot: u32) -> String {
        match self.contents.ports.get(&slot) {
            Some(port) if is_tunnel(port.ifindex) => {
                let domain = port.untagged_domain.into();
                let vni = self.vni(domain).unwrap_or_default();
                format!("{} VNI {vni}", self.interfaces.name(self.vxlan(domain)))
            }
            Some(port) => self.interfaces.name(port.ifindex),
            None => format!("slot {slot}"),
        }
    }

    /// The slot of a port by its name, if it has an interface.
    pub(crate) fn slot(&self, name: &str) -> Option<u32> {
        let ports = self.contents.ports.iter().filter(|(_, port)| !is_tunnel(port.ifindex));
        ports.map(|(slot, _)| *slot).find(|slot| self.port(*slot) == name)
    }

    /// The slots of the ports that route by a view.
    pub(crate) fn ports_of(&self, view: u16) -> Vec<u32> {
        let ports = self.contents.ports.iter();
        let of_view = ports.filter(|(_, port)| ports::view(port.mac_and_view) == view);
        of_view.map(|(slot, _)| *slot).collect()
    }

    /// The gateways by their slots.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = (u32, &Port)> {
        let ports = self.contents.ports.iter().map(|(slot, port)| (*slot, port));
        ports.filter(|(_, port)| port.role == ROLE_GATEWAY)
    }

    /// The VRF that a port is in; nothing for the default one.
    pub(crate) fn vrf(&self, slot: u32) -> Option<String> {
        self.interfaces.vrf(self.contents.ports.get(&slot)?.ifindex)
    }

    /// The VRF in which hosts of a domain are routed; nothing for the default one.
    pub(crate) fn vrf_of_domain(&self, domain: u32) -> Option<String> {
        let mut gateways = self.gateways();
        let gateway = gateways.find(|(_, gateway)| u32::from(gateway.untagged_domain) == domain);
        self.vrf(gateway?.0)
    }

    /// A bridge by the index of its domain.
    pub(crate) fn bridge(&self, domain: u32) -> Option<String> {
        self.contents.domains.get(&domain).map(|d| self.bridge_name(domain, d))
    }

    /// The name of a domain: the bridge, and the VLAN if it is VLAN-aware; of a tunnel of next hops, the vxlan device.
    pub(crate) fn bridge_name(&self, index: u32, domain: &Domain) -> String {
        if is_tunnel(domain.bridge) {
            return self.interfaces.name(self.vxlan(index));
        }
        let bridge = self.interfaces.name(domain.bridge);
        match domain.vlan {
            0 => bridge,
            vlan => format!("{bridge}.{vlan}"),
        }
    }

    /// A VNI by the index of its domain.
    pub(crate) fn vni(&self, domain: u32) -> Option<u32> {
        self.contents.domains.get(&domain).map(|d| d.vni).filter(|vni| *vni != 0)
    }

    /// The address of a VTEP.
    pub(crate) fn vtep(&self, index: u32) -> Option<IpAddr> {
        self.contents.vteps.get(&index).map(Vtep::remote)
    }

    /// The addresses of a segment's VTEPs.
    pub(crate) fn segment(&self, index: u32) -> Vec<IpAddr> {
        let entry = self.contents.segments.get(&index).into_iter();
        entry
            .flat_map(|entry| entry.group.shares.keys())
            .filter_map(|vtep| self.vtep(*vtep))
            .collect()
    }

    /// The local VTEP address of a domain, if it is stretched and has one for all VTEPs.
    pub(crate) fn local(&self, domain: u32) -> Option<IpAddr> {
        let entry = self.contents.domains.get(&domain).filter(|entry| entry.vni != 0)?;
        let beside = self.contents.domains6.get(&domain).copied().unwrap_or_default();
        Some(beside.local(entry)).filter(|local| !local.is_unspecified())
    }

    /// Interface index of a domain's vxlan device, 0 for none.
    pub(crate) fn vxlan(&self, domain: u32) -> u32 {
        self.contents.domains6.get(&domain).map_or(0, |beside| beside.vxlan)
    }

    /// The ports of a group's next hops, and why nothing is sent to each at this moment.
    pub(crate) fn group_members(&self, group: u32) -> Vec<(String, Vec<&'static str>)> {
        let group = self.contents.groups.get(&group);
        group
            .into_iter()
            .flat_map(|group| group.shares.keys())
            .filter_map(|nexthop| self.contents.nexthops.get(nexthop))
            .map(|nexthop| (self.port(nexthop.port.into()), self.death(nexthop)))
            .collect()
    }

    /// The ports of a group's next hops that live; if none does, people read why.
    pub(in crate::cli) fn via(&self, group: u32) -> Said<Vec<String>> {
        let members = self.group_members(group);
        let alive = members.iter().filter(|(_, death)| death.is_empty());
        let alive: BTreeSet<&String> = alive.map(|(port, _)| port).collect();
        if alive.is_empty() {
            let dead = members.iter().map(|(port, death)| format!("{port}: {}", death.join(", ")));
            let dead: Vec<String> = dead.collect::<BTreeSet<_>>().into_iter().collect();
            let why =
                if dead.is_empty() { String::new() } else { format!(" ({})", dead.join("; ")) };
            return Said::new(format!("not reachable{why}"), Vec::new());
        }
        let alive: Vec<String> = alive.into_iter().cloned().collect();
        Said::new(alive.join(", "), alive)
    }

    /// Chunks of buckets of all groups.
    pub(crate) fn chunks(&self) -> usize {
        let segments = self.contents.segments.values().map(|entry| &entry.group);
        let chunks =
            self.contents.groups.values().chain(segments).map(|group| match group.choice {
                Choice::Spread { count, .. } => count.div_ceil(CHUNK) as usize,
                _ => 0,
            });
        chunks.sum()
    }

    /// Why nothing is sent to a next hop at this moment; nothing for one that lives.
    pub(crate) fn death(&self, nexthop: &Nexthop) -> Vec<&'static str> {
        let port = self.contents.ports.get(&nexthop.port.into());
        let neighbour = nexthop.flags & FLAG_DOWN != 0;
        let down = port.is_none_or(|port| port.down != 0);
        let silent = port.is_some_and(|port| self.is_silent(port));
        let dead = [(neighbour, "neighbour"), (down, "port"), (silent, "BFD")];
        dead.into_iter().filter_map(|(dead, what)| dead.then_some(what)).collect()
    }

    /// Whether the neighbour behind a port has stopped to send BFD packets.
    fn is_silent(&self, port: &Port) -> bool {
        let hz = self.contents.settings.hz;
        self.now.is_some_and(|now| Watch(port.bfd).is_silent(now, hz))
    }

    /// How long the MAC of an FDB entry has not been shown to the kernel.
    pub(crate) fn since(&self, shown: u32) -> Option<Duration> {
        clock::since(shown, self.now, self.contents.settings.hz)
    }

    /// Time until the heartbeat's deadline: `Err` with the time since if it has passed, `None` if
    /// there never was a heartbeat or the time is not known.
    pub(crate) fn heartbeat(&self) -> Option<Result<Duration, Duration>> {
        let settings = &self.contents.settings;
        let (deadline, now) = (settings.deadline, self.now?);
        (deadline != 0).then_some(())?;
        Some(if deadline >= now {
            Ok(clock::time(deadline - now, settings.hz))
        } else {
            Err(clock::time(now - deadline, settings.hz))
        })
    }

    /// The same in milliseconds, negative if it has passed.
    pub(crate) fn heartbeat_ms(&self) -> Option<i64> {
        self.heartbeat().map(|beat| match beat {
            Ok(left) => left.as_millis() as i64,
            Err(over) => -(over.as_millis() as i64),
        })
    }

    /// Why the programs hand everything to the kernel, if they do.
    pub(crate) fn idle(&self) -> Option<&'static str> {
        match self.heartbeat() {
            _ if self.contents.settings.bypass != 0 => Some("bypass is on"),
            None => Some("there is no heartbeat yet"),
            Some(Err(_)) => Some("the heartbeat has expired"),
            Some(Ok(_)) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use fabric_common::schema::{
        circuits::Circuit,
        domains::FLAG_IN_USE,
        domains6::Domain6,
        fdb::{self, KIND_LOCAL, KIND_OWN, KIND_REMOTE, mac_number},
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, Port, ROLE_ACCESS, ROLE_UNDERLAY, TUNNELS},
        settings::Settings,
    };

    use super::*;
    use crate::{
        cli::{
            contents::{FdbEntry, GroupEntry},
            interfaces::tests::interface,
        },
        observe::{Bridge, LinkKind, Mac, Prefix},
    };

    /// A leaf with two underlay ports, two hosts in VNI 10200, and a VTEP that can be reached and
    /// one that cannot.
    pub(in crate::cli) fn leaf() -> View {
        let port =
            |ifindex: u32, role| Port { ifindex, role, row: ifindex as u16, ..Port::default() };
        let be = |last| u32::from(Ipv4Addr::new(10, 0, 0, last)).to_be();
        let domain = |vni, bridge| Domain {
            vni,
            bridge,
            local_be: be(1),
            flags: FLAG_IN_USE,
            ..Domain::default()
        };
        let circuit = |port, vlan| Circuit { port, domain: 1, vlan, ..Circuit::default() };
        let mac = |last| Mac([2, 0, 0, 0, 0, last]);
        let entry =
            |last, kind, index, shown| FdbEntry { domain: 1, mac: mac(last), kind, index, shown };
        let nexthop = |port, last| {
            let mut hop = Nexthop { port, ..Nexthop::default() };
            hop.macs[..6].copy_from_slice(&mac(last).0);
            hop
        };
        let gateways = ["192.0.2.1", "fe80::1"].map(|text| text.parse().unwrap());
        let now = (1 << 32) + 1000;
        let contents = Contents {
            settings: Settings { hz: 250, deadline: now + 250, ..Settings::default() },
            ports: [
                (1, port(11, ROLE_UNDERLAY)),
                (2, port(12, ROLE_UNDERLAY)),
                (3, port(13, ROLE_ACCESS)),
                (4, port(14, ROLE_ACCESS)),
            ]
            .into(),
            circuits: [(1, circuit(3, 0)), (2, circuit(4, 20))].into(),
            vlans: [((4, 20), 2)].into(),
            domains: [(1, domain(10_200, 20)), (2, domain(0, 21))].into(),
            fdb: vec![
                entry(4, KIND_OWN, 0, 0),
                entry(3, KIND_REMOTE, 1, 0),
                entry(2, KIND_LOCAL, 2, 500),
                entry(1, KIND_LOCAL, 1, 0),
            ],
            vteps: [(2, Vtep::new(be(1), be(9), 0)), (1, Vtep::new(be(1), be(2), 1))].into(),
            groups: [(
                1,
                GroupEntry {
                    choice: Choice::Spread { chunk: 1, count: 256, timed: false },
                    shares: [(1, 192), (2, 64)].into(),
                },
            )]
            .into(),
            nexthops: [(1, nexthop(1, 0x51)), (2, nexthop(2, 0x52))].into(),
            nexthop_addresses: (1..).zip(gateways).collect(),
            ..Contents::default()
        };
        let names =
            [(11, "swp1"), (12, "swp2"), (13, "h1"), (14, "h2"), (20, "br200"), (21, "br7")];
        let interfaces =
            names.into_iter().map(|(index, name)| interface(index, name, None)).collect();
        View { contents, interfaces, now: Some(now) }
    }

    /// The leaf, whose bridges are gateways in a VRF: br200 with an address, br7 as an L3VNI to the VTEP that can
    /// be reached.
    pub(in crate::cli) fn tenants() -> View {
        let mut view = leaf();
        let bridge = LinkKind::Bridge(Bridge::default());
        let mac = |last| Mac([2, 0, 0, 0, 1, last]);
        for (ifindex, name, kind, master) in [
            (20, "br200", bridge.clone(), Some(30)),
            (21, "br7", bridge, Some(30)),
            (30, "red", LinkKind::Vrf { table: 100 }, None),
        ] {
            let mut interface = interface(ifindex, name, None);
            (interface.link.kind, interface.link.master) = (kind, master);
            interface.link.mac = Some(mac(ifindex as u8));
            view.interfaces.insert(interface);
        }
        let prefix = |text: &str| Prefix { address: text.parse().unwrap(), length: 24 };
        view.interfaces.address(20, prefix("10.2.0.1"));
        view.interfaces.address(21, prefix("fe80::7"));
        let contents = &mut view.contents;
        let beside = contents.domains[&1];
        let l3vni = contents.domains.get_mut(&2).unwrap();
        (l3vni.vni, l3vni.local_be) = (104_007, beside.local_be);
        for (slot, ifindex, domain) in [(5, 20, 1), (6, 21, 2)] {
            let number = mac_number(mac(ifindex as u8).0);
            let gateway = Port {
                ifindex,
                role: ROLE_GATEWAY,
                flags: FLAG_ROUTE4 | FLAG_ROUTE6,
                mac_and_view: ports::mac_and_view(number, 2),
                mtu: 1450,
                row: slot as u16,
                untagged_domain: domain,
                ..Port::default()
            };
            contents.ports.insert(slot, gateway);
            let domain = domain.into();
            let mac = mac(ifindex as u8);
            let own = FdbEntry { domain, mac, kind: KIND_OWN, index: slot, shown: 0 };
            contents.fdb.push(own);
        }
        let mut router = contents.nexthops[&1];
        (router.port, router.mtu) = (6, 1450);
        router.macs[..6].copy_from_slice(&mac(9).0);
        router.place = fdb::target(KIND_REMOTE, 1) as u16;
        contents.nexthops.insert(3, router);
        contents.nexthop_addresses.insert(3, "10.0.0.2".parse().unwrap());
        let remote = FdbEntry { domain: 2, mac: mac(9), kind: KIND_REMOTE, index: 1, shown: 0 };
        contents.fdb.push(remote);
        view
    }

    /// The same, with a tunnel that next hops choose: out of svd into VNI 4002, to the same VTEP, by next hop 4.
    pub(in crate::cli) fn downstream() -> View {
        let mut view = tenants();
        let (number, router) = (TUNNELS | 77, Mac([2, 0, 0, 0, 1, 8]));
        view.interfaces.insert(interface(22, "svd", None));
        let contents = &mut view.contents;
        let port = Port { ifindex: number, untagged_domain: 3, ..contents.ports[&5] };
        contents.ports.insert(7, Port { mac_and_view: 0, ..port });
        let domain = Domain { vni: 4_002, bridge: number, ..contents.domains[&1] };
        contents.domains.insert(3, domain);
        contents.domains6.insert(3, Domain6 { vxlan: 22, ..Domain6::default() });
        let mut nexthop = contents.nexthops[&3];
        nexthop.port = 7;
        nexthop.macs[..6].copy_from_slice(&router.0);
        contents.nexthops.insert(4, nexthop);
        contents.nexthop_addresses.insert(4, contents.gateway(3));
        let remote = FdbEntry { domain: 3, mac: router, kind: KIND_REMOTE, index: 1, shown: 0 };
        contents.fdb.push(remote);
        view
    }

    #[test]
    fn what_stands_for_a_tunnel_has_the_name_of_its_device_and_vni_and_is_no_ports() {
        let view = downstream();
        assert_eq!(view.port(7), "svd VNI 4002");
        assert_eq!((view.slot("svd VNI 4002"), view.slot("br7")), (None, Some(6)));
        assert_eq!((view.bridge(3), view.vrf_of_domain(3)), (Some("svd".into()), None));
    }

    #[test]
    fn a_port_is_in_the_vrf_of_its_interface_and_a_domain_in_that_of_its_gateway() {
        let view = tenants();
        assert_eq!((view.vrf(5), view.vrf(1)), (Some("red".into()), None));
        assert_eq!((view.vrf_of_domain(2), view.vrf_of_domain(9)), (Some("red".into()), None));
        assert_eq!(view.ports_of(2), [5, 6]);
    }

    #[test]
    fn the_heartbeat_is_the_time_until_or_since_its_deadline() {
        let mut view = leaf();
        assert_eq!(view.heartbeat(), Some(Ok(Duration::from_secs(1))));
        view.contents.settings.deadline -= 500;
        assert_eq!(view.heartbeat(), Some(Err(Duration::from_secs(1))));
        view.contents.settings.deadline = 0;
        assert_eq!(view.heartbeat(), None);
    }

    #[test]
    fn a_nexthop_is_dead_by_its_neighbour_its_port_or_both() {
        let mut view = leaf();
        let death = |view: &View| view.death(&view.contents.nexthops[&1]);
        assert!(death(&view).is_empty());
        view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
        assert_eq!(death(&view), ["neighbour"]);
        view.contents.ports.get_mut(&1).unwrap().down = 1;
        assert_eq!(death(&view), ["neighbour", "port"]);
    }

    #[test]
    fn what_has_gone_keeps_its_number() {
        let view = leaf();
        assert_eq!((view.port(1), view.port(9)), ("swp1".into(), "slot 9".into()));
        assert_eq!(view.interfaces.name(99), "if99");
    }
}
