//! A leaf with gateways as the kernel knows it: a network of hosts that reaches into tunnels, another one that is
//! local, and the L3VNI of routed packets, each a bridge with an address. All in one routing table: kernels
//! without VRF devices shall be able to take part.

use std::{fmt::Write as _, net::IpAddr};

use anyhow::Result;

use super::{Plan, Through};
use crate::{
    direction::Direction,
    flow::destination_mac,
    leaf::{self, ACCESS_MTU, Leaf, TTL, UDP_PORT, VTEPS, index, mac_text},
    neighbours::{Neighbours, Place},
    routed::{CLIENT_MAC, PREFIX, ROUTER_MAC, destination4, destination6},
    spine::Routes,
    tool,
    traffic::Offer,
    tunnel::L3VNI,
};

/// MAC address of the gateway of the local network.
pub(super) const LOCAL_MAC: [u8; 6] = [0x52, 0x54, 4, 0, 0, 1];

/// MAC address of a remote VTEP's router, counted from 0.
pub(super) const fn remote_router_mac(vtep: u32) -> [u8; 6] {
    let [_, _, a, b] = vtep.to_be_bytes();
    [0x52, 0x54, 5, 0, a, b]
}

/// The next hop behind a remote VTEP, counted from 0.
pub(super) fn remote_router(leaf: &Leaf, offer: Offer, vtep: u32) -> IpAddr {
    match offer {
        Offer::Routed6 => format!("fe80::5:{vtep:x}").parse().unwrap_or(leaf.underlay.vtep(vtep)),
        _ => leaf.underlay.vtep(vtep),
    }
}

/// Address of a host that packets go to.
pub(super) fn address(offer: Offer, destination: u32) -> IpAddr {
    match offer {
        Offer::Routed6 => destination6(destination).into(),
        _ => destination4(destination).into(),
    }
}

/// A prefix of each host, or of each [`PREFIX`] hosts: its number, address and length.
pub(super) fn prefixes(plan: &Plan) -> impl Iterator<Item = (u32, IpAddr, u8)> + use<> {
    let Plan { offer, destinations, .. } = *plan;
    let (step, [v4, v6]) = match plan.routes {
        Routes::Hosts => (1, [32, 128]),
        Routes::Prefixes => (PREFIX, [24, 64]),
    };
    let length = if offer == Offer::Routed6 { v6 } else { v4 };
    { 0..destinations }
        .step_by(step as usize)
        .enumerate()
        .map(move |(number, first)| (number as u32, address(offer, first), length))
}

/// Interface indexes.
#[derive(Clone, Copy, Debug)]
pub struct Gateways {
    /// The leaf, whose other access port is in the local network, or a router's.
    pub leaf: Leaf,
    /// The bridge of the local network.
    pub local: u32,
    /// The bridge of the L3VNI.
    pub routed: u32,
    /// Its vxlan device.
    pub vxlan: u32,
}

/// Who is where in the network with tunnels: as many stations behind VTEPs as there are hosts to route to.
pub(super) const fn tunnelled(plan: &Plan) -> leaf::Plan {
    Direction::Encapsulate.plan(plan.stations(), VTEPS)
}

impl Gateways {
    /// Builds the leaf in the present network namespace. The hosts are behind VTEPs if packets go into tunnels, and
    /// in the local network otherwise.
    ///
    /// # Errors
    /// If the kernel lacks a device type or iproute2 is missing.
    pub fn build(plan: &Plan) -> Result<Self> {
        let leaf = Leaf::build_for(&tunnelled(plan))?;
        for (name, value) in [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.default.rp_filter", "0"),
            ("net.ipv6.conf.default.accept_dad", "0"),
        ] {
            tool::sysctl(name, value)?;
        }
        tool::batch("ip", &Self::links(&leaf))?;
        tool::batch("ip", &Self::other_port(plan.through))?;
        for port in ["bridge0", "local0", "routed0", "access1"] {
            tool::sysctl(&format!("net.ipv6.conf.{port}.disable_ipv6"), "0")?;
            tool::sysctl(&format!("net.ipv4.conf.{port}.rp_filter"), "0")?;
        }
        tool::sysctl("net.ipv6.conf.all.forwarding", "1")?;
        let [local, routed, vxlan] = ["local0", "routed0", "vxlan1"].map(index);
        let gateways = Self { leaf, local: local?, routed: routed?, vxlan: vxlan? };
        gateways.add_stations(plan)?;
        let commands = match plan.through {
            Through::Into | Through::Border => gateways.remote_routes(plan),
            Through::Out | Through::Local => Self::local_hosts(plan),
        };
        tool::batch("ip", &commands)?;
        Ok(gateways)
    }

