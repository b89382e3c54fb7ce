//! The single vxlan device, which gets the VNI of each VLAN from the bridge, through fabric-xdpd.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_R, LEAF1_VTEP, LEAF2_VTEP, Mac, STRANGER, VNI},
    device::{address_text, mac_text},
    fabric::{PATIENCE, until},
    judged::{Fate, Judged, all_at, all_at_each, frame},
    packet::Frame,
};

const VLAN: u16 = 100;
const OTHER: u16 = 200;
const OTHER_VNI: u32 = 10_200;
const TUNNELS: [(u16, u32); 2] = [(VLAN, VNI), (OTHER, OTHER_VNI)];

fn tagged(source: Mac, destination: Mac, vlan: u16) -> Frame {
    frame(source, destination).tag(vlan)
}

/// Frames of a VLAN to HOST_R, and from there to HOST_A.
fn ways(site: &mut Judged, vlan: u16, vni: u32) -> [Fate; 2] {
    [
        site.as_by_the_kernel("acc0", &tagged(HOST_A.mac, HOST_R.mac, vlan)),
        site.as_by_the_kernel_in(vni, None, &frame(HOST_R.mac, HOST_A.mac)),
    ]
}

/// All of them.
fn both() -> [Fate; 2] {
    [all_at("up0"), all_at("acc0")]
}

/// Waits until XDP forwards both ways.
fn until_by_xdp(site: &mut Judged, vlan: u16, vni: u32) {
    until(PATIENCE, "XDP forwards them", || {
        let met =
            |site: &Judged| [Reason::Encapsulated, Reason::Decapsulated].map(|it| site.met(it));
        let before = met(site);
        assert_eq!(ways(site, vlan, vni), both());
        met(site).iter().zip(before).all(|(now, before)| *now > before)
    });
}

#[test]
fn each_vlan_goes_through_a_single_vxlan_device_in_its_vni() {
    let mut site = Judged::with_single_device("", &TUNNELS);
    site.wait_no_problem();
    for (vlan, vni) in TUNNELS {
        until_by_xdp(&mut site, vlan, vni);
    }
    let flood = tagged(HOST_A.mac, BROADCAST, VLAN);
    assert_eq!(site.as_by_the_kernel("acc0", &flood), all_at_each(&["acc1", "up0"]));
    let unknown = tagged(HOST_A.mac, STRANGER.mac, VLAN);
    assert_eq!(site.as_by_the_kernel("acc0", &unknown), all_at_each(&["acc1", "up0"]));
    // What has a tag inside is of that VLAN, whatever its VNI.
    let inner = tagged(HOST_R.mac, HOST_A.mac, OTHER);
    assert_eq!(site.as_by_the_kernel_in(VNI, None, &inner), all_at("acc0"));
}

#[test]
fn what_has_no_tunnel_id_or_no_vlan_is_as_the_kernel_has_it() {
    let mut site = Judged::with_single_device("", &TUNNELS);
    site.bridge(&format!("vlan del vid {OTHER} dev vx100 tunnel_info id {OTHER_VNI}\n"));
    assert_eq!(ways(&mut site, OTHER, OTHER_VNI), [Fate::new(), Fate::new()]);
    // Frames of no VLAN's VNI are of the port's PVID.
    site.bridge(&format!("vlan add vid {OTHER} dev vx100 pvid\n"));
    assert_eq!(ways(&mut site, OTHER, OTHER_VNI), [Fate::new(), all_at("acc0")]);
    site.wait_no_problem();
    site.bridge(&format!("vlan add vid {OTHER} dev vx100 pvid tunnel_info id {OTHER_VNI}\n"));
    until_by_xdp(&mut site, OTHER, OTHER_VNI);
    // Without its tag a frame does not get the VLAN's VNI.
    site.bridge(&format!("vlan add vid {OTHER} dev vx100 pvid untagged\n"));
    site.wait_problem("VLAN 200 is untagged there");
    assert_eq!(ways(&mut site, OTHER, OTHER_VNI), [Fate::new(), all_at("acc0")]);
    until_by_xdp(&mut site, VLAN, VNI);
    site.bridge("link set dev vx100 vlan_tunnel off\n");
    site.wait_problem("vx100 is in external mode and gets no VNIs from the bridge");
    // All that arrives is of the PVID, and HOST_A is there as well.
    assert_eq!(ways(&mut site, VLAN, VNI), [Fate::new(), all_at("acc0")]);
}

