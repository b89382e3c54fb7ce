//! Interface commands: the underlay, ports of hosts, and hosts.

use std::net::IpAddr;

use super::{domain, entries};
use crate::lab::topology::{
    Attachment, Bridges, ControlPlane, End, Function, Host, Network, Subnet, Switch, Topology,
};

/// Commands and settings of one device, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    /// Sysctls that must be set before interfaces exist.
    pub sysctls_before: Vec<(String, String)>,
    /// Lines for `ip`, also good for `ip -batch`.
    pub ip: Vec<String>,
    /// Lines for `bridge`, also good for `bridge -batch`.
    pub bridge: Vec<String>,
    /// Sysctls of interfaces that the lines above make.
    pub sysctls_after: Vec<(String, String)>,
}

/// Sysctls of every node that speaks BGP: both halves of ECMP, and what BGP unnumbered needs.
const SPEAKER_SYSCTLS: [(&str, &str); 8] = [
    // Hash ports as well: the outer UDP source port carries the inner flow.
    ("net.ipv4.fib_multipath_hash_policy", "1"),
    ("net.ipv6.fib_multipath_hash_policy", "1"),
    ("net.ipv4.conf.all.ignore_routes_with_linkdown", "1"),
    ("net.ipv4.conf.default.ignore_routes_with_linkdown", "1"),
    ("net.ipv6.conf.all.ignore_routes_with_linkdown", "1"),
    ("net.ipv6.conf.default.ignore_routes_with_linkdown", "1"),
    // An unnumbered link has no subnet that a source address could be checked against.
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
];

/// Sysctls of every switch beyond that, and of servers with virtual machines.
const SWITCH_SYSCTLS: [(&str, &str); 5] = [
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    // A bridged frame is not the business of the switch's own firewall, and each would pay for it.
    ("net.bridge.bridge-nf-call-iptables", "0"),
    ("net.bridge.bridge-nf-call-ip6tables", "0"),
    ("net.bridge.bridge-nf-call-arptables", "0"),
];

/// Sysctls of every server beyond that: its routes come from BGP and not from the router advertisements by which
/// BGP unnumbered finds its neighbours.
const SERVER_SYSCTLS: [(&str, &str); 2] =
    [("net.ipv6.conf.all.accept_ra", "0"), ("net.ipv6.conf.default.accept_ra", "0")];

/// What the bonds of hosts are at both ends, as in data centres: what becomes of a cable is noticed within
/// 100 ms by its carrier, and within three seconds by messages that do not come.
const LACP: &str = "mode 802.3ad miimon 100 lacp_rate fast xmit_hash_policy layer3+4";

/// Configuration of a switch or server. Ports are expected to be there and down.
pub fn switch(topology: &Topology, node: &Switch) -> Configuration {
    let mut sysctls = SPEAKER_SYSCTLS.to_vec();
    if node.function == Function::Server {
        sysctls.extend(SERVER_SYSCTLS);
    }
    if topology.forwards(node) {
        sysctls.extend(SWITCH_SYSCTLS);
    }
    let mut configuration =
        Configuration { sysctls_before: owned(&sysctls), ..Configuration::default() };
    // With the same seed everywhere, a spine would send all flows of a leaf's one half the same way.
    let seed = ("net.ipv4.fib_multipath_hash_seed".to_owned(), hash_seed(&node.name).to_string());
    configuration.sysctls_before.push(seed);
    let ip = &mut configuration.ip;
    ip.push("link set lo up".to_owned());
    // The first address is the one that the node's own packets have.
    ip.push(format!("address add {}/32 dev lo", node.loopback));
    ip.extend(node.loopback6.map(|loopback| format!("address add {loopback}/128 dev lo")));
    for service in topology.services_of(&node.name) {
        ip.extend(service.addresses.iter().map(|&address| service_address(address)));
    }
    for link in &topology.links {
        for end in [&link.a, &link.b].into_iter().filter(|end| end.node == node.name) {
            ip.push(format!("link set dev {} mtu {} up", end.port, topology.mtu_of(link)));
        }
    }
    domain::add(topology, node, &mut configuration);
    for member in &topology.members {
        let Some(network) = topology.network(&member.network) else { continue };
        if member.switch.node == node.name {
            let port = access_port(topology, node, &member.switch.port, network);
            configuration.ip.push(port.ip);
            configuration.bridge.extend(port.bridge);
        }
        if member.end.node == node.name {
            let (port, mtu) = (&member.end.port, topology.fabric.host_mtu);
            configuration.ip.push(format!("link set dev {port} mtu {mtu} up"));
            let addresses = network.own_addresses(&node.name).iter();
            configuration.ip.extend(addresses.map(|it| format!("address add {it} dev {port}")));
        }
    }
    for host in topology.hosts.iter().filter(|host| host.switch.node == node.name) {
        let members = host.members.iter().map(|[_, switch]| switch);
        configuration.ip.extend(bond(topology, &host.switch, members));
        match &host.attachment {
            Attachment::Network(name) => {
                if let Some(network) = topology.network(name) {
                    let port = access_port(topology, node, &host.switch.port, network);
                    configuration.ip.push(port.ip);
                    configuration.bridge.extend(port.bridge);
                }
            }
            Attachment::Routed(subnets) => {
                configuration.ip.extend(routed_port(topology, &host.switch.port, subnets));
            }
        }
    }
    if topology.fabric.control_plane == ControlPlane::Static {
        entries::add(topology, node, &mut configuration);
    }
    configuration
}

