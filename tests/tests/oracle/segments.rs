//! Stations behind Ethernet segments (nexthop groups of VTEPs), through fabric-xdpd. Which of the VTEPs a flow
//! takes is by the kernel's own secret; that they are the same ones is compared, and
//! that each of ours has its share. Cases VN-02, and of FRR-05 what stands in the kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_M},
    device::mac_text,
    fabric::{PATIENCE, until},
    judged::{Judged, frame},
    packet::Frame,
};

const FLOWS: u16 = 240;

fn flows() -> Vec<Frame> {
    (0..FLOWS).map(|i| Frame::ipv4(&HOST_A, &HOST_M).ports([10_000 + 7 * i, 443])).collect()
}

fn vtep(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

fn vtep6(number: u8) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 0xff, 0, 0, 0, 0, number.into()])
}

/// A leaf with HOST_M behind the nexthop group 10 of the VTEPs 192.0.2.2 to 192.0.2.4, which are the nexthops 2
/// to 4; `group` is as `ip nexthop` takes it.
fn multihomed(group: &str) -> Judged {
    behind(Judged::new(), "203.0.113.1", vtep, group)
}

/// A leaf with HOST_M behind a group of VTEPs that this spine leads to.
fn behind(site: Judged, spine: &str, vtep: fn(u8) -> IpAddr, group: &str) -> Judged {
    let members = (2..5).map(|id| format!("nexthop add id {id} via {} fdb\n", vtep(id)));
    let routes = (3..5).map(|id| format!("route add {} via {spine} dev up0\n", vtep(id)));
    let lines: String = routes.chain(members).collect();
    site.ip(&format!("{lines}nexthop add id 10 group {group}\n"));
    site.bridge(&format!(
        "{}fdb add {} dev vx100 master static\n",
        behind_group(),
        mac_text(HOST_M.mac)
    ));
    site
}

fn behind_group() -> String {
    format!("fdb add {} dev vx100 nhid 10 self extern_learn\n", mac_text(HOST_M.mac))
}

/// The VTEPs of all flows, once each is forwarded by XDP and they are those that the kernel takes.
#[track_caller]
fn ways(site: &mut Judged, expected: &[u8]) -> Vec<IpAddr> {
    ways_to(site, expected.iter().map(|number| vtep(*number)).collect())
}

#[track_caller]
fn ways_to(site: &mut Judged, expected: BTreeSet<IpAddr>) -> Vec<IpAddr> {
    let (flows, start) = (flows(), Instant::now());
    loop {
        let kernel: BTreeSet<_> = site.vteps(true, "acc0", &flows).into_iter().collect();
        let before = site.met(Reason::Encapsulated);
        let ours: Option<Vec<IpAddr>> = site.vteps(false, "acc0", &flows).into_iter().collect();
        let by_xdp = site.met(Reason::Encapsulated) - before;
        if let Some(ours) = ours
            && by_xdp == u64::from(FLOWS)
            && ours.iter().copied().collect::<BTreeSet<_>>() == expected
        {
            let expected = expected.iter().copied().map(Some).collect();
            assert_eq!(kernel, expected, "the kernel's own");
            return ours;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{by_xdp} flows by XDP, the kernel takes {kernel:?}: {:?}",
            site.state().problems
        );
    }
}

fn shares(ways: &[IpAddr]) -> BTreeMap<IpAddr, u16> {
    let mut shares = BTreeMap::new();
    for way in ways {
        *shares.entry(*way).or_default() += 1;
    }
    shares
}

#[test]
fn flows_to_a_segment_are_spread_over_the_kernels_vteps_by_weight() {
    let mut site = multihomed("2/3,3 fdb");
    let first = ways(&mut site, &[2, 3]);
    let share = shares(&first)[&vtep(3)];
    assert!(share.abs_diff(FLOWS * 3 / 4) < 40, "{share} of {FLOWS} flows for three in four");
    assert_eq!(ways(&mut site, &[2, 3]), first, "a flow has one VTEP");
    site.wait_no_problem();
    site.ip("nexthop replace id 10 group 2,3/3 fdb\n");
    until(PATIENCE, "the weights are the other way round", || {
        shares(&ways(&mut site, &[2, 3]))[&vtep(2)].abs_diff(FLOWS * 3 / 4) < 40
    });
}

