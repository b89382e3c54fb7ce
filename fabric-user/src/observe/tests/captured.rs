//! The decoders on messages of a Linux 6.18 kernel, captured after the commands that stand before
//! them in `captured.txt`; those about VLANs are of a 6.12 one.

use std::net::IpAddr;

use crate::observe::{
    BridgeMac, Df, Encap, Event, GroupMember, Hop, LinkKind, Mac, Neighbour, Nexthop, NexthopKind,
    PortOptions, PortState, Prefix, Resilient, Route, RouteKey, RouteKind, TunnelEncap, TunnelMac,
    TunnelTarget, VlanRange, VlanStates, Vxlan, decode,
};

/// Type, flags and bytes of each message that followed a command. The flags matter for routes
/// only, and stand only where they were not those of a new object.
pub(super) fn messages(command: &str) -> Vec<(u16, u16, Vec<u8>)> {
    let mut lines = include_str!("captured.txt").lines();
    lines.find(|line| line.strip_prefix("# ") == Some(command)).expect("the command was recorded");
    lines.take_while(|line| !line.starts_with('#')).map(parse).collect()
}

/// Every captured message.
pub(super) fn all() -> Vec<(u16, u16, Vec<u8>)> {
    let lines = include_str!("captured.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(parse).collect()
}

/// Every message of another file, behind the command that it followed.
pub(super) fn recorded(text: &'static str) -> Vec<(&'static str, u16, u16, Vec<u8>)> {
    let (mut command, mut all) = ("", Vec::new());
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            command = words;
        } else {
            let (kind, flags, bytes) = parse(line);
            all.push((command, kind, flags, bytes));
        }
    }
    all
}

fn parse(line: &str) -> (u16, u16, Vec<u8>) {
    let (kind, rest) = line.split_once(' ').unwrap();
    let (flags, hex) = rest.split_once(' ').unwrap_or(("600", rest));
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    let flags = u16::from_str_radix(flags, 16).unwrap();
    (kind.parse().unwrap(), flags, bytes.collect::<Result<_, _>>().unwrap())
}

pub(super) fn events(command: &str) -> Vec<Event> {
    let decode = |(kind, flags, bytes): (u16, u16, Vec<u8>)| decode(kind, flags, &bytes).unwrap();
    messages(command).into_iter().filter_map(decode).collect()
}

