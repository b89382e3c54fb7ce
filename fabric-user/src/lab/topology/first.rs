//! A first inventory for a picture: complete enough to come up, and to be changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::picture::{DrawnNode, Function, Picture};

/// Numbers of AS that nobody else has: those of 16 bits, and when they do not suffice those of 32.
const AS: [u32; 2] = [64512, 4_200_000_000];
/// So many AS of 16 bits are private.
const SHORT_AS: usize = 65534 - 64512 + 1;
/// Loopbacks follow on this address.
const LOOPBACKS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
/// Subnets of routed ports, with 24 bits each.
const ROUTED: Ipv4Addr = Ipv4Addr::new(10, 32, 0, 0);
/// Networks, with 16 bits each.
const NETWORKS: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
/// The first VLAN, and how much more its VNI is.
const VLAN: usize = 10;
const VNI: usize = 10_000;

/// The inventory of a picture whose file is called `file`.
///
/// Every switch and server has an AS of its own, except for spines with the same neighbours: no way leads
/// through two of those. What is connected is one site, with one network on all its leafs and on borders with
/// hosts; where hosts are on servers, on those, and on leafs only if any has hosts itself. Hosts on spines have
/// routed ports. Where only servers connect the switches of a site, each part has
/// a network of its own, because servers are no way from one to the other.
pub fn inventory(picture: &Picture, file: &str) -> String {
    let mut text = format!(
        "# A first inventory for {file}, written by `fabricctl lab new`: change what you know better.
# Assumed: all that is connected is one site, with one network for the hosts of switches with a way to each
# other. Every node has an AS of its own; spines with the same neighbours share one. Addresses and numbers are
# made up.
"
    );
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, picture);
    text
}

fn write_all(text: &mut String, picture: &Picture) -> std::fmt::Result {
    let sites = picture.parts(|_| true);
    let count = sites.values().max().map_or(0, |last| last + 1);
    let site = |node: &str| format!("site{}", sites.get(node).map_or(1, |index| index + 1));
    if count > 1 {
        write!(
            text,
            "
[fabric]
# No cables join the {count} sites, so their spines have no way to each other.
evpn_between_spines = false
"
        )?;
    }
    let speakers = || picture.nodes.iter().filter(|node| node.function != Function::Host);
    let asns = as_numbers(picture, speakers());
    for (node, index) in speakers().zip(1..) {
        write!(
            text,
            "
# A {function}.
[nodes.{name}]
site = \"{site}\"
as = {asn}
loopback = \"{loopback}\"
{announces}",
            function = node.function.name(),
            name = node.name,
            site = site(&node.name),
            asn = asns[node.name.as_str()],
            loopback = plus(LOOPBACKS, index),
            announces = match node.function {
                Function::Provider => "announces = [\"0.0.0.0/0\"]\n",
                _ => "",
            },
        )?;
    }
    let plugged = plugged(picture);
    // A network needs a way between its VTEPs, and servers and providers are none.
    let is_way = |function: Function| function.is_way() && function != Function::Host;
    let parts = picture.parts(is_way);
    let networks = parts.values().max().map_or(0, |last| last + 1);
    for index in 0..networks {
        network(text, picture, [&sites, &parts], &plugged, index)?;
    }
    let mut routed = 0;
    let mut members: BTreeMap<usize, usize> = BTreeMap::new();
    for (host, switch) in &plugged {
        writeln!(text, "\n[hosts.{host}]")?;
        let at = function(picture, switch);
        if let Some(at @ (Function::Spine | Function::Provider)) = at {
            let subnet = plus(ROUTED, routed << 8);
            routed += 1;
            writeln!(
                text,
                "# {switch} is a {}, where no network lives: its port is routed.",
                at.name()
            )?;
            writeln!(text, "address = \"{}/24\"", plus(subnet, 10))?;
            writeln!(text, "gateway = \"{}\"", plus(subnet, 1))?;
        } else {
            let index = part_of(picture, &parts, switch).unwrap_or_default();
            let member = members.entry(index).or_default();
            writeln!(text, "network = \"{}\"", network_name(networks, index))?;
            // 11 to 210, and the same in the next 256.
            let offset = *member / 200 * 256 + 11 + *member % 200;
            writeln!(text, "address = \"{}\"", plus(subnet_of(index), offset))?;
            *member += 1;
        }
    }
    Ok(())
}

