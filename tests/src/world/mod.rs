//! Ports and programs of one instance, whose maps the reconciler fills with what the test wants.

mod groups;
mod macs;
mod packets;
mod routes;

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context as _, Result};
use aya::programs::xdp::XdpMode;
use fabric_common::schema::{circuits::Circuit, domains::Domain, ports, settings::Settings};
use fabric_user::{
    kernel::{
        maps::Maps,
        pins::Instance,
        programs::{ACCESS, ROUTED},
    },
    model::{
        self, Answer, AnswerKey, Answers, Arrivals, CircuitKey, DomainKey, Macs, NexthopKey, Role,
        RoutePlace, Routes, Structure, Target, Way,
    },
    observe,
    reconcile::{self, Reconciler},
    settings,
};

use crate::{
    addresses::{Mac, VXLAN_PORT},
    counters::Scope,
    device,
};
use routes::Prefix;

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
/// ID of the nexthop group that an Ethernet segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentId(pub u32);
/// Index of a VTEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VtepId(pub u32);

/// The seed of the flow hash in the tests.
pub const SEED: u32 = 0x5eed_f00d;
/// MTU of the ports: VXLAN packets with full frames fit.
pub const PORT_MTU: u32 = 1600;
/// Where the interface indexes of bridges and VLAN devices begin that are in the maps alone.
const NO_DEVICE: u32 = 1_000_000;

/// A bridge domain with a tunnel over the underlay, in which the kernel is shown nothing for an hour.
#[must_use]
pub fn tunnel(vni: u32, local: impl Into<IpAddr>) -> model::Domain {
    model::Domain {
        vni: Some(vni),
        local: local.into(),
        udp_port: VXLAN_PORT,
        ttl: 64,
        max_frame: 1_514,
        ageing_ms: 4 * 3_600_000,
        ..model::Domain::default()
    }
}

/// An instance in this thread's namespaces.
///
/// What is in the maps the reconciler has written; what it would never write a test writes itself, into
/// [`World::maps`] or by the functions that change an entry, after everything else: whatever changes ports,
/// domains, circuits, VTEPs or groups writes all of these anew. Indexes are given out from 1 on, in the
/// order in which things come.
pub struct World {
    reconciler: Reconciler,
    /// The maps, to look into or to break.
    pub maps: Maps,
    /// The kernel's timer frequency.
    pub hz: u32,
    desired: Structure,
    domains: Vec<DomainKey>,
    circuits: Vec<CircuitKey>,
    nexthops: Vec<NexthopKey>,
    scope: Scope,
    /// What the test gave, by view and prefix.
    routes: BTreeMap<(u16, Prefix), u32>,
}

impl World {
    /// Loads the programs.
    ///
    /// # Errors
    /// If the kernel refuses anything.
    pub fn new() -> Result<Self> {
        let settings = settings::Settings {
            instance: "test".into(),
            // Not the defaults, so that the sizes that the loader sets are tested as well.
            fdb_entries: 4_096,
            host_entries: 1_024,
            prefix_entries: 4_096,
            port_entries: 64,
            // Longer than any test.
            heartbeat_timeout_ms: 24 * 3_600_000,
            seed: Some(SEED),
            ..settings::Settings::default()
        };
        let instance = Instance::new(&settings.instance)?;
        let reconciler = Reconciler::new(instance.clone(), &settings)?;
        let maps = Maps::open(&instance, true)?;
        let mut world = Self {
            reconciler,
            hz: maps.settings.get(0).hz,
            maps,
            desired: Structure::default(),
            domains: Vec::new(),
            circuits: Vec::new(),
            nexthops: Vec::new(),
            scope: Scope::default(),
            routes: BTreeMap::new(),
        };
        world.apply();
        world.beat()?;
        Ok(world)
    }

