//! Only what takes frames from XDP programs is sent to by them.

use fabric_common::schema::circuits::NOT_A_TARGET;

use super::{
    incremental::Incremental,
    world::{H1, H2, U1, VTEP, leaf_with, link},
};
use crate::{model::*, observe::*};

/// `NETDEV_XDP_ACT_BASIC` and `REDIRECT`.
const RECEIVES: u64 = 0b11;
const ALL: u64 = RECEIVES | XdpFeatures::NDO_XMIT;

fn native() -> Policy {
    Policy { native: true, ..Policy::default() }
}

fn announce(ifindex: u32, bits: u64) -> Event {
    Event::XdpFeatures { ifindex, features: XdpFeatures::Announced(bits) }
}

fn driver(ifindex: u32, name: &str) -> Event {
    Event::XdpFeatures { ifindex, features: XdpFeatures::Driver(name.into()) }
}

/// A leaf on whose ports everything is possible.
fn able() -> Incremental {
    let mut leaf = leaf_with(native());
    for ifindex in [H1, H2, super::world::U1, super::world::U2] {
        leaf.apply(announce(ifindex, ALL));
    }
    leaf
}

/// Whether frames can be sent to a port's hosts, which agrees with what is said about it.
fn is_target(leaf: &Incremental, ifindex: u32) -> bool {
    let structure = leaf.structure();
    let port = &structure.ports[&ifindex];
    let circuits = structure.circuits.values().filter(|circuit| circuit.port == ifindex);
    let open: Vec<bool> = circuits.map(|circuit| circuit.max_frame != NOT_A_TARGET).collect();
    assert_eq!(port.role, Role::Access);
    assert_eq!(open, [port.is_target]);
    let said = structure.problems.iter().any(|problem| problem.ifindex == Some(ifindex));
    assert_eq!(said, !port.is_target, "{:?}", structure.problems);
    port.is_target
}

#[test]
fn a_port_is_a_target_as_long_as_its_device_says_so() {
    let mut leaf = able();
    assert!(is_target(&leaf, H1));
    leaf.apply(announce(H1, RECEIVES));
    assert!(!is_target(&leaf, H1));
    assert!(is_target(&leaf, H2));
    leaf.apply(announce(H1, ALL));
    assert!(is_target(&leaf, H1));
    leaf.apply(Event::XdpFeaturesGone { ifindex: H1 });
    assert!(!is_target(&leaf, H1));
}

#[test]
fn a_veth_is_none_if_its_other_end_is_known_to_take_nothing() {
    let mut leaf = able();
    leaf.apply(Event::VethPeer { ifindex: H1, receives: Some(false) });
    assert!(!is_target(&leaf, H1));
    leaf.apply(Event::VethPeer { ifindex: H1, receives: None });
    assert!(is_target(&leaf, H1));
}

#[test]
fn a_veth_whose_other_end_cannot_be_looked_into_is_none_whatever_it_announces() {
    let mut leaf = able();
    let port = super::world::port_of(10, super::world::veth(H1, "h1"));
    let elsewhere = Link { lower: Some(2), lower_elsewhere: true, ..port };
    leaf.apply(elsewhere.clone());
    assert!(!is_target(&leaf, H1), "it announces more than is true");
    leaf.apply(Event::VethPeer { ifindex: H1, receives: Some(true) });
    assert!(is_target(&leaf, H1));
    leaf.apply(Event::VethPeer { ifindex: H1, receives: None });
    assert!(!is_target(&leaf, H1));
    // Nobody looks at the other end then, and nothing is sent.
    leaf.apply(Link { carrier: false, ..elsewhere.clone() });
    assert!(leaf.structure().ports[&H1].is_target);
    leaf.apply(elsewhere);
    assert!(!is_target(&leaf, H1));
    leaf.policy.redirect_targets = vec![Pattern::new("h?")];
    leaf.replace_all();
    assert!(is_target(&leaf, H1));
}

#[test]
fn a_port_whose_programs_cannot_redirect_is_left_to_the_kernel() {
    let mut leaf = able();
    leaf.apply(announce(H1, XdpFeatures::BASIC));
    let structure = leaf.structure();
    assert!(!structure.ports.contains_key(&H1));
    assert!(structure.declined[&H1].contains("cannot send frames elsewhere"));
}

#[test]
fn a_way_over_an_uplink_that_is_no_target_is_left_to_the_kernel_whole() {
    let mut leaf = able();
    assert!(leaf.structure().vteps[&VTEP].is_some());
    leaf.apply(announce(U1, RECEIVES));
    let structure = leaf.structure();
    // A part of the next hops would get all of the traffic.
    assert_eq!(structure.vteps[&VTEP], None);
    let said = |text: &str| structure.problems.iter().any(|problem| problem.text.contains(text));
    assert!(said("the way leads over u1, which"), "{:?}", structure.problems);
    assert!(structure.ports.contains_key(&U1), "what arrives there is for Fabric all the same");
    leaf.apply(announce(U1, ALL));
    assert!(leaf.structure().vteps[&VTEP].is_some());
}

#[test]
fn without_announcements_only_known_drivers_are_targets() {
    let mut leaf = leaf_with(native());
    leaf.apply(driver(H1, "veth"));
    assert!(!is_target(&leaf, H1), "nothing is known about the other end");
    leaf.apply(Event::VethPeer { ifindex: H1, receives: Some(true) });
    assert!(is_target(&leaf, H1));
    leaf.apply(Event::VethPeer { ifindex: H1, receives: Some(false) });
    assert!(!is_target(&leaf, H1));

    let device = |name| Event::Link(super::world::port_of(10, link(H2, name, LinkKind::Device)));
    leaf.apply(device("eth0"));
    for (name, expected) in [("ixgbe", true), ("mlx5_core", true), ("nfp", false), ("", false)] {
        leaf.apply(driver(H2, name));
        assert_eq!(is_target(&leaf, H2), expected, "{name}");
    }
}

#[test]
fn the_operator_may_know_more_than_an_old_kernel_but_not_than_a_new_one() {
    let targets = vec![Pattern::new("h?")];
    let mut leaf = leaf_with(Policy { redirect_targets: targets, ..native() });
    leaf.apply(driver(H1, "veth"));
    assert!(is_target(&leaf, H1));
    leaf.apply(announce(H1, RECEIVES));
    assert!(!is_target(&leaf, H1));
}

#[test]
fn in_generic_mode_every_device_takes_frames() {
    let mut leaf = leaf_with(Policy::default());
    leaf.apply(announce(H1, 0));
    assert!(is_target(&leaf, H1));
}
