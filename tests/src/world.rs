//! Ports, maps and programs of one instance, filled by the test.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context as _, Result};
use aya::programs::xdp::XdpMode;
use fabric_common::{
    bucket::{self, Member},
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
        ports::{self, Port as PortEntry},
        routes,
        settings::Settings,
        vnis,
        vteps::Vtep,
    },
};
use fabric_user::kernel::{
    heartbeat,
    maps::Maps,
    programs::{ACCESS, HEARTBEAT, Programs, ROUTED},
    sizes::Sizes,
};

use crate::{
    addresses::{Mac, Station},
    counters::{Counters, Scope},
    device,
    expect::Outcome,
    model::forecast,
    routing::Routing,
    run::{self, Run},
    unpinned,
};

/// An address of the tests in the byte order of the maps.
#[must_use]
pub const fn be(address: [u8; 4]) -> u32 {
    u32::from_ne_bytes(address)
}

/// A port: a veth device whose other end, named with a `p` behind, is the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Device name.
    pub name: String,
    /// Slot in the maps; 0 if they do not know the port.
    pub slot: u32,
    /// Interface index.
    pub ifindex: u32,
    /// A `ROLE_` constant: which program runs on it.
    pub role: u8,
    /// MAC address.
    pub mac: Mac,
}

/// Index of a bridge domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainId(pub u16);
/// Index of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitId(pub u16);
/// Index of an underlay nexthop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NexthopId(pub u16);
/// Index of a VTEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VtepId(pub u32);

/// The seed of the flow hash in the tests.
pub const SEED: u32 = 0x5eed_f00d;
/// Buckets of the FDB, all of which are in use.
const FDB_BUCKETS: u32 = 1024;
/// Not the defaults, so that the sizes that the loader sets are tested as well.
const SIZES: Sizes = Sizes {
    fdb: FDB_BUCKETS,
    hosts: 256,
    hosts6: 512,
    addresses6: 1_024,
    trie: fabric_common::schema::trie::WORDS,
    ports: 128,
    vlans: 32,
};
/// Groups of routes start here; those of VTEPs have the VTEP's index.
const FIRST_GROUP: u32 = 1_000;
/// Longer than any test.
const TIMEOUT_JIFFIES: u32 = 100_000_000;
/// MTU of the ports: VXLAN packets with full frames fit.
pub const PORT_MTU: u32 = 1600;

/// An instance in this thread's namespace.
pub struct World {
    programs: Programs,
    /// The maps, to look into or to break.
    pub maps: Maps,
    /// The kernel's timer frequency.
    pub hz: u32,
    scope: Scope,
    circuits: u16,
    nexthops: u16,
    chunks: u32,
    groups: u32,
    routing: Routing,
}

impl World {
    /// Loads the programs. Their pins are removed at once: not even a killed test leaves any.
    ///
    /// # Errors
    /// If the kernel refuses anything.
    pub fn new() -> Result<Self> {
        let (mut programs, maps) = unpinned::open(|instance| {
            Ok((Programs::load(instance, &SIZES)?, Maps::open(instance, true)?))
        })?;
        let settings = Settings {
            timeout_jiffies: TIMEOUT_JIFFIES,
            seed: SEED,
            vxlan_ports_be: [crate::addresses::VXLAN_PORT.to_be(), 8472_u16.to_be(), 0, 0],
            fdb_mask: FDB_BUCKETS - 1,
            ..Settings::default()
        };
        maps.settings.set(0, &settings);
        let hz = heartbeat::measure_frequency(programs.get(HEARTBEAT)?, &maps)?;
        maps.settings.set(0, &Settings { hz, ..maps.settings.get(0) });
        heartbeat::beat(programs.get(HEARTBEAT)?)?;
        Ok(Self {
            programs,
            maps,
            hz,
            scope: Scope::default(),
            circuits: 0,
            nexthops: 0,
            chunks: 1,
            groups: FIRST_GROUP,
            routing: Routing::default(),
        })
    }

