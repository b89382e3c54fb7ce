//! A fabric without a picture: its inventory alone names the nodes, networks and tenants, and there are neither cables
//! nor hosts. It can be checked, and not built.

use super::error::TopologyError;
use super::inventory::{self, Inventory};
use super::picture::{DrawnNode, ENDINGS, Function, Picture};
use super::role::{self, Role};
use super::{Topology, validate};

impl Topology {
    /// Reads an inventory without a picture; `name` is the base name of its file. Nodes need no AS numbers.
    ///
    /// # Errors
    /// With all that is wrong, also hosts and services: they need cables.
    pub fn undrawn(name: &str, text: &str) -> Result<Self, TopologyError> {
        let files = [format!("{name}{}", ENDINGS[0]), format!("{name}.toml")];
        let read = inventory::parse_undrawn(text, &files[1]);
        let nodes = read.nodes.keys().map(|node| DrawnNode {
            name: node.clone(),
            function: function(node, &read),
            line: read.lines.of(&["nodes", node]).unwrap_or_default(),
        });
        let picture = Picture { nodes: nodes.collect(), is_undrawn: true, ..Picture::default() };
        let combined = validate::combine(name, [&files[0], &files[1]], picture, &read);
        let mut topology = combined.map_err(TopologyError::Wrong)?;
        topology.picture_file.clear();
        text.clone_into(&mut topology.inventory_text);
        Ok(topology)
    }
}

/// What a node is for: what networks say of it, else a word in its name.
fn function(node: &String, inventory: &Inventory) -> Function {
    let mut networks = inventory.networks.values();
    if networks.any(|it| it.servers.contains(node)) {
        return Function::Server;
    }
    let mut networks = inventory.networks.values();
    let has_networks = networks.any(|it| it.leafs.contains(node));
    match role::of_name(node) {
        Some(Role::Node(Function::Border)) => Function::Border,
        Some(Role::Node(Function::Spine)) if !has_networks => Function::Spine,
        _ => Function::Leaf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[nodes.leaf01]
site = "a"
loopback = "10.0.0.11"
[nodes.compute02]
site = "a"
loopback = "10.0.0.12"
[nodes.exit01]
site = "a"
loopback = "10.0.0.2"
[nodes.spine01]
site = "a"
loopback = "10.0.0.1"
[networks.app]
vlan = 10
vni = 10010
leafs = ["leaf01", "compute02"]
"#;

    #[test]
    fn an_inventory_alone_has_nodes_and_networks_and_no_cables() {
        let topology = Topology::undrawn("here", TEXT).unwrap();
        let functions: Vec<_> =
            topology.switches.iter().map(|it| (it.name.as_str(), it.function)).collect();
        assert_eq!(
            functions,
            [
                ("compute02", Function::Leaf),
                ("exit01", Function::Border),
                ("leaf01", Function::Leaf),
                ("spine01", Function::Spine),
            ]
        );
        let homes = topology.switches.iter().filter(|it| !it.networks.is_empty());
        assert_eq!(homes.map(|it| it.name.as_str()).collect::<Vec<_>>(), ["compute02", "leaf01"]);
        assert!(topology.links.is_empty() && topology.hosts.is_empty());
    }

    #[test]
    fn what_needs_a_picture_is_refused_with_its_line() {
        let host = "[hosts.vm1]\nnetwork = \"app\"\naddress = \"10.1.0.1\"\n";
        let said = Topology::undrawn("here", &format!("{TEXT}{host}")).unwrap_err().to_string();
        assert!(
            said.contains(
                "here.toml line 18: [hosts.vm1] is an unknown node; draw it in here.dot or remove the entry"
            ),
            "{said}"
        );
        let said = Topology::undrawn("here", &TEXT.replace("nodes.leaf01", "nodes.\"leaf.1\""));
        let said = said.unwrap_err().to_string();
        assert!(said.contains("here.toml line 2: node name \"leaf.1\" cannot"), "{said}");
    }
}