/// The network of the part `index`, on the nodes that can have it.
fn network(
    text: &mut String,
    picture: &Picture,
    [sites, parts]: [&BTreeMap<&str, usize>; 2],
    plugged: &[(&str, &str)],
    index: usize,
) -> std::fmt::Result {
    let here = |node: &&DrawnNode| part_of(picture, parts, &node.name) == Some(index);
    let of = |function: Function| {
        picture.nodes.iter().filter(here).filter(move |node| node.function == function)
    };
    let names = |node: &DrawnNode| format!("\"{}\"", node.name);
    let has_host = |node: &&DrawnNode| plugged.iter().any(|(_, switch)| *switch == node.name);
    let servers: Vec<String> = of(Function::Server).filter(has_host).map(names).collect();
    let borders: Vec<String> = of(Function::Border).filter(has_host).map(names).collect();
    let is_on_leafs =
        servers.is_empty() || !borders.is_empty() || of(Function::Leaf).any(|it| has_host(&it));
    let leafs = of(Function::Leaf).filter(|_| is_on_leafs).map(names);
    let leafs: Vec<String> = leafs.collect();
    if [&leafs, &borders, &servers].iter().all(|it| it.is_empty()) {
        return Ok(());
    }
    let site = picture.nodes.iter().find(here).and_then(|node| sites.get(node.name.as_str()));
    let is_whole = parts.iter().all(|(node, part)| sites.get(node) != site || *part == index);
    let count = parts.values().max().map_or(0, |last| last + 1);
    let vlan = VLAN + index;
    write!(
        text,
        "
[networks.{name}]
vlan = {vlan}
vni = {vni}
gateway = \"{gateway}/16\"
gateway_mac = \"02:00:5e:00:{high:02x}:{low:02x}\"
",
        name = network_name(count, index),
        vni = VNI + vlan,
        gateway = plus(subnet_of(index), 1),
        high = vlan >> 8,
        low = vlan & 255,
    )?;
    let single = if is_whole { borders } else { [leafs.clone(), borders].concat() };
    if let Some(site) = site.filter(|_| is_whole && !leafs.is_empty()) {
        writeln!(text, "sites = [\"site{}\"]", site + 1)?;
    }
    if !single.is_empty() {
        writeln!(text, "leafs = [{}]", single.join(", "))?;
    }
    if !servers.is_empty() {
        writeln!(text, "servers = [{}]", servers.join(", "))?;
    }
    Ok(())
}

/// The part that a node is in; a server is in that of the first of its switches.
fn part_of(picture: &Picture, parts: &BTreeMap<&str, usize>, name: &str) -> Option<usize> {
    let cables = || picture.cables.iter().filter_map(|cable| cable.from(|node| node == name));
    let first = || cables().find_map(|(_, peer)| parts.get(peer.node.as_str()));
    parts.get(name).or_else(first).copied()
}

fn network_name(count: usize, index: usize) -> String {
    if count > 1 { format!("lan{}", index + 1) } else { "lan".to_owned() }
}

fn subnet_of(index: usize) -> Ipv4Addr {
    plus(NETWORKS, index << 16)
}

fn plus(base: Ipv4Addr, offset: usize) -> Ipv4Addr {
    (u32::from(base) + u32::try_from(offset).unwrap_or_default()).into()
}

fn function(picture: &Picture, name: &str) -> Option<Function> {
    picture.nodes.iter().find(|node| node.name == name).map(|node| node.function)
}

/// Hosts with the switches that they are plugged into, by one cable or more.
fn plugged(picture: &Picture) -> Vec<(&str, &str)> {
    let is_host = |name: &str| function(picture, name) == Some(Function::Host);
    let cables = picture.cables.iter().filter_map(|cable| cable.from(is_host));
    let mut seen = BTreeSet::new();
    let first = cables.filter(|(host, _)| seen.insert(&host.node));
    first.map(|(host, switch)| (host.node.as_str(), switch.node.as_str())).collect()
}

fn neighbours<'a>(picture: &'a Picture, name: &str) -> BTreeSet<&'a str> {
    let cables = picture.cables.iter().filter_map(|cable| cable.from(|node| node == name));
    cables.map(|(_, peer)| peer.node.as_str()).collect()
}

