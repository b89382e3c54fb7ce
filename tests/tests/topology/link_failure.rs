//! A link between a leaf and one of four spines that fails under 20,000 packets a second of 1,000
//! flows.
//!
//! - With loss of the carrier, and without, when BFD has to notice it: the flows on the failed way
//!   go on by another one within a bound; the flows on other ways lose nothing.
//! - When the link is back, it carries flows again.
//!
//! ```text
//!             ┌╳ spine01 ─┐
//!  rack11 ─ leaf01  ...  leaf02 ─ rack21
//!             └─ spine04 ─┘
//! ```

use std::time::Duration;

use fabric_tests::fabric::{Fabric, Failure, Kind, Scene};

const SCENE: Scene<'static> = Scene {
    from: "rack11",
    to: "rack21",
    node: "leaf01",
    ports: &["swp1", "swp2", "swp3", "swp4"],
};
/// From the fault on.
const CUT: Duration = Duration::from_millis(500);
/// Three times what the timers of the topology allow: 3 packets of 50 ms.
const SILENT: Duration = Duration::from_millis(450);

fn check(fabric: &Fabric, kind: Kind, bound: Duration) -> Failure {
    let failure = fabric.fail(SCENE, kind, || {});
    println!("{kind:?}: {}", failure.summary());
    assert!(failure.lasted() <= bound, "{}", failure.summary());
    assert_eq!(failure.survivors_lost(), 0, "{}", failure.summary());
    assert!(failure.report.rate() > 20_000.0, "{}", failure.summary());
    assert!(failure.after.iter().all(|port| !matches!(port, Some(0))), "{}", failure.summary());
    let again = fabric.paths(SCENE);
    let back = again.iter().filter(|port| **port == Some(0)).count();
    assert!(back > 150, "{back} flows use the link again");
    failure
}

#[test]
fn flows_of_a_link_that_fails_go_on_by_others_and_those_of_others_lose_nothing() {
    let fabric = Fabric::underlay_alone();
    let cut = check(&fabric, Kind::Cut, CUT);
    assert!(cut.event.is_some(), "the kernel tells that the carrier is lost");
    let silent = check(&fabric, Kind::Silent, SILENT);
    assert!(silent.outage().is_some(), "nothing tells of the failure before BFD does");
    assert!(silent.event.is_none(), "the carrier stays");
}
