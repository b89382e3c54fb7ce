//! What is refused about routed ports, servers, services and BFD, and how it is said.

use super::super::*;
use super::tests::{check, files_refused, with};

const PICTURE: &str = r#"graph t {
  spine01 [function=spine]
  leaf01 [function=leaf]
  leaf02 [function=leaf]
  srv1 [function=server]
  srv2 [function=server]
  pc1 [function=host]
  pc2 [function=host]
  leaf01:swp1 -- spine01:swp1
  leaf02:swp1 -- spine01:swp2
  srv1:eth0 -- leaf01:swp11
  srv1:eth1 -- leaf02:swp11
  srv2:eth0 -- leaf02:swp12
  leaf01:swp21 -- pc1:eth0
  leaf02:swp21 -- pc2:eth0
}"#;
const INVENTORY: &str = r#"
[fabric]
bfd = { transmit_ms = 100 }
[nodes.spine01]
site = "a"
as = 65100
loopback = "10.0.0.1"
loopback6 = "fd00::1"
[nodes.leaf01]
site = "a"
as = 65101
loopback = "10.0.0.11"
[nodes.leaf02]
site = "a"
as = 65102
loopback = "10.0.0.12"
[nodes.srv1]
site = "a"
as = 65111
loopback = "10.0.0.21"
[nodes.srv2]
site = "a"
as = 65112
loopback = "10.0.0.22"
[services.dns]
addresses = ["10.99.0.1/32", "fd00:99::1/128"]
servers = ["srv1", "srv2"]
[hosts.pc1]
address = "10.1.11.10/24"
gateway = "10.1.11.1"
address6 = "fd00:1:11::10/64"
gateway6 = "fd00:1:11::1"
[hosts.pc2]
address = "10.1.12.10/24"
gateway = "10.1.12.1"
[networks.blue]
vlan = 10
vni = 1010
gateway = "10.2.0.1/24"
gateway_mac = "00:00:5e:00:01:0a"
sites = ["a"]
"#;

/// What is said when one text of the inventory is replaced.
#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    files_refused(PICTURE, &with(INVENTORY, from, to), message);
}

#[track_caller]
fn refused_picture(from: &str, to: &str, message: &str) {
    files_refused(&with(PICTURE, from, to), INVENTORY, message);
}

#[test]
fn servers_and_hosts_on_routed_ports_find_their_places() {
    let topology = check(PICTURE, INVENTORY).expect("valid");
    let bfd = Bfd { transmit_ms: 100, receive_ms: 50, multiplier: 3 };
    assert_eq!(topology.fabric.bfd, Some(bfd));
    assert!(topology.has_ipv6());
    let server = topology.switch("srv1").expect("drawn");
    assert_eq!((server.function, server.fabric_xdpd), (Function::Server, false));
    assert_eq!(topology.services_of("srv1").count(), 1);
    let subnets: Vec<String> = topology
        .host("pc1")
        .expect("drawn")
        .subnets()
        .iter()
        .map(|subnet| subnet.host.subnet().to_string())
        .collect();
    assert_eq!(subnets, ["10.1.11.0/24", "fd00:1:11::/64"]);
}

#[test]
fn a_server_with_two_leafs_is_no_way_between_them() {
    let topology = check(PICTURE, INVENTORY).expect("valid");
    assert_eq!(topology.ecmp_width("leaf01", &["leaf02"]), 1);
    assert_eq!(topology.ecmp_width("spine01", &["srv1"]), 2);
    assert_eq!(topology.ecmp_width("leaf02", &["srv1", "srv2"]), 2);
    assert_eq!(topology.ecmp_width("leaf01", &["srv1", "srv2"]), 1);
}