fn as_numbers<'a>(
    picture: &'a Picture,
    speakers: impl Iterator<Item = &'a DrawnNode>,
) -> BTreeMap<&'a str, u32> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut of_spines: BTreeMap<BTreeSet<&str>, usize> = BTreeMap::new();
    for node in speakers {
        let peers = neighbours(picture, &node.name);
        let is_shared = node.function == Function::Spine && !peers.is_empty();
        let group =
            if is_shared { *of_spines.entry(peers).or_insert(groups.len()) } else { groups.len() };
        match groups.get_mut(group) {
            Some(members) => members.push(&node.name),
            None => groups.push(vec![&node.name]),
        }
    }
    let base = if groups.len() <= SHORT_AS { AS[0] } else { AS[1] };
    let numbered = groups.into_iter().zip(base..);
    numbered.flat_map(|(members, asn)| members.into_iter().map(move |it| (it, asn))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Topology, picture};
    use super::*;

    /// The topology of a picture with its first inventory.
    fn first(text: &str) -> Topology {
        let inventory = inventory(&picture::parse(text, "t.dot"), "t.dot");
        Topology::parse("t", text, &inventory)
            .unwrap_or_else(|error| panic!("{error}\n{inventory}"))
    }

    fn asn(topology: &Topology, name: &str) -> u32 {
        topology.switch(name).expect("drawn").asn
    }

    #[test]
    fn spines_with_the_same_neighbours_share_an_as_and_others_do_not() {
        let topology = first(
            "graph { spine1 -- { leaf1 leaf2 } spine2 -- { leaf1 leaf2 } spine3 -- leaf2
                     h1 -- leaf1 h2 -- leaf2 }",
        );
        assert_eq!(asn(&topology, "spine1"), asn(&topology, "spine2"));
        assert_ne!(asn(&topology, "spine1"), asn(&topology, "spine3"));
        assert_ne!(asn(&topology, "leaf1"), asn(&topology, "leaf2"));
        let joined =
            first("graph { spine1 -- { leaf1 leaf2 } spine2 -- { leaf1 leaf2 } spine1 -- spine2 }");
        assert_ne!(asn(&joined, "spine1"), asn(&joined, "spine2"));
    }

    #[test]
    fn hosts_are_in_the_network_of_their_site_and_on_routed_ports_of_spines() {
        let topology = first(
            "graph { spine1 -- { leaf1 exit1 } vm1 -- leaf1 vm2 -- exit1 vm3 -- spine1
                     leaf8 -- leaf9 vm8 -- leaf8 leaf7 [function=leaf] }",
        );
        assert_eq!(topology.sites(), ["site1", "site2", "site3"]);
        assert!(!topology.fabric.evpn_between_spines);
        let network = |host: &str| topology.host(host).expect("drawn").network().map(str::to_owned);
        assert_eq!(network("vm1"), network("vm2"));
        assert_ne!(network("vm1"), network("vm8"));
        assert_eq!(network("vm3"), None);
    }

    #[test]
    fn a_provider_announces_a_default_route_and_its_hosts_have_routed_ports() {
        let topology = first(
            "graph { spine1 -- { leaf1 exit1 } isp [function=provider] isp -- exit1
                     client [function=host] client -- isp vm1 -- leaf1 }",
        );
        let isp = topology.switch("isp").expect("drawn");
        let announced: Vec<String> = isp.announces.iter().map(ToString::to_string).collect();
        assert_eq!(announced, ["0.0.0.0/0"]);
        assert_eq!(topology.host("client").and_then(|it| it.network()), None);
        assert_eq!(topology.host("vm1").and_then(|it| it.network()), Some("lan"));
    }

    /// Two racks that share servers alone: no way leads from one to the other.
    #[test]
    fn switches_that_only_servers_connect_have_networks_of_their_own() {
        let topology = first(
            "graph { spine1 -- { leaf1 leaf2 } spine2 -- { leaf3 exit4 } s [function=server]
                     s -- leaf1 s -- leaf3 vm1 -- leaf1 vm2 -- leaf2 vm3 -- leaf3 vm4 -- exit4 }",
        );
        assert_eq!(topology.sites(), ["site1"]);
        let networks = |name: &str| topology.switch(name).expect("drawn").networks.clone();
        assert_eq!(networks("leaf1"), ["lan1"]);
        assert_eq!(networks("leaf2"), ["lan1"]);
        assert_eq!(networks("leaf3"), ["lan2"]);
        assert_eq!(networks("exit4"), ["lan2"]);
    }

    #[test]
    fn hosts_on_servers_have_their_network_there_and_leafs_have_it_if_they_have_hosts() {
        let text = "graph { a [function=server] b [function=server] c [function=server] a -- vm1
                    spine1 -- { leaf1 leaf2 } leaf1 -- { a b c } leaf2 -- { a b } b -- vm2";
        let vteps = |more: &str| {
            let topology = first(&format!("{text} {more} }}"));
            assert_eq!(topology.networks.len(), 1);
            let has_network = topology.switches.iter().filter(|it| !it.networks.is_empty());
            has_network.map(|it| it.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(vteps(""), ["a", "b"]);
        assert_eq!(vteps("leaf2 -- vm3"), ["a", "b", "leaf1", "leaf2"]);
    }

    #[test]
    fn a_large_fabric_gets_numbers_that_are_apart() {
        let mut text = "graph {\n".to_owned();
        for leaf in 0..250 {
            let _ = writeln!(text, "spine1 -- leaf{leaf} -- h{leaf}");
        }
        let topology = first(&(text + "}"));
        assert_eq!((topology.switches.len(), topology.hosts.len()), (251, 250));
    }
}
