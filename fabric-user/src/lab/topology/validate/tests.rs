//! What is refused, and how it is said.

use super::*;

const PICTURE: &str = r#"graph t {
  spine01 [function=spine]
  leaf01 [function=leaf]
  leaf02 [function=leaf]
  vm1 [function=host]
  vm2 [function=host]
  leaf01:swp1 -- spine01:swp1
  leaf02:swp1 -- spine01:swp2
  leaf01:swp10 -- vm1:eth0 [right_mac="02:00:00:00:01:01"]
  leaf02:swp10 -- vm2:eth0
}"#;
const INVENTORY: &str = r#"
[nodes.spine01]
site = "a"
as = 65100
loopback = "10.0.0.1"
[nodes.leaf01]
site = "a"
as = 65101
loopback = "10.0.0.11"
[nodes.leaf02]
site = "a"
as = 65102
loopback = "10.0.0.12"
[networks.blue]
vlan = 10
vni = 1010
gateway = "10.1.0.1/24"
gateway_mac = "00:00:5e:00:01:0a"
sites = ["a"]
[networks.red]
vlan = 20
vni = 1020
gateway = "10.2.0.1/24"
gateway_mac = "00:00:5e:00:01:0a"
leafs = ["leaf01"]
[hosts.vm1]
network = "blue"
address = "10.1.0.11"
[hosts.vm2]
network = "blue"
address = "10.1.0.12"
"#;

pub(super) fn check(picture: &str, inventory: &str) -> Result<Topology, String> {
    Topology::parse("t", picture, inventory).map_err(|error| error.to_string())
}

#[track_caller]
pub(super) fn files_refused(picture: &str, inventory: &str, message: &str) {
    let said = check(picture, inventory).expect_err("must be refused");
    assert!(said.contains(message), "{said}");
}

/// Replaces a text that must be there, so that a case cannot pass by changing nothing.
pub(super) fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the text");
    text.replacen(from, to, 1)
}

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
fn a_valid_topology_puts_networks_on_leafs_and_hosts_on_ports() {
    let topology = check(PICTURE, INVENTORY).expect("valid");
    assert_eq!(topology.switch("leaf01").expect("drawn").networks, ["blue", "red"]);
    assert_eq!(topology.switch("leaf02").expect("drawn").networks, ["blue"]);
    assert!(topology.switch("spine01").is_some_and(|spine| spine.fabric_xdpd));
    let vm1 = topology.host("vm1").expect("drawn");
    assert_eq!(vm1.end.mac.to_string(), "02:00:00:00:01:01");
    assert_eq!((vm1.switch.node.as_str(), vm1.switch.port.as_str()), ("leaf01", "swp10"));
}

#[test]
fn the_width_of_a_route_counts_shortest_ways_only() {
    let topology = check(PICTURE, INVENTORY).expect("valid");
    assert_eq!(topology.ecmp_width("leaf01", &["leaf02"]), 1);
    let second = with(PICTURE, "vm1 [", "spine02 [function=spine]\n vm1 [");
    let second = with(
        &second,
        "leaf01:swp10",
        "leaf01:swp2 -- spine02:swp1\nleaf02:swp2 -- spine02:swp2\nleaf01:swp10",
    );
    let spine02 =
        format!("{INVENTORY}\n[nodes.spine02]\nsite=\"a\"\nas=65100\nloopback=\"10.0.0.2\"\n");
    let topology = check(&second, &spine02).expect("valid");
    assert_eq!(topology.ecmp_width("leaf01", &["leaf02"]), 2);
    assert_eq!(topology.ecmp_width("leaf01", &["spine02"]), 1);
}

#[test]
fn an_unknown_node_is_refused() {
    let extra = "[nodes.leaf09]\nsite=\"a\"\nas=1\nloopback=\"10.0.0.9\"\n[networks.blue]";
    refused("[networks.blue]", extra, "[nodes.leaf09] is an unknown node");
    refused("[hosts.vm2]", "[hosts.vm9]", "[hosts.vm9] is an unknown node");
    refused("leafs = [\"leaf01\"]", "leafs = [\"leaf7\"]", "unknown node leaf7");
}

