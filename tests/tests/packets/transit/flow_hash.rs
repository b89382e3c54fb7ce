//! Which packets belong to one flow, by the options.

use std::collections::BTreeSet;

use fabric_common::schema::settings::{
    HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_FLOW_LABEL, HASH_INNER, HASH_OMIT4, HASH_OMIT6,
    HASH_ROUTED_LABEL, HASH_SYMMETRIC, HASH_TUNNEL4, HASH_TUNNEL6, OMIT_ALL, OMIT_DESTINATION,
    OMIT_DESTINATION_PORT, OMIT_PROTOCOL, OMIT_SOURCE, OMIT_SOURCE_PORT,
};
use fabric_tests::{
    addresses::{HOST_B, HOST_R, Station, VNI},
    model,
    packet::{Frame, Vxlan, ether_type, fix_ipv4_checksum, protocol},
    router::{CLIENT, IN0_MAC, Router, router, server},
    world::NexthopId,
};

fn options(router: &mut Router, hash_flags: u32) {
    router.world.change_settings(|settings| settings.hash_flags = hash_flags);
}

/// Sends packets and returns their nexthops; all of them have to be where the model says.
fn ways(router: &mut Router, packets: &[Vec<u8>]) -> Vec<NexthopId> {
    let in0 = router.in0.clone();
    router.world.compare(packets.iter().map(|packet| (in0.clone(), packet.clone())));
    packets.iter().map(|packet| router.choice(packet)).collect()
}

fn distinct(ways: &[NexthopId]) -> usize {
    ways.iter().map(|way| way.0).collect::<BTreeSet<_>>().len()
}

fn vxlan(inner: &[u8], source_port: u16, destination_port: u16) -> Vec<u8> {
    let outer = Vxlan {
        destination_mac: IN0_MAC,
        source_mac: CLIENT.mac,
        source_port,
        destination_port,
        ..Vxlan::new(CLIENT.ipv4, server(server::BOTH).ipv4, VNI)
    };
    outer.around(inner)
}

#[test]
fn the_flow_label_counts_if_it_is_asked_for() {
    router(|router| {
        let frame = Frame::ipv6(&CLIENT, &server(server::BOTH));
        let labels: Vec<_> = (0..64)
            .map(|i| frame.clone().change_ipv6(|ip| ip.flow_label = i * 0x1_0001).bytes())
            .collect();
        assert_eq!(distinct(&ways(router, &labels)), 1);
        options(router, HASH_FLOW_LABEL);
        assert_eq!(distinct(&ways(router, &labels)), 2);
        // A label of zero is none: the flow is where it was without the option.
        let unlabelled = [frame.change_ipv6(|ip| ip.flow_label = 0).bytes()];
        let with = ways(router, &unlabelled);
        options(router, 0);
        assert_eq!(ways(router, &unlabelled), with);
        // The traffic class beside the label never counts.
        options(router, HASH_FLOW_LABEL);
        let classes: Vec<_> = (0..=255)
            .map(|tos| Frame::ipv6(&CLIENT, &server(server::BOTH)).tos(tos).bytes())
            .collect();
        assert_eq!(distinct(&ways(router, &classes)), 1);
    });
}