    /// Brings the maps up to date with the structure.
    fn apply(&mut self) {
        let (routes, macs) = (Routes::Some(Vec::new()), Macs::Some(Vec::new()));
        let answers = Answers::Some(Vec::new());
        let outcome = self.reconciler.apply(&self.desired, &routes, macs, &answers);
        assert_complete(&outcome);
        for ifindex in outcome.new_ports.into_keys() {
            // Here fabric-xdpd has its thread for link events.
            let slot = self.slot(ifindex).expect("a new port has a slot");
            self.maps.ports.update(slot, |port| port.down = 0);
        }
        self.reconciler.wake();
        // Whatever domains there are.
        let vxlan_ports_be = [VXLAN_PORT.to_be(), 8472_u16.to_be(), 0, 0];
        self.change_settings(|settings| settings.vxlan_ports_be = vxlan_ports_be);
    }

    /// Brings some entries up to date.
    fn apply_entries(&mut self, routes: Vec<(RoutePlace, Option<Way>)>, macs: Macs) {
        let (routes, answers) = (Routes::Some(routes), Answers::Some(Vec::new()));
        assert_complete(&self.reconciler.apply_entries(&self.desired, &routes, macs, &answers));
    }

    /// Says by what ARP or neighbour discovery for an address is answered in a domain that answers.
    pub fn answer(&mut self, domain: DomainId, address: IpAddr, answer: Option<Answer>) {
        let key = AnswerKey { domain: self.domain_key(domain), address };
        let (routes, macs) = (Routes::Some(Vec::new()), Macs::Some(Vec::new()));
        let answers = Answers::Some(vec![(key, answer)]);
        assert_complete(&self.reconciler.apply_entries(&self.desired, &routes, macs, &answers));
    }

    fn slot(&self, ifindex: u32) -> Option<u32> {
        let ports = &self.maps.ports;
        ports::find(ifindex, ports.len() - 1, |slot| ports.get(slot).ifindex)
    }

    /// Makes a port, runs the program of its role on it and enters it in the maps.
    ///
    /// # Errors
    /// If the kernel refuses anything.
    pub fn port(&mut self, name: &str, role: u8, mac: Mac) -> Result<Port> {
        device::veth(name, mac, PORT_MTU, None)?;
        self.enter(name, role, mac, PORT_MTU)
    }

    /// Runs the program of `role` on a device that is there, and enters it in the maps.
    ///
    /// # Errors
    /// If there is no such device, or no slot is free.
    pub fn enter(&mut self, name: &str, role: u8, mac: Mac, mtu: u32) -> Result<Port> {
        let ifindex = device::index(name)?;
        let (role_of, arrivals) = match role {
            ports::ROLE_ACCESS => (Role::Access, Arrivals::Nothing),
            ports::ROLE_UNDERLAY => (Role::Underlay, Arrivals::All),
            _ => (Role::Routed, Arrivals::Nothing),
        };
        let port = model::Port {
            name: name.into(),
            role: role_of,
            mtu,
            mac: observe::Mac(mac),
            is_target: true,
            arrivals,
            ..model::Port::default()
        };
        self.desired.ports.insert(ifindex, port);
        self.apply();
        let slot = self.slot(ifindex).context("no slot is free for the port")?;
        self.scope.slots.push(slot);
        Ok(Port { name: name.into(), slot, ifindex, role, mac })
    }

    /// Makes the bridge of a domain a gateway with this MAC address, which stands in the FDB.
    ///
    /// # Errors
    /// If no slot is free.
    pub fn gateway(&mut self, domain: DomainId, mac: Mac) -> Result<Port> {
        let key = self.domain_key(domain);
        let (ifindex, name) = (key.bridge, format!("gateway {}", domain.0));
        let port = model::Port {
            name: name.clone(),
            role: Role::Gateway,
            mtu: PORT_MTU,
            mac: observe::Mac(mac),
            is_target: true,
            domain: Some(key),
            ..model::Port::default()
        };
        self.desired.ports.insert(ifindex, port);
        self.apply();
        self.set_mac(domain, mac, Some(Target::Gateway(ifindex)));
        let slot = self.slot(ifindex).context("no slot is free for the gateway")?;
        Ok(Port { name, slot, ifindex, role: ports::ROLE_GATEWAY, mac })
    }

