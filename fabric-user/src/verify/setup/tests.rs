//! A leaf that is set up as it should be, and then otherwise in one thing.

use std::collections::BTreeMap;

use super::*;
use crate::{
    facts::{Fabric, Offload, held},
    observe::{
        Bridge, BridgePort, Event, PortOptions, PortVlan, Prefix, Route, RouteKey, RouteKind, Vlan,
        Vxlan,
    },
    verify::frr::tests::{BR, L2, VXLAN, frr, ip, link, mac, tunnel_mac},
};

/// An interface on the bridge, of its VLAN.
const SVI: u32 = 13;
const VLAN: u16 = 200;

/// A vxlan device that carries two VNIs, on a VLAN-aware bridge.
fn single(vxlan: Vxlan, port: PortOptions) -> Vec<Event> {
    let bridge = Bridge { vlan_filtering: true, ..Bridge::default() };
    let vlan = |(id, vni)| PortVlan { id, pvid: false, untagged: false, tunnel: Some(vni) };
    let mut device =
        link(VXLAN, "vxlan0", Some(BR), LinkKind::Vxlan(Vxlan { external: true, ..vxlan }));
    if let Event::Link(link) = &mut device {
        link.port = Some(port);
    }
    let vlans = [(VLAN, L2), (300, 10_300)].map(vlan).into();
    vec![
        link(BR, "br", None, LinkKind::Bridge(bridge)),
        device,
        Event::BridgePort(BridgePort { ifindex: VXLAN, bridge: BR, options: port, vlans }),
        own("10.0.0.1"),
    ]
}

/// An address of this box.
fn own(address: &str) -> Event {
    let prefix = Prefix { address: ip(address), length: 32 };
    Event::Route(Route {
        key: RouteKey { table: 255, prefix, source: None, tos: 0, priority: 0 },
        kind: RouteKind::Local,
        protocol: 2,
        nexthop: None,
        hops: Vec::new(),
        mtu: None,
        hop_limit: None,
    })
}

fn local() -> Vxlan {
    Vxlan { local: Some(ip("10.0.0.1")), ..Vxlan::default() }
}

fn of(network: Vec<Event>) -> Vec<Difference> {
    let facts = Facts { network, frr: Some(frr()), ..Facts::default() };
    differences(&facts, &Kernel::of(&facts.network))
}

#[test]
fn a_device_of_many_vnis_is_named_once_with_a_command_that_it_takes() {
    assert_eq!(of(single(local(), PortOptions::default())), []);
    let learns = Vxlan { learning: true, ..local() };
    let [device] = &of(single(learns, PortOptions::default()))[..] else { panic!("it is one") };
    assert_eq!(device.what, "of vxlan0");
    assert_eq!(device.next, "ip link set vxlan0 type vxlan nolearning");
    let port = PortOptions { learning: true, ..PortOptions::default() };
    let [port] = &of(single(local(), port))[..] else { panic!("it is one") };
    assert_eq!(port.next, "bridge link set dev vxlan0 learning off");
    let [address] = &of(single(Vxlan::default(), PortOptions::default()))[..] else {
        panic!("it is one")
    };
    assert_eq!(address.next, "ip link set vxlan0 type vxlan local ADDRESS");
    let strange = Vxlan { local: Some(ip("10.0.0.7")), ..Vxlan::default() };
    let [gone] = &of(single(strange, PortOptions::default()))[..] else { panic!("it is one") };
    assert_eq!(gone.next, "ip address add 10.0.0.7 dev lo");
}

#[test]
fn an_underlay_that_is_too_small_is_named_without_fabric_by_the_ways_to_vteps() {
    const UPLINK: u32 = 40;
    let route = |prefix: &str, length, table, ifindex| {
        let Event::Route(route) = own(prefix) else { unreachable!() };
        let prefix = Prefix { address: ip(prefix), length };
        let hop = serde_json::json!({ "ifindex": ifindex, "gateway": null, "weight": 1 });
        let hops = vec![serde_json::from_value(hop).unwrap()];
        let key = RouteKey { table, prefix, ..route.key };
        Event::Route(Route { key, kind: RouteKind::Unicast, hops, ..route })
    };
    let port = |ifindex, name: &str, mtu| {
        let mut port = link(ifindex, name, None, LinkKind::Device);
        if let Event::Link(link) = &mut port {
            link.mtu = mtu;
        }
        port
    };
    let with = |mtu| {
        let mut events = single(local(), PortOptions::default());
        for event in &mut events {
            if let Event::Link(link) = event {
                link.mtu = 1_500;
            }
        }
        events.extend([
            port(UPLINK, "swp1", mtu),
            // The way to everything else, which no VTEP takes.
            port(UPLINK + 1, "eth0", 1_500),
            route("0.0.0.0", 0, 254, UPLINK + 1),
            route("10.0.0.0", 24, 254, UPLINK),
            tunnel_mac(VXLAN, mac(7), "10.0.0.2"),
        ]);
        of(events)
    };
    let [small] = &with(1_549)[..] else { panic!("it is one") };
    assert_eq!(small.what, "of port swp1");
    assert_eq!(small.kernel.as_deref(), Some("MTU 1549, and tunnels need 1550"));
    assert_eq!(with(1_550), []);
}

