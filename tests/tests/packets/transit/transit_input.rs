//! Which packets a router may forward (RFC 1812 §5.2.2 and §5.3, RFC 8200 §3).

use fabric_common::{
    reason::Reason,
    schema::{
        fdb::mac_number,
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, mac_and_view},
    },
};
use fabric_tests::{
    addresses::{BROADCAST, HOST_R, MULTICAST, STRANGER, Station, VNI},
    packet::{Frame, Vxlan, ether_type, fix_ipv4_checksum, protocol},
    router::{CLIENT, VIEW, router, server},
};

/// One frame of each family that is routed.
fn frames() -> [Frame; 2] {
    let to = server(server::WEST);
    [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)]
}

fn ipv4() -> Vec<u8> {
    frames()[0].bytes()
}

fn ipv6() -> Vec<u8> {
    frames()[1].bytes()
}

#[test]
pub(crate) fn a_port_forwards_the_families_that_the_kernel_forwards_there() {
    router(|router| {
        let in0 = router.in0.clone();
        router.world.route_on(&in0, VIEW, FLAG_ROUTE4);
        router.routes(&frames()[0], router.west, 64);
        router.passes(&ipv6(), Reason::TransitInputNotForwarding);
        router.world.route_on(&in0, VIEW, FLAG_ROUTE6);
        router.passes(&ipv4(), Reason::TransitInputNotForwarding);
        router.routes(&frames()[1], router.west, 64);
    });
}

#[test]
fn a_port_that_routes_nothing_is_as_it_was() {
    router(|router| {
        let in0 = router.in0.clone();
        for (view, flags) in [(0, FLAG_ROUTE4 | FLAG_ROUTE6), (VIEW, 0), (0, 0)] {
            router.world.maps.ports.update(in0.slot, |port| {
                port.flags = flags;
                port.mac_and_view = mac_and_view(mac_number(in0.mac), view);
            });
            router.passes(&ipv4(), Reason::UnderlayInputNotVxlan);
            router.passes(&ipv6(), Reason::UnderlayInputNotVxlan);
        }
    });
}

#[test]
fn what_is_not_ip_passes() {
    router(|router| {
        let to = server(server::WEST);
        for frame in [
            Frame::arp(&CLIENT, &to),
            Frame::other(&CLIENT, &to, ether_type::LLDP),
            Frame::other(&CLIENT, &to, ether_type::EXPERIMENTAL),
            frames()[0].clone().tag(100),
            frames()[1].clone().tag(100),
        ] {
            router.passes(&frame.bytes(), Reason::UnderlayInputNotVxlan);
        }
    });
}

/// RFC 1812 §5.3.4: what comes as a link-layer broadcast or multicast is not forwarded; nor is
/// what is for another station.
#[test]
pub(crate) fn frames_for_others_and_for_groups_pass() {
    router(|router| {
        for frame in frames() {
            for mac in [BROADCAST, MULTICAST, STRANGER.mac, router.out0.mac] {
                let frame = frame.clone().to(mac).bytes();
                router.passes(&frame, Reason::TransitInputOtherHost);
            }
        }
        for destination_mac in [BROADCAST, MULTICAST, STRANGER.mac, router.out0.mac] {
            let vxlan = Vxlan::new(CLIENT.ipv4, server(server::WEST).ipv4, VNI);
            let frame = Vxlan { destination_mac, ..vxlan }.around(&ipv4());
            router.passes(&frame, Reason::UnderlayInputOtherHost);
        }
    });
}

#[test]
pub(crate) fn headers_that_contradict_the_frame_pass() {
    router(|router| {
        let length = ipv4().len() - 14;
        let with_length = |length: usize| {
            let mut packet = ipv4();
            packet[16..18].copy_from_slice(&(length as u16).to_be_bytes());
            fix_ipv4_checksum(&mut packet[14..34]);
            packet
        };
        for length in [0, 19, length + 1, 0xffff] {
            router.passes(&with_length(length), Reason::TransitInputBadHeader);
        }
        for first in [0x44, 0x40, 0x35, 0x55, 0x65, 0x05] {
            let mut packet = ipv4();
            packet[14] = first;
            router.passes(&packet, Reason::TransitInputBadHeader);
        }
        for length in 14..34 {
            router.passes(&ipv4()[..length], Reason::TransitInputBadHeader);
        }

        let length = ipv6().len() - 54;
        for length in [length + 1, 0xffff] {
            let mut packet = ipv6();
            packet[18..20].copy_from_slice(&(length as u16).to_be_bytes());
            router.passes(&packet, Reason::TransitInputBadHeader);
        }
        for first in [0x40, 0x50, 0x70, 0x00] {
            let mut packet = ipv6();
            packet[14] = first;
            router.passes(&packet, Reason::TransitInputBadHeader);
        }
        for length in 14..54 {
            router.passes(&ipv6()[..length], Reason::TransitInputBadHeader);
        }
    });
}