#[test]
fn a_host_without_network_needs_a_prefix_and_a_gateway_of_its_own() {
    refused("gateway = \"10.1.12.1\"\n", "", "host pc2 has no network, so its port is routed");
    refused("10.1.12.10/24", "10.1.12.10", "host pc2 has no network, so its port is routed");
    refused(
        "gateway = \"10.1.12.1\"",
        "gateway = \"10.1.13.1\"",
        "outside its subnet 10.1.12.0/24",
    );
    refused("gateway6 = \"fd00:1:11::1\"", "gateway6 = \"fd00:1:12::1\"", "outside its subnet");
    refused("gateway6 = \"fd00:1:11::1\"\n", "", "only one of address6 and gateway6");
    refused("\"fd00:1:11::10/64\"", "\"10.9.9.9/24\"", "is not an IPv6 address");
    refused("10.1.12.10/24", "10.1.12/24", "is not an IPv4 address");
}

#[test]
fn a_host_in_a_network_has_neither_prefix_nor_gateway() {
    let bridged = |keys: &str| {
        let from = "address = \"10.1.12.10/24\"\ngateway = \"10.1.12.1\"";
        check(PICTURE, &with(INVENTORY, from, &format!("network = \"blue\"\n{keys}")))
            .map(|_| String::new())
            .unwrap_or_else(|message| message)
    };
    assert_eq!(bridged("address = \"10.2.0.10\""), "");
    assert!(bridged("address = \"10.2.0.10/24\"").contains("has a prefix"));
    let gateway = bridged("address = \"10.2.0.10\"\ngateway = \"10.2.0.1\"");
    assert!(gateway.contains("a gateway of its own"), "{gateway}");
}

#[test]
fn subnets_loopbacks_and_services_keep_apart() {
    refused(
        "10.1.12.10/24\"\ngateway = \"10.1.12.1",
        "10.1.11.20/24\"\ngateway = \"10.1.11.2",
        "overlapping subnets",
    );
    refused("10.2.0.1/24", "10.1.0.1/16", "overlapping subnets");
    refused("10.99.0.1/32", "10.1.11.99/32", "lies in the subnet 10.1.11.0/24 of host pc1");
    refused("loopback6 = \"fd00::1\"", "loopback6 = \"fd00:99::1\"", "fd00:99::1 is used twice");
    refused("loopback6 = \"fd00::1\"", "loopback6 = \"fe80::1\"", "use a unicast address");
}

#[test]
fn a_service_has_single_addresses_on_servers_that_are_drawn() {
    refused("10.99.0.1/32", "10.99.0.0/24", "is a subnet");
    refused("\"srv1\", \"srv2\"", "\"srv1\", \"srv9\"", "unknown node srv9");
    refused("\"srv1\", \"srv2\"", "\"srv1\", \"leaf01\"", "leaf01, which is a leaf");
    refused("\"srv1\", \"srv2\"", "\"srv1\", \"srv1\"", "srv1 twice");
    refused("\"srv1\", \"srv2\"", "", "service dns is nowhere");
}

#[test]
fn a_server_is_plugged_into_leafs_of_its_site() {
    let srv2 = "srv2:eth0 -- leaf02:swp12";
    refused_picture(srv2, "srv2:eth0 -- srv1:eth2", "[nodes.srv2] is a node that has no cable");
    refused_picture(srv2, "", "[nodes.srv2] is a node that has no cable");
    refused("[nodes.srv2]\nsite = \"a\"", "[nodes.srv2]\nsite = \"b\"", "they stand in one site");
}

#[test]
fn a_virtual_machine_on_a_server_is_in_a_network_that_lives_there() {
    let picture = with(PICTURE, "leaf02:swp21 -- pc2:eth0", "srv1:vnet1 -- pc2:eth0");
    let own = "address = \"10.1.12.10/24\"\ngateway = \"10.1.12.1\"";
    let inventory = with(INVENTORY, own, "network = \"blue\"\naddress = \"10.2.0.10\"");
    let remedy = "plugged into srv1, where that network does not live; move the cable or add srv1 to the network's servers";
    files_refused(&picture, &inventory, remedy);

    let on = |servers: &str| with(&inventory, "sites = [\"a\"]", &format!("servers = [{servers}]"));
    let topology = check(&picture, &on("\"srv1\", \"srv2\"")).expect("valid");
    let server = topology.switch("srv1").expect("drawn");
    assert_eq!((&server.networks[..], server.fabric_xdpd), (&["blue".to_owned()][..], true));
    assert_eq!(topology.switch("leaf01").expect("drawn").networks, [""; 0]);
    let mtus: Vec<u32> = topology.links.iter().map(|link| topology.mtu_of(link)).collect();
    assert_eq!(mtus, [1600; 5], "the servers' links carry VXLAN");
    files_refused(
        &picture,
        &on("\"srv1\", \"leaf01\""),
        "lives on leaf01, which is a leaf; servers names",
    );
    files_refused(&picture, &on("\"srv1\", \"srv9\""), "lives on the unknown node srv9");
    let listed = with(&inventory, "sites = [\"a\"]", "leafs = [\"srv1\"]");
    files_refused(&picture, &listed, "lives on srv1, which is a server; leafs names");
    files_refused(&picture, &with(&inventory, "sites = [\"a\"]", ""), "lives nowhere");
}

