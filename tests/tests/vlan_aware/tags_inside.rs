//! A vxlan device of one VNI that carries several VLANs, through fabric-xdpd: all but its PVID have their tags in the
//! tunnel. As bytes, and routed, the shape of a leaf in `tests/tests/leafs` has them.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R, Mac},
    fabric::{PATIENCE, until},
    judged::{Fate, Judged, all_at, frame},
    packet::{Frame, ether_type},
};

/// The vxlan device's PVID.
const VLAN: u16 = 100;
/// With its tag.
const OTHER: u16 = 200;
/// One whose ID looks like ECN bits to the kernel.
const THIRD: u16 = 203;
/// Priority 5 in a tag, and drop eligibility.
const PRIORITY: u16 = 0xb000;

fn tagged(source: Mac, destination: Mac, tci: u16) -> Frame {
    frame(source, destination).tag(tci)
}

/// A frame of VLAN `on_wire` of the access port to HOST_R, and one from there with the tag `inside`.
fn ways(site: &mut Judged, on_wire: u16, inside: u16) -> [Fate; 2] {
    [
        site.as_by_the_kernel("acc0", &tagged(HOST_A.mac, HOST_R.mac, on_wire)),
        site.as_by_the_kernel_from_leaf2(&tagged(HOST_R.mac, HOST_A.mac, inside)),
    ]
}

fn both() -> [Fate; 2] {
    [all_at("up0"), all_at("acc0")]
}

/// Runs it until each of these reasons has been met in one run.
fn until_met(site: &mut Judged, reasons: &[Reason], mut run: impl FnMut(&mut Judged)) {
    until(PATIENCE, &format!("{reasons:?}"), || {
        let met = |site: &Judged| Vec::from_iter(reasons.iter().map(|it| site.met(*it)));
        let before = met(site);
        run(site);
        met(site).iter().zip(before).all(|(now, before)| *now > before)
    });
}

/// Waits until XDP forwards both ways.
fn until_by_xdp(site: &mut Judged, on_wire: u16, inside: u16) {
    until_met(site, &[Reason::Encapsulated, Reason::Decapsulated], |site| {
        assert_eq!(ways(site, on_wire, inside), both());
    });
}

#[test]
fn vlans_keep_their_tags_in_the_tunnel_over_both_underlays() {
    for over_ipv6 in [false, true] {
        let mut site = Judged::with_tags_inside(&[VLAN, OTHER, THIRD], over_ipv6);
        site.wait_no_problem();
        for vlan in [VLAN, OTHER, THIRD] {
            until_by_xdp(&mut site, vlan, vlan);
            until_by_xdp(&mut site, vlan | PRIORITY, vlan | PRIORITY);
        }
        // No tag, or one with a priority alone: the PVID.
        until_by_xdp(&mut site, VLAN, PRIORITY);
        until_met(&mut site, &[Reason::Decapsulated], |site| {
            let untagged = frame(HOST_R.mac, HOST_A.mac);
            assert_eq!(site.as_by_the_kernel_from_leaf2(&untagged), all_at("acc0"));
        });
    }
}

#[test]
fn only_tags_of_the_vlans_that_the_vxlan_port_has_come_out_of_the_tunnel() {
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER], false);
    until_by_xdp(&mut site, OTHER, OTHER);
    let stranger = tagged(HOST_R.mac, HOST_A.mac, 300);
    until_met(&mut site, &[Reason::InnerGuardTagged], |site| {
        assert_eq!(site.as_by_the_kernel_from_leaf2(&stranger), Fate::new());
    });
    for two in [
        tagged(HOST_R.mac, HOST_A.mac, OTHER).tag(7),
        frame(HOST_R.mac, HOST_A.mac).tag_of(ether_type::SERVICE_VLAN, OTHER),
    ] {
        site.as_by_the_kernel_from_leaf2(&two);
    }
    site.bridge(&format!("vlan del vid {OTHER} dev vx100\n"));
    // The bridge still has HOST_R behind a port that the VLAN is not on.
    assert_eq!(ways(&mut site, OTHER, OTHER), [Fate::new(), Fate::new()]);
    // Of the PVID alone no tag is looked at: with one, which the kernel takes, frames pass.
    assert_eq!(ways(&mut site, VLAN, VLAN), both());
    until_met(&mut site, &[Reason::Decapsulated], |site| {
        let untagged = frame(HOST_R.mac, HOST_A.mac);
        assert_eq!(site.as_by_the_kernel_from_leaf2(&untagged), all_at("acc0"));
    });
}

