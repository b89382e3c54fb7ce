//! Ports: slots, programs, redirect targets, and the circuits of their frames.

mod frames;
mod programs;

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::{
    reason::REASONS,
    schema::{
        counters::reason_index,
        fdb::mac_number,
        ports::{
            self, DECAPSULATES_NONE, FLAG_MEMBER, Port, ROLE_ACCESS, ROLE_GATEWAY, ROLE_ROUTED,
            ROLE_UNDERLAY, is_routed, is_tunnel, mac_and_view, view,
        },
        vlans::PortVlans,
    },
};

use super::{
    domains::Domains,
    indexes::Indexes,
    pass::Pass,
    rest::{Freed, Resting},
};
use crate::{
    kernel::{maps::Maps, system::System},
    model::{self, Role},
};

/// The map `ports`, with `vlans`, `tx_ports` and the rows of `reasons`.
pub(super) struct Ports {
    /// By interface index.
    slots: BTreeMap<u32, u32>,
    /// Ports of which the kernel has to say whether their interface is the one that it was.
    doubted: BTreeSet<u32>,
    /// Slots that may not be used yet.
    resting: BTreeSet<u32>,
    /// Rows of `reasons` by interface index.
    rows: Indexes<u32>,
    /// Tables of `vlans` by interface index.
    vlan_tables: Indexes<u32>,
}

const fn role(role: Role) -> u8 {
    match role {
        Role::Access => ROLE_ACCESS,
        Role::Routed => ROLE_ROUTED,
        Role::Underlay => ROLE_UNDERLAY,
        Role::Gateway => ROLE_GATEWAY,
    }
}

/// Takes a gateway out of a domain that is not the one with this index, as a VLAN device that was made anew for another
/// VLAN: what is routed there is the kernel's until [`Ports::classify`] has the new one.
fn leave_domain(pass: &mut Pass<'_>, slot: u32, domain: Option<u32>) {
    let before = u32::from(pass.maps.ports.get(slot).untagged_domain);
    if before != 0 && Some(before) != domain {
        pass.changed(pass.maps.ports.update(slot, |entry| entry.untagged_domain = 0));
    }
}

/// A port of the present pass.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    ifindex: u32,
    port: &'a model::Port,
    slot: u32,
    /// What the kernel holds of it has to be asked for.
    doubted: bool,
}

