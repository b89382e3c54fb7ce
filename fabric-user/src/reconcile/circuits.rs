//! Attachment circuits.

use std::sync::atomic::{Ordering, fence};

use fabric_common::schema::circuits::{self, Circuit};

use super::{
    domains::Domains,
    indexes::Indexes,
    pass::Pass,
    ports::Ports,
    rest::{Freed, Resting},
};
use crate::{
    kernel::maps::Maps,
    model::{self, CircuitKey, DomainKey},
};

/// The map `circuits`.
pub(super) struct Circuits {
    indexes: Indexes<CircuitKey>,
}

impl Circuits {
    /// Reads from the map which index belongs to which circuit.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let mut indexes = Indexes::new(circuits::MAX);
        for (index, c) in maps.circuits.iter().filter(|(_, c)| c.port != 0) {
            let domain = maps.domains.get(u32::from(c.domain));
            let domain = DomainKey { bridge: domain.bridge, vlan: domain.vlan };
            indexes.adopt(CircuitKey { bridge_port: c.bridge_port, domain }, index);
        }
        resting.add_all(indexes.gaps(), Freed::Circuit);
        Self { indexes }
    }

    pub(super) fn get(&self, key: &CircuitKey) -> Option<u32> {
        self.indexes.get(key)
    }

    pub(super) fn write(&mut self, pass: &mut Pass<'_>, ports: &Ports, domains: &Domains) {
        let maps = pass.maps;
        for (key, circuit) in &pass.structure.circuits {
            let (Some(port), Some(domain)) = (ports.slot(circuit.port), domains.get(&key.domain))
            else {
                // Nothing may lead into a domain that is another one a second later.
                self.indexes.supersede(key);
                continue;
            };
            let value = Circuit {
                port: port as u16,
                domain: domain as u16,
                vlan: circuit.vlan,
                flags: flags(key, circuit),
                max_frame: circuit.max_frame,
                bridge_port: key.bridge_port,
            };
            if let Some(old) = self.indexes.get(key)
                && differences(&maps.circuits.get(old), &value) > 1
            {
                self.indexes.supersede(key);
            }
            let Some((index, _)) = self.indexes.allocate(key) else {
                pass.full("circuits", self.indexes.capacity(), "");
                continue;
            };
            let is_new = maps.circuits.set(index, &value);
            pass.changed(is_new);
            if is_new {
                // Its port may have died in this moment.
                maps.settings.update(0, |settings| settings.lost_ports = 1);
            }
        }
    }

    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        let gone = self.indexes.retain(|key| pass.structure.circuits.contains_key(key));
        pass.outcome.changes += gone.len();
        pass.rest_all(gone, Freed::Circuit);
        pass.rest_all(self.indexes.take_superseded(), Freed::Circuit);
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.circuits.set(index, &Circuit::default());
        self.indexes.give_back(index);
    }
}

/// Has the packet path look at ports before it sends to hosts as long as a circuit leads to one that is
/// down: from the moment of the loss until the circuit is taken away.
pub(super) fn look_for_lost_ports(maps: &Maps) {
    let set = |lost| maps.settings.update(0, |settings| settings.lost_ports = lost);
    if !set(0) {
        return;
    }
    // Who stores that a port is down sets the word after that, and reads it as 1 or as this 0.
    fence(Ordering::SeqCst);
    let mut circuits = maps.circuits.iter().filter(|(_, circuit)| circuit.port != 0);
    if circuits.any(|(_, circuit)| maps.ports.get(circuit.port.into()).down != 0) {
        set(1);
    }
}

fn flags(key: &CircuitKey, circuit: &model::Circuit) -> u16 {
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    flag(circuit.isolated, circuits::FLAG_ISOLATED)
        | flag(circuit.hairpin, circuits::FLAG_HAIRPIN)
        | flag(circuit.suppresses, circuits::FLAG_SUPPRESSES)
        | flag(key.bridge_port != circuit.port, circuits::FLAG_VLAN_DEVICE)
}

/// In how many fields two circuits differ. A reader takes each by itself: a frame must not get the tag of
/// one port on its way out of another.
fn differences(before: &Circuit, now: &Circuit) -> usize {
    let Circuit { port, domain, vlan, flags, max_frame, bridge_port } = *before;
    [
        port != now.port,
        domain != now.domain,
        vlan != now.vlan,
        flags != now.flags,
        max_frame != now.max_frame,
        bridge_port != now.bridge_port,
    ]
    .into_iter()
    .map(usize::from)
    .sum()
}
