//! What packets on their way read while things go.

use std::{
    net::Ipv6Addr,
    time::{Duration, Instant},
};

use fabric_common::{
    halves,
    schema::{
        circuits::Circuit,
        domains::{self, Domain},
        domains6::Domain6,
        hosts6,
        nexthop_addresses::NexthopAddress,
        nexthops::Nexthop,
        ports::Port,
        reverse_paths::ReversePath,
        vteps::Vtep,
    },
    table::{Bucket as _, Long},
};

use super::*;
use crate::kernel::links::AttachError;

/// Everything that packets get an index of, with the index.
#[derive(Debug, PartialEq)]
struct Held {
    port: (u32, Port),
    /// The circuit of the VLAN that there is.
    vlans: (u32, u16),
    domain: (u32, Domain, Domain6),
    circuit: (u32, Circuit),
    vtep: (u32, Vtep, ReversePath),
    nexthops: Vec<(u32, (Nexthop, NexthopAddress))>,
}

impl Held {
    /// As a packet gets there.
    fn by(bench: &Bench) -> Self {
        let maps = bench.maps();
        let port = bench.reconciler.ports.slot(PORT).unwrap();
        let vlans = maps.ports.get(port).vlans.into();
        let circuit = maps.vlans.get(vlans).circuits[10];
        let held = Self {
            port: (port, maps.ports.get(port)),
            vlans: (vlans, circuit),
            domain: (
                bench.reconciler.domains.get(&DOMAIN).unwrap(),
                Domain::default(),
                Domain6::default(),
            ),
            circuit: (circuit.into(), Circuit::default()),
            vtep: (
                bench.reconciler.vteps.get(&vtep()).unwrap(),
                Vtep::default(),
                ReversePath::default(),
            ),
            nexthops: maps
                .nexthops
                .iter()
                .filter(|(_, hop)| u32::from(hop.port) == port)
                .map(|(index, hop)| (index, (hop, maps.nexthop_addresses.get(index))))
                .collect(),
        };
        held.now(bench)
    }

    /// The same indexes, with what they hold now.
    fn now(&self, bench: &Bench) -> Self {
        let maps = bench.maps();
        let (domain, circuit, vtep) = (self.domain.0, self.circuit.0, self.vtep.0);
        Self {
            port: (self.port.0, maps.ports.get(self.port.0)),
            vlans: (self.vlans.0, maps.vlans.get(self.vlans.0).circuits[10]),
            domain: (domain, maps.domains.get(domain), maps.domains6.get(domain)),
            circuit: (circuit, maps.circuits.get(circuit)),
            vtep: (vtep, maps.vteps.get(vtep), maps.reverse_paths.get(vtep)),
            nexthops: self
                .nexthops
                .iter()
                .map(|(i, _)| (*i, (maps.nexthops.get(*i), maps.nexthop_addresses.get(*i))))
                .collect(),
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
            nexthops: self.nexthops.iter().map(|(i, _)| (*i, Default::default())).collect(),
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
        }
    }
}

#[test]
fn what_a_packet_has_an_index_of_stays_as_it_was_until_that_packet_has_gone() {
    let mut bench = Bench::filled();
    let held = Held::by(&bench);
    assert_eq!(held.nexthops.len(), 3);
    assert!(held.vtep.2.ports != 0 && held.domain.2.local != [0, 0], "something to lose");
    bench.empty();
    assert_eq!(held.now(&bench), held.unused());
    assert_eq!(bench.maps().fdb.table().iter().count(), 0, "nobody gets there any more");

    let now = Instant::now();
    bench.reconciler.wake_at(now);
    assert_eq!(held.now(&bench), held.unused(), "it has only begun to rest");
    // In the meantime the same things have other indexes.
    bench.fill();
    let other = Held::by(&bench);
    let indexes = |held: &Held| [held.vlans.0, held.domain.0, held.circuit.0, held.vtep.0];
    for (new, old) in indexes(&other).iter().zip(indexes(&held)) {
        assert_ne!(*new, old);
    }
    let unused = held.now(&bench);
    assert_eq!((unused.vtep, unused.circuit), (held.vtep, held.circuit));
    assert_ne!(other.port.0, held.port.0, "the next of the slots that the port may have");

    let writes = bench.reconciler.writes();
    bench.reconciler.wake_at(now + GRACE);
    assert_eq!(held.now(&bench), held.emptied());
    assert_eq!(bench.reconciler.writes(), writes, "that belongs to a change of before");
    assert_eq!(other.now(&bench), other, "what is used does not rest");
    let again = bench.reconciler.vteps.allocate(&VtepKey { remote: ip("2001:db8::9"), ..vtep() });
    assert_eq!(again, Some((held.vtep.0, true)), "the index is free");
}

