//! A leaf whose FRR and kernel say the same, and then one thing else.

use std::net::IpAddr;

use crate::{
    frr::facts::{
        Frr, HopEntry, MacEntry, NeighbourEntry, Place, RouteEntry, RouterEntry, Vni, VniKind,
        VrfEntry,
    },
    observe::{
        Bridge, BridgeMac, Event, Hop, Link, LinkKind, Mac, Neighbour, PortOptions, Prefix, Route,
        RouteKey, RouteKind, TunnelMac, TunnelTarget, Vxlan,
    },
    verify::{Difference, Side, kernel::Kernel},
};

pub(in crate::verify) const L2: u32 = 10_200;
pub(in crate::verify) const L3: u32 = 4_001;
// Interface indexes.
pub(in crate::verify) const BR: u32 = 10;
pub(in crate::verify) const VXLAN: u32 = 11;
const PORT: u32 = 12;
const BR3: u32 = 20;
const VXLAN3: u32 = 21;
const VRF: u32 = 30;
const UPLINK: u32 = 40;

pub(in crate::verify) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(in crate::verify) fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

pub(in crate::verify) fn link(
    ifindex: u32,
    name: &str,
    master: Option<u32>,
    kind: LinkKind,
) -> Event {
    let port = matches!(kind, LinkKind::Vxlan(_)).then(PortOptions::default);
    let up = true;
    Event::Link(Link { ifindex, name: name.into(), master, kind, port, up, ..Link::default() })
}

pub(in crate::verify) fn vxlan(vni: u32) -> LinkKind {
    LinkKind::Vxlan(Vxlan { vni, local: Some(ip("10.0.0.1")), ..Vxlan::default() })
}

fn bridge_mac(bridge: u32, mac: Mac, port: u32, extern_learn: bool) -> Event {
    let flags = (false, false, false, false);
    let (permanent, locked, sticky, fixed) = flags;
    let entry =
        BridgeMac { bridge, vlan: 0, mac, port, permanent, locked, extern_learn, sticky, fixed };
    Event::BridgeMac(entry)
}

pub(in crate::verify) fn tunnel_mac(vxlan: u32, mac: Mac, vtep: &str) -> Event {
    let target = TunnelTarget::Vtep { address: ip(vtep), port: None, vni: None, via: None };
    Event::TunnelMac(TunnelMac { vxlan, mac, source_vni: None, target })
}

pub(in crate::verify) fn neighbour(ifindex: u32, address: &str, mac: Mac) -> Event {
    let address = ip(address);
    let (state, extern_learn, router) = (0x40, true, false);
    Event::Neighbour(Neighbour { ifindex, address, mac: Some(mac), state, extern_learn, router })
}

fn route(gateway: &str) -> Event {
    let prefix = Prefix { address: ip("10.9.0.0"), length: 16 };
    let key = RouteKey { table: 254, prefix, source: None, tos: 0, priority: 20 };
    let hop = Hop { ifindex: UPLINK, gateway: Some(ip(gateway)), ..hop() };
    Event::Route(Route {
        key,
        kind: RouteKind::Unicast,
        protocol: 186,
        nexthop: None,
        hops: vec![hop],
        mtu: None,
        hop_limit: None,
    })
}

