//! Fabric on the spine: programs loaded and maps written as fabric-xdpd would.

use std::{net::Ipv4Addr, net::Ipv6Addr, time::Instant};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode};
use fabric_common::{
    reason::Reason,
    schema::{
        buckets::{CHUNK, Chunk},
        fdb,
        groups::{Choice, Group},
        hosts, hosts6,
        hosts6::Address6,
        nexthops::Nexthop,
        ports::{self, Port},
        routes::{KIND_GROUP, target},
        views::View,
    },
};
use fabric_user::{
    kernel::{
        blocks::{self, Object},
        heartbeat,
        links::Links,
        maps::Maps,
        pins::Instance,
        programs::{HEARTBEAT, Programs, ROUTED},
        sizes::Sizes,
    },
    reconcile::trie::{Recovery, Table},
};

use crate::{
    ground::Ground,
    routed::{PREFIX, ROUTER_MAC, destination4, destination6},
    spine::{MTU, NEXT_MAC, OUT_MAC, Routes, Spine},
};

const VIEW: u16 = 1;
const GROUP: u32 = 1;
const NEXTHOP: u16 = 1;

/// A running Fabric.
pub struct Router {
    instance: Instance,
    sizes: Sizes,
    programs: Programs,
    links: Links,
    maps: Maps,
    inward: u32,
}

impl Router {
    /// Loads, attaches and fills everything for the `spine` with routes to `destinations`.
    ///
    /// # Errors
    /// If the kernel refuses a program, or a map an entry.
    pub fn start(spine: &Spine, destinations: u32, routes: Routes) -> Result<Self> {
        let instance = Instance::new("bench")?;
        let mut sizes = Sizes::default();
        if routes == Routes::Hosts {
            // The first index stays free.
            sizes.addresses6 = sizes.addresses6.max(destinations + 1).next_power_of_two();
        }
        let mut programs = Programs::load(&instance, &sizes)?;
        let maps = Maps::open(&instance, true)?;
        let mut links = Links::default();
        for (index, name) in [(spine.inward, "in0"), (spine.outward, "out0")] {
            links
                .attach(&instance, index, name, programs.get(ROUTED)?, XdpMode::Driver)
                .with_context(|| format!("cannot attach to {name}"))?;
        }
        let mut router = Self { instance, sizes, programs, links, maps, inward: 0 };
        router.fill(spine, destinations, routes)?;
        router.beat()?;
        Ok(router)
    }

    fn fill(&mut self, spine: &Spine, destinations: u32, routes: Routes) -> Result<()> {
        self.inward = self.add_port(spine.inward, ROUTER_MAC)?;
        let outward = self.add_port(spine.outward, OUT_MAC)?;
        let maps = &self.maps;
        let mut macs = [0; 12];
        macs[..6].copy_from_slice(&NEXT_MAC);
        macs[6..].copy_from_slice(&OUT_MAC);
        let nexthop =
            Nexthop { macs, port: outward as u16, mtu: MTU, family: 4, ..Nexthop::default() };
        maps.nexthops.set(NEXTHOP.into(), &nexthop);
        // Several buckets, so that each packet's flow is hashed.
        let count = 8 * CHUNK;
        for chunk in 1..=8 {
            maps.buckets.set(chunk, &Chunk { nexthops: [NEXTHOP; CHUNK as usize] });
        }
        maps.groups.set(GROUP, &Group::new(Choice::Spread { chunk: 1, count, timed: false }));
        match routes {
            Routes::Hosts => self.add_hosts(destinations)?,
            Routes::Prefixes => self.add_prefixes(destinations)?,
        }
        let mut settings = self.maps.settings.get(0);
        settings.timeout_jiffies =
            60 * heartbeat::measure_frequency(self.programs.get(HEARTBEAT)?, &self.maps)?;
        settings.seed = 0x5eed;
        self.maps.settings.set(0, &settings);
        Ok(())
    }

    fn add_hosts(&self, destinations: u32) -> Result<()> {
        let maps = &self.maps;
        let target = target(KIND_GROUP, GROUP);
        maps.hosts_table().fit(destinations as usize);
        maps.hosts6_table().fit(destinations as usize);
        for destination in 0..destinations {
            let address = u32::from_ne_bytes(destination4(destination));
            let placed = maps.hosts_table().insert(hosts::key(VIEW, address), target);
            let v6 = destination6(destination);
            let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| v6[at + i]));
            let address = [half(0), half(8)];
            let index = destination + 1;
            maps.addresses6.set(index, &Address6 { address, view: VIEW.into(), target });
            let placed6 = maps.hosts6_table().insert(hosts6::key(VIEW, address), index);
            ensure!(placed && placed6, "the tables have no room for destination {destination}");
        }
        Ok(())
    }

    fn add_prefixes(&self, destinations: u32) -> Result<()> {
        let maps = &self.maps;
        let target = target(KIND_GROUP, GROUP);
        let mut tries = Recovery::new(&maps.trie).finish();
        let (mut v4, mut v6) = (Table::<Ipv4Addr>::default(), Table::<Ipv6Addr>::default());
        let all = || (0..destinations).step_by(PREFIX as usize);
        let now = Instant::now();
        let prefixes4 = all().map(|d| (Ipv4Addr::from(destination4(d)), 24, target));
        tries.sync(&maps.trie, &mut v4, prefixes4, now)?;
        let prefixes6 = all().map(|d| (Ipv6Addr::from(destination6(d)), 64, target));
        tries.sync(&maps.trie, &mut v6, prefixes6, now)?;
        maps.views.set(VIEW.into(), &View { root4: v4.root(), root6: v6.root() });
        Ok(())
    }

    fn add_port(&mut self, index: u32, mac: [u8; 6]) -> Result<u32> {
        let is_free = |slot| self.maps.ports.get(slot).ifindex == 0;
        let slot = ports::place(index, self.maps.ports.len() - 1, is_free)
            .context("no free slot for a port")?;
        self.programs.tx_ports.set(slot, index, None, 0)?;
        let port = Port {
            ifindex: index,
            mtu: MTU,
            role: ports::ROLE_ROUTED,
            flags: ports::FLAG_ROUTE4 | ports::FLAG_ROUTE6,
            mac_and_view: ports::mac_and_view(fdb::mac_number(mac), VIEW),
            // There are few ports, and their slots are low.
            row: slot as u16,
            as_port: slot as u16,
            ..Port::default()
        };
        self.maps.ports.set(slot, &port);
        Ok(slot)
    }
}

impl Ground for Router {
    fn beat(&mut self) -> Result<()> {
        Ok(heartbeat::beat(self.programs.get(HEARTBEAT)?)?)
    }

    fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp> {
        Ok(self.programs.get(name)?)
    }

    fn open(&self, object: &[u8]) -> Result<Object> {
        Ok(blocks::open(object, &self.instance, &self.sizes)?)
    }

    fn ended(&self, reason: Reason) -> Result<u64> {
        Ok(self.maps.ended(self.inward, reason))
    }

    fn forget(&mut self) -> Result<()> {
        // No tunnels here.
        Ok(())
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.links.release();
        // The mount is the benchmark's own and goes with the process; this only keeps order.
        let _gone = self.instance.remove();
    }
}
