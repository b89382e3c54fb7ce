//! Neighbours that fall silent: BFD packets pass, and the packet path remembers when.

use fabric_common::{
    bfd::{PORT, Watch},
    reason::Reason,
};
use fabric_tests::{
    packet::{Frame, protocol},
    router::{CLIENT, Router, router, server, server::LOCAL},
    world::NexthopId,
};

/// A control packet (RFC 5880 §4.1) every 50 ms, three of which may be missed.
fn control(state: u8) -> Vec<u8> {
    let mut message = vec![0x20, state << 6, 3, 24, 0, 0, 0, 1, 0, 0, 0, 2];
    for interval_us in [50_000_u32, 50_000, 0] {
        message.extend(interval_us.to_be_bytes());
    }
    message
}

const UP: u8 = 3;
const DOWN: u8 = 1;

/// Control packets of both families, IPv6 between link-local addresses as FRR sends them.
fn packets(state: u8) -> [Frame; 2] {
    let mut local = server(LOCAL);
    let ipv4 = Frame::ipv4(&CLIENT, &local).change_ipv4(|ip| ip.payload = control(state));
    local.ipv6[..8].copy_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
    let ipv6 = Frame::ipv6(&CLIENT, &local).change_ipv6(|ip| ip.payload = control(state));
    [ipv4, ipv6].map(|frame| frame.ports([49_152, PORT]).ttl(255))
}

fn send(router: &mut Router, frames: &[Frame; 2]) -> [u64; 2] {
    let reasons = [Reason::TransitRouteLocal, Reason::TransitInputMartian];
    let mut seen = [0; 2];
    for ((frame, reason), seen) in frames.iter().zip(reasons).zip(&mut seen) {
        router.passes(&frame.bytes(), reason);
        *seen = router.world.maps.ports.get(router.in0.slot).bfd;
    }
    seen
}

#[test]
fn a_session_that_is_up_is_watched_until_it_is_not() {
    router(|router| {
        let [first, second] = send(router, &packets(UP));
        let hz = router.world.hz;
        let silent = |watch: u64, ms: u32| {
            Watch(watch).is_silent(u64::from(watch as u32) + u64::from(ms * hz / 1_000), hz)
        };
        // One packet says nothing about the rate: three pauses of a second.
        assert_eq!([3_000, 3_100].map(|ms| silent(first, ms)), [false, true]);
        // The second came at once, but what counts at least is the interval that it announces.
        assert_eq!([150, 3_100].map(|ms| silent(second, ms)), [false, true]);
        assert_eq!(send(router, &packets(DOWN)), [0, 0]);
    });
}

#[test]
fn a_neighbour_that_is_heard_at_a_member_of_a_bond_is_heard_at_the_bond() {
    router(|router| {
        let (bond, _) = router.behind(router.west);
        let member = router.in0.slot;
        router.world.maps.ports.update(member, |entry| entry.as_port = bond.slot as u16);
        assert_eq!(send(router, &packets(UP)), [0, 0]);
        assert_ne!(router.world.maps.ports.get(bond.slot).bfd, 0);
        send(router, &packets(DOWN));
        assert_eq!(router.world.maps.ports.get(bond.slot).bfd, 0);
    });
}

/// Or else all neighbours would be taken for silent when the bypass ends, until their next packets.
#[test]
fn neighbours_are_heard_while_nothing_is_forwarded() {
    router(|router| {
        let frames = packets(UP).map(|frame| frame.bytes());
        let (now, hz) = (u64::from(router.world.now()), router.world.hz);
        for (reason, bypass) in
            [(Reason::PortInputBypassed, 1), (Reason::PortInputHeartbeatExpired, 0)]
        {
            let in0 = router.in0.slot;
            router.world.maps.ports.update(in0, |entry| entry.bfd = 0);
            router.world.change_settings(|settings| {
                (settings.bypass, settings.deadline) = (bypass, 0);
            });
            for frame in &frames {
                router.passes(frame, reason);
                let watch = router.world.maps.ports.get(in0).bfd;
                assert!(watch != 0 && !Watch(watch).is_silent(now, hz), "{reason:?}: {watch:#x}");
                router.world.maps.ports.update(in0, |entry| entry.bfd = 0);
            }
        }
    });
}

#[test]
fn only_bfd_packets_from_the_link_are_noted() {
    router(|router| {
        let routed = packets(UP).map(|frame| frame.ttl(254));
        let other_port = packets(UP).map(|frame| frame.ports([49_152, PORT + 1]));
        let [v4, v6] = packets(UP);
        let tcp = [
            v4.change_ipv4(|ip| ip.protocol = protocol::TCP),
            v6.change_ipv6(|ip| ip.next_header = protocol::TCP),
        ];
        for frames in [routed, other_port, tcp] {
            assert_eq!(send(router, &frames), [0, 0]);
        }
    });
}

/// Nobody writes anything: neither the daemon nor the test touches the group.
#[test]
fn flows_of_a_silent_neighbour_turn_to_others_until_the_control_plane_must_know() {
    router(|router| {
        let hz = router.world.hz;
        let flows: Vec<Frame> = (0..64)
            .map(|i| Frame::ipv4(&CLIENT, &server(server::BOTH)).ports([40_000 + i, 53]))
            .collect();
        let before: Vec<NexthopId> = flows.iter().map(|f| router.choice(&f.bytes())).collect();
        let (port, _) = router.behind(router.west);
        let watch = |router: &mut Router, ago: u32| {
            router.world.beat().expect("the heartbeat runs");
            let deadline = router.world.now().wrapping_sub(ago);
            let word = u64::from(deadline) << 32 | u64::from(deadline.wrapping_sub(hz));
            router.world.maps.ports.update(port.slot, |entry| entry.bfd = word);
        };
        watch(router, 1);
        for flow in &flows {
            router.routes(flow, router.east, 64);
        }
        // Heard again, or forgotten: both directions of time.
        for ago in [(hz * 60).wrapping_neg(), hz * 6] {
            watch(router, ago);
            for (flow, nexthop) in flows.iter().zip(&before) {
                router.routes(flow, *nexthop, 64);
            }
        }
    });
}
