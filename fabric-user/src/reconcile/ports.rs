//! Ports: slots, programs, redirect targets, and the circuits of their frames.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::{
    reason::REASONS,
    schema::{
        counters::reason_index,
        fdb::mac_number,
        ports::{self, FLAG_HID_TAGS, PROBES, Port, ROLE_ACCESS, ROLE_UPLINK, mac_and_view, view},
        vlans::PortVlans,
    },
};

use super::{Outcome, ReconcileError, Reconciler};
use crate::{
    kernel::{
        detach, interface,
        maps::Maps,
        programs::{ACCESS, UPLINK},
    },
    model::{self, Role, Structure},
};

/// The slots that are in use, by interface index.
pub(super) fn recover(maps: &Maps) -> BTreeMap<u32, u32> {
    maps.ports.iter().filter(|(_, p)| p.ifindex != 0).map(|(slot, p)| (p.ifindex, slot)).collect()
}

const fn role(role: Role) -> u8 {
    match role {
        Role::Access => ROLE_ACCESS,
        Role::Uplink => ROLE_UPLINK,
    }
}

impl Reconciler {
    /// Interface indexes of the uplinks in the maps: at the start, those of an earlier daemon.
    #[must_use]
    pub fn uplinks(&self) -> BTreeSet<u32> {
        let uplink = |slot: &u32| self.maps.ports.get(*slot).role == ROLE_UPLINK;
        self.ports.iter().filter(|(_, slot)| uplink(slot)).map(|(ifindex, _)| *ifindex).collect()
    }

    pub(super) fn add_ports(
        &mut self,
        structure: &Structure,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        for (ifindex, port) in &structure.ports {
            let fresh = !self.ports.contains_key(ifindex);
            let Some(slot) = self.slot(*ifindex)? else {
                let text = format!(
                    "port {} is left to the kernel: the map ports has no free slot for interface index {ifindex}",
                    port.name
                );
                outcome.unusable.insert(*ifindex, text);
                continue;
            };
            let old = self.maps.ports.get(slot);
            let role = role(port.role);
            if fresh {
                // Nothing is sent there before somebody has looked whether it lives. After that the
                // word has another writer.
                self.maps.ports.set(slot, &Port { down: 1, ..Port::default() });
                outcome.new_ports.insert(*ifindex);
            }
            if old.role != role {
                // Circuits belong to the role that the port had.
                self.maps.ports.update(slot, |entry| {
                    (entry.untagged_circuit, entry.untagged_domain) = (0, 0);
                });
                self.clear_vlans(slot);
            }
            let changed = self.maps.ports.update(slot, |entry| {
                entry.ifindex = *ifindex;
                entry.mtu = port.mtu;
                entry.role = role;
                entry.mac_and_view = mac_and_view(mac_number(port.mac.0), view(entry.mac_and_view));
            });
            outcome.changes += usize::from(changed);
            if !self.links.is_attached(*ifindex) || old.role != role {
                self.attach(*ifindex, port, outcome)?;
                if outcome.unusable.contains_key(ifindex) {
                    self.forget_port(*ifindex, slot);
                }
            }
        }
        Ok(())
    }

    fn attach(
        &mut self,
        ifindex: u32,
        port: &model::Port,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        if !self.show_tags(ifindex, port, outcome) {
            return Ok(());
        }
        let program = self.programs.get(match port.role {
            Role::Access => ACCESS,
            Role::Uplink => UPLINK,
        })?;
        match self.links.attach(&self.instance, ifindex, &port.name, program, self.mode) {
            Ok(()) => {
                tracing::info!(port = port.name, role = ?port.role, "program attached");
                outcome.changes += 1;
            }
            Err(error) => {
                outcome
                    .unusable
                    .insert(ifindex, format!("port {} is left to the kernel: {error}", port.name));
            }
        }
        Ok(())
    }

