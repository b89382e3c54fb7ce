//! Which MAC addresses are the box's own, and where gratuitous ARP goes.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_R, Mac},
    device::mac_text,
    fabric::PATIENCE,
    judged::{BRIDGE_MAC, Fate, Judged, VXLAN_MAC, all_at, all_at_each, frame},
    link_option,
    packet::Frame,
};

const VLAN: u16 = 100;
const OTHER: u16 = 200;
/// The access ports' own.
const PORT_MACS: [Mac; 2] = [[2, 0, 0, 0xac, 0, 0], [2, 0, 0, 0xac, 0, 1]];

fn set_fdb_local_vlan_0(site: &Judged, on: bool) {
    let set = site.netns().inside(|| link_option::set_fdb_local_vlan_0("br0", on));
    set.unwrap_or_else(|error| panic!("{error:#}"));
}

/// Where a frame from each side to an address goes in the tunnel's VLAN.
fn to(site: &mut Judged, mac: Mac) -> [Fate; 3] {
    [
        site.as_by_the_kernel("acc0", &frame(HOST_A.mac, mac).tag(VLAN)),
        site.as_by_the_kernel("acc1", &frame(HOST_B.mac, mac).tag(VLAN)),
        site.as_by_the_kernel_from_leaf2(&frame(HOST_R.mac, mac)),
    ]
}

/// Asks until XDP has a part in it.
#[track_caller]
fn by_xdp(site: &mut Judged, reason: Reason, ask: impl Fn(&mut Judged)) {
    let (start, before) = (Instant::now(), site.met(reason));
    while site.met(reason) == before {
        ask(site);
        assert!(start.elapsed() < PATIENCE, "nothing is {reason:?}");
    }
}

/// A bridge with `fdb_local_vlan_0` has its own addresses in VLAN 0 alone, where frames of all VLANs
/// look that have no entry in their own.
#[test]
fn own_addresses_in_vlan_0_alone_are_the_boxs_in_all_vlans_unless_one_has_them_elsewhere() {
    let mut site = Judged::with_vlans(&[VLAN, OTHER]);
    site.bridge(&format!("vlan add vid {VLAN} dev br0 self\n"));
    site.listen("br0");
    let own = [BRIDGE_MAC, VXLAN_MAC, PORT_MACS[0], PORT_MACS[1]];
    let boxs = || [(); 3].map(|()| all_at("br0"));
    for on in [false, true, false, true] {
        set_fdb_local_vlan_0(&site, on);
        for mac in own {
            assert_eq!(to(&mut site, mac), boxs(), "{mac:02x?}, {on}");
            // The box is no member of this one, and neither is the tunnel: without an entry of theirs
            // the frame is flooded, with one it is dropped.
            let expected = match on || PORT_MACS.contains(&mac) {
                true => Fate::new(),
                false => all_at("acc1"),
            };
            let other = frame(HOST_A.mac, mac).tag(OTHER);
            assert_eq!(site.as_by_the_kernel("acc0", &other), expected, "{mac:02x?}, {on}");
        }
        for reason in [Reason::Bridged, Reason::Encapsulated, Reason::Decapsulated] {
            by_xdp(&mut site, reason, |site| {
                let [local, _, arriving] = to(site, HOST_B.mac);
                assert_eq!([local, arriving], [(); 2].map(|()| all_at("acc1")));
                assert_eq!(to(site, HOST_R.mac)[..2], ["up0", "up0"].map(all_at));
            });
        }
    }

    // An entry in the VLAN itself counts more: of a VTEP, of a port.
    let moved = PORT_MACS[1];
    let text = mac_text(moved);
    site.bridge(&format!(
        "fdb add {text} dev vx100 dst 192.0.2.2 self static\n\
         fdb add {text} dev vx100 master static vlan {VLAN}\n"
    ));
    by_xdp(&mut site, Reason::Encapsulated, |site| {
        assert_eq!(to(site, moved), [all_at("up0"), all_at("up0"), Fate::new()]);
    });
    site.bridge(&format!("fdb replace {text} dev acc0 master static vlan {VLAN}\n"));
    by_xdp(&mut site, Reason::Decapsulated, |site| {
        assert_eq!(to(site, moved), [Fate::new(), all_at("acc0"), all_at("acc0")]);
    });
    site.bridge(&format!("fdb del {text} dev acc0 master vlan {VLAN}\n"));
    assert_eq!(to(&mut site, moved), boxs());
    // So does what the bridge learns.
    site.send("acc0", &frame(BRIDGE_MAC, HOST_B.mac).tag(VLAN));
    by_xdp(&mut site, Reason::Bridged, |site| {
        assert_eq!(to(site, BRIDGE_MAC), [Fate::new(), all_at("acc0"), all_at("acc0")]);
    });
    // Own addresses come back into the VLANs, and take the place of others.
    set_fdb_local_vlan_0(&site, false);
    assert_eq!(to(&mut site, BRIDGE_MAC), boxs());
    site.wait_no_problem();
}

#[test]
fn gratuitous_arp_goes_where_neigh_suppress_and_neigh_forward_grat_let_it() {
    let mut site = Judged::new();
    let set = |site: &Judged, on: bool| {
        let set = site.netns().inside(|| link_option::set_neigh_forward_grat("vx100", on));
        set.unwrap_or_else(|error| panic!("{error:#}"));
    };
    let arp = Frame::arp(&HOST_A, &HOST_A);
    let advertisement = Frame::icmpv6(&HOST_A, &HOST_A, 136).to([0x33, 0x33, 0, 0, 0, 1]);
    site.bridge("link set dev vx100 neigh_suppress on\n");
    for on in [false, true, false] {
        set(&site, on);
        let places: &[&str] = if on { &["acc1", "up0"] } else { &["acc1"] };
        let fate = site.as_by_the_kernel("acc0", &arp.clone().to(BROADCAST));
        assert_eq!(fate, all_at_each(places), "{on}");
        site.as_by_the_kernel("acc0", &advertisement);
        // Only what is flooded is suppressed.
        let fate = site.as_by_the_kernel("acc0", &arp.clone().to(HOST_R.mac));
        assert_eq!(fate, all_at("up0"), "{on}");
    }
    site.bridge("link set dev vx100 neigh_suppress off\n");
    let everywhere = all_at_each(&["acc1", "up0"]);
    assert_eq!(site.as_by_the_kernel("acc0", &arp.to(BROADCAST)), everywhere);
    assert_eq!(site.as_by_the_kernel("acc0", &advertisement), everywhere);
    assert!(site.met(Reason::FrameGuardArp) > 0 && site.met(Reason::FrameGuardMulticast) > 0);
}
