//! Ports: slots, programs, redirect targets.

use fabric_common::schema::ports::{
    FLAG_HID_TAGS, FLAG_MEMBER, Port, ROLE_ACCESS, ROLE_GATEWAY, TUNNELS,
};

use super::{system::Refusal, *};
use crate::kernel::{
    links::AttachError,
    memory::after_each_store,
    programs::{ACCESS, ROUTED},
};

/// What the map says of an interface.
fn entry(bench: &Bench, ifindex: u32) -> Option<Port> {
    bench.reconciler.ports.slot(ifindex).map(|slot| bench.maps().ports.get(slot))
}

#[test]
fn a_port_whose_program_is_refused_is_named_and_nothing_that_needs_ports_is_written() {
    let reasons: [(Refusal, &str); 4] = [
        (|| AttachError::Foreign("port".into()), "another XDP program holds it"),
        (|| AttachError::Gone, "does not exist any more"),
        (|| AttachError::NoNativeXdp, "no native XDP"),
        (|| AttachError::Pin("no such file".into()), "cannot pin the link"),
    ];
    for (error, why) in reasons {
        let mut bench = Bench::new();
        bench.kernel.state().refused.insert(PORT, error);
        let outcome = bench.apply(&network());
        let text = &outcome.unusable[&PORT];
        assert!(
            text.starts_with("port port is left to the kernel: ") && text.contains(why),
            "{text}"
        );
        assert!(outcome.waiting.is_empty(), "a slot is not what it lacks");
        assert_eq!(entry(&bench, PORT), None);
        assert_eq!(bench.maps().domains.iter().filter(|(_, d)| d.flags != 0).count(), 0);
        assert_eq!(bench.maps().fdb_table().iter().count(), 0);

        bench.kernel.state().refused.clear();
        bench.fill();
        assert!(entry(&bench, PORT).is_some());
    }
}

#[test]
fn a_port_that_cannot_be_redirected_to_gets_no_program() {
    let mut bench = Bench::new();
    bench.kernel.state().no_targets.insert(PORT);
    let outcome = bench.apply(&network());
    assert!(outcome.unusable[&PORT].contains("does not exist any more"), "{outcome:?}");
    assert_eq!(bench.kernel.asked(), []);
}

#[test]
fn a_port_without_a_free_slot_waits_for_one_and_gets_that_of_a_port_that_has_rested() {
    let mut bench = Bench::new();
    let slots = bench.maps().ports.len();
    let mut wanted = network();
    // Slot 0 is none.
    for ifindex in 2..=slots {
        wanted.access_port(ifindex);
    }
    let outcome = bench.apply(&wanted);
    let waiting = outcome.waiting.clone();
    assert!(!waiting.is_empty() && waiting.iter().eq(outcome.unusable.keys()), "{outcome:?}");
    for ifindex in &waiting {
        assert!(outcome.unusable[ifindex].contains("raise port_entries"));
        wanted.structure.ports.remove(ifindex);
    }
    assert!(bench.apply(&wanted).unusable.is_empty());
    // One goes, one of those that wait comes.
    let first = *waiting.first().unwrap();
    let gone: Vec<u32> = (2..slots).filter(|ifindex| !waiting.contains(ifindex)).collect();
    for ifindex in &gone {
        wanted.structure.ports.remove(ifindex);
    }
    assert!(bench.apply(&wanted).freed);
    wanted.access_port(first);
    assert!(bench.apply(&wanted).waiting.contains(&first), "the slots rest");
    bench.rest();
    assert!(bench.apply(&wanted).unusable.is_empty());
}

#[test]
fn a_program_stays_in_use_when_the_kernel_cannot_be_asked_about_it_or_does_not_answer() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    for unsaid in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::ETIMEDOUT] {
        bench.kernel.state().errno = Some(unsaid);
        assert_eq!(bench.fill().changes, 0);
    }
    assert_eq!(bench.kernel.asked(), []);
    bench.kernel.state().errno = Some(libc::EPERM);
    let outcome = bench.apply(&network());
    assert!(
        outcome.unusable[&PORT].contains("rxvlan"),
        "asked anew, and that is refused: {outcome:?}"
    );
}

