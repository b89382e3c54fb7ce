//! What a drawing has that a lab has no use for is left out, and what it does not say is guessed: with a
//! note each, so that files drawn for other tools load as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::drawing::{Drawing, RawNode};
use super::error::Complaint;
use super::picture::{DrawnCable, DrawnNode, Function};
use super::role::{self, Role};

/// What the rest of the reading needs of a file: its name, and where notes and complaints go.
pub(super) struct Remarks<'a> {
    pub(super) file: &'a str,
    pub(super) notes: Vec<String>,
    pub(super) complaints: Vec<Complaint>,
}

impl Remarks<'_> {
    pub(super) fn note(&mut self, line: usize, note: impl std::fmt::Display) {
        self.notes.push(format!("{} line {line}: {note}", self.file));
    }

    pub(super) fn complain(&mut self, line: usize, message: impl Into<String>) {
        self.complaints.push(Complaint::at(self.file, line, message));
    }
}

/// A node with all that its statements say.
struct Sketched {
    node: RawNode,
    role: Option<Role>,
}

/// What becomes of the nodes of a drawing.
pub(super) struct Sorted {
    /// Those with a function, in the order of the file.
    pub(super) nodes: Vec<DrawnNode>,
    /// Names of those that are left out, with the reason as the end of a sentence.
    pub(super) left_out: BTreeMap<String, String>,
    /// Names of those whose function is a guess.
    guessed: BTreeSet<String>,
}

/// Gives the nodes of a drawing their functions.
pub(super) fn sort(drawing: &Drawing, remarks: &mut Remarks<'_>) -> Sorted {
    let mut sketched = merged(drawing, remarks);
    for node in &mut sketched {
        node.role = by_words(node, remarks);
    }
    by_neighbours(&mut sketched, drawing, remarks);
    let (mut nodes, mut left_out, mut guessed) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for Sketched { node, role, .. } in sketched {
        let function = node.attributes.get("function");
        if function.and_then(|function| role::of_function(function)).is_none() {
            guessed.insert(node.name.clone());
        }
        match role {
            Some(Role::Node(function)) => {
                nodes.push(DrawnNode { name: node.name, function, line: node.line });
            }
            Some(Role::LeftOut) => {
                left_out.insert(node.name, "is not part of the fabric".to_owned());
            }
            // A complaint is filed.
            None => {}
        }
    }
    Sorted { nodes, left_out, guessed }
}

/// One entry a node: statements of the same node say more of it, and nodes that only cables name have none.
fn merged(drawing: &Drawing, remarks: &mut Remarks<'_>) -> Vec<Sketched> {
    let mut all: Vec<Sketched> = Vec::new();
    for node in &drawing.nodes {
        let Some(Sketched { node: first, .. }) =
            all.iter_mut().find(|other| other.node.name == node.name)
        else {
            all.push(Sketched { node: node.clone(), role: None });
            continue;
        };
        let functions = (first.attributes.get("function"), node.attributes.get("function"));
        if let (Some(one), Some(other)) = functions
            && one != other
        {
            remarks.complain(
                node.line,
                format!(
                    "node {} is drawn twice, as {one} in line {} and as {other} here; give one of the two another name",
                    node.name, first.line
                ),
            );
        }
        first.attributes.extend(node.attributes.clone());
        first.is_declared |= node.is_declared;
    }
    let has_function = |it: &Sketched| it.node.attributes.contains_key("function");
    let some_have = all.iter().any(has_function);
    let all_have = all.iter().filter(|it| it.node.is_declared).all(has_function);
    let declared: Vec<String> = all.iter().map(|it| it.node.name.clone()).collect();
    for edge in &drawing.edges {
        for end in &edge.ends {
            if all.iter().any(|it| it.node.name == end.node) {
                continue;
            }
            let is_slip = || declared.iter().any(|it| role::is_slip(&end.node, it));
            let is_wordless = some_have && role::of_name(&end.node).is_none();
            if drawing.is_strict || is_wordless || some_have && all_have && is_slip() {
                let distance = |name: &&String| strsim::osa_distance(name, &end.node);
                let nearest = declared.iter().min_by_key(distance);
                let nearest = nearest.map(|it| format!(" to {it}, the nearest one"));
                remarks.complain(
                    edge.line,
                    format!(
                        "the cable names the unknown node {}; draw the node with its function or correct the name{}",
                        end.node,
                        nearest.unwrap_or_default()
                    ),
                );
            }
            let (name, line) = (end.node.clone(), edge.line);
            let node = RawNode { name, attributes: BTreeMap::new(), is_declared: false, line };
            all.push(Sketched { node, role: None });
        }
    }
    all
}