    /// Runs the program of `role` on a device that is there, without entering it in the maps.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn adopt(&mut self, name: &str, role: u8, mac: Mac) -> Result<Port> {
        let ifindex = device::index(name)?;
        let program = self.reconciler.system.programs.get(program_of(role))?;
        program
            .attach_to_if_index(ifindex, XdpMode::Driver)
            .with_context(|| format!("cannot attach to {name}"))?;
        Ok(Port { name: name.into(), slot: 0, ifindex, role, mac })
    }

    fn change_port(&mut self, port: &Port, change: impl FnOnce(&mut model::Port)) {
        change(self.desired.ports.get_mut(&port.ifindex).expect("the maps know the port"));
        self.apply();
    }

    /// Adds a bridge domain; `vlan` is 0 in a plain bridge.
    pub fn domain(&mut self, vlan: u16, domain: model::Domain) -> DomainId {
        self.scope.domains += 1;
        let key = DomainKey { bridge: NO_DEVICE + self.scope.domains, vlan };
        self.domains.push(key);
        self.desired.domains.insert(key, domain);
        self.apply();
        DomainId(self.scope.domains as u16)
    }

    fn domain_key(&self, domain: DomainId) -> DomainKey {
        self.domains[usize::from(domain.0) - 1]
    }

    /// Changes the entry of a bridge domain.
    pub fn change_domain(&mut self, domain: DomainId, change: impl FnOnce(&mut Domain)) {
        self.maps.domains.update(domain.0.into(), change);
    }

    /// Makes a port member of a domain, untagged (0) or with a VLAN tag.
    pub fn circuit(&mut self, port: &Port, domain: DomainId, vlan: u16) -> CircuitId {
        let mut key = CircuitKey { bridge_port: port.ifindex, domain: self.domain_key(domain) };
        while self.desired.circuits.contains_key(&key) {
            // A VLAN device in the same bridge.
            key.bridge_port += NO_DEVICE;
        }
        let circuit = model::Circuit {
            port: port.ifindex,
            vlan,
            max_frame: 1_514,
            ..model::Circuit::default()
        };
        self.desired.circuits.insert(key, circuit);
        self.circuits.push(key);
        self.change_port(port, |port| match vlan {
            0 => port.untagged = Some(key),
            tag => port.tagged.extend([(tag, key)]),
        });
        CircuitId(self.circuits.len() as u16)
    }

    /// Takes frames with a tag for a circuit that sends them untagged.
    pub fn also_tagged(&mut self, port: &Port, circuit: CircuitId, vlan: u16) {
        let key = self.circuit_key(circuit);
        self.change_port(port, |port| port.tagged.extend([(vlan, key)]));
    }

    fn circuit_key(&self, circuit: CircuitId) -> CircuitKey {
        self.circuits[usize::from(circuit.0) - 1]
    }

    /// Changes the entry of a circuit.
    pub fn change_circuit(&mut self, circuit: CircuitId, change: impl FnOnce(&mut Circuit)) {
        self.maps.circuits.update(circuit.0.into(), change);
    }

    /// Changes the settings.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        self.maps.settings.update(0, change);
    }

    /// Runs the daemon's heartbeat program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn beat(&mut self) -> Result<()> {
        Ok(self.reconciler.beat()?)
    }
}

fn assert_complete(outcome: &reconcile::Outcome) {
    let reconcile::Outcome { full, unusable, .. } = outcome;
    assert!(full.is_empty() && unusable.is_empty(), "not all has found room: {outcome:?}");
}

const fn program_of(role: u8) -> &'static str {
    if ports::is_routed(role) { ROUTED } else { ACCESS }
}