#[test]
fn what_a_round_freed_that_ended_early_stays_until_the_next_one_has_taken_its_references_away() {
    let mut bench = Bench::filled();
    let held = Held::by(&bench);
    let mut wanted = network();
    // A bond that takes no program, without which its member is no port either.
    let bond = PORT + 98;
    bench.kernel.state().refused.insert(bond, || AttachError::NoNativeXdp);
    wanted.structure.ports.insert(bond, port());
    wanted.structure.ports.insert(PORT, model::Port { member_of: Some(bond), ..port() });
    assert!(!bench.apply(&wanted).unusable.is_empty());
    assert_eq!(bench.reconciler.ports.slot(PORT), None);
    bench.rest();
    let port = held.now(&bench).port.1;
    assert_eq!((port.mac_and_view, port.row), (held.port.1.mac_and_view, held.port.1.row));
    assert_eq!(held.now(&bench).circuit, held.circuit, "it leads to that port");
    bench.empty();
    bench.rest();
    assert_eq!(held.now(&bench), held.emptied());
}

#[test]
fn what_was_given_back_is_told_once_whoever_woke_it() {
    let mut bench = Bench::filled();
    bench.empty();
    assert!(!bench.reconciler.wake(), "it has only begun to rest");
    bench.reconciler.wake_at(Instant::now() + GRACE);
    bench.fill();
    assert!(bench.reconciler.wake());
    assert!(!bench.reconciler.wake(), "it is known");
}

/// Host routes to addresses, all the same way.
fn hosts(bench: &mut Bench, addresses: impl IntoIterator<Item = Ipv6Addr>) -> Outcome {
    let (_, way) = host(3);
    let routes = addresses.into_iter().map(|address| {
        let prefix = Prefix { address: address.into(), length: 128 };
        (RoutePlace { view: 0, prefix }, way.clone())
    });
    bench.apply(&Wanted { routes: routes.collect(), ..network() })
}

#[test]
fn hosts_of_the_trie_move_to_the_table_when_there_is_room() {
    let mut bench = Bench::new();
    let count = bench.maps().hosts6.len() * Long::SLOTS;
    let address = |number: u32| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
    let all = |from: u32| (from..count + 1).map(address);
    assert!(!hosts(&mut bench, all(0)).full.is_empty(), "one more than there are places");
    let left = bench.reconciler.routing.hosts.in_trie().count() as u32;
    assert_ne!(left, 0);
    assert!(hosts(&mut bench, all(count / 2)).full.is_empty());
    assert_eq!(bench.reconciler.routing.hosts.in_trie().count(), 0);
    assert_eq!(bench.maps().hosts6_table().iter().count() as u32, count + 1 - count / 2);
    assert_eq!(bench.reconciler.routing.views.prefixes(), 0);
    assert_eq!(hosts(&mut bench, all(count / 2)).changes, 0);
}

#[test]
fn two_addresses_with_one_fingerprint_are_never_in_the_table_while_a_packet_may_see_both() {
    let mut bench = Bench::new();
    let one: Ipv6Addr = "2001:db8::1".parse().unwrap();
    hosts(&mut bench, [one]);
    let entry = bench.maps().hosts6_table().entries().next().expect("it is there");
    let rest = hosts6::rest(
        hosts6::split_key(entry.key, entry.rest).0,
        halves::of("2001:db8:1::".parse().unwrap()),
    );
    let other = halves::address(hosts6::split_key(entry.key, rest).1);
    let is_in_table =
        |bench: &Bench, rest| bench.maps().hosts6_table().get_long(entry.key, rest).is_some();
    let in_trie = |bench: &Bench| -> Vec<IpAddr> {
        bench.reconciler.routing.hosts.in_trie().map(|((_, address), _)| address).collect()
    };
    hosts(&mut bench, [one, other]);
    assert!(is_in_table(&bench, entry.rest) && !is_in_table(&bench, rest));
    assert_eq!(in_trie(&bench), [other]);
    // The same address may come back, and go again.
    let mut now = Instant::now();
    for _ in 0..2 {
        hosts(&mut bench, []);
        bench.reconciler.wake_at(now);
        assert!(hosts(&mut bench, [one]).full.is_empty());
        assert!(is_in_table(&bench, entry.rest));
        now += GRACE / 2;
    }
    hosts(&mut bench, [other]);
    bench.reconciler.wake_at(now);
    for rest in [GRACE / 2, GRACE] {
        bench.reconciler.wake_at(now + rest - Duration::from_nanos(1));
        hosts(&mut bench, [other]);
        assert_eq!(bench.maps().hosts6_table().iter().count(), 0, "the fingerprint rests");
        assert_eq!(in_trie(&bench), [other]);
    }
    bench.reconciler.wake_at(now + GRACE);
    hosts(&mut bench, [other]);
    assert!(is_in_table(&bench, rest));
    assert_eq!(in_trie(&bench), [] as [IpAddr; 0]);
}

