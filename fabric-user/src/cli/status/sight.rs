//! What metrics are made of: the rows of `fabricctl status` and `counters`, as plain values under the labels that
//! metrics have. So both say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use fabric_common::{
    reason::Reason,
    schema::{
        counters::{Counter, Traffic},
        ports::{ROLE_GATEWAY, is_routed, is_tunnel},
    },
};

use super::{
    bridges,
    ports::{self, Known},
    vrfs,
};
use crate::{
    cli::{
        contents::Contents,
        counters::Sums,
        interfaces::Interfaces,
        maps::list::{FILLED, fill},
        view::View,
    },
    daemon::state::State,
    kernel::{
        clock,
        counters::Count as _,
        maps::Maps,
        programs::{ACCESS, ROUTED},
    },
};

/// What packets of ports without counters of their own count as: there is room for some thousand ports.
pub(crate) const OTHERS: &str = "others";

/// Everything that maps and interfaces say at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sight {
    /// Ports that are accelerated, or could be, by name.
    pub(crate) ports: BTreeMap<String, Port>,
    /// Received packets by port and reason; without what is zero.
    pub(crate) received: BTreeMap<(String, Reason), Counter>,
    /// Sent packets by port.
    pub(crate) sent: BTreeMap<String, Counter>,
    pub(crate) vnis: BTreeMap<u32, Vni>,
    /// By the VTEP's address.
    pub(crate) vteps: BTreeMap<IpAddr, Traffic>,
    /// VRFs by name with their L3VNIs.
    pub(crate) vrfs: BTreeMap<String, BTreeSet<u32>>,
    pub(crate) nexthops: Living,
    pub(crate) groups: Living,
    /// Entries in use and room for them, by map.
    pub(crate) maps: Vec<(&'static str, u64, u64)>,
    /// Seconds until the heartbeat expires, negative since; nothing before the first.
    pub(crate) heartbeat: Option<f64>,
    /// Seconds without a heartbeat after which the kernel forwards.
    pub(crate) timeout: f64,
    pub(crate) is_bypassed: bool,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Port {
    /// `access`, `routed`, `underlay`, `gateway`, or `none`.
    pub(crate) role: &'static str,
    /// How XDP is attached, or `none`.
    pub(crate) mode: &'static str,
    pub(crate) is_up: bool,
    /// Frames that arrive and frames that leave are forwarded.
    pub(crate) is_accelerated: bool,
    /// It should be, and nobody has chosen otherwise.
    pub(crate) is_at_fault: bool,
    /// Why not all frames are forwarded.
    pub(crate) refusal: Option<String>,
}

/// A VNI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vni {
    /// Its bridge, with the VLAN if that is VLAN-aware.
    pub(crate) bridge: String,
    /// The VRF in which its hosts are routed; empty for the default one or none.
    pub(crate) vrf: String,
    /// It has a gateway without an address: what a VRF exchanges with other leafs goes through it.
    pub(crate) is_l3: bool,
    pub(crate) traffic: Traffic,
    pub(crate) local_macs: usize,
    pub(crate) remote_macs: usize,
    /// VTEPs with MAC addresses in it.
    pub(crate) vteps: usize,
}

/// How many can be used at this moment, and how many cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Living {
    pub(crate) live: usize,
    pub(crate) dead: usize,
}

impl Living {
    fn of(all: impl Iterator<Item = bool>) -> Self {
        let mut living = Self::default();
        for lives in all {
            *if lives { &mut living.live } else { &mut living.dead } += 1;
        }
        living
    }
}

