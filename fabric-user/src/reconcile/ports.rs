//! Ports: slots, programs, redirect targets, and the circuits of their frames.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::{
    reason::REASONS,
    schema::{
        counters::reason_index,
        fdb::mac_number,
        ports::{
            self, DECAPSULATES_NONE, FLAG_HID_TAGS, FLAG_MEMBER, Port, ROLE_ACCESS, ROLE_ROUTED,
            ROLE_UNDERLAY, is_routed, mac, mac_and_view, view,
        },
        vlans::PortVlans,
    },
};

use super::{Outcome, Reconciler, rest::Freed};
use crate::{
    kernel::{
        detach, interface,
        links::{AttachError, Attached},
        maps::Maps,
        programs::{ACCESS, ROUTED},
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
        Role::Routed => ROLE_ROUTED,
        Role::Underlay => ROLE_UNDERLAY,
    }
}

impl Reconciler {
    /// Reads from the map which rows and tables belong to which ports.
    pub(super) fn recover_rows(&mut self) {
        let ports: Vec<Port> = self.ports.values().map(|slot| self.maps.ports.get(*slot)).collect();
        let of = |index: fn(&Port) -> u16| {
            let used = ports.iter().map(|port| (u32::from(index(port)), port.ifindex));
            used.filter(|(index, _)| *index != 0).collect::<BTreeMap<u32, u32>>()
        };
        for (row, ifindex) in of(|port| port.row) {
            self.rows.adopt(ifindex, row);
        }
        for (table, ifindex) in of(|port| port.vlans) {
            self.vlan_tables.adopt(ifindex, table);
        }
    }

    /// Interface indexes of the routed ports in the maps: at the start, those of an earlier daemon.
    #[must_use]
    pub fn routed(&self) -> BTreeSet<u32> {
        let routed = |slot: &u32| is_routed(self.maps.ports.get(*slot).role);
        self.ports.iter().filter(|(_, slot)| routed(slot)).map(|(ifindex, _)| *ifindex).collect()
    }

    /// An interface has gone, so that one of the same index is another one, or was elsewhere meanwhile:
    /// what the kernel holds of the port is asked for in the next pass, even if nothing else changes.
    pub fn doubt(&mut self, ifindex: u32) {
        self.doubted.insert(ifindex);
    }

    pub(super) fn add_ports(&mut self, structure: &Structure, outcome: &mut Outcome) {
        self.free_members(structure);
        for (ifindex, port) in &structure.ports {
            let Some((slot, fresh)) = self.slot(*ifindex) else {
                let text = format!(
                    "port {} is left to the kernel: the map ports has no free slot for interface index {ifindex}; raise port_entries",
                    port.name
                );
                outcome.unusable.insert(*ifindex, text);
                outcome.waiting.insert(*ifindex);
                continue;
            };
            let doubted = self.doubted.remove(ifindex) || fresh;
            if let Err(why) = self.add_port(*ifindex, port, slot, fresh, doubted, outcome) {
                let text = format!("port {} is left to the kernel: {why}", port.name);
                outcome.unusable.insert(*ifindex, text);
                self.forget_port(*ifindex, slot, outcome);
            }
        }
        self.forget_members(structure, outcome);
        self.count_members(structure, outcome);
    }

    /// Without their bond its members are no ports either, as the next structure will say: to take them
    /// off then would count as a change, and an audit that tries the bond again has made none.
    fn forget_members(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let without = |port: &model::Port| {
            port.member_of.is_some_and(|bond| outcome.unusable.contains_key(&bond))
        };
        let ports = structure.ports.iter().filter(|(_, port)| without(port));
        let members: Vec<u32> = ports.map(|(ifindex, _)| *ifindex).collect();
        for ifindex in members {
            if let Some(slot) = self.ports.get(&ifindex).copied() {
                self.forget_port(ifindex, slot, outcome);
            }
        }
    }

