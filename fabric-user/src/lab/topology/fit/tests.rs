//! What is left out and guessed, with which notes.

use super::super::Topology;
use super::super::picture::{Picture, parse};
use super::*;

fn read(text: &str) -> Picture {
    let picture = parse(text, "lab.dot");
    assert_eq!(picture.complaints, [], "{text}");
    picture
}

fn noted(picture: &Picture, text: &str) -> bool {
    picture.notes.iter().any(|note| note.starts_with("lab.dot line ") && note.contains(text))
}

fn cables(picture: &Picture) -> Vec<String> {
    picture.cables.iter().map(DrawnCable::describe).collect()
}

fn functions(picture: &Picture) -> Vec<Function> {
    picture.nodes.iter().map(|node| node.function).collect()
}

#[test]
fn cables_that_lead_nowhere_are_left_out() {
    let picture = read(
        "graph x { leaf01 [function=leaf] spine01 [function=spine] h1 [function=host] h2 [function=host]
         leaf01:swp45 -- leaf01:swp46 leaf01:swp1 -- spine01:swp1 spine01:swp1 -- leaf01:swp1
         h1:eth1 -- leaf01:swp2 h2:eth1 -- leaf01:swp3 h1:eth2 -- h2:eth2 }",
    );
    assert_eq!(picture.cables.len(), 3);
    for note in [
        "leaf01:swp45 -- leaf01:swp46 leads back to the same node and is left out",
        "spine01:swp1 -- leaf01:swp1 is drawn a second time and is left out",
        "h1:eth2 -- h2:eth2 joins two hosts",
    ] {
        assert!(noted(&picture, note), "{note}: {:?}", picture.notes);
    }
}

#[test]
fn a_cable_from_a_server_to_a_virtual_machine_stays_and_one_to_another_server_does_not() {
    let picture = read(
        "graph x { leaf01 [function=leaf] srv01 [function=server] srv02 [function=server] vm01 [function=host]
         srv01:eth0 -- leaf01:swp1 srv02:eth0 -- leaf01:swp2 srv01:vnet1 -- vm01:eth0 srv01:eth1 -- srv02:eth1 }",
    );
    assert_eq!(picture.cables.len(), 3);
    assert!(cables(&picture).contains(&"srv01:vnet1 -- vm01:eth0".to_owned()));
    assert!(noted(&picture, "srv01:eth1 -- srv02:eth1 joins two servers"), "{:?}", picture.notes);
}

#[test]
fn a_host_with_cables_to_several_leafs_uses_those_to_the_first_one() {
    let picture = read(
        "graph x { leaf01 [function=leaf] leaf02 [function=leaf] server01 [function=host]
         server01:eth1 -- leaf01:swp1 leaf02:swp1 -- server01:eth2 leaf01:swp2 -- server01:eth3 }",
    );
    let used = ["server01:eth1 -- leaf01:swp1", "leaf01:swp2 -- server01:eth3"];
    assert_eq!(cables(&picture), used);
    let note = "of which leaf01 is used; leaf02:swp1 -- server01:eth2 is left out (a second leaf takes EVPN multihoming)";
    assert!(noted(&picture, note), "{:?}", picture.notes);
}

#[test]
fn a_host_with_cables_to_a_spine_and_a_leaf_uses_that_to_the_leaf() {
    let picture = read(
        "graph x { leaf01 [function=leaf] spine01 [function=spine] h [function=host]
         h:eth1 -- spine01:swp9 h:eth2 -- leaf01:swp9 leaf01:swp1 -- spine01:swp1 }",
    );
    assert_eq!(cables(&picture), ["h:eth2 -- leaf01:swp9", "leaf01:swp1 -- spine01:swp1"]);
}

#[test]
fn a_host_that_has_lost_its_cable_to_a_management_switch_is_left_out() {
    let picture = read(
        "graph x { leaf01 [function=leaf] h1 [function=host] s1 [function=server] oob [function=\"oob-switch\"]
         h1:eth0 -- oob:swp1 s1:eth0 -- oob:swp2 }",
    );
    let names: Vec<&str> = picture.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["leaf01"]);
    assert!(noted(&picture, "host h1 has no cable and is left out"));
    assert!(noted(&picture, "server s1 has no cable and is left out"));
}

#[test]
fn a_function_is_guessed_by_the_name_of_the_node() {
    let picture = read("graph x { leaf01 server01 leaf01:swp1 -- server01:eth1 }");
    assert_eq!(functions(&picture), [Function::Leaf, Function::Host]);
    assert!(noted(&picture, "node leaf01 has no function and is taken for a leaf by its name"));
}

