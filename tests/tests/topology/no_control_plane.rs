//! A fabric in which nobody speaks BGP: what the kernels forward by was written with `ip` and `bridge`.
//!
//! - Bridged, encapsulated, decapsulated and routed packets are forwarded by XDP all the same.
//! - Links and cables that were cut and mended carry the same packets by XDP again.
//! - A machine that moves reaches its gateway and its peers at the new place, by entries that `bridge`
//!   changes, and its packets are forwarded by XDP there.
//!
//! ```text
//!    vm01 vm02 rack11       vm03 vm04      vm05 rack31
//!         leaf01             leaf02           leaf03
//!            └──────── spine01, spine02 ────────┘
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, Seen};

const FRAMES: u64 = 500;
/// Frames that go to the kernel though all is known: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 2;

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
    assert!(fabric.lab().unaccelerated().expect("it can be looked at").is_empty());
    let error = fabric.lab().withdraw("dns", "leaf01").expect_err("nobody would notice");
    assert!(error.to_string().contains("no control plane"), "{error}");
    let gateway = fabric.lab().topology().network("web").expect("drawn").gateway.to_string();
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
    let status = fabric.lab().status(true).expect("it can be looked at");
    assert!(status.healthy, "{:?}", status.faults);

    fabric.lab().migrate("vm01", "leaf01").expect("it moves back");
    fabric.run("vm01", "ping", &format!("-n -c1 -W5 {gateway}"));
    assert_fast(&fabric, "vm01", "vm03", &spread("leaf01", "leaf02"));
    let status = fabric.lab().status(true).expect("it can be looked at");
    assert!(status.healthy, "{:?}", status.faults);
}