    /// Makes a port, runs the program of its role on it and enters it in the maps.
    ///
    /// # Errors
    /// If the kernel refuses anything.
    pub fn port(&mut self, name: &str, role: u8, mac: Mac) -> Result<Port> {
        device::veth(name, mac, PORT_MTU, None)?;
        let port = self.adopt(name, role, mac)?;
        self.enter(&port, PORT_MTU)
    }

    /// Enters a port in the maps, its device in the device map included.
    ///
    /// # Errors
    /// If no slot is free.
    pub fn enter(&mut self, port: &Port, mtu: u32) -> Result<Port> {
        let free = |slot| self.maps.ports.get(slot).ifindex == 0;
        let slot = ports::place(port.ifindex, self.maps.ports.len() - 1, free)
            .context("no slot is free for the port")?;
        let entry = PortEntry {
            ifindex: port.ifindex,
            mtu,
            role: port.role,
            as_port: slot as u16,
            decapsulates: match port.role {
                ports::ROLE_UNDERLAY => ports::DECAPSULATES_ALL,
                _ => ports::DECAPSULATES_NONE,
            },
            mac_and_view: ports::mac_and_view(fdb::mac_number(port.mac), 0),
            // Rows and tables in the order of the ports, which are few.
            row: self.scope.slots.len() as u16 + 1,
            vlans: self.scope.slots.len() as u16 + 1,
            ..PortEntry::default()
        };
        self.maps.ports.set(slot, &entry);
        self.programs.tx_ports.set(slot, port.ifindex, None, 0)?;
        self.scope.slots.push(slot);
        Ok(Port { slot, ..port.clone() })
    }

