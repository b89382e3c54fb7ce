//! Where a destination is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fabric_common::{
    halves,
    reason::Reason,
    schema::{
        fdb::mac_number,
        hosts, hosts6,
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, mac_and_view},
        routes::{KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_NONE, target},
    },
    table::Rest,
};
use fabric_tests::{
    addresses::Station,
    packet::{Frame, fix_ipv4_checksum},
    router::{CLIENT, Router, VIEW, addresses, router, server},
};

/// One frame of each family to a server.
fn frames(last: u8) -> [Frame; 2] {
    let to = server(last);
    [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)]
}

fn all_pass(last: u8, reason: Reason) {
    router(|router| {
        for frame in frames(last) {
            router.passes(&frame.bytes(), reason);
        }
    });
}

fn all_are_dropped(router: &mut Router, last: u8) {
    for frame in frames(last) {
        let outcome = router.world.send(&router.in0, &frame.bytes());
        outcome.is_dropped(Reason::TransitRouteBlackhole);
    }
}

#[test]
pub(crate) fn packets_for_the_box_itself_pass() {
    all_pass(server::LOCAL, Reason::TransitRouteLocal);
}

#[test]
pub(crate) fn packets_to_nowhere_pass() {
    all_pass(server::NOWHERE, Reason::TransitRouteNone);
}

#[test]
pub(crate) fn an_unreachable_route_is_left_to_the_kernel() {
    all_pass(server::UNREACHABLE, Reason::TransitRouteUnreachable);
}

#[test]
pub(crate) fn a_neighbour_that_is_not_resolved_is_left_to_the_kernel() {
    all_pass(server::UNRESOLVED, Reason::TransitRouteUnresolved);
}

#[test]
pub(crate) fn a_route_that_the_maps_cannot_express_is_left_to_the_kernel() {
    all_pass(server::KERNEL, Reason::TransitRouteNotAccelerated);
}

#[test]
pub(crate) fn blackhole_routes_and_groups_drop() {
    router(|router| {
        all_are_dropped(router, server::BLACKHOLE);
        all_are_dropped(router, server::BLACKHOLE_GROUP);
    });
}

#[test]
fn a_target_of_an_unknown_kind_is_left_to_the_kernel() {
    router(|router| {
        for kind in [9, 10, 15] {
            let Station { ipv4, ipv6, .. } = server(server::KERNEL);
            let (maps, target) = (&router.world.maps, target(kind, 1));
            let key = hosts::key(VIEW, u32::from_ne_bytes(ipv4));
            assert!(maps.hosts_table().insert(key, target));
            let halves = halves::of(ipv6.into());
            let (key, rest) = (hosts6::key(VIEW, halves), hosts6::rest(VIEW, halves));
            assert!(maps.hosts6_table().get_long(key, rest).is_some(), "the host is there");
            assert!(maps.hosts6_table().insert_long(key, rest, target));
            for frame in frames(server::KERNEL) {
                router.passes(&frame.bytes(), Reason::TransitRouteNotAccelerated);
            }
        }
    });
}

#[test]
pub(crate) fn neighbours_and_prefixes_are_routed() {
    router(|router| {
        for frame in frames(server::NEIGHBOUR) {
            router.routes(&frame, router.east, 64);
        }
        for last in server::WEST..server::BOTH {
            for frame in frames(last) {
                router.routes(&frame, router.west, 64);
            }
        }
        for last in server::BOTH..=255 {
            for frame in frames(last) {
                let nexthop = router.choice(&frame.bytes());
                router.routes(&frame, nexthop, 64);
            }
        }
    });
}

#[test]
fn a_route_into_another_vrf_leads_to_what_stands_there_and_no_further() {
    router(|router| {
        for frame in frames(server::LEAK) {
            let nexthop = router.choice(&frame.bytes());
            router.routes(&frame, nexthop, 64);
        }
        all_are_dropped(router, server::LEAK_BLACKHOLE);
        for (last, reason) in [
            (server::LEAK_NOWHERE, Reason::TransitRouteNone),
            (server::LEAK_LOCAL, Reason::TransitRouteLocal),
            (server::LEAK_TWICE, Reason::TransitRouteNotAccelerated),
        ] {
            for frame in frames(last) {
                router.passes(&frame.bytes(), reason);
            }
        }
    });
}

/// A host in front of its own prefix, a prefix in front of a shorter one, a default route behind.
#[test]
fn the_longest_prefix_wins() {
    router(|router| {
        let [west, east] = [router.west, router.east].map(|n| target(KIND_NEXTHOP, n.0.into()));
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let inside = addresses(&server(0xf0));
        for (any, inside) in any.into_iter().zip(inside) {
            let bits = if inside.is_ipv4() { 32 } else { 128 };
            for (prefix, target, nexthop) in [
                ((any, 0), east, router.east),
                ((inside, bits - 25), west, router.west),
                ((inside, bits - 3), east, router.east),
                ((inside, bits - 2), west, router.west),
                ((inside, bits - 1), east, router.east),
                ((inside, bits), west, router.west),
                ((inside, bits), east, router.east),
            ] {
                // What stood there from the beginning is longer than the first two.
                let last = if prefix.1 < bits - 8 { server::NOWHERE } else { 0xf0 };
                router.world.route(VIEW, prefix, target);
                let family = usize::from(!inside.is_ipv4());
                router.routes(&frames(last)[family], nexthop, 64);
            }
        }
    });
}