#[test]
fn only_an_audit_and_doubt_ask_the_kernel_where_programs_are() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    // Somebody has taken it off, and the interface is another one.
    bench.kernel.state().targets.clear();
    bench.kernel.state().programs.clear();
    bench.kernel.state().programs.insert(PORT, ROUTED);
    assert_eq!(bench.change(&network()).changes, 0);
    assert_eq!((bench.kernel.asked(), bench.kernel.state().targets.len()), (Vec::new(), 0));
    bench.reconciler.doubt(PORT);
    let outcome = bench.change(&network());
    assert_eq!(outcome.new_ports, [(PORT, PORT)].into());
    assert_eq!(bench.kernel.state().targets[&slot], PORT);
    assert_eq!(bench.kernel.asked(), [(ROUTED, PORT)]);
    bench.kernel.state().targets.clear();
    assert_eq!(bench.fill().changes, 1, "an audit looks at the target");
}

#[test]
fn a_port_of_another_role_runs_the_other_program_and_its_circuits_go_first() {
    let mut bench = Bench::filled();
    assert_eq!(bench.kernel.asked(), [(ROUTED, PORT)]);
    let table = entry(&bench, PORT).unwrap().vlans;
    let mut wanted = network();
    let port = wanted.structure.ports.get_mut(&PORT).unwrap();
    *port = model::Port {
        role: Role::Access,
        view: None,
        tagged: [].into(),
        arrivals: Arrivals::Nothing,
        ..port.clone()
    };
    bench.apply(&wanted);
    assert_eq!(bench.kernel.asked(), [(ACCESS, PORT)]);
    let now = entry(&bench, PORT).unwrap();
    assert_eq!((now.role, now.vlans), (ROLE_ACCESS, 0));
    let circuit = bench.reconciler.circuits.get(&CIRCUIT).unwrap();
    assert_eq!(u32::from(bench.maps().vlans.get(table.into()).circuits[10]), circuit, "it rests");
    bench.rest();
    assert_eq!(bench.maps().vlans.get(table.into()).circuits[10], 0);
}

#[test]
fn members_of_a_bond_run_no_program_of_their_own_and_count_as_the_bond() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    let bond = 9;
    let mut wanted = network();
    wanted.structure.ports.insert(bond, port());
    wanted.structure.ports.insert(PORT, model::Port { member_of: Some(bond), ..port() });
    bench.apply(&wanted);
    assert_eq!(bench.kernel.asked(), [("detach", PORT), (ROUTED, bond)]);
    let member = entry(&bench, PORT).unwrap();
    assert_eq!(u32::from(member.as_port), bench.reconciler.ports.slot(bond).unwrap());
    assert_ne!(member.flags & FLAG_MEMBER, 0);
    assert_eq!(bench.apply(&wanted).changes, 0);
}

#[test]
fn an_idle_port_has_a_slot_and_no_program() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    let mut wanted = network();
    wanted.structure.ports.get_mut(&PORT).unwrap().idle = true;
    bench.apply(&wanted);
    assert_eq!(bench.kernel.asked(), [("detach", PORT)]);
    assert!(entry(&bench, PORT).is_some());
    assert_eq!(bench.apply(&wanted).changes, 0);
}

#[test]
fn a_port_that_becomes_a_gateway_loses_its_program() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    bench.apply(&with_gateway(DOMAIN));
    assert_eq!(bench.kernel.asked(), [("detach", PORT)]);
    assert_eq!(entry(&bench, PORT).unwrap().role, ROLE_GATEWAY);
    assert_eq!(bench.apply(&with_gateway(DOMAIN)).changes, 0);
}

#[test]
fn a_gateway_that_becomes_a_port_is_a_target_of_redirects_at_once() {
    let mut bench = Bench::new();
    bench.apply(&with_gateway(DOMAIN));
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    assert!(!bench.kernel.state().targets.contains_key(&slot));
    bench.apply(&network());
    assert_eq!(bench.reconciler.ports.slot(PORT), Some(slot));
    assert_eq!(bench.kernel.state().targets[&slot], PORT);
}

#[test]
fn a_gateway_that_was_made_anew_for_another_vlan_is_never_in_the_old_ones_domain() {
    const ANEW: u32 = 1_400;
    let settings = settings();
    let (maps, same) = Maps::in_memory_twice(&settings.sizes()).unwrap();
    let mut bench = Bench::over(maps, Fake::default(), &settings);
    bench.apply(&with_gateway(DOMAIN));
    let old = entry(&bench, PORT).unwrap().untagged_domain;
    assert_ne!(old, 0);
    let other = DomainKey { vlan: DOMAIN.vlan + 1, ..DOMAIN };
    let mut wanted = with_gateway(other);
    let domain = model::Domain { vni: None, ..wanted.structure.domains[&DOMAIN].clone() };
    wanted.structure.domains.insert(other, domain);
    wanted.structure.ports.get_mut(&PORT).unwrap().mtu = ANEW;
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    let watch = after_each_store(move || {
        let port = same.ports.get(slot);
        assert!(port.mtu != ANEW || port.untagged_domain != old);
    });
    bench.apply(&wanted);
    drop(watch);
    let new = entry(&bench, PORT).unwrap().untagged_domain;
    assert!(new != 0 && new != old);
    assert_eq!(bench.apply(&wanted).changes, 0);
}