#[test]
fn a_next_hop_stays_when_in_one_round_its_hosts_go_and_others_come() {
    let mut bench = Bench::filled();
    let held = Held::by(&bench);
    let prefix = Prefix { address: ip("2001:db8::99"), length: 128 };
    let routes = [(RoutePlace { view: 0, prefix }, host(3).1)].into_iter().collect();
    let wanted = Wanted { routes, ..network() };
    bench.apply(&wanted);
    bench.rest();
    assert_eq!(held.now(&bench).nexthops, held.nexthops);
    assert_eq!(bench.apply(&wanted).changes, 0);
}

#[test]
fn a_daemon_that_is_killed_while_something_rests_leaves_nothing_behind_for_ever() {
    let mut killed = Bench::filled();
    let held = Held::by(&killed);
    killed.empty();
    let mut next = killed.restart();
    next.empty();
    assert_eq!(held.now(&next).vtep, held.vtep, "it rests once more");
    next.rest();
    // What nobody finds when it starts is overwritten when it is used.
    let (now, emptied) = (held.now(&next), held.emptied());
    assert_eq!((now.circuit, now.vtep), (emptied.circuit, emptied.vtep));
    assert_eq!((now.nexthops, now.domain.1.flags), (emptied.nexthops, emptied.domain.1.flags));
    assert_eq!(next.maps().vteps.iter().filter(|(_, vtep)| vtep.in_use()).count(), 0);
}

#[test]
fn what_rested_when_a_daemon_was_killed_is_free_a_second_after_the_next_one_has_started() {
    let mut killed = Bench::new();
    let other = VtepKey { remote: ip("2001:db8::9"), ..vtep() };
    assert_eq!(killed.reconciler.vteps.allocate(&other), Some((1, true)));
    assert_eq!(killed.reconciler.numbers.allocate(PORT + 1), Some((1, true)));
    killed.fill();
    let mut next = killed.restart().reconciler;
    next.wake_at(Instant::now() + GRACE);
    assert_eq!(next.vteps.allocate(&other), Some((1, true)));
    assert_eq!(next.numbers.allocate(PORT + 1), Some((1, true)));
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
    let mut killed = Bench::filled();
    let mut first = Held::by(&killed);
    killed.empty();
    killed.fill();
    let mut second = Held::by(&killed);
    if lower {
        // The first index is free again.
        killed.rest();
        killed.empty();
        killed.fill();
        first = std::mem::replace(&mut second, Held::by(&killed));
    }
    assert_eq!(second.vtep.0 < first.vtep.0, lower);
    let mut next = killed.restart();
    next.fill();
    let used = Held::by(&next);
    assert_eq!(used.vtep, second.vtep);
    for held in [&first, &second] {
        assert_eq!(held.now(&next).vtep, held.vtep, "packets may be on their way to both");
        assert_eq!(held.now(&next).circuit.1, held.circuit.1);
    }
    let peer = next.maps().peers.table().get(used.vtep.1.peer());
    assert_eq!(peer, Some(used.vtep.0));
    assert_eq!(next.fill().changes, 0, "all is as it should be");
    next.rest();
    assert_eq!(used.now(&next), used);
    assert_eq!(next.maps().vteps.iter().filter(|(_, vtep)| vtep.in_use()).count(), 1);
    assert_eq!(next.maps().circuits.iter().filter(|(_, each)| each.port != 0).count(), 1);
    assert_eq!(next.maps().nexthops.iter().filter(|(_, each)| each.port != 0).count(), 3);
}

/// A look at the port costs a frame a cache line.
#[test]
fn frames_to_hosts_look_at_their_port_from_its_loss_until_no_circuit_leads_there() {
    let mut bench = Bench::filled();
    let looks = |bench: &mut Bench| {
        bench.reconciler.wake();
        bench.maps().settings.get(0).lost_ports != 0
    };
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    // As the thread does that watches links.
    let set = |bench: &Bench, down| {
        bench.maps().ports.update(slot, |port| port.down = down);
        bench.maps().settings.update(0, |settings| settings.lost_ports = 1);
    };
    set(&bench, 0);
    assert!(!looks(&mut bench), "the port lives");
    set(&bench, 1);
    assert!(looks(&mut bench) && looks(&mut bench), "a circuit leads there");
    let mut without = network();
    without.structure.circuits.clear();
    bench.apply(&without);
    assert!(looks(&mut bench), "a packet may still be on its way there");
    bench.rest();
    assert!(!looks(&mut bench));
}
