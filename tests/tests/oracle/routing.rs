//! From router to router: what the kernel forwards comes out of our programs the same, and what it
//! does not forward we do not forward either.

use fabric_common::reason::{Reason, Verdict};
use fabric_tests::{
    addresses::{BROADCAST, HOST_R, MULTICAST, STRANGER, Station, VNI},
    model,
    packet::{Frame, Vxlan, ether_type, fix_ipv4_checksum, protocol},
    random::Random,
    router::{CLIENT, IN0_MAC, server},
    twins::Twins,
};

use crate::router::{MTUS, OUT0_MAC, routers};

fn frames() -> [Frame; 2] {
    let to = server(server::WEST);
    [Frame::ipv4(&CLIENT, &to), Frame::ipv6(&CLIENT, &to)]
}

fn ipv4() -> Frame {
    frames()[0].clone()
}

fn ipv6() -> Frame {
    frames()[1].clone()
}

/// Sends a frame into both routers, which the model says is routed: it comes out of both.
#[track_caller]
fn routed(twins: &mut Twins, frame: &[u8]) {
    let output = twins.same("in0", frame, Reason::Routed);
    assert_eq!(output[0].0, "out0");
}

/// Sends a frame into both routers. Our programs do what the model says; the kernel may forward
/// what we pass to it, but nothing that it would not have forwarded comes out.
#[track_caller]
fn as_forecast(twins: &mut Twins, frame: &[u8]) -> Reason {
    let fabric = twins.fabric();
    let reason = model::forecast(&fabric.world, &fabric.ports["in0"], frame).reason;
    twins.same("in0", frame, reason);
    reason
}

#[test]
fn every_tos_and_traffic_class() {
    routers(|twins| {
        for tos in 0..=255 {
            for frame in frames() {
                routed(twins, &frame.tos(tos).bytes());
            }
        }
    });
}

/// Case TR-05.
#[test]
fn every_ttl_and_hop_limit() {
    routers(|twins| {
        for ttl in 0..=255 {
            for frame in frames() {
                let reason = as_forecast(twins, &frame.ttl(ttl).bytes());
                assert_eq!(reason == Reason::Routed, ttl > 1);
            }
        }
    });
}

#[test]
fn every_protocol() {
    routers(|twins| {
        for number in 0..=255 {
            if number != protocol::ICMP {
                routed(twins, &ipv4().change_ipv4(|ip| ip.protocol = number).bytes());
            }
            let frame = ipv6().change_ipv6(|ip| ip.next_header = number);
            as_forecast(twins, &frame.bytes());
        }
        let echo = ipv4().change_ipv4(|ip| {
            ip.protocol = protocol::ICMP;
            ip.payload[0] = 8;
        });
        routed(twins, &echo.bytes());
        routed(twins, &Frame::icmpv6(&CLIENT, &server(server::WEST), 128).bytes());
    });
}

/// `ip6_forward_proxy_check`: for a host that the kernel stands in for it takes the probe itself, and
/// forwards all else.
#[test]
fn neighbour_discovery_for_hosts_that_the_kernel_stands_in_for() {
    routers(|twins| {
        let to = server(server::WEST);
        let probe = |message_type| Frame::icmpv6(&CLIENT, &to, message_type).bytes();
        let others = [ipv6().bytes(), Frame::icmpv6(&CLIENT, &to, 128).bytes()];
        // Where it does not, it forwards the probe like anything else.
        let output = twins.same("in0", &probe(135), Reason::TransitInputNeighbourDiscovery);
        assert_eq!(output.len(), 1);
        others.iter().for_each(|frame| routed(twins, frame));
        let stand_in = || -> anyhow::Result<()> {
            std::fs::write("/proc/sys/net/ipv6/conf/all/proxy_ndp", "1")?;
            let address = std::net::Ipv6Addr::from(to.ipv6);
            fabric_tests::device::ip(&format!("neigh add proxy {address} dev in0\n"))
        };
        twins.change(stand_in).expect("the kernel can be a proxy");
        for message_type in 133..=137 {
            let reason = Reason::TransitInputNeighbourDiscovery;
            assert_eq!(twins.same("in0", &probe(message_type), reason), [], "{message_type}");
        }
        others.iter().for_each(|frame| routed(twins, frame));
    });
}