    /// Says of the members of bonds which slot they count as, when every bond has its own.
    fn count_members(&self, structure: &Structure, outcome: &mut Outcome) {
        let members = structure.ports.iter().filter_map(|(i, port)| Some((i, port.member_of?)));
        for (ifindex, bond) in members {
            let Some(slot) = self.ports.get(ifindex) else { continue };
            let as_port = self.ports.get(&bond).map_or(0, |slot| *slot as u16);
            let changed = self.maps.ports.update(*slot, |entry| entry.as_port = as_port);
            outcome.changes += usize::from(changed);
        }
    }

    /// Takes programs of their own off ports that have become members of bonds: the kernel lets no
    /// program onto a bond as long as a member has one (`bond_xdp_set`).
    fn free_members(&mut self, structure: &Structure) {
        for (ifindex, port) in structure.ports.iter().filter(|(_, port)| port.member_of.is_some()) {
            if !self.has_link(*ifindex) {
                continue;
            }
            match self.links.detach(&self.instance, *ifindex) {
                Ok(()) => tracing::info!(port = port.name, "a member of a bond: program taken off"),
                Err(error) => tracing::warn!(ifindex, %error, "cannot take the program off"),
            }
        }
    }

    /// Whether an interface has a link of its own, if only an earlier daemon's.
    fn has_link(&self, ifindex: u32) -> bool {
        self.links.is_attached(ifindex) || self.instance.link(ifindex).exists()
    }

    /// Brings everything about one port up to date, or says why it cannot be used. Its interface may
    /// vanish at any moment.
    fn add_port(
        &mut self,
        ifindex: u32,
        port: &model::Port,
        slot: u32,
        fresh: bool,
        doubted: bool,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        self.aim(ifindex, slot, doubted, outcome)?;
        let old = self.maps.ports.get(slot);
        let role = role(port.role);
        if fresh {
            // Nothing is sent there before somebody has looked whether it lives. After that the
            // word has another writer.
            self.maps.ports.set(slot, &Port { down: 1, ..Port::default() });
            outcome.new_ports.insert(ifindex);
        }
        let other_program = is_routed(old.role) != is_routed(role);
        if other_program {
            // Circuits belong to the role that the port had.
            self.maps.ports.update(slot, |entry| {
                (entry.untagged_circuit, entry.untagged_domain, entry.vlans) = (0, 0, 0);
                entry.decapsulates = DECAPSULATES_NONE;
            });
            self.clear_vlans(ifindex);
        }
        // In every pass: one that had none gets the row of a port that is gone.
        let row = self.row(ifindex, outcome);
        // In place, though these are several words: what a packet asks of one of them does not depend on
        // the others, and the circuits and programs of another role were taken away above.
        let changed = self.maps.ports.update(slot, |entry| {
            entry.ifindex = ifindex;
            entry.row = row;
            entry.mtu = port.mtu;
            entry.role = role;
            if port.member_of.is_none() {
                entry.as_port = slot as u16;
            }
            let member = if port.member_of.is_some() { FLAG_MEMBER } else { 0 };
            entry.flags = entry.flags & !FLAG_MEMBER | member;
            entry.mac_and_view = mac_and_view(mac_number(port.mac.0), view(entry.mac_and_view));
        });
        outcome.changes += usize::from(changed);
        if port.member_of.is_some() {
            return self.join(ifindex, port, slot, doubted);
        }
        if port.idle {
            if self.has_link(ifindex) {
                self.links.detach(&self.instance, ifindex).map_err(|error| error.to_string())?;
                outcome.changes += 1;
            }
            return Ok(());
        }
        let in_place = self.links.is_attached(ifindex)
            && !doubted
            && !other_program
            // By the kernel's word, where every word is asked for.
            && (!self.audit
                || self.links.is_in_place(ifindex, self.mode).unwrap_or_else(|error| is_shortage(&error)));
        match in_place {
            true => Ok(()),
            false => {
                let same = mac(old.mac_and_view) == mac_number(port.mac.0);
                self.attach(ifindex, port, slot, same, outcome)
            }
        }
    }

