//! Whose ARP and neighbour discovery is answered by what (RFC 9161, `net/bridge/br_arp_nd_proxy.c`).
//!
//! A bridge with a port that suppresses (`neigh_suppress`) answers for neighbours that it has itself, or in a
//! VLAN-aware bridge the VLAN device on it, while its FDB has them behind such a port. Here that is the vxlan
//! device's. What else decides about the kernel's answers:
//!
//! - addresses of the box's own it answers for itself, in its own way (`br_is_local_ip`);
//! - a bridge without ARP (`arp off`) answers none;
//! - its answers, unlike others' ARP, meet the hook for output of the family ARP (`arp_xmit`);
//! - where it stands in for hosts elsewhere (`proxy_arp`, `proxy_arp_pvlan`, `proxy_ndp`) it may answer by itself
//!   as well (`arp_process`, `ndisc_recv_ns`).

use super::{
    Answer, AnswerKey, Answering, Dirty, DomainKey, Network, NexthopKey, Structure,
    compile::Compiler,
    compile_bridges::DOT1Q,
    routes::{LOCAL, host},
};
use crate::{
    hashed::HashMap,
    observe::{Link, LinkKind, Mac, RouteKind},
};

/// The address of a neighbour that ARP or neighbour discovery is answered by, and what by.
type Compiled = (AnswerKey, Option<Answer>);

/// All neighbours that are answered by.
#[must_use]
pub fn compile_answers(network: &Network, structure: &Structure) -> HashMap<AnswerKey, Answer> {
    if structure.answering.is_empty() {
        return HashMap::default();
    }
    let neighbours = network.routing().neighbours.keys();
    let answers = neighbours.filter_map(|key| compile_answer(network, structure, *key));
    answers.filter_map(|(key, answer)| Some((key, answer?))).collect()
}

/// Those of them that a change may have changed.
pub(super) fn changed_answers(
    network: &Network,
    structure: &Structure,
    dirty: &Dirty,
) -> Vec<Compiled> {
    if structure.answering.is_empty() {
        return Vec::new();
    }
    let keys = dirty.answers.iter();
    keys.filter_map(|key| compile_answer(network, structure, *key)).collect()
}

/// `None` for neighbours on interfaces by which nothing is answered.
fn compile_answer(network: &Network, structure: &Structure, key: NexthopKey) -> Option<Compiled> {
    let Answering { domain, table } = *structure.answering.get(&key.ifindex)?;
    let address = key.gateway;
    let routes = &network.routing().routes;
    let is_local = |table| {
        let found = routes.find(&[table], host(address));
        found.is_some_and(|found| {
            found.prefix == host(address)
                && found.route.is_some_and(|route| route.kind == RouteKind::Local)
        })
    };
    // Those of link-local scope are not among the others.
    let answer = match routes.is_own(address) || is_local(LOCAL) || is_local(table) {
        true => None,
        // Groups are the kernel's own (`arp_constructor`, `ndisc_constructor`), of which it tells nobody, and who looks at
        // other times has other ones. Nobody asks for them, and no bridge has their MAC addresses behind a port.
        false => network
            .neighbour(key)
            .filter(|neighbour| neighbour.mac.is_none_or(Mac::is_unicast))
            .map(|neighbour| Answer { mac: neighbour.mac, router: neighbour.router }),
    };
    Some((AnswerKey { domain, address }, answer))
}

/// VLAN devices by the interface beneath and the VLAN.
fn vlan_devices(network: &Network) -> HashMap<(u32, u16), &Link> {
    let devices = network.links().filter(|link| !link.lower_elsewhere);
    let vlan = |link: &Link| match &link.kind {
        LinkKind::Vlan(vlan) if vlan.protocol == DOT1Q => Some(vlan.id),
        _ => None,
    };
    devices.filter_map(|link| Some(((link.lower?, vlan(link)?), link))).collect()
}

impl Compiler<'_> {
    /// Says of each domain what is answered in it, and where its neighbours are.
    pub(super) fn answering(&mut self) {
        let network = self.network;
        let devices = vlan_devices(network);
        let domains = self.out.domains.iter();
        let tunnels: Vec<(DomainKey, u32)> = domains
            .filter(|(_, domain)| domain.vni.is_some())
            .map(|(key, domain)| (*key, domain.vxlan))
            .collect();
        for (key, vxlan) in tunnels {
            let Some(vxlan) = network.link(vxlan) else { continue };
            let (Some(bridge), true) =
                (network.link(key.bridge), network.suppresses(vxlan, key.vlan))
            else {
                continue;
            };
            // The kernel asks the neighbours of the bridge, or those of the VLAN device on it
            // (`__vlan_find_dev_deep_rcu`).
            let device = match key.vlan {
                0 => Some(bridge),
                vlan => devices.get(&(key.bridge, vlan)).copied(),
            };
            let Some(device) = device else { continue };
            let why = [self.why_no_arp(bridge, device), self.why_no_nd(device)];
            let answers = why.each_ref().map(Option::is_none);
            for why in why.into_iter().flatten() {
                self.problem(Some(key.bridge), format!("{}: {why}", device.name));
            }
            if let Some(domain) = self.out.domains.get_mut(&key) {
                [domain.answers_arp, domain.answers_nd] = answers;
            }
            if answers != [false; 2] {
                let table = self.table_of(device);
                self.out.answering.insert(device.ifindex, Answering { domain: key, table });
            }
        }
    }

    fn table_of(&self, device: &Link) -> u32 {
        let master = device.master.and_then(|master| self.network.link(master));
        match master.map(|master| &master.kind) {
            Some(LinkKind::Vrf { table }) => *table,
            _ => LOCAL,
        }
    }

    fn why_no_arp(&self, bridge: &Link, device: &Link) -> Option<String> {
        let name = &device.name;
        if bridge.no_arp {
            return Some(format!(
                "bridge {0} does not speak ARP, so no request is answered for hosts behind tunnels \
                 (`ip link set {0} arp on`)",
                bridge.name
            ));
        }
        if let Some(chain) = self.chains.iter().find(|chain| chain.sees_arp_sent()) {
            return Some(format!("{chain} sees answers to ARP, which are left to the kernel"));
        }
        let is_proxy = self.network.routing().is_proxy(false, device.ifindex);
        (is_proxy || self.policy.arp_pvlan.contains(&device.ifindex)).then(|| {
            format!(
                "the kernel may stand in for other hosts (`net.ipv4.conf.{name}.proxy_arp`, \
                 `proxy_arp_pvlan`), so answers to ARP are left to it"
            )
        })
    }

    fn why_no_nd(&self, device: &Link) -> Option<String> {
        let is_proxy = self.network.routing().is_proxy(true, device.ifindex);
        is_proxy.then(|| {
            format!(
                "the kernel may stand in for other hosts (`net.ipv6.conf.{}.proxy_ndp`), so answers to \
                 neighbour discovery are left to it",
                device.name
            )
        })
    }
}
