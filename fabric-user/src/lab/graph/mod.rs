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

    fn two_sites() -> Topology {
        let picture = include_str!("../../../../topologies/two-sites.dot");
        let inventory = include_str!("../../../../topologies/two-sites.toml");
        Topology::parse("two-sites", picture, inventory).expect("valid")
    }

    fn anycast() -> Topology {
        let picture = include_str!("../../../../topologies/anycast.dot");
        let inventory = include_str!("../../../../topologies/anycast.toml");
        Topology::parse("anycast", picture, inventory).expect("valid")
    }

    #[test]
    fn servers_are_drawn_with_their_services() {
        let text = svg(&anycast());
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
        for topology in [two_sites(), anycast()] {
            nothing_overlaps(&topology);
        }
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
