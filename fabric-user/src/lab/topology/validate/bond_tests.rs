//! Hosts with several cables to one leaf.

use super::super::{Topology, first, picture};
use super::*;

const PICTURE: &str = r#"graph "bonds" {
  db1:eth1 -- leaf1:swp1 [left_mac="02:00:00:00:01:01" right_mac="02:00:00:00:01:02"]
  leaf1:swp2 -- db1:eth2
  web -- leaf1:bond1
  db2:eth1 -- leaf1:swp3
  db2:eth2 -- leaf1:swp4
  db2:eth3 -- leaf1:swp5
  db2:bond0 -- leaf2:swp1
  leaf1:swp51 -- spine1:swp1
  leaf2:swp51 -- spine1:swp2
}"#;

/// The topology of the picture, with these lines in the inventory's entry for db1.
fn topology(lines: &str) -> Topology {
    let inventory = first::inventory(&picture::parse(PICTURE, "bonds.dot"), "bonds.dot");
    assert_eq!(inventory.matches("[hosts.db1]\n").count(), 1, "{inventory}");
    let inventory = inventory.replace("[hosts.db1]\n", &format!("[hosts.db1]\n{lines}\n"));
    Topology::parse("bonds", PICTURE, &inventory).unwrap_or_else(|error| panic!("{error}"))
}

fn cables(topology: &Topology, host: &str) -> Vec<[String; 2]> {
    let host = topology.host(host).expect("drawn");
    host.cables().map(|ends| ends.map(|end| format!("{}:{}", end.node, end.port))).collect()
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

#[test]
fn several_cables_to_one_leaf_are_a_bond_with_the_address_of_the_first_port() {
    let topology = topology("");
    let expected =
        [["db1:eth1", "leaf1:swp1"], ["db1:eth2", "leaf1:swp2"]].map(|it| it.map(str::to_owned));
    assert_eq!(cables(&topology, "db1"), expected);
    let host = topology.host("db1").expect("drawn");
    assert_eq!((host.end.port.as_str(), host.end.mac), ("bond0", mac("02:00:00:00:01:01")));
    // A port of the leaf is called bond1 already.
    let leaf = (host.switch.node.as_str(), host.switch.port.as_str(), host.switch.mac);
    assert_eq!(leaf, ("leaf1", "bond2", mac("02:00:00:00:01:02")));
    assert_eq!(topology.host("db2").map(|it| it.switch.port.as_str()), Some("bond3"));
    assert_eq!(cables(&topology, "db2").len(), 3);
    assert_eq!(topology.host("web").map(|it| it.members.len()), Some(0));
    assert_eq!(topology.cables().count(), 2 + 2 + 1 + 3);
    let ports: Vec<&str> = topology.ports_of("leaf1").map(|end| end.port.as_str()).collect();
    assert_eq!(ports, ["swp51", "swp1", "swp2", "bond1", "swp3", "swp4", "swp5"]);
}

#[test]
fn a_bond_has_the_address_that_the_inventory_gives_its_host() {
    let topology = topology("mac = \"02:00:00:00:00:99\"");
    let host = topology.host("db1").expect("drawn");
    assert_eq!(host.end.mac, mac("02:00:00:00:00:99"));
    assert_ne!(host.members[1][0].mac, host.end.mac);
}

#[test]
fn where_the_kernel_makes_no_bonds_hosts_use_their_first_cable_and_a_note_says_why() {
    let topology = topology("").without_bonds("Unknown device type");
    assert_eq!(cables(&topology, "db1"), [["db1:eth1", "leaf1:swp1"].map(str::to_owned)]);
    let end = topology.host("db1").map(|it| (it.end.port.as_str(), it.end.mac));
    assert_eq!(end, Some(("eth1", mac("02:00:00:00:01:01"))));
    assert!(topology.bonded().next().is_none());
    let note = topology.notes.last().expect("one is there");
    for words in ["(Unknown device type)", "first cable of db1, db2 is used", "modprobe bonding"] {
        assert!(note.contains(words), "{note}");
    }
    let count = topology.notes.len();
    assert_eq!(topology.without_bonds("").notes.len(), count, "there are none to be left out");
}

#[test]
fn an_address_of_a_bonds_second_port_that_another_port_has_is_refused() {
    let twice = PICTURE.replace(
        "leaf1:swp2 -- db1:eth2",
        "leaf1:swp2 -- db1:eth2 [right_mac=\"02:00:00:00:01:01\"]",
    );
    let inventory = first::inventory(&picture::parse(PICTURE, "bonds.dot"), "bonds.dot");
    let error = Topology::parse("bonds", &twice, &inventory).expect_err("must be refused");
    let error = error.to_string();
    assert!(error.contains("bonds.dot line 3: MAC address 02:00:00:00:01:01 is used"), "{error}");
}
