//! The part of `frr.conf` that is about servers in networks, their exits, and providers: numbered sessions inside a
//! network, and the sessions of borders with the outside.
//!
//! What comes from outside goes to the servers and nowhere else, and what servers announce goes outside and nowhere
//! else: the underlay hears of neither. Who announces what is known, so each side of a session takes that and nothing
//! else.

use std::fmt::{self, Write as _};

use super::frr::OWN;
use crate::lab::topology::{Function, Prefixed, Switch, Topology};

/// Peer groups of an exit's servers, and of a server's exits, one for each family.
const SERVERS: [&str; 2] = ["INSIDE", "INSIDE6"];
const EXITS: [&str; 2] = ["EXITS", "EXITS6"];
/// Peer group of a border's providers.
const PROVIDERS: &str = "PROVIDERS";
/// Peer group of a provider's borders.
const CUSTOMERS: &str = "CUSTOMERS";
/// Peer group of a provider's other providers.
const PEERS: &str = "PEERS";

/// Prefixes of services that servers in networks announce.
const SERVICES: &str = "SERVICES";
/// Prefixes that providers announce.
const ANNOUNCED: &str = "ANNOUNCED";
/// All but both.
pub(super) const UNDERLAY: &str = "UNDERLAY";

/// The two families, as FRR calls them.
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

/// A peer group beyond those of the underlay.
pub(super) struct Group {
    /// Its name.
    pub(super) name: &'static str,
    /// Its neighbours, as they stand behind `neighbor`.
    pub(super) neighbours: Vec<String>,
    /// The families that its sessions carry.
    pub(super) families: Vec<&'static str>,
    /// Filters of each family, as they stand behind `neighbor GROUP`.
    pub(super) filters: Vec<String>,
}

/// Whether a switch stands between servers in networks and the outside, or at one of them.
pub(super) fn is_exit(topology: &Topology, node: &Switch) -> bool {
    let is_inside = !topology.sessions_inside(node).is_empty();
    node.function.is_way() && (is_inside || topology.providers_of(&node.name).next().is_some())
}

/// The peer groups of a node, without those that would be empty.
pub(super) fn groups(topology: &Topology, node: &Switch) -> Vec<Group> {
    let lists = |from: &str, to: &str| {
        vec![format!("prefix-list {from} in"), format!("prefix-list {to} out")]
    };
    let links = |wanted: &dyn Fn(&Switch) -> bool| {
        let links = topology.links_of(&node.name);
        let links = links.filter(|(_, peer)| topology.switch(&peer.node).is_some_and(wanted));
        links.map(|(own, _)| format!("{} interface", own.port)).collect::<Vec<_>>()
    };
    let both = |name, neighbours, filters| {
        let families = FAMILIES[..if topology.has_ipv6() { 2 } else { 1 }].to_vec();
        Group { name, neighbours, families, filters }
    };
    let is_provider = |it: &Switch| it.function == Function::Provider;
    let mut groups = if is_provider(node) {
        vec![
            both(CUSTOMERS, links(&|it| !is_provider(it)), lists(SERVICES, ANNOUNCED)),
            both(PEERS, links(&is_provider), Vec::new()),
        ]
    } else {
        vec![both(PROVIDERS, links(&is_provider), lists(ANNOUNCED, SERVICES))]
    };
    let sessions = topology.sessions_inside(node);
    let (names, filters) = match topology.member(&node.name) {
        Some(_) => (EXITS, vec![format!("filter-list {OWN} out")]),
        None => (SERVERS, lists(SERVICES, ANNOUNCED)),
    };
    for (index, name) in names.into_iter().enumerate() {
        let of_family = sessions.iter().filter(|it| usize::from(it.address.is_ipv6()) == index);
        let neighbours = of_family.map(|it| it.address.to_string()).collect();
        let (families, filters) = (vec![FAMILIES[index]], filters.clone());
        groups.push(Group { name, neighbours, families, filters });
    }
    groups.retain(|group| !group.neighbours.is_empty());
    groups
}

/// The prefix lists by which the groups are filtered.
pub(super) fn prefix_lists(text: &mut String, topology: &Topology, node: &Switch) -> fmt::Result {
    let is_provider = node.function == Function::Provider;
    if !is_provider && !is_exit(topology, node) {
        return Ok(());
    }
    let services: Vec<Prefixed> = topology.services_inside().map(Prefixed::single).collect();
    let mut announced = node.announces.clone();
    for provider in topology.providers_of(&node.name).filter(|_| !is_provider) {
        let new: Vec<_> = provider.announces.iter().filter(|it| !announced.contains(it)).collect();
        announced.extend(new);
    }
    for (index, word) in ["ip", "ipv6"].into_iter().enumerate() {
        if index == 1 && !topology.has_ipv6() {
            continue;
        }
        let of_family = |all: &[Prefixed]| -> Vec<String> {
            let own = all.iter().filter(|it| usize::from(it.address.is_ipv6()) == index);
            own.map(ToString::to_string).collect()
        };
        let (services, announced) = (of_family(&services), of_family(&announced));
        for (name, prefixes) in [(SERVICES, &services), (ANNOUNCED, &announced)] {
            let permitted = prefixes.iter().map(|it| format!("permit {it}"));
            list(text, word, name, permitted, "deny any")?;
        }
        if !is_provider {
            let denied = services.iter().chain(&announced).map(|it| format!("deny {it}"));
            list(text, word, UNDERLAY, denied, "permit any")?;
        }
        writeln!(text, "!")?;
    }
    Ok(())
}

