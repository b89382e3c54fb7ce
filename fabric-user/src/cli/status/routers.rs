//! Routers behind VTEPs: to whose MAC addresses packets are routed through an L3VNI (RFC 9135 §5.2).

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::IpAddr,
};

use fabric_common::schema::{
    fdb::KIND_REMOTE,
    ports::{ROLE_GATEWAY, is_tunnel},
    routes::{KIND_GROUP, KIND_NEXTHOP, split_target},
};

use crate::{
    cli::{
        routes,
        row::{Said, rows},
        view::View,
    },
    kernel::maps::Maps,
    observe::Mac,
};

rows! {
    /// A router behind a VTEP.
    pub(super) struct RouterRow, "no router of another leaf is known" {
        /// The L3VNI.
        "L3VNI" vni: Option<u32>,
        /// The bridge, with the VLAN if it is VLAN-aware; of a downstream VNI, the vxlan device.
        "BRIDGE" bridge: Option<String>,
        /// The VRF; null for the default one. A router in a downstream VNI has a row for each VRF whose routes lead to
        /// it.
        "VRF" vrf: Option<String>,
        /// The VTEP.
        "VTEP" vtep: IpAddr,
        /// The router's MAC address.
        "ROUTER MAC" mac: Mac,
        /// Ports of the underlay's next hops that live.
        "REACHABLE VIA" [wrapped] via: Said<Vec<String>>,
    }
}

/// Where routes lead to: the kind and index of each target, with the view.
pub(super) type Leads = BTreeSet<(u32, u32)>;

/// Addresses of next hops, with the VRFs of which they are.
type Places = BTreeSet<(Option<String>, IpAddr)>;

/// Where the routes of all views lead to, if it has to be known: what stands for a tunnel of next hops is in no VRF.
pub(super) fn leads(view: &View, maps: &Maps) -> Leads {
    let mut leads = Leads::new();
    if view.contents.ports.values().any(|port| is_tunnel(port.ifindex)) {
        let Ok(()) = routes::each(maps, |route| {
            leads.insert((route.target, route.view));
            Ok::<(), Infallible>(())
        });
    }
    leads
}

/// The VRFs with routes that lead to each next hop.
fn vrfs(view: &View, leads: &Leads) -> BTreeMap<u32, BTreeSet<Option<String>>> {
    let views: BTreeSet<u32> = leads.iter().map(|(_, of)| *of).collect();
    let names = views.into_iter().map(|of| {
        let names: BTreeSet<_> =
            view.ports_of(of as u16).into_iter().map(|slot| view.vrf(slot)).collect();
        (of, names)
    });
    let names: BTreeMap<u32, _> = names.collect();
    let mut vrfs = BTreeMap::<u32, BTreeSet<_>>::new();
    for (target, of) in leads {
        let nexthops: Vec<u32> = match split_target(*target) {
            (KIND_NEXTHOP, index) => vec![index],
            (KIND_GROUP, index) => {
                let group = view.contents.groups.get(&index);
                group.into_iter().flat_map(|group| group.shares.keys().copied()).collect()
            }
            _ => continue,
        };
        for nexthop in nexthops {
            vrfs.entry(nexthop).or_default().extend(names[of].iter().cloned());
        }
    }
    vrfs
}

/// Sorted by VRF, L3VNI and VTEP: next hops of gateways that have a VTEP's address and, in the FDB, its MAC addresses.
pub(super) fn rows(view: &View, leads: &Leads) -> Vec<RouterRow> {
    let mut wanted: BTreeMap<(u32, Mac), Places> = BTreeMap::new();
    let led = vrfs(view, leads);
    for (index, nexthop) in &view.contents.nexthops {
        let Some(gateway) = view.contents.ports.get(&nexthop.port.into()) else { continue };
        let Some(mac) = nexthop.macs.first_chunk().copied().map(Mac) else { continue };
        if gateway.role == ROLE_GATEWAY {
            let address = view.contents.gateway(*index).to_canonical();
            let key = (gateway.untagged_domain.into(), mac);
            let vrfs = match is_tunnel(gateway.ifindex) {
                true => led.get(index).cloned().unwrap_or_default(),
                false => [view.interfaces.vrf(gateway.ifindex)].into(),
            };
            wanted.entry(key).or_default().extend(vrfs.into_iter().map(|vrf| (vrf, address)));
        }
    }
    let mut rows = Vec::new();
    for entry in view.contents.fdb.iter().filter(|entry| entry.kind == KIND_REMOTE) {
        let Some(nexthops) = wanted.get(&(entry.domain, entry.mac)) else { continue };
        let Some(vtep) = view.contents.vteps.get(&entry.index) else { continue };
        let of_vtep = nexthops.iter().filter(|(_, address)| *address == vtep.remote());
        rows.extend(of_vtep.map(|(vrf, address)| RouterRow {
            vni: view.vni(entry.domain),
            bridge: view.bridge(entry.domain),
            vrf: vrf.clone(),
            vtep: *address,
            mac: entry.mac,
            via: view.via(vtep.group),
        }));
    }
    rows.sort_by(|a, b| {
        let key = |row: &RouterRow| (row.vrf.clone(), row.vni, row.vtep, row.mac);
        key(a).cmp(&key(b))
    });
    rows
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::{groups::Choice, ports, routes::target};

    use super::*;
    use crate::cli::{
        contents::GroupEntry,
        table::{Look, Table},
        view::tests::{downstream, tenants},
    };

    #[test]
    fn a_router_is_a_next_hop_that_has_the_address_of_the_vtep_behind_which_its_mac_address_is() {
        let mut view = tenants();
        let expected = " L3VNI  BRIDGE  VRF  VTEP      ROUTER MAC         REACHABLE VIA
104007  br7     red  10.0.0.2  02:00:00:00:01:09  swp1, swp2
";
        assert_eq!(Table::of(rows(&view, &Leads::new())).text(Look::default()), expected);
        // A host of a network that is stretched.
        view.contents.nexthop_addresses.insert(3, "10.0.0.77".parse().unwrap());
        assert!(rows(&view, &Leads::new()).is_empty());
    }

    #[test]
    fn a_router_in_a_downstream_vni_is_in_each_vrf_whose_routes_lead_to_it() {
        let mut view = downstream();
        view.contents.ports.get_mut(&1).unwrap().mac_and_view = ports::mac_and_view(0, 1);
        let (nexthop, group) = (target(KIND_NEXTHOP, 4), target(KIND_GROUP, 9));
        let shares = [(3, 128), (4, 128)].into();
        view.contents.groups.insert(9, GroupEntry { choice: Choice::Blackhole, shares });
        let vrfs = |leads: &[(u32, u32)]| {
            let rows = rows(&view, &leads.iter().copied().collect());
            let of_tunnel = rows.into_iter().filter(|row| row.vni == Some(4_002));
            of_tunnel.map(|row| row.vrf).collect::<Vec<_>>()
        };
        let red = [Some("red".to_owned())];
        assert_eq!(vrfs(&[(nexthop, 2)]), red);
        assert_eq!(vrfs(&[(group, 2), (nexthop, 2)]), red, "once");
        assert_eq!(vrfs(&[(group, 2), (nexthop, 1)]), [&[None], &red[..]].concat());
        // Those of other next hops lead elsewhere, and without any no packet goes there.
        assert!(vrfs(&[(target(KIND_NEXTHOP, 3), 1), (target(KIND_GROUP, 1), 1)]).is_empty());
    }
}