/// The hash is what has to be the same in both directions; the test asks the model, and the
/// program for the nexthop that follows.
#[test]
fn symmetric_hashes_are_the_same_in_both_directions() {
    router(|router| {
        let to = server(server::BOTH);
        let settings = |router: &Router| router.world.maps.settings.get(0);
        let pairs: Vec<_> = (0..128_u16)
            .flat_map(|i| {
                let numbers = [protocol::UDP, protocol::TCP, protocol::SCTP, protocol::ICMP];
                let number = numbers[usize::from(i % 4)];
                let client = Station { ipv4: [198, 51, 100, i as u8], ..CLIENT };
                // Also the same address at both ends.
                let to = if i % 5 == 0 { Station { ipv4: to.ipv4, ..client } } else { to };
                let v4 = |from: &Station, to: &Station, ports| {
                    let frame = Frame::ipv4(from, to).ports(ports).to(IN0_MAC);
                    frame.change_ipv4(|ip| ip.protocol = number).bytes()
                };
                let v6 = |from: &Station, to: &Station, ports| {
                    let frame = Frame::ipv6(from, to).ports(ports).to(IN0_MAC);
                    frame.change_ipv6(|ip| ip.next_header = number).bytes()
                };
                let ports = [40_000 + i, 40_100];
                let back = [40_100, 40_000 + i];
                [
                    [v4(&client, &to, ports), v4(&to, &client, back)],
                    [v6(&client, &to, ports), v6(&to, &client, back)],
                ]
            })
            .collect();
        for (flags, alike) in [(0, false), (HASH_SYMMETRIC, true)] {
            options(router, flags);
            let same = |[there, back]: &[Vec<u8>; 2]| {
                let hash = |frame| model::flow_hash_by(frame, &settings(router), true);
                hash(there) == hash(back)
            };
            let same = pairs.iter().filter(|pair| same(pair)).count();
            assert_eq!(same == pairs.len(), alike, "{same} of {} are alike", pairs.len());
            let there: Vec<_> = pairs.iter().map(|[there, _]| there.clone()).collect();
            assert_eq!(distinct(&ways(router, &there)), 2);
        }
        // The way back is a packet like any other, to a client behind the same two nexthops.
        let group = fabric_common::schema::routes::target(
            fabric_common::schema::routes::KIND_GROUP,
            router.both,
        );
        let clients = [std::net::Ipv4Addr::new(198, 51, 100, 0).into()];
        router.world.route(fabric_tests::router::VIEW, (clients[0], 24), group);
        router.world.route(
            fabric_tests::router::VIEW,
            (std::net::Ipv6Addr::from(CLIENT.ipv6).into(), 64),
            group,
        );
        let [there, back] = [0, 1].map(|way| pairs.iter().map(|p| p[way].clone()).collect());
        let [there, back]: [Vec<Vec<u8>>; 2] = [there, back];
        assert_eq!(ways(router, &there), ways(router, &back));
    });
}

#[test]
fn inner_headers_of_vxlan_count_if_they_are_asked_for() {
    router(|router| {
        let inners = |frame: &dyn Fn(u16) -> Frame| -> Vec<Vec<u8>> {
            (0..64).map(|i| vxlan(&frame(i).bytes(), 50_000, 4789)).collect()
        };
        let v4 = inners(&|i| Frame::ipv4(&HOST_R, &HOST_B).ports([i, 80]));
        let v6 = inners(&|i| Frame::ipv6(&HOST_R, &HOST_B).ports([i, 80]));
        let other = inners(&|i| Frame::other(&HOST_R, &HOST_B, ether_type::EXPERIMENTAL + i));
        let elsewhere: Vec<_> = (0..64)
            .map(|i| vxlan(&Frame::ipv4(&HOST_R, &HOST_B).ports([i, 80]).bytes(), 50_000, 4788))
            .collect();
        let outer: Vec<_> = (0..64)
            .map(|i| vxlan(&Frame::ipv4(&HOST_R, &HOST_B).bytes(), 50_000 + i, 4789))
            .collect();
        for (packets, off, on) in
            [(&v4, 1, 2), (&v6, 1, 2), (&other, 1, 2), (&elsewhere, 1, 1), (&outer, 2, 1)]
        {
            options(router, 0);
            assert_eq!(distinct(&ways(router, packets)), off);
            options(router, HASH_INNER);
            assert_eq!(distinct(&ways(router, packets)), on);
        }
        // The port of a vxlan device of this box as well.
        let known: Vec<_> = (0..64)
            .map(|i| vxlan(&Frame::ipv4(&HOST_R, &HOST_B).ports([i, 80]).bytes(), 50_000, 8472))
            .collect();
        assert_eq!(distinct(&ways(router, &known)), 2);
        router.world.change_settings(|settings| settings.vxlan_ports_be = [0; 4]);
        assert_eq!(distinct(&ways(router, &known)), 1);
        assert_eq!(distinct(&ways(router, &v4)), 2, "4789 is known on a spine too");
    });
}

