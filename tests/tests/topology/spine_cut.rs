//! A link between a leaf and a spine that is cut and mended.
//!
//! - All flows go on over the other spine; what is lost is bounded and printed.
//! - The leaf's group holds only the living next hop as long as the link is down.
//! - When the link is back, both spines carry flows again.
//!
//! ```text
//!  vm11 ─ leaf01 ─╳─ spine01 ── leaf02 ─ vm21
//!              └──── spine02 ──┘
//! ```

use std::time::Duration;

use fabric_tests::fabric::{Fabric, PATIENCE, Seen, map_facts, until};
use fabric_tests::traffic;

/// Flows in each direction.
const FLOWS: u16 = 8;
const INTERVAL: Duration = Duration::from_millis(5);
/// The kernel tells of a lost carrier at once or, if any link of the machine changed within the last
/// second, up to a second later (`net/core/link_watch.c`); the other leaf learns of it from BGP. If it
/// were the hold time of the sessions that ends it, that would be after 6 to 9 s.
const OUTAGE: Duration = Duration::from_millis(5_500);

#[test]
fn flows_go_on_over_the_other_spine_while_a_link_is_cut() {
    let fabric = Fabric::pair_alone();
    fabric.acquaint("vm11", "vm21");
    let mut streams = Vec::new();
    for flow in 0..FLOWS {
        streams.push(("to leaf02", fabric.stream("vm11", "vm21", INTERVAL, 7_600 + flow)));
        streams.push(("to leaf01", fabric.stream("vm21", "vm11", INTERVAL, 7_700 + flow)));
    }
    let arriving = || streams.iter().all(|(_, stream)| stream.received() > 20);
    until(PATIENCE, "all flows arrive", arriving);
    let ways = |facts: std::collections::BTreeSet<String>| {
        let start = format!("VTEP {} ", fabric.vtep("leaf02"));
        let way = facts.into_iter().find(|fact| fact.starts_with(&start)).unwrap_or_default();
        [way.contains("swp1 "), way.contains("swp2 ")]
    };
    assert_eq!(ways(map_facts(&fabric, "leaf01")), [true, true]);

    let whole = fabric.groups_over("leaf01", "swp1");
    fabric.ip("spine01", "link set swp1 down");
    until(PATIENCE, "the group has only the other spine", || {
        ways(map_facts(&fabric, "leaf01")) == [false, true]
    });
    let received: Vec<u64> = streams.iter().map(|(_, stream)| stream.received()).collect();
    until(PATIENCE, "all flows go on", || {
        streams.iter().zip(&received).all(|((_, stream), old)| stream.received() > old + 100)
    });
    fabric.assert_agreement();

    fabric.wait_forgotten("leaf01", &whole);
    fabric.ip("spine01", "link set swp1 up");
    fabric.wait_converged();
    assert_eq!(ways(map_facts(&fabric, "leaf01")), [true, true]);
    let before = Seen::at(&fabric, "leaf01");
    let (from, to) = (fabric.netns("vm11"), fabric.address("vm21"));
    traffic::send_flows(&from, to, 1_000, 1).expect("flows can be sent");
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    for underlay in ["swp1", "swp2"] {
        assert!(seen.sent(underlay) > 300, "{underlay} carried {} frames", seen.sent(underlay));
    }

    for (direction, stream) in streams {
        let report = stream.stop().expect("the stream could send");
        println!(
            "{direction}: {} of {} lost, outage {:?}",
            report.lost(),
            report.sent,
            report.outage
        );
        assert!(report.outage < OUTAGE, "{direction}: {report:?}");
        assert_eq!((report.damaged, report.duplicates), (0, 0), "{direction}: {report:?}");
    }
}