impl Ports {
    /// Reads from the map which slots, rows and tables belong to which ports.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let ports = maps.ports.iter().filter(|(_, port)| port.ifindex != 0);
        let ports: Vec<(u32, Port)> = ports.collect();
        let slots: BTreeMap<u32, u32> = ports.iter().map(|(slot, p)| (p.ifindex, *slot)).collect();
        let of =
            |capacity, index: fn(&Port) -> u16, freed: fn(u32) -> Freed, resting: &mut Resting| {
                let used = slots.values().map(|slot| maps.ports.get(*slot));
                let used = used.map(|port| (u32::from(index(&port)), port.ifindex));
                let used: BTreeMap<u32, u32> = used.filter(|(index, _)| *index != 0).collect();
                let mut indexes = Indexes::new(capacity);
                for (index, ifindex) in used {
                    indexes.adopt(ifindex, index);
                }
                resting.add_all(indexes.gaps(), freed);
                indexes
            };
        Self {
            doubted: slots.keys().copied().collect(),
            resting: BTreeSet::new(),
            rows: of(maps.rows(), |port| port.row, Freed::Row, resting),
            vlan_tables: of(maps.vlans.len(), |port| port.vlans, Freed::VlanTable, resting),
            slots,
        }
    }

    /// The slot of an interface, if it is a port.
    pub(super) fn slot(&self, ifindex: u32) -> Option<u32> {
        self.slots.get(&ifindex).copied()
    }

    /// Interface indexes of the routed ports.
    pub(super) fn routed(&self, maps: &Maps) -> BTreeSet<u32> {
        let routed = |slot: &u32| is_routed(maps.ports.get(*slot).role);
        self.slots.iter().filter(|(_, slot)| routed(slot)).map(|(ifindex, _)| *ifindex).collect()
    }

    /// What the kernel holds of a port is asked for in the next pass, even if nothing else changes.
    pub(super) fn doubt(&mut self, ifindex: u32) {
        self.doubted.insert(ifindex);
    }

    /// `domains` are those of the last pass.
    pub(super) fn write(
        &mut self,
        pass: &mut Pass<'_>,
        system: &mut dyn System,
        domains: &Domains,
    ) {
        self.free_members(pass, system);
        for (ifindex, port) in &pass.structure.ports {
            let Some((slot, fresh)) = self.find_slot(pass.maps, *ifindex) else {
                let text = format!(
                    "port {} is left to the kernel: the map ports has no free slot for interface index {ifindex}; raise port_entries",
                    port.name
                );
                pass.outcome.unusable.insert(*ifindex, text);
                pass.outcome.waiting.insert(*ifindex);
                continue;
            };
            let doubted = self.doubted.remove(ifindex) || fresh;
            let wanted = Wanted { ifindex: *ifindex, port, slot, doubted };
            if let Some(domain) = &port.domain {
                leave_domain(pass, slot, domains.get(domain));
            }
            if let Err(why) = self.add(pass, system, wanted, fresh) {
                let text = format!("port {} is left to the kernel: {why}", port.name);
                pass.outcome.unusable.insert(*ifindex, text);
                self.forget(pass, system, *ifindex, slot);
            }
        }
        self.forget_members(pass, system);
        self.count_members(pass);
    }

    /// Without their bond its members are no ports either, as the next structure will say: to take them
    /// off then would count as a change, and an audit that tries the bond again has made none.
    fn forget_members(&mut self, pass: &mut Pass<'_>, system: &mut dyn System) {
        let without = |port: &model::Port| {
            port.member_of.is_some_and(|bond| pass.outcome.unusable.contains_key(&bond))
        };
        let ports = pass.structure.ports.iter().filter(|(_, port)| without(port));
        let members: Vec<u32> = ports.map(|(ifindex, _)| *ifindex).collect();
        for ifindex in members {
            if let Some(slot) = self.slot(ifindex) {
                self.forget(pass, system, ifindex, slot);
            }
        }
    }

    /// Says of the members of bonds which slot they count as, when every bond has its own.
    fn count_members(&self, pass: &mut Pass<'_>) {
        let ports = pass.structure.ports.iter();
        for (ifindex, bond) in ports.filter_map(|(i, port)| Some((i, port.member_of?))) {
            let Some(slot) = self.slot(*ifindex) else { continue };
            let as_port = self.slot(bond).unwrap_or(0) as u16;
            pass.changed(pass.maps.ports.update(slot, |entry| entry.as_port = as_port));
        }
    }

    /// Brings everything about one port up to date, or says why it cannot be used. Its interface may
    /// vanish at any moment.
    fn add(
        &mut self,
        pass: &mut Pass<'_>,
        system: &mut dyn System,
        wanted: Wanted<'_>,
        fresh: bool,
    ) -> Result<(), String> {
        let Wanted { ifindex, port, slot, .. } = wanted;
        let maps = pass.maps;
        let old = maps.ports.get(slot);
        if port.role != Role::Gateway {
            // Nothing was sent to it by its slot as long as it was a gateway.
            let doubted = wanted.doubted || old.role == ROLE_GATEWAY;
            aim(pass, system, Wanted { doubted, ..wanted })?;
        }
        let role = role(port.role);
        if fresh {
            // Nothing is sent there before somebody has looked whether it lives. After that the
            // word has another writer.
            maps.ports.set(slot, &Port { down: 1, ..Port::default() });
        }
        let domain = port.domain.as_ref().and_then(|key| pass.structure.domains.get(key));
        let device = domain.filter(|_| is_tunnel(ifindex)).map(|domain| domain.vxlan);
        // Whose device says whether a tunnel lives, the daemon that was there before has not told.
        if fresh || pass.audit && device.is_some() {
            pass.outcome.new_ports.insert(ifindex, device.unwrap_or(ifindex));
        }
        let other_program = is_routed(old.role) != is_routed(role);
        if other_program {
            // Circuits belong to the role that the port had.
            maps.ports.update(slot, |entry| {
                (entry.untagged_circuit, entry.untagged_domain, entry.vlans) = (0, 0, 0);
                entry.decapsulates = DECAPSULATES_NONE;
            });
            self.clear_vlans(pass, ifindex);
        }
        // In every pass: one that had none gets the row of a port that is gone.
        let row = if port.role == Role::Gateway { 0 } else { self.row(pass, ifindex) };
        // In place, though these are several words: what a packet asks of one of them does not depend on
        // the others, and the circuits and programs of another role were taken away above.
        pass.changed(maps.ports.update(slot, |entry| {
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
        }));
        self.run_program(pass, system, wanted, &old, other_program)
    }

    /// The slot of an interface, and whether it is a new one because it had none. `None` if there is no
    /// free one.
    fn find_slot(&mut self, maps: &Maps, ifindex: u32) -> Option<(u32, bool)> {
        if let Some(slot) = self.slot(ifindex) {
            return Some((slot, false));
        }
        let is_free = |slot| !self.resting.contains(&slot) && maps.ports.get(slot).ifindex == 0;
        let slot = ports::place(ifindex, maps.ports.len() - 1, is_free)?;
        maps.port_tx.reset(slot);
        self.slots.insert(ifindex, slot);
        Some((slot, true))
    }

    /// The row in which packets from a port are counted, a new one with zeros if it has none.
    fn row(&mut self, pass: &mut Pass<'_>, ifindex: u32) -> u16 {
        let Some((row, new)) = self.rows.allocate(&ifindex) else {
            let rows = self.rows.capacity();
            pass.left_out(format!(
                "packets from more ports than {rows} are counted together, for want of room in the \
                 map reasons"
            ));
            return 0;
        };
        if new {
            for reason in 0..REASONS {
                pass.maps.reasons.reset(reason_index(row, reason as u8));
            }
        }
        row as u16
    }

    /// Takes programs off ports that are not wanted any more, also those of an earlier daemon.
    pub(super) fn remove(&mut self, pass: &mut Pass<'_>, system: &mut dyn System) {
        let structure = pass.structure;
        let mut known: BTreeSet<u32> = self.slots.keys().copied().collect();
        match system.linked() {
            Ok(linked) => known.extend(linked),
            Err(error) => tracing::warn!(%error, "cannot see which programs are attached"),
        }
        for ifindex in known.into_iter().filter(|i| !structure.ports.contains_key(i)) {
            if let Err(error) = system.detach(ifindex) {
                tracing::warn!(ifindex, %error, "cannot take the program off");
            }
            if let Some(slot) = self.slot(ifindex) {
                self.forget(pass, system, ifindex, slot);
                pass.changed(true);
            }
        }
        self.doubted.retain(|ifindex| structure.ports.contains_key(ifindex));
        pass.rest_all(self.rows.take_superseded(), Freed::Row);
        pass.rest_all(self.vlan_tables.take_superseded(), Freed::VlanTable);
    }

    fn forget(&mut self, pass: &mut Pass<'_>, system: &mut dyn System, ifindex: u32, slot: u32) {
        system.restore_offloads(&pass.maps.ports.get(slot));
        // Nobody finds it any more, and whoever still refers to it sends nothing there. To a packet that came
        // in here it stays the port that it was.
        pass.maps.ports.update(slot, |entry| (entry.ifindex, entry.down) = (0, 1));
        self.clear_vlans(pass, ifindex);
        if let Some(row) = self.rows.remove(&ifindex) {
            pass.rest(Freed::Row(row));
        }
        // The device map keeps the entry until the interface goes or the slot is used again;
        // nothing refers to the slot.
        self.slots.remove(&ifindex);
        self.resting.insert(slot);
        pass.rest(Freed::Slot(slot));
        pass.outcome.freed = true;
    }

    /// Empties and frees a slot that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, slot: u32) {
        maps.ports.set(slot, &Port { down: 1, ..Port::default() });
        self.resting.remove(&slot);
    }

    /// Frees a row that has rested.
    pub(super) fn give_back_row(&mut self, row: u32) {
        self.rows.give_back(row);
    }

    /// Empties and frees a table that has rested.
    pub(super) fn give_back_vlans(&mut self, maps: &Maps, table: u32) {
        maps.vlans.set(table, &PortVlans { circuits: [0; 4096] });
        self.vlan_tables.give_back(table);
    }
}

/// Makes an interface the redirect target of its slot. The kernel forgets the target when the
/// interface goes, also to another network namespace.
fn aim(pass: &mut Pass<'_>, system: &mut dyn System, wanted: Wanted<'_>) -> Result<(), String> {
    let Wanted { ifindex, slot, doubted, .. } = wanted;
    if !doubted && !pass.audit {
        return Ok(());
    }
    let right = system.target(slot) == Some(ifindex);
    if right && !doubted {
        return Ok(());
    }
    system.set_target(slot, ifindex).map_err(|error| error.to_string())?;
    pass.changed(!right);
    // As long as it was none it did not count as alive.
    pass.outcome.new_ports.insert(ifindex, ifindex);
    Ok(())
}
