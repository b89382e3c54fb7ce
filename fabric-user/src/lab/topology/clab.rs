//! Reads the nodes and links of a containerlab file (`*.clab.yml`, <https://containerlab.dev/manual/topo-def-file>).
//!
//! What runs in the containers is not taken over: a node is a switch, server or host of the lab, with the
//! lab's own configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

use super::drawing::{Drawing, RawEdge, RawEnd, RawNode};
use super::error::Complaint;

#[derive(Deserialize)]
struct File {
    topology: Option<Body>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    defaults: Option<Node>,
    kinds: Option<BTreeMap<String, Option<Node>>>,
    groups: Option<BTreeMap<String, Option<Node>>>,
    nodes: Option<BTreeMap<String, Spanned<Option<Node>>>>,
    links: Option<Vec<Spanned<Link>>>,
}

/// What a node, its group, its kind or the defaults say.
#[derive(Deserialize, Default, Clone)]
#[serde(default, rename_all = "kebab-case")]
struct Node {
    kind: Option<String>,
    group: Option<String>,
    image: Option<String>,
    labels: Option<BTreeMap<String, Scalar>>,
    // What the lab does not carry out.
    exec: Option<IgnoredAny>,
    binds: Option<IgnoredAny>,
    startup_config: Option<IgnoredAny>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Other(IgnoredAny),
}