/// A seed for the kernel's choice among several next hops, in both families: FNV-1a of the name,
/// which stays over restarts. Kernels before 6.11 have one that is random, the same for all
/// namespaces of a machine.
fn hash_seed(node: &str) -> u32 {
    let hash = node
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // 0 means the kernel's own.
    hash.max(1)
}

/// The `ip` line that gives a server the address of a service. A server says nothing by itself
/// under such an address: the answer could go to another one.
pub fn service_address(address: IpAddr) -> String {
    match address {
        // The loopback was there first.
        IpAddr::V4(address) => format!("address add {address}/32 dev lo"),
        IpAddr::V6(address) => format!("address add {address}/128 dev lo preferred_lft 0"),
    }
}

/// The `ip` lines that make a bond of ports that are down; none if there are no ports.
fn bond<'a>(
    topology: &Topology,
    bond: &End,
    members: impl Iterator<Item = &'a End>,
) -> Vec<String> {
    let End { port: name, mac, .. } = bond;
    let mtu = topology.fabric.host_mtu;
    let mut lines: Vec<String> =
        members.map(|member| format!("link set dev {} master {name}", member.port)).collect();
    if !lines.is_empty() {
        let made = format!("link add {name} address {mac} mtu {mtu} type bond {LACP}");
        lines.insert(0, made);
    }
    lines
}

/// The `ip` lines that make a port a routed one.
fn routed_port(topology: &Topology, port: &str, subnets: &[Subnet]) -> Vec<String> {
    let mut lines = vec![format!("link set dev {port} mtu {} up", topology.fabric.host_mtu)];
    lines.extend(subnets.iter().map(|Subnet { host, gateway }| {
        format!("address add {gateway}/{} dev {port}", host.length)
    }));
    lines
}

/// What makes a port an access port of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPort {
    /// The line for `ip`; its last word switches the port on.
    pub ip: String,
    /// The line for `bridge`, where the bridge is a VLAN-aware one.
    pub bridge: Option<String>,
}

/// What makes a port of a leaf or server an access port of a network.
pub fn access_port(
    topology: &Topology,
    leaf: &Switch,
    port: &str,
    network: &Network,
) -> AccessPort {
    let vlan = network.vlan;
    AccessPort {
        ip: format!(
            "link set dev {port} mtu {} master {} addrgenmode none up",
            topology.fabric.host_mtu,
            leaf.bridge(vlan)
        ),
        bridge: (leaf.bridges != Bridges::Plain)
            .then(|| format!("vlan add vid {vlan} dev {port} pvid untagged")),
    }
}

