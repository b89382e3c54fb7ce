//! Fabric on the leaf: programs loaded and maps written as fabric-xdpd would.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode, xdp::XdpLink};
use fabric_common::{
    halves,
    reason::Reason,
    schema::{
        buckets::{CHUNK, Chunk},
        circuits::Circuit,
        domains::{self, Domain},
        domains6::Domain6,
        fdb,
        groups::{Choice, Group},
        nexthops::Nexthop,
        ports::{self, Port},
        vnis,
        vteps::{self, Vtep},
    },
    table::{Narrow, buckets_for},
};
use fabric_user::kernel::{
    blocks::{self, Object},
    heartbeat,
    links::Links,
    maps::Maps,
    pins::Instance,
    programs::{ACCESS, HEARTBEAT, Programs, ROUTED},
    sizes::Sizes,
};

use crate::{
    ground::Ground,
    leaf::{
        ACCESS_MTU, Leaf, Plan, SPINE_MAC, Site, TTL, UDP_PORT, UNDERLAY_MAC, UNDERLAY_MTU, VNI,
    },
    tool,
    underlay::Underlay,
};

/// What belongs together: an underlay port, a domain, its ports; with indexes of its own in all maps.
#[derive(Clone, Copy)]
struct Lane {
    number: u32,
    vteps: u32,
    underlay: Underlay,
}

impl Lane {
    const fn domain(self) -> u16 {
        1 + self.number as u16
    }

    const fn nexthop(self) -> u16 {
        1 + self.number as u16
    }

    const fn group(self) -> u32 {
        1 + self.number
    }

    const fn vtep(self, vtep: u32) -> u32 {
        1 + self.number * self.vteps + vtep
    }

    const fn circuit(self, site: Site) -> u16 {
        1 + 2 * self.number as u16 + matches!(site, Site::OtherAccess) as u16
    }
}

/// A running Fabric.
pub struct Fabric {
    instance: Instance,
    sizes: Sizes,
    programs: Programs,
    links: Links,
    /// The maps.
    pub maps: Maps,
    slots: Vec<u32>,
    lanes: u32,
}

impl Fabric {
    /// Loads, attaches and fills everything for the `leaf` with the stations of a plan.
    ///
    /// # Errors
    /// If the kernel refuses a program, or the table an entry.
    pub fn start_for(leaf: &Leaf, plan: &Plan) -> Result<Self> {
        let instance = Instance::new("bench")?;
        let buckets = buckets_for::<Narrow>(plan.destinations + plan.destinations / 16);
        let sizes = Sizes { fdb: buckets.max(fdb::BUCKETS), ..Sizes::default() };
        let programs = Programs::load(&instance, &sizes)?;
        let maps = Maps::open(&instance, true)?;
        let mut fabric = Self {
            instance,
            sizes,
            programs,
            links: Links::default(),
            maps,
            slots: Vec::new(),
            lanes: 0,
        };
        fabric.attach(leaf.access, "access0", ACCESS)?;
        fabric.attach(leaf.other_access, "access1", ACCESS)?;
        fabric.attach(leaf.routed, "underlay0", ROUTED)?;
        let timeout_jiffies =
            60 * heartbeat::measure_frequency(fabric.programs.get(HEARTBEAT)?, &fabric.maps)?;
        fabric.maps.settings.update(0, |settings| {
            settings.timeout_jiffies = timeout_jiffies;
            settings.seed = 0x5eed;
            settings.vxlan_ports_be = [UDP_PORT.to_be(), 0, 0, 0];
        });
        fabric.add_lane(leaf, plan)?;
        fabric.beat()?;
        Ok(fabric)
    }

    /// Attaches a program to an interface.
    ///
    /// # Errors
    /// If the interface takes no program.
    pub fn attach(&mut self, index: u32, name: &str, program: &'static str) -> Result<()> {
        let program = self.programs.get(program)?;
        self.links
            .attach(&self.instance, index, name, program, XdpMode::Driver)
            .map(drop)
            .with_context(|| format!("cannot attach to {name}"))
    }

