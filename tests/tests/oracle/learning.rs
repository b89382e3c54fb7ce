//! Tunnels from which the kernel learns, through fabric-xdpd.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER},
    device::mac_text,
    fabric::{PATIENCE, until},
    judged::{Judged, all_at, frame},
    packet::Frame,
};

/// Who learns, as `ip link` and `bridge link` switch it on.
const LEARNERS: [(&str, &str); 3] = [("nolearning", "on"), ("learning", "off"), ("learning", "on")];

fn learners(test: impl Fn(&mut Judged)) {
    for (device, port) in LEARNERS {
        let mut site = Judged::new();
        site.ip(&format!("link set vx100 type vxlan {device}\n"));
        site.bridge(&format!("link set dev vx100 learning {port}\n"));
        test(&mut site);
    }
}

/// Sends until the fast path forwards as well.
#[track_caller]
fn is_decapsulated(site: &mut Judged, frame: &Frame) {
    let (start, before) = (Instant::now(), site.met(Reason::Decapsulated));
    while site.met(Reason::Decapsulated) == before {
        assert_eq!(site.as_by_the_kernel_from_leaf2(frame), all_at("acc0"));
        assert!(start.elapsed() < PATIENCE, "no frame goes by XDP: {:?}", site.state().problems);
    }
}

#[test]
fn what_a_tunnel_brings_goes_by_xdp_once_the_kernel_knows_where_it_comes_from() {
    learners(|site| {
        is_decapsulated(site, &frame(HOST_R.mac, HOST_A.mac));
        site.wait_no_problem();
        assert_eq!(site.met(Reason::InnerSourceRefresh), 1, "shown once in its time");
    });
}

#[test]
fn a_station_that_only_the_tunnel_knows_is_learnt_and_answered_as_by_the_kernel() {
    learners(|site| {
        let hello = frame(STRANGER.mac, HOST_A.mac);
        assert_eq!(site.as_by_the_kernel_from_leaf2(&hello), all_at("acc0"));
        // By the tunnel, or to all where only one of both has learnt.
        let reply = site.as_by_the_kernel("acc0", &frame(HOST_A.mac, STRANGER.mac));
        assert!(reply.contains_key("up0"), "{reply:?}");
    });
}

#[test]
fn a_host_that_speaks_from_elsewhere_moves_as_by_the_kernel() {
    let mut site = Judged::new();
    site.bridge("link set dev vx100 learning on\n");
    is_decapsulated(&mut site, &frame(HOST_R.mac, HOST_A.mac));
    // HOST_B has gone behind the tunnel, and says so.
    site.as_by_the_kernel_from_leaf2(&frame(HOST_B.mac, HOST_A.mac));
    let host_b = mac_text(HOST_B.mac);
    let entry = || site.netns().run("bridge", "fdb show br br0");
    until(PATIENCE, "the bridge has HOST_B at the tunnel", || {
        entry().lines().any(|line| line.contains(&host_b) && line.contains("dev vx100"))
    });
    site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_B.mac));
    // And comes back.
    assert_eq!(site.as_by_the_kernel("acc1", &frame(HOST_B.mac, HOST_A.mac)), all_at("acc0"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&frame(HOST_R.mac, HOST_B.mac)), all_at("acc1"));
}
