//! VLAN devices among a bridge's ports and on a bond's members, through fabric-xdpd.

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B},
    device::mac_text,
    fabric::{PATIENCE, until},
    judged::{Fate, Judged, all_at, frame},
    packet::Frame,
};

const VLAN: u16 = 100;

/// A leaf with a VLAN device on acc1, of this VLAN and with these options, in place of acc1.
fn with_device(name: &str, options: &str) -> Judged {
    let site = Judged::new();
    site.ip(&format!(
        "link set acc1 nomaster\nlink add link acc1 name {name} type vlan {options}\n\
         link set {name} master br0\nlink set {name} up\n"
    ));
    site.bridge(&format!("fdb add {} dev {name} master static\n", mac_text(HOST_B.mac)));
    site
}

/// The tags that frames for HOST_B have where acc1 ends; 0 for none.
fn tags(site: &mut Judged) -> Vec<u32> {
    let wire = site.outside().wire("acc1p");
    site.send("acc0", &frame(HOST_A.mac, HOST_B.mac));
    let mut tags = Vec::new();
    let deadline = Instant::now() + Duration::from_millis(100);
    while let Ok(Some(frame)) = wire.receive(deadline) {
        if frame[..12] == [HOST_B.mac, HOST_A.mac].concat() {
            let tag = u32::from_be_bytes([frame[12], frame[13], frame[14], frame[15]]);
            tags.push(if tag >> 16 == 0x8100 { tag } else { 0 });
        }
    }
    tags
}

/// Waits until all frames for HOST_B have this tag there, from the kernel alone and from Fabric.
fn all_are(site: &mut Judged, tag: u32) {
    for bypass in [1, 0] {
        site.maps().settings.update(0, |settings| settings.bypass = bypass);
        until(PATIENCE, &format!("all frames have the tag {tag:x} (bypass {bypass})"), || {
            let tags = tags(site);
            tags.len() > 10 && tags.iter().all(|each| *each == tag)
        });
    }
}

/// Waits until XDP forwards these frames from acc1.
fn until_by_xdp(site: &mut Judged, frame: &Frame) {
    until(PATIENCE, "XDP forwards them", || {
        let before = site.met(Reason::Bridged);
        site.as_by_the_kernel("acc1", frame);
        site.met(Reason::Bridged) > before
    });
}

/// Whether fabric-xdpd says this of an interface that it leaves to the kernel.
fn declines(site: &Judged, words: &str) -> bool {
    site.state().declined.values().any(|why| why.contains(words))
}

#[test]
fn a_vlan_device_that_maps_priorities_writes_them_into_its_tags() {
    let mut site = with_device("acc1.7", "id 7");
    all_are(&mut site, 0x8100_0007);
    site.ip("link set acc1.7 type vlan egress-qos-map 0:5\n");
    all_are(&mut site, 0x8100_a007);
    until(PATIENCE, "the device is named", || declines(&site, "acc1.7 maps priorities"));
    site.ip("link set acc1.7 type vlan egress-qos-map 0:0\n");
    until(PATIENCE, "it is used again", || site.state().declined.is_empty());
    all_are(&mut site, 0x8100_0007);
}

#[test]
fn a_vlan_device_of_vlan_0_is_not_the_port_beneath_it() {
    let mut site = with_device("acc1.0", "id 0");
    let back = frame(HOST_B.mac, HOST_A.mac);
    assert_eq!(site.as_by_the_kernel("acc1", &back), Fate::new(), "it takes tagged ones only");
    assert_eq!(site.as_by_the_kernel("acc1", &back.tag(0)), all_at("acc0"));
    all_are(&mut site, 0x8100_0000);
    until(PATIENCE, "the device is named", || declines(&site, "acc1.0 is a device of VLAN 0"));
}

#[test]
fn a_vlan_device_on_a_member_of_a_bond_gets_its_frames_before_the_bond() {
    let mut site = Judged::with_vlans(&[VLAN]);
    site.ip("link set acc1 nomaster\nlink set acc1 down\n\
         link add bond0 type bond mode balance-rr miimon 20\nlink set acc1 master bond0\n\
         link set acc1 up\nlink set bond0 master br0\nlink set bond0 up\n");
    site.bridge(&format!(
        "vlan add vid {VLAN} dev bond0\nfdb add {} dev bond0 master static vlan {VLAN}\n",
        mac_text(HOST_B.mac)
    ));
    let tagged = frame(HOST_B.mac, HOST_A.mac).tag(VLAN);
    until(PATIENCE, "the bond forwards", || {
        site.as_by_the_kernel("acc1", &tagged) == all_at("acc0")
    });
    until_by_xdp(&mut site, &tagged);
    site.ip(&format!(
        "link add link acc1 name acc1.{VLAN} type vlan id {VLAN}\n\
         link set acc1.{VLAN} up\n"
    ));
    assert_eq!(site.as_by_the_kernel("acc1", &tagged), Fate::new());
    until(PATIENCE, "the member is named", || declines(&site, "VLAN devices of its own"));
    site.ip(&format!("link del acc1.{VLAN}\n"));
    assert_eq!(site.as_by_the_kernel("acc1", &tagged), all_at("acc0"));
    until_by_xdp(&mut site, &tagged);
}
