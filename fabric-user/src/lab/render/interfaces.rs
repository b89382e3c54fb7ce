//! Interface commands: the underlay, and for each network one vxlan device on a plain bridge that
//! is its own SVI.

use crate::lab::topology::{Host, Network, Switch, Topology};

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

/// Sysctls of every switch: routing, both halves of ECMP, and what BGP unnumbered needs.
const SWITCH_SYSCTLS: [(&str, &str); 10] = [
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    // Hash ports as well: the outer UDP source port carries the inner flow.
    ("net.ipv4.fib_multipath_hash_policy", "1"),
    ("net.ipv4.conf.all.ignore_routes_with_linkdown", "1"),
    ("net.ipv4.conf.default.ignore_routes_with_linkdown", "1"),
    // An unnumbered link has no subnet that a source address could be checked against.
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    // A bridged frame is not the business of the switch's own firewall, and each would pay for it.
    ("net.bridge.bridge-nf-call-iptables", "0"),
    ("net.bridge.bridge-nf-call-ip6tables", "0"),
    ("net.bridge.bridge-nf-call-arptables", "0"),
];

/// Configuration of a switch. Ports are expected to be there and down.
pub fn switch(topology: &Topology, node: &Switch) -> Configuration {
    let mut configuration =
        Configuration { sysctls_before: owned(&SWITCH_SYSCTLS), ..Configuration::default() };
    let ip = &mut configuration.ip;
    ip.push("link set lo up".to_owned());
    ip.push(format!("address add {}/32 dev lo", node.loopback));
    for (own, _) in topology.links_of(&node.name) {
        let mtu = topology.fabric.underlay_mtu;
        ip.push(format!("link set {} mtu {mtu} up", own.port));
    }
    for network in networks(topology, node) {
        bridge_domain(topology, node, network, &mut configuration);
    }
    for host in topology.hosts.iter().filter(|host| host.switch.node == node.name) {
        if let Some(network) = topology.network(&host.network) {
            configuration.ip.push(access_port(topology, &host.switch.port, network));
        }
    }
    configuration
}

/// The `ip` line that makes a port an access port of a network.
pub fn access_port(topology: &Topology, port: &str, network: &Network) -> String {
    format!(
        "link set {port} mtu {} master {} addrgenmode none up",
        topology.fabric.host_mtu,
        network.bridge()
    )
}

fn bridge_domain(
    topology: &Topology,
    node: &Switch,
    network: &Network,
    configuration: &mut Configuration,
) {
    let (bridge, vxlan) = (network.bridge(), network.vxlan());
    let mtu = topology.fabric.host_mtu;
    configuration.ip.extend([
        // The address is set by hand: it is the anycast gateway's, and a bridge without one would
        // take the address of a port and change it when ports come and go.
        format!("link add {bridge} address {} type bridge", network.gateway_mac),
        // Every leaf has the same MAC here, so a link-local address would be a duplicate.
        format!("link set {bridge} addrgenmode none"),
        format!(
            "link add {vxlan} type vxlan id {} local {} dstport 4789 nolearning noudpcsum",
            network.vni, node.loopback
        ),
        format!("link set {vxlan} mtu {mtu} master {bridge} addrgenmode none up"),
        format!("address add {}/{} dev {bridge}", network.gateway, network.prefix_len),
        format!("link set {bridge} mtu {mtu} up"),
    ]);
    configuration.bridge.push(format!("link set dev {vxlan} learning off neigh_suppress on"));
    // A gratuitous ARP of a host that just arrived makes a neighbour, which FRR advertises.
    configuration
        .sysctls_after
        .push((format!("net.ipv4.conf.{bridge}.arp_accept"), "1".to_owned()));
}

/// Configuration of a host.
pub fn host(topology: &Topology, node: &Host) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.ip.push("link set lo up".to_owned());
    let port = &node.end.port;
    configuration.ip.push(format!(
        "link set {port} address {} mtu {} up",
        node.end.mac, topology.fabric.host_mtu
    ));
    if let Some(network) = topology.network(&node.network) {
        configuration
            .ip
            .push(format!("address add {} dev {port}", node.address_with_prefix(network)));
        configuration.ip.push(format!("route add default via {}", network.gateway));
    }
    configuration
}

/// Networks of a switch, by VLAN.
fn networks<'a>(topology: &'a Topology, node: &'a Switch) -> impl Iterator<Item = &'a Network> {
    node.networks.iter().filter_map(|name| topology.network(name))
}

/// Ports of a switch: links first, then hosts.
pub(super) fn ports<'a>(topology: &'a Topology, node: &'a Switch) -> impl Iterator<Item = &'a str> {
    let links = topology.links_of(&node.name).map(|(own, _)| own.port.as_str());
    let hosts = topology.hosts.iter().filter(|host| host.switch.node == node.name);
    links.chain(hosts.map(|host| host.switch.port.as_str()))
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