/// Inner frames that end anywhere, and outer fragments, whose other parts have no inner headers.
#[test]
fn inner_headers_that_are_not_whole_do_no_harm() {
    router(|router| {
        options(router, HASH_INNER | HASH_SYMMETRIC | HASH_FLOW_LABEL);
        for inner in [Frame::ipv4(&HOST_R, &HOST_B), Frame::ipv6(&HOST_R, &HOST_B)] {
            let inner = inner.bytes();
            let cut: Vec<_> =
                (0..inner.len()).map(|end| vxlan(&inner[..end], 50_000, 4789)).collect();
            ways(router, &cut);
        }
        let fragments: Vec<_> = (0..64_u16)
            .map(|i| {
                let inner = Frame::ipv4(&HOST_R, &HOST_B).ports([i, 80]).bytes();
                let mut packet = vxlan(&inner, 50_000 + i, 4789);
                packet[20] = 0x20;
                fix_ipv4_checksum(&mut packet[14..34]);
                packet
            })
            .collect();
        assert_eq!(distinct(&ways(router, &fragments)), 1);
    });
}

#[test]
fn fragments_of_a_packet_stay_on_one_path() {
    router(|router| {
        for flags in [0, HASH_SYMMETRIC | HASH_INNER | HASH_FLOW_LABEL] {
            options(router, flags);
            for source in 0..16 {
                let frame =
                    Frame::ipv4(&CLIENT, &server(server::BOTH)).ports([40_000 + source, 53]);
                let first = frame.clone().change_ipv4(|ip| ip.mf = true);
                let middle = first.clone().change_ipv4(|ip| ip.offset = 185);
                let last = frame.change_ipv4(|ip| ip.offset = 370);
                let all = [first, middle, last].map(|frame| frame.bytes());
                assert_eq!(distinct(&ways(router, &all)), 1);
            }
        }
    });
}

/// What a host's frame and a packet on its way through hash alike, options or not: one place
/// decides. (Inner headers count for the latter only.)
#[test]
fn every_option_alone_and_together_follows_the_model() {
    router(|router| {
        let to = server(server::BOTH);
        let mut packets = Vec::new();
        for i in 0..32_u16 {
            let ports = [40_000 + i * 7, 53];
            let inner = Frame::ipv6(&HOST_R, &HOST_B).ports(ports).change_ipv6(|ip| {
                ip.flow_label = u32::from(i) << 8;
            });
            packets.extend([
                Frame::ipv4(&CLIENT, &to).ports(ports).bytes(),
                Frame::ipv6(&CLIENT, &to).ports(ports).bytes(),
                vxlan(&inner.bytes(), 50_000, 4789),
                vxlan(&Frame::arp(&HOST_R, &HOST_B).bytes(), 50_000 + i, 4789),
            ]);
        }
        let policies = [
            HASH_ROUTED_LABEL,
            OMIT_ALL << HASH_OMIT4,
            (OMIT_PROTOCOL | PORTS) << HASH_OMIT4 | PORTS << HASH_OMIT6 | HASH_ROUTED_LABEL,
            OMIT_SOURCE << HASH_OMIT4 | OMIT_DESTINATION << HASH_OMIT6,
            OMIT_SOURCE_PORT << HASH_OMIT4 | OMIT_DESTINATION_PORT << HASH_OMIT6,
            HASH_TUNNEL4 | HASH_TUNNEL6,
        ];
        for policy in [0].into_iter().chain(policies) {
            for flags in 0..8 {
                options(router, policy | flags);
                ways(router, &packets);
            }
        }
    });
}

const PORTS: u32 = OMIT_SOURCE_PORT | OMIT_DESTINATION_PORT;

/// Policy 0 of the kernel, its default.
#[test]
fn ports_do_not_count_where_the_kernel_counts_addresses_alone() {
    router(|router| {
        let to = server(server::BOTH);
        let v4: Vec<_> =
            (0..64).map(|i| Frame::ipv4(&CLIENT, &to).ports([40_000 + i, 53]).bytes()).collect();
        let v6: Vec<_> =
            (0..64).map(|i| Frame::ipv6(&CLIENT, &to).ports([40_000 + i, 53]).bytes()).collect();
        for packets in [v4, v6] {
            options(router, 0);
            assert_eq!(distinct(&ways(router, &packets)), 2);
            options(router, PORTS << HASH_OMIT4 | PORTS << HASH_OMIT6);
            assert_eq!(distinct(&ways(router, &packets)), 1);
        }
    });
}

