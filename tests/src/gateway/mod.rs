//! A leaf that routes for its networks, and what it has to make of their packets: as the kernel alone does, byte
//! for byte, and by XDP.

mod site;

use fabric_common::reason::Reason;

use crate::addresses::Station;
use site::{
    DOWNSTREAM_VNI, HOST1, HOST2, OUT0, OUTSIDE, REMOTE1, REMOTE2, REMOTE3, VNIS, from_leaf2,
    packets,
};
pub use site::{Seen, Shape, Site};

/// A host's packets for a host here (between two networks), one behind another leaf (asymmetric), one in a network
/// that the other leaf routes for (symmetric), and to the outside.
pub fn hosts_reach_every_network(site: &Site) {
    for (to, port, vni) in [
        (HOST2, "acc2", None),
        (REMOTE2, "up0", Some(VNIS[1])),
        (REMOTE3, "up0", Some(VNIS[2])),
        (OUTSIDE, "out0", None),
    ] {
        for packet in packets(&HOST1, &to, site.gateway_mac(1)) {
            let (at, tunnel, _) = site.routed("acc1", &packet.bytes());
            assert_eq!((at, tunnel), (port, vni), "to {:?}", to.ipv4);
        }
    }
}

/// Packets from the router for a host here, one behind another leaf, and one in a network of the other leaf.
pub fn outsiders_reach_every_network(site: &Site) {
    for (to, port, vni) in
        [(HOST1, "acc1", None), (REMOTE1, "up0", Some(VNIS[0])), (REMOTE3, "up0", Some(VNIS[2]))]
    {
        for packet in packets(&OUTSIDE, &to, OUT0) {
            let (at, tunnel, _) = site.routed("out0", &packet.bytes());
            assert_eq!((at, tunnel), (port, vni), "to {:?}", to.ipv4);
        }
    }
}

/// What the other leaf sends to the gateway of a network: to a host, to the outside, back into the fabric by another
/// VNI (a border), and from a host of its own that has its gateway here (centralised).
pub fn tunnels_reach_every_network(site: &Site) {
    let in_third = |to: Station, port: &str, tunnel: Option<u32>| {
        for packet in packets(&REMOTE3, &to, site.gateway_mac(9)) {
            let (at, vni, _) = site.routed("up0", &from_leaf2(VNIS[2], &packet));
            assert_eq!((at, vni), (port, tunnel), "to {:?}", to.ipv4);
        }
    };
    in_third(HOST1, "acc1", None);
    in_third(OUTSIDE, "out0", None);
    in_third(REMOTE2, "up0", Some(VNIS[1]));
    for packet in packets(&REMOTE1, &HOST2, site.gateway_mac(1)) {
        let (at, vni, _) = site.routed("up0", &from_leaf2(VNIS[0], &packet));
        assert_eq!((at, vni), ("acc2", None));
    }
}

/// A route into a downstream VNI, whose VNI and VTEP come from the next hop, is the kernel's, and named.
pub fn downstream_vnis_are_the_kernels(site: &Site) {
    site.lead_downstream();
    let [v4, v6] = packets(&HOST1, &REMOTE3, site.gateway_mac(1));
    for (packet, reason) in
        [(v4, Reason::TransitRouteNotAccelerated), (v6, Reason::NexthopSelectEmptyGroup)]
    {
        let seen = site.judged("acc1", &packet.bytes(), reason);
        let places: Vec<_> = seen.iter().map(|(port, vni, _)| (*port, *vni)).collect();
        assert_eq!(places, [("up0", Some(DOWNSTREAM_VNI))]);
    }
    let problems = site.problems();
    assert!(
        problems.contains("routes out of svd have an encapsulation of their own"),
        "{problems}"
    );
}

/// What the kernel answers, or is for itself, it gets.
pub fn the_kernel_gets_what_it_answers(site: &Site) {
    let mac = site.gateway_mac(1);
    let [v4, v6] = packets(&HOST1, &HOST2, mac);
    for packet in [v4.ttl(1), v6.ttl(1)] {
        site.judged("acc1", &packet.bytes(), Reason::TransitInputTtl);
    }
    // Back to its own network.
    let [back, _] = packets(&HOST1, &REMOTE1, mac);
    site.judged("acc1", &back.bytes(), Reason::TransitOutputSamePort);
    let own = Station { ipv4: [10, 0, 2, 1], ..HOST2 };
    let [own, _] = packets(&HOST1, &own, mac);
    site.judged("acc1", &own.bytes(), Reason::TransitRouteLocal);
    site.shorten(2, 1_400);
    let [long, _] = packets(&HOST1, &HOST2, mac);
    site.judged("acc1", &long.length(1_450).bytes(), Reason::TransitOutputTooBig);
    assert_eq!(site.problems(), "");
}
