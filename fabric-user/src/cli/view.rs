//! Names for what the maps hold as indexes.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use fabric_common::schema::{domains::Domain, nexthops::Nexthop};

use super::{clock, contents::Contents, format::address, interfaces::Interfaces, sheet::Cell};

/// The contents of the maps with the interfaces and the time that they refer to.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) contents: Contents,
    pub(super) interfaces: Interfaces,
    /// Kernel time in jiffies, if it is known.
    pub(super) now: Option<u64>,
}

impl View {
    pub(super) fn new(contents: Contents, interfaces: Interfaces) -> Self {
        let now = clock::jiffies(contents.settings.hz);
        Self { contents, interfaces, now }
    }

    /// A port by its slot.
    pub(super) fn port(&self, slot: u32) -> String {
        match self.contents.ports.get(&slot) {
            Some(port) => self.interfaces.name(port.ifindex),
            None => format!("slot {slot}"),
        }
    }

    /// A bridge by the index of its domain.
    pub(super) fn bridge(&self, domain: u32) -> Cell {
        self.contents.domains.get(&domain).map(|d| self.bridge_name(d)).into()
    }

    /// The name of a domain: the bridge, and the VLAN if it is VLAN-aware.
    pub(super) fn bridge_name(&self, domain: &Domain) -> String {
        let bridge = self.interfaces.name(domain.bridge);
        match domain.vlan {
            0 => bridge,
            vlan => format!("{bridge}.{vlan}"),
        }
    }

    /// A VNI by the index of its domain.
    pub(super) fn vni(&self, domain: u32) -> Cell {
        self.contents.domains.get(&domain).map(|d| d.vni).filter(|vni| *vni != 0).into()
    }

    /// The address of a VTEP.
    pub(super) fn vtep(&self, index: u32) -> Option<Ipv4Addr> {
        self.contents.vteps.get(&index).map(|vtep| address(vtep.remote_be))
    }

    /// The ports of a group.
    pub(super) fn group_ports(&self, group: u32) -> BTreeSet<String> {
        let shares = self.contents.groups.get(&group).into_iter().flatten();
        shares
            .filter_map(|(nexthop, _)| self.contents.nexthops.get(nexthop))
            .map(|nexthop| self.port(nexthop.port.into()))
            .collect()
    }

    /// How long the MAC of an FDB entry has not been shown to the kernel.
    pub(super) fn since(&self, shown: u32) -> Option<Duration> {
        clock::since(shown, self.now, self.contents.settings.hz)
    }

    /// Time until the heartbeat's deadline: `Err` with the time since if it has passed, `None` if
    /// there never was a heartbeat or the time is not known.
    pub(super) fn heartbeat(&self) -> Option<Result<Duration, Duration>> {
        let settings = &self.contents.settings;
        let (deadline, now) = (settings.deadline, self.now?);
        (deadline != 0).then_some(())?;
        Some(if deadline >= now {
            Ok(clock::time(deadline - now, settings.hz))
        } else {
            Err(clock::time(now - deadline, settings.hz))
        })
    }
}

/// The address of a next hop.
pub(super) fn gateway(nexthop: &Nexthop) -> IpAddr {
    let [a, b, c, d, ..] = nexthop.gateway;
    match nexthop.family {
        4 => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(nexthop.gateway).into(),
    }
}