#[test]
pub(crate) fn options_and_hop_by_hop_headers_are_left_to_the_kernel() {
    router(|router| {
        for words in 1..=10 {
            let frame = frames()[0].clone().change_ipv4(|ip| ip.options = vec![1; words * 4]);
            router.passes(&frame.bytes(), Reason::TransitInputOptions);
        }
        let hop_by_hop = frames()[1].clone().change_ipv6(|ip| {
            ip.next_header = 0;
            ip.payload = vec![59, 0, 1, 4, 0, 0, 0, 0];
        });
        router.passes(&hop_by_hop.bytes(), Reason::TransitInputOptions);
        // A jumbogram (RFC 2675): payload length 0 and a hop-by-hop header.
        let mut jumbo = hop_by_hop.bytes();
        jumbo[18..20].fill(0);
        router.passes(&jumbo, Reason::TransitInputOptions);
        // Other extension headers are no business of routers (RFC 8200 §4).
        for next_header in [43, 44, 50, 51, 59, 60] {
            let frame = frames()[1].clone().change_ipv6(|ip| ip.next_header = next_header);
            router.routes(&frame, router.west, 64);
        }
    });
}

/// RFC 1812 §5.2.2 (case TR-04): any single wrong bit.
#[test]
pub(crate) fn a_wrong_header_checksum_is_left_to_the_kernel() {
    router(|router| {
        // Version, length and total length have reasons of their own.
        for bit in (8..160).filter(|bit| !(16..32).contains(bit)) {
            let mut wrong = ipv4();
            wrong[14 + bit / 8] ^= 1 << (bit % 8);
            router.world.send(&router.in0, &wrong).passes(Reason::TransitInputBadChecksum);
        }
    });
}

#[test]
pub(crate) fn a_ttl_that_ends_here_is_left_to_the_kernel() {
    router(|router| {
        for frame in frames() {
            for ttl in [0, 1] {
                router.passes(&frame.clone().ttl(ttl).bytes(), Reason::TransitInputTtl);
            }
            for ttl in 2..=255 {
                router.routes(&frame, router.west, ttl);
            }
        }
    });
}

fn from_ipv4(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let to = server(server::WEST);
    let (source, destination) =
        (Station { ipv4: source, ..CLIENT }, Station { ipv4: destination, ..to });
    Frame::ipv4(&source, &destination).bytes()
}

/// RFC 1812 §5.3.7.
#[test]
pub(crate) fn martian_addresses_pass() {
    router(|router| {
        let good = [CLIENT.ipv4, server(server::WEST).ipv4];
        for martian in [
            [0, 0, 0, 0],
            [0, 1, 2, 3],
            [127, 0, 0, 1],
            [127, 255, 255, 255],
            [224, 0, 0, 5],
            [239, 255, 255, 255],
            [255, 255, 255, 255],
        ] {
            let packet = from_ipv4(martian, good[1]);
            router.passes(&packet, Reason::TransitInputMartian);
            let packet = from_ipv4(good[0], martian);
            router.passes(&packet, Reason::TransitInputMartian);
        }
        let halves = |high: [u8; 4], low: [u8; 4]| {
            let mut address = [0; 16];
            address[..4].copy_from_slice(&high);
            address[12..].copy_from_slice(&low);
            address
        };
        let mut mapped = halves([0; 4], [198, 51, 100, 1]);
        mapped[10..12].fill(0xff);
        for martian in [
            halves([0; 4], [0; 4]),
            halves([0; 4], [0, 0, 0, 1]),
            mapped,
            halves([0xff, 0x02, 0, 0], [0, 0, 0, 5]),
            halves([0xff, 0x0e, 0, 0], [0, 0, 0, 5]),
            halves([0xfe, 0x80, 0, 0], [0, 0, 0, 5]),
            halves([0xfe, 0xbf, 0, 0], [0, 0, 0, 5]),
        ] {
            let to = server(server::WEST);
            let source = Station { ipv6: martian, ..CLIENT };
            let packet = Frame::ipv6(&source, &to).bytes();
            router.passes(&packet, Reason::TransitInputMartian);
            let destination = Station { ipv6: martian, ..to };
            let packet = Frame::ipv6(&CLIENT, &destination).bytes();
            router.passes(&packet, Reason::TransitInputMartian);
        }
    });
}