fn hop() -> Hop {
    serde_json::from_str(r#"{"ifindex": 0, "gateway": null, "weight": 1}"#).unwrap()
}

/// Two stations, one here, in a network; and another leaf's router in a VRF.
pub(in crate::verify) fn kernel() -> Vec<Event> {
    let bridge = || LinkKind::Bridge(Bridge::default());
    vec![
        link(VRF, "red", None, LinkKind::Vrf { table: 1_001 }),
        link(BR, "br200", None, bridge()),
        link(VXLAN, "vxlan200", Some(BR), vxlan(L2)),
        link(PORT, "swp11", Some(BR), LinkKind::Device),
        link(BR3, "br4001", Some(VRF), bridge()),
        link(VXLAN3, "vxlan4001", Some(BR3), vxlan(L3)),
        link(UPLINK, "swp1", None, LinkKind::Device),
        bridge_mac(BR, mac(1), PORT, false),
        bridge_mac(BR, mac(2), VXLAN, true),
        tunnel_mac(VXLAN, mac(2), "10.0.0.2"),
        tunnel_mac(VXLAN, Mac::ZERO, "10.0.0.2"),
        neighbour(BR, "10.200.0.2", mac(2)),
        bridge_mac(BR3, mac(9), VXLAN3, true),
        tunnel_mac(VXLAN3, mac(9), "10.0.0.2"),
        neighbour(BR3, "10.0.0.2", mac(9)),
        route("192.0.2.1"),
    ]
}

pub(in crate::verify) fn frr() -> Frr {
    let (vtep, local) = (ip("10.0.0.2"), Some(ip("10.0.0.1")));
    let l2 = Vni { local, flood: [vtep].into(), up: true, ..Vni::default() };
    let l3 = Vni { kind: VniKind::L3, vrf: Some("red".into()), flood: [].into(), ..l2.clone() };
    let here = Place::Local { interface: Some("swp11".into()), vlan: None };
    let station = |last, place| MacEntry { vni: L2, mac: mac(last), place, ..MacEntry::default() };
    let router = RouterEntry { l3vni: L3, vtep, mac: mac(9), hops: [vtep].into(), in_fdb: true };
    let gateway = Some(ip("192.0.2.1"));
    let interface = Some("swp1".into());
    let hop = HopEntry { gateway, interface, active: true, fib: true, ..HopEntry::default() };
    Frr {
        vnis: [(L2, l2), (L3, l3)].into(),
        macs: vec![station(1, here), station(2, Place::Vtep(vtep))],
        neighbours: vec![NeighbourEntry {
            vni: L2,
            address: ip("10.200.0.2"),
            mac: mac(2),
            place: Place::Vtep(vtep),
            active: true,
            sequence: 0,
            duplicate: false,
            gateway: false,
        }],
        routers: vec![router],
        vrfs: [("red".into(), VrfEntry { l3vni: L3, ..VrfEntry::default() })].into(),
        routes: vec![RouteEntry {
            vrf: None,
            prefix: Prefix { address: ip("10.9.0.0"), length: 16 },
            protocol: "bgp".into(),
            distance: 20,
            metric: 0,
            installed: true,
            failed: false,
            hops: vec![hop],
        }],
        ..Frr::default()
    }
}

#[test]
fn a_next_hop_whose_link_has_gone_is_none_although_frr_still_says_that_the_kernel_has_it() {
    let mut frr = frr();
    let hops = &mut frr.routes[0].hops;
    let gone = HopEntry { gateway: Some(ip("192.0.2.9")), active: false, ..hops[0].clone() };
    hops.push(gone);
    assert_eq!(differences(&frr, &kernel()), []);
}

fn differences(frr: &Frr, kernel: &[Event]) -> Vec<Difference> {
    super::differences(frr, &Kernel::of(kernel))
}

/// The one difference of a kernel without this event, and with that one if there is one.
fn with(without: &Event, instead: Option<Event>) -> Difference {
    let mut events = kernel();
    let before = events.len();
    events.retain(|event| event != without);
    assert_eq!(events.len() + 1, before, "{without:?} is not there");
    events.extend(instead);
    let found = differences(&frr(), &events);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

fn said(difference: &Difference) -> [&str; 2] {
    [&difference.frr, &difference.kernel].map(|said| said.as_deref().unwrap_or_default())
}

#[test]
fn a_leaf_whose_frr_and_kernel_agree_has_no_difference() {
    assert_eq!(differences(&frr(), &kernel()), []);
}

#[test]
fn a_mac_that_is_gone_elsewhere_or_here_is_named_with_who_is_wrong() {
    let entry = tunnel_mac(VXLAN, mac(2), "10.0.0.2");
    let elsewhere = with(&entry, Some(tunnel_mac(VXLAN, mac(2), "10.0.0.3")));
    assert_eq!(said(&elsewhere), ["VTEP 10.0.0.2", "VTEP 10.0.0.3"]);
    assert_eq!(elsewhere.differs, Side::Kernel);
    let none = with(&entry, None);
    assert_eq!(said(&none), ["VTEP 10.0.0.2", "the vxlan device, without a VTEP"]);
    let here = bridge_mac(BR, mac(2), PORT, false);
    let moved = with(&bridge_mac(BR, mac(2), VXLAN, true), Some(here));
    assert_eq!(said(&moved), ["VTEP 10.0.0.2", "port swp11"]);
    assert!(moved.likely.contains("was heard here"), "{moved}");
    let forgotten = with(&bridge_mac(BR, mac(1), PORT, false), None);
    assert_eq!(said(&forgotten), ["port swp11", "nothing"]);
    assert_eq!(forgotten.differs, Side::Frr);
}

#[test]
fn a_mac_that_frr_does_not_know_is_one_that_nobody_hears_of_or_that_somebody_left() {
    let with = |event: Event| {
        let mut events = kernel();
        events.push(event);
        differences(&frr(), &events)
    };
    let [missed] = &with(bridge_mac(BR, mac(3), PORT, false))[..] else { panic!("it is one") };
    assert_eq!(said(missed), ["nothing", "port swp11"]);
    assert!(missed.next.starts_with("bridge fdb del 02:00:00:00:00:03 dev swp11"), "{missed}");
    let [left] = &with(bridge_mac(BR, mac(3), VXLAN, true))[..] else { panic!("it is one") };
    // The vxlan device keeps its half by itself.
    assert_eq!(left.next, "bridge fdb del 02:00:00:00:00:03 dev vxlan200 self master");
    assert!(left.likely.contains("left it behind"), "{left}");
    // The box's own, as every bridge has them.
    let mut own = bridge_mac(BR, mac(3), BR, false);
    if let Event::BridgeMac(entry) = &mut own {
        entry.permanent = true;
    }
    assert_eq!(with(own), []);
}

#[test]
fn a_duplicate_is_a_difference_though_both_say_the_same() {
    let mut frr = frr();
    frr.macs[1].duplicate = true;
    let found = differences(&frr, &kernel());
    assert_eq!(found.len(), 1);
    assert!(found[0].next.contains("clear evpn dup-addr vni 10200"), "{}", found[0]);
}

#[test]
fn flood_lists_neighbours_and_routes_are_compared() {
    let flood = with(&tunnel_mac(VXLAN, Mac::ZERO, "10.0.0.2"), None);
    assert_eq!((flood.kind, said(&flood)), (super::Kind::Flood, ["10.0.0.2", "nobody"]));
    let entry = neighbour(BR, "10.200.0.2", mac(2));
    let other = with(&entry, Some(neighbour(BR, "10.200.0.2", mac(7))));
    assert_eq!(said(&other), ["02:00:00:00:00:02", "02:00:00:00:00:07 at br200"]);
    assert_eq!(said(&with(&entry, None))[1], "nothing at br200");
    let gone = with(&route("192.0.2.1"), None);
    assert_eq!(said(&gone), ["swp1 192.0.2.1", "nothing"]);
    let other = with(&route("192.0.2.1"), Some(route("192.0.2.9")));
    assert_eq!(said(&other), ["swp1 192.0.2.1", "swp1 192.0.2.9"]);
}

#[test]
fn a_router_is_compared_by_its_entry_and_by_the_neighbour_that_routes_name() {
    let moved = tunnel_mac(VXLAN3, mac(9), "10.0.0.3");
    let entry = with(&tunnel_mac(VXLAN3, mac(9), "10.0.0.2"), Some(moved));
    assert_eq!(said(&entry)[1], "02:00:00:00:00:09 at VTEP 10.0.0.3");
    let other = neighbour(BR3, "10.0.0.2", mac(8));
    let hop = with(&neighbour(BR3, "10.0.0.2", mac(9)), Some(other));
    assert_eq!(said(&hop)[1], "10.0.0.2 has 02:00:00:00:00:08 at br4001");
    assert_eq!(hop.what, "MAC of 10.0.0.2 in L3VNI 4001");
}

#[test]
fn an_l3vni_whose_svi_is_in_another_vrf_and_a_vni_that_one_side_lacks_are_named() {
    let svi = link(BR3, "br4001", Some(VRF), LinkKind::Bridge(Bridge::default()));
    let outside = link(BR3, "br4001", None, LinkKind::Bridge(Bridge::default()));
    let vrf = with(&svi, Some(outside));
    assert_eq!(said(&vrf), ["L3VNI 4001", "br4001 is in VRF default"]);
    let mut without = frr();
    without.vnis.remove(&L3);
    without.routers.clear();
    let [unknown] = &differences(&without, &kernel())[..] else { panic!("it is one") };
    assert_eq!(said(unknown), ["unknown", "vxlan4001 carries it"]);
    let mut events = kernel();
    events.push(link(VXLAN, "vxlan200", Some(BR), vxlan(10_201)));
    let found = differences(&frr(), &events);
    let vnis: Vec<&str> = found.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(vnis, ["10200", "10201"], "the wrong VNI on this leaf");
}

#[test]
fn an_l3vni_that_is_down_is_named_with_what_is_switched_off_or_with_zebra_where_nothing_is() {
    let mut frr = frr();
    frr.vnis.get_mut(&L3).unwrap().up = false;
    let [zebra] = &differences(&frr, &kernel())[..] else { panic!("it is one") };
    assert_eq!(said(zebra), ["L3VNI 4001, down", "all of its interfaces are there and up"]);
    assert_eq!(zebra.differs, Side::Frr);
    let off = |name: &str| {
        let mut events = kernel();
        for event in &mut events {
            if let Event::Link(link) = event
                && link.name == name
            {
                link.up = false;
            }
        }
        let found = differences(&frr, &events);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    let vrf = off("red");
    assert_eq!((vrf.kind, vrf.next.as_str()), (super::Kind::Vrf, "ip link set red up"));
    // Of the VNI, once.
    assert_eq!((off("br4001").kind, off("vxlan4001").kind), (super::Kind::Vni, super::Kind::Vni));
}

#[test]
fn a_route_that_zebra_says_the_kernel_has_refused_is_named_unless_the_kernel_has_it() {
    let mut frr = frr();
    let route = &mut frr.routes[0];
    (route.installed, route.failed, route.hops[0].fib) = (false, true, false);
    assert_eq!(differences(&frr, &kernel()), []);
    let mut events = kernel();
    events.retain(|event| !matches!(event, Event::Route(_)));
    let [refused] = &differences(&frr, &events)[..] else { panic!("it is one") };
    assert_eq!(said(refused), ["swp1 192.0.2.1, refused", "nothing"]);
    assert_eq!((refused.kind, refused.differs), (super::Kind::Route, Side::Kernel));
    assert!(refused.next.contains("Route install failed"), "{refused}");
}

#[test]
fn a_route_in_frrs_name_that_zebra_has_not_is_left_over_in_the_tables_of_vrfs_alone() {
    let with = |table, protocol| {
        let mut events = kernel();
        let Event::Route(mut route) = route("192.0.2.1") else { unreachable!() };
        route.key.table = table;
        route.key.prefix.address = ip("10.8.0.0");
        route.protocol = protocol;
        events.push(Event::Route(route));
        differences(&frr(), &events)
    };
    let [left] = &with(1_001, 186)[..] else { panic!("it is one") };
    assert_eq!(left.what, "10.8.0.0/16 in red (bgp)");
    assert_eq!(said(left), ["nothing", "swp1 192.0.2.1"]);
    assert_eq!(left.next, "ip route del 10.8.0.0/16 table 1001 proto 186");
    assert_eq!(with(254, 196).len(), 1, "static routes of FRR as well");
    // A person's, and one in a table that is no VRF's: policy routing is not zebra's to know.
    assert_eq!((with(254, 4), with(77, 186)), (vec![], vec![]));
    let mut connected = frr();
    connected.routes[0].protocol = "connected".into();
    assert_eq!(differences(&connected, &kernel()).len(), 1, "zebra has chosen another's");
}
