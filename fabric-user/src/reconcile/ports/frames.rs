//! What becomes of the frames and packets that arrive at ports: their circuits, their views.

use fabric_common::schema::{
    fdb::mac_number,
    ports::{FLAG_NOT_A_TARGET, FLAG_ROUTE4, FLAG_ROUTE6, mac_and_view},
    vlans::PortVlans,
};

use super::Ports;
use crate::reconcile::{
    circuits::Circuits, domains::Domains, pass::Pass, rest::Freed, views::Views,
};

impl Ports {
    /// Says to which circuit the frames of each port belong.
    pub(in super::super) fn classify(
        &mut self,
        pass: &mut Pass<'_>,
        circuits: &Circuits,
        domains: &Domains,
    ) {
        let maps = pass.maps;
        for (ifindex, port) in &pass.structure.ports {
            let Some(slot) = self.slot(*ifindex) else { continue };
            let index = |key| circuits.get(key).unwrap_or(0) as u16;
            let untagged = port.untagged.as_ref().map_or(0, index);
            let domain = match (untagged, &port.domain) {
                (0, None) => 0,
                (0, Some(gateways)) => domains.get(gateways).unwrap_or(0) as u16,
                (circuit, _) => maps.circuits.get(circuit.into()).domain,
            };
            pass.changed(maps.ports.update(slot, |entry| {
                (entry.untagged_circuit, entry.untagged_domain) = (untagged, domain);
            }));
            let mut vlans = PortVlans { circuits: [0; 4096] };
            for (vlan, key) in &port.tagged {
                vlans.circuits[usize::from(vlan & 0xfff)] = index(key);
            }
            let table = match port.tagged.is_empty() {
                true => None,
                false => self.vlan_tables.allocate(ifindex).map(|(table, _)| table),
            };
            if let Some(table) = table {
                pass.changed(maps.vlans.set(table, &vlans));
            } else if !port.tagged.is_empty() {
                pass.left_out(format!(
                    "the map vlans is full ({} ports with tagged VLANs), tagged frames of the others \
                     are left to the kernel; raise port_entries",
                    self.vlan_tables.capacity()
                ));
            }
            let number = table.unwrap_or_default() as u16;
            pass.changed(maps.ports.update(slot, |entry| entry.vlans = number));
            if table.is_none() {
                self.clear_vlans(pass, *ifindex);
            }
        }
    }

    /// Takes the table of VLANs away from a port, to which nothing refers any more.
    pub(super) fn clear_vlans(&mut self, pass: &mut Pass<'_>, ifindex: u32) {
        if let Some(table) = self.vlan_tables.remove(&ifindex) {
            pass.rest(Freed::VlanTable(table));
        }
    }

    /// Says by which view the packets of each port are routed.
    pub(in super::super) fn route(&self, pass: &mut Pass<'_>, views: &Views) {
        for (ifindex, port) in &pass.structure.ports {
            let Some(slot) = self.slot(*ifindex) else { continue };
            let known = port.view.and_then(|position| views.get(position));
            let set = |on: bool, flag| if on && known.is_some() { flag } else { 0 };
            let routed = set(port.route4, FLAG_ROUTE4) | set(port.route6, FLAG_ROUTE6);
            pass.changed(pass.maps.ports.update(slot, |entry| {
                entry.mac_and_view = mac_and_view(mac_number(port.mac.0), known.unwrap_or(0));
                let others = entry.flags & !(FLAG_ROUTE4 | FLAG_ROUTE6 | FLAG_NOT_A_TARGET);
                let not_a_target = if port.is_target { 0 } else { FLAG_NOT_A_TARGET };
                entry.flags = others | routed | not_a_target;
            }));
        }
    }
}
