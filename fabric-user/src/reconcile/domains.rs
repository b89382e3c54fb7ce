//! Bridge domains.

use std::{net::IpAddr, time::Duration};

use fabric_common::{
    halves,
    schema::{
        domains::{self, Domain},
        domains6::Domain6,
        fdb,
    },
};

use super::{indexes::Indexes, pass::Pass, rest::Freed};
use crate::{
    kernel::{heartbeat, maps::Maps},
    model::{self, DomainKey},
    observe::Df,
};

/// Length of a VLAN tag in bytes.
const TAG: u32 = 4;

/// The map `domains`, and `domains6` beside it.
pub(super) struct Domains {
    indexes: Indexes<DomainKey>,
}

impl Domains {
    /// Reads from the map which index belongs to which domain.
    pub(super) fn recover(maps: &Maps) -> Self {
        let mut indexes = Indexes::new(domains::MAX);
        for (index, d) in maps.domains.iter() {
            if d.flags & domains::FLAG_IN_USE != 0 {
                indexes.adopt(DomainKey { bridge: d.bridge, vlan: d.vlan }, index);
            }
        }
        // Circuits that are taken over may lead to one in between.
        indexes.supersede_gaps();
        Self { indexes }
    }

    pub(super) fn get(&self, key: &DomainKey) -> Option<u32> {
        self.indexes.get(key)
    }

    pub(super) fn write(&mut self, pass: &mut Pass<'_>) {
        let maps = pass.maps;
        let mut ports_be = [0_u16; 4];
        let mut used = 0;
        for (key, domain) in &pass.structure.domains {
            let (value, beside) = (domain_value(key, domain, pass.hz), domain6_value(domain));
            let old = self.indexes.get(key);
            if let Some(old) = old {
                let before = (&maps.domains.get(old), &maps.domains6.get(old));
                if differences(before, (&value, &beside)) > 1 {
                    self.indexes.supersede(key);
                }
            }
            let Some((index, new)) = self.indexes.allocate(key) else {
                pass.full("domains", self.indexes.capacity(), "");
                continue;
            };
            match old.filter(|_| new) {
                Some(old) => maps.domain_traffic.copy(old, index),
                None if new => maps.domain_traffic.reset(index),
                None => {}
            }
            pass.changed(maps.domains6.set(index, &beside));
            pass.changed(maps.domains.set(index, &value));
            let hears = domain.vni.is_some() && !domain.only_sends;
            if hears && !ports_be.contains(&value.udp_port_be) {
                match ports_be.get_mut(used) {
                    Some(free) => *free = value.udp_port_be,
                    None => pass.full("settings.vxlan_ports", 4, ""),
                }
                used += 1;
            }
        }
        pass.changed(maps.settings.update(0, |s| s.vxlan_ports_be = ports_be));
    }

    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) {
        let gone = self.indexes.retain(|key| pass.structure.domains.contains_key(key));
        for index in gone.into_iter().chain(self.indexes.take_superseded()) {
            // So that a successor does not take it for one that is used. A packet from a tunnel that has just
            // found it is left to the kernel.
            let unused = |domain: &mut Domain| domain.flags &= !domains::FLAG_IN_USE;
            pass.changed(pass.maps.domains.update(index, unused));
            pass.rest(Freed::Domain(index));
        }
    }

    /// Empties and frees an index that has rested.
    pub(super) fn give_back(&mut self, maps: &Maps, index: u32) {
        maps.domains6.set(index, &Domain6::default());
        self.indexes.give_back(index);
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
    let Domain6 { local, label_be, max_tagged, vxlan: _, padding: _ } = *before.1;
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
        max_tagged != beside.max_tagged,
    ]
    .into_iter()
    .map(usize::from)
    .sum()
}

fn domain6_value(domain: &model::Domain) -> Domain6 {
    let max_tagged = if domain.inside.is_sent_tagged() { domain.max_frame + TAG } else { 0 };
    let beside = Domain6 { vxlan: domain.vxlan, max_tagged, ..Domain6::default() };
    match domain.local {
        IpAddr::V4(_) => beside,
        IpAddr::V6(local) => {
            Domain6 { local: halves::of(local), label_be: domain.label.to_be(), ..beside }
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
    set(domain.overlay_snoops, domains::FLAG_OVERLAY_SNOOPS);
    set(domain.overlay_isolated, domains::FLAG_OVERLAY_ISOLATED);
    set(domain.overlay_locked, domains::FLAG_OVERLAY_LOCKED);
    set(domain.overlay_hairpin, domains::FLAG_OVERLAY_HAIRPIN);
    set(domain.answers_arp, domains::FLAG_ANSWERS_ARP);
    set(domain.answers_nd, domains::FLAG_ANSWERS_ND);
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
        max_frame: match domain.inside.is_sent_tagged() {
            true => domains::TAG_INSIDE,
            false => domain.max_frame,
        },
        refresh_jiffies: match domain.ageing_ms {
            0 => 0,
            ms => heartbeat::jiffies(Duration::from_millis(ms / 4), hz),
        },
        bridge: key.bridge,
        vxlan_mac_end: domains::mac_end(fdb::mac_number(domain.vxlan_mac.0)),
    }
}
