//! Routing to a network of a bridge: what no device has to be there for.

use std::net::{Ipv4Addr, Ipv6Addr};

use fabric_common::{
    reason::Reason,
    schema::{
        ports::ROLE_ACCESS,
        routes::{KIND_NEXTHOP, target},
    },
};
use fabric_tests::{
    addresses::HOST_B,
    packet::Frame,
    router::{CLIENT, router},
    world::PORT_MTU,
};
use fabric_user::model::Domain;

const GATEWAY: [u8; 6] = [2, 0, 0, 9, 0, 1];

#[test]
pub(crate) fn a_next_hop_that_its_bridge_does_not_know_is_the_kernels() {
    router(|router| {
        let view = fabric_tests::router::VIEW;
        let world = &mut router.world;
        let access = world.port("acc0", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 0]).expect("a port");
        let domain = world.domain(0, Domain { ageing_ms: 4 * 3_600_000, ..Domain::default() });
        let circuit = world.circuit(&access, domain, 0);
        let gateway = world.gateway(domain, GATEWAY).expect("a gateway");
        let host = world.nexthop(&gateway, HOST_B.mac, PORT_MTU);
        let way = target(KIND_NEXTHOP, host.0.into());
        world.route(view, (Ipv4Addr::from(HOST_B.ipv4).into(), 32), way);
        world.route(view, (Ipv6Addr::from(HOST_B.ipv6).into(), 128), way);
        for frame in [Frame::ipv4(&CLIENT, &HOST_B), Frame::ipv6(&CLIENT, &HOST_B)] {
            let frame = frame.to(router.in0.mac).ttl(9);
            router.passes(&frame.bytes(), Reason::StationLookupUnknown);
            // Its own address is nobody's to be sent to.
            router.world.learn_own(domain, HOST_B.mac);
            router.passes(&frame.bytes(), Reason::StationLookupUnknown);
            router.world.settle(circuit, &HOST_B);
            let sent = frame.clone().to(HOST_B.mac).from(GATEWAY).ttl(8);
            let outcome = router.world.send(&router.in0, &frame.bytes());
            outcome.is_routed(&access, &sent.bytes());
            router.world.forget(domain, HOST_B.mac);
        }
    });
}
