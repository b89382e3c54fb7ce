//! What the kernel keeps for itself.
//!
//! - A broadcast frame is passed to the kernel at both leafs and arrives at each host of the network
//!   once.
//! - Address resolution goes through the kernel, and a host that has forgotten its neighbour finds
//!   it again.
//!
//! ```text
//!  vm11 ─┐                      ┌─ vm21
//!  vm12 ─┴ leaf01 ─ spines ─ leaf02 ─ vm22
//! ```

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, Sniffer, Wire, broadcast};
use fabric_user::lab::Mac;

const STRANGER: Mac = Mac([0x02, 0xaa, 0, 0, 0, 2]);
/// A duplicate would come together with the first one.
const DUPLICATES: Duration = Duration::from_millis(300);

#[test]
fn a_broadcast_goes_through_the_kernel_and_arrives_once_at_each_host_of_the_network() {
    let fabric = Fabric::pair();
    let others = ["vm12", "vm21", "vm22", "vm13", "vm23"];
    let sniffers = others.map(|host| Sniffer::open(&fabric.netns(host), "eth0"));
    let before = [Seen::at(&fabric, "leaf01"), Seen::at(&fabric, "leaf02")];
    let frame = broadcast(STRANGER);
    Wire::open(&fabric.netns("vm11"), "eth0").send(&frame);

    // Those of the network first: afterwards copies have had time to come.
    for (host, sniffer) in others.into_iter().zip(&sniffers).take(3) {
        let found = sniffer.find(PATIENCE, |seen| seen == frame);
        assert!(found.is_some(), "{host} did not receive the broadcast");
    }
    for (host, sniffer) in others.into_iter().zip(&sniffers) {
        let again = sniffer.find(DUPLICATES, |seen| seen == frame);
        assert!(again.is_none(), "{host} received a frame that it should not have");
    }
    let near = Seen::at(&fabric, "leaf01").since(&before[0]);
    let far = Seen::at(&fabric, "leaf02").since(&before[1]);
    assert!(near.on("swp11", Reason::FrameGuardMulticast) >= 1, "{near:?}");
    assert!(far.all(Reason::InnerGuardMulticast) >= 1, "{far:?}");
    fabric.assert_agreement();
}

#[test]
fn address_resolution_goes_through_the_kernel() {
    let fabric = Fabric::pair();
    fabric.greet("vm11", "vm21");
    let before = Seen::at(&fabric, "leaf01");
    let start = Instant::now();
    for host in ["vm11", "vm21"] {
        fabric.ip(host, "neigh flush dev eth0");
    }
    fabric.greet("vm11", "vm21");
    let seen = Seen::at(&fabric, "leaf01").since(&before);
    // The box knows no neighbours of bridges in which it has no address, so it answers for nobody.
    let (asked, answered) =
        (seen.on("swp11", Reason::NeighbourAnswerUnknown), seen.on("swp11", Reason::FrameGuardArp));
    assert!(asked + answered >= 1, "no ARP reached the kernel in {:?}: {seen:?}", start.elapsed());
}
