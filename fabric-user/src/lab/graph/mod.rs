//! A picture of a topology as SVG: sites side by side, tiers above each other, hosts under their
//! leaf in the colour of their network.

mod layout;
mod svg;

use self::layout::Layout;
use self::svg::Broken;
use super::status::LinkStatus;
use super::topology::Topology;

/// Draws a topology; the text of an SVG file. Of the cables of a lab that is up, those that are broken are
/// marked.
pub fn svg(topology: &Topology, links: &[LinkStatus]) -> String {
    svg::draw(topology, &Layout::of(topology), &Broken::of(links))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::facts::PortState;
    use crate::lab::status::EndStatus;
    use crate::lab::topology::End;

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
        let text = svg(&topology!("anycast"), &[]);
        for word in ["srv08", "8 servers", ">dns<", "AS 65214"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn servers_in_a_network_and_providers_have_cables_and_the_legend_names_the_exits() {
        let topology = topology!("exits");
        let text = svg(&topology, &[]);
        for words in [
            "2 providers",
            ">10.50.0.11<",
            "6 servers",
            ">isp01<",
            "routed by exit01, exit02, exit03, exit04, on",
        ] {
            assert!(text.contains(words), "{words}");
        }
        let layout = Layout::of(&topology);
        assert_eq!(layout.wires.len(), topology.links.len() + topology.members.len());
    }

    #[test]
    fn every_node_port_and_label_is_in_the_picture() {
        let topology = two_sites();
        let text = svg(&topology, &[]);
        for node in topology.node_names() {
            assert!(text.contains(&format!(">{node}<")), "{node}");
        }
        for label in ["DWDM 1", "DWDM 2", "swp31", "Site-01", "VLAN 200", "AS 65209"] {
            assert!(text.contains(label), "{label}");
        }
    }

    #[test]
    fn broken_cables_of_a_lab_are_dashed_and_the_legend_says_why() {
        let topology = two_sites();
        let end =
            |end: &End, state| EndStatus { node: end.node.clone(), port: end.port.clone(), state };
        let link = |a: &End, b: &End, state, silent| LinkStatus {
            a: end(a, state),
            b: end(b, PortState::Up),
            silent,
        };
        let [one, two, three, ..] = &topology.links[..] else { panic!("there are more") };
        let host = &topology.hosts[0];
        let mut links = vec![
            link(&one.a, &one.b, PortState::NoCarrier, false),
            link(&two.a, &two.b, PortState::Up, true),
            link(&host.switch, &host.end, PortState::Off, false),
            link(&three.a, &three.b, PortState::Up, false),
        ];
        let dashes = |links: &[LinkStatus]| svg(&topology, links).matches("dasharray").count();
        assert_eq!(dashes(&links), 3 + 1, "and one in the legend");
        assert!(svg(&topology, &links).contains("cut, silent or without a carrier"));
        links.drain(..3);
        assert_eq!(dashes(&links), 0);
        assert_eq!(svg(&topology, &links), svg(&topology, &[]));
    }

    #[test]
    fn names_are_escaped() {
        let mut topology = two_sites();
        topology.switches[0].site = "a<b>&\"c\"".to_owned();
        let text = svg(&topology, &[]);
        assert!(text.contains("a&lt;b&gt;&amp;&quot;c&quot;"));
        assert!(!text.contains("a<b>"));
    }

    #[test]
    fn a_bond_is_drawn_with_a_line_for_each_of_its_cables() {
        let lines = |end: &str| {
            let picture = format!("graph {{ leaf1 -- spine1 db -- leaf1 {end} }}");
            let read = super::super::topology::picture::parse(&picture, "t.dot");
            let inventory = super::super::topology::first::inventory(&read, "t.dot");
            let text = svg(&topology("t", &picture, &inventory), &[]);
            (text.matches("<line").count(), text.contains(">bond1<"))
        };
        let (single, named) = lines("");
        assert!(!named);
        assert_eq!(lines("db -- leaf1 db -- leaf1"), (single + 2, true));
    }

    #[test]
    fn nothing_overlaps_and_everything_is_inside() {
        let others = [topology!("anycast"), topology!("reference"), topology!("evpn-on-host")];
        for topology in [two_sites(), topology!("exits")].into_iter().chain(others) {
            nothing_overlaps(&topology);
        }
    }

    #[test]
    fn servers_are_drawn_with_their_networks_and_machines() {
        let text = svg(&topology!("evpn-on-host"), &[]);
        for words in [">vnet3<", ">app01<", "on srv01 and srv02 and srv03<", "3 servers"] {
            assert!(text.contains(words), "{words}");
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
        let text = svg(&topology!("static"), &[]);
        for words in ["on every leaf of Site-01<", "on leaf01 and leaf02<"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("AS "), "nobody has a number");
        let whole = svg(&two_sites(), &[]);
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