#[test]
fn a_node_without_inventory_is_refused() {
    let spine02 = "spine02 [function=spine]\n vm1 [";
    refused_picture("vm1 [", spine02, "[nodes.spine02] is missing");
}

#[test]
fn a_duplicate_address_is_refused() {
    refused("10.1.0.12", "10.1.0.11", "10.1.0.11 is used twice");
    refused("10.0.0.12", "10.0.0.11", "10.0.0.11 is used twice");
    refused("10.1.0.12", "10.1.0.1", "10.1.0.1 is used twice");
}

#[test]
fn a_duplicate_mac_is_refused() {
    let twice = "vm2:eth0 [right_mac=\"02:00:00:00:01:01\"]";
    refused_picture("vm2:eth0", twice, "02:00:00:00:01:01 is used twice");
    refused_picture("02:00:00:00:01:01", "03:00:00:00:01:01", "unicast");
}

#[test]
fn a_vni_used_twice_or_out_of_range_is_refused() {
    refused("vni = 1020", "vni = 1010", "VNI 1010 is used twice");
    refused("vni = 1020", "vni = 0", "out of range");
    refused("vni = 1020", "vni = 16777216", "out of range");
    assert!(check(PICTURE, &with(INVENTORY, "vni = 1020", "vni = 16777215")).is_ok());
}

#[test]
fn a_vlan_used_twice_on_a_leaf_or_out_of_range_is_refused() {
    refused("vlan = 20", "vlan = 10", "VLAN 10 on leaf01 is used twice");
    refused("vlan = 20", "vlan = 4095", "out of range");
}

#[test]
fn a_port_connected_twice_is_refused() {
    refused_picture("leaf01:swp10", "leaf01:swp1", "port swp1 of leaf01 is used twice");
}

#[test]
fn a_host_whose_leaf_lacks_the_network_is_refused() {
    refused(
        "network = \"blue\"\naddress = \"10.1.0.12\"",
        "network = \"red\"\naddress = \"10.2.0.12\"",
        "does not live",
    );
}

#[test]
fn neighbours_with_the_same_as_are_refused() {
    refused("as = 65101", "as = 65100", "same AS 65100");
}

#[test]
fn a_host_outside_its_subnet_is_refused() {
    refused("10.1.0.12", "10.1.1.12", "outside its network");
}

#[test]
fn overlapping_subnets_are_refused() {
    refused("10.2.0.1/24", "10.1.0.129/25", "overlapping");
    refused("10.2.0.1/24", "10.9.0.1/8", "overlapping");
}

#[test]
fn an_underlay_too_small_for_vxlan_is_refused() {
    let small = "[fabric]\nunderlay_mtu = 1549\n[networks.blue]";
    refused("[networks.blue]", small, "too small");
}

#[test]
fn long_port_names_and_odd_node_names_are_refused() {
    let port = "leaf01:p1234567890123456";
    refused_picture("leaf01:swp10", port, "cannot name an interface");
    // With a lab's name of 32 and a hyphen it would make an instance's name of 65.
    let long = format!("graph t {{ {} [function=leaf] }}", "l".repeat(32));
    files_refused(&long, "", "cannot name a network namespace");
}

/// Each fault is of another kind and in another line; none hides another one.
#[test]
fn all_that_is_wrong_in_both_files_is_said_at_once_with_lines() {
    let picture = with(PICTURE, "leaf02:swp10 -- vm2", "leaf02:swp1 -- vm2");
    let picture = with(&picture, "vm1 [function", "leaf03 [function=leaf]\n  vm1 [function");
    let mut inventory = INVENTORY.to_owned();
    for (from, to) in [
        ("as = 65101", "as = 65100"),
        ("10.0.0.12", "10.0.0.11"),
        ("vlan = 10", "vlan = 5000"),
        ("vni = 1020", "vni = 1010"),
        ("leafs = [\"leaf01\"]", "leafs = [\"leaf01\", \"spine01\"]"),
        ("address = \"10.1.0.12\"", "address = \"10.9.0.12\"\ncolour = \"red\""),
    ] {
        inventory = with(&inventory, from, to);
    }
    let message = check(&picture, &inventory).expect_err("must be refused");
    let heads: Vec<String> =
        message.lines().map(|line| line.chars().take_while(|it| *it != ':').collect()).collect();
    let lines = [4, 13, 15, 16, 25, 31, 32].map(|line| format!("t.toml line {line}"));
    let mut wanted = vec!["t.dot line 11".to_owned(), "t.toml".to_owned()];
    wanted.extend(lines);
    let mut sorted = heads.clone();
    sorted.sort();
    wanted.sort();
    assert_eq!(sorted, wanted, "{message}");
    assert!(
        message.contains("[nodes.leaf03] is missing for the leaf in t.dot line 5"),
        "{message}"
    );
}

