//! Names of ports: where a drawing says them, what Linux and the lab take, and free ones for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::drawing::{Drawing, RawEdge};
use super::super::fit::{Remarks, Sorted};
use super::super::tenant::VIRTUAL_ROUTER;
use super::{Function, INTERFACE_NAME_MAX};

/// Attributes of a cable that name the port of its left and of its right end.
pub(super) const PORTS: [[&str; 2]; 3] =
    [["left_port", "right_port"], LABELS, ["tailport", "headport"]];
/// Attributes that show any text beside the end of an edge, and often the port.
const LABELS: [&str; 2] = ["taillabel", "headlabel"];
/// Where an edge meets its node in Graphviz.
const COMPASS: [&str; 10] = ["n", "ne", "e", "se", "s", "sw", "w", "nw", "c", "_"];
/// Names that interfaces of a lab have already, or that are words of `ip` and sysctl.
const TAKEN: [&str; 9] = ["lo", ".", "..", "all", "default", "up", "down", "dev", "arriving"];

/// Whether a port of an edge in DOT is a point of the compass.
pub(in super::super) fn is_compass(port: &str) -> bool {
    COMPASS.contains(&port)
}

/// The name of the port that each end of each cable has in the lab.
pub(super) struct Ports {
    /// By node and the name that is drawn.
    named: BTreeMap<(String, String), String>,
    /// Those in use, by node.
    used: BTreeSet<(String, String)>,
    /// Nodes with ports called `eth1` and not `swp1`.
    hosts: BTreeSet<String>,
}

impl Ports {
    /// The ports that a drawing names. Those that Linux does not take are changed, with a note.
    pub(super) fn of(drawing: &Drawing, sorted: &Sorted, remarks: &mut Remarks<'_>) -> Self {
        let is_host = |function: Function| matches!(function, Function::Host | Function::Server);
        let hosts = sorted.nodes.iter().filter(|node| is_host(node.function));
        let mut ports = Self {
            named: BTreeMap::new(),
            used: BTreeSet::new(),
            hosts: hosts.map(|node| node.name.clone()).collect(),
        };
        let mut changed = Vec::new();
        for edge in &drawing.edges {
            for side in [0, 1] {
                let Some(port) = drawn(edge, side) else {
                    continue;
                };
                let key = (edge.ends[side].node.clone(), port);
                let is_left_out = edge.ends.iter().any(|it| sorted.left_out.contains_key(&it.node));
                if is_left_out || plain(&key.1) == key.1 {
                    ports.used.insert(key.clone());
                    ports.named.insert(key.clone(), key.1);
                } else {
                    changed.push((key, edge.line));
                }
            }
        }
        // What can stay as it is does, wherever in the file it stands.
        for (key, line) in changed {
            if ports.named.contains_key(&key) {
                continue;
            }
            let (node, port) = &key;
            let is_free = |name: &String| !ports.used.contains(&(node.clone(), name.clone()));
            let name = shorter(&plain(port)).find(is_free).unwrap_or_else(|| plain(port));
            remarks.note(line, format!("port {port} of {node} is called {name} in the lab"));
            ports.used.insert((node.clone(), name.clone()));
            ports.named.insert(key, name);
        }
        ports
    }

    /// The name of the port at one end of a cable: the one that is drawn, or a free one.
    pub(super) fn at(&mut self, edge: &RawEdge, side: usize, remarks: &mut Remarks<'_>) -> String {
        let node = &edge.ends[side].node;
        if let Some(port) = drawn(edge, side) {
            let key = (node.clone(), port);
            return self.named.get(&key).cloned().unwrap_or(key.1);
        }
        let prefix = if self.hosts.contains(node) { "eth" } else { "swp" };
        let mut number = 1;
        while !self.used.insert((node.clone(), format!("{prefix}{number}"))) {
            number += 1;
        }
        let port = format!("{prefix}{number}");
        let says = match text(edge, side) {
            Some((_, text)) => format!("says {text}, which is no port,"),
            None => "names no port".to_owned(),
        };
        remarks.note(edge.line, format!("a cable at {node} {says} and gets {port}"));
        port
    }
}

/// Whether neither end of a cable has a port of its own.
pub(super) fn names_none(edge: &RawEdge) -> bool {
    [0, 1].into_iter().all(|side| drawn(edge, side).is_none())
}

/// What the attributes say of one end, and by which of them.
fn text(edge: &RawEdge, side: usize) -> Option<(&'static str, &str)> {
    PORTS.iter().find_map(|keys| {
        let text = edge.attributes.get(keys[side])?.trim();
        // Behind a port, or in its place, may be a point of the compass.
        let is_point = |it: &str| !LABELS.contains(&keys[side]) && is_compass(it);
        let text = match text.rsplit_once(':') {
            Some((port, point)) if is_point(point) => port,
            _ => text,
        };
        (!text.is_empty() && !is_point(text)).then_some((keys[side], text))
    })
}

/// The port that a drawing names at one end of a cable.
fn drawn(edge: &RawEdge, side: usize) -> Option<String> {
    let port = edge.ends[side].port.as_deref().filter(|port| !port.is_empty());
    let by_attribute = || {
        let (key, text) = text(edge, side)?;
        (key == PORTS[0][side] || is_interface(text)).then_some(text)
    };
    port.or_else(by_attribute).map(str::to_owned)
}

/// Whether a text beside the end of an edge is a port and no address, speed or remark.
fn is_interface(text: &str) -> bool {
    let words = || text.split(|it: char| it.is_whitespace() || it == '/' || it == '\\');
    let is_address = |word: &str| word.parse::<Ipv6Addr>().is_ok() || word.matches('.').count() > 2;
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.contains(|it: char| it.is_ascii_digit())
        && !words().any(is_address)
        && shorter(&plain(text)).next().is_some()
}

/// Whether an interface can have this name beside those of Linux and the lab.
pub(in super::super) fn is_free_name(name: &str) -> bool {
    !name.is_empty() && plain(name) == name
}

/// A name without what Linux, FRR or a batch of `ip` does not take in one: `-` is in its place.
fn plain(port: &str) -> String {
    let is_legal = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let plain: String = port.chars().map(|it| if is_legal(it) { it } else { '-' }).collect();
    let is_device = |kind| {
        let number = plain.strip_prefix(kind).unwrap_or_default();
        let number = number.strip_suffix(VIRTUAL_ROUTER).unwrap_or(number);
        !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
    };
    if TAKEN.contains(&plain.as_str()) || ["br", "vlan", "vxlan"].into_iter().any(is_device) {
        format!("p-{plain}")
    } else if plain.starts_with('-') {
        format!("p{plain}")
    } else if plain.parse::<Ipv4Addr>().is_ok() {
        plain.replace('.', "-")
    } else {
        plain
    }
}

/// The name if it is short enough, or else with the first two letters for its word, as in `Gi0-0-1` for
/// `GigabitEthernet0/0/1`; then others for ports that would have the same.
fn shorter(name: &str) -> impl Iterator<Item = String> {
    let number = name.trim_start_matches(|it: char| it.is_ascii_alphabetic());
    let word = &name[..name.len() - number.len()];
    let letters = if number.is_empty() { 0..0 } else { 2..word.len() };
    let cut = letters.map(move |letters| format!("{}{number}", &word[..letters]));
    let numbered = (2..100).map(move |copy| format!("{name}-{copy}"));
    let all = std::iter::once(name.to_owned()).chain(cut).chain(numbered);
    all.filter(|name| name.len() <= INTERFACE_NAME_MAX)
}
