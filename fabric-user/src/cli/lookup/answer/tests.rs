//! What packets are told.

use fabric_common::schema::{fdb, nexthops::FLAG_DOWN, routes};

use super::*;
use crate::cli::{golden, lookup::Leak, print::Of, view::tests::leaf};

fn flow() -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    Flow {
        source: address("10.9.0.1"),
        destination: address("10.9.0.2"),
        protocol: 6,
        ports: Some([40_000, 443]),
        flow_label: 0,
    }
}

fn packet<'a>(flow: &'a Flow, found: &'a Routed, range: Option<Span>) -> Packet<'a> {
    Packet { view: 1, flow, found, ranges: [range, None] }
}

/// The end of a packet that no group had to do with.
fn ended(reason: Reason, target: Option<u32>) -> Routed {
    Routed { exact: false, target, leak: None, selection: None, nexthop: None, frame: None, reason }
}

/// The nexthops of these buckets were looked at until the last one.
fn selected(looks: &[(u32, u32)]) -> Selection {
    let look = |(bucket, nexthop)| Look { bucket: Some(bucket), nexthop };
    Selection {
        group: 1,
        hash: 0x1234,
        choice: Choice::Spread { chunk: 1, count: 256, timed: false },
        looks: looks.iter().copied().map(look).collect(),
        nexthop: looks.last().map(|(_, nexthop)| *nexthop),
    }
}

#[test]
fn a_routed_packet_is_told_with_the_members_that_were_passed_over() {
    let mut view = leaf();
    view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
    for port in view.contents.ports.values_mut().take(2) {
        port.mac_and_view = ports::mac_and_view(0, 1);
    }
    let target = Some(routes::target(routes::KIND_GROUP, 1));
    let selection = Some(selected(&[(5, 1), (163, 1), (200, 2)]));
    let found = Routed { selection, nexthop: Some(2), ..ended(Reason::Routed, target) };
    let range = "10.9.0.0/24".parse().ok();
    let answer = Answer::routed(&view, From::Port(1), packet(&flow(), &found, range));
    let expected = "\
packet   tcp 10.9.0.1:40000 to 10.9.0.2:443, arriving on swp1
view     1, of swp1, swp2
route    10.9.0.0/24 (range), group 1
group    1, 2 members
hash     0x00001234, bucket 5 of 256
passed   bucket 5: 192.0.2.1 on swp1, dead: neighbour
passed   bucket 163: 192.0.2.1 on swp1, dead: neighbour
instead  bucket 200
nexthop  fe80::1 on swp2, MAC 02:00:00:00:00:52, MTU 0, alive
answer   forwarded (routed): Routed from one port to another.
";
    assert_eq!(answer.text(), expected);
    golden::golden("lookup-routed", &Of::new("golden", answer.document()));
    let json = serde_json::to_value(answer.document()).unwrap();
    let group = &json["group"];
    assert_eq!(group["passed_over"][1]["nexthop"]["why_not"][0], "neighbour");
    assert_eq!((&group["bucket"], &json["nexthop"]["port"]), (&200.into(), &"swp2".into()));
    assert!(answer.found());
}

#[test]
fn nothing_that_matches_and_a_bypass_are_said() {
    let mut view = leaf();
    view.contents.settings.bypass = 1;
    let found = ended(Reason::TransitRouteNone, None);
    let answer = Answer::routed(&view, From::Anywhere, packet(&flow(), &found, None));
    assert!(!answer.found());
    assert!(answer.text().contains("route   none\n"), "{}", answer.text());
    assert!(answer.text().contains("but     bypass is on, so that"), "{}", answer.text());
    assert_eq!(answer.document().forwarded, Some(false));
}

#[test]
fn nothing_matches_where_no_route_is_whatever_else_is_wrong_with_the_packet() {
    let view = leaf();
    for target in [None, Some(routes::target(routes::KIND_LOCAL, 0))] {
        let found = ended(Reason::TransitInputMartian, target);
        let answer = Answer::routed(&view, From::Anywhere, packet(&flow(), &found, None));
        assert_eq!(answer.found(), target.is_some());
    }
}

#[test]
fn a_packet_for_a_tunnel_of_the_box_is_no_packet_for_the_kernel() {
    let mut view = leaf();
    view.contents.settings.vxlan_ports_be[0] = 4789_u16.to_be();
    let to_tunnel = Flow { protocol: UDP, ports: Some([50_000, 4789]), ..flow() };
    let target = Some(routes::target(routes::KIND_LOCAL, 0));
    let found = Routed { exact: true, ..ended(Reason::TransitRouteLocal, target) };
    let answer = Answer::routed(&view, From::Anywhere, packet(&to_tunnel, &found, None));
    assert!(answer.text().contains("answer  for a tunnel of this box: decapsulated if"));
    let json = serde_json::to_value(answer.document()).unwrap();
    assert_eq!(json["verdict"], "for a tunnel of this box");
    assert!(json["reason"].is_null() && json["forwarded"].is_null());
    let answer = Answer::routed(&view, From::Anywhere, packet(&flow(), &found, None));
    assert_eq!(answer.document().reason, Some("transit_route_local"));
}

