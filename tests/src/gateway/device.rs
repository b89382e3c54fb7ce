//! Downstream VNIs and what they hang on beside their next hops: the single vxlan device, the address from which the
//! kernel sends, fabric-xdpd.

use fabric_common::reason::Reason;

use super::{DOWNSTREAM_VNI, HOST1, REMOTE3, Site, TTL, packets, ttl};
use crate::{
    addresses::LEAF1_VTEP,
    fabric::{PATIENCE, until},
    packet::Frame,
};

fn from_host(site: &Site) -> [Frame; 2] {
    packets(&HOST1, &REMOTE3, site.gateway_mac(1))
}

/// A host's packets of both families go into the downstream VNI by XDP.
fn carried(site: &Site) {
    for packet in from_host(site) {
        let (at, vni, frame) = site.routed("acc1", &packet.bytes());
        assert_eq!((at, vni, ttl(&frame)), ("up0", Some(DOWNSTREAM_VNI), TTL - 1));
    }
}

/// The single vxlan device is left to the kernel as a port is, and what follows from that is in order.
pub fn the_device_of_downstream_vnis_is_chosen_as_a_port_is(site: &Site) {
    site.lead_downstream();
    carried(site);
    let health = site.json(&["status", "--json"])["health"].clone();
    site.leave_device(true);
    for packet in from_host(site) {
        let seen = site.judged("acc1", &packet.bytes(), Reason::NexthopSelectEmptyGroup);
        assert_eq!(
            seen.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(),
            [("up0", Some(DOWNSTREAM_VNI))]
        );
    }
    assert_eq!(site.tunnels(), []);
    assert!(site.problems().contains("port svd is detached by request"), "{}", site.problems());
    assert_eq!(site.json(&["status", "--json"])["health"], health, "nothing is to be mended");
    site.leave_device(false);
    carried(site);
    assert_eq!(site.problems(), "");
}

/// When the device goes down, the thread that watches links says so to packets, whatever else fabric-xdpd does.
pub fn downstream_vnis_die_with_their_device(site: &Site) {
    site.lead_downstream();
    carried(site);
    // The rest of fabric-xdpd may be the first to hear of it.
    until(PATIENCE, "the thread has seen the device die", || {
        site.lose_device();
        until(PATIENCE, "nothing stands for tunnels any more", || site.tunnels().is_empty());
        for packet in from_host(site) {
            site.judged("acc1", &packet.bytes(), Reason::TransitRouteNone);
        }
        site.regain_device();
        carried(site);
        site.has_seen_device_die()
    });
}

/// A route to the VTEP by which nothing changes but the address from which the kernel sends.
pub fn downstream_vnis_go_from_the_address_that_the_kernel_sends_from(site: &Site) {
    site.lead_downstream();
    carried(site);
    site.send_from(LEAF1_VTEP);
    let [packet, _] = from_host(site).map(|packet| packet.bytes());
    let kernel = site.outer("acc1", &packet, true);
    assert_eq!(kernel[26..30], LEAF1_VTEP);
    until(PATIENCE, "XDP sends from there, too", || site.outer("acc1", &packet, false) == kernel);
    assert_eq!(site.problems(), "");
}

/// The next fabric-xdpd takes over what the maps hold of downstream VNIs, so that no packet has to wait for it.
pub fn downstream_vnis_are_taken_over(site: &mut Site) {
    let found = site.found_at_start();
    site.lead_downstream();
    carried(site);
    let mut before = Vec::new();
    site.restart(|site| {
        carried(site);
        before = site.tunnels();
    });
    assert_eq!(site.tunnels(), before);
    for packet in from_host(site) {
        let routed = site.met_of(Reason::Routed);
        let seen = site.send("acc1", &packet.bytes());
        assert_eq!(seen.iter().map(|seen| seen.1).collect::<Vec<_>>(), [Some(DOWNSTREAM_VNI)]);
        assert_eq!(site.met_of(Reason::Routed), routed + 1);
    }
    assert_eq!(site.found_at_start(), found, "what stands for a tunnel is no port and no bridge");
    carried(site);
    assert_eq!(site.problems(), "");
}
