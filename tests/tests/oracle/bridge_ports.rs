//! Options of access ports that decide where a frame goes, through fabricd.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, STRANGER},
    device,
    judged::{Fate, Judged, all_at, frame},
};

#[test]
fn a_locked_port_lets_in_hosts_that_are_known_there() {
    let mut site = Judged::new();
    let known = frame(HOST_A.mac, HOST_R.mac);
    site.bridge("link set dev acc0 locked on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &known), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > 0);
    for source in [STRANGER.mac, HOST_B.mac, HOST_R.mac] {
        let other = frame(source, HOST_R.mac);
        assert_eq!(site.as_by_the_kernel("acc0", &other), Fate::new(), "{source:02x?}");
    }
    let stranger = frame(STRANGER.mac, HOST_R.mac);
    site.bridge("link set dev acc0 locked off\n");
    let encapsulated = site.met(Reason::Encapsulated);
    assert_eq!(site.as_by_the_kernel("acc0", &stranger), all_at("up0"));
    assert_eq!(site.as_by_the_kernel("acc0", &known), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > encapsulated);
}

#[test]
fn a_hairpin_port_sends_frames_back_to_its_other_hosts() {
    let mut site = Judged::new();
    let neighbour = frame(HOST_A.mac, STRANGER.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &frame(STRANGER.mac, HOST_B.mac)), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel("acc0", &neighbour), Fate::new());
    site.bridge("link set dev acc0 hairpin on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &neighbour), all_at("acc0"));
}

#[test]
fn a_port_without_a_carrier_is_stood_in_for_by_its_backup() {
    let mut site = Judged::new();
    let (arriving, local) = (frame(HOST_R.mac, HOST_A.mac), frame(HOST_B.mac, HOST_A.mac));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    site.bridge("link set dev acc0 backup_port acc1\n");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > 0);
    let outside = site.outside().clone();
    let set = |state: &str| {
        let set = outside.enter(|| device::ip(&format!("link set acc0p {state}\n")));
        set.expect("the namespace exists").expect("a link can be set so");
    };
    set("down");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc1"));
    // Not even a backup is sent what it has brought.
    assert_eq!(site.as_by_the_kernel("acc1", &local), Fate::new());
    set("up");
    let decapsulated = site.met(Reason::Decapsulated);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > decapsulated);
}
