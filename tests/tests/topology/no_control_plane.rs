//! A fabric in which nobody speaks BGP: what the kernels forward by was written with `ip` and `bridge`.
//!
//! - Bridged, encapsulated, decapsulated and routed packets are forwarded by XDP all the same.
//! - IPv6 is routed by XDP, too, and what has to be flooded goes through the kernel by its flood lists.
//! - Links and cables that were cut and mended carry the same packets by XDP again.
//! - A machine that moves reaches its gateway and its peers at the new place, by entries that `bridge`
//!   changes, and its packets are forwarded by XDP there.
//!
//! ```text
//!    vm01 vm02 rack11       vm03 vm04      vm05 rack31
//!         leaf01             leaf02           leaf03
//!            └──────── spine01, spine02 ────────┘
//! ```

use std::time::Duration;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, Sniffer, Wire, broadcast, until};
use fabric_user::lab::Mac;

const FRAMES: u64 = 500;
/// Frames that go to the kernel though all is known: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 2;
/// Nobody has these MACs.
const STRANGERS: [Mac; 2] = [Mac([0x02, 0xaa, 0, 0, 0, 2]), Mac([0x02, 0xaa, 0, 0, 0, 3])];
/// A duplicate would come together with the first one.
const DUPLICATES: Duration = Duration::from_millis(300);

/// Sends frames, and asserts that XDP forwarded them at these switches for these reasons.
fn assert_fast(fabric: &Fabric, from: &str, to: &str, at: &[(&str, Reason)]) {
    fabric.greet(from, to);
    fabric.assert_agreement();
    let before: Vec<Seen> = at.iter().map(|(node, _)| Seen::at(fabric, node)).collect();
    let report = fabric.send(from, to, FRAMES);
    let intact = (report.lost(), report.duplicates, report.damaged) == (0, 0, 0);
    assert!(intact, "{from} to {to}: {report:?}");
    for ((node, reason), before) in at.iter().zip(&before) {
        let forwarded = Seen::at(fabric, node).since(before).all(*reason);
        let all = forwarded + SAMPLED >= report.sent;
        assert!(all, "{from} to {to} at {node}: {forwarded} of {} {reason:?}", report.sent);
    }
}

#[test]
fn what_ip_and_bridge_have_written_is_forwarded_by_xdp_and_a_move_by_bridge_is_followed() {
    let fabric = Fabric::without_control_plane();
    fabric.passes("static");
    assert!(fabric.lab().unaccelerated().expect("it can be looked at").is_empty());
    let error = fabric.lab().withdraw("dns", "leaf01").expect_err("nobody would notice");
    assert!(error.to_string().contains("no control plane"), "{error}");
    let web = fabric.lab().topology().network("web").expect("drawn");
    let gateway = web.gateway.expect("it has one").address.to_string();
    let spread = |near, far| [(near, Reason::Encapsulated), (far, Reason::Decapsulated)];
    assert_fast(&fabric, "vm01", "vm03", &spread("leaf01", "leaf02"));
    assert_fast(&fabric, "vm05", "vm01", &spread("leaf03", "leaf01"));
    let routed = [("leaf01", Reason::Routed), ("leaf03", Reason::Routed)];
    assert_fast(&fabric, "rack11", "rack31", &routed);

    for (node, port) in
        [("leaf01", "swp1"), ("spine01", "swp1"), ("rack11", "eth0"), ("leaf01", "swp13")]
    {
        fabric.lab().cut(node, port).expect("it can be cut");
        fabric.lab().mend(node, port).expect("it can be mended");
    }
    assert_fast(&fabric, "vm03", "vm01", &spread("leaf02", "leaf01"));
    assert_fast(&fabric, "rack31", "rack11", &routed);

    fabric.lab().migrate("vm01", "leaf03").expect("it moves");
    fabric.run("vm01", "ping", &format!("-n -c1 -W5 {gateway}"));
    assert_fast(&fabric, "vm01", "vm05", &[("leaf03", Reason::Bridged)]);
    assert_fast(&fabric, "vm03", "vm01", &spread("leaf02", "leaf03"));
    until(PATIENCE, "all is well", || fabric.lab().status(true).expect("it answers").healthy);

    fabric.lab().migrate("vm01", "leaf01").expect("it moves back");
    fabric.run("vm01", "ping", &format!("-n -c1 -W5 {gateway}"));
    assert_fast(&fabric, "vm01", "vm03", &spread("leaf01", "leaf02"));
    until(PATIENCE, "all is well", || fabric.lab().status(true).expect("it answers").healthy);
}

#[test]
fn ipv6_is_routed_by_xdp_and_floods_take_the_lists_that_bridge_has_written() {
    let fabric = Fabric::without_control_plane();
    let host = fabric.lab().topology().host("rack31").expect("drawn");
    let address = host.address6.expect("it has one").to_string();
    // The first one waits for neighbours.
    fabric.run("rack11", "ping", &format!("-6 -n -c1 -W5 {address}"));
    fabric.assert_agreement();
    let leafs = ["leaf01", "leaf03"];
    let before = leafs.map(|leaf| Seen::at(&fabric, leaf));
    fabric.run("rack11", "ping", &format!("-6 -n -q -c100 -i0.01 -W5 {address}"));
    for (leaf, before) in leafs.iter().zip(&before) {
        let routed = Seen::at(&fabric, leaf).since(before).all(Reason::Routed);
        assert!(routed + SAMPLED >= 200, "{leaf}: {routed} of 100 packets and as many answers");
    }

    let others = ["vm03", "vm05", "vm02", "vm04"];
    let to_nobody = [&STRANGERS[1].0[..], &broadcast(STRANGERS[0])[6..]].concat();
    for (frame, reason) in [
        (broadcast(STRANGERS[0]), Reason::FrameGuardMulticast),
        (to_nobody, Reason::BridgeLookupUnknown),
    ] {
        let sniffers = others.map(|host| Sniffer::open(&fabric.netns(host), "eth0"));
        let before = Seen::at(&fabric, "leaf01");
        Wire::open(&fabric.netns("vm01"), "eth0").send(&frame);
        // Those of the network first: afterwards copies have had time to come.
        for (host, sniffer) in others.into_iter().zip(&sniffers).take(2) {
            let found = sniffer.find(PATIENCE, |seen| seen == frame);
            assert!(found.is_some(), "{host} did not receive the frame ({reason:?})");
        }
        for (host, sniffer) in others.into_iter().zip(&sniffers) {
            let again = sniffer.find(DUPLICATES, |seen| seen == frame);
            assert!(
                again.is_none(),
                "{host} received a frame that it should not have ({reason:?})"
            );
        }
        let seen = Seen::at(&fabric, "leaf01").since(&before);
        assert!(seen.on("swp11", reason) >= 1, "{seen:?}");
    }
}
