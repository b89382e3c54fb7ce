//! The inventory of boxes: what networks and tenants there are on which of them, by their kernels and FRR.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    check::{
        new::text::{Text, list, quoted},
        sight::Sight,
    },
    frr::facts::Session,
    observe::{Event, Link, LinkKind, Prefix, RouteKind},
    verify::kernel::Tunnel,
};

const VLAN: std::ops::RangeInclusive<u16> = 1..=4094;
/// Numbers that no AS has (RFC 7607, 6793, 7300).
const RESERVED: [u32; 4] = [0, 23_456, 65_535, u32::MAX];
/// The one site of boxes of which nobody has said where they stand.
const SITE: &str = "all";

/// A network, or the L3VNI of a tenant.
struct Carried<'a> {
    vni: u32,
    /// The boxes that have it, with its tunnel.
    tunnels: Vec<(&'a Sight<'a>, Tunnel<'a>)>,
}

impl Carried<'_> {
    fn homes(&self) -> BTreeSet<&str> {
        self.tunnels.iter().map(|(sight, _)| sight.name).collect()
    }

    /// Its VLAN in a bridge that has some.
    fn vlan(&self) -> Option<u16> {
        self.tunnels.iter().map(|(_, tunnel)| tunnel.vlan).find(|vlan| *vlan != 0)
    }

    /// The number that its bridge is called by.
    fn number(&self) -> Option<u16> {
        let bridge = self.tunnels.iter().find_map(|(_, tunnel)| tunnel.bridge)?;
        let digits = bridge.name.trim_start_matches(|it: char| !it.is_ascii_digit());
        digits.parse().ok().filter(|number| VLAN.contains(number))
    }

    /// Its VRF; none is the default one.
    fn vrf(&self) -> Option<&str> {
        let (sight, tunnel) = self.tunnels.first()?;
        Some(&sight.kernel.vrf_of(tunnel.svi?)?.name)
    }
}

/// VLANs that are used on boxes.
#[derive(Default)]
struct Vlans<'a>(BTreeMap<u16, BTreeSet<&'a str>>);

impl<'a> Vlans<'a> {
    /// One of the wanted ones, or else another that these boxes do not have.
    fn take(&mut self, wanted: Option<u16>, boxes: &BTreeSet<&'a str>) -> Option<u16> {
        let is_free = |vlan: &u16| self.0.get(vlan).is_none_or(|there| there.is_disjoint(boxes));
        let vlan = wanted.into_iter().chain(VLAN.rev()).find(is_free)?;
        self.0.entry(vlan).or_default().extend(boxes);
        Some(vlan)
    }
}