#[test]
fn a_vxlan_port_without_a_pvid_takes_tags_alone() {
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER], false);
    site.bridge(&format!("vlan del vid {VLAN} dev vx100\n"));
    until_by_xdp(&mut site, OTHER, OTHER);
    let untagged = frame(HOST_R.mac, HOST_A.mac);
    until_met(&mut site, &[Reason::VxlanInputUnknownVni], |site| {
        assert_eq!(site.as_by_the_kernel_from_leaf2(&untagged), Fate::new());
    });
    let priority = tagged(HOST_R.mac, HOST_A.mac, PRIORITY);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&priority), Fate::new());
    // The PVID with its tag.
    site.bridge(&format!("vlan add vid {OTHER} dev vx100 pvid\n"));
    until_by_xdp(&mut site, OTHER, PRIORITY);
    until_by_xdp(&mut site, OTHER, OTHER);
    until_met(&mut site, &[Reason::Decapsulated], |site| {
        assert_eq!(site.as_by_the_kernel_from_leaf2(&untagged), all_at("acc0"));
    });
}

#[test]
fn a_vlan_that_is_sent_without_its_tag_is_the_kernels_and_named() {
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER, THIRD], false);
    site.wait_no_problem();
    site.bridge(&format!("vlan add vid {OTHER} dev vx100 untagged\n"));
    site.wait_problem("vx100 carries VLAN 200 untagged without its being the PVID");
    assert_eq!(ways(&mut site, OTHER, OTHER), both());
    until_by_xdp(&mut site, THIRD, THIRD);
    site.ip(&format!(
        "link add link vx100 name vx100.{THIRD} type vlan id {THIRD}\nlink set vx100.{THIRD} up\n"
    ));
    site.wait_problem("vx100 carries VLAN 203 of which a VLAN device takes what arrives");
    assert_eq!(ways(&mut site, THIRD, THIRD), [all_at("up0"), Fate::new()]);
    until_by_xdp(&mut site, VLAN, VLAN);
}

#[test]
fn ecn_bits_in_front_of_a_tag_change_what_the_kernel_lets_them() {
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER, THIRD], false);
    for vlan in [OTHER, THIRD] {
        until_by_xdp(&mut site, vlan, vlan);
        let inner = Frame::ipv4(&HOST_R, &HOST_A).tag(vlan);
        for (tos, reason) in [
            (0, Reason::Decapsulated),
            (1, Reason::EcnDecapTagged),
            (2, Reason::Decapsulated),
            (3, Reason::EcnDecapTagged),
        ] {
            until_met(&mut site, &[reason], |site| {
                site.as_by_the_kernel_with_tos(tos, &inner);
            });
        }
    }
}

#[test]
fn frames_with_a_tag_inside_may_be_as_long_as_without() {
    const ETHERNET: usize = 14;
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER], false);
    until_by_xdp(&mut site, OTHER, OTHER);
    let of_length = |mtu: usize| Frame::ipv4(&HOST_A, &HOST_R).length(mtu + ETHERNET).tag(OTHER);
    until_met(&mut site, &[Reason::Encapsulated], |site| {
        assert_eq!(site.as_by_the_kernel("acc0", &of_length(1_500)), all_at("up0"));
    });
    site.ip("link set vx100 mtu 1400\n");
    for length in [1_400, 1_401, 1_404, 1_405] {
        site.as_by_the_kernel("acc0", &of_length(length));
    }
    until_met(&mut site, &[Reason::VxlanOutputTooBig], |site| {
        site.as_by_the_kernel("acc0", &of_length(1_401));
    });
}

#[test]
fn where_the_vxlan_port_learns_a_station_is_known_in_the_vlan_of_its_tag() {
    let mut site = Judged::with_tags_inside(&[VLAN, OTHER], false);
    site.bridge("link set dev vx100 learning on\n");
    until_by_xdp(&mut site, OTHER, OTHER);
    until_met(&mut site, &[Reason::InnerSourceUnknown], |site| {
        let of_nobody = tagged([2, 0, 0, 0, 0x77, 1], HOST_A.mac, OTHER);
        assert_eq!(site.as_by_the_kernel_from_leaf2(&of_nobody), all_at("acc0"));
    });
}