#[test]
fn identification_and_checksum() {
    routers(|twins| {
        // Each carry of the checksum, and all around it.
        for id in (0..=u16::MAX).step_by(509).chain(0xffe0..=0xffff).chain(0..0x20) {
            routed(twins, &ipv4().change_ipv4(|ip| ip.id = id).bytes());
        }
        // All checksums that an identification can make next to 0 and 0xffff.
        for sum in [0_u16, 1, 0xfe, 0xff, 0x100, 0x101, 0xfefe, 0xfeff, 0xff00, 0xfffe] {
            let with = |id: u16| {
                let bytes = ipv4().change_ipv4(|ip| ip.id = id).bytes();
                (bytes[24..26] == sum.to_be_bytes()).then_some(bytes)
            };
            let frame = (0..=u16::MAX).find_map(with).expect("one identification has this sum");
            routed(twins, &frame);
        }
        for bit in 0..16 {
            let mut wrong = ipv4().bytes();
            wrong[24 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(twins.same("in0", &wrong, Reason::TransitInputBadChecksum), []);
        }
        // The other zero verifies as well.
        let zero = (0..=u16::MAX).find_map(|id| {
            let bytes = ipv4().change_ipv4(|ip| ip.id = id).bytes();
            (bytes[24..26] == [0, 0]).then_some(bytes)
        });
        let mut other_zero = zero.expect("one identification has the sum 0");
        other_zero[24..26].fill(0xff);
        routed(twins, &other_zero);
    });
}

#[test]
fn flags_and_fragments() {
    routers(|twins| {
        for flags in 0..8_u16 {
            for offset in [0, 1, 185, 0x1fff] {
                let mut packet = ipv4().bytes();
                packet[20..22].copy_from_slice(&(flags << 13 | offset).to_be_bytes());
                fix_ipv4_checksum(&mut packet[14..34]);
                routed(twins, &packet);
            }
        }
        // IPv6: the fragment header is the hosts' business.
        for offset in [0_u16, 1, 8, 0xfff9] {
            let frame = ipv6().change_ipv6(|ip| {
                ip.next_header = 44;
                let [high, low] = offset.to_be_bytes();
                ip.payload = [&[17, 0, high, low, 0, 0, 0, 7][..], &[0; 24]].concat();
            });
            routed(twins, &frame.bytes());
        }
    });
}

/// Case TR-04.
#[test]
fn versions_and_header_lengths() {
    routers(|twins| {
        for first in 0..=255 {
            for mut packet in frames().map(|frame| frame.bytes()) {
                packet[14] = first;
                let header = usize::from(first & 0xf) * 4;
                if first >> 4 == 4 && packet[12] == 8 && header >= 20 {
                    fix_ipv4_checksum(&mut packet[14..]);
                }
                as_forecast(twins, &packet);
            }
        }
    });
}

#[test]
fn options_and_extension_headers() {
    routers(|twins| {
        for option in [0, 1, 7, 68, 130, 131, 137, 148] {
            for words in [1, 2, 10] {
                let mut options = vec![option, (words * 4) as u8, 4, 0];
                options.resize(words * 4, 0);
                let frame = ipv4().change_ipv4(|ip| ip.options = options);
                twins.same("in0", &frame.bytes(), Reason::TransitInputOptions);
            }
        }
        for next_header in [0, 43, 44, 50, 51, 60, 135] {
            for header_type in [0, 1, 4, 5, 0x3e, 0xc2] {
                let frame = ipv6().change_ipv6(|ip| {
                    ip.next_header = next_header;
                    ip.payload = [&[17, 0, header_type, 4, 0, 0, 0, 0][..], &[0; 16]].concat();
                });
                as_forecast(twins, &frame.bytes());
            }
        }
    });
}

#[test]
fn lengths_and_padding() {
    routers(|twins| {
        for frame in frames() {
            let bytes = frame.bytes();
            let headers = if bytes[12] == 8 { 42 } else { 62 };
            for length in headers..80 {
                let short = frame.clone().length(length).bytes();
                routed(twins, &short);
                for padding in [1, 4, 18] {
                    routed(twins, &[&short[..], &vec![0xaa; padding]].concat());
                }
            }
            // The length in the header against that of the frame.
            for length in (0..80).chain([bytes.len() - 15, bytes.len() - 13, 0xffff]) {
                let mut packet = bytes.clone();
                let at = if packet[12] == 8 { 16 } else { 18 };
                packet[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
                if packet[12] == 8 {
                    fix_ipv4_checksum(&mut packet[14..34]);
                }
                as_forecast(twins, &packet);
            }
            for end in 14..bytes.len() {
                as_forecast(twins, &bytes[..end]);
            }
        }
    });
}

/// Case TR-05.
#[test]
fn sizes_around_the_mtu() {
    routers(|twins| {
        let longest = MTUS[1] as usize + 14;
        for frame in [ipv4(), ipv4().change_ipv4(|ip| ip.df = true), ipv6()] {
            for length in [512, 1_000, longest - 1, longest, longest + 1, longest + 60, 1_514] {
                let reason = as_forecast(twins, &frame.clone().length(length).bytes());
                assert_eq!(reason == Reason::Routed, length <= longest, "{length}");
            }
        }
    });
}

#[test]
fn every_bit_of_the_flow_label() {
    routers(|twins| {
        for bit in 0..20 {
            for label in [1 << bit, !(1 << bit) & 0xf_ffff] {
                routed(twins, &ipv6().change_ipv6(|ip| ip.flow_label = label).bytes());
            }
        }
    });
}

/// Case TR-04.
#[test]
fn addresses_of_every_kind() {
    routers(|twins| {
        let to = server(server::WEST);
        // The first byte decides almost everything; the rest is varied with it.
        for first in 0..=255 {
            for rest in [[0, 0, 0], [0, 0, 1], [51, 101, 7], [255, 255, 254], [255, 255, 255]] {
                let address = [first, rest[0], rest[1], rest[2]];
                let source = Station { ipv4: address, ..CLIENT };
                as_forecast(twins, &Frame::ipv4(&source, &to).bytes());
                let destination = Station { ipv4: address, ..to };
                as_forecast(twins, &Frame::ipv4(&CLIENT, &destination).bytes());
            }
        }
        for last in 0..=20 {
            let far = Station { ipv4: [198, 18, 0, 1], ..HOST_R };
            for from in [CLIENT, server(server::LOCAL), far] {
                as_forecast(twins, &Frame::ipv4(&from, &server(last)).to(IN0_MAC).bytes());
                as_forecast(twins, &Frame::ipv6(&from, &server(last)).to(IN0_MAC).bytes());
            }
        }
    });
}

/// Case TR-04.
#[test]
fn ipv6_addresses_of_every_kind() {
    routers(|twins| {
        let to = server(server::WEST);
        for first in 0..=255 {
            for second in [0, 0x02, 0x40, 0x80, 0xbf, 0xc0] {
                let mut address = CLIENT.ipv6;
                address[..2].copy_from_slice(&[first, second]);
                let source = Station { ipv6: address, ..CLIENT };
                as_forecast(twins, &Frame::ipv6(&source, &to).bytes());
                let destination = Station { ipv6: address, ..to };
                as_forecast(twins, &Frame::ipv6(&CLIENT, &destination).bytes());
            }
        }
        let mut special = vec![[0; 16]; 4];
        special[1][15] = 1;
        special[2][10..].copy_from_slice(&[0xff, 0xff, 198, 51, 100, 1]);
        special[3][12..].copy_from_slice(&[198, 51, 100, 1]);
        for address in special {
            let source = Station { ipv6: address, ..CLIENT };
            as_forecast(twins, &Frame::ipv6(&source, &to).bytes());
            let destination = Station { ipv6: address, ..to };
            as_forecast(twins, &Frame::ipv6(&CLIENT, &destination).bytes());
        }
    });
}

/// Case TR-04: what is not IP, at the router's MAC address.
#[test]
fn what_is_not_ip_is_forwarded_by_nobody() {
    routers(|twins| {
        for kind in [ether_type::EXPERIMENTAL, ether_type::LLDP, 0x8847] {
            let frame = Frame::other(&CLIENT, &server(server::WEST), kind).to(IN0_MAC).bytes();
            assert_eq!(twins.same("in0", &frame, Reason::UnderlayInputNotVxlan), []);
        }
    });
}

/// Case TR-04.
#[test]
fn frames_for_others_and_for_groups() {
    routers(|twins| {
        for frame in frames() {
            for mac in [BROADCAST, MULTICAST, STRANGER.mac, OUT0_MAC] {
                let frame = frame.clone().to(mac).bytes();
                twins.same("in0", &frame, Reason::TransitInputOtherHost);
            }
        }
        let inner = Frame::ipv4(&HOST_R, &CLIENT).bytes();
        for destination_mac in [BROADCAST, MULTICAST, STRANGER.mac, OUT0_MAC] {
            let vxlan = Vxlan::new(CLIENT.ipv4, server(200).ipv4, VNI);
            let frame = Vxlan { destination_mac, source_mac: CLIENT.mac, ..vxlan }.around(&inner);
            twins.same("in0", &frame, Reason::UnderlayInputOtherHost);
        }
    });
}

#[test]
fn vxlan_on_its_way_through() {
    routers(|twins| {
        let inner = Frame::ipv4(&HOST_R, &CLIENT).bytes();
        for destination_port in [4_789, 8_472] {
            for options in 0..8 {
                let fabric = twins.fabric();
                fabric.world.change_settings(|settings| settings.hash_flags = options);
                let outer = Vxlan {
                    destination_mac: IN0_MAC,
                    source_mac: CLIENT.mac,
                    destination_port,
                    ..Vxlan::new(CLIENT.ipv4, server(200).ipv4, VNI)
                };
                routed(twins, &outer.around(&inner));
            }
        }
    });
}

/// Headers with several wrong or rare bits at once.
#[test]
fn random_headers() {
    const SEED: u64 = 0xfab_0002;
    const PACKETS: usize = 1_500;
    routers(|twins| {
        let mut random = Random::new(SEED);
        let mut forwarded = 0;
        for _ in 0..PACKETS {
            let to = server(random.bits() as u8);
            let frame = if random.below(2) == 0 {
                Frame::ipv4(&CLIENT, &to)
            } else {
                Frame::ipv6(&CLIENT, &to)
            };
            let mut packet = frame.ttl(random.bits() as u8).bytes();
            while random.below(3) > 0 {
                let at = 14 + random.below(40);
                packet[at] ^= 1 << random.below(8);
            }
            if packet[12] == 8 && packet[14] == 0x45 && random.below(4) > 0 {
                fix_ipv4_checksum(&mut packet[14..34]);
            }
            let reason = as_forecast(twins, &packet);
            forwarded += usize::from(reason.verdict() == Verdict::Redirect);
        }
        println!("seed {SEED:#x}: {forwarded} of {PACKETS} were forwarded by our programs");
        assert!(forwarded > PACKETS / 4);
    });
}
