//! `frr.conf`: BGP unnumbered on every link; IPv4 and IPv6 unicast for loopbacks, the subnets of
//! routed ports and services; EVPN; BFD.
//!
//! A server has an AS of its own, so that the paths to all servers of a service are equally long
//! where they should be: its own rack is nearer than the site, and the site nearer than another one. A server where
//! networks live is a VTEP: its leafs pass EVPN routes on as spines do, and it passes none on between its leafs.
//!
//! How EVPN crosses from site to site is a choice of the fabric. Hop by hop, through the borders,
//! every link carries EVPN. Each bgpd on the way keeps a route for 50 ms before it passes it on
//! (the hold time of FRR's route processing queue, which cannot be set), and a MAC that moves to
//! another site passes five of them: 270 ms. With EVPN sessions between the spines' loopbacks it
//! passes three, 170 ms, and the links between sites carry the underlay only, so that a withdrawn
//! route has no longer way round to come back by.

use std::fmt::{self, Write as _};

use super::{inside, vrf};
use crate::lab::topology::{Bfd, Function, Switch, Topology};

/// Peer group of the links inside a site.
const FABRIC: &str = "FABRIC";
/// Peer group of the links to other sites.
const DCI: &str = "DCI";
/// Peer group of a leaf's servers.
const SERVERS: &str = "SERVERS";
/// Peer group of the spines of other sites.
const OVERLAY: &str = "OVERLAY";

/// The profile of BFD sessions.
const BFD_PROFILE: &str = "LINK";
/// Routes that began here, by their empty AS path: a server with two leafs or exits is no way between them. The name
/// of a list, and of the route map by it.
pub(super) const OWN: &str = "OWN";

/// Seconds for which zebra keeps a nexthop group that no route uses. A group in use again is taken
/// for installed, but the kernel has shrunk it if a link went down meanwhile, and with FRR's own 180
/// seconds a link that flaps would carry nothing until then (seen with FRR 8.4.4).
const KEEP_GROUPS: u8 = 1;

/// Renders the integrated configuration of a switch for FRR 8.4 and newer.
pub fn frr_conf(topology: &Topology, node: &Switch) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, topology, node);
    text
}

/// The neighbours of a switch by peer group.
#[derive(Default)]
struct Neighbours<'a> {
    fabric: Vec<&'a str>,
    dci: Vec<&'a str>,
    servers: Vec<&'a str>,
    overlay: Vec<std::net::Ipv4Addr>,
}

fn neighbours<'a>(topology: &'a Topology, node: &'a Switch) -> Neighbours<'a> {
    let mut neighbours = Neighbours::default();
    for (own, peer) in topology.links_of(&node.name) {
        let group = match topology.switch(&peer.node) {
            Some(peer) if peer.function == Function::Server => &mut neighbours.servers,
            // Those have groups of their own.
            Some(peer) if [peer, node].iter().any(|it| it.function == Function::Provider) => {
                continue;
            }
            Some(peer) if peer.site == node.site => &mut neighbours.fabric,
            _ => &mut neighbours.dci,
        };
        group.push(own.port.as_str());
    }
    neighbours.overlay = topology.evpn_peers(node).map(|peer| peer.loopback).collect();
    neighbours
}