    /// Leaves VLAN tags in the frames that a port receives; false if its driver cannot.
    fn show_tags(&self, ifindex: u32, port: &model::Port, outcome: &mut Outcome) -> bool {
        match interface::show_received_tags(&port.name) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(port = port.name, "VLAN tags stay in received frames (rxvlan off)");
                if let Some(slot) = self.ports.get(&ifindex) {
                    self.maps.ports.update(*slot, |p| p.flags |= FLAG_HID_TAGS);
                }
            }
            Err(error) => {
                let text = format!(
                    "port {0} is left to the kernel: its driver hides VLAN tags from XDP and refuses `ethtool -K {0} rxvlan off`: {error}",
                    port.name
                );
                outcome.unusable.insert(ifindex, text);
                return false;
            }
        }
        true
    }

    /// The slot of an interface, a new one if it has none.
    fn slot(&mut self, ifindex: u32) -> Result<Option<u32>, ReconcileError> {
        if let Some(slot) = self.ports.get(&ifindex) {
            return Ok(Some(*slot));
        }
        let free = (0..PROBES)
            .map(|probe| ports::slot(ifindex, probe, ports::MAX - 1))
            .find(|slot| *slot != 0 && self.maps.ports.get(*slot).ifindex == 0);
        let Some(slot) = free else { return Ok(None) };
        for reason in 0..REASONS {
            self.maps.reasons.reset(reason_index(slot, reason as u8));
        }
        self.maps.port_tx.reset(slot);
        self.programs.tx_ports.set(slot, ifindex, None, 0)?;
        self.ports.insert(ifindex, slot);
        Ok(Some(slot))
    }

    /// Says to which circuit the frames of each port belong.
    pub(super) fn classify(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for (ifindex, port) in &structure.ports {
            let Some(slot) = self.ports.get(ifindex).copied() else {
                continue;
            };
            let index = |key| self.circuits.get(key).unwrap_or(0) as u16;
            let untagged = port.untagged.as_ref().map_or(0, index);
            let domain = match untagged {
                0 => 0,
                circuit => self.maps.circuits.get(circuit.into()).domain,
            };
            let changed = self.maps.ports.update(slot, |entry| {
                (entry.untagged_circuit, entry.untagged_domain) = (untagged, domain);
            });
            let mut vlans = PortVlans { circuits: [0; 4096] };
            for (vlan, key) in &port.tagged {
                vlans.circuits[usize::from(vlan & 0xfff)] = index(key);
            }
            outcome.changes += usize::from(changed);
            outcome.changes += usize::from(self.maps.vlans.set(slot, &vlans));
        }
    }

    fn clear_vlans(&self, slot: u32) {
        self.maps.vlans.set(slot, &PortVlans { circuits: [0; 4096] });
    }

    /// Takes programs off ports that are not wanted any more, also those of an earlier daemon.
    pub(super) fn remove_ports(
        &mut self,
        structure: &Structure,
        outcome: &mut Outcome,
    ) -> Result<(), ReconcileError> {
        let mut known: Vec<u32> = self.ports.keys().copied().collect();
        known.extend(self.instance.linked()?);
        for ifindex in known.into_iter().filter(|i| !structure.ports.contains_key(i)) {
            if let Err(error) = self.links.detach(&self.instance, ifindex) {
                tracing::warn!(ifindex, %error, "cannot take the program off");
            }
            if let Some(slot) = self.ports.get(&ifindex).copied() {
                self.forget_port(ifindex, slot);
                outcome.changes += 1;
            }
        }
        Ok(())
    }

    fn forget_port(&mut self, ifindex: u32, slot: u32) {
        detach::restore_offloads(&self.maps.ports.get(slot));
        self.maps.ports.set(slot, &Port::default());
        self.clear_vlans(slot);
        // The device map keeps the entry until the interface goes or the slot is used again;
        // nothing refers to the slot.
        self.ports.remove(&ifindex);
    }
}