    /// Takes our program off an interface, and returns when it is off.
    ///
    /// # Errors
    /// If its pin cannot be removed, or the kernel does not let go of it.
    pub fn detach(&mut self, index: u32, name: &str) -> Result<()> {
        self.links.detach(&self.instance, index)?;
        // The kernel frees a link whose pin is gone when it finds the time.
        let deadline = Instant::now() + Duration::from_secs(5);
        while tool::output("ip", &["-o", "link", "show", "dev", name])?.contains("prog/xdp") {
            ensure!(Instant::now() < deadline, "the program does not leave {name}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Runs one of our programs on an interface until the link is dropped.
    ///
    /// # Errors
    /// If the interface takes no program.
    pub fn attach_for_now(&mut self, index: u32, program: &'static str) -> Result<XdpLink> {
        let program = self.programs.get(program)?;
        let link = program.attach_to_if_index(index, XdpMode::Driver)?;
        Ok(program.take_link(link)?)
    }

    /// Adds ports and a bridge domain of their own, with the stations of a plan. The leaf's ports
    /// must have our programs.
    ///
    /// # Errors
    /// If a table has no room.
    pub fn add_lane(&mut self, leaf: &Leaf, plan: &Plan) -> Result<()> {
        let Plan { vteps, underlay, .. } = *plan;
        let lane = Lane { number: self.lanes, vteps, underlay };
        self.lanes += 1;
        self.add_underlay(leaf, lane)?;
        self.add_domain(leaf, lane)?;
        self.add_access(leaf.access, lane, Site::Access)?;
        self.add_access(leaf.other_access, lane, Site::OtherAccess)?;
        self.add_stations(plan, lane)
    }

    fn add_underlay(&mut self, leaf: &Leaf, lane: Lane) -> Result<()> {
        let routed = self.add_port(
            leaf.routed,
            Port {
                ifindex: leaf.routed,
                mtu: UNDERLAY_MTU,
                role: ports::ROLE_UNDERLAY,
                decapsulates: ports::DECAPSULATES_ALL,
                mac_and_view: ports::mac_and_view(fdb::mac_number(UNDERLAY_MAC), 0),
                ..Port::default()
            },
        )?;
        let maps = &self.maps;
        let mut macs = [0; 12];
        macs[..6].copy_from_slice(&SPINE_MAC);
        macs[6..].copy_from_slice(&UNDERLAY_MAC);
        let nexthop = lane.nexthop();
        maps.nexthops.set(
            nexthop.into(),
            &Nexthop {
                macs,
                port: routed as u16,
                mtu: UNDERLAY_MTU,
                family: if lane.underlay.is_ipv6() { 6 } else { 4 },
                ..Nexthop::default()
            },
        );
        // Several buckets, as a leaf with several spines has them.
        const CHUNKS: u32 = 8;
        let chunk = 1 + lane.number * CHUNKS;
        for chunk in chunk..chunk + CHUNKS {
            maps.buckets.set(chunk, &Chunk { nexthops: [nexthop; CHUNK as usize] });
        }
        let choice = Choice::Spread { chunk, count: CHUNKS * CHUNK, timed: false };
        maps.groups.set(lane.group(), &Group::new(choice));
        for number in 0..lane.vteps {
            let (local, remote) = (lane.underlay.local(), lane.underlay.vtep(number));
            let vtep = Vtep::between(local, remote, lane.group());
            let vtep = vtep.context("a tunnel's ends are of two families")?;
            maps.vteps.set(lane.vtep(number), &vtep);
            ensure!(
                maps.peers.table().insert(vtep.peer(), lane.vtep(number)),
                "the table of peers has no room for VTEP {number} of {}",
                lane.vteps
            );
        }
        Ok(())
    }

    fn add_domain(&self, leaf: &Leaf, lane: Lane) -> Result<()> {
        let domain = lane.domain();
        let mut beside = Domain6 { vxlan: leaf.vxlan, ..Domain6::default() };
        let (local_be, flags) = match lane.underlay.local() {
            IpAddr::V4(local) => (local.to_bits().to_be(), 0),
            IpAddr::V6(local) => {
                beside.local = halves::of(local);
                let zero = match lane.underlay.has_checksum() {
                    true => 0,
                    false => domains::FLAG_ZERO_CHECKSUM_TX | domains::FLAG_ZERO_CHECKSUM_RX,
                };
                (0, domains::FLAG_IPV6 | zero)
            }
        };
        self.maps.domains6.set(domain.into(), &beside);
        self.maps.domains.set(
            domain.into(),
            &Domain {
                vni: VNI + lane.number,
                local_be,
                udp_port_be: UDP_PORT.to_be(),
                flags: domains::FLAG_IN_USE | flags,
                ttl: TTL,
                max_frame: ACCESS_MTU + 14,
                // Half of what jiffies can count: no frame is sampled for the kernel while time
                // runs.
                refresh_jiffies: u32::MAX / 2,
                bridge: leaf.bridge,
                ..Domain::default()
            },
        );
        let key = vnis::key(UDP_PORT.to_be(), VNI + lane.number, lane.underlay.is_ipv6());
        let inserted = self.maps.vnis.table().insert(key, domain.into());
        ensure!(inserted, "the table of VNIs has no room");
        Ok(())
    }

    fn add_stations(&self, plan: &Plan, lane: Lane) -> Result<()> {
        let held = self.maps.fdb_table().iter().count();
        self.maps.fdb_table().fit(held + plan.stations().count());
        let settings = self.maps.settings.get(0);
        let now = (settings.deadline - u64::from(settings.timeout_jiffies)) as u32;
        for (mac, site, vtep) in plan.stations() {
            let target = match site {
                Site::Remote => fdb::target(fdb::KIND_REMOTE, lane.vtep(vtep)),
                local => fdb::target(fdb::KIND_LOCAL, lane.circuit(local).into()),
            };
            let key = fdb::key(lane.domain(), fdb::mac_number(mac));
            ensure!(
                self.maps.fdb_table().insert(key, target),
                "the FDB has no room for all of {} stations",
                plan.destinations
            );
            // Else the first frame of each would be the kernel's.
            self.maps.fdb_table().table().show(key, now);
        }
        Ok(())
    }

    /// Makes a port of the bridge a member of the domain.
    fn add_access(&mut self, index: u32, lane: Lane, site: Site) -> Result<()> {
        let circuit = lane.circuit(site);
        let slot = self.add_port(
            index,
            Port {
                ifindex: index,
                mtu: ACCESS_MTU,
                untagged_circuit: circuit,
                untagged_domain: lane.domain(),
                role: ports::ROLE_ACCESS,
                ..Port::default()
            },
        )?;
        self.maps.circuits.set(
            circuit.into(),
            &Circuit {
                port: slot as u16,
                domain: lane.domain(),
                max_frame: ACCESS_MTU + 14,
                bridge_port: index,
                ..Circuit::default()
            },
        );
        Ok(())
    }

    fn add_port(&mut self, index: u32, port: Port) -> Result<u32> {
        let is_free = |slot| self.maps.ports.get(slot).ifindex == 0;
        let slot = ports::place(index, self.maps.ports.len() - 1, is_free)
            .context("no free slot for a port")?;
        self.programs.tx_ports.set(slot, index, None, 0)?;
        // There are few ports, and their slots are low.
        self.maps.ports.set(slot, &Port { row: slot as u16, as_port: slot as u16, ..port });
        self.slots.push(slot);
        Ok(slot)
    }

    /// The daemon's sign of life; lasts for a minute.
    ///
    /// # Errors
    /// If the heartbeat program cannot run.
    pub fn beat(&mut self) -> Result<()> {
        Ok(heartbeat::beat(self.programs.get(HEARTBEAT)?)?)
    }

    /// Frames that ended with `reason` so far, on any port.
    #[must_use]
    pub fn counted(&self, reason: Reason) -> u64 {
        self.maps.ended_anywhere(reason)
    }

    /// Says where a MAC address of the first domain is, or that it is unknown.
    ///
    /// # Errors
    /// If the table has no room.
    pub fn set_mac(&self, mac: [u8; 6], target: Option<u32>) -> Result<()> {
        let table = self.maps.fdb_table();
        let key = fdb::key(1, fdb::mac_number(mac));
        match target {
            Some(target) => {
                ensure!(self.maps.fdb_table().insert(key, target), "the FDB has no room")
            }
            None => {
                table.remove(key);
            }
        }
        Ok(())
    }
}

impl Ground for Fabric {
    fn beat(&mut self) -> Result<()> {
        Self::beat(self)
    }

    fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp> {
        Ok(self.programs.get(name)?)
    }

    fn open(&self, object: &[u8]) -> Result<Object> {
        Ok(blocks::open(object, &self.instance, &self.sizes)?)
    }

    fn ended(&self, reason: Reason) -> Result<u64> {
        Ok(self.counted(reason))
    }

    fn forget(&mut self) -> Result<()> {
        let Maps { vteps, vtep_traffic, .. } = &self.maps;
        (1..vteps::MAX)
            .take_while(|vtep| vteps.get(*vtep).group != 0)
            .for_each(|vtep| vtep_traffic.reset(vtep));
        Ok(())
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        self.links.release();
        // The mount is the benchmark's own and goes with the process; this only keeps order.
        let _gone = self.instance.remove();
    }
}