fn write_all(text: &mut String, topology: &Topology, node: &Switch) -> fmt::Result {
    let Neighbours { fabric, dci, servers, overlay } = neighbours(topology, node);
    write!(
        text,
        "\
frr version 8.4
frr defaults datacenter
hostname {name}
log syslog informational
service integrated-vtysh-config
zebra nexthop-group keep {KEEP_GROUPS}
!
",
        name = node.name,
    )?;
    if let Some(timers) = &topology.fabric.bfd {
        bfd(text, timers)?;
    }
    let is_server = node.function == Function::Server;
    if is_server {
        writeln!(text, "bgp as-path access-list {OWN} seq 5 permit ^$\n!")?;
        if !node.networks.is_empty() {
            // EVPN has no filter lists of its own.
            writeln!(text, "route-map {OWN} permit 10\n match as-path {OWN}\nexit\n!")?;
        }
    }
    inside::prefix_lists(text, topology, node)?;
    vrf::l3vnis(text, topology, node)?;
    write!(
        text,
        "\
router bgp {asn}
 bgp router-id {loopback}
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 coalesce-time 0
",
        asn = node.asn,
        loopback = node.loopback,
    )?;
    if !node.announces.is_empty() {
        // It has no routes to what it announces.
        writeln!(text, " no bgp network import-check")?;
    }
    let with_bfd = topology.fabric.bfd.is_some();
    for (group, ports) in [(FABRIC, &fabric), (DCI, &dci), (SERVERS, &servers)] {
        if !ports.is_empty() {
            watched_group(text, group, with_bfd)?;
        }
        for port in ports {
            writeln!(text, " neighbor {port} interface peer-group {group}")?;
        }
    }
    let beyond = inside::groups(topology, node);
    for group in &beyond {
        watched_group(text, group.name, with_bfd)?;
        for neighbour in &group.neighbours {
            writeln!(text, " neighbor {neighbour} peer-group {}", group.name)?;
        }
    }
    if !overlay.is_empty() {
        peer_group(text, OVERLAY)?;
        writeln!(text, " neighbor {OVERLAY} ebgp-multihop 8")?;
        writeln!(text, " neighbor {OVERLAY} update-source {}", node.loopback)?;
    }
    for peer in &overlay {
        writeln!(text, " neighbor {peer} peer-group {OVERLAY}")?;
    }
    writeln!(text, " !")?;

    let shared = shares_as(topology, node);
    let underlay =
        [(FABRIC, !fabric.is_empty()), (DCI, !dci.is_empty()), (SERVERS, !servers.is_empty())];
    for (family, wanted, is_ipv6) in [("ipv4", true, false), ("ipv6", topology.has_ipv6(), true)] {
        if !wanted {
            continue;
        }
        writeln!(text, " address-family {family} unicast")?;
        for prefix in topology.announced(node).filter(|it| it.address.is_ipv6() == is_ipv6) {
            writeln!(text, "  network {prefix}")?;
        }
        activate(text, &underlay, shared)?;
        if is_server && !fabric.is_empty() {
            writeln!(text, "  neighbor {FABRIC} filter-list {OWN} out")?;
        }
        for (group, _) in underlay.iter().filter(|it| it.1 && inside::is_exit(topology, node)) {
            writeln!(text, "  neighbor {group} prefix-list {} out", inside::UNDERLAY)?;
        }
        for group in beyond.iter().filter(|it| it.families.contains(&family)) {
            writeln!(text, "  neighbor {} activate", group.name)?;
            for filter in &group.filters {
                writeln!(text, "  neighbor {} {filter}", group.name)?;
            }
        }
        writeln!(text, "  maximum-paths 64\n exit-address-family\n !")?;
    }

    let carries_evpn = match node.function.is_way() {
        true => !topology.networks.is_empty(),
        false => !node.networks.is_empty(),
    };
    if carries_evpn {
        let dci_carries_evpn = !topology.fabric.evpn_between_spines && !dci.is_empty();
        let has_vteps = topology.links_of(&node.name).any(|(_, peer)| {
            let peer = topology.switch(&peer.node);
            peer.is_some_and(|it| it.function == Function::Server && !it.networks.is_empty())
        });
        let evpn = [
            (FABRIC, !fabric.is_empty()),
            (DCI, dci_carries_evpn),
            (SERVERS, has_vteps),
            (OVERLAY, !overlay.is_empty()),
        ];
        writeln!(text, " address-family l2vpn evpn")?;
        activate(text, &evpn, shared)?;
        if is_server && !fabric.is_empty() {
            writeln!(text, "  neighbor {FABRIC} route-map {OWN} out")?;
        }
        vnis(text, topology, node)?;
        writeln!(text, " exit-address-family")?;
    }
    writeln!(text, "exit\n!")?;
    vrf::instances(text, topology, node)
}

fn bfd(text: &mut String, timers: &Bfd) -> fmt::Result {
    write!(
        text,
        "\
bfd
 profile {BFD_PROFILE}
  detect-multiplier {multiplier}
  transmit-interval {transmit}
  receive-interval {receive}
 exit
 !
exit
!
",
        multiplier = timers.multiplier,
        transmit = timers.transmit_ms,
        receive = timers.receive_ms,
    )
}

fn peer_group(text: &mut String, group: &str) -> fmt::Result {
    write!(
        text,
        " neighbor {group} peer-group
 neighbor {group} remote-as external
 neighbor {group} advertisement-interval 0
 neighbor {group} timers 3 9
 neighbor {group} timers connect 1
"
    )
}