#[test]
fn a_tunnel_id_that_changes_is_followed() {
    const NEW: u32 = 10_300;
    let mut site = Judged::with_single_device("", &TUNNELS);
    until_by_xdp(&mut site, VLAN, VNI);
    let (remote, host) = (address_text(LEAF2_VTEP), mac_text(HOST_R.mac));
    site.bridge(&format!(
        "vlan del vid {VLAN} dev vx100 tunnel_info id {VNI}\n\
         vlan add vid {VLAN} dev vx100 tunnel_info id {NEW}\n\
         fdb add {host} dev vx100 dst {remote} src_vni {NEW} self static\n"
    ));
    until_by_xdp(&mut site, VLAN, NEW);
    let old = site.as_by_the_kernel_in(VNI, None, &frame(HOST_R.mac, HOST_A.mac));
    assert_eq!(old, Fate::new());
    // Another VNI at the other end.
    site.bridge(&format!(
        "fdb replace {host} dev vx100 dst {remote} src_vni {NEW} vni 10999 self static\n"
    ));
    let to_remote = tagged(HOST_A.mac, HOST_R.mac, VLAN);
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
    site.wait_problem("an own VNI, UDP port or interface");
}

/// Case VN-01.
#[test]
fn a_filter_of_vnis_is_followed() {
    let mut site = Judged::with_single_device("vnifilter", &TUNNELS);
    for (vlan, vni) in TUNNELS {
        until_by_xdp(&mut site, vlan, vni);
    }
    site.bridge(&format!("vni delete vni {OTHER_VNI} dev vx100\n"));
    site.wait_problem("vx100 does not hear of VNI 10200");
    assert_eq!(ways(&mut site, OTHER, OTHER_VNI), [all_at("up0"), Fate::new()]);
    until_by_xdp(&mut site, VLAN, VNI);
    // Many kernels say nothing of a VNI that comes without a remote; whoever adds it uses it next.
    let stranger = mac_text(STRANGER.mac);
    let remote = address_text(LEAF2_VTEP);
    site.bridge(&format!(
        "vni add vni {OTHER_VNI} dev vx100\n\
         fdb add {stranger} dev vx100 dst {remote} src_vni {OTHER_VNI} self static\n"
    ));
    site.wait_no_problem();
    until_by_xdp(&mut site, OTHER, OTHER_VNI);
}

/// Case VN-01: a VNI that has a remote of its own instead of entries, then a group, and VNIs that are not in the filter.
fn vnis_have_remotes_of_their_own(mut site: Judged, group: &str) {
    until_by_xdp(&mut site, VLAN, VNI);
    let [_, remote] = site.vteps_of_the_leafs();
    let host = mac_text(HOST_R.mac);
    // The VTEP is known by the VNI's remote alone.
    site.bridge(&format!(
        "fdb del 00:00:00:00:00:00 dev vx100 dst {remote} src_vni {VNI} self\n\
         fdb del {host} dev vx100 dst {remote} src_vni {VNI} self\n\
         vni add vni {VNI} dev vx100 remote {remote}\n"
    ));
    let flood = tagged(HOST_A.mac, BROADCAST, VLAN);
    assert_eq!(site.as_by_the_kernel("acc0", &flood), all_at_each(&["acc1", "up0"]));
    until(PATIENCE, "XDP forwards what comes from the VNI's remote", || {
        let before = site.met(Reason::Decapsulated);
        assert_eq!(ways(&mut site, VLAN, VNI), both());
        site.met(Reason::Decapsulated) > before
    });
    site.bridge(&format!(
        "fdb add {host} dev vx100 dst {remote} src_vni {VNI} self static\n\
         vni add vni {VNI} dev vx100 group {group}\n"
    ));
    until_by_xdp(&mut site, VLAN, VNI);
    let flooded = site.as_by_the_kernel("acc0", &flood);
    assert!(flooded.contains_key("up0"), "to the group: {flooded:?}");
    for foreign in [OTHER_VNI, 0] {
        let inner = frame(HOST_R.mac, HOST_A.mac);
        assert_eq!(site.as_by_the_kernel_in(foreign, None, &inner), Fate::new());
    }
    site.wait_no_problem();
}

#[test]
fn vnis_of_a_filter_have_remotes_and_groups_of_their_own() {
    let tunnels = [(VLAN, VNI)];
    let site = Judged::with_single_device("vnifilter dev up0", &tunnels);
    vnis_have_remotes_of_their_own(site, "239.1.1.1");
    let site = Judged::with_single_device_over_ipv6("vnifilter dev up0", &tunnels);
    vnis_have_remotes_of_their_own(site, "ff0e::1");
}