#[test]
fn a_wrong_entry_is_not_missing_as_well() {
    for (from, to, message) in [
        ("as = 65101", "as = \"x\"", "t.toml line 8: invalid type"),
        ("[networks.blue]", "[networks.blue", "t.toml line"),
    ] {
        let said = check(PICTURE, &with(INVENTORY, from, to)).expect_err("must be refused");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with(message), "{said}");
    }
}

/// Neither no cable nor a server is a way.
#[test]
fn a_network_on_vteps_without_a_way_between_them_is_refused() {
    let cable = "leaf02:swp1 -- spine01:swp2";
    let said = check(&with(PICTURE, cable, ""), INVENTORY).expect_err("must be refused");
    assert_eq!(
        said,
        "t.toml line 14: network blue lives on leaf01 and leaf02, and no cables lead from one to the other (servers are no way); draw some in t.dot, or make two networks of it by their lists of leafs and servers"
    );
    let server = "s [function=server] s:1 -- leaf01:swp3 s:2 -- leaf02:swp3";
    let entry = "[nodes.s]\nsite = \"a\"\nas = 65200\nloopback = \"10.0.0.50\"\n";
    let inventory = format!("{INVENTORY}{entry}");
    let lives = "network blue lives on leaf01 and leaf02";
    files_refused(&with(PICTURE, cable, server), &inventory, lives);
    let both = with(PICTURE, cable, &format!("{cable} {server}"));
    assert!(check(&both, &inventory).is_ok());
}

#[test]
fn spines_of_sites_without_a_way_between_them_exchange_no_evpn() {
    let picture = with(PICTURE, "leaf02:swp1 -- spine01:swp2", "spine02 [function=spine]");
    let spine02 = "[nodes.spine02]\nsite = \"b\"\nas = 65200\nloopback = \"10.0.0.2\"\n";
    let inventory = with(INVENTORY, "sites = [\"a\"]", "leafs = [\"leaf02\"]");
    let inventory = with(&inventory, "network = \"blue\"", "network = \"red\"");
    let inventory = with(&inventory, "10.1.0.11", "10.2.0.11") + spine02;
    files_refused(&picture, &inventory, "spines spine01 and spine02 exchange EVPN routes");
    let apart = format!("[fabric]\nevpn_between_spines = false\n{inventory}");
    assert!(check(&picture, &apart).is_ok());
}

#[test]
fn a_picture_without_nodes_is_refused() {
    files_refused("graph t { oob [function=fake] }", "", "shows no node that a lab can have");
}

#[test]
fn a_fabric_without_a_control_plane_needs_no_as_numbers_and_has_no_bfd() {
    let picture = include_str!("../../../../../topologies/static.dot");
    let inventory = include_str!("../../../../../topologies/static.toml");
    let topology = Topology::parse("static", picture, inventory).expect("valid");
    assert!(topology.switches.iter().all(|switch| switch.asn == 0));
    let with_bfd = inventory.replace("[fabric]\n", "[fabric]\nbfd = {}\n");
    let error = Topology::parse("static", picture, &with_bfd).expect_err("BFD is FRR's");
    assert!(error.to_string().contains("bfd belongs to FRR"), "{error}");
    let speaking = inventory.replace("\"static\"", "\"bgp\"");
    let error = Topology::parse("static", picture, &speaking).expect_err("BGP needs them");
    assert!(error.to_string().contains("[nodes.leaf01] lacks as"), "{error}");
}
