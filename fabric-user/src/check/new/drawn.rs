//! A first suite for a topology: all that its picture and inventory say, as assertions.

use std::collections::BTreeSet;

use super::text::{Text, list, quoted};
use crate::{
    check::inventory::Inventory,
    lab::topology::{Attachment, ControlPlane, Function, Host, Network, Prefixed, Switch},
};

/// The text of a suite. It is complete: whoever needs less deletes tables. `picture` is the path of the topology as the
/// suite has it.
pub(crate) fn suite_for(inventory: &Inventory, picture: &str) -> String {
    let topology = &inventory.topology;
    let mut text = Text::default();
    text.line(&format!("# What must be true of {}. `fabricctl check --explain KIND` says what each table may have.", topology.name));
    text.line("");
    text.field("title", &quoted(&format!("{}: what must always be true", topology.name)));
    text.field("topology", &quoted(picture));
    underlay(&mut text, inventory);
    networks(&mut text, inventory);
    hosts(&mut text, inventory);
    boxes(&mut text, inventory);
    text.into_string()
}

fn is_bgp(inventory: &Inventory) -> bool {
    inventory.topology.fabric.control_plane == ControlPlane::Bgp
}

fn underlay(text: &mut Text, inventory: &Inventory) {
    let topology = &inventory.topology;
    if !topology.links.is_empty() {
        let mut fields = vec![("on", quoted("*"))];
        if !topology.hosts.is_empty() {
            fields.push(("hosts", "true".into()));
        }
        text.table("Cables are as they are drawn.", "link", &fields);
    }
    if is_bgp(inventory) && !topology.links.is_empty() {
        let fields = [("on", quoted("*")), ("within", quoted("30s"))];
        text.table(
            "Every session of the picture, with its families, and no other one.",
            "bgp",
            &fields,
        );
        if topology.fabric.bfd.is_some() {
            text.table("Silence is noticed.", "bfd", &fields);
        }
    }
    let vteps: Vec<&Switch> =
        topology.switches.iter().filter(|it| !it.networks.is_empty()).collect();
    if let [first, .., last] = &vteps[..] {
        for to in [last, first] {
            let is_shared = |it: &&&Switch| {
                it.fabric_xdpd
                    && it.name != to.name
                    && topology.ecmp_width(&it.name, &[&to.name]) > 1
            };
            let on: Vec<&str> = vteps.iter().filter(is_shared).map(|it| it.name.as_str()).collect();
            if !on.is_empty() {
                let fields = [("on", list(on)), ("to", quoted(&to.name))];
                text.table("Flows are shared out among all ways.", "ecmp", &fields);
            }
        }
    }
    if !topology.services.is_empty() {
        text.table(
            "Services lead to the nearest servers.",
            "anycast",
            &[("service", quoted("*")), ("within", quoted("10s"))],
        );
    }
}

fn networks(text: &mut Text, inventory: &Inventory) {
    let topology = &inventory.topology;
    for network in &topology.networks {
        let homes = inventory.vteps_of(network);
        if homes.is_empty() {
            continue;
        }
        let fields =
            [("network", quoted(&network.name)), ("only", homes_as_written(inventory, &homes))];
        text.table("", "vni", &fields);
    }
    let is_shared = |it: &&Network| inventory.vteps_of(it).len() > 1;
    if topology.networks.iter().any(|it| is_shared(&it)) {
        text.table(
            "Broadcasts reach all VTEPs of a network.",
            "vteps",
            &[("network", quoted("*")), ("within", quoted("10s"))],
        );
    }
    if is_bgp(inventory) && topology.tenants.iter().any(|it| !inventory.vteps_in(it).is_empty()) {
        text.table(
            "Tenants have their VNI, and know the routers of other leafs.",
            "vrf",
            &[("tenant", quoted("*")), ("within", quoted("10s"))],
        );
    }
}

/// The nodes where a network lives: by sites, if it is at all nodes with networks there.
fn homes_as_written(inventory: &Inventory, homes: &[&Switch]) -> String {
    let sites: BTreeSet<&str> = homes.iter().map(|it| it.site.as_str()).collect();
    let all = inventory.topology.switches.iter();
    let all = all.filter(|it| !it.networks.is_empty() && sites.contains(it.site.as_str())).count();
    match all == homes.len() {
        true => {
            let sites: Vec<String> = sites.iter().map(|site| format!("@{site}")).collect();
            list(sites.iter().map(String::as_str))
        }
        false => list(homes.iter().map(|it| it.name.as_str())),
    }
}

fn hosts(text: &mut Text, inventory: &Inventory) {
    let topology = &inventory.topology;
    if topology.hosts.iter().any(|it| !inventory.gateways_of(it).is_empty()) {
        text.table(
            "Every host reaches its gateway, at its own leaf.",
            "gateway",
            &[("from", quoted("*")), ("loss", "0".into())],
        );
    }
    let in_networks = |it: &Host| it.network().is_some();
    if topology.hosts.iter().any(in_networks) {
        let fields = [("of", quoted("*")), ("within", quoted("10s"))];
        text.table(
            "Hosts are where they are plugged in, for all leafs of their networks.",
            "mac",
            &fields,
        );
        if topology
            .networks
            .iter()
            .any(|it| it.gateway.is_some() && members(inventory, it).next().is_some())
        {
            text.table("", "neighbour", &fields);
        }
        if is_bgp(inventory) {
            text.table("", "no_duplicates", &[("on", quoted("*"))]);
        }
    }
    for network in &topology.networks {
        if members(inventory, network).count() > 1 {
            reach(text, inventory, network, network);
        }
        if let Some((one, other)) = apart(inventory, network) {
            let fields = [("from", quoted(&one.name)), ("to", quoted(&other.name))];
            text.table("The longest packet fits through the tunnel, and a longer one is refused with an error.", "mtu", &fields);
        }
    }
    between(text, inventory);
    let routed: Vec<&str> = topology
        .hosts
        .iter()
        .filter(|it| matches!(it.attachment, Attachment::Routed(_)))
        .filter(|it| {
            topology.switch(&it.switch.node).is_some_and(|it| it.function != Function::Provider)
        })
        .map(|it| it.name.as_str())
        .collect();
    if routed.len() > 1 {
        text.table("", "reach", &[("from", list(routed.clone())), ("to", list(routed))]);
    }
}