/// Case VN-02 over IPv6, with a member that leaves and comes back as another VTEP.
#[test]
fn segments_over_ipv6_lead_to_the_kernels_vteps() {
    let to = |numbers: &[u8]| numbers.iter().map(|number| vtep6(*number)).collect();
    let site = Judged::over_ipv6();
    let mut site = behind(site, "2001:db8:fe::1", vtep6, "2/3,3 fdb");
    let before = ways_to(&mut site, to(&[2, 3]));
    let share = shares(&before)[&vtep6(3)];
    assert!(share.abs_diff(FLOWS * 3 / 4) < 40, "{share} of {FLOWS} flows for three in four");
    site.ip("nexthop del id 3\n");
    ways_to(&mut site, to(&[2]));
    site.ip("nexthop add id 3 via 2001:db8:ff::4 fdb\nnexthop replace id 10 group 2/3 fdb\n");
    ways_to(&mut site, to(&[2, 4]));
    site.wait_no_problem();
}

#[test]
fn a_vtep_that_leaves_its_segment_moves_its_own_flows_alone() {
    for (group, smaller) in [
        ("2/3/4 fdb", "nexthop replace id 10 group 2/4 fdb\n"),
        // The kernel takes it out of the group.
        ("2/3/4 fdb", "nexthop del id 3\n"),
        ("2/3/4 fdb type resilient buckets 64", "nexthop del id 3\n"),
    ] {
        let mut site = multihomed(group);
        let before = ways(&mut site, &[2, 3, 4]);
        site.ip(smaller);
        let after = ways(&mut site, &[2, 4]);
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == vtep(3), "{before} became {after}: {smaller}");
        }
        site.wait_no_problem();
    }
}

#[test]
fn a_member_that_becomes_another_vtep_takes_its_flows_along() {
    let mut site = multihomed("2/3 fdb");
    let before = ways(&mut site, &[2, 3]);
    site.ip("nexthop replace id 3 via 192.0.2.4 fdb\n");
    let after = ways(&mut site, &[2, 4]);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before == after, *before == vtep(2));
    }
}

#[test]
fn an_entry_changes_from_a_vtep_to_a_segment_and_back() {
    let mut site = multihomed("2/3 fdb");
    ways(&mut site, &[2, 3]);
    let host = mac_text(HOST_M.mac);
    site.bridge(&format!(
        "fdb del {host} dev vx100 self\nfdb add {host} dev vx100 dst 192.0.2.4 self static\n"
    ));
    ways(&mut site, &[4]);
    site.bridge(&format!("fdb del {host} dev vx100 dst 192.0.2.4 self\n{}", behind_group()));
    ways(&mut site, &[2, 3]);
    // The station comes to a local port.
    site.bridge(&format!("fdb replace {host} dev acc1 master static\n"));
    let fate = site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_M.mac));
    assert_eq!(fate.into_keys().collect::<Vec<_>>(), ["acc1"]);
}

#[test]
fn a_group_that_goes_leaves_its_stations_to_be_flooded_for_until_they_are_entered_anew() {
    let mut site = multihomed("2/3 fdb");
    ways(&mut site, &[2, 3]);
    let to_segment = frame(HOST_A.mac, HOST_M.mac);
    site.ip("nexthop del id 10\n");
    let flooded = site.as_by_the_kernel("acc0", &to_segment);
    assert!(flooded.contains_key("up0"), "{flooded:?}");
    site.ip("nexthop add id 10 group 3/4 fdb\n");
    assert_eq!(site.as_by_the_kernel("acc0", &to_segment), flooded, "the entry is gone");
    site.bridge(&behind_group());
    ways(&mut site, &[3, 4]);
}

#[test]
fn a_segment_with_a_member_of_the_other_family_is_the_kernels_and_named_until_it_has_none() {
    let mut site = multihomed("2/3 fdb");
    ways(&mut site, &[2, 3]);
    site.ip("nexthop add id 6 via 2001:db8::6 fdb\nnexthop replace id 10 group 6 fdb\n");
    site.wait_problem(
        "nexthop group 10 of VTEPs (Ethernet segment): there is no tunnel to its member 6",
    );
    site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_M.mac));
    site.ip("nexthop replace id 10 group 2/4 fdb\n");
    ways(&mut site, &[2, 4]);
    site.wait_no_problem();
}
