//! What packets on their way read while things go: the maps' memory, as the packet path sees it.

use std::{
    net::IpAddr,
    panic,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use fabric_common::schema::{
    circuits::Circuit,
    domains::{self, Domain},
    domains6::Domain6,
    hosts6::Address6,
    nexthops::Nexthop,
    ports::Port,
    reverse_paths::ReversePath,
    vteps::Vtep,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::{Macs, Outcome, Reconciler, Routes, rest::GRACE};
use crate::{
    hashed::HashMap,
    kernel::pins::Instance,
    model::{
        self, Arrivals, CircuitKey, DomainKey, FdbKey, Group, GroupKey, NexthopKey, Role,
        RoutePlace, Structure, Target, View, VtepKey, Way,
    },
    observe::{Df, Mac, Prefix},
    settings::Settings,
};

/// The loopback interface, which every namespace has.
const LO: u32 = 1;
const DOMAIN: DomainKey = DomainKey { bridge: 7, vlan: 0 };
const CIRCUIT: CircuitKey = CircuitKey { bridge_port: LO, domain: DOMAIN };

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vtep() -> VtepKey {
    VtepKey { local: ip("2001:db8:ff::1"), remote: ip("2001:db8:ff::2") }
}

/// Runs a test in a network namespace of its own, with the name of an instance that is nobody else's.
fn alone(test: impl FnOnce(&Instance) + Send + panic::UnwindSafe + 'static) {
    let name = format!("rest-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let instance = Instance::new(&name).unwrap();
    let own = instance.clone();
    let thread = std::thread::spawn(move || {
        // SAFETY: only the network namespace of this thread changes, no file descriptors.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("the tests need root");
        test(&own);
    });
    let done = thread.join();
    instance.remove().unwrap();
    if let Err(panic) = done {
        panic::resume_unwind(panic);
    }
}

fn reconciler(instance: &Instance) -> Reconciler {
    Reconciler::new(instance.clone(), &Settings::default()).unwrap()
}

/// Something in every map: a tunnel over IPv6, hosts on both sides of it, and a routed neighbour.
fn network() -> (Structure, Vec<(FdbKey, Target)>, HashMap<RoutePlace, Way>) {
    let port = model::Port {
        name: "lo".into(),
        role: Role::Underlay,
        mtu: 1_500,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        member_of: None,
        idle: true,
        is_target: true,
        untagged: None,
        tagged: [(10, CIRCUIT)].into(),
        view: Some(0),
        route4: false,
        route6: true,
        // So that the port has a number, and the VTEP a bit.
        arrivals: Arrivals::AllBut([].into()),
    };
    let domain = model::Domain {
        name: "br7".into(),
        vni: Some(100),
        vxlan: 8,
        local: vtep().local,
        udp_port: 4_789,
        ttl: 64,
        ttl_inherit: false,
        tos: 0,
        tos_inherit: false,
        df: Df::Unset,
        label: 0xabcde,
        label_inherit: false,
        zero_checksum_tx: false,
        zero_checksum_rx: false,
        max_frame: 1_514,
        ageing_ms: 300_000,
        overlay_learning: false,
        overlay_isolated: false,
        overlay_locked: false,
        overlay_hairpin: false,
        vxlan_mac: Mac([2, 0, 0, 0, 0, 2]),
    };
    let circuit = model::Circuit { port: LO, vlan: 10, isolated: false, max_frame: 1_514 };
    let hop = |number| NexthopKey { ifindex: LO, gateway: ip(&format!("2001:db8::{number}")) };
    let nexthop = |number| model::Nexthop {
        source: port.mac,
        destination: Some(Mac([2, 0, 0, 0, 1, number])),
        mtu: 1_500,
    };
    let members = vec![(hop(1), 1), (hop(2), 1)];
    let group = GroupKey::Object(20);
    let structure = Structure {
        domains: [(DOMAIN, domain)].into(),
        circuits: [(CIRCUIT, circuit)].into(),
        vteps: [(vtep(), Some(group.clone()))].into(),
        views: vec![View { v4: Vec::new(), v6: vec![254] }],
        groups: [(group, Group { members, ..Group::default() })].into(),
        nexthops: [(hop(1), nexthop(1)), (hop(2), nexthop(2))].into(),
        ports: [(LO, port.clone())].into(),
        ..Structure::default()
    };
    let mac = |number| FdbKey { domain: DOMAIN, mac: Mac([2, 0xaa, 0, 0, 0, number]) };
    let macs = vec![(mac(1), Target::Local(CIRCUIT)), (mac(2), Target::Remote(vtep()))];
    let prefix = Prefix { address: hop(3).gateway, length: 128 };
    let way = Way::Nexthop { key: hop(3), nexthop: nexthop(3) };
    (structure, macs, [(RoutePlace { view: 0, prefix }, way)].into_iter().collect())
}

fn fill(reconciler: &mut Reconciler) -> Outcome {
    let (structure, macs, routes) = network();
    let outcome = reconciler.apply(&structure, Macs::All(macs), &Routes::All(routes)).unwrap();
    assert!(outcome.full.is_empty() && outcome.unusable.is_empty(), "{outcome:?}");
    outcome
}

fn empty(reconciler: &mut Reconciler) {
    let routes = Routes::All(HashMap::default());
    reconciler.apply(&Structure::default(), Macs::All(Vec::new()), &routes).unwrap();
}

/// Everything that packets get an index of, with the index.
#[derive(Debug, PartialEq)]
struct Held {
    port: (u32, Port),
    /// The circuit of the VLAN that there is.
    vlans: (u32, u16),
    domain: (u32, Domain, Domain6),
    circuit: (u32, Circuit),
    vtep: (u32, Vtep, ReversePath),
    nexthops: Vec<(u32, Nexthop)>,
    addresses: Vec<(u32, Address6)>,
}

impl Held {
    /// As a packet gets there.
    fn by(reconciler: &Reconciler) -> Self {
        let maps = &reconciler.maps;
        let port = reconciler.ports[&LO];
        let vlans = maps.ports.get(port).vlans.into();
        let circuit = maps.vlans.get(vlans).circuits[10];
        let table = maps.hosts6.table();
        let held = Self {
            port: (port, maps.ports.get(port)),
            vlans: (vlans, circuit),
            domain: (
                reconciler.domains.get(&DOMAIN).unwrap(),
                Domain::default(),
                Domain6::default(),
            ),
            circuit: (circuit.into(), Circuit::default()),
            vtep: (reconciler.vteps.get(&vtep()).unwrap(), Vtep::default(), ReversePath::default()),
            nexthops: maps.nexthops.iter().filter(|(_, hop)| u32::from(hop.port) == port).collect(),
            addresses: table
                .iter()
                .map(|(_, index, _)| (index, maps.addresses6.get(index)))
                .collect(),
        };
        held.now(reconciler)
    }

    /// The same indexes, with what they hold now.
    fn now(&self, reconciler: &Reconciler) -> Self {
        let maps = &reconciler.maps;
        let (domain, circuit, vtep) = (self.domain.0, self.circuit.0, self.vtep.0);
        Self {
            port: (self.port.0, maps.ports.get(self.port.0)),
            vlans: (self.vlans.0, maps.vlans.get(self.vlans.0).circuits[10]),
            domain: (domain, maps.domains.get(domain), maps.domains6.get(domain)),
            circuit: (circuit, maps.circuits.get(circuit)),
            vtep: (vtep, maps.vteps.get(vtep), maps.reverse_paths.get(vtep)),
            nexthops: self.nexthops.iter().map(|(i, _)| (*i, maps.nexthops.get(*i))).collect(),
            addresses: self.addresses.iter().map(|(i, _)| (*i, maps.addresses6.get(*i))).collect(),
        }
    }

    /// What is left when nobody can be on the way any more. Of a domain its flags say that it is unused.
    fn emptied(&self) -> Self {
        Self {
            port: (self.port.0, Port { down: 1, ..Port::default() }),
            vlans: (self.vlans.0, 0),
            domain: (self.domain.0, self.unused().domain.1, Domain6::default()),
            circuit: (self.circuit.0, Circuit::default()),
            vtep: (self.vtep.0, Vtep::default(), ReversePath::default()),
            nexthops: self.nexthops.iter().map(|(i, _)| (*i, Nexthop::default())).collect(),
            addresses: self.addresses.iter().map(|(i, _)| (*i, Address6::default())).collect(),
        }
    }

    /// The same while it rests: in single words it is known that nobody uses it.
    fn unused(&self) -> Self {
        let domain = Domain { flags: self.domain.1.flags & !domains::FLAG_IN_USE, ..self.domain.1 };
        Self {
            port: (self.port.0, Port { ifindex: 0, down: 1, ..self.port.1 }),
            vlans: self.vlans,
            domain: (self.domain.0, domain, self.domain.2),
            circuit: self.circuit,
            vtep: self.vtep,
            nexthops: self.nexthops.clone(),
            addresses: self.addresses.clone(),
        }
    }
}

fn rest(reconciler: &mut Reconciler) {
    let now = Instant::now();
    reconciler.wake_at(now);
    reconciler.wake_at(now + GRACE);
}

#[test]
fn what_a_packet_has_an_index_of_stays_as_it_was_until_that_packet_has_gone() {
    alone(|instance| {
        let mut reconciler = reconciler(instance);
        fill(&mut reconciler);
        let held = Held::by(&reconciler);
        assert_eq!((held.nexthops.len(), held.addresses.len()), (3, 1));
        assert!(held.vtep.2.ports != 0 && held.domain.2.local != [0, 0], "something to lose");
        empty(&mut reconciler);
        assert_eq!(held.now(&reconciler), held.unused());
        assert_eq!(reconciler.maps.fdb.table().iter().count(), 0, "nobody gets there any more");

        let now = Instant::now();
        reconciler.wake_at(now);
        assert_eq!(held.now(&reconciler), held.unused(), "it has only begun to rest");
        // In the meantime the same things have other indexes.
        fill(&mut reconciler);
        let other = Held::by(&reconciler);
        let indexes = |held: &Held| [held.vlans.0, held.domain.0, held.circuit.0, held.vtep.0];
        for (new, old) in indexes(&other).iter().zip(indexes(&held)) {
            assert_ne!(*new, old);
        }
        let unused = held.now(&reconciler);
        assert_eq!((unused.vtep, unused.circuit), (held.vtep, held.circuit));
        assert_ne!(other.port.0, held.port.0, "the next of the slots that the port may have");

        let writes = reconciler.writes();
        reconciler.wake_at(now + GRACE);
        assert_eq!(held.now(&reconciler), held.emptied());
        assert_eq!(reconciler.writes(), writes, "that belongs to a change of before");
        assert_eq!(other.now(&reconciler), other, "what is used does not rest");
        let again = reconciler.vteps.allocate(&VtepKey { remote: ip("2001:db8::9"), ..vtep() });
        assert_eq!(again, Some((held.vtep.0, true)), "the index is free");
    });
}

#[test]
fn what_a_round_freed_that_ended_early_stays_until_the_next_one_has_taken_its_references_away() {
    alone(|instance| {
        let mut reconciler = reconciler(instance);
        fill(&mut reconciler);
        let held = Held::by(&reconciler);
        let (mut structure, macs, routes) = network();
        // A bond that there is not, without which its member is no port either.
        let lo = structure.ports[&LO].clone();
        let bond = model::Port { name: "bond".into(), ..lo.clone() };
        structure.ports.insert(LO + 98, bond);
        structure.ports.insert(LO, model::Port { member_of: Some(LO + 98), ..lo });
        let outcome = reconciler.apply(&structure, Macs::All(macs), &Routes::All(routes)).unwrap();
        assert!(!outcome.unusable.is_empty() && !reconciler.ports.contains_key(&LO));
        rest(&mut reconciler);
        let port = held.now(&reconciler).port.1;
        assert_eq!((port.mac_and_view, port.row), (held.port.1.mac_and_view, held.port.1.row));
        assert_eq!(held.now(&reconciler).circuit, held.circuit, "it leads to that port");
        empty(&mut reconciler);
        rest(&mut reconciler);
        assert_eq!(held.now(&reconciler), held.emptied());
    });
}

#[test]
fn what_was_given_back_is_told_once_whoever_woke_it() {
    alone(|instance| {
        let mut reconciler = reconciler(instance);
        fill(&mut reconciler);
        empty(&mut reconciler);
        assert!(!reconciler.wake(), "it has only begun to rest");
        reconciler.wake_at(Instant::now() + GRACE);
        fill(&mut reconciler);
        assert!(reconciler.wake());
        assert!(!reconciler.wake(), "it is known");
    });
}

#[test]
fn hosts_of_the_trie_move_to_the_table_when_there_is_room() {
    alone(|instance| {
        let settings = Settings { host_entries: 16, ..Settings::default() };
        let mut reconciler = Reconciler::new(instance.clone(), &settings).unwrap();
        // Twice as many find no room.
        let count = reconciler.maps.addresses6.len() * 2 / 3;
        let (structure, _, routes) = network();
        let way = routes.into_values().next().unwrap();
        let apply = |reconciler: &mut Reconciler, net: u32| {
            let hosts = (0..count).map(|number| {
                let address = ip(&format!("2001:db8:{net:x}::{number:x}"));
                (RoutePlace { view: 0, prefix: Prefix { address, length: 128 } }, way.clone())
            });
            let routes = Routes::All(hosts.collect());
            reconciler.apply(&structure, Macs::All(Vec::new()), &routes).unwrap()
        };
        assert!(apply(&mut reconciler, 1).full.is_empty());
        assert!(!apply(&mut reconciler, 2).full.is_empty(), "the indexes of the first ones rest");
        assert!(!reconciler.hosts.in_trie.is_empty());
        rest(&mut reconciler);
        assert!(apply(&mut reconciler, 2).full.is_empty());
        assert!(reconciler.hosts.in_trie.is_empty());
        assert_eq!(reconciler.maps.hosts6.table().iter().count(), count as usize);
        assert!(reconciler.tables.values().all(|tables| tables.v6.is_empty()));
        assert_eq!(apply(&mut reconciler, 2).changes, 0);
    });
}

#[test]
fn a_next_hop_stays_when_in_one_round_its_hosts_go_and_others_come() {
    alone(|instance| {
        let mut reconciler = reconciler(instance);
        fill(&mut reconciler);
        let held = Held::by(&reconciler);
        let (structure, macs, routes) = network();
        let prefix = Prefix { address: ip("2001:db8::99"), length: 128 };
        let way = routes.into_values().next().unwrap();
        let routes = Routes::All([(RoutePlace { view: 0, prefix }, way)].into_iter().collect());
        reconciler.apply(&structure, Macs::All(macs.clone()), &routes).unwrap();
        rest(&mut reconciler);
        assert_eq!(held.now(&reconciler).nexthops, held.nexthops);
        let outcome = reconciler.apply(&structure, Macs::All(macs), &routes).unwrap();
        assert_eq!(outcome.changes, 0);
    });
}

#[test]
fn a_daemon_that_is_killed_while_something_rests_leaves_nothing_behind_for_ever() {
    alone(|instance| {
        let mut killed = reconciler(instance);
        fill(&mut killed);
        let held = Held::by(&killed);
        empty(&mut killed);
        drop(killed);
        let mut next = reconciler(instance);
        empty(&mut next);
        assert_eq!(held.now(&next).vtep, held.vtep, "it rests once more");
        rest(&mut next);
        // What nobody finds when it starts is overwritten when it is used.
        let (now, emptied) = (held.now(&next), held.emptied());
        assert_eq!((now.circuit, now.vtep), (emptied.circuit, emptied.vtep));
        assert_eq!((now.nexthops, now.domain.1.flags), (emptied.nexthops, emptied.domain.1.flags));
        assert_eq!(next.maps.vteps.iter().filter(|(_, vtep)| vtep.in_use()).count(), 0);
    });
}

#[test]
fn what_rested_when_a_daemon_was_killed_is_free_a_second_after_the_next_one_has_started() {
    alone(|instance| {
        let mut killed = reconciler(instance);
        let other = VtepKey { remote: ip("2001:db8::9"), ..vtep() };
        assert_eq!(killed.vteps.allocate(&other), Some((1, true)));
        assert_eq!(killed.checked.allocate(&(LO + 1)), Some((1, true)));
        fill(&mut killed);
        drop(killed);
        let mut next = reconciler(instance);
        next.wake_at(Instant::now() + GRACE);
        assert_eq!(next.vteps.allocate(&other), Some((1, true)));
        assert_eq!(next.checked.allocate(&(LO + 1)), Some((1, true)));
    });
}

/// The entry that rests says the same as the one that is used.
#[test]
fn of_two_entries_for_the_same_thing_a_successor_uses_one_and_frees_the_other_at_rest() {
    of_two_entries(false);
}

#[test]
fn of_two_vteps_a_successor_keeps_the_one_that_was_used_though_its_index_is_lower() {
    of_two_entries(true);
}

fn of_two_entries(lower: bool) {
    alone(move |instance| {
        let mut killed = reconciler(instance);
        fill(&mut killed);
        let mut first = Held::by(&killed);
        empty(&mut killed);
        fill(&mut killed);
        let mut second = Held::by(&killed);
        if lower {
            // The first index is free again.
            rest(&mut killed);
            empty(&mut killed);
            fill(&mut killed);
            first = std::mem::replace(&mut second, Held::by(&killed));
        }
        assert_eq!(second.vtep.0 < first.vtep.0, lower);
        drop(killed);
        let mut next = reconciler(instance);
        fill(&mut next);
        let used = Held::by(&next);
        assert_eq!(used.vtep, second.vtep);
        for held in [&first, &second] {
            assert_eq!(held.now(&next).vtep, held.vtep, "packets may be on their way to both");
            assert_eq!(held.now(&next).circuit.1, held.circuit.1);
        }
        let peer = next.maps.peers.table().get(used.vtep.1.peer());
        assert_eq!(peer, Some(used.vtep.0));
        assert_eq!(fill(&mut next).changes, 0, "all is as it should be");
        rest(&mut next);
        assert_eq!(used.now(&next), used);
        assert_eq!(next.maps.vteps.iter().filter(|(_, vtep)| vtep.in_use()).count(), 1);
        assert_eq!(next.maps.circuits.iter().filter(|(_, each)| each.port != 0).count(), 1);
        assert_eq!(next.maps.nexthops.iter().filter(|(_, each)| each.port != 0).count(), 3);
    });
}

/// A look at the port costs a frame a cache line.
#[test]
fn frames_to_hosts_look_at_their_port_from_its_loss_until_no_circuit_leads_there() {
    alone(|instance| {
        let mut reconciler = reconciler(instance);
        let looks = |reconciler: &mut Reconciler| {
            reconciler.wake();
            reconciler.maps.settings.get(0).lost_ports != 0
        };
        fill(&mut reconciler);
        let slot = reconciler.ports[&LO];
        // As the thread does that watches links.
        let set = |reconciler: &Reconciler, down| {
            reconciler.maps.ports.update(slot, |port| port.down = down);
            reconciler.maps.settings.update(0, |settings| settings.lost_ports = 1);
        };
        set(&reconciler, 0);
        assert!(!looks(&mut reconciler), "the port lives");
        set(&reconciler, 1);
        assert!(looks(&mut reconciler) && looks(&mut reconciler), "a circuit leads there");
        let (structure, macs, routes) = network();
        let without = Structure { circuits: [].into(), ..structure };
        drop((macs, routes));
        let routes = Routes::All(HashMap::default());
        reconciler.apply(&without, Macs::All(Vec::new()), &routes).unwrap();
        assert!(looks(&mut reconciler), "a packet may still be on its way there");
        rest(&mut reconciler);
        assert!(!looks(&mut reconciler));
    });
}
