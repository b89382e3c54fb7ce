//! What the maps should hold, derived anew from what `ip` and `bridge` print: no code is shared with
//! fabric-xdpd's own way through netlink.
//!
//! A fact is a line of text; [`super::content`] writes the same facts from the maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

use super::Fabric;

/// A link as `ip -d -j link` prints it.
#[derive(Debug)]
pub(super) struct Link(Value);

impl Link {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        text(&self.0["ifname"])
    }

    /// Its index.
    pub(super) fn index(&self) -> u32 {
        number(&self.0["ifindex"])
    }

    fn kind(&self) -> &str {
        text(&self.0["linkinfo"]["info_kind"])
    }

    fn data(&self, name: &str) -> &Value {
        &self.0["linkinfo"]["info_data"][name]
    }

    fn master(&self) -> &str {
        text(&self.0["master"])
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.0["flags"].as_array().is_some_and(|flags| flags.iter().any(|f| f == flag))
    }

    /// Up, with a carrier.
    fn alive(&self) -> bool {
        self.has_flag("UP") && self.has_flag("LOWER_UP")
    }

    fn forwards(&self) -> bool {
        self.alive() && self.0["linkinfo"]["info_slave_data"]["state"] == "forwarding"
    }

    /// The XDP program that runs on it: name and id.
    fn program(&self) -> Option<(String, u32)> {
        let program = &self.0["xdp"]["prog"];
        Some((program["name"].as_str()?.to_owned(), number(&program["id"])))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|n| n.try_into().ok()).unwrap_or_default()
}

/// Runs `ip -j` or `bridge -j` in a node.
fn query(fabric: &Fabric, node: &str, program: &str, arguments: &str) -> Vec<Value> {
    let mut command = Command::new(program);
    command.arg("-j").args(arguments.split_whitespace());
    let output = fabric.lab().exec(node, &mut command).unwrap_or_else(|error| panic!("{error}"));
    if output.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{program} {arguments}: {error}"))
}

/// All links of a node.
pub(super) fn links(fabric: &Fabric, node: &str) -> Vec<Link> {
    query(fabric, node, "ip", "-d link show").into_iter().map(Link).collect()
}

/// The XDP programs of a node's interfaces: name and id by interface.
#[must_use]
pub fn xdp_programs(fabric: &Fabric, node: &str) -> BTreeMap<String, (String, u32)> {
    let links = links(fabric, node);
    links.iter().filter_map(|link| Some((link.name().to_owned(), link.program()?))).collect()
}

/// What is true about a leaf.
#[must_use]
pub fn facts(fabric: &Fabric, leaf: &str) -> BTreeSet<String> {
    let links = links(fabric, leaf);
    let neighbours = [query(fabric, leaf, "ip", "-4 neigh"), query(fabric, leaf, "ip", "-6 neigh")];
    let kernel = Kernel {
        routes: query(fabric, leaf, "ip", "-4 route show"),
        fdb: query(fabric, leaf, "bridge", "fdb show"),
        neighbours: neighbours.concat(),
        links,
    };
    kernel.facts()
}

struct Kernel {
    links: Vec<Link>,
    routes: Vec<Value>,
    fdb: Vec<Value>,
    neighbours: Vec<Value>,
}

impl Kernel {
    fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name() == name)
    }

    fn facts(&self) -> BTreeSet<String> {
        let mut facts = BTreeSet::new();
        let mut vteps = BTreeMap::new();
        for vxlan in self.links.iter().filter(|link| link.kind() == "vxlan" && link.forwards()) {
            let (bridge, local) = (vxlan.master(), text(vxlan.data("local")));
            let up = self.link(bridge).is_some_and(|bridge| bridge.has_flag("UP"));
            // Without a local address the tunnel is the kernel's.
            if !up || local.is_empty() {
                continue;
            }
            let (vni, port) = (number(vxlan.data("id")), number(vxlan.data("port")));
            facts.insert(format!("VNI {vni} port {port} is {bridge} at {local}"));
            for entry in self.fdb.iter().filter(|e| e["ifname"] == vxlan.name()) {
                if let Some(remote) = entry["dst"].as_str().filter(|remote| *remote != local) {
                    vteps.insert(remote, local);
                }
            }
            self.bridge(bridge, vxlan, &mut facts);
        }
        for (remote, local) in vteps {
            self.vtep(remote, local, &mut facts);
        }
        facts
    }

    /// Ports and MACs of a bridge.
    fn bridge(&self, bridge: &str, vxlan: &Link, facts: &mut BTreeSet<String>) {
        for port in self.links.iter().filter(|l| l.master() == bridge && l.name() != vxlan.name()) {
            let (name, mtu) = (port.name(), number(&port.0["mtu"]));
            facts.insert(format!("port {name} is access, MTU {mtu}, runs fabric_access"));
        }
        for entry in self.fdb.iter().filter(|entry| entry["master"] == bridge) {
            let (mac, on) = (text(&entry["mac"]), text(&entry["ifname"]));
            let place = if is_group(mac) {
                continue;
            } else if entry["state"] == "permanent" {
                "this box".to_owned()
            } else if on == vxlan.name() {
                let own = |e: &&Value| e["mac"] == mac && e["ifname"] == on && e["dst"].is_string();
                let Some(remote) = self.fdb.iter().find(own) else { continue };
                format!("VTEP {}", text(&remote["dst"]))
            } else if self.link(on).is_some_and(Link::forwards) {
                format!("port {on}")
            } else {
                continue;
            };
            facts.insert(format!("{mac} in {bridge} is at {place}"));
        }
    }

    /// The way to a VTEP, and the underlay ports on it.
    fn vtep(&self, remote: &str, local: &str, facts: &mut BTreeSet<String>) {
        let route = self.routes.iter().find(|route| route["dst"] == remote);
        let hops = route.map_or_else(Vec::new, |route| match route["nexthops"].as_array() {
            Some(hops) => hops.clone(),
            None => vec![route.clone()],
        });
        let mut ways = BTreeSet::new();
        for hop in hops {
            let (device, gateway) = (text(&hop["dev"]), text(&hop["via"]["host"]));
            let gateway = if gateway.is_empty() { text(&hop["gateway"]) } else { gateway };
            let Some(link) = self.link(device).filter(|link| link.alive()) else { continue };
            let mtu = number(&link.0["mtu"]);
            facts.insert(format!("port {device} is underlay, MTU {mtu}, runs fabric_routed"));
            let neighbour =
                self.neighbours.iter().find(|n| n["dev"] == device && n["dst"] == gateway);
            if let Some(mac) = neighbour.and_then(|n| n["lladdr"].as_str()) {
                ways.insert(format!("{device} to {mac}"));
            }
        }
        let ways: Vec<String> = ways.into_iter().collect();
        facts.insert(format!("VTEP {remote} from {local} over {}", ways.join(" and ")));
    }
}

fn is_group(mac: &str) -> bool {
    let first = mac.get(..2).and_then(|byte| u8::from_str_radix(byte, 16).ok());
    mac == "00:00:00:00:00:00" || first.is_none_or(|byte| byte & 1 == 1)
}
