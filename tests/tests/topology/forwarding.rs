//! Where frames between two hosts go.
//!
//! - A frame to a host of the same leaf, of the same site and of the other site is forwarded by
//!   XDP, at both leafs, and arrives undamaged and once.
//!
//! ```text
//!  app01 ─┐
//!  app02 ─┴ leaf01 ── spines ── border ═══ border ── spines ── leaf03 ─ app04
//!             leaf02 ─┘
//!               └ app03
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, Seen};

const FRAMES: u64 = 500;
/// Frames that go to the kernel though all is known: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 2;

#[test]
fn frames_within_a_leaf_within_a_site_and_across_sites_are_forwarded_by_xdp() {
    let fabric = Fabric::two_sites();
    for (to, far) in [("app02", None), ("app03", Some("leaf02")), ("app04", Some("leaf03"))] {
        fabric.acquaint("app01", to);
        let look = || (Seen::at(&fabric, "leaf01"), far.map(|leaf| Seen::at(&fabric, leaf)));
        let before = look();
        let report = fabric.send("app01", to, FRAMES);
        let after = look();

        let near = after.0.since(&before.0);
        let intact = (report.lost(), report.duplicates, report.damaged) == (0, 0, 0);
        assert!(intact, "to {to}: {report:?}, {near:?}");
        let reason = if far.is_some() { Reason::Encapsulated } else { Reason::Bridged };
        let forwarded = near.on("swp12", reason);
        assert!(forwarded + SAMPLED >= report.sent, "to {to}: {forwarded} of {}", report.sent);
        if let (Some(after), Some(before)) = (after.1, before.1) {
            let delivered = after.since(&before).all(Reason::Decapsulated);
            assert!(delivered + SAMPLED >= report.sent, "to {to}: {delivered} of {}", report.sent);
        }
    }
    fabric.assert_agreement();
    // Also when a link and a spine are lost, and a machine moves.
    fabric.passes("two-sites");
}
