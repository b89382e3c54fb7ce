//! Stations behind Ethernet segments of other leafs.

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

const GROUP: u32 = 0x2000_0001;
const KEY: SegmentKey = SegmentKey { local: LOCAL, group: GROUP };

fn member(id: u32, address: &str) -> Event {
    let gateway = Some(ip(address));
    let kind = NexthopKind::Single { ifindex: 0, gateway, encap: None };
    Event::Nexthop(crate::observe::Nexthop { id, fdb: true, kind })
}

fn segment(id: u32, members: &[(u32, u16)]) -> Event {
    match group(id, members) {
        Event::Nexthop(nexthop) => crate::observe::Nexthop { fdb: true, ..nexthop }.into(),
        other => other,
    }
}

fn behind(number: u8, group: u32) -> TunnelMac {
    let target = TunnelTarget::NexthopGroup(group);
    TunnelMac { vxlan: VX10, mac: host(number), source_vni: None, target }
}

/// Hosts 2 and 3 are behind 10.0.0.2 and 10.0.0.3, one flow in four and three in four.
fn multihomed() -> Incremental {
    let mut leaf = leaf();
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    for event in [
        Event::Route(route("10.0.0.3", 32, Some(20))),
        member(101, "10.0.0.2"),
        member(102, "10.0.0.3"),
        segment(GROUP, &[(101, 1), (102, 3)]),
        Event::TunnelMac(behind(2, GROUP)),
        Event::TunnelMac(behind(3, GROUP)),
        Event::BridgeMac(bridge_mac(VX10, host(3))),
    ] {
        leaf.apply(event);
    }
    leaf
}

fn vtep(address: &str) -> VtepKey {
    VtepKey { local: LOCAL, remote: ip(address) }
}

fn members(leaf: &Incremental) -> Vec<(VtepKey, u16)> {
    leaf.desired().structure.segments[&KEY].members.clone()
}

#[test]
fn a_station_behind_a_group_of_vteps_is_behind_a_segment_with_their_weights() {
    let leaf = multihomed();
    for number in [2, 3] {
        assert_eq!(leaf.place(number), Some(Target::Segment(KEY)));
    }
    assert_eq!(members(&leaf), [(vtep("10.0.0.2"), 1), (vtep("10.0.0.3"), 3)]);
    let vteps = leaf.structure().vteps;
    assert!(vteps[&vtep("10.0.0.3")].is_some(), "nothing else names it: {vteps:?}");
    assert_eq!(leaf.problems(), "");
}

#[test]
fn a_vtep_that_goes_is_a_change_of_the_segment_and_of_no_mac_address() {
    let mut leaf = multihomed();
    for event in [
        segment(GROUP, &[(101, 1)]),
        segment(GROUP, &[(102, 3), (101, 1)]),
        member(101, "10.0.0.9"),
        gone_nexthop(101),
    ] {
        let dirty = leaf.apply(event);
        assert!(dirty.underlay && !dirty.bridging && dirty.macs.is_empty(), "{dirty:?}");
        assert_eq!(leaf.place(2), Some(Target::Segment(KEY)));
    }
    assert_eq!(members(&leaf), [(vtep("10.0.0.3"), 3)]);
}

fn gone_nexthop(id: u32) -> Event {
    Event::NexthopGone { id }
}

#[test]
fn a_group_that_goes_takes_the_entries_along_without_a_message_and_for_good() {
    let mut leaf = multihomed();
    let dirty = leaf.apply(gone_nexthop(GROUP));
    assert_eq!(dirty.macs.len(), 2);
    assert_eq!(leaf.place(2), None);
    assert!(leaf.structure().segments.is_empty());
    leaf.apply(segment(GROUP, &[(101, 1), (102, 1)]));
    assert_eq!(leaf.place(2), None, "the kernel floods");
    leaf.apply(behind(2, GROUP));
    assert_eq!((leaf.place(2), leaf.place(3)), (Some(Target::Segment(KEY)), None));
}

#[test]
fn an_entry_changes_from_a_vtep_to_a_segment_and_back() {
    let mut leaf = multihomed();
    leaf.withdraw(behind(2, GROUP));
    leaf.apply(tunnel_mac(host(2), REMOTE));
    assert_eq!(leaf.place(2), Some(Target::Remote(VTEP)));
    leaf.withdraw(tunnel_mac(host(2), REMOTE));
    leaf.apply(behind(2, GROUP));
    assert_eq!(leaf.place(2), Some(Target::Segment(KEY)));
    leaf.withdraw(behind(2, GROUP));
    leaf.withdraw(behind(3, GROUP));
    let structure = leaf.structure();
    assert!(structure.segments.is_empty(), "nobody is behind it");
    assert!(!structure.vteps.contains_key(&vtep("10.0.0.3")), "{:?}", structure.vteps);
}