impl Sight {
    /// Reads the maps, whose interfaces are `interfaces`. The daemon may write meanwhile.
    ///
    /// # Errors
    /// If the counters cannot be read.
    pub(crate) fn read(
        maps: &Maps,
        interfaces: Interfaces,
        state: Option<&State>,
    ) -> anyhow::Result<Self> {
        let view = View::new(Contents::read(maps), interfaces);
        let sums = Sums::read(maps, &view.contents)?;
        let settings = &view.contents.settings;
        let mut sight =
            Self {
                ports: ports_of(&view, state),
                vnis: vnis(&view, &sums.domains),
                nexthops: Living::of(
                    view.contents.nexthops.values().map(|hop| view.death(hop).is_empty()),
                ),
                groups: Living::of(view.contents.groups.keys().map(|group| {
                    view.group_members(*group).iter().any(|(_, death)| death.is_empty())
                })),
                maps: FILLED.map(|map| fill(map, maps, &view)).into(),
                heartbeat: view.heartbeat_ms().map(|left| left as f64 / 1e3),
                timeout: seconds(clock::time(settings.timeout_jiffies.into(), settings.hz)),
                is_bypassed: settings.bypass != 0,
                ..Self::default()
            };
        for row in vrfs::rows(&view, &[]) {
            let name = row.vrf.value.unwrap_or_else(|| "default".into());
            for vni in &row.l3vnis {
                sight.vnis.entry(*vni).or_default().is_l3 = true;
            }
            sight.vrfs.entry(name).or_default().extend(row.l3vnis);
        }
        sight.count(&view, &sums);
        Ok(sight)
    }