/// Configuration of a host.
pub fn host(topology: &Topology, node: &Host) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.ip.push("link set lo up".to_owned());
    let members = node.members.iter().map(|[own, _]| own);
    configuration.ip.extend(bond(topology, &node.end, members));
    let port = &node.end.port;
    configuration.ip.push(format!(
        "link set dev {port} address {} mtu {} up",
        node.end.mac, topology.fabric.host_mtu
    ));
    match &node.attachment {
        Attachment::Network(name) => {
            if let Some(network) = topology.network(name) {
                for (address, gateway) in
                    network.host_addresses(node).iter().zip(network.gateways())
                {
                    configuration.ip.push(format!("address add {address} dev {port}"));
                    configuration.ip.push(format!("route add default via {}", gateway.address));
                }
            }
        }
        Attachment::Routed(subnets) => {
            for Subnet { host, gateway } in subnets {
                configuration.ip.push(format!("address add {host} dev {port}"));
                configuration.ip.push(format!("route add default via {gateway}"));
            }
        }
    }
    configuration
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render;
    use crate::lab::topology::{first, picture};

    fn topology() -> Topology {
        let (file, text) = ("bonds.dot", include_str!("../topology/shapes/bonds.dot"));
        let inventory = first::inventory(&picture::parse(text, file), file);
        Topology::of("bonds", file, text, &inventory).expect("valid")
    }

    /// That a configuration has these lines, one behind the other.
    fn has(lines: &[String], expected: &[String]) {
        assert!(
            lines.windows(expected.len()).any(|it| it == expected),
            "{expected:#?}: {lines:#?}"
        );
    }

    #[test]
    fn a_bond_has_its_ports_before_it_is_an_access_port_or_has_an_address() {
        let topology = topology();
        let host = topology.host("db2").expect("drawn");
        let (own, leaf) = (host.end.mac, host.switch.mac);
        let made =
            |name: &str, mac| format!("link add {name} address {mac} mtu 1500 type bond {LACP}");
        let expected = [
            made("bond1", leaf),
            "link set dev swp1 master bond1".to_owned(),
            "link set dev swp2 master bond1".to_owned(),
            "link set dev bond1 mtu 1500 master br10 addrgenmode none up".to_owned(),
        ];
        has(&switch(&topology, topology.switch("leaf3").expect("drawn")).ip, &expected);
        let expected = [
            made("bond0", own),
            "link set dev eth1 master bond0".to_owned(),
            "link set dev eth2 master bond0".to_owned(),
            format!("link set dev bond0 address {own} mtu 1500 up"),
            format!("address add {}/16 dev bond0", host.address),
        ];
        has(&super::host(&topology, host).ip, &expected);
    }

    #[test]
    fn a_server_forwards_if_it_has_virtual_machines_and_listens_to_no_router() {
        let sysctls = |picture: &str, inventory: &str, node: &str| {
            let topology = Topology::parse("t", picture, inventory).expect("valid");
            switch(&topology, topology.switch(node).expect("drawn")).sysctls_before
        };
        let of_host = sysctls(
            include_str!("../../../../topologies/evpn-on-host.dot"),
            include_str!("../../../../topologies/evpn-on-host.toml"),
            "srv01",
        );
        let of_service = sysctls(
            include_str!("../../../../topologies/anycast.dot"),
            include_str!("../../../../topologies/anycast.toml"),
            "srv01",
        );
        let has = |all: &[(String, String)], key: &str, value: &str| {
            all.iter().any(|it| *it == (key.to_owned(), value.to_owned()))
        };
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            assert_eq!(
                [has(&of_host, key, "1"), has(&of_service, key, "1")],
                [true, false],
                "{key}"
            );
        }
        assert!(has(&of_host, "net.ipv6.conf.all.accept_ra", "0"));
    }

    #[test]
    fn what_is_rendered_for_a_device_names_the_ports_of_a_bond() {
        let topology = topology();
        let leaf = render::switch_text(&topology, topology.switch("leaf3").expect("drawn"));
        for port in ["swp1", "swp2", "swp51"] {
            assert!(leaf.contains(&format!("ethtool -K {port} rxvlan off txvlan off\n")), "{leaf}");
        }
        let host = render::host_text(&topology, topology.host("db2").expect("drawn"));
        assert!(host.contains(", behind leaf3 swp1 swp2)"), "{host}");
    }
}