/// The role of a node by its function, or by the words of its function, `role` or name.
fn by_words(sketched: &Sketched, remarks: &mut Remarks<'_>) -> Option<Role> {
    let RawNode { name, attributes, line, .. } = &sketched.node;
    let function = attributes.get("function").filter(|function| !function.is_empty());
    let told = function.and_then(|function| role::of_function(function));
    if role::is_management(name) && told != Some(Role::LeftOut) {
        remarks.note(*line, format!("node {name} with its cables is left out by its name"));
        return Some(Role::LeftOut);
    }
    if let (Some(function), Some(told)) = (function, told) {
        if told == Role::LeftOut {
            remarks.note(
                *line,
                format!("node {name} with its cables is left out (function {function})"),
            );
        }
        return Some(told);
    }
    let hints = [function, attributes.get("role"), attributes.get("group")];
    let by_hint = hints.into_iter().flatten().find_map(|hint| role::of_name(hint));
    let (guess, why) = match (by_hint, role::of_name(name)) {
        (Some(role), _) if function.is_some() => (role, "the words of it"),
        (Some(role), _) => (role, "its role"),
        (None, Some(role)) => (role, "its name"),
        (None, None) => return None,
    };
    say(sketched, guess, why, remarks);
    Some(guess)
}

/// Notes what a node is taken for and why.
fn say(sketched: &Sketched, role: Role, why: &str, remarks: &mut Remarks<'_>) {
    let RawNode { name, attributes, line, .. } = &sketched.node;
    let has = match attributes.get("function").filter(|function| !function.is_empty()) {
        Some(function) => format!("has the function {function}, which the lab does not know,"),
        None if sketched.node.is_declared => "has no function".to_owned(),
        None => "is drawn by its cables only".to_owned(),
    };
    let taken = match role {
        Role::Node(function) => format!("is taken for a {}", function.name()),
        Role::LeftOut => "is left out with its cables".to_owned(),
    };
    remarks.note(*line, format!("node {name} {has} and {taken} by {why}"));
}

/// Gives nodes whose words say nothing a role by their image and by what they are connected to.
fn by_neighbours(sketched: &mut [Sketched], drawing: &Drawing, remarks: &mut Remarks<'_>) {
    let mut roles: BTreeMap<String, Role> =
        sketched.iter().filter_map(|it| it.role.map(|role| (it.node.name.clone(), role))).collect();
    // Who is left out tells nothing: the lab does not have its cables.
    let is_here = |name: &String| roles.get(name) != Some(&Role::LeftOut);
    let mut neighbours: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &drawing.edges {
        let [left, right] = [&edge.ends[0].node, &edge.ends[1].node];
        if left != right && is_here(left) && is_here(right) {
            neighbours.entry(left).or_default().insert(right);
            neighbours.entry(right).or_default().insert(left);
        }
    }
    let none = BTreeSet::new();
    let of = |name: &str| neighbours.get(name).unwrap_or(&none);
    let count = |roles: &BTreeMap<String, Role>, name: &str, wanted: &[Function]| {
        let is_wanted =
            |role: &Role| matches!(role, Role::Node(function) if wanted.contains(function));
        of(name).iter().filter(|peer| roles.get(**peer).is_some_and(is_wanted)).count()
    };
    let has_spines = roles.values().any(|role| *role == Role::Node(Function::Spine));
    // Hosts first: who is connected to one is a leaf. Then spines, which are connected to leafs alone.
    for pass in 0..3 {
        let before = roles.clone();
        for it in sketched.iter().filter(|it| !before.contains_key(&it.node.name)) {
            let name = it.node.name.as_str();
            let peers = of(name).len();
            let leafs = count(&before, name, &[Function::Leaf, Function::Border]);
            let hosts = count(&before, name, &[Function::Host, Function::Server]);
            let image = ["image", "os"].iter().find_map(|key| it.node.attributes.get(*key));
            let forwards = image.and_then(|image| role::forwards(image));
            let is_single = peers == 1
                && of(name).iter().all(|peer| of(peer).len() > 1 || before.contains_key(*peer));
            let is_dual = has_spines && leafs == peers && peers <= 2;
            let role = match pass {
                _ if peers == 0 => Role::LeftOut,
                0 if forwards == Some(false) => Role::Node(Function::Host),
                0 if forwards.is_none() && hosts == 0 && (is_single || is_dual) => {
                    Role::Node(Function::Host)
                }
                1 if hosts > 0 => Role::Node(Function::Leaf),
                2 if leafs == peers && peers > 1 => Role::Node(Function::Spine),
                2 => Role::Node(Function::Leaf),
                _ => continue,
            };
            let why = if peers == 0 {
                "its lack of cables"
            } else if pass == 0 && forwards.is_some() {
                "its image"
            } else {
                "its cables"
            };
            say(it, role, why, remarks);
            roles.insert(name.to_owned(), role);
        }
    }
    for it in sketched {
        it.role = roles.get(&it.node.name).copied();
    }
}

