//! What pictures have that a lab has no use for is left out, and what they do not say is guessed: with a
//! note each, so that files drawn for other tools load as they are.

use std::collections::BTreeSet;

use super::picture::{DrawnCable, DrawnNode, Function};

/// The function of a node that has none, by its name: `leaf01`, `rack2-tor1`, `exit02`.
pub(super) fn guessed_function(name: &str) -> Option<Function> {
    let words = [
        (Function::Spine, &["spine"][..]),
        (Function::Leaf, &["leaf", "tor"]),
        (Function::Border, &["border", "exit", "edge"]),
        (Function::Host, &["server", "host", "vm"]),
    ];
    let name = name.to_ascii_lowercase();
    let parts = || name.split(|c: char| !c.is_ascii_alphabetic());
    let found = |word: &&str| parts().any(|part| part == *word);
    words.into_iter().find(|(_, words)| words.iter().any(found)).map(|(function, _)| function)
}

/// Leaves out cables from a node to itself, all cables of a host but the first one, and hosts without a
/// cable.
pub(super) fn leave_out(
    nodes: &mut Vec<DrawnNode>,
    cables: &mut Vec<DrawnCable>,
    mut note: impl FnMut(String),
) {
    cables.retain(|cable| {
        let is_loop = cable.left.node == cable.right.node;
        if is_loop {
            note(format!(
                "the cable {} leads back to the same node and is left out",
                cable.describe()
            ));
        }
        !is_loop
    });
    let is_host =
        |name: &str| nodes.iter().any(|node| node.name == name && node.function == Function::Host);
    let mut connected = BTreeSet::new();
    cables.retain(|cable| {
        let ends = [&cable.left.node, &cable.right.node];
        let hosts: Vec<&String> = ends.into_iter().filter(|name| is_host(name)).collect();
        if let Some(host) = hosts.iter().find(|host| connected.contains(**host)) {
            note(format!(
                "host {host} has several cables, of which the first is used; {} is left out",
                cable.describe()
            ));
            return false;
        }
        connected.extend(hosts.into_iter().cloned());
        true
    });
    nodes.retain(|node| {
        let stays = node.function != Function::Host || connected.contains(&node.name);
        if !stays {
            note(format!("host {} has no cable and is left out", node.name));
        }
        stays
    });
}

#[cfg(test)]
mod tests {
    use super::super::{
        Topology,
        picture::{Picture, parse},
    };
    use super::*;

    fn read(text: &str) -> Picture {
        parse(text, "lab.dot").unwrap_or_else(|error| panic!("{error}"))
    }

    fn noted(picture: &Picture, text: &str) -> bool {
        picture.notes.iter().any(|note| note.starts_with("lab.dot: ") && note.contains(text))
    }

    #[test]
    fn a_cable_from_a_switch_to_itself_is_left_out() {
        let picture = read(
            "graph x { leaf01 [function=leaf] spine01 [function=spine]
             leaf01:swp45 -- leaf01:swp46 leaf01:swp1 -- spine01:swp1 }",
        );
        assert_eq!(picture.cables.len(), 1);
        assert!(noted(&picture, "leaf01:swp45 -- leaf01:swp46 leads back to the same node"));
    }

    #[test]
    fn a_host_with_several_cables_uses_the_first_one() {
        let picture = read(
            "graph x { leaf01 [function=leaf] leaf02 [function=leaf] server01 [function=host]
             server01:eth1 -- leaf01:swp1 leaf02:swp1 -- server01:eth2 leaf02:swp2 -- server01:eth3 }",
        );
        let cables: Vec<String> = picture.cables.iter().map(DrawnCable::describe).collect();
        assert_eq!(cables, ["server01:eth1 -- leaf01:swp1"]);
        for rest in ["leaf02:swp1 -- server01:eth2", "leaf02:swp2 -- server01:eth3"] {
            assert!(noted(&picture, &format!("the first is used; {rest} is left out")), "{rest}");
        }
    }

    #[test]
    fn a_host_that_has_lost_its_cable_to_a_management_switch_is_left_out() {
        let picture = read(
            "graph x { leaf01 [function=leaf] netq [function=host] oob [function=\"oob-switch\"]
             netq:eth0 -- oob:swp1 }",
        );
        let names: Vec<&str> = picture.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["leaf01"]);
        assert!(noted(&picture, "host netq has no cable and is left out"));
    }

    #[test]
    fn a_function_is_guessed_by_the_name_of_the_node() {
        for (name, function) in [
            ("spine01", Some(Function::Spine)),
            ("dc1-Leaf-02", Some(Function::Leaf)),
            ("rack2tor1", Some(Function::Leaf)),
            ("rack2-tor1", Some(Function::Leaf)),
            ("exit01", Some(Function::Border)),
            ("server04", Some(Function::Host)),
            ("vm7", Some(Function::Host)),
            ("torsten", None),
        ] {
            assert_eq!(guessed_function(name), function, "{name}");
        }
        let picture = read("graph x { leaf01 server01 leaf01:swp1 -- server01:eth1 }");
        let functions: Vec<Function> = picture.nodes.iter().map(|node| node.function).collect();
        assert_eq!(functions, [Function::Leaf, Function::Host]);
        assert!(noted(&picture, "node leaf01 has no function and is taken for a leaf by its name"));
    }

    /// Eight switches and an edge, four hosts with two cables each, loopback and management cables.
    #[test]
    fn the_reference_topology_of_cumulus_users_loads_with_notes() {
        let picture = include_str!("../../../../topologies/reference.dot");
        let inventory = include_str!("../../../../topologies/reference.toml");
        let topology = Topology::parse("reference", picture, inventory);
        let topology = topology.unwrap_or_else(|error| panic!("{error}"));
        let sizes = (topology.switches.len(), topology.hosts.len(), topology.links.len());
        assert_eq!(sizes, (9, 4, 12 + 8 + 2));
        let count = |text: &str| topology.notes.iter().filter(|note| note.contains(text)).count();
        assert_eq!(count("leads back to the same node"), 12);
        assert_eq!(count("has several cables"), 4);
        assert_eq!(count("with its cables is left out"), 3);
    }
}
