//! What the kernel does not let out of a tunnel, or into it as usual, through fabric-xdpd.

use std::time::Duration;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R, STRANGER},
    device::mac_text,
    fabric::until,
    judged::{Fate, Judged, VXLAN_MAC, all_at, frame},
};

#[test]
fn a_locked_tunnel_lets_out_what_its_bridge_knows_behind_it() {
    let mut site = Judged::new();
    let (known, stranger) = (frame(HOST_R.mac, HOST_A.mac), frame(STRANGER.mac, HOST_A.mac));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&known), all_at("acc0"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&stranger), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > 0);
    site.bridge("link set dev vx100 locked on\n");
    site.wait_problem("vx100 is locked as a bridge port");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&stranger), Fate::new());
    assert_eq!(site.as_by_the_kernel_from_leaf2(&known), all_at("acc0"));
    let encapsulated = site.met(Reason::Encapsulated);
    assert_eq!(site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_R.mac)), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > encapsulated, "hosts are not locked");
    site.bridge("link set dev vx100 locked off\n");
    site.wait_no_problem();
    let decapsulated = site.met(Reason::Decapsulated);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&known), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > decapsulated);
}

/// `vxlan_set_mac`: what comes back is a loop.
#[test]
fn a_frame_of_the_vxlan_device_itself_does_not_come_out_of_the_tunnel() {
    let mut site = Judged::new();
    let own = frame(VXLAN_MAC, HOST_A.mac);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&own), Fate::new());
    assert!(site.met(Reason::InnerGuardLoop) > 0);
    // It may get another address.
    site.ip("link set vx100 address 02:00:00:b0:00:77\n");
    let own = frame([2, 0, 0, 0xb0, 0, 0x77], HOST_A.mac);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&own), Fate::new());
}

#[test]
fn a_tunnel_in_hairpin_mode_sends_back_what_is_for_the_fabric() {
    let mut site = Judged::new();
    let back = frame(STRANGER.mac, HOST_R.mac);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&back), Fate::new());
    assert!(site.met(Reason::SplitHorizonOverlayToOverlay) > 0);
    site.bridge("link set dev vx100 hairpin on\n");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&back), all_at("up0"));
    assert!(site.met(Reason::BridgeDeliverHairpin) > 0);
}

#[test]
fn a_station_behind_a_vni_or_port_of_its_own_is_the_kernels() {
    let mut site = Judged::new();
    let (host, remote) = (mac_text(HOST_R.mac), frame(HOST_A.mac, HOST_R.mac));
    for own in ["port 4790", "vni 10200", "via up0"] {
        let set = |site: &Judged, own: &str| {
            site.bridge(&format!("fdb replace {host} dev vx100 dst 192.0.2.2 {own} self static\n"));
        };
        let until_by_us = |site: &mut Judged, by_us: bool| {
            until(Duration::from_secs(120), &format!("{own}: ours {by_us}"), || {
                let before = site.met(Reason::Encapsulated);
                assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
                (site.met(Reason::Encapsulated) > before) == by_us
            });
        };
        until_by_us(&mut site, true);
        set(&site, own);
        until_by_us(&mut site, false);
        set(&site, "");
        until_by_us(&mut site, true);
    }
}