    /// What ports and VTEPs have counted.
    fn count(&mut self, view: &View, sums: &Sums) {
        let mut devices: BTreeMap<u16, String> = BTreeMap::new();
        for (slot, port) in view.contents.ports.iter().filter(|(_, port)| !is_tunnel(port.ifindex))
        {
            let device = view.port(*slot);
            if let Some(sent) = sums.sent.get(slot) {
                let sum = self.sent.entry(device.clone()).or_default();
                *sum = sum.plus(*sent);
            }
            if port.role != ROLE_GATEWAY && port.row != 0 {
                devices.insert(port.row, device);
            }
        }
        for ((row, reason), counter) in &sums.reasons {
            let device = devices.get(row).map_or_else(|| OTHERS.to_owned(), Clone::clone);
            let sum = self.received.entry((device, *reason)).or_default();
            *sum = sum.plus(*counter);
        }
        for (index, traffic) in &sums.vteps {
            if let Some(vtep) = view.vtep(*index) {
                let sum = self.vteps.entry(vtep).or_default();
                *sum = sum.plus(*traffic);
            }
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn ports_of(view: &View, state: Option<&State>) -> BTreeMap<String, Port> {
    let ports = || view.contents.ports.iter().filter(|(_, port)| !is_tunnel(port.ifindex));
    // Which programs are whose only CAP_SYS_ADMIN may ask, which the daemon does not have. It looks at its links
    // and redirect targets in every audit, and says what is not as it should be.
    let programs = ports().filter_map(|(_, port)| {
        let program = view.interfaces.get(port.ifindex)?.xdp?.program;
        let name = if is_routed(port.role) { ROUTED } else { ACCESS };
        Some((program, name.to_owned()))
    });
    let programs = programs.collect();
    let targets = ports().map(|(slot, port)| (*slot, port.ifindex)).collect();
    let known = Known { programs: &programs, targets: &targets, state, idle: view.idle() };
    let (rows, faults) = ports::rows(view, known);
    let name = |fault: &String| Some(fault.strip_prefix("port ")?.split_once(": ")?.0.to_owned());
    let faulty: BTreeSet<String> = faults.iter().filter_map(name).collect();
    let port = |row: ports::PortRow| {
        let port = Port {
            role: row.role.unwrap_or("none"),
            mode: row.mode.unwrap_or("none"),
            is_up: row.link == Some(ports::UP),
            is_accelerated: row.accelerated.value,
            is_at_fault: faulty.contains(&row.port),
            refusal: row.why_not,
        };
        (row.port, port)
    };
    rows.into_iter().map(port).collect()
}

fn vnis(view: &View, traffic: &BTreeMap<u32, Traffic>) -> BTreeMap<u32, Vni> {
    let gateways = view.gateways();
    let vrfs: BTreeMap<u32, String> = gateways
        .filter_map(|(slot, port)| Some((port.untagged_domain.into(), view.vrf(slot)?)))
        .collect();
    let mut vnis: BTreeMap<u32, Vni> = BTreeMap::new();
    for (index, domain) in view.contents.domains.iter().filter(|(_, domain)| domain.vni != 0) {
        let vni = vnis.entry(domain.vni).or_default();
        if vni.bridge.is_empty() {
            vni.bridge = view.bridge_name(*index, domain);
        }
        if vni.vrf.is_empty() {
            vni.vrf = vrfs.get(index).cloned().unwrap_or_default();
        }
        vni.traffic = vni.traffic.plus(traffic.get(index).copied().unwrap_or_default());
    }
    for row in bridges::rows(view) {
        let Some(vni) = row.vni.and_then(|vni| vnis.get_mut(&vni)) else { continue };
        vni.local_macs += row.local_macs;
        vni.remote_macs += row.remote_macs;
        vni.vteps += row.vteps;
    }
    vnis
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::counters::reason_index;

    use super::*;
    use crate::cli::golden;

    fn sight() -> (Maps, View, Sight) {
        let (maps, view) = golden::maps();
        let sight = Sight::read(&maps, view.interfaces.clone(), None).unwrap();
        (maps, view, sight)
    }

    #[test]
    fn a_vni_has_the_numbers_of_its_bridge_and_the_name_of_its_vrf() {
        let (_, _, sight) = sight();
        let vni = &sight.vnis[&10_200];
        assert_eq!((vni.bridge.as_str(), vni.vrf.as_str(), vni.is_l3), ("br200", "red", false));
        assert_eq!((vni.local_macs, vni.remote_macs, vni.vteps), (2, 2, 2));
        assert!(sight.vnis[&104_007].is_l3);
        assert_eq!(sight.vrfs["red"], [104_007].into());
    }

    #[test]
    fn packets_are_counted_by_the_name_of_their_port_and_those_of_ports_without_counters_together()
    {
        let (maps, view, _) = sight();
        let row = |slot: u32| u32::from(view.contents.ports[&slot].row);
        maps.ports.update(4, |port| port.row = 0);
        maps.reasons.count(reason_index(row(3), Reason::Bridged as u8), |c| c.packets = 7);
        maps.reasons.count(reason_index(0, Reason::Bridged as u8), |c| c.packets = 2);
        maps.port_tx.count(3, |c| (c.packets, c.bytes) = (5, 500));
        let sight = Sight::read(&maps, view.interfaces.clone(), None).unwrap();
        let packets = |device: &str| sight.received[&(device.to_owned(), Reason::Bridged)].packets;
        assert_eq!((packets("h1"), packets(OTHERS)), (7, 2));
        assert_eq!(sight.sent["h1"], Counter { packets: 5, bytes: 500 });
    }

    #[test]
    fn next_hops_are_told_apart_by_whether_they_live() {
        let (maps, view, before) = sight();
        assert_eq!(before.nexthops.dead, 0);
        maps.ports.update(1, |port| port.down = 1);
        let after = Sight::read(&maps, view.interfaces.clone(), None).unwrap();
        assert_eq!(after.nexthops.dead, 1);
        assert_eq!(after.nexthops.live + 1, before.nexthops.live);
    }

    #[test]
    fn every_map_that_can_be_full_is_there_with_its_room() {
        let (_, view, sight) = sight();
        for (map, used, room) in &sight.maps {
            assert!(used <= room && *room > 0, "{map}: {used} of {room}");
        }
        let fdb = sight.maps.iter().find(|(map, ..)| *map == "fdb").unwrap();
        assert_eq!(fdb.1, view.contents.fdb.len() as u64);
    }
}
