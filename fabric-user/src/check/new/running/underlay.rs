//! Ports, sessions and routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    is_by_frr,
    writer::{Table, Writer},
};
use crate::{
    check::{
        new::text::{list, quoted},
        sight::Sight,
    },
    facts::held::Way,
    frr::facts::{BfdSession, Session},
    observe::{LinkKind, Prefix},
    verify::kernel::Hop,
};

/// Of more routes in a VRF than this only those to VTEPs and default routes are written: such a table lives.
const ROUTES: usize = 64;
/// Routes that are there whatever anybody announces.
const OWN: [&str; 3] = ["connected", "kernel", "local"];
/// Families by the words of suites, and as FRR calls them.
const FAMILIES: [(&str, &str); 3] =
    [("ipv4", "ipv4Unicast"), ("ipv6", "ipv6Unicast"), ("evpn", "l2VpnEvpn")];

/// Boxes by what is written of them: those of which it is the same share a table.
type Groups<K> = BTreeMap<K, Vec<String>>;

pub(super) fn write(writer: &mut Writer<'_>, boxes: &[Sight<'_>]) {
    let vteps = vteps(boxes);
    links(writer, boxes, &vteps);
    sessions(writer, boxes);
    silence(writer, boxes);
    routes(writer, boxes, &vteps);
    shares(writer, boxes, &vteps);
}

fn add<K>(
    writer: &mut Writer<'_>,
    boxes: &[Sight<'_>],
    [comment, kind]: [&'static str; 2],
    groups: Groups<K>,
    fields: impl Fn(&K) -> Vec<(&'static str, String)>,
) {
    let of: Vec<String> = boxes.iter().map(|it| it.name.to_owned()).collect();
    for (group, about) in groups {
        let (of, fields) = (of.clone(), fields(&group));
        writer.add(&Table { comment, kind, key: "on", of, about, fields });
    }
}

/// The VTEPs of these boxes, and those that they send broadcasts to.
fn vteps(boxes: &[Sight<'_>]) -> BTreeSet<IpAddr> {
    let of_box = |sight: &Sight<'_>| {
        let tunnels = sight.kernel.tunnels.values();
        let each = tunnels.flat_map(|tunnel| {
            let own = match &tunnel.vxlan.kind {
                LinkKind::Vxlan(device) => device.local,
                _ => None,
            };
            sight.kernel.flood(tunnel).into_iter().chain(own)
        });
        each.collect::<Vec<IpAddr>>()
    };
    boxes.iter().flat_map(of_box).collect()
}

/// Names in the order in which somebody counts: swp2 before swp10.
fn counted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<(usize, String)> = names.into_iter().map(|it| (it.len(), it)).collect();
    names.into_iter().map(|(_, name)| name).collect()
}

/// The ports by which a box reaches its neighbours, as far as they are up.
fn links(writer: &mut Writer<'_>, boxes: &[Sight<'_>], vteps: &BTreeSet<IpAddr>) {
    let mut groups: Groups<(u32, Vec<String>)> = Groups::new();
    for sight in boxes {
        let sessions = sight.facts.frr.iter().flat_map(|it| &it.sessions);
        let sessions = sessions.filter(|it| it.is_established()).map(|it| it.peer.clone());
        let hops = vteps.iter().filter_map(|vtep| sight.kernel_lookup(None, *vtep)).flatten();
        let hops = hops.filter_map(|hop| match hop {
            Hop::To(Some(_), port) => Some(port),
            _ => None,
        });
        let mut ports: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for link in sessions.chain(hops).filter_map(|name| sight.link(&name)) {
            let is_port = !link.loopback
                && matches!(link.kind, LinkKind::Device | LinkKind::Vlan(_) | LinkKind::Other(_));
            if is_port && link.up && link.carrier {
                ports.entry(link.mtu).or_default().insert(link.name.clone());
            }
        }
        for (mtu, ports) in ports {
            groups.entry((mtu, counted(ports))).or_default().push(sight.name.to_owned());
        }
    }
    let says = ["Ports to neighbours are up, with their MTU.", "link"];
    add(writer, boxes, says, groups, |(mtu, ports)| {
        let ports = list(ports.iter().map(String::as_str));
        vec![("ports", ports), ("mtu", mtu.to_string())]
    });
}

/// Sessions of one VRF that carry the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sessions {
    vrf: Option<String>,
    peers: Vec<String>,
    families: Vec<&'static str>,
    /// The box has more of them.
    others: bool,
}

fn sessions(writer: &mut Writer<'_>, boxes: &[Sight<'_>]) {
    let mut groups: Groups<Sessions> = Groups::new();
    for sight in boxes {
        let Some(frr) = &sight.facts.frr else { continue };
        let families = |session: &Session| {
            let carried = FAMILIES.iter().filter(|it| session.families.contains_key(it.1));
            carried.map(|it| it.0).collect::<Vec<&str>>()
        };
        let mut alike: BTreeMap<(Option<String>, Vec<&str>), Vec<String>> = BTreeMap::new();
        for session in frr.sessions.iter().filter(|it| it.is_established()) {
            let key = (session.vrf.clone(), families(session));
            alike.entry(key).or_default().push(session.peer.clone());
        }
        let is_all = frr.sessions.iter().all(Session::is_established);
        let others = alike.len() > 1 || !is_all;
        for ((vrf, families), peers) in alike {
            let peers = counted(peers);
            let group = Sessions { vrf, peers, families, others };
            groups.entry(group).or_default().push(sight.name.to_owned());
        }
    }
    let says =
        ["Sessions are established, carry their families, and no other one is there.", "bgp"];
    add(writer, boxes, says, groups, |group| {
        let mut fields = vec![("peers", list(group.peers.iter().map(String::as_str)))];
        fields.extend(group.vrf.iter().map(|vrf| ("vrf", quoted(vrf))));
        if !group.families.is_empty() {
            fields.push(("families", list(group.families.iter().copied())));
        }
        fields.extend(group.others.then(|| ("others", "true".into())));
        fields.push(("within", "\"30s\"".into()));
        fields
    });
}