/// A link: `endpoints` of two, or in the long form `endpoint` of one whose other end is of a `type`.
#[derive(Deserialize)]
struct Link {
    r#type: Option<String>,
    mtu: Option<IgnoredAny>,
    endpoints: Option<Vec<Endpoint>>,
    endpoint: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Endpoint {
    Short(String),
    Long { node: String, interface: Option<String>, mac: Option<String> },
}

/// Kinds that stand for something outside the topology.
const OUTSIDE: [&str; 5] = ["bridge", "ovs-bridge", "host", "ext-container", "k8s-kind"];
/// Kinds whose image says what they are.
const LINUX: [&str; 4] = ["linux", "frr", "generic_vm", "vr-linux"];
/// Names that stand for something outside the topology where a link names a node.
const OUTSIDE_ENDS: [&str; 6] = ["host", "mgmt-net", "macvlan", "vxlan", "vxlan-stitch", "dummy"];

/// Reads a file; `file` is the name used in messages.
pub(super) fn read(text: &str, file: &str) -> Drawing {
    let mut drawing = Drawing { is_strict: true, ..Drawing::default() };
    let complaint = |line, message| Complaint::at(file, line, message);
    let body = match serde_saphyr::from_str::<File>(text) {
        Ok(File { topology: Some(body) }) => body,
        Ok(File { topology: None }) => {
            let message = "the file has no topology with nodes and links as containerlab's files have; add one";
            drawing.complaints.push(complaint(None, message.to_owned()));
            drawing.is_broken = true;
            return drawing;
        }
        Err(error) => {
            let line = error.location().and_then(|it| usize::try_from(it.line()).ok());
            let said = error.without_snippet().to_string();
            let said = said.lines().next().unwrap_or_default();
            let message = format!("{said}; correct it to what containerlab takes");
            drawing.complaints.push(complaint(line, message));
            drawing.is_broken = true;
            return drawing;
        }
    };
    nodes(&body, file, &mut drawing);
    for link in body.links.into_iter().flatten() {
        let line = line(&link);
        match edge(link.value, line) {
            Ok(Some(edge)) => drawing.edges.push(edge),
            Ok(None) => drawing.notes.push(format!(
                "{file} line {line}: the link leads out of the topology and is left out"
            )),
            Err(message) => drawing.complaints.push(complaint(Some(line), message)),
        }
    }
    drawing
}

fn line<T>(value: &Spanned<T>) -> usize {
    usize::try_from(value.referenced.line()).unwrap_or(1)
}

fn nodes(body: &Body, file: &str, drawing: &mut Drawing) {
    let mut nodes: Vec<(usize, &String, &Option<Node>)> =
        body.nodes.iter().flatten().map(|(name, node)| (line(node), name, &node.value)).collect();
    nodes.sort_by_key(|(line, ..)| *line);
    let defaults = body.defaults.clone().unwrap_or_default();
    let named = |map: &Option<BTreeMap<String, Option<Node>>>, name: &Option<String>| {
        let map = map.as_ref()?;
        map.get(name.as_ref()?).cloned().flatten()
    };
    let mut is_configured = false;
    for (line, name, own) in nodes {
        let own = own.clone().unwrap_or_default();
        let group_name = own.group.clone().or_else(|| defaults.group.clone());
        let group = named(&body.groups, &group_name).unwrap_or_default();
        let kind = own.kind.clone().or(group.kind.clone()).or_else(|| defaults.kind.clone());
        let of_kind = named(&body.kinds, &kind).unwrap_or_default();
        // The nearest one that says something counts.
        let all = [&own, &group, &of_kind, &defaults];
        is_configured |= all
            .iter()
            .any(|it| it.exec.is_some() || it.binds.is_some() || it.startup_config.is_some());
        let kind = kind.unwrap_or_else(|| LINUX[0].to_owned());
        let mut attributes = BTreeMap::from([("kind".to_owned(), kind.clone())]);
        let image = all.iter().find_map(|it| it.image.clone());
        if OUTSIDE.contains(&kind.as_str()) {
            attributes.insert("function".to_owned(), "fake".to_owned());
            drawing.notes.push(format!(
                "{file} line {line}: node {name} is of kind {kind}, which stands for something outside"
            ));
        } else if LINUX.contains(&kind.as_str()) {
            let image = if kind == "frr" { Some(kind) } else { image };
            attributes.extend(image.map(|image| ("image".to_owned(), image)));
        } else if kind.contains("ixia") {
            attributes.insert("image".to_owned(), "generic".to_owned());
        } else {
            attributes.insert("image".to_owned(), "frr".to_owned());
            drawing.notes.push(format!(
                "{file} line {line}: node {name} is of kind {kind}, and the lab has Linux with FRR in its place"
            ));
        }
        let label = all.iter().find_map(|it| match it.labels.as_ref()?.get("role")? {
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Other(_) => None,
        });
        attributes.extend(label.map(|label| ("role".to_owned(), label)));
        attributes.extend(group_name.map(|group| ("group".to_owned(), group)));
        drawing.nodes.push(RawNode { name: name.clone(), attributes, is_declared: true, line });
    }
    if is_configured {
        drawing.notes.push(format!(
            "{file}: commands and files of the nodes (exec, binds, startup-config) mean nothing here: the inventory says how they are configured"
        ));
    }
}

/// The cable that a link is; none if it leads out of the topology.
fn edge(link: Link, line: usize) -> Result<Option<RawEdge>, String> {
    let is_veth = link.r#type.as_deref().is_none_or(|it| it == "veth");
    if !is_veth || link.endpoint.is_some() && link.endpoints.is_none() {
        return Ok(None);
    }
    let mtu = link.mtu.map(|_| ("mtu".to_owned(), String::new()));
    let mut attributes: BTreeMap<String, String> = mtu.into_iter().collect();
    let mut ends = Vec::new();
    let form = "write it as endpoints: [\"leaf1:eth1\", \"spine1:eth1\"]";
    for (endpoint, key) in link.endpoints.into_iter().flatten().zip(["left_mac", "right_mac", ""]) {
        let (node, port) = match endpoint {
            Endpoint::Short(text) => {
                let parts = text.split_once(':').map(|(node, port)| (node.trim(), port.trim()));
                let Some((node, port)) = parts else {
                    return Err(format!("the endpoint {text} is no node with a port; {form}"));
                };
                (node.to_owned(), Some(port.to_owned()))
            }
            Endpoint::Long { node, interface, mac } => {
                attributes.extend(mac.map(|mac| (key.to_owned(), mac)));
                (node, interface)
            }
        };
        if OUTSIDE_ENDS.contains(&node.as_str()) {
            return Ok(None);
        }
        ends.push(RawEnd { node, port });
    }
    let ends = <[RawEnd; 2]>::try_from(ends);
    ends.map(|ends| Some(RawEdge { ends, attributes, line })).map_err(|ends| {
        format!("a link has two endpoints, and this one has {}; {form}", ends.len())
    })
}

#[cfg(test)]
mod tests {
    use super::super::picture::{DrawnCable, Function, Picture, parse};

    fn read(text: &str) -> Picture {
        let picture = parse(text, "lab.clab.yml");
        assert_eq!(picture.complaints, [], "{text}");
        picture
    }

    fn complaints(text: &str) -> Vec<String> {
        parse(text, "lab.clab.yml").complaints.iter().map(ToString::to_string).collect()
    }

    fn shown(picture: &Picture) -> (Vec<(&str, Function)>, Vec<String>) {
        let nodes = picture.nodes.iter().map(|node| (node.name.as_str(), node.function)).collect();
        (nodes, picture.cables.iter().map(DrawnCable::describe).collect())
    }

    fn noted(picture: &Picture, text: &str) -> bool {
        picture.notes.iter().any(|note| note.contains(text))
    }

