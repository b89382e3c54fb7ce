//! Devices on top of the bridge, through fabric-xdpd: what they listen to is the box's own.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, Mac},
    device::mac_text,
    fabric::{PATIENCE, until},
    judged::{Judged, all_at, all_at_each, frame},
};

/// A virtual router's (RFC 9568 §7.3).
const VIRTUAL: Mac = [0x02, 0, 0x5e, 0, 1, 1];

/// The other leaf has the same virtual router, as control planes tell.
fn with_virtual_router_at_the_other_leaf() -> Judged {
    let site = Judged::new();
    let mac = mac_text(VIRTUAL);
    site.bridge(&format!(
        "fdb add {mac} dev vx100 dst 192.0.2.2 self extern_learn\n\
         fdb add {mac} dev vx100 master extern_learn\n"
    ));
    site
}

#[test]
fn a_macvlan_on_the_bridge_gets_what_the_fdb_has_elsewhere() {
    let mut site = with_virtual_router_at_the_other_leaf();
    let to_router = frame(HOST_A.mac, VIRTUAL);
    assert_eq!(site.as_by_the_kernel("acc0", &to_router), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > 0);
    let mac = mac_text(VIRTUAL);
    site.ip(&format!(
        "link add link br0 name vrr0 address {mac} type macvlan mode private\nlink set vrr0 up\n"
    ));
    site.listen("vrr0");
    assert_eq!(site.as_by_the_kernel("acc0", &to_router), all_at_each(&["up0", "vrr0"]));
    let from_fabric = frame(HOST_R.mac, VIRTUAL);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_fabric), all_at("vrr0"));
    let bridged = site.met(Reason::Bridged);
    assert_eq!(site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_B.mac)), all_at("acc1"));
    assert!(site.met(Reason::Bridged) > bridged, "all others are forwarded as before");
    site.wait_no_problem();
}

/// The bridge's FDB has it at the tunnel, and not as its own: from elsewhere it moves.
#[test]
fn the_address_of_a_macvlan_that_speaks_from_a_tunnel_that_learns_moves_as_by_the_kernel() {
    let mut site = with_virtual_router_at_the_other_leaf();
    let mac = mac_text(VIRTUAL);
    site.bridge(&format!(
        "link set dev vx100 learning on\nfdb replace {mac} dev acc1 master dynamic\n"
    ));
    site.ip(&format!(
        "link add link br0 name vrr0 address {mac} type macvlan mode private\nlink set vrr0 up\n"
    ));
    site.wait_no_problem();
    site.bypass(false);
    until(PATIENCE, "the bridge has it at the tunnel", || {
        site.send_from_leaf2(&frame(VIRTUAL, HOST_A.mac));
        let entries = site.netns().run("bridge", "fdb show br br0");
        entries.lines().any(|line| line.contains(&mac) && line.contains("dev vx100 master"))
    });
}

#[test]
fn a_macvlan_in_another_namespace_gets_its_frames_as_well() {
    let mut site = with_virtual_router_at_the_other_leaf();
    let (mac, outside) = (mac_text(VIRTUAL), site.outside().name());
    site.ip(&format!(
        "link add link br0 name vrr1 netns {outside} address {mac} type macvlan mode bridge\n"
    ));
    site.outside().ip("link set vrr1 up\n");
    site.listen_outside("vrr1");
    let to_router = frame(HOST_A.mac, VIRTUAL);
    assert_eq!(site.as_by_the_kernel("acc0", &to_router), all_at_each(&["up0", "vrr1"]));
}

#[test]
fn who_wants_all_frames_of_a_bridge_gets_them() {
    let mut site = Judged::new();
    let to_remote = frame(HOST_A.mac, HOST_R.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    site.listen("br0");
    site.ip("link set br0 promisc on\n");
    site.wait_problem("br0 is promiscuous");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at_each(&["br0", "up0"]));
    site.ip("link set br0 promisc off\n");
    site.wait_no_problem();
    site.forget("br0");
    site.ip("link add link br0 name all0 type macvlan mode passthru\nlink set all0 up\n");
    site.listen("all0");
    site.wait_problem("br0 is promiscuous");
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at_each(&["all0", "up0"]));
    let local = frame(HOST_A.mac, HOST_B.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &local), all_at_each(&["acc1", "all0"]));
}

#[test]
fn a_macvlan_that_takes_everything_gets_what_the_underlay_brings() {
    let mut site = Judged::new();
    let from_fabric = frame(HOST_R.mac, HOST_A.mac);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_fabric), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > 0);
    site.ip("link add link up0 name taker type macvlan mode passthru\nlink set taker up\n");
    site.listen("taker");
    site.wait_problem("taker on top of it takes packets");
    // The tunnel ends all the same: its packets come to the box by the macvlan.
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_fabric), all_at_each(&["acc0", "taker"]));
    site.ip("link del taker\n");
    site.forget("taker");
    site.wait_no_problem();
    assert_eq!(site.as_by_the_kernel_from_leaf2(&from_fabric), all_at("acc0"));
}