/// A peer group whose sessions BFD watches if it runs.
fn watched_group(text: &mut String, group: &str, with_bfd: bool) -> fmt::Result {
    peer_group(text, group)?;
    if with_bfd {
        writeln!(text, " neighbor {group} bfd\n neighbor {group} bfd profile {BFD_PROFILE}")?;
    }
    Ok(())
}

fn activate(text: &mut String, groups: &[(&str, bool)], shared_as: bool) -> fmt::Result {
    for (group, _) in groups.iter().filter(|(_, wanted)| *wanted) {
        writeln!(text, "  neighbor {group} activate")?;
        if shared_as {
            writeln!(text, "  neighbor {group} allowas-in origin")?;
        }
    }
    Ok(())
}

fn vnis(text: &mut String, topology: &Topology, node: &Switch) -> fmt::Result {
    if !node.networks.is_empty() {
        writeln!(text, "  advertise-all-vni")?;
    }
    for network in node.networks.iter().filter_map(|name| topology.network(name)) {
        // The automatic route target is AS:VNI, and every rack has another AS.
        write!(
            text,
            "  vni {vni}
   route-target import {rt}:{vni}
   route-target export {rt}:{vni}
{svi}  exit-vni
",
            // Its address is no other leaf's, who would ask for it and find no MAC.
            svi = match network.addresses.contains_key(&node.name) {
                true => "   advertise-svi-ip\n",
                false => "",
            },
            vni = network.vni,
            rt = topology.fabric.route_target_as,
        )?;
    }
    Ok(())
}

