//! VTEPs, peers, and where tunnels may end.

use fabric_common::schema::ports::{DECAPSULATES_ALL, DECAPSULATES_NONE};

use super::*;

fn index(bench: &Bench) -> u32 {
    bench.reconciler.vteps.get(&vtep()).expect("there is the VTEP")
}

fn peer(bench: &Bench, index: u32) -> Option<u32> {
    bench.maps().peers.table().get(bench.maps().vteps.get(index).peer())
}

#[test]
fn another_way_to_a_vtep_is_one_word_and_none_leaves_it_to_the_kernel() {
    let mut bench = Bench::filled();
    let at = index(&bench);
    let mut wanted = network();
    wanted.spread(21, &[1]);
    wanted.structure.vteps.insert(vtep(), Some(GroupKey::Object(21)));
    bench.change(&wanted);
    assert_eq!((index(&bench), bench.maps().vteps.get(at).group), (at, bench.group(21)));
    wanted.structure.vteps.insert(vtep(), None);
    bench.change(&wanted);
    assert_eq!(bench.maps().vteps.get(at).group, 0);
    assert_eq!(peer(&bench, at), Some(at), "what it sends is taken all the same");
}

#[test]
fn what_a_vtep_sends_is_the_kernels_as_long_as_nobody_is_to_hear_it() {
    let mut bench = Bench::filled();
    let at = index(&bench);
    let mut wanted = network();
    wanted.structure.unheard.insert(vtep());
    bench.change(&wanted);
    assert_eq!((index(&bench), peer(&bench, at)), (at, None));
    assert_eq!(bench.change(&wanted).changes, 0);
    bench.change(&network());
    assert_eq!(peer(&bench, at), Some(at));
}

#[test]
fn a_vtep_that_goes_is_no_peer_from_then_on_and_stays_until_it_has_rested() {
    let mut bench = Bench::filled();
    let at = index(&bench);
    let mut wanted = network();
    wanted.structure.vteps.clear();
    wanted.macs.pop();
    bench.apply(&wanted);
    assert_eq!(bench.maps().peers.table().iter().count(), 0);
    assert!(bench.maps().vteps.get(at).in_use());
    bench.rest();
    assert!(!bench.maps().vteps.get(at).in_use());
}

#[test]
fn a_port_takes_the_tunnels_that_it_may_and_which_these_are_is_known_after_a_restart() {
    let mut bench = Bench::filled();
    let at = index(&bench);
    let number = |bench: &Bench| {
        let slot = bench.reconciler.ports.slot(PORT).unwrap();
        bench.maps().ports.get(slot).decapsulates
    };
    let first = number(&bench);
    assert!(first != DECAPSULATES_ALL && first != DECAPSULATES_NONE);
    assert_ne!(bench.maps().reverse_paths.get(at).ports, 0);
    let mut wanted = network();
    let arrivals = |wanted: &mut Wanted, arrivals| {
        wanted.structure.ports.get_mut(&PORT).unwrap().arrivals = arrivals;
    };
    arrivals(&mut wanted, Arrivals::AllBut([vtep()].into()));
    bench.change(&wanted);
    assert_eq!((number(&bench), bench.maps().reverse_paths.get(at).ports), (first, 0));
    let mut next = bench.restart();
    next.apply(&wanted);
    assert_eq!(number(&next), first);
    for (what, is) in [(Arrivals::All, DECAPSULATES_ALL), (Arrivals::Nothing, DECAPSULATES_NONE)] {
        arrivals(&mut wanted, what);
        next.change(&wanted);
        assert_eq!(number(&next), is);
    }
}

#[test]
fn of_more_ports_than_there_are_numbers_the_rest_takes_no_tunnels() {
    let mut bench = Bench::with(&Settings { port_entries: 256, ..settings() });
    let mut wanted = network();
    for ifindex in 2..=65 {
        wanted.structure.ports.insert(ifindex, model::Port { tagged: [].into(), ..port() });
    }
    let outcome = bench.apply(&wanted);
    assert_eq!(outcome.full.len(), 1, "{outcome:?}");
    let taking = bench.maps().ports.iter().filter(|(_, port)| port.ifindex != 0);
    assert_eq!(taking.filter(|(_, port)| port.decapsulates == DECAPSULATES_NONE).count(), 1);
}

#[test]
fn a_vtep_may_send_to_other_addresses_of_the_box_as_long_as_they_lead_to_it() {
    let mut bench = Bench::filled();
    let at = index(&bench);
    let alias = VtepKey { local: ip("2001:db8:ff::77"), ..vtep() };
    let of = |bench: &Bench| {
        let value = fabric_common::schema::vteps::Vtep::between(alias.local, alias.remote, 0);
        bench.maps().peers.table().get(value.unwrap().peer())
    };
    let mut wanted = network();
    wanted.structure.aliases.insert(alias, vtep());
    bench.change(&wanted);
    assert_eq!((index(&bench), peer(&bench, at), of(&bench)), (at, Some(at), Some(at)));
    assert_eq!(bench.change(&wanted).changes, 0);
    // It becomes a VTEP of its own, with another entry.
    wanted.structure.aliases.clear();
    wanted.structure.vteps.insert(alias, None);
    bench.change(&wanted);
    assert!(of(&bench).is_some_and(|own| own != at));
    wanted.structure.vteps.remove(&alias);
    bench.change(&wanted);
    assert_eq!((of(&bench), peer(&bench, at)), (None, Some(at)));
}
