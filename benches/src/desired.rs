//! What the maps of a benchmark's leaf or spine should hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fabric_user::{
    model::{
        Arrivals, Circuit, CircuitKey, Desired, Domain, DomainKey, FdbKey, Group, GroupKey,
        Nexthop, NexthopKey, Port, Role, RoutePlace, Structure, Target, View, VtepKey, Way,
    },
    observe::{Mac, Prefix},
};

use crate::{
    leaf::{
        ACCESS_MTU, Leaf, Plan, SPINE_MAC, Site, TTL, UDP_PORT, UNDERLAY_MAC, UNDERLAY_MTU, VNI,
    },
    routed::{PREFIX, ROUTER_MAC, destination4, destination6},
    spine::{MTU, NEXT_MAC, OUT_MAC, Routes, Spine},
    underlay::Underlay,
};

impl Leaf {
    /// The leaf's ports and tunnels, with the stations of a plan.
    #[must_use]
    pub fn desired(&self, plan: &Plan) -> Desired {
        let mut desired = Desired::default();
        self.add_to(&mut desired, plan);
        desired
    }

    /// Adds ports, and a bridge domain and VTEPs of their own, with the stations of a plan.
    pub fn add_to(&self, desired: &mut Desired, plan: &Plan) {
        let Plan { vteps, underlay, .. } = *plan;
        let structure = &mut desired.structure;
        let number = structure.domains.len() as u32;
        let domain = DomainKey { bridge: self.bridge, vlan: number as u16 };
        structure.domains.insert(domain, self.domain(number, underlay));
        for port in [self.access, self.other_access] {
            add_access(structure, port, domain);
        }
        let group = add_underlay(structure, self.routed, underlay);
        let (local, first) = (underlay.local(), number * vteps);
        let vtep = |vtep| VtepKey { local, remote: underlay.vtep(first + vtep) };
        structure.vteps.extend((0..vteps).map(|number| (vtep(number), Some(group.clone()))));
        let behind = |bridge_port| Target::Local(CircuitKey { bridge_port, domain });
        desired.fdb.extend(plan.stations().map(|(mac, site, number)| {
            let target = match site {
                Site::Access => behind(self.access),
                Site::OtherAccess => behind(self.other_access),
                Site::Remote => Target::Remote(vtep(number)),
            };
            (FdbKey { domain, mac: Mac(mac) }, target)
        }));
    }

    fn domain(&self, number: u32, underlay: Underlay) -> Domain {
        let zero_checksum = underlay.is_ipv6() && !underlay.has_checksum();
        Domain {
            vni: Some(VNI + number),
            vxlan: self.vxlan,
            local: underlay.local(),
            udp_port: UDP_PORT,
            ttl: TTL,
            zero_checksum_tx: zero_checksum,
            zero_checksum_rx: zero_checksum,
            max_frame: ACCESS_MTU + 14,
            // Some days: no frame is sampled for the kernel while time runs.
            ageing_ms: 1 << 30,
            ..Domain::default()
        }
    }
}

impl Spine {
    /// The spine's ports, with routes to so many destinations.
    #[must_use]
    pub fn desired(&self, destinations: u32, routes: Routes) -> Desired {
        let mut structure = Structure::default();
        for (ifindex, mac) in [(self.inward, ROUTER_MAC), (self.outward, OUT_MAC)] {
            let port = Port {
                role: Role::Routed,
                mac: Mac(mac),
                view: Some(0),
                route4: true,
                route6: true,
                ..port(MTU)
            };
            structure.ports.insert(ifindex, port);
        }
        structure.views.push(View { v4: vec![254], v6: vec![254] });
        let group = two_ways(&mut structure, self.outward, OUT_MAC, NEXT_MAC, false);
        let (step, lengths) = match routes {
            Routes::Hosts => (1, [32, 128]),
            Routes::Prefixes => (PREFIX, [24, 64]),
        };
        let both = |destination| {
            let v4 = IpAddr::from(destination4(destination));
            let v6 = IpAddr::from(destination6(destination));
            [(v4, lengths[0]), (v6, lengths[1])]
        };
        let prefixes = (0..destinations).step_by(step as usize).flat_map(both);
        let route = |(address, length)| {
            let place = RoutePlace { view: 0, prefix: Prefix { address, length } };
            (place, Way::Group(group.clone()))
        };
        Desired { routes: prefixes.map(route).collect(), structure, ..Desired::default() }
    }
}

fn port(mtu: u32) -> Port {
    Port { mtu, is_target: true, ..Port::default() }
}

fn add_access(structure: &mut Structure, ifindex: u32, domain: DomainKey) {
    let key = CircuitKey { bridge_port: ifindex, domain };
    let circuit = Circuit { port: ifindex, max_frame: ACCESS_MTU + 14, ..Circuit::default() };
    structure.circuits.insert(key, circuit);
    structure.ports.insert(ifindex, Port { untagged: Some(key), ..port(ACCESS_MTU) });
}

/// Adds the port of the underlay; returns the group of next hops behind it.
fn add_underlay(structure: &mut Structure, ifindex: u32, underlay: Underlay) -> GroupKey {
    let port = Port {
        role: Role::Underlay,
        mac: Mac(UNDERLAY_MAC),
        arrivals: Arrivals::All,
        ..port(UNDERLAY_MTU)
    };
    structure.ports.insert(ifindex, port);
    two_ways(structure, ifindex, UNDERLAY_MAC, SPINE_MAC, underlay.is_ipv6())
}

/// Adds a group of two next hops that are one but for their addresses, behind a port that is there. So
/// packets go one way, and their flows are hashed to buckets as on boxes with several neighbours.
fn two_ways(
    structure: &mut Structure,
    ifindex: u32,
    source: [u8; 6],
    destination: [u8; 6],
    over_ipv6: bool,
) -> GroupKey {
    let gateways: [IpAddr; 2] = match over_ipv6 {
        false => [1, 2].map(|last| Ipv4Addr::new(172, 31, 0, last).into()),
        true => [1, 2].map(|last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into()),
    };
    let hops = gateways.map(|gateway| NexthopKey { ifindex, gateway });
    let mtu = structure.ports.get(&ifindex).map_or(0, |port| port.mtu);
    let nexthop = Nexthop { source: Mac(source), destination: Some(Mac(destination)), mtu };
    structure.nexthops.extend(hops.map(|hop| (hop, nexthop)));
    let members = hops.map(|hop| (hop, 1)).to_vec();
    let key = GroupKey::Hops(members.clone().into());
    structure.groups.insert(key.clone(), Group { members, ..Group::default() });
    key
}