/// Case VN-01: a device of one VNI beside one with a filter, in one bridge.
#[test]
fn a_device_of_one_vni_shares_a_bridge_with_one_that_filters_vnis() {
    const PORT: u16 = 4790;
    let mut site = Judged::with_single_device("vnifilter", &[(VLAN, VNI)]);
    let [local, remote] = site.vteps_of_the_leafs();
    let [a, r] = [HOST_A, HOST_R].map(|host| mac_text(host.mac));
    site.ip(&format!(
        "link add vx200 mtu 1500 type vxlan id {OTHER_VNI} local {local} dstport {PORT} nolearning noudpcsum\n\
         link set vx200 master br0\nlink set vx200 up\n"
    ));
    site.bridge(&format!(
        "link set dev vx200 learning off\n\
         vlan add vid {OTHER} dev acc0\nvlan add vid {OTHER} dev vx200 pvid untagged\n\
         fdb add {a} dev acc0 master static vlan {OTHER}\n\
         fdb add {r} dev vx200 master static vlan {OTHER}\n\
         fdb add {r} dev vx200 dst {remote} self static\n"
    ));
    until_by_xdp(&mut site, VLAN, VNI);
    let back = frame(HOST_R.mac, HOST_A.mac);
    until(PATIENCE, "XDP forwards in the other one", || {
        let met =
            |site: &Judged| [Reason::Encapsulated, Reason::Decapsulated].map(|it| site.met(it));
        let before = met(&site);
        let to_remote = tagged(HOST_A.mac, HOST_R.mac, OTHER);
        assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
        assert_eq!(site.as_by_the_kernel_in(OTHER_VNI, Some(PORT), &back), all_at("acc0"));
        met(&site).iter().zip(before).all(|(now, before)| *now > before)
    });
    // Each hears of its own VNIs at its own port.
    assert_eq!(site.as_by_the_kernel_in(OTHER_VNI, None, &back), Fate::new());
    assert_eq!(site.as_by_the_kernel_in(VNI, Some(PORT), &back), Fate::new());
    site.wait_no_problem();
}

#[test]
fn two_single_vxlan_devices_share_a_bridge() {
    const SECOND: u16 = 300;
    const PORT: u16 = 4790;
    let mut site = Judged::with_single_device("", &TUNNELS);
    let [local, remote] = [LEAF1_VTEP, LEAF2_VTEP].map(address_text);
    let [a, r] = [HOST_A, HOST_R].map(|host| mac_text(host.mac));
    site.ip(&format!(
        "link add vx200 mtu 1500 type vxlan external local {local} dstport {PORT} nolearning noudpcsum\n\
         link set vx200 master br0\nlink set vx200 up\n"
    ));
    site.bridge(&format!(
        "link set dev vx200 vlan_tunnel on learning off\n\
         vlan add vid {SECOND} dev acc0\nvlan add vid {SECOND} dev vx200\n\
         vlan add vid {SECOND} dev vx200 tunnel_info id {VNI}\n\
         fdb add {a} dev acc0 master static vlan {SECOND}\n\
         fdb add {r} dev vx200 master static vlan {SECOND}\n\
         fdb add {r} dev vx200 dst {remote} src_vni {VNI} self static\n"
    ));
    until_by_xdp(&mut site, VLAN, VNI);
    until(PATIENCE, "XDP forwards them", || {
        let met =
            |site: &Judged| [Reason::Encapsulated, Reason::Decapsulated].map(|it| site.met(it));
        let before = met(&site);
        let to_remote = tagged(HOST_A.mac, HOST_R.mac, SECOND);
        assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
        let back = frame(HOST_R.mac, HOST_A.mac);
        assert_eq!(site.as_by_the_kernel_in(VNI, Some(PORT), &back), all_at("acc0"));
        met(&site).iter().zip(before).all(|(now, before)| *now > before)
    });
}

/// Outer headers of what HOST_A sends to HOST_R, without what differs by packet and by flow: the
/// identification, the checksum over it, and the UDP source port.
fn headers(site: &mut Judged, frame: &Frame) -> BTreeSet<Vec<u8>> {
    let wire = site.outside().wire("up0p");
    site.send("acc0", frame);
    let mut headers = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_millis(100);
    while let Ok(Some(mut packet)) = wire.receive(deadline) {
        if packet.get(50..62) == Some(&[HOST_R.mac, HOST_A.mac].concat()) {
            for at in [18, 19, 24, 25, 34, 35] {
                packet[at] = 0;
            }
            headers.insert(packet[..50].to_vec());
        }
    }
    headers
}

#[test]
fn outer_headers_of_a_single_vxlan_device_are_the_kernels() {
    const DF: u8 = 0x40;
    for options in ["ttl 9 tos 0x40 df set", "ttl inherit tos inherit df inherit", ""] {
        let mut site = Judged::with_single_device(options, &TUNNELS);
        until_by_xdp(&mut site, OTHER, OTHER_VNI);
        for frame in [
            Frame::ipv4(&HOST_A, &HOST_R).tos(0xb9).tag(OTHER),
            Frame::ipv6(&HOST_A, &HOST_R).tos(0xb9).tag(OTHER),
            Frame::other(&HOST_A, &HOST_R, 0x88b5).tag(OTHER),
        ] {
            let [kernel, ours] = [1, 0].map(|bypass| {
                site.maps().settings.update(0, |settings| settings.bypass = bypass);
                let mut found = BTreeSet::new();
                until(PATIENCE, "packets arrive", || {
                    found = headers(&mut site, &frame);
                    !found.is_empty()
                });
                found
            });
            assert_eq!(kernel, ours, "{options:?} {frame:?}");
            let [header] = &Vec::from_iter(kernel)[..] else { panic!("of one kind") };
            assert_eq!(header[20] & DF, 0, "the device's own DF does not count");
        }
    }
}
