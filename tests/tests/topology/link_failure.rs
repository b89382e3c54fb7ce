//! A link between a leaf and one of four spines that fails under 20,000 packets a second of 1,000
//! flows.
//!
//! - With loss of the carrier, and without, when BFD has to notice it: the flows on the failed way
//!   go on by another one within a bound; the flows on other ways lose nothing.
//! - The link comes back without loss, and carries flows again.
//!
//! ```text
//!             ┌╳ spine01 ─┐
//!  rack11 ─ leaf01  ...  leaf02 ─ rack21
//!    vm11 ──┘ └─ spine04 ─┘ └── vm21
//! ```

use std::time::Duration;

use fabric_tests::fabric::{Fabric, Failure, Kind, Scene};

const UNDERLAY: [&str; 4] = ["swp1", "swp2", "swp3", "swp4"];
/// Between subnets.
const ROUTED: Scene<'static> =
    Scene { from: "rack11", to: "rack21", node: "leaf01", ports: &UNDERLAY, ipv6: false };
/// Within a stretched network.
const STRETCHED: Scene<'static> =
    Scene { from: "vm11", to: "vm21", node: "leaf01", ports: &UNDERLAY, ipv6: false };
/// Less than the hold time of the sessions, after which traffic would come back by itself: 6 to 9 s.
/// `cargo xtask bench failover` measures how much less.
const BOUND: Duration = Duration::from_millis(5_500);

fn check(fabric: &Fabric, scene: Scene<'_>, kind: Kind) -> Failure {
    let (failure, returned) = fabric.fail_and_return(scene, kind);
    let summary = format!("{} to {}, {kind:?}: {}", scene.from, scene.to, failure.summary());
    println!("{summary}");
    assert!(failure.lasted() <= BOUND, "{summary}");
    assert_eq!((failure.survivors_lost(), failure.survivors_moved()), (0, 0), "{summary}");
    assert!(failure.after.iter().all(|port| !matches!(port, Some(0))), "{summary}");
    assert_eq!(failure.event.is_some(), kind == Kind::Cut, "{summary}");
    assert_eq!(returned.lost(|_| true), 0, "packets are lost when the link is back");
    let again = fabric.paths(scene);
    let back = again.iter().filter(|port| **port == Some(0)).count();
    assert!(back > 150, "{back} flows use the link again");
    failure
}

#[test]
fn flows_of_a_link_that_fails_go_on_by_others_and_those_of_others_lose_nothing() {
    let fabric = Fabric::underlay_with_calm_bfd();
    fabric.acquaint("vm11", "vm21");
    for scene in [ROUTED, STRETCHED] {
        check(&fabric, scene, Kind::Cut);
        let silent = check(&fabric, scene, Kind::Silent);
        assert!(silent.outage().is_some(), "nothing tells of the failure before BFD does");
    }
}