/// Leaves out the cables that a lab has no use for, and hosts, servers and guessed switches that have none
/// left. A switch that the file calls one stays without cables.
pub(super) fn leave_out(
    Sorted { nodes, left_out, guessed }: &mut Sorted,
    cables: &mut Vec<DrawnCable>,
    remarks: &mut Remarks<'_>,
) {
    drop_cables(nodes, cables, remarks);
    mistaken_spines(nodes, cables, remarks);
    let functions: BTreeMap<String, Function> =
        nodes.iter().map(|node| (node.name.clone(), node.function)).collect();
    let function = |name: &str| functions.get(name).copied();
    let is_host = |name: &str| function(name) == Some(Function::Host);
    // The switch that each host uses, by all its cables there: that of the first one to a leaf, or else of
    // the first.
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    for to_leafs in [true, false] {
        for cable in cables.iter() {
            let Some((host, peer)) = cable.from(is_host) else {
                continue;
            };
            let is_leaf = matches!(function(&peer.node), Some(Function::Leaf | Function::Border));
            if is_leaf || !to_leafs {
                used.entry(host.node.clone()).or_insert_with(|| peer.node.clone());
            }
        }
    }
    cables.retain(|cable| {
        let Some((host, peer)) = cable.from(is_host) else {
            return true;
        };
        let switch = &used[&host.node];
        if *switch == peer.node {
            return true;
        }
        remarks.note(
            cable.line,
            format!(
                "host {} has cables to several switches, of which {switch} is used; {} is left out (a second leaf takes EVPN multihoming)",
                host.node,
                cable.describe()
            ),
        );
        false
    });
    note_peerlinks(nodes, cables, remarks);
    let connected: BTreeSet<&str> = cables
        .iter()
        .flat_map(|cable| [cable.left.node.as_str(), cable.right.node.as_str()])
        .collect();
    nodes.retain(|node| {
        let is_end = matches!(node.function, Function::Host | Function::Server);
        let may_go = is_end || guessed.contains(&node.name);
        let stays = !may_go || connected.contains(node.name.as_str());
        if !stays {
            let what = node.function.name();
            remarks.note(node.line, format!("{what} {} has no cable and is left out", node.name));
            left_out.insert(node.name.clone(), "has no cable".to_owned());
        }
        stays
    });
}

/// Says what a cable between two leafs is, which people call a peerlink.
fn note_peerlinks(nodes: &[DrawnNode], cables: &[DrawnCable], remarks: &mut Remarks<'_>) {
    let is_leaf =
        |name: &str| nodes.iter().any(|node| node.name == name && node.function == Function::Leaf);
    let joins = |cable: &&DrawnCable| is_leaf(&cable.left.node) && is_leaf(&cable.right.node);
    let mut found = cables.iter().filter(joins);
    if let Some(first) = found.next() {
        let count = 1 + found.count();
        remarks.note(
            first.line,
            format!(
                "cables between leafs ({count}), as {}, are links with BGP here, and there is no MLAG",
                first.describe()
            ),
        );
    }
}

/// Cables that lead nowhere in a fabric: from a node to itself, between two hosts or two servers, and the same
/// one a second time.
fn drop_cables(nodes: &[DrawnNode], cables: &mut Vec<DrawnCable>, remarks: &mut Remarks<'_>) {
    let end = |name: &str| {
        let function = nodes.iter().find(|node| node.name == name).map(|node| node.function);
        function.filter(|it| matches!(it, Function::Host | Function::Server))
    };
    let mut seen = BTreeSet::new();
    cables.retain(|cable| {
        let mut ends = [&cable.left, &cable.right].map(|end| (end.node.clone(), end.port.clone()));
        ends.sort();
        let why = if cable.left.node == cable.right.node {
            "leads back to the same node"
        } else if let Some(kind) = end(&cable.left.node)
            && end(&cable.right.node) == Some(kind)
        {
            match kind {
                Function::Server => "joins two servers, which are plugged into leafs here,",
                _ => "joins two hosts, which are plugged into leafs or servers here,",
            }
        } else if !seen.insert(ends) {
            "is drawn a second time"
        } else {
            return true;
        };
        remarks.note(cable.line, format!("the cable {} {why} and is left out", cable.describe()));
        false
    });
}

/// A spine into which hosts are plugged and whose name says leaf is one: files have such slips.
fn mistaken_spines(nodes: &mut [DrawnNode], cables: &[DrawnCable], remarks: &mut Remarks<'_>) {
    let hosts: BTreeSet<String> = nodes
        .iter()
        .filter(|node| matches!(node.function, Function::Host | Function::Server))
        .map(|node| node.name.clone())
        .collect();
    for node in nodes.iter_mut().filter(|node| node.function == Function::Spine) {
        let has_hosts = cables.iter().any(|cable| {
            cable.from(|name| hosts.contains(name)).is_some_and(|(_, peer)| peer.node == node.name)
        });
        if has_hosts && role::of_name(&node.name) == Some(Role::Node(Function::Leaf)) {
            remarks.note(
                node.line,
                format!(
                    "node {} has the function spine and hosts, and is taken for a leaf by its name",
                    node.name
                ),
            );
            node.function = Function::Leaf;
        }
    }
}

#[cfg(test)]
mod tests;
