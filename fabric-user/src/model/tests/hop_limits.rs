//! The TTL of tunnels whose vxlan device sets none.

use super::{
    incremental::Incremental,
    router::own_address,
    world::{DOMAIN, REMOTE, U1, U2, VTEP, ip, leaf, leaf_with, route, tunnel_mac, vx10, vxlan},
};
use crate::{model::*, observe::*};

const LOCAL6: &str = "2001:db8::1";
const REMOTE6: &str = "2001:db8::2";
const OTHERS: [&str; 2] = ["10.0.0.3", "10.0.0.4"];
const GROUP: Option<GroupKey> = Some(GroupKey::Object(20));

fn with(hop_limit: u8, address: &str, length: u8) -> Event {
    Event::Route(Route { hop_limit: Some(hop_limit), ..route(address, length, Some(20)) })
}

fn ttl(leaf: &Incremental) -> u8 {
    leaf.structure().domains[&DOMAIN].ttl
}

fn way(leaf: &Incremental, remote: &str) -> Option<GroupKey> {
    let key = VtepKey { remote: ip(remote), ..VTEP };
    leaf.structure().vteps[&key].clone()
}

/// The leaf with two more VTEPs.
fn three_vteps(options: Vxlan) -> Incremental {
    let mut leaf = leaf_with(Policy { default_ttl: 61, ..Policy::default() });
    leaf.apply(vx10(options));
    for other in OTHERS {
        leaf.apply(route(other, 32, Some(20)));
        leaf.apply(tunnel_mac(Mac::ZERO, ip(other)));
    }
    leaf
}

#[test]
fn a_tunnel_has_the_hop_limit_of_the_route_to_its_vteps() {
    let mut leaf = leaf();
    assert_eq!(ttl(&leaf), 64);
    leaf.apply(with(10, "10.0.0.2", 32));
    assert_eq!((ttl(&leaf), leaf.problems()), (10, String::new()));
    leaf.apply(route("10.0.0.2", 32, Some(20)));
    assert_eq!(ttl(&leaf), 64);
}

#[test]
fn vteps_to_which_the_kernel_sends_with_another_ttl_than_to_most_are_left_to_it() {
    let inherit = Vxlan { ttl_inherit: true, ttl: 9, ..vxlan(10_010) };
    for options in [vxlan(10_010), inherit] {
        let mut leaf = three_vteps(options);
        assert_eq!(ttl(&leaf), 61);
        leaf.apply(with(10, "10.0.0.2", 32));
        assert_eq!(ttl(&leaf), 61);
        assert_eq!((way(&leaf, "10.0.0.2"), way(&leaf, "10.0.0.3")), (None, GROUP));
        let sentence = "VTEP 10.0.0.2: the way to it has the hop limit 10, those to most VTEPs 61, and \
                        the vxlan device sets none (`ip route get 10.0.0.2`), left to the kernel\n";
        assert_eq!(leaf.problems(), sentence);
        leaf.apply(with(10, "10.0.0.3", 32));
        assert_eq!(ttl(&leaf), 10);
        assert_eq!((way(&leaf, "10.0.0.2"), way(&leaf, "10.0.0.4")), (GROUP, None));
        leaf.apply(route("10.0.0.2", 32, Some(20)));
        leaf.apply(route("10.0.0.3", 32, Some(20)));
        assert_eq!((ttl(&leaf), leaf.problems()), (61, String::new()));
    }
}

#[test]
fn a_vxlan_device_with_a_ttl_of_its_own_does_not_care() {
    let mut leaf = three_vteps(Vxlan { ttl: 9, ..vxlan(10_010) });
    leaf.apply(with(10, "10.0.0.2", 32));
    assert_eq!((ttl(&leaf), leaf.problems()), (9, String::new()));
    assert_eq!(way(&leaf, "10.0.0.2"), GROUP);
}

/// The leaf over IPv6, whose ports have these hop limits.
fn leaf6(hop_limits: [u8; 2]) -> Incremental {
    let hop_limit6 = [U1, U2].into_iter().zip(hop_limits).collect();
    let mut leaf = leaf_with(Policy { hop_limit6, ..Policy::default() });
    leaf.apply(own_address(255, LOCAL6, 1));
    leaf.withdraw(tunnel_mac(Mac::ZERO, REMOTE));
    let options = Vxlan { local: Some(ip(LOCAL6)), ..vxlan(10_010) };
    leaf.apply(vx10(options));
    leaf.apply(tunnel_mac(Mac::ZERO, ip(REMOTE6)));
    leaf.apply(route("2001:db8::", 64, Some(20)));
    leaf
}

fn way6(leaf: &Incremental) -> Option<GroupKey> {
    let key = VtepKey { local: ip(LOCAL6), remote: ip(REMOTE6) };
    leaf.structure().vteps[&key].clone()
}

#[test]
fn over_ipv6_the_ports_say_the_hop_limit_if_they_agree_and_the_route_does_not() {
    let mut leaf = leaf6([33, 33]);
    assert_eq!((ttl(&leaf), way6(&leaf), leaf.problems()), (33, GROUP, String::new()));
    leaf.apply(with(10, "2001:db8::", 64));
    assert_eq!((ttl(&leaf), way6(&leaf)), (10, GROUP));

    let mut leaf = leaf6([33, 64]);
    assert_eq!(way6(&leaf), None);
    let named = "VTEP 2001:db8::2: its next hops are on interfaces with different hop limits \
                 (net.ipv6.conf.u1.hop_limit is 33, net.ipv6.conf.u2.hop_limit is 64)";
    leaf.assert_named(named);
    leaf.apply(with(10, "2001:db8::", 64));
    assert_eq!((ttl(&leaf), way6(&leaf), leaf.problems()), (10, GROUP, String::new()));
    leaf.apply(route("2001:db8::", 64, Some(12)));
    let second = Some(GroupKey::Object(12));
    assert_eq!((ttl(&leaf), way6(&leaf), leaf.problems()), (64, second, String::new()));
}