#[test]
fn views_are_worlds_of_their_own() {
    router(|router| {
        let in0 = router.in0.clone();
        router.world.route_on(&in0, 2, FLAG_ROUTE4 | FLAG_ROUTE6);
        for last in [server::NEIGHBOUR, server::LOCAL, server::WEST, server::BOTH] {
            for frame in frames(last) {
                router.passes(&frame.bytes(), Reason::TransitRouteNone);
            }
        }
        let east = target(KIND_NEXTHOP, router.east.0.into());
        for (address, frame) in
            addresses(&server(server::WEST)).into_iter().zip(frames(server::WEST))
        {
            router.world.route(2, (address, if address.is_ipv4() { 24 } else { 64 }), east);
            router.routes(&frame, router.east, 64);
        }
        // A view that the map does not have.
        router.world.maps.ports.update(in0.slot, |port| {
            port.mac_and_view = mac_and_view(mac_number(in0.mac), u16::MAX);
        });
        for frame in frames(server::WEST) {
            router.passes(&frame.bytes(), Reason::TransitRouteNone);
        }
    });
}

/// A fingerprint of 64 bits is not the address: the rest has to be the same as well.
#[test]
fn an_ipv6_host_with_the_same_fingerprint_is_another_one() {
    router(|router| {
        let host = halves::of(server(server::NEIGHBOUR).ipv6.into());
        let (key, rest) = (hosts6::key(VIEW, host), hosts6::rest(VIEW, host));
        let target = router.world.maps.hosts6_table().get_long(key, rest).expect("it is there");
        let put = |router: &Router, rest| {
            let hosts = router.world.maps.hosts6_table();
            hosts.remove(key);
            assert!(hosts.insert_long(key, rest, target));
        };
        let [_, frame] = frames(server::NEIGHBOUR);
        for other in [Rest { word: rest.word ^ 1, ..rest }, Rest { tag: 2, ..rest }] {
            put(router, other);
            router.passes(&frame.bytes(), Reason::TransitRouteNone);
        }
        put(router, rest);
        router.routes(&frame, router.east, 64);
    });
}

/// What the daemon changes while packets flow: the target of a host, the content of a group.
#[test]
fn a_change_holds_for_the_next_packet() {
    router(|router| {
        for frame in frames(server::NEIGHBOUR) {
            router.routes(&frame, router.east, 64);
        }
        for address in addresses(&server(server::NEIGHBOUR)) {
            let prefix = (address, if address.is_ipv4() { 32 } else { 128 });
            router.world.route(VIEW, prefix, target(KIND_GROUP, router.west_only));
        }
        for frame in frames(server::NEIGHBOUR) {
            router.routes(&frame, router.west, 64);
        }
        for address in addresses(&server(server::NEIGHBOUR)) {
            let prefix = (address, if address.is_ipv4() { 32 } else { 128 });
            router.world.route(VIEW, prefix, target(KIND_NONE, 0));
        }
        for frame in frames(server::NEIGHBOUR) {
            router.passes(&frame.bytes(), Reason::TransitRouteNone);
        }
    });
}

/// Every server of the table, from every state of the header that changes the way through it.
#[test]
fn all_destinations_meet_the_fate_that_the_model_forecasts() {
    router(|router| {
        let in0 = router.in0.clone();
        router.world.route(
            VIEW,
            (Ipv4Addr::new(198, 51, 100, 99).into(), 32),
            target(KIND_LOCAL, 0),
        );
        let packets: Vec<_> = (0..=255)
            .flat_map(frames)
            .flat_map(|frame| {
                let bytes = frame.bytes();
                let mut padded = bytes.clone();
                padded.extend([0; 3]);
                let mut older = bytes.clone();
                if older[14] == 0x45 {
                    older[22] = 1;
                    fix_ipv4_checksum(&mut older[14..34]);
                }
                [bytes, padded, older].map(|packet| (in0.clone(), packet))
            })
            .collect();
        let met = router.world.compare(packets);
        for reason in [
            Reason::Routed,
            Reason::TransitInputTtl,
            Reason::TransitRouteLocal,
            Reason::TransitRouteNone,
            Reason::TransitRouteBlackhole,
            Reason::NexthopSelectEmptyGroup,
            Reason::TransitOutputSamePort,
        ] {
            assert!(met.contains_key(&reason), "{reason:?} is missing in {met:?}");
        }
    });
}