pub(super) fn last(command: &str) -> Event {
    events(command).pop().expect("an event")
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

fn vxlan(command: &str) -> Vxlan {
    let Event::Link(link) = last(command) else { panic!("a link") };
    let LinkKind::Vxlan(vxlan) = link.kind else { panic!("a vxlan device") };
    vxlan
}

#[test]
fn a_bridge_says_its_ageing_time_in_clock_ticks() {
    let Event::Link(link) = last("ip link add br10 type bridge ageing_time 3000") else {
        panic!("a link")
    };
    assert_eq!((link.ifindex, link.name.as_str(), link.mtu), (2, "br10", 1500));
    assert!(!link.up && !link.carrier && !link.loopback);
    let LinkKind::Bridge(bridge) = link.kind else { panic!("a bridge") };
    assert_eq!(bridge.ageing_ms, 30_000);
    assert!(!bridge.vlan_filtering);
}

#[test]
fn vlans_say_their_states_one_by_one_and_by_ranges() {
    let states = |command| match last(command) {
        Event::VlanStates(states) => states,
        other => panic!("{other:?}"),
    };
    let of = |ifindex, first, last, state| VlanStates {
        ifindex,
        ranges: vec![VlanRange { first, last, state, neigh_suppress: false }],
        instances_changed: false,
    };
    let one = states("bridge vlan set dev p1 vid 10 state blocking");
    assert_eq!(one, of(4, 10, 10, PortState::Blocking));
    let several = states("bridge vlan set dev p1 vid 11-12 state learning");
    assert_eq!(several, of(4, 11, 12, PortState::Learning));
    let gone = states("bridge vlan del dev p1 vid 10-12");
    assert_eq!(gone, of(4, 10, 12, PortState::Forwarding), "nothing of a VLAN stays");
    let instances = states("bridge vlan global set dev br0 vid 11 msti 5");
    assert!(instances.instances_changed && instances.ranges.is_empty());
}

#[test]
fn a_vxlan_device_says_all_that_shapes_the_outer_header() {
    let command = "ip link add vx10 type vxlan id 10010 local 10.0.0.1 dstport 4790 ttl 9 tos 0x10 \
                   df set nolearning noudpcsum";
    let expected = Vxlan {
        vni: 10010,
        local: Some(ip("10.0.0.1")),
        port: 4790,
        ttl: 9,
        tos: 0x10,
        df: Df::Set,
        ageing_s: 300,
        ..Vxlan::default()
    };
    assert_eq!(vxlan(command), expected);
}

#[test]
fn inherited_fields_and_options_that_change_packets_are_recognised() {
    let vxlan = vxlan(
        "ip link add vx11 type vxlan id 11 local 2001:db8::1 dstport 4789 tos inherit ttl inherit \
         srcport 50000 50010 gbp",
    );
    assert!(vxlan.tos_inherit && vxlan.ttl_inherit && vxlan.learning);
    assert_eq!(vxlan.local, Some(ip("2001:db8::1")));
    assert_eq!(vxlan.source_ports, Some((50_000, 50_010)));
    assert_eq!(vxlan.unsupported, ["gbp"]);
}

#[test]
fn a_vxlan_device_over_ipv6_says_its_checksums_and_flow_label() {
    let device = vxlan(
        "ip link add vx12 type vxlan id 12 local 2001:db8::1 dstport 4789 nolearning flowlabel \
         0xabcde udp6zerocsumtx udp6zerocsumrx",
    );
    assert_eq!(device.local, Some(ip("2001:db8::1")));
    assert_eq!(device.label, 0xabcde);
    assert!(device.udp6_zero_checksum_tx && device.udp6_zero_checksum_rx && !device.label_inherit);
    let device =
        vxlan("ip link add vx13 type vxlan id 13 local 2001:db8::1 dstport 4790 flowlabel inherit");
    assert!(device.label_inherit && device.label == 0);
    assert!(!device.udp6_zero_checksum_tx && !device.udp6_zero_checksum_rx);
}

#[test]
fn a_single_vxlan_device_is_recognised_by_external_mode() {
    assert!(vxlan("ip link add vx0 type vxlan external dstport 4791").external);
}

#[test]
fn a_bridge_port_says_its_options_in_its_own_link_message_and_in_the_bridges() {
    let Event::Link(link) = last("ip link set vx10 master br10") else { panic!("a link") };
    assert_eq!(link.master, Some(2));
    let options = link.port.expect("port options");
    assert_eq!(options.state, PortState::Disabled);
    assert!(options.learning && !options.isolated);

    let Event::BridgePort(port) = last("bridge link set dev vx10 isolated on neigh_suppress on")
    else {
        panic!("a bridge port")
    };
    assert_eq!((port.ifindex, port.bridge), (3, 2));
    assert_eq!(
        port.options,
        PortOptions { learning: true, isolated: true, neigh_suppress: true, ..options }
    );
    assert_eq!(port.vlans, [], "this kernel has no VLAN filtering");
}

#[test]
fn leaving_a_bridge_is_not_leaving_the_namespace() {
    assert!(
        events("ip link set vx10 nomaster").contains(&Event::BridgePortGone { ifindex: 3 }),
        "the bridge's message"
    );
    assert_eq!(events("ip link del vx10"), [Event::LinkGone { ifindex: 3 }]);
}

#[test]
fn a_flood_entry_is_a_tunnel_entry_with_the_zero_mac() {
    let target = TunnelTarget::Vtep { address: ip("10.0.0.2"), port: None, vni: None, via: None };
    let entry = TunnelMac { vxlan: 3, mac: Mac::ZERO, source_vni: None, target };
    assert_eq!(
        events("bridge fdb append 00:00:00:00:00:00 dev vx10 dst 10.0.0.2 self permanent"),
        [Event::TunnelMac(entry)]
    );
}

#[test]
fn a_remote_mac_is_two_objects_and_so_is_its_removal() {
    let add = "bridge fdb replace 02:aa:00:00:00:02 dev vx10 dst 10.0.0.2 port 4799 vni 77 self master \
         dynamic extern_learn";
    let remote = mac("02:aa:00:00:00:02");
    let bridge = BridgeMac {
        bridge: 2,
        vlan: 0,
        mac: remote,
        port: 3,
        permanent: false,
        locked: false,
        extern_learn: true,
        sticky: false,
        fixed: false,
    };
    let target =
        TunnelTarget::Vtep { address: ip("10.0.0.2"), port: Some(4799), vni: Some(77), via: None };
    let tunnel = TunnelMac { vxlan: 3, mac: remote, source_vni: None, target };
    assert_eq!(events(add), [Event::BridgeMac(bridge), Event::TunnelMac(tunnel)]);
    assert_eq!(
        events("bridge fdb del 02:aa:00:00:00:02 dev vx10 self master"),
        [Event::BridgeMacGone { bridge: 2, vlan: 0, mac: remote }, Event::TunnelMacGone(tunnel)]
    );
}

#[test]
fn the_bridges_own_addresses_are_permanent() {
    let Some(Event::BridgeMac(entry)) =
        events("ip link add br10 type bridge ageing_time 3000").into_iter().next()
    else {
        panic!("a MAC")
    };
    assert!(entry.permanent && entry.fixed);
    assert_eq!((entry.bridge, entry.port), (2, 2));
}

#[test]
fn neighbours_of_both_families_keep_their_mac_while_stale() {
    let v6 = last("ip neigh replace fe80::52 lladdr 02:00:00:00:00:52 dev u2 nud permanent");
    let v4 = last("ip neigh replace 192.0.2.0 lladdr 02:00:00:00:00:51 dev u2 nud stale");
    let expected = |address, mac_, state| {
        Event::Neighbour(Neighbour {
            ifindex: 7,
            address: ip(address),
            mac: Some(mac(mac_)),
            state,
            extern_learn: false,
            router: false,
        })
    };
    assert_eq!(v6, expected("fe80::52", "02:00:00:00:00:52", 0x80));
    assert_eq!(v4, expected("192.0.2.0", "02:00:00:00:00:51", 0x04));
}

#[test]
fn nexthop_objects_of_every_kind_are_decoded() {
    let object = |command: &str| match last(command) {
        Event::Nexthop(nexthop) => nexthop,
        other => panic!("no nexthop: {other:?}"),
    };
    let single =
        |ifindex, gateway| NexthopKind::Single { ifindex, gateway: Some(ip(gateway)), encap: None };
    let resilient = Some(Resilient { buckets: 8, idle_ms: 120_000, unbalanced_ms: 0 });
    let group = |second, resilient| NexthopKind::Group {
        members: vec![GroupMember { id: 11, weight: 1 }, GroupMember { id: 12, weight: second }],
        resilient,
    };
    let nexthop = |id, kind| Nexthop { id, fdb: false, kind };
    assert_eq!(
        object("ip nexthop add id 11 via 192.0.2.0 dev u2"),
        nexthop(11, single(7, "192.0.2.0"))
    );
    assert_eq!(
        object("ip nexthop add id 12 via fe80::52 dev u2"),
        nexthop(12, single(7, "fe80::52"))
    );
    assert_eq!(object("ip nexthop add id 20 group 11/12,3"), nexthop(20, group(3, None)));
    assert_eq!(
        object("ip nexthop add id 21 group 11/12 type resilient buckets 8"),
        nexthop(21, group(1, resilient))
    );
    assert_eq!(object("ip nexthop add id 30 blackhole"), nexthop(30, NexthopKind::Blackhole));
    assert_eq!(
        object("ip nexthop add id 0x10000001 via 10.0.0.9 fdb"),
        Nexthop { id: 0x1000_0001, fdb: true, kind: single(0, "10.0.0.9") }
    );
    assert_eq!(last("ip nexthop del id 21"), Event::NexthopGone { id: 21 });
}

#[test]
fn a_group_member_can_have_a_weight_of_sixteen_bits() {
    let mut message = vec![0; 8];
    message.extend([8, 0, 1, 0, 20, 0, 0, 0]);
    message.extend([12, 0, 2, 0, 11, 0, 0, 0, 0xff, 0x01, 0, 0]);
    let Ok(Some(Event::Nexthop(nexthop))) = decode(104, 0, &message) else { panic!("a nexthop") };
    let members = vec![GroupMember { id: 11, weight: 0x200 }];
    assert_eq!(nexthop.kind, NexthopKind::Group { members, resilient: None });
}

fn key(address: &str, length: u8, priority: u32) -> RouteKey {
    let prefix = Prefix { address: ip(address), length };
    RouteKey { table: 254, prefix, source: None, tos: 0, priority }
}

fn hop(gateway: &str, weight: u16) -> Hop {
    Hop { ifindex: 7, gateway: Some(ip(gateway)), weight, encap: None, dead: false }
}

#[test]
fn a_route_names_its_nexthop_object_and_spells_it_out() {
    let Event::Route(route) = last("ip route add 10.0.0.2/32 nhid 20") else { panic!("a route") };
    assert_eq!(route.key, key("10.0.0.2", 32, 0));
    assert_eq!(route.nexthop, Some(20));
    assert_eq!(route.hops, [hop("192.0.2.0", 1), hop("fe80::52", 3)]);
}

#[test]
fn a_route_without_object_has_weighted_hops_of_both_families() {
    let add = "ip route add 10.0.0.3/32 metric 7 mtu 1400 nexthop via 192.0.2.0 weight 2 nexthop \
               via inet6 fe80::52 dev u2 weight 5";
    let expected = Route {
        key: key("10.0.0.3", 32, 7),
        kind: RouteKind::Unicast,
        protocol: 3,
        nexthop: None,
        hops: vec![hop("192.0.2.0", 2), hop("fe80::52", 5)],
        mtu: Some(1400),
        hop_limit: None,
    };
    assert_eq!(last(add), Event::Route(expected));
    let Event::RouteGone(gone) = last("ip route del 10.0.0.3/32") else { panic!("a route") };
    assert_eq!(gone.key, key("10.0.0.3", 32, 7));
}

#[test]
fn routes_that_discard_and_those_of_other_tables_are_known() {
    let Event::Route(route) = last("ip route add blackhole 10.0.0.4/32") else { panic!("a route") };
    assert_eq!(route.kind, RouteKind::Blackhole);
    let add = "ip route add 10.0.0.5 via inet6 fe80::52 dev u2 table 100";
    let Event::Route(route) = last(add) else { panic!("a route") };
    assert_eq!(route.key, RouteKey { table: 100, ..key("10.0.0.5", 32, 0) });
}

#[test]
fn ipv6_routes_are_decoded() {
    let add = "ip route add 2001:db8:5::/48 via fe80::52 dev u2";
    let Event::RouteAppended(route) = last(add) else { panic!("a route") };
    assert_eq!(route.key, key("2001:db8:5::", 48, 1024));
    assert_eq!(route.hops, [hop("fe80::52", 1)]);
}

fn downstream(vni: u64, vtep: &str) -> TunnelEncap {
    TunnelEncap { id: vni, destination: ip(vtep), source: None, ttl: 0, tos: 0, flags: 0 }
}

#[test]
fn next_hops_of_routes_say_into_which_tunnel_their_packets_go() {
    let route = |command: &str| match last(command) {
        Event::Route(route) => route.hops,
        other => panic!("no route: {other:?}"),
    };
    let hop = |vni, vtep, weight| Hop {
        ifindex: 2,
        gateway: Some(ip(vtep)),
        weight,
        encap: Some(Encap::Tunnel(downstream(vni, vtep))),
        dead: false,
    };
    let one =
        "ip route add 10.0.3.0/24 encap ip id 4002 dst 192.0.2.2 via 192.0.2.2 dev svd onlink";
    assert_eq!(route(one), [hop(4_002, "192.0.2.2", 1)]);
    let two = "ip route add 10.0.4.0/24 nexthop encap ip id 4002 dst 192.0.2.2 via 192.0.2.2 dev svd \
               onlink weight 2 nexthop encap ip id 4003 dst 192.0.2.3 via 192.0.2.3 dev svd onlink";
    assert_eq!(route(two), [hop(4_002, "192.0.2.2", 2), hop(4_003, "192.0.2.3", 1)]);
}

#[test]
fn nexthop_objects_say_into_which_tunnel_their_packets_go() {
    let object = |command: &str| match last(command) {
        Event::Nexthop(Nexthop { kind: NexthopKind::Single { encap, .. }, .. }) => encap,
        other => panic!("no next hop: {other:?}"),
    };
    let over4 = TunnelEncap {
        ttl: 9,
        tos: 0x40,
        flags: TunnelEncap::CHECKSUM,
        ..downstream(4_002, "192.0.2.2")
    };
    let command = "ip nexthop add id 7 encap ip id 4002 dst 192.0.2.2 ttl 9 tos 0x40 csum via fe80::2 dev svd";
    assert_eq!(object(command), Some(Encap::Tunnel(over4)));
    let over6 = TunnelEncap {
        source: Some(ip("2001:db8::1")),
        ttl: 7,
        tos: 0x40,
        ..downstream(4_003, "2001:db8::2")
    };
    let command = "ip nexthop add id 8 encap ip6 id 4003 dst 2001:db8::2 src 2001:db8::1 hoplimit 7 tc 0x40 \
                   via fe80::3 dev svd";
    assert_eq!(object(command), Some(Encap::Tunnel(over6)));
}

#[test]
fn an_encapsulation_with_options_or_of_another_kind_is_none_that_is_known() {
    let (kind, flags, bytes) = messages(
        "ip nexthop add id 7 encap ip id 4002 dst 192.0.2.2 ttl 9 tos 0x40 csum via fe80::2 dev svd",
    )
    .pop()
    .unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        match decode(kind, flags, &bytes).unwrap() {
            Some(Event::Nexthop(Nexthop { kind: NexthopKind::Single { encap, .. }, .. })) => encap,
            other => panic!("no next hop: {other:?}"),
        }
    };
    let last_type = bytes.len() - 4;
    assert_eq!(bytes[last_type], 2, "LWTUNNEL_ENCAP_IP");
    assert!(matches!(with(last_type, 2), Some(Encap::Tunnel(_))));
    assert_eq!(with(last_type, 1), Some(Encap::Other), "MPLS");
    // The flags' attribute becomes one of options.
    let of_flags = bytes.windows(6).rposition(|six| six == [6, 0, 6, 0, 0, 1]).unwrap();
    assert_eq!(with(of_flags + 2, 8), Some(Encap::Other));
}