fn pair(one: &Network, other: &Network) -> [(&'static str, String); 2] {
    [("from", quoted(&format!("#{}", one.name))), ("to", quoted(&format!("#{}", other.name)))]
}

/// The hosts of one network reach those of another, by IPv6 as well if all have addresses.
fn reach(text: &mut Text, inventory: &Inventory, one: &Network, other: &Network) {
    let pair = pair(one, other);
    text.table("", "reach", &pair);
    let mut all = members(inventory, one).chain(members(inventory, other));
    if one.has_gateway6() && other.has_gateway6() && all.all(|it| it.address6.is_some()) {
        let fields = [&pair[..], &[("family", quoted("ipv6"))]].concat();
        text.table("", "reach", &fields);
    }
}

/// Networks that reach each other through their tenant, and those that do not.
fn between(text: &mut Text, inventory: &Inventory) {
    let topology = &inventory.topology;
    for one in &topology.networks {
        for other in topology.networks.iter().filter(|it| it.name != one.name) {
            let has_hosts = |it: &Network| members(inventory, it).next().is_some();
            if one.gateway.is_none()
                || other.gateway.is_none()
                || !has_hosts(one)
                || !has_hosts(other)
            {
                continue;
            }
            let mut fields = pair(one, other).to_vec();
            if one.tenant.is_some() && one.tenant == other.tenant {
                reach(text, inventory, one, other);
            } else if are_apart(inventory, one, other) {
                fields.push(("expect", quoted("none")));
                text.table("Proven with a control ping to the gateway.", "reach", &fields);
            }
        }
    }
}

/// Whether no leaf has both networks in one table, and the addresses of one are nobody's where the other is.
fn are_apart(inventory: &Inventory, one: &Network, other: &Network) -> bool {
    let subnets = |it: &Network| it.gateways().map(|it| it.subnet()).collect::<Vec<Prefixed>>();
    let theirs = subnets(other);
    let overlaps = |it: &&Network| {
        it.tenant == one.tenant
            && subnets(it).iter().any(|own| theirs.iter().any(|it| own.overlaps(it)))
    };
    if inventory.topology.networks.iter().filter(|it| it.name != other.name).any(|it| overlaps(&it))
    {
        return false;
    }
    let homes = inventory.vteps_of(other);
    let shared =
        inventory.vteps_of(one).iter().any(|it| homes.iter().any(|other| other.name == it.name));
    match one.tenant == other.tenant {
        // One of a tenant with others is asked about that.
        true => one.tenant.is_none() && !shared,
        // What is in no tenant may be routed to by the underlay.
        false => one.tenant.is_some() && other.tenant.is_some(),
    }
}

fn members<'a>(inventory: &'a Inventory, network: &'a Network) -> impl Iterator<Item = &'a Host> {
    inventory.topology.hosts.iter().filter(|it| it.network() == Some(&network.name))
}

/// Two hosts of a network at different nodes.
fn apart<'a>(inventory: &'a Inventory, network: &'a Network) -> Option<(&'a Host, &'a Host)> {
    let first = members(inventory, network).next()?;
    let last =
        members(inventory, network).filter(|it| it.switch.node != first.switch.node).last()?;
    Some((first, last))
}

fn boxes(text: &mut Text, inventory: &Inventory) {
    let topology = &inventory.topology;
    text.table("FRR, the kernel and the maps say the same.", "verify", &[("on", quoted("*"))]);
    if topology.switches.iter().any(|it| it.fabric_xdpd) {
        text.table("", "daemon", &[("on", quoted("*")), ("within", quoted("30s"))]);
        text.table("", "capacity", &[("on", quoted("*")), ("fill", quoted("85%"))]);
        let reasons = list(["vxlan_input_unknown_vtep", "vxlan_output_too_big"]);
        text.table("", "reasons", &[("on", quoted("*")), ("none_of", reasons)]);
        let pair = topology.networks.iter().find_map(|it| apart(inventory, it));
        if let Some((one, other)) = pair {
            let nodes = [one, other].map(|it| topology.switch(&it.switch.node));
            if nodes.iter().flatten().filter(|it| it.fabric_xdpd).count() == 2 {
                let on = list([one.switch.node.as_str(), other.switch.node.as_str()]);
                let fields = [
                    ("on", on),
                    ("from", quoted(&one.name)),
                    ("to", quoted(&other.name)),
                    ("share", quoted("90%")),
                    ("within", quoted("30s")),
                ];
                text.table("Fabric forwards, and not the kernel.", "fast", &fields);
                let fields = [
                    ("from", quoted(&one.name)),
                    ("to", quoted(&other.name)),
                    ("within", quoted("30s")),
                ];
                text.table("Nothing vanishes between leafs.", "conserve", &fields);
            }
        }
    }
    text.table("", "versions", &[("on", quoted("*")), ("same", "true".into())]);
}