    fn links(leaf: &Leaf) -> String {
        let [gateway, local_mac] = [ROUTER_MAC, LOCAL_MAC].map(mac_text);
        let local = leaf.underlay.local();
        format!(
            "link set dev bridge0 addrgenmode none\n\
             link set dev bridge0 address {gateway}\n\
             link add name local0 address {local_mac} type bridge stp_state 0 mcast_snooping 0\n\
             link add name routed0 address {gateway} type bridge stp_state 0 mcast_snooping 0\n\
             link add name vxlan1 mtu {ACCESS_MTU} type vxlan id {L3VNI} local {local} \
                dstport {UDP_PORT} srcport 49152 65535 ttl {TTL} nolearning noudpcsum\n\
             link set dev vxlan1 master routed0\n\
             link set dev vxlan1 type bridge_slave learning off\n\
             link set dev local0 addrgenmode none\n\
             link set dev routed0 addrgenmode none\n\
             link set dev vxlan1 up\n\
             link set dev local0 up\n\
             link set dev routed0 up\n"
        )
    }

    /// The other port: of the local network, or of a router.
    fn other_port(through: Through) -> String {
        match through {
            Through::Border => format!(
                "link set dev access1 nomaster\nlink set dev access1 addrgenmode none\n\
                 link set dev access1 address {}\n",
                mac_text(ROUTER_MAC)
            ),
            _ => {
                "link set dev access1 addrgenmode none\nlink set dev access1 master local0\n".into()
            }
        }
    }

    /// MAC addresses of the client, of the local hosts if packets go there, and of the routers behind VTEPs.
    fn add_stations(&self, plan: &Plan) -> Result<()> {
        let mut neighbours = Neighbours::open()?;
        neighbours.replace(CLIENT_MAC, Place::Port(self.leaf.access))?;
        let local = if plan.through.tunnels() { 0 } else { plan.destinations };
        for host in 0..local {
            neighbours.replace(destination_mac(host), Place::Port(self.leaf.other_access))?;
        }
        for vtep in 0..VTEPS {
            let address = self.leaf.underlay.vtep(vtep);
            let place = Place::Vtep { vxlan: self.vxlan, address };
            neighbours.replace(remote_router_mac(vtep), place)?;
        }
        neighbours.requests.flush()
    }

    /// As zebra writes them for routes of EVPN: next hops that need no address on the link.
    fn remote_routes(&self, plan: &Plan) -> String {
        let offer = plan.offer;
        let mut commands = String::new();
        for vtep in 0..VTEPS {
            let (address, mac) =
                (remote_router(&self.leaf, offer, vtep), mac_text(remote_router_mac(vtep)));
            let _ = writeln!(
                commands,
                "neigh replace {address} lladdr {mac} dev routed0 nud permanent"
            );
        }
        for (number, address, length) in prefixes(plan) {
            let router = remote_router(&self.leaf, offer, number % VTEPS);
            let _ =
                writeln!(commands, "route add {address}/{length} via {router} dev routed0 onlink");
        }
        commands
    }

    fn local_hosts(plan: &Plan) -> String {
        let Plan { offer, destinations, .. } = *plan;
        let network = if offer == Offer::Routed6 { "2001:db8:1::/48" } else { "10.0.0.0/9" };
        let mut commands = format!("route add {network} dev local0\n");
        for host in 0..destinations {
            let (address, mac) = (address(offer, host), mac_text(destination_mac(host)));
            let _ =
                writeln!(commands, "neigh replace {address} lladdr {mac} dev local0 nud permanent");
        }
        commands
    }
}