fn silence(writer: &mut Writer<'_>, boxes: &[Sight<'_>]) {
    let mut groups: Groups<Vec<String>> = Groups::new();
    // Without addresses FRR names the neighbour's link-local one and the interface to it.
    let name = |it: &BfdSession| match (it.peer, &it.interface) {
        (IpAddr::V6(peer), Some(port)) if peer.is_unicast_link_local() => port.clone(),
        (peer, _) => peer.to_string(),
    };
    for sight in boxes {
        let sessions = sight.facts.frr.iter().flat_map(|it| &it.bfd);
        let sessions = sessions.filter(|it| it.vrf.is_none() && it.up);
        let peers = counted(sessions.map(name));
        if !peers.is_empty() {
            groups.entry(peers).or_default().push(sight.name.to_owned());
        }
    }
    add(writer, boxes, ["Silence is noticed.", "bfd"], groups, |peers| {
        let peers = list(peers.iter().map(String::as_str));
        vec![("peers", peers), ("within", "\"30s\"".into())]
    });
}

/// A route by VRF, prefix and how many next hops there are.
type Routed = (Option<String>, Prefix, usize);

fn routes(writer: &mut Writer<'_>, boxes: &[Sight<'_>], vteps: &BTreeSet<IpAddr>) {
    let is_by_frr = is_by_frr(writer.inventory);
    let mut groups: Groups<Routed> = Groups::new();
    for sight in boxes {
        let known = if is_by_frr { by_frr(sight) } else { by_hand(sight) };
        for (vrf, prefixes) in known {
            let vrf = vrf.as_deref();
            let is_few = prefixes.len() <= ROUTES;
            let is_meant = |it: &&Prefix| {
                let is_vtep = vrf.is_none() && it.is_host() && vteps.contains(&it.address);
                // Hosts of tenants come and go.
                let lasts = vrf.is_none() || !it.is_host();
                is_vtep || it.length == 0 || is_few && lasts
            };
            for prefix in prefixes.iter().filter(is_meant) {
                let paths = sight.kernel_route(vrf, *prefix).map_or(0, |hops| hops.len());
                let route = (vrf.map(str::to_owned), *prefix, paths);
                groups.entry(route).or_default().push(sight.name.to_owned());
            }
        }
    }
    let says = ["Routes have their next hops: FRR, the kernel and the maps.", "route"];
    add(writer, boxes, says, groups, |(vrf, prefix, paths)| {
        let mut fields = vec![("prefix", quoted(&prefix.to_string()))];
        fields.extend(vrf.iter().map(|vrf| ("vrf", quoted(vrf))));
        fields.extend([("paths", paths.to_string()), ("within", "\"30s\"".into())]);
        fields
    });
}

/// What somebody has told a box, by VRF.
fn by_frr(sight: &Sight<'_>) -> BTreeMap<Option<String>, BTreeSet<Prefix>> {
    let mut known: BTreeMap<Option<String>, BTreeSet<Prefix>> = BTreeMap::new();
    let routes = sight.facts.frr.iter().flat_map(|it| &it.routes);
    for route in routes.filter(|it| it.installed && !OWN.contains(&it.protocol.as_str())) {
        known.entry(route.vrf.clone()).or_default().insert(route.prefix);
    }
    known
}

/// What somebody has written on a box, outside of VRFs.
fn by_hand(sight: &Sight<'_>) -> BTreeMap<Option<String>, BTreeSet<Prefix>> {
    let Some(table) = sight.kernel.table(None) else { return BTreeMap::new() };
    let is_sent_on = |prefix: &Prefix| {
        let hops = sight.kernel.route(table, *prefix).unwrap_or_default();
        !hops.is_empty() && hops.iter().all(|hop| matches!(hop, Hop::To(Some(_), _)))
    };
    BTreeMap::from([(None, sight.kernel.prefixes(table).filter(is_sent_on).collect())])
}

/// Ways to VTEPs with several next hops.
fn shares(writer: &mut Writer<'_>, boxes: &[Sight<'_>], vteps: &BTreeSet<IpAddr>) {
    let mut groups: Groups<(IpAddr, usize)> = Groups::new();
    for sight in boxes {
        for vtep in vteps {
            let single = Prefix { address: *vtep, length: if vtep.is_ipv4() { 32 } else { 128 } };
            if let Some(Some(Way::Hops { hops, .. })) = sight.held_route(None, single)
                && hops.len() > 1
            {
                groups.entry((*vtep, hops.len())).or_default().push(sight.name.to_owned());
            }
        }
    }
    let with_fabric = boxes.iter().filter(|it| it.facts.fabric.is_some());
    let of: Vec<String> = with_fabric.map(|it| it.name.to_owned()).collect();
    for ((vtep, paths), about) in groups {
        writer.add(&Table {
            comment: "Flows to VTEPs are shared out among all ways.",
            kind: "ecmp",
            key: "on",
            of: of.clone(),
            about,
            fields: vec![("to", quoted(&vtep.to_string())), ("paths", paths.to_string())],
        });
    }
}
