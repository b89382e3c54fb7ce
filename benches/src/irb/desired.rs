//! What the maps of a leaf with gateways should hold.

use fabric_user::{
    model::{
        Circuit, CircuitKey, Desired, Domain, DomainKey, FdbKey, Group, GroupKey, Nexthop,
        NexthopKey, Port, Role, RoutePlace, Structure, Target, View, VtepKey, Way,
    },
    observe::{Mac, Prefix},
};

use super::{
    Gateways, Plan, Through,
    leaf::{LOCAL_MAC, address, prefixes, remote_router, remote_router_mac, tunnelled},
};
use crate::{
    flow::destination_mac,
    leaf::{ACCESS_MTU, VTEPS},
    routed::{CLIENT_MAC, ROUTER_MAC},
    traffic::Offer,
    tunnel::L3VNI,
};

/// As many bits as an address of the family has.
const fn host_length(offer: Offer) -> u8 {
    if matches!(offer, Offer::Routed6) { 128 } else { 32 }
}

impl Gateways {
    /// The leaf's ports, tunnels and gateways, with the way to each host.
    #[must_use]
    pub fn desired(&self, plan: &Plan) -> Desired {
        let mut desired = self.leaf.desired(&tunnelled(plan));
        let hosts = DomainKey { bridge: self.leaf.bridge, vlan: 0 };
        let [local, routed] = [self.local, self.routed].map(|bridge| DomainKey { bridge, vlan: 0 });
        let circuit = self.move_other_port(&mut desired.structure, hosts, local);
        if plan.through == Through::Border {
            self.route_other_port(&mut desired.structure, circuit);
        }
        self.add_l3vni(&mut desired.structure, hosts, routed);
        desired.structure.views.push(View { v4: vec![254], v6: vec![254] });
        for (domain, mac) in [(hosts, ROUTER_MAC), (local, LOCAL_MAC), (routed, ROUTER_MAC)] {
            add_gateway(&mut desired, domain, mac);
        }
        let client = CircuitKey { bridge_port: self.leaf.access, domain: hosts };
        let key = FdbKey { domain: hosts, mac: Mac(CLIENT_MAC) };
        desired.fdb.insert(key, Target::Local(client));
        if plan.through.tunnels() {
            self.add_remote_routes(&mut desired, plan);
        } else {
            for host in 0..plan.destinations {
                add_local_host(&mut desired, circuit, plan.offer, host);
            }
        }
        desired
    }

    /// Takes the other access port out of the network with tunnels, into the local one.
    fn move_other_port(
        &self,
        structure: &mut Structure,
        from: DomainKey,
        to: DomainKey,
    ) -> CircuitKey {
        let bridge_port = self.leaf.other_access;
        structure.circuits.remove(&CircuitKey { bridge_port, domain: from });
        let circuit = CircuitKey { bridge_port, domain: to };
        let max_frame = ACCESS_MTU + 14;
        structure
            .circuits
            .insert(circuit, Circuit { port: bridge_port, max_frame, ..Circuit::default() });
        structure.domains.insert(to, Domain { ageing_ms: 1 << 30, ..Domain::default() });
        if let Some(port) = structure.ports.get_mut(&bridge_port) {
            port.untagged = Some(circuit);
        }
        circuit
    }

    /// Makes the other access port a router's.
    fn route_other_port(&self, structure: &mut Structure, circuit: CircuitKey) {
        structure.circuits.remove(&circuit);
        structure.ports.insert(self.leaf.other_access, routed(Role::Routed, ROUTER_MAC));
    }

    /// As the domain of the hosts' tunnels, with another VNI.
    fn add_l3vni(&self, structure: &mut Structure, hosts: DomainKey, routed: DomainKey) {
        let of_hosts = structure.domains.get(&hosts).cloned().unwrap_or_default();
        let domain = Domain { vni: Some(L3VNI), vxlan: self.vxlan, ..of_hosts };
        structure.domains.insert(routed, domain);
    }

    fn add_remote_routes(&self, desired: &mut Desired, plan: &Plan) {
        let domain = DomainKey { bridge: self.routed, vlan: 0 };
        let underlay = self.leaf.underlay;
        let ways: Vec<_> = (0..VTEPS)
            .map(|vtep| {
                let mac = Mac(remote_router_mac(vtep));
                let tunnel = VtepKey { local: underlay.local(), remote: underlay.vtep(vtep) };
                desired.fdb.insert(FdbKey { domain, mac }, Target::Remote(tunnel));
                let gateway = remote_router(&self.leaf, plan.offer, vtep);
                let hop = NexthopKey { ifindex: self.routed, gateway };
                let nexthop = behind(ROUTER_MAC, mac);
                desired.structure.nexthops.insert(hop, nexthop);
                let members = vec![(hop, 1)];
                let key = GroupKey::Hops(members.clone().into());
                let group = Group { members, ..Group::default() };
                desired.structure.groups.insert(key.clone(), group);
                Way::Group(key)
            })
            .collect();
        for (number, address, length) in prefixes(plan) {
            let place = RoutePlace { view: 0, prefix: Prefix { address, length } };
            desired.routes.insert(place, ways[(number % VTEPS) as usize].clone());
        }
    }
}

/// A next hop of a gateway.
const fn behind(gateway: [u8; 6], destination: Mac) -> Nexthop {
    Nexthop { source: Mac(gateway), destination: Some(destination), mtu: ACCESS_MTU }
}

/// A port by whose only view packets of both families are routed.
fn routed(role: Role, mac: [u8; 6]) -> Port {
    Port {
        role,
        mtu: ACCESS_MTU,
        mac: Mac(mac),
        is_target: true,
        view: Some(0),
        route4: true,
        route6: true,
        ..Port::default()
    }
}

fn add_gateway(desired: &mut Desired, domain: DomainKey, mac: [u8; 6]) {
    let port = Port { domain: Some(domain), ..routed(Role::Gateway, mac) };
    let key = FdbKey { domain, mac: Mac(mac) };
    desired.structure.ports.insert(domain.bridge, port);
    desired.structure.gateways.insert(key, domain.bridge);
    desired.fdb.insert(key, Target::Gateway(domain.bridge));
}

fn add_local_host(desired: &mut Desired, circuit: CircuitKey, offer: Offer, host: u32) {
    let (mac, address) = (Mac(destination_mac(host)), address(offer, host));
    let domain = circuit.domain;
    desired.fdb.insert(FdbKey { domain, mac }, Target::Local(circuit));
    let key = NexthopKey { ifindex: domain.bridge, gateway: address };
    let prefix = Prefix { address, length: host_length(offer) };
    let way = Way::Nexthop { key, nexthop: behind(LOCAL_MAC, mac) };
    desired.routes.insert(RoutePlace { view: 0, prefix }, way);
}
