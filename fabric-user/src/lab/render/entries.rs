//! What FRR would write into a kernel, where nobody speaks BGP: routes, flood lists, and the MACs and
//! neighbours of hosts at other leafs, as a person writes them with `ip` and `bridge`.
//!
//! Links have no subnets here either. Their ends have link-local addresses of their own, short enough to be
//! typed, which are the next hops of both families.

use super::interfaces::Configuration;
use crate::lab::topology::{Network, Prefixed, Station, Switch, Topology};
use crate::mac::Mac;

/// The link-local addresses of a link's ends, the one that the picture names first and the other one.
const ENDS: [&str; 2] = ["fe80::1", "fe80::2"];

/// Adds the entries of a switch or server to what it is configured with.
pub(super) fn add(topology: &Topology, node: &Switch, configuration: &mut Configuration) {
    for link in &topology.links {
        for (end, address) in [&link.a, &link.b].into_iter().zip(ENDS) {
            if end.node == node.name {
                configuration.ip.push(format!("address add {address}/64 dev {}", end.port));
            }
        }
    }
    for (prefix, at) in topology.destinations() {
        if !at.contains(&node.name.as_str()) {
            configuration.ip.extend(route(topology, node, prefix, &at));
        }
    }
    for network in node.networks.iter().filter_map(|name| topology.network(name)) {
        let others = topology.other_vteps(&node.name, &network.name);
        let vxlan = node.vxlan(network.vni);
        configuration.bridge.extend(others.map(|other| {
            format!(
                "fdb append 00:00:00:00:00:00 dev {vxlan} dst {} self permanent",
                other.loopback
            )
        }));
        for station in topology.stations(network, &node.name) {
            configuration.ip.push(format!(
                "neigh replace {} lladdr {} dev {} nud permanent",
                station.address,
                station.mac,
                node.svi(network.vlan)
            ));
            configuration.bridge.extend(remote_mac(topology, node, network, &station));
        }
    }
}

/// The `ip` line for a route over all shortest ways; none if there is no way.
fn route(topology: &Topology, node: &Switch, prefix: Prefixed, at: &[&str]) -> Option<String> {
    let is_first = |port: &str| {
        topology.links.iter().any(|link| link.a.node == node.name && link.a.port == port)
    };
    let hops = topology.shortest_ways(&node.name, at).into_iter().map(|(own, _)| {
        let far = if is_first(&own.port) { ENDS[1] } else { ENDS[0] };
        let family = if prefix.address.is_ipv4() { "inet6 " } else { "" };
        format!(" nexthop via {family}{far} dev {}", own.port)
    });
    let hops: String = hops.collect();
    // What the node itself says has its loopback as source, as the first address of `lo`.
    (!hops.is_empty()).then(|| format!("route replace {prefix} proto static{hops}"))
}

/// The `bridge` line for the MAC of a station; none where that is plugged in, because the bridge learns it.
fn remote_mac(
    topology: &Topology,
    node: &Switch,
    network: &Network,
    station: &Station<'_>,
) -> Option<String> {
    let leaf = topology.switch(station.at).filter(|leaf| leaf.name != node.name)?;
    Some(behind(node, network, station.mac, leaf))
}

/// The `bridge` line by which a node has a MAC behind another leaf, wherever it was before.
pub fn behind(node: &Switch, network: &Network, mac: Mac, leaf: &Switch) -> String {
    let vxlan = node.vxlan(network.vni);
    format!("fdb replace {mac} dev {vxlan} dst {} self master static", leaf.loopback)
}

/// The `bridge` lines by which a MAC that was behind `before` is at a port of `leaf`, and ages there as
/// if it had been learned.
pub fn arrived(
    leaf: &Switch,
    network: &Network,
    mac: Mac,
    before: &Switch,
    port: &str,
) -> [String; 2] {
    let vxlan = leaf.vxlan(network.vni);
    [
        format!("fdb replace {mac} dev {port} master dynamic"),
        format!("fdb delete {mac} dev {vxlan} dst {} self", before.loopback),
    ]
}

#[cfg(test)]
mod tests {
    use crate::lab::render;
    use crate::lab::topology::Topology;
    use crate::mac::Mac;

    const INVENTORY: &str = include_str!("../../../../topologies/static.toml");

    fn configuration(node: &str) -> render::Configuration {
        with_inventory(INVENTORY, node)
    }

    fn with_inventory(inventory: &str, node: &str) -> render::Configuration {
        let picture = include_str!("../../../../topologies/static.dot");
        let topology = Topology::parse("static", picture, inventory).expect("valid");
        render::switch(&topology, topology.switch(node).expect("drawn"))
    }

    #[test]
    fn a_leaf_has_routes_over_all_spines_and_the_macs_of_other_leafs_hosts() {
        let leaf = configuration("leaf01");
        for line in [
            "address add fe80::1/64 dev swp1",
            "route replace 10.0.1.12/32 proto static nexthop via inet6 fe80::2 dev swp1 \
             nexthop via inet6 fe80::2 dev swp2",
            "route replace fd00:0:1::13/128 proto static nexthop via fe80::2 dev swp1 \
             nexthop via fe80::2 dev swp2",
        ] {
            assert!(leaf.ip.iter().any(|it| it == line), "{line}: {:#?}", leaf.ip);
        }
        let flood: Vec<&String> =
            leaf.bridge.iter().filter(|it| it.starts_with("fdb append 00:")).collect();
        assert_eq!(flood.len(), 3, "two other leafs of one network, one of the other: {flood:?}");
        let macs = leaf.bridge.iter().filter(|it| it.contains("self master static"));
        assert_eq!(macs.count(), 3, "{:?}", leaf.bridge);
    }

    #[test]
    fn a_leaf_has_the_svis_under_virtual_routers_of_others_behind_them() {
        let leaf02 = "loopback = \"10.0.1.12\"\n";
        let inventory = INVENTORY.replace(leaf02, &format!("{leaf02}gateways = \"vrr\"\n"));
        let inventory = format!(
            "{inventory}[networks.web.addresses]\nleaf02 = [\"10.100.0.2/24\"]\n\
             [networks.app.addresses]\nleaf02 = [\"10.200.0.2/24\"]\n"
        );
        let mac = Mac::derived_from("leaf02:web");
        let leaf = with_inventory(&inventory, "leaf01");
        let line = format!("neigh replace 10.100.0.2 lladdr {mac} dev br100 nud permanent");
        assert!(leaf.ip.contains(&line), "{line}: {:#?}", leaf.ip);
        let line = format!("fdb replace {mac} dev vxlan10100 dst 10.0.1.12 self master static");
        assert!(leaf.bridge.contains(&line), "{line}: {:#?}", leaf.bridge);
        let itself = with_inventory(&inventory, "leaf02");
        assert!(itself.ip.contains(&"address add 10.100.0.2/24 dev br100".to_owned()));
        assert!(!itself.ip.iter().any(|it| it.starts_with("neigh replace 10.100.0.2 ")));
    }

    #[test]
    fn a_spine_has_routes_to_its_leafs_and_no_macs() {
        let spine = configuration("spine01");
        let line = "route replace 10.0.1.12/32 proto static nexthop via inet6 fe80::1 dev swp2";
        assert!(spine.ip.iter().any(|it| it == line), "{:#?}", spine.ip);
        assert_eq!(spine.bridge, Vec::<String>::new());
    }
}