#[test]
fn a_vxlan_device_of_a_network_that_is_in_no_bridge_is_named() {
    let alone = |bridge| {
        let kind = LinkKind::Vxlan(Vxlan { vni: L2, ..local() });
        let bridges = link(BR, "br", None, LinkKind::Bridge(Bridge::default()));
        of(vec![bridges, link(VXLAN, "vxlan200", bridge, kind), own("10.0.0.1")])
    };
    let [lone] = &alone(None)[..] else { panic!("it is one") };
    assert_eq!(lone.kernel.as_deref(), Some("vxlan200 is in no bridge"));
    assert_eq!(alone(Some(BR)), []);
}

#[test]
fn suppression_needs_an_interface_that_has_the_neighbours() {
    let suppresses = PortOptions { neigh_suppress: true, ..PortOptions::default() };
    let [none] = &of(single(local(), suppresses))[..] else { panic!("it is one") };
    assert!(none.kernel.as_deref().unwrap().ends_with("VLAN 200 of br has no interface"), "{none}");
    let with_svi = |up| {
        let kind = LinkKind::Vlan(Vlan { id: VLAN, protocol: 0x8100, maps_priorities: false });
        let mut svi = link(SVI, "br.200", None, kind);
        if let Event::Link(link) = &mut svi {
            (link.lower, link.up) = (Some(BR), up);
        }
        let mut events = single(local(), suppresses);
        events.push(svi);
        of(events)
    };
    let [down] = &with_svi(false)[..] else { panic!("it is one") };
    assert_eq!(
        (down.what.as_str(), down.next.as_str()),
        ("of vxlan0, VLAN 200", "ip link set br.200 up")
    );
    assert_eq!(with_svi(true), []);
    // Said for each VLAN, and not of this one.
    let each = PortOptions { neigh_vlan_suppress: true, ..suppresses };
    assert_eq!(of(single(local(), each)), []);
}

#[test]
fn offloads_by_which_programs_see_other_frames_are_named_where_it_matters() {
    let veth = |ifindex, name: &str, peer| {
        let mut veth = link(ifindex, name, None, LinkKind::Other("veth".into()));
        if let Event::Link(link) = &mut veth {
            link.lower = Some(peer);
        }
        veth
    };
    let network = [veth(1, "swp1", 2), veth(2, "host", 1)];
    let of = |interface: &str, offload, tagged: bool| {
        let tagged = tagged.then(|| (VLAN, "br.200".into())).into_iter().collect();
        let port = held::Port { role: "access".into(), tagged, ..held::Port::default() };
        let held = held::Held { ports: [("swp1".into(), port)].into(), ..held::Held::default() };
        let facts = Facts {
            network: network.to_vec(),
            offloads: BTreeMap::from([(interface.into(), vec![offload])]),
            fabric: Some(Fabric { held, ..Fabric::default() }),
            ..Facts::default()
        };
        let next = |found: Difference| found.next;
        let found = differences(&facts, &Kernel::of(&facts.network));
        found.into_iter().map(next).collect::<Vec<_>>()
    };
    assert_eq!(of("swp1", Offload::RxVlan, false), ["ethtool -K swp1 rxvlan off"]);
    assert_eq!(of("swp1", Offload::Lro, false), ["ethtool -K swp1 lro off"]);
    // Frames that leave have their tags made in software.
    assert!(of("swp1", Offload::TxVlan, true).is_empty());
    assert_eq!(of("host", Offload::TxVlan, true), ["ethtool -K host txvlan off"]);
    assert!(of("host", Offload::TxVlan, false).is_empty(), "nobody there has tags");
    assert!(of("other", Offload::RxVlan, false).is_empty());
}