const TUNNEL: u32 = TUNNELS | 5;

/// The network with a tunnel that next hops choose.
fn with_tunnel() -> Wanted {
    let mut wanted = network();
    let key = DomainKey { bridge: TUNNEL, vlan: 0 };
    let of_bridge = wanted.structure.domains[&DOMAIN].clone();
    let domain = model::Domain { vni: Some(4_002), vxlan: 9, only_sends: true, ..of_bridge };
    wanted.structure.domains.insert(key, domain);
    let port = model::Port {
        name: "svd VNI 4002".into(),
        role: Role::Gateway,
        domain: Some(key),
        tagged: [].into(),
        view: None,
        arrivals: Arrivals::Nothing,
        ..port()
    };
    wanted.structure.ports.insert(TUNNEL, port);
    wanted
}

#[test]
fn what_stands_for_a_tunnel_is_dead_until_somebody_has_looked_whether_its_device_lives() {
    let mut bench = Bench::filled();
    bench.kernel.asked();
    assert_eq!(bench.change(&with_tunnel()).new_ports, [(TUNNEL, 9)].into());
    assert_eq!(entry(&bench, TUNNEL).unwrap().down, 1);
    assert_eq!(bench.change(&with_tunnel()).new_ports, [].into());
    // It has no interface of its own, of which the kernel could be asked anything.
    assert_eq!((bench.kernel.asked(), bench.kernel.state().targets.len()), (vec![], 1));
}

#[test]
fn the_next_daemon_takes_a_tunnel_over_and_learns_whose_device_it_has() {
    let mut bench = Bench::new();
    bench.apply(&with_tunnel());
    let slot = bench.reconciler.ports.slot(TUNNEL).unwrap();
    bench.maps().ports.update(slot, |port| port.down = 0);
    let before = bench.maps().ports.get(slot);
    let mut next = bench.restart();
    let outcome = next.apply(&with_tunnel());
    assert_eq!(outcome.changes, 1, "the program of the port is swapped");
    assert_eq!(outcome.new_ports.get(&TUNNEL), Some(&9));
    assert_eq!(entry(&next, TUNNEL), Some(before));
    assert_eq!(next.reconciler.ports.slot(TUNNEL), Some(slot));
}

#[test]
fn tags_that_were_hidden_are_hidden_again_when_the_port_goes_also_by_the_next_daemon() {
    let mut bench = Bench::new();
    bench.kernel.state().hide_tags.insert(PORT);
    bench.fill();
    assert_ne!(entry(&bench, PORT).unwrap().flags & FLAG_HID_TAGS, 0);
    let mut next = bench.restart();
    next.fill();
    assert_ne!(entry(&next, PORT).unwrap().flags & FLAG_HID_TAGS, 0);
    assert!(next.kernel.state().restored.is_empty());
    next.empty();
    assert_eq!(next.kernel.state().restored, [PORT].into());
}

#[test]
fn programs_of_an_earlier_daemon_on_what_is_no_port_are_taken_off() {
    let mut bench = Bench::new();
    bench.kernel.state().earlier.extend([PORT, 5]);
    bench.fill();
    assert_eq!(bench.kernel.asked(), [(ROUTED, PORT), ("detach", 5)]);
    assert_eq!(entry(&bench, PORT).unwrap().down, 1, "nobody has looked whether it lives");
}

#[test]
fn a_port_that_is_taken_over_with_its_program_keeps_what_is_known_of_it() {
    let bench = Bench::filled();
    let slot = bench.reconciler.ports.slot(PORT).unwrap();
    bench.maps().ports.update(slot, |port| port.down = 0);
    let before = bench.maps().ports.get(slot);
    let mut next = bench.restart();
    next.fill();
    assert_eq!(next.kernel.asked()[1..], [(ROUTED, PORT)], "the program is swapped");
    assert_eq!(next.maps().ports.get(slot), before);
}