/// Switches of one rack may share an AS; they must accept each other's routes, which come back
/// with their own AS in the path.
fn shares_as(topology: &Topology, node: &Switch) -> bool {
    !node.networks.is_empty()
        && topology.switches.iter().any(|other| other.name != node.name && other.asn == node.asn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(inventory: &str, node: &str) -> String {
        let picture = include_str!("../../../../topologies/two-sites.dot");
        let topology = Topology::parse("two-sites", picture, inventory).expect("valid");
        frr_conf(&topology, topology.switch(node).expect("drawn"))
    }

    const INVENTORY: &str = include_str!("../../../../topologies/two-sites.toml");

    /// The lines of one address family.
    fn family<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let start = format!("address-family {name}");
        text.lines()
            .map(str::trim)
            .skip_while(|line| *line != start)
            .take_while(|line| *line != "exit-address-family")
            .collect()
    }

    #[test]
    fn a_leaf_advertises_its_vnis_with_the_route_target_of_the_fabric() {
        let text = rendered(INVENTORY, "leaf03");
        let evpn = family(&text, "l2vpn evpn");
        for line in
            ["advertise-all-vni", "vni 10200", "route-target import 65000:10200", "vni 10300"]
        {
            assert!(evpn.contains(&line), "{line} is missing in {evpn:?}");
        }
        assert!(!evpn.contains(&"vni 10100"), "VLAN 100 does not live in Site-02");
        assert!(text.contains("router bgp 65201\n"));
        assert!(!text.contains("allowas-in"));
    }

    #[test]
    fn spines_of_two_sites_exchange_evpn_directly_and_the_links_between_sites_carry_none() {
        let spine = rendered(INVENTORY, "spine01");
        assert!(spine.contains(" neighbor 10.0.2.2 peer-group OVERLAY\n"));
        assert!(family(&spine, "l2vpn evpn").contains(&"neighbor OVERLAY activate"));
        assert!(!family(&spine, "ipv4 unicast").contains(&"neighbor OVERLAY activate"));
        let border = rendered(INVENTORY, "border01");
        assert!(border.contains(" neighbor swp31 interface peer-group DCI\n"));
        assert!(family(&border, "ipv4 unicast").contains(&"neighbor DCI activate"));
        assert!(!family(&border, "l2vpn evpn").contains(&"neighbor DCI activate"));
    }

    fn anycast(node: &str) -> String {
        let picture = include_str!("../../../../topologies/anycast.dot");
        let inventory = include_str!("../../../../topologies/anycast.toml");
        let topology = Topology::parse("anycast", picture, inventory).expect("valid");
        frr_conf(&topology, topology.switch(node).expect("drawn"))
    }

    #[test]
    fn a_server_announces_its_services_and_what_it_hears_to_nobody() {
        let server = anycast("srv01");
        let [ipv4, ipv6] = ["ipv4 unicast", "ipv6 unicast"].map(|name| family(&server, name));
        assert!(ipv4.contains(&"network 10.99.0.1/32"), "{ipv4:?}");
        assert!(ipv6.contains(&"network fd00:99::1/128"), "{ipv6:?}");
        for family in [ipv4, ipv6] {
            assert!(family.contains(&"neighbor FABRIC filter-list OWN out"), "{family:?}");
        }
        assert!(server.contains("bgp as-path access-list OWN seq 5 permit ^$\n"));
        assert!(!server.contains("evpn"), "nothing is stretched");
    }

    fn on_host(node: &str) -> String {
        let picture = include_str!("../../../../topologies/evpn-on-host.dot");
        let inventory = include_str!("../../../../topologies/evpn-on-host.toml");
        let topology = Topology::parse("evpn-on-host", picture, inventory).expect("valid");
        frr_conf(&topology, topology.switch(node).expect("drawn"))
    }

    #[test]
    fn a_server_with_networks_announces_its_vnis_and_passes_no_route_on() {
        let server = on_host("srv03");
        assert!(server.contains("route-map OWN permit 10\n match as-path OWN\nexit\n"), "{server}");
        let evpn = family(&server, "l2vpn evpn");
        for line in [
            "neighbor FABRIC activate",
            "neighbor FABRIC route-map OWN out",
            "advertise-all-vni",
            "vni 10300",
            "route-target export 65000:10300",
        ] {
            assert!(evpn.contains(&line), "{line} is missing in {evpn:?}");
        }
        assert!(!evpn.contains(&"vni 10100"), "that network is on the other servers");
        assert!(family(&server, "ipv4 unicast").contains(&"neighbor FABRIC filter-list OWN out"));
    }

    #[test]
    fn a_leaf_passes_the_evpn_routes_of_its_servers_on_and_has_none_itself() {
        let leaf = on_host("leaf01");
        let evpn = family(&leaf, "l2vpn evpn");
        let expected =
            ["address-family l2vpn evpn", "neighbor FABRIC activate", "neighbor SERVERS activate"];
        assert_eq!(evpn, expected);
        assert!(family(&on_host("spine01"), "l2vpn evpn").contains(&"neighbor FABRIC activate"));
    }

    #[test]
    fn a_leaf_announces_the_subnets_of_its_routed_ports() {
        let leaf = anycast("leaf03");
        assert!(family(&leaf, "ipv4 unicast").contains(&"network 10.1.13.0/24"));
        assert!(family(&leaf, "ipv6 unicast").contains(&"network fd00:1:13::/64"));
        assert!(anycast("leaf01").contains(" neighbor swp11 interface peer-group SERVERS\n"));
    }

    #[test]
    fn bfd_watches_every_link_where_the_inventory_wants_it() {
        let watched = format!("{INVENTORY}\n[fabric]\nbfd = {{ transmit_ms = 20 }}\n");
        let border = rendered(&watched, "border01");
        for line in [" neighbor FABRIC bfd profile LINK", " neighbor DCI bfd profile LINK"] {
            assert!(border.contains(line), "{line}");
        }
        assert!(border.contains("  detect-multiplier 3\n  transmit-interval 20\n"));
        assert!(!rendered(&watched, "spine01").contains("neighbor OVERLAY bfd"));
        assert!(!rendered(INVENTORY, "border01").contains("bfd"));
        assert!(!rendered(INVENTORY, "border01").contains("ipv6 unicast"));
    }

    #[test]
    fn without_sessions_between_spines_the_borders_relay_evpn() {
        let relay = format!("{INVENTORY}\n[fabric]\nevpn_between_spines = false\n");
        assert!(!rendered(&relay, "spine01").contains("OVERLAY"));
        let border = rendered(&relay, "border01");
        assert!(family(&border, "l2vpn evpn").contains(&"neighbor DCI activate"));
    }

    #[test]
    fn leafs_of_one_rack_accept_their_own_as_as_origin() {
        let shared = INVENTORY.replace("as = 65102", "as = 65101");
        assert!(rendered(&shared, "leaf02").contains("  neighbor FABRIC allowas-in origin\n"));
        assert!(!rendered(&shared, "leaf03").contains("allowas-in"));
    }
}
