//! Routers behind VTEPs: to whose MAC addresses packets are routed through an L3VNI (RFC 9135 §5.2).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fabric_common::schema::{fdb::KIND_REMOTE, ports::ROLE_GATEWAY};

use crate::{
    cli::{
        row::{Said, rows},
        view::View,
    },
    observe::Mac,
};

rows! {
    /// A router behind a VTEP.
    pub(super) struct RouterRow, "no router of another leaf is known" {
        /// The L3VNI.
        "L3VNI" vni: Option<u32>,
        /// The bridge, with the VLAN if it is VLAN-aware; of a downstream VNI, the vxlan device.
        "BRIDGE" bridge: Option<String>,
        /// The VRF; null for the default one, and for a downstream VNI, which any VRF may lead into.
        "VRF" vrf: Option<String>,
        /// The VTEP.
        "VTEP" vtep: IpAddr,
        /// The router's MAC address.
        "ROUTER MAC" mac: Mac,
        /// Ports of the underlay's next hops that live.
        "REACHABLE VIA" [wrapped] via: Said<Vec<String>>,
    }
}

/// Sorted by VRF, L3VNI and VTEP: next hops of gateways that have a VTEP's address and, in the FDB, its MAC addresses.
pub(super) fn rows(view: &View) -> Vec<RouterRow> {
    let mut wanted: BTreeMap<(u32, Mac), BTreeSet<(u32, IpAddr)>> = BTreeMap::new();
    for nexthop in view.contents.nexthops.values() {
        let Some(gateway) = view.contents.ports.get(&nexthop.port.into()) else { continue };
        let Some(mac) = nexthop.macs.first_chunk().copied().map(Mac) else { continue };
        if gateway.role == ROLE_GATEWAY {
            let address = nexthop.address().to_canonical();
            let key = (gateway.untagged_domain.into(), mac);
            wanted.entry(key).or_default().insert((gateway.ifindex, address));
        }
    }
    let mut rows = Vec::new();
    for entry in view.contents.fdb.iter().filter(|entry| entry.kind == KIND_REMOTE) {
        let Some(nexthops) = wanted.get(&(entry.domain, entry.mac)) else { continue };
        let Some(vtep) = view.contents.vteps.get(&entry.index) else { continue };
        let of_vtep = nexthops.iter().filter(|(_, address)| *address == vtep.remote());
        rows.extend(of_vtep.map(|(gateway, address)| RouterRow {
            vni: view.vni(entry.domain),
            bridge: view.bridge(entry.domain),
            vrf: view.interfaces.vrf(*gateway),
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
    use super::*;
    use crate::cli::{
        table::{Look, Table},
        view::tests::tenants,
    };

    #[test]
    fn a_router_is_a_next_hop_that_has_the_address_of_the_vtep_behind_which_its_mac_address_is() {
        let mut view = tenants();
        let expected = " L3VNI  BRIDGE  VRF  VTEP      ROUTER MAC         REACHABLE VIA
104007  br7     red  10.0.0.2  02:00:00:00:01:09  swp1, swp2
";
        assert_eq!(Table::of(rows(&view)).text(Look::default()), expected);
        // A host of a network that is stretched.
        view.contents.nexthops.get_mut(&3).unwrap().gateway[3] = 77;
        assert!(rows(&view).is_empty());
    }
}
