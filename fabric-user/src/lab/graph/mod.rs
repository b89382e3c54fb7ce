//! A picture of a topology as SVG: sites side by side, tiers above each other, hosts under their
//! leaf in the colour of their network.

mod layout;
mod svg;

use self::layout::Layout;
use super::topology::Topology;

/// Draws a topology; the text of an SVG file.
pub fn svg(topology: &Topology) -> String {
    svg::draw(topology, &Layout::of(topology))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(name: &str, picture: &str, inventory: &str) -> Topology {
        Topology::parse(name, picture, inventory).expect("valid")
    }

    macro_rules! topology {
        ($name:literal) => {
            topology(
                $name,
                include_str!(concat!("../../../../topologies/", $name, ".dot")),
                include_str!(concat!("../../../../topologies/", $name, ".toml")),
            )
        };
    }

    fn two_sites() -> Topology {
        topology!("two-sites")
    }

    #[test]
    fn servers_are_drawn_with_their_services() {
        let text = svg(&topology!("anycast"));
        for word in ["srv08", "8 servers", ">dns<", "AS 65214"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn every_node_port_and_label_is_in_the_picture() {
        let topology = two_sites();
        let text = svg(&topology);
        for node in topology.node_names() {
            assert!(text.contains(&format!(">{node}<")), "{node}");
        }
        for label in ["DWDM 1", "DWDM 2", "swp31", "Site-01", "VLAN 200", "AS 65209"] {
            assert!(text.contains(label), "{label}");
        }
    }

    #[test]
    fn names_are_escaped() {
        let mut topology = two_sites();
        topology.switches[0].site = "a<b>&\"c\"".to_owned();
        let text = svg(&topology);
        assert!(text.contains("a&lt;b&gt;&amp;&quot;c&quot;"));
        assert!(!text.contains("a<b>"));
    }

    #[test]
    fn nothing_overlaps_and_everything_is_inside() {
        for topology in [two_sites(), topology!("anycast"), topology!("reference")] {
            nothing_overlaps(&topology);
        }
    }

    #[test]
    fn a_cable_within_a_row_passes_no_card_and_has_room_for_the_names_of_its_ports() {
        let layout = Layout::of(&topology!("reference"));
        let level = layout.wires.iter().filter(|wire| wire.a_side == layout::Side::Right);
        let mut number = 0;
        for layout::Wire { a, b, .. } in level {
            assert!(b.x - a.x > 80.0, "{a:?} {b:?}");
            let between = |card: &&layout::Rect| {
                card.y < a.y && a.y < card.y + card.h && a.x < card.x && card.x + card.w < b.x
            };
            assert_eq!(layout.cards.iter().find(between), None, "{a:?} {b:?}");
            number += 1;
        }
        assert!(
            number >= 8,
            "two between leafs, twice, between spines and between exits: {number}"
        );
    }

    #[test]
    fn the_legend_names_leafs_where_a_network_is_not_in_a_whole_site() {
        let text = svg(&topology!("static"));
        for words in ["on every leaf of Site-01<", "on leaf01 and leaf02<"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("AS "), "nobody has a number");
        let whole = svg(&two_sites());
        assert!(whole.contains("on every leaf of Site-01 and Site-02<"), "{whole}");
    }

    fn nothing_overlaps(topology: &Topology) {
        let layout = Layout::of(topology);
        let mut boxes: Vec<layout::Rect> = layout.cards.clone();
        boxes.extend(&layout.hosts);
        for (index, a) in boxes.iter().enumerate() {
            assert!(a.x >= 0.0 && a.y >= 0.0, "{a:?}");
            assert!(a.x + a.w <= layout.width && a.y + a.h <= layout.height, "{a:?}");
            for b in &boxes[index + 1..] {
                let apart =
                    a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                assert!(apart, "{a:?} overlaps {b:?}");
            }
        }
    }
}