    /// Makes an interface show what the program of its bond has to see: the kernel runs that here.
    fn join(
        &self,
        ifindex: u32,
        port: &model::Port,
        slot: u32,
        doubted: bool,
    ) -> Result<(), String> {
        if (doubted || self.audit) && show_tags(ifindex, port, !doubted)? {
            self.maps.ports.update(slot, |entry| entry.flags |= FLAG_HID_TAGS);
        }
        Ok(())
    }

    /// Makes an interface the redirect target of its slot. The kernel forgets the target when the
    /// interface goes, also to another network namespace.
    fn aim(
        &mut self,
        ifindex: u32,
        slot: u32,
        doubted: bool,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        if !doubted && !self.audit {
            return Ok(());
        }
        let tx_ports = &mut self.programs.tx_ports;
        let right = tx_ports.get(slot, 0).is_ok_and(|target| target.if_index == ifindex);
        if right && !doubted {
            return Ok(());
        }
        tx_ports.set(slot, ifindex, None, 0).map_err(|error| match cause(&error) {
            // `__dev_map_alloc_node` finds no such interface.
            Some(libc::EINVAL | libc::ENODEV) => AttachError::Gone.to_string(),
            _ => format!("it cannot be written into the map tx_ports: {error}"),
        })?;
        outcome.changes += usize::from(!right);
        // As long as it was none it did not count as alive.
        outcome.new_ports.insert(ifindex);
        Ok(())
    }

    /// Runs the program on an interface. With the MAC address that the port had it is taken for the same
    /// interface, also where nothing of ours runs on it: in another mode, or where the pin has gone.
    fn attach(
        &mut self,
        ifindex: u32,
        port: &model::Port,
        slot: u32,
        same_mac: bool,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let hid_tags = show_tags(ifindex, port, false)?;
        let program = match port.role {
            Role::Access => ACCESS,
            Role::Routed | Role::Underlay => ROUTED,
        };
        let program = self.programs.get(program).map_err(|error| error.to_string())?;
        let attached = self.links.attach(&self.instance, ifindex, &port.name, program, self.mode);
        let attached = attached.map_err(|error| error.to_string())?;
        tracing::info!(port = port.name, role = ?port.role, ?attached, "program attached");
        outcome.changes += 1;
        self.maps.ports.update(slot, |entry| {
            if attached == Attached::Anew {
                (entry.down, entry.bfd) = (1, 0);
                if !same_mac {
                    // Another interface, of which the port's past says nothing.
                    entry.flags &= !FLAG_HID_TAGS;
                }
            }
            entry.flags |= if hid_tags { FLAG_HID_TAGS } else { 0 };
        });
        outcome.new_ports.insert(ifindex);
        Ok(())
    }

    /// The slot of an interface, and whether it is a new one because it had none. `None` if there is no
    /// free one.
    fn slot(&mut self, ifindex: u32) -> Option<(u32, bool)> {
        if let Some(slot) = self.ports.get(&ifindex) {
            return Some((*slot, false));
        }
        let is_free =
            |slot| !self.resting_slots.contains(&slot) && self.maps.ports.get(slot).ifindex == 0;
        let slot = ports::place(ifindex, self.maps.ports.len() - 1, is_free)?;
        self.maps.port_tx.reset(slot);
        self.ports.insert(ifindex, slot);
        Some((slot, true))
    }

