//! Tunnels whose underlay is in a VRF.

use super::{
    arrivals::rp_filter,
    incremental::Incremental,
    router::{own_address, prefix, rule, via_object},
    world::*,
};
use crate::{model::*, observe::*};

/// The VRF `red`, in which both uplinks are.
const RED: u32 = 90;
const TABLE: u32 = 1001;
/// Another one.
const BLUE: u32 = 91;
/// A second bridge and its vxlan device.
const BR20: u32 = 40;
const VX20: u32 = 41;

fn uplink(ifindex: u32, master: Option<u32>) -> Link {
    let name = if ifindex == U1 { "u1" } else { "u2" };
    Link { master, mtu: 9000, ..veth(ifindex, name) }
}

fn in_red(options: Vxlan) -> Link {
    vx10(Vxlan { bound_to: Some(RED), ..options })
}

fn l3mdev(v6: bool) -> Rule {
    Rule { l3mdev: true, ..rule(v6, 1000, RuleAction::Lookup(0)) }
}

fn vrf(ifindex: u32, name: &str, table: u32) -> Link {
    link(ifindex, name, LinkKind::Vrf { table })
}

/// The leaf with its uplinks and its local address in the VRF.
fn leaf_in_vrf() -> Incremental {
    let mut leaf = leaf();
    leaf.apply(vrf(RED, "red", TABLE));
    for v6 in [false, true] {
        leaf.apply(l3mdev(v6));
    }
    for ifindex in [U1, U2] {
        leaf.apply(uplink(ifindex, Some(RED)));
    }
    leaf.withdraw(own_address(255, "10.0.0.1", 1));
    leaf.apply(own_address(TABLE, "10.0.0.1", RED));
    leaf.withdraw(route("10.0.0.2", 32, Some(20)));
    leaf.apply(via_object(TABLE, "10.0.0.2/32", 20));
    leaf.apply(Link { up: false, ..in_red(vxlan(10_010)) });
    leaf.apply(in_red(vxlan(10_010)));
    leaf
}

/// A second tunnel, of which nothing but the device is known.
fn second(leaf: &mut Incremental, options: Vxlan) {
    leaf.apply(link(BR20, "br20", bridge(false)));
    leaf.apply(port_of(BR20, link(VX20, "vx20", LinkKind::Vxlan(options))));
}

fn at(leaf: &Incremental, ifindex: u32) -> Arrivals {
    leaf.structure().ports[&ifindex].arrivals.clone()
}

fn group(leaf: &Incremental) -> Option<GroupKey> {
    leaf.structure().vteps.get(&VTEP).cloned().flatten()
}

/// The tunnel is the kernel's, which is named so.
#[track_caller]
fn assert_left(leaf: &Incremental, why: &str) {
    leaf.assert_named(why);
    assert_eq!(leaf.structure().domains[&DOMAIN].vni, None, "{why}");
    assert_eq!(leaf.place(2), None, "{why}");
}

