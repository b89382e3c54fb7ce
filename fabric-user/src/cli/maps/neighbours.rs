//! `maps neighbours`, of which `answers` is the table.

use std::net::{IpAddr, Ipv4Addr};

use fabric_common::{
    halves,
    schema::neighbours::{FLAG_ROUTER, Neighbour, mac, split_network},
};

use super::Source;
use crate::{cli::row::rows, observe::Mac};

rows! {
    /// A neighbour that ARP or neighbour discovery is answered by, in a bridge whose tunnel suppresses both.
    pub(super) struct NeighbourRow, "no neighbour is answered for" {
        /// Name of the bridge, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: Option<String>,
        /// The bridge's VNI.
        "VNI" vni: Option<u32>,
        /// The address that is asked for.
        "ADDRESS" address: IpAddr,
        /// Its MAC address; null if the kernel would not send to it now. It is answered for while the FDB has
        /// that behind a VTEP.
        "MAC" mac: Option<Mac>,
        /// It is a router.
        "ROUTER" router: bool,
        /// Index of the bridge domain.
        "DOMAIN" [detail] domain: u32,
        /// Its place in the map.
        "INDEX" [detail] index: u32,
    }
}

/// Sorted by VNI, bridge and address.
pub(super) fn rows(source: &Source<'_>) -> impl Iterator<Item = NeighbourRow> {
    let Source { maps, view, .. } = source;
    let table = maps.answers.table();
    let entries = table.iter().map(|(_, index, _)| (index, maps.neighbours.get(index)));
    let rows = entries.map(|(index, entry)| {
        let domain = u32::from(split_network(entry.network).0);
        NeighbourRow {
            bridge: view.bridge(domain),
            vni: view.vni(domain),
            address: address(&entry),
            mac: Some(mac(entry.mac_and_flags)).filter(|mac| *mac != 0).map(|mac| {
                let [a, b, c, d, e, f, ..] = mac.to_le_bytes();
                Mac([a, b, c, d, e, f])
            }),
            router: entry.mac_and_flags & FLAG_ROUTER != 0,
            domain,
            index,
        }
    });
    let mut rows: Vec<NeighbourRow> = rows.collect();
    rows.sort_by_key(|row| (row.vni, row.domain, row.address));
    rows.into_iter()
}

fn address(entry: &Neighbour) -> IpAddr {
    match split_network(entry.network).1 {
        true => halves::address(entry.address).into(),
        false => Ipv4Addr::from((entry.address[0] as u32).to_ne_bytes()).into(),
    }
}