/// The text.
///
/// # Errors
/// If a box has no address by which it could be told apart: a sentence.
pub(super) fn text(name: &str, boxes: &[Sight<'_>]) -> Result<String, String> {
    let mut text = Text::default();
    text.line(&format!(
        "# The nodes, networks and tenants of {name}.check.toml. There is no picture of them, so nothing is known of cables and"
    ));
    text.line("# hosts.");
    let is_by_frr = boxes.iter().any(|it| it.facts.frr.is_some());
    if !is_by_frr {
        text.entry("FRR runs nowhere.", "fabric", &[("control_plane", quoted("static"))]);
    }
    let mut taken = BTreeSet::new();
    for sight in boxes {
        let mut own = addresses(sight).into_iter();
        let loopback = own.find(|it| !taken.contains(it)).ok_or_else(|| {
            format!("{} has no IPv4 address of its own, which would be its loopback", sight.name)
        })?;
        taken.insert(loopback);
        let mut fields = vec![("site", quoted(SITE))];
        fields.extend(asn(sight).map(|asn| ("as", asn.to_string())));
        fields.push(("loopback", quoted(&loopback.to_string())));
        if sight.facts.fabric.is_none() {
            fields.push(("fabric_xdpd", "false".into()));
        }
        text.entry("", &format!("nodes.{}", sight.name), &fields);
    }
    carried(&mut text, boxes);
    Ok(text.into_string())
}

/// Networks and tenants.
fn carried(text: &mut Text, boxes: &[Sight<'_>]) {
    let mut all: BTreeMap<u32, Carried<'_>> = BTreeMap::new();
    for sight in boxes {
        for (vni, tunnel) in &sight.kernel.tunnels {
            let carried = all.entry(*vni);
            let carried = carried.or_insert_with(|| Carried { vni: *vni, tunnels: Vec::new() });
            carried.tunnels.push((sight, *tunnel));
        }
    }
    let mut tenants: BTreeMap<&str, u32> = BTreeMap::new();
    for (vrf, entry) in boxes.iter().filter_map(|it| it.facts.frr.as_ref()).flat_map(|it| &it.vrfs)
    {
        tenants.entry(vrf).or_insert(entry.l3vni);
    }
    let routed: BTreeSet<u32> = boxes
        .iter()
        .filter_map(|it| it.facts.frr.as_ref())
        .flat_map(|it| it.vrfs.values().map(|it| it.l3vni))
        .collect();
    let networks = all.values().filter(|it| !routed.contains(&it.vni)).collect::<Vec<_>>();
    tenants.retain(|vrf, vni| {
        all.contains_key(vni) && networks.iter().any(|it| it.vrf() == Some(*vrf))
    });
    // Those whose VLANs mean something choose first.
    let mut vlans = Vlans::default();
    let mut chosen: BTreeMap<u32, u16> = BTreeMap::new();
    let everywhere: BTreeSet<&str> = boxes.iter().map(|it| it.name).collect();
    let of_tenants = tenants.values().filter_map(|vni| all.get(vni));
    let of_tenants = of_tenants.map(|it| (it, everywhere.clone()));
    let of_networks = networks.iter().map(|it| (*it, it.homes()));
    let mut wanting: Vec<(&Carried<'_>, BTreeSet<&str>)> = of_networks.chain(of_tenants).collect();
    wanting.sort_by_key(|(it, _)| (it.vlan().is_none(), it.number().is_none(), it.vni));
    for (it, homes) in wanting {
        let vlan = vlans.take(it.vlan().or_else(|| it.number()), &homes);
        chosen.extend(vlan.map(|vlan| (it.vni, vlan)));
    }
    for network in networks {
        let Some(vlan) = chosen.get(&network.vni) else { continue };
        let homes = network.homes();
        let mut fields = vec![
            ("vlan", vlan.to_string()),
            ("vni", network.vni.to_string()),
            ("leafs", list(homes)),
        ];
        let tenant = network.vrf().filter(|it| tenants.contains_key(it));
        fields.extend(tenant.map(|it| ("tenant", quoted(it))));
        let means_nothing = network.vlan().is_none() && network.number() != Some(*vlan);
        let comment =
            if means_nothing { "Its bridges have no VLANs; the number is a free one." } else { "" };
        text.entry(comment, &format!("networks.vni{}", network.vni), &fields);
    }
    for (tenant, vni) in tenants {
        let Some(vlan) = chosen.get(&vni) else { continue };
        let fields = [("vlan", vlan.to_string()), ("vni", vni.to_string())];
        text.entry("", &format!("tenants.{tenant}"), &fields);
    }
}

/// The AS as which a box speaks most.
fn asn(sight: &Sight<'_>) -> Option<u32> {
    let sessions = sight.facts.frr.as_ref()?.sessions.iter();
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    let is_own = |it: &&Session| it.vrf.is_none() && !RESERVED.contains(&it.local_as);
    for session in sessions.filter(is_own) {
        *times.entry(session.local_as).or_default() += 1;
    }
    times.into_iter().max_by_key(|(asn, times)| (*times, Reverse(*asn))).map(|(asn, _)| asn)
}

/// The addresses of a box that could be its loopback, the likeliest first: of most of its tunnels, of its loopback
/// interface, any.
fn addresses(sight: &Sight<'_>) -> Vec<Ipv4Addr> {
    let is_loopback = |link: &&Link| link.loopback;
    let loopback = sight.links().find(is_loopback).map(|link| link.ifindex);
    // By how many tunnels have it, and whether it is at the loopback interface.
    let mut found: BTreeMap<Ipv4Addr, (usize, bool)> = BTreeMap::new();
    for event in &sight.facts.network {
        match event {
            Event::Route(route) | Event::RouteAppended(route) | Event::RoutePrepended(route) => {
                let Prefix { address, .. } = route.key.prefix;
                let is_own = route.kind == RouteKind::Local && route.key.prefix.is_host();
                if let (true, IpAddr::V4(address)) = (is_own, address) {
                    let at = route.hops.first().map(|hop| hop.ifindex);
                    let is_there = loopback.is_some() && at == loopback;
                    found.entry(address).or_default().1 |= is_there;
                }
            }
            Event::Link(Link { kind: LinkKind::Vxlan(device), .. }) => {
                if let Some(IpAddr::V4(address)) = device.local {
                    found.entry(address).or_default().0 += 1;
                }
            }
            _ => {}
        }
    }
    let is_usable = |it: &Ipv4Addr| {
        !(it.is_loopback() || it.is_unspecified() || it.is_multicast() || it.is_broadcast())
    };
    let mut all: Vec<(Ipv4Addr, (usize, bool))> =
        found.into_iter().filter(|(it, _)| is_usable(it)).collect();
    all.sort_by_key(|(address, (tunnels, is_there))| (Reverse(*tunnels), !is_there, *address));
    all.into_iter().map(|(address, _)| address).collect()
}
