//! MAC addresses behind VTEPs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use fabric_common::{reason::Reason, schema::fdb};
use fabric_user::kernel::maps::Maps;
use serde_json::Value;

use super::{Load, Words, forwarded};
use crate::{
    daemon::Room,
    flow::{OUTER, SOURCES, destination_mac, source_mac},
    leaf::{Leaf, vtep_address},
    neighbours::{Neighbours, Place},
    netlink::Requests,
    race::{Contender, End, Race, Way},
    report::Bar,
};

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Name of the entry.
    pub name: &'static str,
    /// MAC addresses.
    pub macs: u32,
    /// VTEPs that they are behind.
    pub vteps: u32,
    /// VNIs that they are in.
    pub vnis: u32,
}

/// A leaf whose stations move from VTEP to VTEP.
pub struct Macs {
    size: Size,
    leaf: Leaf,
    /// Index of each VNI's vxlan device.
    tunnels: Vec<u32>,
    neighbours: Neighbours,
    /// Behind which VTEP each MAC address is now.
    behind: Vec<u32>,
}

/// How the maps name domains and VTEPs.
pub struct Names {
    domains: Vec<u16>,
    /// A VTEP that nothing is behind is not in the maps.
    vteps: Vec<Option<u32>>,
}

impl Macs {
    /// Builds the leaf in the present network namespace.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn build(size: Size) -> Result<Self> {
        println!("{}: building a leaf with {} VNIs", size.name, size.vnis);
        let leaf = Leaf::build_empty()?;
        let tunnels = leaf.tunnels(size.vnis)?;
        let behind = (0..size.macs).map(|number| number % size.vteps).collect();
        Ok(Self { size, leaf, tunnels, neighbours: Neighbours::open()?, behind })
    }

    fn place(&self, number: u32) -> Place {
        let vxlan = self.tunnels[number as usize % self.tunnels.len()];
        Place::Vtep { vxlan, address: vtep_address(self.behind[number as usize]).into() }
    }

    fn key(&self, names: &Names, number: u32) -> u64 {
        let domain = names.domains[number as usize % self.tunnels.len()];
        fdb::key(domain, fdb::mac_number(destination_mac(number)))
    }

    fn target(&self, names: &Names, number: u32) -> Option<u32> {
        let vtep = names.vteps[self.behind[number as usize] as usize]?;
        Some(fdb::target(fdb::KIND_REMOTE, vtep))
    }
}

impl Load for Macs {
    type Names = Names;
    const WORDS: Words =
        Words { object: "MAC", objects: "MACs", change: "one move", changes: "moves" };

    fn name(&self) -> &'static str {
        self.size.name
    }

    fn count(&self) -> u32 {
        self.size.macs
    }

    fn room(&self) -> Room {
        Room { macs: self.size.macs, ..Room::default() }
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        let Size { macs, vteps, vnis, .. } = self.size;
        vec![("macs", macs.into()), ("vteps", vteps.into()), ("vnis", vnis.into())]
    }

    fn bars(&self) -> Vec<Bar> {
        let first = match self.size.macs {
            0..=100_000 => Bar::at_most("kernel dump to forwarding, ms", 1_000.0),
            _ => Bar::at_most("memory of its own, MB", 400.0),
        };
        vec![
            first,
            Bar::at_least("moves, MACs/s", 100_000.0),
            Bar::at_least("withdrawals and advertisements, MACs/s", 100_000.0),
            Bar::at_most("one move, request to map, median, us", 1_000.0),
            Bar::at_most("one move, request to map, p99, us", 5_000.0),
        ]
    }

    fn teach(&mut self) -> Result<()> {
        for source in 0..SOURCES {
            self.neighbours.replace(source_mac(source), Place::Port(self.leaf.access))?;
        }
        for number in 0..self.size.macs {
            let place = self.place(number);
            self.neighbours.replace(destination_mac(number), place)?;
        }
        self.neighbours.requests.flush()
    }

    fn change(&mut self, number: u32) -> Result<()> {
        let behind = &mut self.behind[number as usize];
        *behind = (*behind + 1) % self.size.vteps;
        let place = self.place(number);
        self.neighbours.replace(destination_mac(number), place)
    }

    fn withdraw(&mut self, number: u32) -> Result<()> {
        let place = self.place(number);
        self.neighbours.remove(destination_mac(number), place)
    }

    fn requests(&mut self) -> &mut Requests {
        &mut self.neighbours.requests
    }

    fn held(&mut self) -> Result<usize> {
        Neighbours::count()
    }

    fn names(&self, maps: &Maps) -> Result<Names> {
        let by_tunnel: BTreeMap<u32, u16> = maps
            .domains6
            .iter()
            .filter(|(_, d)| d.vxlan != 0)
            .map(|(i, d)| (d.vxlan, i as u16))
            .collect();
        let by_address: BTreeMap<u32, u32> = maps
            .vteps
            .iter()
            .filter(|(_, v)| v.remote_be != 0)
            .map(|(i, v)| (v.remote_be, i))
            .collect();
        let domains = self.tunnels.iter().map(|tunnel| by_tunnel.get(tunnel).copied());
        let be = |vtep| u32::from_ne_bytes(vtep_address(vtep).octets());
        let vteps = (0..self.size.vteps).map(|vtep| by_address.get(&be(vtep)).copied());
        Ok(Names {
            domains: domains.collect::<Option<_>>().context("a VNI is not in the maps")?,
            vteps: vteps.collect(),
        })
    }

    fn is_in(&self, maps: &Maps, names: &Names, number: u32) -> bool {
        let found = maps.fdb_table().get(self.key(names, number));
        found.is_some() && found == self.target(names, number)
    }

    fn is_out(&self, maps: &Maps, names: &Names, number: u32) -> bool {
        maps.fdb_table().get(self.key(names, number)).is_none()
    }

    fn check(&self, maps: &Maps, when: &str) -> Result<()> {
        let names = self.names(maps)?;
        for number in 0..self.size.macs {
            let found = maps.fdb_table().get(self.key(&names, number));
            let wanted = self.target(&names, number);
            ensure!(
                found.is_some() && found == wanted,
                "{when} the maps have MAC {number} at {found:x?} instead of {wanted:x?}"
            );
        }
        let remote = |target| fdb::split_target(target).0 == fdb::KIND_REMOTE;
        let held = maps.fdb_table().iter().filter(|(_, target, _)| remote(*target)).count();
        ensure!(
            held == self.size.macs as usize,
            "{when} the maps hold {held} remote MACs instead of {}",
            self.size.macs
        );
        Ok(())
    }

    /// Frames from the host's end of the access port reach the spine in tunnels, by XDP.
    fn check_forwarding(&self, maps: &Maps) -> Result<()> {
        // The generator's stations are all in the first VNI, which has the ports.
        if self.size.vnis > 1 {
            return Ok(());
        }
        let Leaf { host, routed, sink, .. } = self.leaf;
        let way = Way { ingress: routed, egress: host, sink, end: End::Driver };
        let mut race = Race::along(way)?;
        let destinations = (self.size.macs + 1).next_power_of_two() / 2;
        let frames = 4 * destinations;
        let program = race.baseline("redirect")?;
        let contender =
            Contender { name: "fabric-xdpd".into(), program, frames, grows: Some(OUTER as i64) };
        // Each source has to be shown to the kernel first.
        let count = forwarded(&mut race, &contender, destinations, maps, Reason::Encapsulated)?;
        ensure!(
            count + u64::from(2 * SOURCES) >= u64::from(frames),
            "Fabric encapsulated {count} of {frames} frames"
        );
        Ok(())
    }
}
