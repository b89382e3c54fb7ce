//! Servers in networks and providers: what is refused, and how it is said.

use super::super::Topology;
use super::tests::with;

const PICTURE: &str = include_str!("../../../../../topologies/exits.dot");
const INVENTORY: &str = include_str!("../../../../../topologies/exits.toml");

/// That the files are refused with one sentence, and that it is this one behind its line.
#[track_caller]
fn files_refused(picture: &str, inventory: &str, message: &str) {
    let error = Topology::parse("exits", picture, inventory).expect_err("must be refused");
    let said = error.to_string();
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, sentence) = said.split_once(": ").expect("it has a place");
    assert!(sentence.starts_with(message), "{said}");
}

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    files_refused(PICTURE, &with(INVENTORY, from, to), message);
}

#[test]
fn servers_in_a_network_speak_with_all_its_exits_and_exits_with_all_servers() {
    let topology = Topology::parse("exits", PICTURE, INVENTORY).expect("valid");
    let sessions = |node: &str| {
        let sessions = topology.sessions_inside(topology.switch(node).expect("drawn"));
        sessions.iter().map(|it| it.peer.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        sessions("front05"),
        ["exit01", "exit01", "exit02", "exit02", "exit03", "exit03", "exit04", "exit04"]
    );
    assert_eq!(sessions("exit04").len(), 6 * 2);
    assert!(sessions("leaf01").is_empty(), "it bridges only");
    let member = topology.member("front05").expect("it is in the network");
    let place = (member.network.as_str(), member.switch.node.as_str(), member.switch.port.as_str());
    assert_eq!(place, ("front", "leaf02", "swp12"));
    assert_eq!(topology.links_of("front05").count(), 0, "its port is no link");
    assert!(!topology.switch("isp01").expect("drawn").fabric_xdpd, "it is another one's");
}

#[test]
fn what_is_outside_ends_at_exits_and_at_servers_in_networks() {
    let topology = Topology::parse("exits", PICTURE, INVENTORY).expect("valid");
    let default = topology.switch("isp01").expect("drawn").announces[0];
    let servers: Vec<&str> = topology.services[0].servers.iter().map(String::as_str).collect();
    for (node, to_service, to_outside) in
        [("exit01", 6, 1), ("front01", 0, 4), ("isp02", 2, 0), ("leaf01", 0, 0), ("spine01", 0, 0)]
    {
        let from = topology.switch(node).expect("drawn");
        let widths =
            (topology.service_width(from, &servers), topology.announced_width(from, default));
        let expected = (if node == "front01" { 0 } else { to_service }, to_outside);
        assert_eq!(widths, expected, "{node}");
    }
    assert_eq!(topology.ecmp_width("isp01", &["exit01"]), 0, "the loopback stays inside");
    assert_eq!(topology.ecmp_width("isp01", &["isp02"]), 1);
    assert_eq!(topology.ecmp_width("exit01", &["exit04"]), 1, "by the spines");
}

#[test]
fn a_gateway_beside_addresses_of_nodes_is_refused() {
    refused(
        "vni = 10050\n",
        "vni = 10050\ngateway = \"10.50.0.254/24\"\n",
        "network front has gateway and addresses of single nodes",
    );
}

#[test]
fn a_network_with_neither_is_refused() {
    let (before, rest) = INVENTORY.split_once("[networks.front.addresses]").expect("it has some");
    let (_, services) = rest.split_once("[services").expect("it has some");
    let inventory = format!("{before}\n[services{services}");
    let error = Topology::parse("exits", PICTURE, &inventory).expect_err("must be refused");
    let error = error.to_string();
    assert!(
        error.contains("[networks.front] lacks gateway and gateway_mac; add it, or give"),
        "{error}"
    );
}

#[test]
fn a_tenant_and_a_fabric_without_a_control_plane_are_refused() {
    let tenant = with(INVENTORY, "vni = 10050\n", "vni = 10050\ntenant = \"red\"\n");
    let tenant = format!("{tenant}\n[tenants.red]\nvlan = 4001\nvni = 54001\n");
    files_refused(PICTURE, &tenant, "network front is of tenant red and has addresses");
    let fixed = format!("[fabric]\ncontrol_plane = \"static\"\n{INVENTORY}");
    let error = Topology::parse("exits", PICTURE, &fixed).expect_err("must be refused").to_string();
    for message in
        ["network front has addresses of single nodes, which", "provider isp02 needs BGP"]
    {
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn addresses_are_one_of_ipv4_and_at_most_one_of_ipv6_in_one_subnet() {
    for (to, message) in [
        (
            "[\"fd00:50::4/64\"]",
            "exit04 needs exactly one IPv4 address and at most one IPv6 address",
        ),
        ("[\"10.50.0.4/24\"]", "exit01 has an IPv6 address in network front and exit04 has none"),
        ("[\"10.51.0.4/24\", \"fd00:50::4/64\"]", "exit04 has 10.51.0.4/24 in network front, and"),
        ("[\"10.50.0.3/24\", \"fd00:50::4/64\"]", "address 10.50.0.3 is used twice, by exit03"),
        ("[\"10.50.0.4/32\", \"fd00:50::4/64\"]", "address 10.50.0.4/32 of exit04 in network"),
    ] {
        let inventory = with(INVENTORY, "[\"10.50.0.4/24\", \"fd00:50::4/64\"]", to);
        let error = Topology::parse("exits", PICTURE, &inventory).expect_err("must be refused");
        assert!(error.to_string().contains(message), "{message}: {error}");
    }
}

#[test]
fn addresses_belong_to_leafs_borders_and_servers_where_the_network_lives() {
    refused(
        "exit04 = [",
        "spine01 = [\"10.50.0.9/24\", \"fd00:50::9/64\"]\nexit04 = [",
        "network front has addresses of spine01, which is a spine; leafs, borders and servers",
    );
    refused(
        "leafs = [\"exit01\", \"exit02\", \"exit03\", \"exit04\"]",
        "leafs = [\"exit01\", \"exit02\", \"exit03\"]",
        "exit04 has addresses in network front, which does not live there; add exit04",
    );
    let second = "\"front01\":\"eth0\" -- \"leaf01\":\"swp11\"";
    let both = format!("{second}\n\"front01\":\"eth1\" -- \"leaf01\":\"swp21\"");
    files_refused(
        &with(PICTURE, second, &both),
        INVENTORY,
        "server front01 is in network front and has 2 cables",
    );
}

#[test]
fn a_server_is_in_one_network_whose_exits_have_another_as() {
    let back = "[networks.back]\nvlan = 60\nvni = 10060\nsites = [\"Site-01\"]\n[networks.back.addresses]\nleaf01 = [\"10.60.0.1/24\"]\nfront01 = [\"10.60.0.11/24\"]\n";
    files_refused(
        PICTURE,
        &format!("{INVENTORY}\n{back}"),
        "server front01 has addresses in networks front and back; its port is in one network",
    );
    refused(
        "as = 65111",
        "as = 65202",
        "front01 and exit03 speak BGP in network front with the same AS",
    );
}

#[test]
fn a_service_is_inside_one_network_and_has_its_families() {
    let without = INVENTORY.lines().filter(|line| !line.starts_with("front06 = "));
    let without: String = without.map(|line| format!("{line}\n")).collect();
    files_refused(
        PICTURE,
        &without,
        "service web runs on front01, which is in network front, and on front06, which is in no network",
    );
    let mut ipv4 = String::new();
    for line in INVENTORY.lines() {
        match line.split_once(", \"fd00:50::") {
            Some((address, _)) => ipv4 += &format!("{address}]\n"),
            None => ipv4 += &format!("{line}\n"),
        }
    }
    files_refused(
        PICTURE,
        &ipv4,
        "service web has the address fd00:99::1/128, and nobody has an IPv6",
    );
}

#[test]
fn a_host_in_a_network_without_a_gateway_is_refused() {
    let picture = with(PICTURE, "/* Site-02 */", "vm [function=host] vm:eth0 -- leaf01:swp21");
    let inventory =
        format!("{INVENTORY}\n[hosts.vm]\nnetwork = \"front\"\naddress = \"10.50.0.99\"\n");
    files_refused(
        &picture,
        &inventory,
        "host vm is in network front, which has no gateway; put it into",
    );
}

#[test]
fn providers_announce_something_and_nobody_else_does() {
    refused("announces = [\"0.0.0.0/0\", \"::/0\"]\n", "", "provider isp01 announces nothing; add");
    refused(
        "as = 65101\n",
        "as = 65101\nannounces = [\"0.0.0.0/0\"]\n",
        "leaf01 is a leaf and has announces, which belongs to providers; remove it",
    );
}

#[test]
fn providers_have_cables_to_borders_and_to_each_other() {
    let picture = with(PICTURE, "/* Site-02 */", "isp01:swp9 -- spine01:swp9");
    files_refused(
        &picture,
        INVENTORY,
        "provider isp01 has a cable to spine01, which is a spine; providers",
    );
}

#[test]
fn what_a_provider_announces_is_nothing_of_the_fabric_and_is_named_once() {
    let announces = "announces = [\"0.0.0.0/0\", \"::/0\"]";
    for (prefix, owner) in [
        ("10.0.1.21/32", "exit01"),
        ("10.0.2.11/32", "leaf02"),
        ("10.50.0.0/24", "network front"),
        ("fd00:50::/64", "network front"),
        ("10.99.0.1/32", "front01"),
        ("fd00:99::1/128", "front01"),
    ] {
        let message =
            format!("provider isp01 announces {prefix}, which belongs to {owner}; borders");
        refused(announces, &format!("announces = [\"0.0.0.0/0\", \"{prefix}\"]"), &message);
    }
    refused(
        announces,
        "announces = [\"::/0\", \"0.0.0.0/0\", \"::/0\"]",
        "provider isp01 announces ::/0 twice; write it once",
    );
    for fine in ["198.51.100.0/25", "10.0.0.0/8", "10.50.0.0/25"] {
        let inventory = with(INVENTORY, announces, &format!("announces = [\"{fine}\"]"));
        Topology::parse("exits", PICTURE, &inventory).expect("it is its clients', or no node's");
    }
}

#[test]
fn a_routed_subnet_of_the_fabric_is_no_providers() {
    let picture = with(PICTURE, "/* Site-02 */", "pc [function=host] pc:eth0 -- leaf01:swp21");
    let host = "[hosts.pc]\naddress = \"10.1.11.10/24\"\ngateway = \"10.1.11.1\"\n";
    let inventory = format!("{INVENTORY}\n{host}");
    files_refused(
        &picture,
        &with(&inventory, "\"0.0.0.0/0\"", "\"10.1.11.0/24\""),
        "provider isp01 announces 10.1.11.0/24, which belongs to leaf01; borders",
    );
}

#[test]
fn an_address_in_a_network_is_neither_the_subnets_nor_its_broadcast() {
    for wrong in ["10.50.0.0/24", "10.50.0.255/24"] {
        refused(
            "10.50.0.4/24",
            wrong,
            &format!("address {wrong} of exit04 in network front is that of the subnet or its"),
        );
    }
    refused("fd00:50::4/64", "fd00:50::/64", "address fd00:50::/64 of exit04 in network front is");
}

#[test]
fn a_network_names_its_leafs_and_servers_once() {
    refused(
        "leafs = [\"exit01\", \"exit02\"",
        "leafs = [\"exit01\", \"exit01\", \"exit02\"",
        "network front names exit01 twice in its leafs; name it once",
    );
    let servers = include_str!("../../../../../topologies/evpn-on-host.toml");
    let twice = with(servers, "[\"srv01\", \"srv02\"]", "[\"srv01\", \"srv02\", \"srv02\"]");
    let picture = include_str!("../../../../../topologies/evpn-on-host.dot");
    files_refused(picture, &twice, "network web names srv02 twice in its servers; name it once");
}

#[test]
fn bridges_belong_to_nodes_on_which_networks_live() {
    for (asn, node) in [("65100", "spine01"), ("65111", "front01"), ("64601", "isp01")] {
        refused(
            &format!("as = {asn}\n"),
            &format!("as = {asn}\nbridges = \"vlan-aware\"\n"),
            &format!("{node} has bridges, and no network that is made of them lives on it; remove"),
        );
    }
    let aware = with(INVENTORY, "as = 65101\n", "as = 65101\nbridges = \"vlan-aware\"\n");
    Topology::parse("exits", PICTURE, &aware).expect("a network lives on leaf01");
}
