//! ICMP messages by which the kernel may learn something about a way: they pass, and the packet path
//! leaves a note.

use fabric_common::reason::Reason;
use fabric_tests::{
    packet::{Frame, protocol},
    router::{CLIENT, Router, router, server, server::LOCAL},
};

/// Whether a frame to the box leaves a note, which is taken away again.
fn noted(router: &mut Router, frame: &Frame, reason: Reason) -> bool {
    router.passes(&frame.bytes(), reason);
    let noted = router.world.maps.settings.get(0).path_news != 0;
    router.world.change_settings(|settings| settings.path_news = 0);
    noted
}

fn icmp(kind: u8, code: u8) -> Frame {
    Frame::ipv4(&CLIENT, &server(LOCAL)).change_ipv4(|ip| {
        ip.protocol = protocol::ICMP;
        (ip.payload[0], ip.payload[1]) = (kind, code);
    })
}

fn icmpv6(kind: u8) -> Frame {
    Frame::icmpv6(&CLIENT, &server(LOCAL), kind)
}

#[test]
fn messages_about_too_big_packets_and_redirects_leave_a_note_and_no_others() {
    router(|router| {
        for kind in 0..=255 {
            for code in 0..=8 {
                let expected = kind == 5 || (kind, code) == (3, 4);
                let found = noted(router, &icmp(kind, code), Reason::TransitRouteLocal);
                assert_eq!(found, expected, "ICMP type {kind}, code {code}");
            }
            let reason = match kind {
                133..=137 => Reason::TransitInputNeighbourDiscovery,
                _ => Reason::TransitRouteLocal,
            };
            let found = noted(router, &icmpv6(kind), reason);
            assert_eq!(found, matches!(kind, 2 | 137), "ICMPv6 type {kind}");
        }
        // The same bytes in another protocol.
        let udp = icmp(3, 4).change_ipv4(|ip| ip.protocol = protocol::UDP);
        assert!(!noted(router, &udp, Reason::TransitRouteLocal));
    });
}

#[test]
fn a_note_is_left_while_nothing_is_forwarded_and_on_link_local_addresses() {
    router(|router| {
        let mut local = server(LOCAL);
        local.ipv6[..8].copy_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
        let frame = Frame::icmpv6(&CLIENT, &local, 2);
        assert!(noted(router, &frame, Reason::TransitInputMartian));
        for (reason, bypass) in
            [(Reason::PortInputBypassed, 1), (Reason::PortInputHeartbeatExpired, 0)]
        {
            router.world.change_settings(|settings| {
                (settings.bypass, settings.deadline) = (bypass, 0);
            });
            assert!(noted(router, &icmp(3, 4), reason), "{reason:?}");
        }
    });
}

#[test]
fn messages_for_others_are_routed_without_a_note() {
    router(|router| {
        let to = server(server::WEST);
        let frame = Frame::ipv4(&CLIENT, &to).change_ipv4(|ip| {
            ip.protocol = protocol::ICMP;
            (ip.payload[0], ip.payload[1]) = (3, 4);
        });
        router.world.run(&router.in0, &frame.bytes(), 0).expect("the program runs");
        assert_eq!(router.world.maps.settings.get(0).path_news, 0);
    });
}
