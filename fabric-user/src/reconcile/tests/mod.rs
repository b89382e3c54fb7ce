//! The maps in plain memory, as the packet path sees them, and a kernel that answers as the test wants.

mod answers;
mod bridges;
mod fdb;
mod groups;
mod order;
mod ports;
mod rest;
mod routes;
mod segments;
mod stations;
mod system;
mod vteps;

use std::{net::IpAddr, time::Instant};

use super::{Outcome, Reconciler, rest::GRACE};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{
        self, Answer, AnswerKey, Answers, Arrivals, CircuitKey, DomainKey, FdbKey, Group, GroupKey,
        Macs, NexthopKey, Role, RoutePlace, Routes, Structure, Target, View, VtepKey, Way,
    },
    observe::{Mac, Prefix},
    settings::Settings,
};
use system::Fake;

/// The port of the underlay, and of the bridge by VLAN 10.
const PORT: u32 = 1;
const DOMAIN: DomainKey = DomainKey { bridge: 7, vlan: 0 };
const CIRCUIT: CircuitKey = CircuitKey { bridge_port: PORT, domain: DOMAIN };
const HZ: u32 = 250;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vtep() -> VtepKey {
    VtepKey { local: ip("2001:db8:ff::1"), remote: ip("2001:db8:ff::2") }
}

fn hop(number: u8) -> NexthopKey {
    NexthopKey { ifindex: PORT, gateway: ip(&format!("2001:db8::{number:x}")) }
}

fn nexthop(number: u8) -> model::Nexthop {
    model::Nexthop {
        source: port().mac,
        destination: Some(Mac([2, 0, 0, 0, 1, number])),
        mtu: 1_500,
    }
}

fn mac(number: u8) -> FdbKey {
    FdbKey { domain: DOMAIN, mac: Mac([2, 0xaa, 0, 0, 0, number]) }
}

/// The MAC address of a next hop, in the domain.
fn station(number: u8) -> FdbKey {
    FdbKey { domain: DOMAIN, mac: nexthop(number).destination.unwrap() }
}

fn port() -> model::Port {
    model::Port {
        name: "port".into(),
        role: Role::Underlay,
        mtu: 1_500,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        is_target: true,
        tagged: [(10, CIRCUIT)].into(),
        view: Some(0),
        route6: true,
        // So that the port has a number, and the VTEP a bit.
        arrivals: Arrivals::AllBut([].into()),
        ..model::Port::default()
    }
}

/// Everything that is wanted.
#[derive(Clone)]
struct Wanted {
    structure: Structure,
    macs: Vec<(FdbKey, Target)>,
    routes: HashMap<RoutePlace, Way>,
    answers: HashMap<AnswerKey, Answer>,
}

/// Something in every map: a tunnel over IPv6, hosts on both sides of it, and a routed neighbour.
fn network() -> Wanted {
    let domain = model::Domain {
        name: "br7".into(),
        vni: Some(100),
        vxlan: 8,
        local: vtep().local,
        udp_port: 4_789,
        ttl: 64,
        label: 0xabcde,
        max_frame: 1_514,
        ageing_ms: 300_000,
        vxlan_mac: Mac([2, 0, 0, 0, 0, 2]),
        ..model::Domain::default()
    };
    let circuit = model::Circuit { port: PORT, vlan: 10, max_frame: 1_514, ..Default::default() };
    let group = GroupKey::Object(20);
    let mut wanted = Wanted {
        structure: Structure {
            domains: [(DOMAIN, domain)].into(),
            circuits: [(CIRCUIT, circuit)].into(),
            vteps: [(vtep(), Some(group.clone()))].into(),
            views: vec![View { v4: Vec::new(), v6: vec![254] }],
            ports: [(PORT, port())].into(),
            ..Structure::default()
        },
        macs: vec![(mac(1), Target::Local(CIRCUIT)), (mac(2), Target::Remote(vtep()))],
        routes: [host(3)].into_iter().collect(),
        answers: [answer("10.0.0.2", 2), answer("fe80::2", 2)].into_iter().collect(),
    };
    wanted.spread(20, &[1, 2]);
    wanted
}

/// The network with its port as gateway of a domain.
fn with_gateway(domain: DomainKey) -> Wanted {
    let mut wanted = network();
    let port = wanted.structure.ports.get_mut(&PORT).unwrap();
    *port = model::Port {
        role: Role::Gateway,
        domain: Some(domain),
        tagged: [].into(),
        arrivals: Arrivals::Nothing,
        ..port.clone()
    };
    wanted.structure.circuits.clear();
    wanted.macs.retain(|(_, target)| !matches!(target, Target::Local(_)));
    wanted
}

