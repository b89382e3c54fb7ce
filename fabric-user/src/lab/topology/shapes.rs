//! Pictures of the shapes that people have, drawn for other tools: all load with a first inventory, and
//! all their devices are rendered.

use super::picture::Function;
use super::{Topology, first, picture};
use crate::lab::render;

/// The picture of a file: its name, its text, the numbers of switches and servers, hosts and links, and some
/// of the notes.
type Shape = (&'static str, &'static str, [usize; 3], &'static [&'static str]);

macro_rules! shape {
    ($file:literal, $sizes:expr, $notes:expr) => {
        ($file, include_str!(concat!("shapes/", $file)), $sizes, $notes)
    };
}

const SHAPES: [Shape; 13] = [
    shape!(
        "bonds.dot",
        [5, 3, 9],
        &["of which leaf1 is used; db3:eth4", "cables between leafs (2)"]
    ),
    shape!(
        "air.dot",
        [4, 3, 4],
        &["netq-ts", "oob-mgmt-server", "is taken for a host by its role"]
    ),
    shape!("lost.dot", [3, 1, 2], &["host jump has no cable", "server lonely", "node netq"]),
    shape!("at-spines.dot", [4, 3, 4], &["of which leaf2 is used"]),
    shape!("wan.dot", [5, 1, 8], &["wan-1 has the function firewall", "function mgmt"]),
    shape!("lldp.dot", [4, 0, 4], &["oob-mgmt-switch with its cables is left out by its name"]),
    shape!("cables-only.dot", [5, 2, 6], &["spine2 is drawn by its cables only", "internet"]),
    shape!("plain.gv", [5, 3, 6], &["a cable at host1 names no port and gets eth1"]),
    shape!("marked-wrong.dot", [4, 2, 3], &["leaf-r01n01 has the function spine and hosts"]),
    shape!("islands.dot", [6, 3, 3], &["is drawn a second time", "joins two hosts"]),
    shape!("dots.dot", [4, 1, 3], &["leaf1.lab is called leaf1-lab", "Ethernet1/1 of leaf1-lab"]),
    shape!("five-stages.clab.yml", [6, 2, 6], &["superspine1 is of kind nokia_srlinux"]),
    shape!("frr.clab.yml", [3, 2, 3], &["a has no function and is taken for a host", "leads out"]),
];

#[test]
fn pictures_of_every_shape_load_with_a_first_inventory_and_render() {
    for (file, text, sizes, notes) in SHAPES {
        let read = picture::parse(text, file);
        let inventory = first::inventory(&read, file);
        let topology = Topology::of(file, file, text, &inventory)
            .unwrap_or_else(|error| panic!("{file}: {error}\n{inventory}"));
        let found = [topology.switches.len(), topology.hosts.len(), topology.links.len()];
        assert_eq!(found, sizes, "{file}: {:#?}", topology.notes);
        for note in notes {
            let said = |all: &Vec<String>| all.iter().any(|it| it.contains(note));
            assert!(said(&topology.notes), "{file}: {note}: {:#?}", topology.notes);
        }
        for switch in &topology.switches {
            let text = render::switch_text(&topology, switch);
            let is_vtep = matches!(switch.function, Function::Leaf);
            assert!(!is_vtep || text.contains("advertise-all-vni"), "{file}: {text}");
        }
        for host in &topology.hosts {
            assert!(render::host_text(&topology, host).contains("default via"), "{file}");
        }
    }
}

/// All that a lab needs is in the picture, and the inventory says the rest.
#[test]
fn the_topologies_that_come_with_fabric_load_with_a_first_inventory_too() {
    for (file, text) in [
        ("pair.dot", include_str!("../../../../topologies/pair.dot")),
        ("one-site.dot", include_str!("../../../../topologies/one-site.dot")),
        ("two-sites.dot", include_str!("../../../../topologies/two-sites.dot")),
        ("underlay.dot", include_str!("../../../../topologies/underlay.dot")),
        ("anycast.dot", include_str!("../../../../topologies/anycast.dot")),
        ("static.dot", include_str!("../../../../topologies/static.dot")),
        ("reference.dot", include_str!("../../../../topologies/reference.dot")),
        ("evpn-on-host.dot", include_str!("../../../../topologies/evpn-on-host.dot")),
    ] {
        let inventory = first::inventory(&picture::parse(text, file), file);
        Topology::of(file, file, text, &inventory)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

/// Cut short, with a character too few, and with one too many: there is a complaint or a topology.
#[test]
fn broken_pictures_and_inventories_are_answered_and_not_fallen_over() {
    let try_out = |file: &str, text: &str, inventory: &str| {
        let _ = Topology::of(file, file, text, inventory);
    };
    for (file, text, ..) in SHAPES {
        let inventory = first::inventory(&picture::parse(text, file), file);
        for (which, whole) in [text, &inventory].into_iter().enumerate() {
            let places: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
            for at in places.iter().step_by(places.len() / 4 + 1) {
                let (head, tail) = whole.split_at(*at);
                let shorter: String = head.chars().chain(tail.chars().skip(1)).collect();
                let marks = ["\"", "{", "}", "[", "<", ":", "\\", "\u{0}", "--", "é"];
                let longer = marks.map(|mark| format!("{head}{mark}{tail}"));
                for broken in [head.to_owned(), shorter].iter().chain(&longer) {
                    match which {
                        0 => try_out(file, broken, &inventory),
                        _ => try_out(file, text, broken),
                    }
                }
            }
        }
    }
    for deep in ["{", "a -- {", "[", "subgraph x {"] {
        try_out("x.dot", &format!("graph x {{ {}", deep.repeat(10_000)), "");
    }
}