fn list(
    text: &mut String,
    family: &str,
    name: &str,
    rules: impl Iterator<Item = String>,
    last: &str,
) -> fmt::Result {
    let rules = rules.chain([last.to_owned()]);
    for (number, rule) in (5..).step_by(5).zip(rules) {
        writeln!(text, "{family} prefix-list {name} seq {number} {rule}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::lab::render::{frr_conf, switch};
    use crate::lab::topology::Topology;

    fn topology() -> Topology {
        let picture = include_str!("../../../../topologies/exits.dot");
        let inventory = include_str!("../../../../topologies/exits.toml");
        Topology::parse("exits", picture, inventory).expect("valid")
    }

    fn frr(node: &str) -> String {
        let topology = topology();
        frr_conf(&topology, topology.switch(node).expect("drawn"))
    }

    /// That a text has these lines, each as a whole.
    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|it| it == *line), "{line} is missing: {text}");
        }
    }

    #[test]
    fn an_exit_speaks_with_the_servers_of_all_sites_by_their_addresses_in_the_network() {
        let exit = frr("exit01");
        has(
            &exit,
            &[
                " neighbor 10.50.0.11 peer-group INSIDE",
                " neighbor 10.50.0.23 peer-group INSIDE",
                " neighbor fd00:50::23 peer-group INSIDE6",
                "  neighbor INSIDE prefix-list SERVICES in",
                "  neighbor INSIDE prefix-list ANNOUNCED out",
                "   advertise-svi-ip",
                " bgp bestpath as-path multipath-relax",
            ],
        );
        assert_eq!(exit.matches(" peer-group INSIDE\n").count(), 6, "{exit}");
    }

    #[test]
    fn what_is_outside_and_what_servers_announce_meet_at_exits_and_not_in_the_underlay() {
        has(
            &frr("exit01"),
            &[
                " neighbor swp11 interface peer-group PROVIDERS",
                "  neighbor PROVIDERS prefix-list ANNOUNCED in",
                "  neighbor PROVIDERS prefix-list SERVICES out",
                "  neighbor FABRIC prefix-list UNDERLAY out",
                "ip prefix-list SERVICES seq 5 permit 10.99.0.1/32",
                "ip prefix-list SERVICES seq 10 deny any",
                "ip prefix-list ANNOUNCED seq 5 permit 0.0.0.0/0",
                "ipv6 prefix-list UNDERLAY seq 5 deny fd00:99::1/128",
                "ipv6 prefix-list UNDERLAY seq 15 permit any",
            ],
        );
        let spine = frr("spine01");
        assert!(!spine.contains("prefix-list"), "{spine}");
    }

    #[test]
    fn a_server_in_a_network_announces_its_services_to_all_exits_and_nothing_that_it_hears() {
        let server = frr("front01");
        has(
            &server,
            &[
                " bgp router-id 10.0.1.31",
                " neighbor 10.50.0.1 peer-group EXITS",
                " neighbor 10.50.0.4 peer-group EXITS",
                "  network 10.99.0.1/32",
                "  neighbor EXITS filter-list OWN out",
                "  neighbor EXITS6 filter-list OWN out",
            ],
        );
        for absent in ["interface peer-group", "network 10.0.1.31/32", "evpn", "FABRIC"] {
            assert!(!server.contains(absent), "{absent}: {server}");
        }
    }

    #[test]
    fn a_provider_announces_its_prefixes_to_exits_and_takes_services_from_them() {
        let provider = frr("isp01");
        has(
            &provider,
            &[
                " no bgp network import-check",
                " neighbor swp1 interface peer-group CUSTOMERS",
                "  network 0.0.0.0/0",
                "  network ::/0",
                "  neighbor CUSTOMERS prefix-list ANNOUNCED out",
                "  neighbor CUSTOMERS prefix-list SERVICES in",
                " neighbor swp31 interface peer-group PEERS",
            ],
        );
        assert!(!provider.contains("evpn"), "{provider}");
    }

    #[test]
    fn exits_have_addresses_of_their_own_and_leafs_bridge_only() {
        let topology = topology();
        let of = |name: &str| switch(&topology, topology.switch(name).expect("drawn")).ip;
        let (exit, other, leaf) = (of("exit01"), of("exit02"), of("leaf01"));
        for line in ["address add 10.50.0.1/24 dev br50", "address add fd00:50::1/64 dev br50"] {
            assert!(exit.iter().any(|it| it == line), "{line}: {exit:#?}");
        }
        let bridge = |lines: &[String]| {
            lines.iter().find(|it| it.starts_with("link add br50 ")).cloned().expect("it has one")
        };
        assert_ne!(bridge(&exit), bridge(&other), "the MAC of each is its own");
        assert!(!exit.iter().any(|it| it == "link set br50 addrgenmode none"), "{exit:#?}");
        assert!(leaf.iter().any(|it| it == "link set br50 addrgenmode none"), "{leaf:#?}");
        assert!(!leaf.iter().any(|it| it.starts_with("address") && it.contains("br50")));
        let access = "link set dev swp11 mtu 1500 master br50 addrgenmode none up";
        assert!(leaf.iter().any(|it| it == access), "{leaf:#?}");
        let server = of("front01");
        assert!(server.iter().any(|it| it == "address add 10.50.0.11/24 dev eth0"), "{server:#?}");
    }
}
