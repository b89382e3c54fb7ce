//! Bridge domains, circuits and VNIs.

use std::{
    net::IpAddr,
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use fabric_common::halves;
use fabric_common::schema::{
    circuits::{self, Circuit},
    domains::{self, Domain},
    domains6::Domain6,
    fdb, vnis,
};

use super::{Outcome, Reconciler, rest::Freed};
use crate::{
    kernel::heartbeat,
    model::{self, CircuitKey, DomainKey, Structure},
    observe::Df,
};

impl Reconciler {
    /// Reads from the maps which index belongs to which domain and circuit.
    pub(super) fn recover_bridges(&mut self) {
        for (index, d) in self.maps.domains.iter() {
            if d.flags & domains::FLAG_IN_USE != 0 {
                self.domains.adopt(DomainKey { bridge: d.bridge, vlan: d.vlan }, index);
            }
        }
        for (index, c) in self.maps.circuits.iter().filter(|(_, c)| c.port != 0) {
            let domain = self.maps.domains.get(u32::from(c.domain));
            let domain = DomainKey { bridge: domain.bridge, vlan: domain.vlan };
            self.circuits.adopt(CircuitKey { bridge_port: c.bridge_port, domain }, index);
        }
    }

    pub(super) fn add_domains(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let mut ports_be = [0_u16; 4];
        let mut used = 0;
        for (key, domain) in &structure.domains {
            let (value, beside) = (domain_value(key, domain, self.hz), domain6_value(domain));
            let old = self.domains.get(key);
            if let Some(old) = old {
                let before = (&self.maps.domains.get(old), &self.maps.domains6.get(old));
                if differences(before, (&value, &beside)) > 1 {
                    self.domains.supersede(key);
                }
            }
            let Some((index, new)) = self.domains.allocate(key) else {
                outcome.full("domains", self.domains.capacity(), "");
                continue;
            };
            match old.filter(|_| new) {
                Some(old) => self.maps.domain_traffic.copy(old, index),
                None if new => self.maps.domain_traffic.reset(index),
                None => {}
            }
            outcome.changes += usize::from(self.maps.domains6.set(index, &beside));
            outcome.changes += usize::from(self.maps.domains.set(index, &value));
            if domain.vni.is_some() && !ports_be.contains(&value.udp_port_be) {
                match ports_be.get_mut(used) {
                    Some(free) => *free = value.udp_port_be,
                    None => outcome.full("settings.vxlan_ports", 4, ""),
                }
                used += 1;
            }
        }
        let changed = self.maps.settings.update(0, |s| s.vxlan_ports_be = ports_be);
        outcome.changes += usize::from(changed);
    }

    pub(super) fn remove_domains(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let gone = self.domains.retain(|key| structure.domains.contains_key(key));
        for index in gone.into_iter().chain(self.domains.take_superseded()) {
            // So that a successor does not take it for one that is used. A packet from a tunnel that has just
            // found it is left to the kernel.
            let unused = |domain: &mut Domain| domain.flags &= !domains::FLAG_IN_USE;
            outcome.changes += usize::from(self.maps.domains.update(index, unused));
            self.resting.add(Freed::Domain(index));
        }
    }

    pub(super) fn add_circuits(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for (key, circuit) in &structure.circuits {
            let (Some(port), Some(domain)) =
                (self.ports.get(&circuit.port), self.domains.get(&key.domain))
            else {
                // Nothing may lead into a domain that is another one a second later.
                self.circuits.supersede(key);
                continue;
            };
            let value = Circuit {
                port: *port as u16,
                domain: domain as u16,
                vlan: circuit.vlan,
                flags: if circuit.isolated { circuits::FLAG_ISOLATED } else { 0 },
                max_frame: circuit.max_frame,
                bridge_port: key.bridge_port,
            };
            if let Some(old) = self.circuits.get(key)
                && circuit_differences(&self.maps.circuits.get(old), &value) > 1
            {
                self.circuits.supersede(key);
            }
            match self.circuits.allocate(key) {
                Some((index, _)) => {
                    let is_new = self.maps.circuits.set(index, &value);
                    outcome.changes += usize::from(is_new);
                    if is_new {
                        // Its port may have died in this moment.
                        self.maps.settings.update(0, |settings| settings.lost_ports = 1);
                    }
                }
                None => outcome.full("circuits", self.circuits.capacity(), ""),
            }
        }
    }

    /// Has the packet path look at ports before it sends to hosts as long as a circuit leads to one that is
    /// down: from the moment of the loss until the circuit is taken away.
    pub(super) fn look_for_lost_ports(&self) {
        let set = |lost| self.maps.settings.update(0, |settings| settings.lost_ports = lost);
        if !set(0) {
            return;
        }
        // Who stores that a port is down sets the word after that, and reads it as 1 or as this 0.
        fence(Ordering::SeqCst);
        let mut circuits = self.maps.circuits.iter().filter(|(_, circuit)| circuit.port != 0);
        if circuits.any(|(_, circuit)| self.maps.ports.get(circuit.port.into()).down != 0) {
            set(1);
        }
    }

    pub(super) fn remove_circuits(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for index in self.circuits.retain(|key| structure.circuits.contains_key(key)) {
            self.resting.add(Freed::Circuit(index));
            outcome.changes += 1;
        }
    }

    pub(super) fn add_vnis(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let table = self.maps.vnis.table();
        for (key, domain) in &structure.domains {
            let (Some(vni), Some(index)) = (domain.vni, self.domains.get(key)) else {
                continue;
            };
            let key = vnis::key(domain.udp_port.to_be(), vni, domain.local.is_ipv6());
            if table.get(key) == Some(index) {
                continue;
            }
            if table.insert(key, index) {
                outcome.changes += 1;
            } else {
                outcome.full("vnis", self.maps.vnis.len() as usize * 4, "");
            }
        }
    }

    pub(super) fn remove_vnis(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let table = self.maps.vnis.table();
        let entry = |(key, d): (&DomainKey, &model::Domain)| {
            let vni = vnis::key(d.udp_port.to_be(), d.vni?, d.local.is_ipv6());
            Some((vni, self.domains.get(key)?))
        };
        let wanted: std::collections::HashSet<(u64, u32)> =
            structure.domains.iter().filter_map(entry).collect();
        for (key, value, _) in table.iter() {
            if !wanted.contains(&(key, value)) {
                tracing::debug!(domain = value, "VNI removed");
                outcome.changes += usize::from(table.remove(key));
            }
        }
    }
}

/// In how many fields two domains differ. A reader takes each by itself: with more than one changed in
/// place, a packet could get the VNI of the old tunnel and the UDP port of the new one, which may be
/// another tenant's.
fn differences(before: (&Domain, &Domain6), after: (&Domain, &Domain6)) -> usize {
    let Domain {
        vni,
        local_be,
        udp_port_be,
        flags,
        ttl,
        tos,
        vlan,
        max_frame,
        refresh_jiffies,
        bridge,
        vxlan_mac_end,
    } = *before.0;
    // The index of the vxlan device serves display only.
    let Domain6 { local, label_be, vxlan: _ } = *before.1;
    let (now, beside) = after;
    [
        vni != now.vni,
        local_be != now.local_be,
        udp_port_be != now.udp_port_be,
        flags != now.flags,
        ttl != now.ttl,
        tos != now.tos,
        vlan != now.vlan,
        max_frame != now.max_frame,
        refresh_jiffies != now.refresh_jiffies,
        bridge != now.bridge,
        vxlan_mac_end != now.vxlan_mac_end,
        local[0] != beside.local[0],
        local[1] != beside.local[1],
        label_be != beside.label_be,
    ]
    .into_iter()
    .map(usize::from)
    .sum()
}

/// As [`differences`]: a frame must not get the tag of one port on its way out of another.
fn circuit_differences(before: &Circuit, now: &Circuit) -> usize {
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

fn domain6_value(domain: &model::Domain) -> Domain6 {
    let vxlan = domain.vxlan;
    match domain.local {
        IpAddr::V4(_) => Domain6 { vxlan, ..Domain6::default() },
        IpAddr::V6(local) => {
            Domain6 { local: halves::of(local), label_be: domain.label.to_be(), vxlan }
        }
    }
}

fn domain_value(key: &DomainKey, domain: &model::Domain, hz: u32) -> Domain {
    let mut flags = domains::FLAG_IN_USE;
    let mut set = |condition, flag| {
        if condition {
            flags |= flag;
        }
    };
    set(domain.ttl_inherit, domains::FLAG_TTL_INHERIT);
    set(domain.tos_inherit, domains::FLAG_TOS_INHERIT);
    set(domain.df == Df::Set, domains::FLAG_DF);
    set(domain.df == Df::Inherit, domains::FLAG_DF_INHERIT);
    set(domain.overlay_learning, domains::FLAG_OVERLAY_LEARNING);
    set(domain.overlay_isolated, domains::FLAG_OVERLAY_ISOLATED);
    set(domain.overlay_locked, domains::FLAG_OVERLAY_LOCKED);
    set(domain.overlay_hairpin, domains::FLAG_OVERLAY_HAIRPIN);
    set(domain.local.is_ipv6(), domains::FLAG_IPV6);
    set(domain.label_inherit, domains::FLAG_LABEL_INHERIT);
    set(domain.zero_checksum_tx, domains::FLAG_ZERO_CHECKSUM_TX);
    set(domain.zero_checksum_rx, domains::FLAG_ZERO_CHECKSUM_RX);
    Domain {
        vni: domain.vni.unwrap_or(0),
        local_be: match domain.local {
            IpAddr::V4(local) => u32::from(local).to_be(),
            IpAddr::V6(_) => 0,
        },
        udp_port_be: domain.udp_port.to_be(),
        flags,
        ttl: domain.ttl,
        tos: domain.tos,
        vlan: key.vlan,
        max_frame: domain.max_frame,
        refresh_jiffies: match domain.ageing_ms {
            0 => 0,
            ms => heartbeat::jiffies(Duration::from_millis(ms / 4), hz),
        },
        bridge: key.bridge,
        vxlan_mac_end: domains::mac_end(fdb::mac_number(domain.vxlan_mac.0)),
    }
}