#[test]
fn members_with_one_address_are_one_vtep() {
    let mut leaf = multihomed();
    leaf.apply(member(103, "10.0.0.2"));
    leaf.apply(segment(GROUP, &[(101, 1), (102, 3), (103, 5)]));
    assert_eq!(members(&leaf), [(vtep("10.0.0.2"), 6), (vtep("10.0.0.3"), 3)]);
}

#[test]
fn a_vtep_without_a_way_stays_a_member_as_it_does_in_the_kernel() {
    let mut leaf = multihomed();
    leaf.withdraw(route("10.0.0.3", 32, Some(20)));
    assert_eq!(members(&leaf), [(vtep("10.0.0.2"), 1), (vtep("10.0.0.3"), 3)]);
    assert_eq!(leaf.structure().vteps[&vtep("10.0.0.3")], None);
    leaf.assert_named("VTEP 10.0.0.3: no route");
    let dirty = leaf.apply(route("10.0.0.3", 32, Some(20)));
    assert!(dirty.underlay, "the VTEP of a segment is one whose way matters");
    assert!(leaf.structure().vteps[&vtep("10.0.0.3")].is_some());
}

#[test]
fn a_segment_with_a_member_that_cannot_be_expressed_is_the_kernels_as_a_whole_and_named() {
    for (event, sentence) in [
        (member(102, "2001:db8::3"), "there is no tunnel to its member 102, 2001:db8::3"),
        (member(102, "10.0.0.1"), "there is no tunnel to its member 102, 10.0.0.1"),
        (member(102, "239.0.0.1"), "its member 102 is no VTEP"),
        (single(102, U1, Some("192.0.2.0")), "its member 102 is no VTEP"),
        (single(GROUP, U1, Some("192.0.2.0")), "it is no group"),
    ] {
        let mut leaf = multihomed();
        leaf.apply(event);
        assert_eq!(members(&leaf), [], "{sentence}");
        assert_eq!(leaf.place(2), Some(Target::Segment(KEY)), "a change of it is one write");
        leaf.assert_named(format!("nexthop group {GROUP} of VTEPs (Ethernet segment): {sentence}"));
    }
}

#[test]
fn a_resilient_group_keeps_its_settings() {
    let mut leaf = multihomed();
    let resilient = Some(Resilient { buckets: 8, idle_ms: 1_000, unbalanced_ms: 0 });
    let members = vec![GroupMember { id: 101, weight: 1 }, GroupMember { id: 102, weight: 1 }];
    let kind = NexthopKind::Group { members, resilient };
    leaf.apply(crate::observe::Nexthop { id: GROUP, fdb: true, kind });
    assert_eq!(leaf.desired().structure.segments[&KEY].resilient, resilient);
}

#[test]
fn a_group_that_a_dump_does_not_bring_has_taken_the_entries_along_for_good() {
    let mut leaf = multihomed();
    let is_routing = |event: &Event| {
        matches!(
            event,
            Event::Route(_) | Event::RouteAppended(_) | Event::Nexthop(_) | Event::Neighbour(_)
        )
    };
    let rest = [member(101, "10.0.0.2"), member(102, "10.0.0.3")];
    let with = |group: &[Event]| {
        let all = leaf_events().into_iter().filter(is_routing).chain(rest.clone());
        Listing { scope: Scope::Routing, events: all.chain(group.iter().cloned()).collect() }
    };
    let group = segment(GROUP, &[(101, 1), (102, 3)]);
    leaf.replace(with(std::slice::from_ref(&group)));
    assert_eq!(leaf.place(2), Some(Target::Segment(KEY)));
    leaf.replace(with(&[]));
    assert_eq!((leaf.place(2), leaf.place(3)), (None, None), "the kernel floods");
    assert!(leaf.structure().segments.is_empty());
    // Another one of its ID.
    leaf.apply(group);
    leaf.apply(behind(3, GROUP));
    assert_eq!((leaf.place(2), leaf.place(3)), (None, Some(Target::Segment(KEY))));
}