/// A neighbour that ARP or neighbour discovery is answered by.
fn answer(address: &str, number: u8) -> (AnswerKey, Answer) {
    let key = AnswerKey { domain: DOMAIN, address: address.parse().unwrap() };
    (key, Answer { mac: Some(mac(number).mac), router: false })
}

/// A routed neighbour.
fn host(number: u8) -> (RoutePlace, Way) {
    let prefix = Prefix { address: hop(number).gateway, length: 128 };
    let way = Way::Nexthop { key: hop(number), nexthop: nexthop(number) };
    (RoutePlace { view: 0, prefix }, way)
}

impl Wanted {
    /// Makes a nexthop object a group of these next hops in equal shares.
    fn spread(&mut self, object: u32, members: &[u8]) -> &mut Group {
        self.structure
            .nexthops
            .extend(members.iter().map(|number| (hop(*number), nexthop(*number))));
        let members = members.iter().map(|number| (hop(*number), 1)).collect();
        let group = self.structure.groups.entry(GroupKey::Object(object)).or_default();
        *group = Group { members, ..Group::default() };
        group
    }

    /// Adds a port of bridges alone.
    fn access_port(&mut self, ifindex: u32) -> &mut model::Port {
        let mac = Mac([2, 0, 0, 0, 9, ifindex as u8]);
        let port =
            model::Port { name: format!("access{ifindex}"), mac, mtu: 1_500, ..Default::default() };
        self.structure.ports.entry(ifindex).or_insert(port)
    }
}

/// Settings that make the maps as small as they can be.
fn settings() -> Settings {
    Settings {
        fdb_entries: 16,
        host_entries: 16,
        prefix_entries: 16,
        port_entries: 16,
        ..Settings::default()
    }
}

/// A reconciler in plain memory.
struct Bench {
    reconciler: Reconciler<Fake>,
    kernel: Fake,
}

impl Bench {
    fn new() -> Self {
        Self::with(&settings())
    }

    fn with(settings: &Settings) -> Self {
        let maps = Maps::in_memory(&settings.sizes()).unwrap();
        Self::over(maps, Fake::default(), settings)
    }

    fn over(maps: Maps, kernel: Fake, settings: &Settings) -> Self {
        let reconciler = Reconciler::take_over(kernel.clone(), maps, settings, HZ);
        Self { reconciler, kernel }
    }

    /// With everything of [`network`].
    fn filled() -> Self {
        let mut this = Self::new();
        this.fill();
        this
    }

    /// The daemon is killed, and another one takes over.
    fn restart(self) -> Self {
        let Self { reconciler: Reconciler { maps, .. }, kernel } = self;
        Self::over(maps, kernel.next_daemon(), &settings())
    }

    /// Compares everything.
    fn apply(&mut self, wanted: &Wanted) -> Outcome {
        let Wanted { structure, macs, routes, answers } = wanted.clone();
        let answers = Answers::All(answers);
        self.reconciler.apply(&structure, &Routes::All(routes), Macs::All(macs), &answers)
    }

    /// Changes the structure alone.
    fn change(&mut self, wanted: &Wanted) -> Outcome {
        let nothing = Routes::Some(Vec::new());
        let (macs, answers) = (Macs::Some(Vec::new()), Answers::Some(Vec::new()));
        self.reconciler.apply(&wanted.structure, &nothing, macs, &answers)
    }

    fn fill(&mut self) -> Outcome {
        let outcome = self.apply(&network());
        assert!(outcome.full.is_empty() && outcome.unusable.is_empty(), "{outcome:?}");
        outcome
    }

    fn empty(&mut self) -> Outcome {
        let (routes, macs) = (Routes::All(HashMap::default()), Macs::All(Vec::new()));
        let answers = Answers::All(HashMap::default());
        self.reconciler.apply(&Structure::default(), &routes, macs, &answers)
    }

    /// Until nothing rests any more.
    fn rest(&mut self) {
        let now = Instant::now();
        self.reconciler.wake_at(now);
        self.reconciler.wake_at(now + GRACE);
    }

    fn maps(&self) -> &Maps {
        &self.reconciler.maps
    }

    /// The index of a group.
    fn group(&self, object: u32) -> u32 {
        self.reconciler.groups.get(&GroupKey::Object(object)).expect("there is such a group")
    }

    /// The next hops of a group's buckets, by the last byte of their MAC address.
    fn buckets(&self, object: u32) -> Vec<u8> {
        use fabric_common::schema::groups::Choice;
        let of = |nexthop: u32| self.maps().nexthops.get(nexthop).macs[5];
        match self.maps().groups.get(self.group(object)).choice() {
            Choice::Nothing | Choice::Blackhole => Vec::new(),
            Choice::Single { nexthop } => vec![of(nexthop)],
            Choice::Spread { chunk, count, .. } => {
                (0..count).map(|at| of(self.maps().bucket(chunk, at))).collect()
            }
        }
    }
}
