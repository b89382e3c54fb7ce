//! How a packet looks on the other side of a router.

use fabric_common::reason::Reason;
use fabric_tests::{
    packet::{Frame, internet_checksum},
    router::{CLIENT, MTU, router, server},
};

fn frames() -> [Frame; 2] {
    let to = server(server::WEST);
    [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)]
}

#[test]
pub(crate) fn what_would_leave_where_it_came_from_passes() {
    router(|router| {
        let to = server(server::BACK);
        for frame in [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)] {
            router.passes(&frame.bytes(), Reason::TransitOutputSamePort);
        }
    });
}

#[test]
fn a_packet_that_arrived_at_a_member_of_a_bond_does_not_leave_by_the_bond() {
    router(|router| {
        let (bond, _) = router.behind(router.west);
        let member = router.in0.slot;
        router.world.maps.ports.update(member, |entry| entry.as_port = bond.slot as u16);
        for frame in frames() {
            router.passes(&frame.bytes(), Reason::TransitOutputSamePort);
        }
    });
}

#[test]
pub(crate) fn a_packet_one_byte_longer_than_the_mtu_passes() {
    router(|router| {
        for frame in frames() {
            let longest = MTU as usize + 14;
            router.routes(&frame.clone().length(longest), router.west, 64);
            for longer in [1, 2, 100] {
                let frame = frame.clone().length(longest + longer).bytes();
                router.passes(&frame, Reason::TransitOutputTooBig);
            }
            // The neighbour behind the other port takes more.
            let to = server(server::NEIGHBOUR);
            let other = if frame.bytes()[12] == 8 {
                Frame::ipv4(&CLIENT, &to)
            } else {
                Frame::ipv6(&CLIENT, &to)
            };
            router.routes(&other.length(longest + 100), router.east, 64);
        }
    });
}

/// Ethernet pads to 60 bytes; only the IP packet goes on.
#[test]
fn padding_is_left_behind_and_does_not_count() {
    router(|router| {
        for frame in frames() {
            let short = frame.clone().length(if frame.bytes()[12] == 8 { 42 } else { 62 });
            let (port, [to, from]) = router.behind(router.west);
            let expected = short.clone().to(to).from(from).ttl(9).bytes();
            for padding in [1, 2, 4, 18, 400] {
                let mut packet = short.clone().ttl(10).bytes();
                packet.extend(vec![0xaa; padding]);
                router.world.send(&router.in0, &packet).is_routed(&port, &expected);
            }
            let longest = frame.length(MTU as usize + 14);
            let expected = longest.clone().to(to).from(from).ttl(9).bytes();
            let mut packet = longest.ttl(10).bytes();
            packet.extend([0; 4]);
            router.world.send(&router.in0, &packet).is_routed(&port, &expected);
        }
    });
}

/// A header and nothing behind it.
#[test]
fn empty_packets_are_routed() {
    router(|router| {
        let [ipv4, ipv6] = frames();
        for number in [59, 200] {
            let empty = ipv4.clone().change_ipv4(|ip| {
                ip.protocol = number;
                ip.payload.clear();
            });
            router.routes(&empty, router.west, 64);
            let empty = ipv6.clone().change_ipv6(|ip| {
                ip.next_header = number;
                ip.payload.clear();
            });
            router.routes(&empty, router.west, 64);
        }
    });
}

/// All values that the checksum can take, with all that are next to the carry.
#[test]
fn the_checksum_is_right_whatever_it_was() {
    router(|router| {
        let (port, [to, from]) = router.behind(router.west);
        let [frame, _] = frames();
        for id in (0..=u16::MAX).step_by(251).chain(0xfe00..=0xffff).chain(0..0x200) {
            let frame = frame.clone().change_ipv4(|ip| ip.id = id).ttl(64).bytes();
            let run = router.world.run(&router.in0, &frame, 0).expect("the program runs");
            assert_eq!(internet_checksum(&[&run.bytes[14..34]]), 0, "identification {id:#x}");
            assert_eq!(run.bytes[..12], [to, from].concat());
        }
        // Every checksum that is followed by a carry, and the values around it.
        for id in 0..64 {
            let frame = frame.clone().change_ipv4(|ip| ip.id = id);
            router.routes(&frame, router.west, 64);
        }
        assert_ne!(port, router.in0);
    });
}

#[test]
fn a_port_without_a_device_drops_the_packet() {
    router(|router| {
        for frame in frames() {
            let mut entry = router.world.maps.nexthops.get(router.west.0.into());
            entry.port = 100;
            router.world.maps.nexthops.set(router.west.0.into(), &entry);
            let (_, [to, from]) = router.behind(router.west);
            let expected = frame.clone().to(to).from(from).ttl(9).bytes();
            let outcome = router.world.send(&router.in0, &frame.ttl(10).bytes());
            outcome.is_dropped_as(Reason::UnderlayOutputNoPort, &expected, None);
        }
    });
}