/// Neighbours of the martian ranges, and what was reserved once.
#[test]
fn addresses_beside_the_martian_ones_are_routed() {
    router(|router| {
        let to = server(server::WEST);
        for source in [
            [1, 0, 0, 0],
            [126, 255, 255, 255],
            [128, 0, 0, 1],
            [223, 255, 255, 255],
            [240, 0, 0, 1],
            [255, 255, 255, 254],
        ] {
            let frame = Frame::ipv4(&Station { ipv4: source, ..CLIENT }, &to);
            router.routes(&frame, router.west, 64);
        }
        for first in [[0, 1], [0xfc, 0], [0xfe, 0x7f], [0xfe, 0xc0]] {
            let mut source = CLIENT;
            source.ipv6[..2].copy_from_slice(&first);
            router.routes(&Frame::ipv6(&source, &to), router.west, 64);
        }
    });
}

/// `fib_validate_source`: nobody else has our address.
#[test]
fn a_packet_that_claims_to_come_from_the_box_itself_passes() {
    router(|router| {
        let own = server(server::LOCAL);
        let packet = from_ipv4(own.ipv4, server(server::WEST).ipv4);
        router.passes(&packet, Reason::TransitInputMartian);
        // An address that is only like it in the filter.
        let all = [u64::MAX; fabric_common::schema::local_addresses::WORDS];
        router
            .world
            .maps
            .local_addresses
            .set(0, &fabric_common::schema::local_addresses::LocalAddresses { words: all });
        router.passes(&packet, Reason::TransitInputMartian);
        router.routes(&frames()[0], router.west, 64);
        let blackholed = Station { ipv4: server(server::BLACKHOLE).ipv4, ..CLIENT };
        router.routes(&Frame::ipv4(&blackholed, &server(server::WEST)), router.west, 64);
    });
}

#[test]
fn every_protocol_is_routed() {
    router(|router| {
        for number in (0..=255).filter(|n| *n != protocol::ICMP && *n != protocol::ICMPV6) {
            let [ipv4, ipv6] = frames();
            router.routes(&ipv4.change_ipv4(|ip| ip.protocol = number), router.west, 9);
            if number != 0 {
                router.routes(&ipv6.change_ipv6(|ip| ip.next_header = number), router.west, 9);
            }
        }
        let to = server(server::WEST);
        router.routes(&Frame::icmpv6(&CLIENT, &to, 128), router.west, 255);
        router.routes(&Frame::icmpv6(&CLIENT, &to, 132), router.west, 255);
        router.routes(&Frame::icmpv6(&CLIENT, &to, 138), router.west, 255);
    });
}

/// The kernel answers in the place of hosts that it is a proxy for (`ip6_forward_proxy_check`).
#[test]
pub(crate) fn unicast_neighbour_discovery_is_left_to_the_kernel() {
    router(|router| {
        for message_type in 133..=137 {
            let bytes = Frame::icmpv6(&HOST_R, &server(server::WEST), message_type).bytes();
            router.passes(&bytes, Reason::TransitInputNeighbourDiscovery);
        }
    });
}

/// RFC 1812 §4.2.2.7: routers do not reassemble.
#[test]
fn fragments_are_routed() {
    router(|router| {
        for (more, offset) in [(true, 0), (true, 185), (false, 370), (false, 0x1fff)] {
            let frame = frames()[0].clone().change_ipv4(|ip| {
                ip.mf = more;
                ip.offset = offset;
            });
            router.routes(&frame, router.west, 64);
        }
    });
}