#[test]
fn a_route_into_another_vrf_is_told_with_what_stands_there() {
    let view = leaf();
    let target = Some(routes::target(routes::KIND_VIEW, 2));
    let leak = Leak { view: 2, exact: true, target: Some(routes::target(KIND_NEXTHOP, 1)) };
    let found = Routed { leak: Some(leak), nexthop: Some(1), ..ended(Reason::Routed, target) };
    let range = "10.9.0.0/24".parse().ok();
    let answer = Answer::routed(&view, From::Port(1), packet(&flow(), &found, range));
    let lines = "\
view     1, of no port
route    10.9.0.0/24 (range), view 2
view     2, of no port
route    10.9.0.2/32 (host), nexthop 1
nexthop  192.0.2.1 on swp1, MAC 02:00:00:00:00:51, MTU 0, alive
";
    assert!(answer.text().contains(lines), "{}", answer.text());
    let json = serde_json::to_value(answer.document()).unwrap();
    assert_eq!((&json["route"]["kind"], &json["route"]["index"]), (&"view".into(), &2.into()));
    assert_eq!(
        (&json["leak"]["view"], &json["leak"]["route"]["kind"]),
        (&2.into(), &"nexthop".into())
    );
    assert_eq!(json["nexthop"]["port"], "swp1");
    let gone = Leak { view: 2, exact: false, target: None };
    let found = Routed { leak: Some(gone), ..ended(Reason::TransitRouteNone, target) };
    let answer = Answer::routed(&view, From::Port(1), packet(&flow(), &found, range));
    assert!(answer.text().contains("view    2, of no port\nroute   none\n"), "{}", answer.text());
}

#[test]
fn a_next_hop_that_is_not_resolved_has_no_mac() {
    let mut view = leaf();
    view.contents.nexthops.get_mut(&1).unwrap().macs = [0; 12];
    let found = ended(Reason::TransitRouteUnresolved, Some(routes::target(KIND_NEXTHOP, 1)));
    let answer = Answer::routed(&view, From::Anywhere, packet(&flow(), &found, None));
    assert!(answer.text().contains("MAC not resolved"), "{}", answer.text());
    assert!(serde_json::to_value(answer.document()).unwrap()["nexthop"]["mac"].is_null());
}

#[test]
fn a_bridged_frame_is_told_with_its_tunnel() {
    let view = leaf();
    let found = Bridged {
        target: Some(fdb::target(fdb::KIND_REMOTE, 1)),
        segment: None,
        vtep: Some(1),
        source_port: Some(50_000),
        selection: Some(selected(&[(5, 1)])),
        routed: None,
        reason: Reason::Encapsulated,
    };
    let (mac, payload) = (Mac([2, 0, 0, 0, 0, 3]), Payload::Ip(flow()));
    let answer = Answer::bridged(&view, From::Port(3), 1, mac, &payload, &found, [None; 2]);
    let expected = "\
frame    tcp 10.9.0.1:40000 to 10.9.0.2:443, to 02:00:00:00:00:03, arriving on h1
bridge   br200, VNI 10200
vtep     10.0.0.2 from 10.0.0.1, UDP 50000 to 0
group    1, 2 members
hash     0x00001234, bucket 5 of 256
nexthop  192.0.2.1 on swp1, MAC 02:00:00:00:00:51, MTU 0, alive
answer   forwarded (encapsulated): Forwarded into a VXLAN tunnel.
";
    assert_eq!(answer.text(), expected);
    golden::golden("lookup-bridged", &Of::new("golden", answer.document()));
}

#[test]
fn a_packet_for_a_gateway_is_told_with_its_route_and_the_frame_to_the_next_hop() {
    let mut view = leaf();
    // The gateway of br200, whose next hop is behind a VTEP of the same network.
    let port = ports::Port {
        ifindex: 20,
        role: ports::ROLE_GATEWAY,
        mac_and_view: ports::mac_and_view(0, 1),
        untagged_domain: 1,
        ..ports::Port::default()
    };
    view.contents.ports.insert(5, port);
    let mut router = view.contents.nexthops[&1];
    (router.port, router.macs[5]) = (5, 3);
    view.contents.nexthops.insert(3, router);
    view.contents.nexthop_addresses.insert(3, "192.0.2.9".parse().unwrap());
    let frame = Bridged {
        target: Some(fdb::target(fdb::KIND_REMOTE, 1)),
        segment: None,
        vtep: Some(1),
        source_port: Some(50_000),
        selection: Some(selected(&[(5, 1)])),
        routed: None,
        reason: Reason::Routed,
    };
    let target = Some(routes::target(KIND_NEXTHOP, 3));
    let routed = Routed { nexthop: Some(3), frame: Some(frame), ..ended(Reason::Routed, target) };
    let found = Bridged {
        target: Some(fdb::target(KIND_OWN, 5)),
        segment: None,
        vtep: None,
        source_port: None,
        selection: None,
        routed: Some(Box::new(routed)),
        reason: Reason::Routed,
    };
    let (mac, payload) = (Mac([2, 0, 0, 0, 0, 4]), Payload::Ip(flow()));
    let range = "10.9.0.0/24".parse().ok();
    let from = From::Vtep("10.0.0.2".parse().unwrap());
    let answer = Answer::bridged(&view, from, 1, mac, &payload, &found, [range, None]);
    let expected = "\
frame    tcp 10.9.0.1:40000 to 10.9.0.2:443, to 02:00:00:00:00:04, out of a tunnel of 10.0.0.2
bridge   br200, VNI 10200
mac      gateway br200
view     1, of br200
route    10.9.0.0/24 (range), nexthop 3
nexthop  192.0.2.9 on br200, MAC 02:00:00:00:00:03, MTU 0, alive
bridge   br200, VNI 10200
vtep     10.0.0.2 from 10.0.0.1, UDP 50000 to 0
group    1, 2 members
hash     0x00001234, bucket 5 of 256
nexthop  192.0.2.1 on swp1, MAC 02:00:00:00:00:51, MTU 0, alive
answer   forwarded (routed): Routed from one port to another.
";
    assert_eq!(answer.text(), expected);
    golden::golden("lookup-gateway", &Of::new("golden", answer.document()));
}