    /// The row in which packets from a port are counted, a new one with zeros if it has none.
    fn row(&mut self, ifindex: u32, outcome: &mut Outcome) -> u16 {
        let Some((row, new)) = self.rows.allocate(&ifindex) else {
            let rows = self.rows.capacity();
            outcome.full.insert(format!(
                "packets from more ports than {rows} are counted together, for want of room in the \
                 map reasons"
            ));
            return 0;
        };
        if new {
            for reason in 0..REASONS {
                self.maps.reasons.reset(reason_index(row, reason as u8));
            }
        }
        row as u16
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
            outcome.changes += usize::from(changed);
            let mut vlans = PortVlans { circuits: [0; 4096] };
            for (vlan, key) in &port.tagged {
                vlans.circuits[usize::from(vlan & 0xfff)] = index(key);
            }
            let table = match port.tagged.is_empty() {
                true => None,
                false => self.vlan_tables.allocate(ifindex).map(|(table, _)| table),
            };
            if let Some(table) = table {
                outcome.changes += usize::from(self.maps.vlans.set(table, &vlans));
            } else if !port.tagged.is_empty() {
                outcome.full.insert(format!(
                    "the map vlans is full ({} ports with tagged VLANs), tagged frames of the others \
                     are left to the kernel; raise port_entries",
                    self.vlan_tables.capacity()
                ));
            }
            let changed = self
                .maps
                .ports
                .update(slot, |entry| entry.vlans = table.unwrap_or_default() as u16);
            outcome.changes += usize::from(changed);
            if table.is_none() {
                self.clear_vlans(*ifindex);
            }
        }
    }

    /// Takes the table of VLANs away from a port, to which nothing refers any more.
    fn clear_vlans(&mut self, ifindex: u32) {
        if let Some(table) = self.vlan_tables.remove(&ifindex) {
            self.resting.add(Freed::VlanTable(table));
        }
    }

    /// Takes programs off ports that are not wanted any more, also those of an earlier daemon.
    pub(super) fn remove_ports(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let mut known: BTreeSet<u32> = self.ports.keys().copied().collect();
        match self.instance.linked() {
            Ok(linked) => known.extend(linked),
            Err(error) => tracing::warn!(%error, "cannot see which programs are attached"),
        }
        for ifindex in known.into_iter().filter(|i| !structure.ports.contains_key(i)) {
            if let Err(error) = self.links.detach(&self.instance, ifindex) {
                tracing::warn!(ifindex, %error, "cannot take the program off");
            }
            if let Some(slot) = self.ports.get(&ifindex).copied() {
                self.forget_port(ifindex, slot, outcome);
                outcome.changes += 1;
            }
        }
        self.doubted.retain(|ifindex| structure.ports.contains_key(ifindex));
    }

    fn forget_port(&mut self, ifindex: u32, slot: u32, outcome: &mut Outcome) {
        detach::restore_offloads(&self.maps.ports.get(slot));
        // Nobody finds it any more, and whoever still refers to it sends nothing there. To a packet that came
        // in here it stays the port that it was.
        self.maps.ports.update(slot, |entry| (entry.ifindex, entry.down) = (0, 1));
        self.clear_vlans(ifindex);
        if let Some(row) = self.rows.remove(&ifindex) {
            self.resting.add(Freed::Row(row));
        }
        // The device map keeps the entry until the interface goes or the slot is used again;
        // nothing refers to the slot.
        self.ports.remove(&ifindex);
        self.resting_slots.insert(slot);
        self.resting.add(Freed::Slot(slot));
        outcome.freed = true;
    }
}

/// Leaves VLAN tags in the frames that a port receives; true if they were not before. `known` says that it
/// was asked before, so that it may stay unasked.
fn show_tags(ifindex: u32, port: &model::Port, known: bool) -> Result<bool, String> {
    let changed = interface::show_received_tags(ifindex).or_else(|error| {
        if known && is_shortage(&error) {
            return Ok(false);
        }
        Err(error)
    });
    let changed = changed.map_err(|error| {
        if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) {
            return AttachError::Gone.to_string();
        }
        format!(
            "its driver hides VLAN tags from XDP and refuses `ethtool -K {} rxvlan off`: {error}",
            port.name
        )
    })?;
    if changed {
        tracing::info!(port = port.name, "VLAN tags stay in received frames (rxvlan off)");
    }
    Ok(changed)
}

/// The daemon could not even ask, for want of descriptors or memory: that says nothing of what it asked
/// about, and what is in use stays in use.
fn is_shortage(error: &std::io::Error) -> bool {
    let shortages = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error.raw_os_error().is_some_and(|code| shortages.contains(&code))
}

/// The system's own answer behind an error.
fn cause(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}
