//! Bulk and streams across the sites.
//!
//! - A TCP transfer written in pieces of many sizes arrives byte for byte.
//! - A UDP stream of mixed sizes up to the MTU arrives complete, once and undamaged.
//! - Both are the fast path's work: what leaves on the underlay ports was put there by XDP.
//!
//! ```text
//!  app01 ─ leaf01 ── spines ── border ═══ border ── spines ── leaf03 ─ app04
//! ```

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, Seen};
use fabric_tests::traffic;

const BYTES: u64 = 6 << 20;
const DATAGRAMS: u64 = 1_500;
/// Largest TCP segment of IPv4 with timestamps at an MTU of 1500.
const SEGMENT: u64 = 1_448;

#[test]
fn a_tcp_transfer_between_the_sites_arrives_byte_for_byte() {
    let fabric = Fabric::two_sites();
    fabric.acquaint("app01", "app04");
    let before = Seen::at(&fabric, "leaf01");
    let (from, to) = (fabric.netns("app01"), fabric.netns("app04"));
    let done = traffic::transfer(&from, &to, fabric.address("app04"), BYTES).expect("it is sent");
    assert_eq!(done.intact, BYTES);
    let encapsulated = Seen::at(&fabric, "leaf01").since(&before).on("swp12", Reason::Encapsulated);
    assert!(encapsulated >= BYTES / SEGMENT, "{encapsulated} frames went by XDP");
    fabric.assert_agreement();
}

#[test]
fn a_udp_stream_of_mixed_sizes_between_the_sites_arrives_complete_and_undamaged() {
    let fabric = Fabric::two_sites();
    for (from, to, leaf, port) in
        [("app01", "app04", "leaf01", "swp12"), ("app04", "app01", "leaf03", "swp11")]
    {
        fabric.acquaint(from, to);
        let before = Seen::at(&fabric, leaf);
        let report = fabric.send(from, to, DATAGRAMS);
        assert_eq!((report.lost(), report.duplicates, report.damaged), (0, 0, 0), "{report:?}");
        let encapsulated = Seen::at(&fabric, leaf).since(&before).on(port, Reason::Encapsulated);
        assert!(encapsulated * 1000 >= report.sent * 998, "{encapsulated} of {}", report.sent);
    }
}