    #[test]
    fn nodes_and_links_are_read_in_the_order_of_the_file() {
        let picture = read(
            "name: evpn
topology:
  kinds:
    linux:
      image: quay.io/frrouting/frr:10.2.1
  nodes:
    spine1:
    leaf2: { kind: linux }
    leaf1:
      kind: linux
      binds: [\"frr.conf:/etc/frr/frr.conf\"]
    host1:
      kind: linux
      image: alpine:3
      exec:
        - ip addr add 10.0.0.1/24 dev eth1
  links:
    - endpoints: [\"spine1:eth1\", \"leaf1:eth1\"]
    - endpoints:
        - leaf2:eth1
        - spine1:eth2
    - type: veth
      endpoints:
        - node: leaf1
          interface: eth2
        - { node: host1, interface: eth1, mac: 02:00:00:00:01:01 }
",
        );
        use Function::{Host, Leaf, Spine};
        let (nodes, cables) = shown(&picture);
        assert_eq!(nodes, [("spine1", Spine), ("leaf2", Leaf), ("leaf1", Leaf), ("host1", Host)]);
        assert_eq!(
            cables,
            ["spine1:eth1 -- leaf1:eth1", "leaf2:eth1 -- spine1:eth2", "leaf1:eth2 -- host1:eth1"]
        );
        assert_eq!(picture.cables[2].right.mac, "02:00:00:00:01:01".parse().ok());
        assert_eq!(picture.cables[1].line, 19);
        assert!(noted(&picture, "(exec, binds, startup-config) mean nothing here"));
    }

    #[test]
    fn groups_kinds_and_defaults_tell_switches_from_hosts() {
        let picture = read(
            "topology:
  defaults: { kind: linux }
  groups:
    routing: { image: \"frrouting/frr:v8.4.0\" }
    ends: { image: \"wbitt/network-multitool\" }
  nodes:
    a: { group: routing }
    b: { group: routing }
    c: { kind: arista_ceos }
    d: { group: ends }
    e: { group: ends, labels: { role: leaf, level: 1 } }
  links:
    - endpoints: [a:e1, b:e1]
    - endpoints: [a:e2, c:et1]
    - endpoints: [b:e2, d:e1]
    - endpoints: [c:et2, e:e1]
    - endpoints: [a:e3, e:e2]
",
        );
        let (nodes, _) = shown(&picture);
        use Function::{Host, Leaf};
        assert_eq!(nodes, [("a", Leaf), ("b", Leaf), ("c", Leaf), ("d", Host), ("e", Leaf)]);
        assert!(noted(&picture, "node c is of kind arista_ceos, and the lab has Linux with FRR"));
    }

    #[test]
    fn what_stands_for_something_outside_is_left_out_with_a_note() {
        let picture = read(
            "topology:
  nodes:
    leaf1: { kind: linux }
    leaf2: { kind: linux }
    br-lan: { kind: bridge }
  links:
    - endpoints: [leaf1:eth1, leaf2:eth1]
    - endpoints: [leaf1:eth2, br-lan:eth1]
    - endpoints: [leaf1:eth3, host:veth3]
    - endpoints: [leaf2:eth3, mgmt-net:veth4]
    - endpoints: [\"leaf2:eth4\", \"macvlan:enp0s3\"]
    - type: dummy
      endpoint: { node: leaf1, interface: dummy1 }
",
        );
        let (nodes, cables) = shown(&picture);
        assert_eq!((nodes.len(), cables.len()), (2, 1));
        let out = picture.notes.iter().filter(|note| note.contains("leads out of the topology"));
        assert_eq!(out.count(), 4);
        assert!(noted(&picture, "line 5: node br-lan is of kind bridge"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = complaints(
            "topology:
  nodes:
    leaf1:
      kind: linux
  links:
    - endpoints: [leaf1:eth1, leaf9:eth1]
    - endpoints: [leaf1]
    - endpoints: [\"leaf1:eth1\"]
",
        );
        let lines: Vec<&str> = said.iter().filter_map(|it| it.split(':').next()).collect();
        assert_eq!(lines, [7, 8, 6].map(|line| format!("lab.clab.yml line {line}")), "{said:?}");
        let said = complaints("topology:\n  nodes:\n    leaf1: [\n");
        assert!(said.len() == 1 && said[0].starts_with("lab.clab.yml line "), "{said:?}");
        let said = complaints("nodes: [a, b]\nlinks: [a-b]\n");
        assert!(said[0].contains("no topology with nodes and links"), "{said:?}");
    }
}
