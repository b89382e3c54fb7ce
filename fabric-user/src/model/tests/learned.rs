//! What the kernel has learned by ICMP about the way to a VTEP.

use super::{incremental::Incremental, router::*, world::*};
use crate::{model::*, observe::*};

/// The leaf of the others, whose ports carry 9000 bytes.
fn leaf_that_learned(path: Path) -> Incremental {
    leaf_with(Policy { learned: [((None, REMOTE), path)].into(), ..Policy::default() })
}

fn group(leaf: &Incremental) -> Option<GroupKey> {
    leaf.structure().vteps[&VTEP].clone()
}

const PATH: Path = Path { mtu: None, learned: false, ifindex: U1, gateway: None };

#[test]
fn a_vtep_to_which_less_than_the_ports_carry_gets_is_the_kernels() {
    for (mtu, kernels) in [(8_999, true), (1_500, true), (9_000, false), (65_535, false)] {
        for path in [Path { gateway: Some(ip("192.0.2.0")), ..PATH }, PATH] {
            let leaf = leaf_that_learned(Path { mtu: Some(mtu), ..path });
            assert_eq!(group(&leaf).is_none(), kernels, "{mtu}");
            let named = leaf.problems().contains(&format!("VTEP 10.0.0.2: its path MTU of {mtu}"));
            assert_eq!(named, kernels, "{}", leaf.problems());
        }
    }
}

#[test]
fn a_vtep_that_the_kernel_reaches_over_another_router_is_the_kernels() {
    let learned = |ifindex, gateway| {
        leaf_that_learned(Path { learned: true, ifindex, gateway: Some(ip(gateway)), ..PATH })
    };
    for (ifindex, gateway) in [(U1, "192.0.2.0"), (U2, "fe80::52")] {
        assert_eq!(group(&learned(ifindex, gateway)), Some(GroupKey::Object(20)), "one of its own");
    }
    for (ifindex, gateway) in [(U1, "192.0.2.9"), (U2, "192.0.2.0"), (U1, "fe80::52")] {
        let leaf = learned(ifindex, gateway);
        assert_eq!(group(&leaf), None, "{gateway}");
        leaf.assert_named(format!("to send over {gateway} on "));
    }
}

#[test]
fn a_port_with_a_smaller_mtu_for_ipv6_leaves_longer_packets_to_the_kernel() {
    let policy =
        Policy { mtu6: [(U1, 1_400), (U2, 9_500), (H1, 1_300)].into(), ..Policy::default() };
    let leaf = leaf_with(policy);
    let structure = leaf.structure();
    let mtu = |ifindex| {
        let mut ours = structure.nexthops.iter().filter(|(key, _)| key.ifindex == ifindex);
        ours.next().expect("a next hop").1.mtu
    };
    assert_eq!([mtu(U1), mtu(U2)], [1_400, 9_000]);
    assert_eq!([U1, U2].map(|ifindex| structure.ports[&ifindex].mtu), [1_400, 9_000]);
    assert_eq!(
        leaf.problems(),
        "port u1: its MTU for IPv6 is 1400 bytes, less than the 9000 of the link \
         (net.ipv6.conf.u1.mtu), packets longer than that are left to the kernel\n"
    );
}

#[test]
fn routed_packets_to_an_address_with_an_exception_that_counts_are_the_kernels() {
    let exception = |mtu, locked, redirected| {
        Event::Learned(Learned { destination: ip("10.9.0.7"), mtu, locked, redirected })
    };
    for (event, by_path_mtu, kernels) in [
        (exception(true, false, false), false, false),
        (exception(true, false, false), true, true),
        (exception(true, true, false), false, true),
        (exception(false, false, true), false, true),
        (exception(false, true, false), true, false),
    ] {
        let policy = Policy { forwards_by_path_mtu: by_path_mtu, ..Policy::default() };
        let mut router = router_with(policy);
        router.apply(event.clone());
        let way = kernels.then_some(Way::Kernel);
        assert_eq!(router.way("10.9.0.7/32"), way, "{event:?}");
        assert_eq!(router.problems().contains("routed packets to 10.9.0.7: the kernel"), kernels);
        // It is not in the next dump.
        let mut events = router_events();
        events.retain(|event| {
            matches!(
                event,
                Event::Neighbour(_) | Event::Route(_) | Event::RouteAppended(_) | Event::Nexthop(_)
            )
        });
        router.replace(Listing { scope: Scope::Routing, events });
        assert_eq!((router.way("10.9.0.7/32"), router.problems()), (None, String::new()));
    }
}