#[test]
fn a_function_is_guessed_by_the_image_and_the_neighbours() {
    use Function::{Host, Leaf, Spine};
    let picture = read(
        "graph x { a [os=cumulus] b [os=cumulus] c [os=cumulus] h1 [os=ubuntu] h2 [os=ubuntu]
         a:1 -- b:1 a:2 -- c:1 h1:1 -- b:2 h1:2 -- c:2 h2:1 -- c:3 }",
    );
    assert_eq!(functions(&picture), [Spine, Leaf, Leaf, Host, Host]);
    assert!(noted(&picture, "node a has no function and is taken for a spine by its cables"));
    assert!(noted(&picture, "node h1 has no function and is taken for a host by its image"));
    // Without any hint: ends of single cables are hosts.
    let picture = read("graph x { a -- r1 r1 -- r2 r2 -- b r3 -- r1 r3 -- r2 }");
    assert_eq!(functions(&picture), [Host, Leaf, Leaf, Host, Spine]);
    let picture = read("graph x { r1 -- r2 -- r3 -- r1 }");
    assert_eq!(functions(&picture), [Leaf, Leaf, Leaf]);
}

#[test]
fn a_node_without_function_and_cables_is_left_out() {
    let picture = read("graph x { leaf01 a b leaf01 -- spine01 }");
    assert_eq!(functions(&picture), [Function::Leaf, Function::Spine]);
    assert!(noted(&picture, "node a has no function and is left out with its cables by its lack"));
}

/// A cable to a node that is left out makes neither a host with two cables nor a spine that is none.
#[test]
fn cables_to_what_is_left_out_tell_nothing() {
    use Function::{Host, Leaf, Spine};
    let picture = read(
        "graph x { leaf1 [function=leaf] leaf2 [function=leaf] oob [function=\"oob-switch\"] db1 x
         db1:eth0 -- oob:swp1 db1:eth1 -- leaf1:swp1 x:eth0 -- oob:swp2
         x:swp1 -- leaf1:swp2 x:swp2 -- leaf2:swp2 }",
    );
    assert_eq!(functions(&picture), [Leaf, Leaf, Host, Spine]);
}

#[test]
fn a_switch_that_is_a_guess_and_has_no_cable_left_is_left_out() {
    let picture = read(
        "graph x { leaf1 [function=leaf] spare [function=leaf] oob [function=\"oob-switch\"] sw9 r1
         leaf1:swp1 -- spine1:swp1 sw9:eth0 -- oob:swp9 r1:eth0 -- oob:swp8 }",
    );
    assert_eq!(functions(&picture), [Function::Leaf, Function::Leaf, Function::Spine]);
    assert!(noted(&picture, "leaf sw9 has no cable and is left out"));
    assert!(noted(&picture, "node r1 has no function and is left out with its cables by its lack"));
    let parts = "line 1: no cables lead from leaf1 to spare: the switches are 2 fabrics";
    assert!(noted(&picture, parts), "{:?}", picture.notes);
}

#[test]
fn a_leaf_that_is_marked_as_a_spine_is_a_leaf_if_hosts_are_plugged_in() {
    let picture = read(
        "graph x { \"spine-1\" [function=spine] \"leaf-1\" [function=spine] h [function=host]
         \"spine-1\":1 -- \"leaf-1\":1 \"leaf-1\":2 -- h:1 }",
    );
    assert_eq!(functions(&picture), [Function::Spine, Function::Leaf, Function::Host]);
    assert!(noted(&picture, "node leaf-1 has the function spine and hosts"));
}

/// Eight switches and an edge, four hosts with two cables each, loopback and management cables.
#[test]
fn the_reference_topology_of_cumulus_users_loads_with_notes() {
    let picture = include_str!("../../../../../topologies/reference.dot");
    let inventory = include_str!("../../../../../topologies/reference.toml");
    let topology = Topology::parse("reference", picture, inventory);
    let topology = topology.unwrap_or_else(|error| panic!("{error}"));
    let sizes = (topology.switches.len(), topology.hosts.len(), topology.links.len());
    assert_eq!(sizes, (9, 4, 12 + 8 + 2));
    let count = |text: &str| topology.notes.iter().filter(|note| note.contains(text)).count();
    assert_eq!(count("leads back to the same node"), 12);
    assert_eq!(count("has cables to several switches"), 4);
    assert_eq!(count("with its cables is left out"), 3);
}