#[test]
fn servers_of_a_network_need_a_way_between_their_leafs_unless_they_share_one() {
    let spineless = with(PICTURE, "leaf02:swp1 -- spine01:swp2", "");
    let on = |servers: &str| with(INVENTORY, "sites = [\"a\"]", &format!("servers = [{servers}]"));
    check(&spineless, &on("\"srv1\", \"srv2\"")).expect("both are at leaf02");
    let apart = with(&spineless, "srv1:eth1 -- leaf02:swp11", "");
    files_refused(&apart, &on("\"srv1\", \"srv2\""), "lives on srv1 and srv2, and no cables lead");
}

#[test]
fn hosts_and_servers_may_be_plugged_into_spines_and_networks_do_not_live_there() {
    let at_spine = with(PICTURE, "leaf02:swp21 -- pc2", "spine01:swp21 -- pc2");
    let at_spine = with(&at_spine, "srv2:eth0 -- leaf02:swp12", "srv2:eth0 -- spine01:swp12");
    let topology = check(&at_spine, INVENTORY).expect("valid");
    assert_eq!(topology.host("pc2").expect("drawn").switch.node, "spine01");
    let bridged = "network = \"blue\"\naddress = \"10.2.0.10\"";
    let from = "address = \"10.1.12.10/24\"\ngateway = \"10.1.12.1\"";
    files_refused(&at_spine, &with(INVENTORY, from, bridged), "give the host a subnet of its own");
}

#[test]
fn timers_of_bfd_are_within_what_frr_takes() {
    refused("transmit_ms = 100", "transmit_ms = 5", "out of range; use 10 to 60000");
    refused("transmit_ms = 100", "multiplier = 1", "out of range; use 2 to 255");
    refused("transmit_ms", "transmitt_ms", "line 3");
}

#[test]
fn servers_behind_leafs_of_one_as_are_refused_unless_they_have_a_leaf_in_common() {
    let shared = with(INVENTORY, "as = 65102", "as = 65101");
    let message = "leaf01 and srv2 never reach each other: every way leads through leaf01 and leaf02, which drop what comes through their own AS 65101; give each";
    files_refused(PICTURE, &shared, message);
    let apart = PICTURE.replace("srv1:eth1 -- leaf02:swp11\n", "\n");
    check(&apart, INVENTORY).expect("two leafs of two ASes");
    let both = with(PICTURE, "srv2:eth0 --", "srv2:eth1 -- leaf01:swp12\n  srv2:eth0 --");
    check(&both, &shared).expect("the leafs of a rack may share an AS");
}

#[test]
fn servers_with_networks_behind_leafs_of_one_as_are_refused() {
    let picture = include_str!("../../../../../topologies/evpn-on-host.dot");
    let inventory = include_str!("../../../../../topologies/evpn-on-host.toml");
    let shared = with(inventory, "as = 65102", "as = 65101");
    check(picture, &shared).expect("every server has a cable to both leafs");
    let cables = [
        "\"srv01\":\"eth1\" -- \"leaf02\":\"swp11\"",
        "\"srv02\":\"eth0\" -- \"leaf01\":\"swp12\"",
    ];
    let single = cables.iter().fold(picture.to_owned(), |text, cable| with(&text, cable, ""));
    files_refused(&single, &shared, "never reach each other: every way leads through leaf0");
    check(&single, inventory).expect("two leafs of two ASes");
}