    /// Runs the program of `role` on a device that is there, without entering it in the maps.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn adopt(&mut self, name: &str, role: u8, mac: Mac) -> Result<Port> {
        let ifindex = device::index(name)?;
        let program = self.programs.get(program_of(role))?;
        program
            .attach_to_if_index(ifindex, XdpMode::Driver)
            .with_context(|| format!("cannot attach to {name}"))?;
        Ok(Port { name: name.into(), slot: 0, ifindex, role, mac })
    }

    /// Adds a bridge domain.
    pub fn domain(&mut self, domain: Domain) -> DomainId {
        self.scope.domains += 1;
        let index = self.scope.domains;
        let flags = domain.flags | domains::FLAG_IN_USE;
        self.maps.domains.set(index, &Domain { flags, ..domain });
        if domain.vni != 0 {
            let ipv6 = domain.flags & domains::FLAG_IPV6 != 0;
            let key = vnis::key(domain.udp_port_be, domain.vni, ipv6);
            assert!(self.maps.vnis.table().insert(key, index), "the table of VNIs is full");
        }
        DomainId(index as u16)
    }

    /// Adds a bridge domain over IPv6; with the flow label 0 flows choose theirs.
    pub fn domain6(&mut self, domain: Domain, local: [u8; 16], label: u32) -> DomainId {
        let flags = domain.flags | domains::FLAG_IPV6;
        let id = self.domain(Domain { local_be: 0, flags, ..domain });
        let local = halves::of(local.into());
        let entry = Domain6 { local, label_be: label.to_be(), ..Domain6::default() };
        self.maps.domains6.set(id.0.into(), &entry);
        id
    }

    /// Changes a bridge domain.
    pub fn change_domain(&mut self, domain: DomainId, change: impl FnOnce(&mut Domain)) {
        let mut entry = self.maps.domains.get(domain.0.into());
        change(&mut entry);
        self.maps.domains.set(domain.0.into(), &entry);
    }

    /// Makes a port member of a domain, untagged (0) or with a VLAN tag.
    pub fn circuit(&mut self, port: &Port, domain: DomainId, vlan: u16) -> CircuitId {
        self.circuits += 1;
        let index = self.circuits;
        let circuit = Circuit {
            port: port.slot as u16,
            domain: domain.0,
            vlan,
            flags: 0,
            max_frame: 1514,
            bridge_port: port.ifindex,
        };
        self.maps.circuits.set(index.into(), &circuit);
        if vlan == 0 {
            let mut entry = self.maps.ports.get(port.slot);
            (entry.untagged_circuit, entry.untagged_domain) = (index, domain.0);
            self.maps.ports.set(port.slot, &entry);
        } else {
            let table = self.maps.ports.get(port.slot).vlans.into();
            let mut vlans = self.maps.vlans.get(table);
            vlans.circuits[usize::from(vlan)] = index;
            self.maps.vlans.set(table, &vlans);
        }
        CircuitId(index)
    }

    /// Takes frames with a tag for a circuit that sends them untagged.
    pub fn also_tagged(&mut self, port: &Port, circuit: CircuitId, vlan: u16) {
        let table = self.maps.ports.get(port.slot).vlans.into();
        let mut vlans = self.maps.vlans.get(table);
        vlans.circuits[usize::from(vlan)] = circuit.0;
        self.maps.vlans.set(table, &vlans);
    }

    /// Changes a circuit.
    pub fn change_circuit(&mut self, circuit: CircuitId, change: impl FnOnce(&mut Circuit)) {
        let mut entry = self.maps.circuits.get(circuit.0.into());
        change(&mut entry);
        self.maps.circuits.set(circuit.0.into(), &entry);
    }

    /// Adds a nexthop of the underlay behind an underlay port.
    pub fn nexthop(&mut self, port: &Port, mac: Mac, mtu: u32) -> NexthopId {
        self.nexthops += 1;
        let mut macs = [0; 12];
        macs[..6].copy_from_slice(&mac);
        macs[6..].copy_from_slice(&port.mac);
        let port = port.slot as u16;
        let nexthop = Nexthop { macs, port, mtu, family: 4, ..Nexthop::default() };
        self.maps.nexthops.set(self.nexthops.into(), &nexthop);
        NexthopId(self.nexthops)
    }

    /// Adds a VTEP that is reached over `nexthops` in equal shares, and its group of that index.
    pub fn vtep(&mut self, local: [u8; 4], remote: [u8; 4], nexthops: &[NexthopId]) -> VtepId {
        let (local, remote) = (be(local), be(remote));
        self.add_vtep(|group| Vtep::new(local, remote, group), nexthops)
    }

    /// As [`World::vtep`] over IPv6.
    pub fn vtep6(&mut self, local: [u8; 16], remote: [u8; 16], nexthops: &[NexthopId]) -> VtepId {
        let [local, remote] = [local, remote].map(|address| halves::of(address.into()));
        self.add_vtep(|group| Vtep::new6(local, remote, group), nexthops)
    }

    fn add_vtep(&mut self, vtep: impl FnOnce(u32) -> Vtep, nexthops: &[NexthopId]) -> VtepId {
        self.scope.vteps += 1;
        let index = self.scope.vteps;
        let members: Vec<_> = nexthops.iter().map(|n| Member { nexthop: n.0, weight: 1 }).collect();
        self.group(index, &members);
        let vtep = vtep(index);
        self.maps.vteps.set(index, &vtep);
        let inserted = self.maps.peers.table().insert(vtep.peer(), index);
        assert!(inserted, "the table of peers is full");
        VtepId(index)
    }

    /// Makes a group of these members, whose buckets start at a chunk of their own.
    pub fn group(&mut self, index: u32, members: &[Member]) {
        self.spread(index, members, false);
    }

    /// Makes a new group for routes: of nexthops and their weights.
    pub fn route_group(&mut self, members: &[(NexthopId, u16)]) -> u32 {
        let members = members.iter().map(|(n, weight)| Member { nexthop: n.0, weight: *weight });
        let index = self.next_group();
        self.spread(index, &members.collect::<Vec<_>>(), false);
        index
    }

    /// Makes a new group for routes of any kind.
    pub fn route_group_of(&mut self, choice: Choice) -> u32 {
        let index = self.next_group();
        self.maps.groups.set(index, &Group::new(choice));
        index
    }

    fn next_group(&mut self) -> u32 {
        self.groups += 1;
        self.groups
    }

    /// Makes a group of these members; `timed` as in [`Choice::Spread`].
    pub fn spread(&mut self, index: u32, members: &[Member], timed: bool) {
        let mut buckets = vec![0; bucket::count_for(members, 0) as usize];
        bucket::fill(&mut buckets, members, |_| true);
        self.buckets(index, &buckets, timed);
    }

    /// Gives a group these buckets, a multiple of a chunk, in a place of their own.
    pub fn buckets(&mut self, index: u32, buckets: &[u16], timed: bool) {
        let count = buckets.len() as u32;
        let chunk = self.chunks;
        self.chunks += count.div_ceil(CHUNK);
        for (i, part) in (chunk..).zip(buckets.as_chunks().0) {
            self.maps.buckets.set(i, &Chunk { nexthops: *part });
        }
        self.maps.groups.set(index, &Group::new(Choice::Spread { chunk, count, timed }));
    }

    /// Enters a MAC address behind a circuit. Its next frame passes, to show it to the kernel.
    pub fn learn(&mut self, domain: DomainId, mac: Mac, circuit: CircuitId) {
        self.enter_mac(domain, mac, fdb::target(fdb::KIND_LOCAL, circuit.0.into()));
        let interval = self.maps.domains.get(domain.0.into()).refresh_jiffies;
        self.set_shown(domain, mac, self.now().wrapping_sub(interval));
    }

    /// Enters a station behind a circuit as if it had just been shown to the kernel: its frames are
    /// forwarded.
    pub fn settle(&mut self, circuit: CircuitId, station: &Station) {
        let domain = DomainId(self.maps.circuits.get(circuit.0.into()).domain);
        self.learn(domain, station.mac, circuit);
        self.set_shown(domain, station.mac, self.now());
    }

    /// The jiffies at the last heartbeat, as the FDB keeps them.
    #[must_use]
    pub fn now(&self) -> u32 {
        let settings = self.maps.settings.get(0);
        (settings.deadline - u64::from(settings.timeout_jiffies)) as u32
    }

    /// Sets when an entry was last shown to the kernel, in jiffies, which the table leaves to the packet path;
    /// 0 for never.
    pub fn set_shown(&self, domain: DomainId, mac: Mac, jiffies: u32) {
        let key = fdb::key(domain.0, fdb::mac_number(mac));
        assert!(self.maps.fdb_table().table().show(key, jiffies), "{mac:?} is not in the FDB");
    }

    /// Enters a MAC address behind a VTEP.
    pub fn learn_remote(&mut self, domain: DomainId, mac: Mac, vtep: VtepId) {
        self.enter_mac(domain, mac, fdb::target(fdb::KIND_REMOTE, vtep.0));
    }

    /// Enters a MAC address of the box itself.
    pub fn learn_own(&mut self, domain: DomainId, mac: Mac) {
        self.enter_mac(domain, mac, fdb::target(fdb::KIND_OWN, 0));
    }

    fn enter_mac(&mut self, domain: DomainId, mac: Mac, target: u32) {
        let key = fdb::key(domain.0, fdb::mac_number(mac));
        assert!(self.maps.fdb_table().insert(key, target), "the FDB is full");
    }

    /// Forgets a MAC address.
    pub fn forget(&mut self, domain: DomainId, mac: Mac) {
        self.maps.fdb_table().remove(fdb::key(domain.0, fdb::mac_number(mac)));
    }

    /// Lets a port route by a view, in the families of these `FLAG_ROUTE` flags.
    pub fn route_on(&mut self, port: &Port, view: u16, flags: u8) {
        self.maps.ports.update(port.slot, |entry| {
            entry.flags = flags;
            entry.mac_and_view = ports::mac_and_view(fdb::mac_number(port.mac), view);
        });
    }

    /// Adds a route: a host's to the table of hosts, others to the trie.
    pub fn route(&mut self, view: u16, prefix: (IpAddr, u8), target: u32) {
        self.routing.add(&self.maps, view, prefix, target);
    }

    /// Makes an address one of the box's own, in a view.
    pub fn own(&mut self, view: u16, address: IpAddr) {
        let length = if address.is_ipv4() { 32 } else { 128 };
        self.route(view, (address, length), routes::target(routes::KIND_LOCAL, 0));
        self.routing.add_own(&self.maps, address);
    }

    /// Whether an address is one of the box's own, in any view.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.routing.is_own(address)
    }

    /// The target of the longest prefix of a view that an address is in; 0 for none.
    #[must_use]
    pub fn longest_match(&self, view: u16, address: IpAddr) -> u32 {
        self.routing.longest_match(view, address)
    }

    /// Changes the settings.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.maps.settings.get(0);
        change(&mut settings);
        self.maps.settings.set(0, &settings);
    }

    /// Runs the daemon's heartbeat program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn beat(&mut self) -> Result<()> {
        Ok(heartbeat::beat(self.programs.get(HEARTBEAT)?)?)
    }

    /// All counters of the ports, domains and VTEPs of this world.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::read(&self.maps, &self.scope)
    }

    /// How many frames were sent to a VTEP so far.
    #[must_use]
    pub fn sent_to(&self, vtep: VtepId) -> u64 {
        self.maps.vtep_traffic.get(vtep.0).map(|traffic| traffic.encapsulated.packets).sum()
    }

    /// Runs the program of the port on a packet.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn run(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Result<Run> {
        let program = self.programs.get(program_of(port.role))?;
        run::run(program, port.ifindex, packet, metadata)
    }

    /// Sends a packet into a port; what became of it is still to be compared.
    pub fn send(&mut self, port: &Port, packet: &[u8]) -> Outcome {
        self.send_behind(port, packet, 0)
    }

    /// As [`World::send`], from a driver that leaves no room in front of the packet.
    pub fn send_without_headroom(&mut self, port: &Port, packet: &[u8]) -> Outcome {
        self.send_behind(port, packet, run::NO_HEADROOM)
    }

    fn send_behind(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Outcome {
        self.try_send(port, packet, metadata)
            .unwrap_or_else(|error| panic!("cannot send through {}: {error:#}", port.name))
    }

    fn try_send(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Result<Outcome> {
        let before = self.counters();
        let run = self.run(port, packet, metadata)?;
        let counted = self.counters().since(&before);
        Ok(Outcome { port: port.clone(), input: packet.to_vec(), run, counted })
    }

    /// Sends packets that `next` makes and compares their ends with the model, action and bytes one
    /// by one, all counters after every few hundred. Returns how often each reason was met.
    pub fn compare(
        &mut self,
        packets: impl IntoIterator<Item = (Port, Vec<u8>)>,
    ) -> BTreeMap<Reason, usize> {
        const BATCH: usize = 500;
        let mut met = BTreeMap::new();
        let mut packets = packets.into_iter().peekable();
        while packets.peek().is_some() {
            let before = self.counters();
            let mut expected = Counters::default();
            for (port, packet) in packets.by_ref().take(BATCH) {
                let forecast = forecast(self, &port, &packet);
                let run = self.run(&port, &packet, 0).expect("the program runs");
                forecast.assert_run(&packet, &run);
                expected.add(&forecast.counters(&port, &packet));
                *met.entry(forecast.reason).or_default() += 1;
            }
            let counted = self.counters().since(&before);
            assert_eq!(counted, expected, "left: what the counters gained in this batch");
        }
        met
    }
}

/// An instance whose pins go with this value.
const fn program_of(role: u8) -> &'static str {
    if ports::is_routed(role) { ROUTED } else { ACCESS }
}