/// An IP packet around another one, as GRE with these flags if `gre` has any.
fn around(v6: bool, number: u8, gre: Option<(u16, u16)>, inner: &[u8]) -> Vec<u8> {
    let to = server(server::BOTH);
    let header = match gre {
        None => Vec::new(),
        Some((flags, kind)) => {
            let fields = [0x8000, 0x2000, 0x1000].iter().filter(|bit| flags & **bit != 0).count();
            [&flags.to_be_bytes()[..], &kind.to_be_bytes(), &vec![0xa5; 4 * fields]].concat()
        }
    };
    let payload = [&header[..], inner].concat();
    let (frame, at) = if v6 {
        (Frame::ipv6(&CLIENT, &to).change_ipv6(|ip| ip.next_header = number).bytes(), 54)
    } else {
        (Frame::ipv4(&CLIENT, &to).change_ipv4(|ip| ip.protocol = number).bytes(), 34)
    };
    let mut packet = [&frame[..at], &payload].concat();
    if v6 {
        packet[18..20].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    } else {
        packet[16..18].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        fix_ipv4_checksum(&mut packet[14..34]);
    }
    packet
}

/// Policy 2 of the kernel.
#[test]
fn inner_addresses_of_tunnels_count_where_the_kernel_counts_them() {
    router(|router| {
        let station = |i: u8| Station { ipv4: [10, 0, 0, i], ..HOST_R };
        let inner = |v6: bool, from: &Station, ports| {
            let frame = match v6 {
                false => Frame::ipv4(from, &HOST_B).ports(ports),
                true => Frame::ipv6(from, &HOST_B).ports(ports).change_ipv6(|ip| {
                    ip.flow_label = u32::from(from.ipv4[3]);
                }),
            };
            frame.bytes()[14..].to_vec()
        };
        let flags = HASH_ENCAPSULATED4
            | HASH_ENCAPSULATED6
            | (OMIT_PROTOCOL | PORTS) << HASH_OMIT4
            | PORTS << HASH_OMIT6;
        for outer6 in [false, true] {
            for inner6 in [false, true] {
                let kind = if inner6 { ether_type::IPV6 } else { ether_type::IPV4 };
                let plain = if inner6 { 41 } else { 4 };
                let forms = [
                    (plain, None),
                    (47, Some((0, kind))),
                    (47, Some((0x2000, kind))),
                    (47, Some((0xb000, kind))),
                ];
                for (number, gre) in forms {
                    let packets = |all: &dyn Fn(u8) -> Vec<u8>| -> Vec<_> {
                        (0..64).map(|i| around(outer6, number, gre, &all(i))).collect()
                    };
                    let addresses = packets(&|i| inner(inner6, &station(i), [1, 2]));
                    let ports = packets(&|i| inner(inner6, &HOST_R, [i.into(), 2]));
                    options(router, flags);
                    assert_eq!(distinct(&ways(router, &addresses)), 2, "{number} {gre:?}");
                    assert_eq!(distinct(&ways(router, &ports)), 1, "{number} {gre:?}");
                    options(router, flags & !(HASH_ENCAPSULATED4 | HASH_ENCAPSULATED6));
                    assert_eq!(distinct(&ways(router, &addresses)), 1, "{number} {gre:?}");
                }
            }
        }
        // What is cut off, has a route or another version, or is not IP: by the outer addresses.
        options(router, flags);
        let whole = around(false, 47, Some((0xb000, ether_type::IPV4)), &[0x45; 40]);
        let cut: Vec<_> = (34..whole.len())
            .map(|end| {
                let mut packet = whole[..end].to_vec();
                packet[16..18].copy_from_slice(&((end - 14) as u16).to_be_bytes());
                fix_ipv4_checksum(&mut packet[14..34]);
                packet
            })
            .collect();
        ways(router, &cut);
        for odd in [(0x4000, ether_type::IPV4), (1, ether_type::IPV4), (0, 0x6558)] {
            let packets: Vec<_> = (0..64)
                .map(|i| around(false, 47, Some(odd), &inner(false, &station(i), [1, 2])))
                .collect();
            assert_eq!(distinct(&ways(router, &packets)), 1, "{odd:?}");
        }
    });
}