#[test]
fn a_tunnel_in_a_vrf_leads_by_its_table_and_ends_at_its_ports() {
    let mut leaf = leaf_in_vrf();
    assert_eq!(leaf.problems(), "");
    let structure = leaf.structure();
    assert_eq!(structure.vrfs, [(LOCAL, RED)].into());
    assert_eq!(structure.vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
    assert_eq!([U1, U2].map(|port| at(&leaf, port)), [Arrivals::All, Arrivals::All]);
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    // A route of the VRF's table comes and goes.
    leaf.withdraw(via_object(TABLE, "10.0.0.2/32", 20));
    assert_eq!(group(&leaf), None);
    leaf.assert_named("VTEP 10.0.0.2: no route");
    leaf.apply(via_object(TABLE, "10.0.0.0/24", 11));
    assert_eq!(group(&leaf), Some(GroupKey::Object(11)));
    leaf.apply(via_object(TABLE, "10.0.0.2/32", 12));
    assert_eq!(group(&leaf), Some(GroupKey::Object(12)));
}

#[test]
fn an_uplink_that_moves_ends_tunnels_only_while_it_is_in_the_vrf() {
    let mut leaf = leaf_in_vrf();
    for _ in 0..2 {
        leaf.apply(uplink(U1, None));
        // The route still leads there, over which the kernel sends.
        assert_eq!(group(&leaf), Some(GroupKey::Object(20)));
        assert_eq!([U1, U2].map(|port| at(&leaf, port)), [Arrivals::Nothing, Arrivals::All]);
        leaf.apply(uplink(U1, Some(BLUE)));
        leaf.apply(vrf(BLUE, "blue", 1002));
        assert_eq!(at(&leaf, U1), Arrivals::Nothing, "in another one");
        leaf.apply(uplink(U1, Some(RED)));
        assert_eq!([U1, U2].map(|port| at(&leaf, port)), [Arrivals::All, Arrivals::All]);
    }
    // Its own view is that of the VRF's ports.
    assert_eq!(leaf.problems(), "");
}

#[test]
fn the_local_address_of_a_tunnel_in_a_vrf_is_one_of_that_vrf_and_of_nothing_else() {
    let mut leaf = leaf_in_vrf();
    leaf.withdraw(own_address(TABLE, "10.0.0.1", RED));
    assert_left(&leaf, "the local address 10.0.0.1, which no interface in the VRF red has");
    leaf.apply(own_address(255, "10.0.0.1", 1));
    assert_left(&leaf, "the local address 10.0.0.1, which no interface in the VRF red has");
    leaf.apply(own_address(TABLE, "10.0.0.1", U1));
    assert_left(&leaf, "the local address 10.0.0.1, which is in the VRF red and outside VRFs");
    leaf.withdraw(own_address(255, "10.0.0.1", 1));
    assert_eq!(leaf.problems(), "");
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    leaf.apply(in_red(Vxlan { local: None, ..vxlan(10_010) }));
    assert_left(&leaf, "has its underlay in the VRF red and no local address");
}

#[test]
fn a_vrf_that_is_down_or_filters_is_named() {
    let mut leaf = leaf_in_vrf();
    leaf.apply(Link { up: false, ..vrf(RED, "red", TABLE) });
    assert_left(&leaf, "vx10 has its underlay in the VRF red, which is down, left to the kernel");
    leaf.apply(vrf(RED, "red", TABLE));
    assert_eq!(leaf.problems(), "");
    let filters = Classifiers { arriving: false, leaving: true };
    leaf.apply(Event::Classifiers([(RED, filters)].into()));
    assert_left(&leaf, "vx10 has its underlay in the VRF red, which has filters of `tc`");
    leaf.apply(Event::Classifiers([].into()));
    assert_eq!(leaf.problems(), "");
}

#[test]
fn an_entry_may_name_the_vrf_to_send_by_and_no_port_of_it() {
    let mut leaf = leaf_in_vrf();
    for (via, place) in [(RED, Some(Target::Remote(VTEP))), (U1, None), (BLUE, None)] {
        let target = TunnelTarget::Vtep { address: REMOTE, port: None, vni: None, via: Some(via) };
        leaf.apply(TunnelMac { target, ..tunnel_mac(host(2), REMOTE) });
        assert_eq!(leaf.place(2), place, "{via}");
    }
}

#[test]
fn the_source_of_what_arrives_in_a_vrf_is_looked_for_there() {
    let mut leaf = leaf_in_vrf();
    leaf.apply(via_object(TABLE, "10.0.0.2/32", 11));
    // Both still lead somewhere.
    leaf.apply(tunnel_mac(Mac::ZERO, ip("10.0.0.3")));
    leaf.apply(via_object(TABLE, "10.0.0.3/32", 12));
    leaf.apply(rp_filter(Some(U1), 1));
    let third = VtepKey { local: LOCAL, remote: ip("10.0.0.3") };
    assert_eq!(at(&leaf, U1), Arrivals::AllBut([third].into()));
    leaf.apply(rp_filter(Some(U1), 2));
    assert_eq!(at(&leaf, U1), Arrivals::AllBut([third].into()), "it has no address");
    leaf.apply(own_address(TABLE, "192.0.2.1", U1));
    assert_eq!(at(&leaf, U1), Arrivals::All);
}

#[test]
fn rules_that_kernels_read_in_different_ways_leave_the_vtep_to_the_kernel() {
    for by in [
        Rule { iif: Some("red".into()), ..rule(false, 50, RuleAction::Lookup(TABLE)) },
        Rule { oif: Some("red".into()), ..rule(false, 50, RuleAction::Lookup(TABLE)) },
    ] {
        let mut leaf = leaf_in_vrf();
        leaf.apply(by);
        assert_eq!(group(&leaf), None);
        leaf.assert_named("may apply to some packets to it");
    }
    // One for all of them is followed.
    let mut leaf = leaf_in_vrf();
    leaf.apply(Rule {
        to: Some(prefix("10.0.0.2/32")),
        ..rule(false, 50, RuleAction::Lookup(TABLE))
    });
    leaf.withdraw(l3mdev(false));
    assert_eq!(group(&leaf), Some(GroupKey::Object(20)));
    assert_eq!(at(&leaf, U1), Arrivals::Nothing, "no rule leads to the local address");
}

#[test]
fn what_the_kernel_has_learned_about_a_way_counts_in_the_vrf_that_it_was_asked_about() {
    let mut leaf = leaf_in_vrf();
    let path = Path { mtu: Some(1_400), learned: false, ifindex: U1, gateway: None };
    for (vrf, counts) in [(None, false), (Some(BLUE), false), (Some(RED), true)] {
        leaf.policy.learned = [((vrf, REMOTE), path)].into();
        leaf.update(&Dirty::policy());
        assert_eq!(group(&leaf).is_none(), counts, "{vrf:?}");
    }
    assert_eq!(leaf.structure().asked(VTEP), (Some(RED), REMOTE));
}

#[test]
fn tunnels_outside_vrfs_go_on_beside_those_in_one() {
    let mut leaf = leaf_in_vrf();
    leaf.apply(own_address(255, "10.0.0.21", 1));
    second(&mut leaf, Vxlan { local: Some(ip("10.0.0.21")), ..vxlan(10_020) });
    let eth0 = 60;
    leaf.apply(link(eth0, "eth0", LinkKind::Device));
    leaf.apply(single(13, eth0, Some("198.51.100.1")));
    leaf.apply(neighbour(eth0, "198.51.100.1", Some(Mac([2, 0, 0, 0, 0, 0x53]))));
    // The same VTEP by another way.
    leaf.apply(route("10.0.0.2", 32, Some(13)));
    leaf.apply(TunnelMac { vxlan: VX20, ..tunnel_mac(Mac::ZERO, REMOTE) });
    let outside = VtepKey { local: ip("10.0.0.21"), remote: REMOTE };
    let structure = leaf.structure();
    assert_eq!(leaf.problems(), "");
    assert_eq!(structure.vteps[&outside], Some(GroupKey::Object(13)));
    assert_eq!(structure.vteps[&VTEP], Some(GroupKey::Object(20)));
    assert_eq!(at(&leaf, eth0), Arrivals::AllBut([VTEP].into()));
    assert_eq!(at(&leaf, U1), Arrivals::AllBut([outside].into()));
    // One that hears of all VTEPs would be given what is the VRF's.
    second(&mut leaf, Vxlan { local: None, ..vxlan(10_020) });
    leaf.assert_named("what arrives in VRFs for tunnels over IPv4 is left to the kernel");
    let structure = leaf.structure();
    assert!(structure.unheard.contains(&VTEP));
    assert_eq!(structure.vteps[&VTEP], Some(GroupKey::Object(20)), "what is sent is not");
}

#[test]
fn of_two_tunnels_with_one_vni_or_one_address_in_two_vrfs_one_is_the_kernels() {
    let mut leaf = leaf_in_vrf();
    leaf.apply(vrf(BLUE, "blue", 1002));
    leaf.apply(own_address(1002, "10.0.0.21", BLUE));
    let blue = Vxlan { bound_to: Some(BLUE), ..vxlan(10_020) };
    let heard = |leaf: &Incremental| {
        let domains = leaf.structure().domains;
        [BR10, BR20].map(|bridge| domains[&DomainKey { bridge, vlan: 0 }].vni.is_some())
    };
    second(&mut leaf, Vxlan { local: Some(ip("10.0.0.21")), ..blue.clone() });
    assert_eq!((heard(&leaf), leaf.problems()), ([true, true], String::new()));
    assert_eq!(leaf.structure().vrfs, [(LOCAL, RED), (ip("10.0.0.21"), BLUE)].into());
    second(&mut leaf, Vxlan { local: Some(ip("10.0.0.21")), vni: 10_010, ..blue.clone() });
    assert_eq!(heard(&leaf), [true, false]);
    leaf.assert_named("vx20 has the VNI 10010 on the UDP port 4789 that vx10 has in another VRF");
    // On another port it has a place of its own.
    let elsewhere = Vxlan { vni: 10_010, port: 4790, ..blue.clone() };
    second(&mut leaf, Vxlan { local: Some(ip("10.0.0.21")), ..elsewhere });
    assert_eq!(heard(&leaf), [true, true]);
    leaf.apply(own_address(1002, "10.0.0.1", BLUE));
    second(&mut leaf, blue);
    assert_eq!(heard(&leaf), [true, false]);
    leaf.assert_named("10.0.0.1 in the VRF blue, and another one has it in the VRF red");
}

/// The socket stays in the VRF in which the device came up, whatever becomes of what it is bound to.
#[test]
fn a_device_whose_underlay_moved_while_it_was_up_is_the_kernels_until_it_comes_up_anew() {
    const WHY: &str = "vx10 came up when what it is bound to was in another VRF, or in none";
    let mut leaf = leaf_in_vrf();
    leaf.apply(vrf(BLUE, "blue", 1002));
    let bound_to = |port: u32| vx10(Vxlan { bound_to: Some(port), ..vxlan(10_010) });
    leaf.apply(bound_to(BLUE));
    assert_left(&leaf, WHY);
    // Back, which may be where the socket is, but nobody knows of which way it had come.
    leaf.apply(in_red(vxlan(10_010)));
    assert_left(&leaf, WHY);
    for link in [in_red(vxlan(10_010)), bound_to(U1)] {
        leaf.apply(Link { up: false, ..link.clone() });
        leaf.apply(link);
        assert!(!leaf.problems().contains(WHY), "{}", leaf.problems());
    }
    // Out of the VRF goes the port, and the socket stays.
    leaf.apply(own_address(255, "10.0.0.1", 1));
    leaf.apply(uplink(U1, None));
    assert_left(&leaf, WHY);
    leaf.apply(Link { up: false, ..bound_to(U1) });
    leaf.apply(bound_to(U1));
    assert!(!leaf.problems().contains(WHY), "{}", leaf.problems());
}

/// A dump shows what devices are bound to, not where their sockets are.
#[test]
fn a_device_that_moved_before_a_dump_or_during_one_is_still_known_to_have_moved() {
    let bound_to = |port: u32| vx10(Vxlan { bound_to: Some(port), ..vxlan(10_010) });
    let seen = |steps: &[Link]| {
        let mut network = Network::new();
        for link in [vrf(RED, "red", TABLE), vrf(BLUE, "blue", 1002)].iter().chain(steps) {
            network.apply(link.clone().into());
        }
        network
    };
    let strays = |before: &[Link], dumped: Link| {
        let mut newer = seen(&[dumped]);
        newer.inherit(&seen(before));
        newer.has_strayed(VX10)
    };
    assert!(strays(&[bound_to(RED), bound_to(BLUE)], bound_to(BLUE)), "before");
    assert!(strays(&[bound_to(RED)], bound_to(BLUE)), "meanwhile");
    assert!(!strays(&[bound_to(BLUE)], bound_to(BLUE)));
    assert!(!strays(&[bound_to(RED)], Link { up: false, ..bound_to(BLUE) }), "to come up anew");
}
