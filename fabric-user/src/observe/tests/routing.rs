//! The decoders of routes, rules and forwarding settings on captured messages (`captured.txt`).

use super::captured::{events, ip, last};
use crate::observe::{
    Event, GroupMember, Netconf, Nexthop, NexthopKind, Prefix, Resilient, Route, RouteKind, Rule,
    RuleAction, decode,
};

fn route(event: &Event) -> (&'static str, &Route) {
    match event {
        Event::Route(route) => ("replaces", route),
        Event::RouteAppended(route) => ("behind", route),
        Event::RoutePrepended(route) => ("before", route),
        Event::RouteGone(route) => ("gone", route),
        other => panic!("no route: {other:?}"),
    }
}

fn gateways(route: &Route) -> Vec<String> {
    let gateway = |hop: &crate::observe::Hop| hop.gateway.expect("a gateway").to_string();
    route.hops.iter().map(gateway).collect()
}

#[test]
fn a_route_says_where_among_those_of_the_same_key_it_stands() {
    for (command, position, gateway) in [
        ("ip route add 10.0.9.0/24 via 192.0.2.9", "replaces", "192.0.2.9"),
        ("ip route append 10.0.9.0/24 via 198.51.100.9", "behind", "198.51.100.9"),
        ("ip route prepend 10.0.9.0/24 via 198.51.100.8", "before", "198.51.100.8"),
        ("ip route replace 10.0.9.0/24 via 192.0.2.7", "replaces", "192.0.2.7"),
        ("ip route del 10.0.9.0/24 via 198.51.100.9", "gone", "198.51.100.9"),
        ("ip -6 route add 2001:db8:9::/48 via 2001:db8:1::2", "behind", "2001:db8:1::2"),
        ("ip -6 route replace 2001:db8:9::/48 via 2001:db8:1::5", "replaces", "2001:db8:1::5"),
    ] {
        let event = last(command);
        let (found, route) = route(&event);
        assert_eq!((found, gateways(route)), (position, vec![gateway.to_owned()]), "{command}");
    }
}

#[test]
fn an_appended_ipv6_next_hop_comes_with_all_its_siblings_and_goes_alone() {
    let event = last("ip -6 route append 2001:db8:9::/48 via 2001:db8:2::2");
    let (position, both) = route(&event);
    assert_eq!(
        (position, gateways(both)),
        ("behind", vec!["2001:db8:2::2".into(), "2001:db8:1::2".into()])
    );
    assert!(both.joins_siblings());
    let event = last("ip -6 route del 2001:db8:9::/48 via 2001:db8:1::2");
    let (position, gone) = route(&event);
    assert_eq!((position, gateways(gone)), ("gone", vec!["2001:db8:1::2".into()]));
}

#[test]
fn routes_for_some_packets_only_are_recognised_by_tos_and_source() {
    let event = last("ip route add 10.0.8.0/24 via 192.0.2.9 tos 0x10 metric 7");
    let (_, by_tos) = route(&event);
    assert_eq!((by_tos.key.tos, by_tos.key.priority, by_tos.key.source), (0x10, 7, None));
    let event = last("ip -6 route add 2001:db8:8::/48 from 2001:db8:1::/64 via 2001:db8:1::2");
    let (_, by_source) = route(&event);
    assert_eq!(by_source.key.source, Some(Prefix { address: ip("2001:db8:1::"), length: 64 }));
    assert_eq!(by_source.key.prefix, Prefix { address: ip("2001:db8:8::"), length: 48 });
}

#[test]
fn every_kind_of_route_is_told_apart_and_who_made_it() {
    for (command, expected) in [
        ("ip route add unreachable 10.0.7.0/24 metric 4294967295", RouteKind::Unreachable),
        ("ip route add prohibit 10.0.6.0/24", RouteKind::Prohibit),
        ("ip route add throw 10.0.5.0/24 table 1000", RouteKind::Throw),
    ] {
        let event = last(command);
        let (_, route) = route(&event);
        assert_eq!((route.kind, route.protocol), (expected, 3), "{command}");
        assert_eq!(route.key.table == 1000, command.ends_with("1000"));
    }
    let address = events("ip addr add 203.0.113.1/24 dev p1");
    let kinds: Vec<_> =
        address.iter().map(|event| (route(event).1.kind, route(event).1.key.table)).collect();
    assert_eq!(
        kinds,
        [(RouteKind::Local, 255), (RouteKind::Unicast, 254), (RouteKind::Broadcast, 255)]
    );
    assert!(address.iter().all(|event| route(event).1.protocol == 2), "the kernel made them");
}

fn rule(command: &str) -> Rule {
    match last(command) {
        Event::Rule(rule) => rule,
        other => panic!("no rule: {other:?}"),
    }
}

#[test]
fn a_rule_says_what_it_applies_to_and_where_it_leads() {
    let by_port = Rule { iif: Some("p1".into()), ..Rule::new(false, 500, RuleAction::Lookup(100)) };
    assert_eq!(rule("ip rule add iif p1 lookup 100 pref 500"), by_port);
    assert_eq!(last("ip rule del pref 500"), Event::RuleGone(by_port));
    let vrf = rule("ip rule add l3mdev pref 1000");
    assert!(vrf.l3mdev && vrf.conditions.is_empty());
    assert_eq!((vrf.priority, vrf.action), (1000, RuleAction::Lookup(0)));
    assert_eq!(rule("ip rule add goto 600 pref 503").action, RuleAction::Goto(600));
    let bound = rule("ip rule add oif p1 blackhole pref 504");
    assert_eq!((bound.oif.as_deref(), bound.action), (Some("p1"), RuleAction::Blackhole));
    let of = |address, length| Some(Prefix { address: ip(address), length });
    let from = Rule {
        from: of("10.0.0.0", 8),
        to: of("192.0.2.0", 24),
        conditions: vec!["tos 0x10".into(), "fwmark 0x1/0xff".into()],
        ..Rule::new(false, 501, RuleAction::Lookup(1000))
    };
    let command = "ip rule add from 10.0.0.0/8 to 192.0.2.0/24 fwmark 0x1/0xff tos 0x10 lookup 1000 \
                   pref 501";
    assert_eq!(rule(command), from);
    let not = Rule {
        not: true,
        from: of("10.0.0.0", 8),
        suppress: Some(0),
        ..Rule::new(false, 502, RuleAction::Lookup(254))
    };
    let command = "ip rule add not from 10.0.0.0/8 lookup main suppress_prefixlength 0 pref 502";
    assert_eq!(rule(command), not);
    let ports = Rule {
        protocol: Some(17),
        source_ports: Some((1, 5)),
        destination_ports: Some((53, 53)),
        conditions: vec!["uidrange 0-5".into()],
        ..Rule::new(false, 506, RuleAction::Lookup(100))
    };
    let command = "ip rule add ipproto udp sport 1-5 dport 53 uidrange 0-5 lookup 100 pref 506";
    assert_eq!(rule(command), ports);
}

#[test]
fn a_rule_is_shown_with_all_of_its_conditions() {
    for (command, words) in [
        (
            "ip rule add from 10.0.0.0/8 to 192.0.2.0/24 fwmark 0x1/0xff tos 0x10 lookup 1000 pref \
             501",
            "from 10.0.0.0/8 to 192.0.2.0/24 tos 0x10 fwmark 0x1/0xff lookup 1000",
        ),
        (
            "ip rule add not from 10.0.0.0/8 lookup main suppress_prefixlength 0 pref 502",
            "not from 10.0.0.0/8 lookup 254 suppress_prefixlength 0",
        ),
        (
            "ip rule add ipproto udp sport 1-5 dport 53 uidrange 0-5 lookup 100 pref 506",
            "uidrange 0-5 ipproto 17 sport 1-5 dport 53 lookup 100",
        ),
        (
            "ip -6 rule add from 2001:db8::/32 iif p1 lookup 100 pref 500",
            "from 2001:db8::/32 iif p1 lookup 100",
        ),
    ] {
        assert_eq!(rule(command).to_string(), words);
    }
    assert!(rule("ip -6 rule add from 2001:db8::/32 iif p1 lookup 100 pref 500").v6);
}

#[test]
fn a_condition_that_is_not_known_is_not_overlooked() {
    let mut message = vec![2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
    message.extend([8, 0, 77, 0, 1, 0, 0, 0]);
    let Ok(Some(Event::Rule(rule))) = decode(32, 0, &message) else { panic!("a rule") };
    assert_eq!(rule.conditions, ["a condition of type 77 that Fabric does not know"]);
}

#[test]
fn forwarding_settings_name_only_what_changed() {
    let of = |ifindex: Option<u32>, forwarding: Option<bool>, rp_filter: Option<u8>| {
        Event::Netconf(Netconf { v6: false, ifindex, forwarding, rp_filter, proxy: None })
    };
    assert_eq!(
        events("echo 1 > /proc/sys/net/ipv4/conf/p1/forwarding"),
        [of(Some(3), Some(true), None)]
    );
    assert_eq!(
        events("echo 2 > /proc/sys/net/ipv4/conf/p1/rp_filter"),
        [of(Some(3), None, Some(2))]
    );
    let all =
        Netconf { v6: true, ifindex: None, forwarding: Some(true), rp_filter: None, proxy: None };
    let changed = events("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    assert_eq!(changed.last(), Some(&Event::Netconf(all)));
    let interfaces = changed.iter().filter(|event| matches!(event, Event::Netconf(_)));
    assert_eq!(interfaces.count(), 6, "five interfaces and `all`, but not `default`");
}

#[test]
fn an_interface_says_all_its_settings_when_it_comes_and_nothing_when_it_goes() {
    let fresh = |v6: bool, ifindex: u32| {
        let rp_filter = (!v6).then_some(0);
        Event::Netconf(Netconf {
            v6,
            ifindex: Some(ifindex),
            forwarding: Some(v6),
            rp_filter,
            proxy: Some(false),
        })
    };
    assert_eq!(
        events("ip link add r1 type veth peer r2"),
        [fresh(false, 6), fresh(true, 6), fresh(false, 7), fresh(true, 7)]
    );
    assert_eq!(
        events("ip link del r1"),
        [(false, 7), (true, 7), (false, 6), (true, 6)]
            .map(|(v6, ifindex)| Event::NetconfGone { v6, ifindex })
    );
}

#[test]
fn a_resilient_group_says_its_buckets_and_timers_and_a_weight_above_255_counts() {
    let command = "ip nexthop add id 22 group 21,256 type resilient buckets 64 idle_timer 5 unbalanced_timer \
         600";
    let kind = NexthopKind::Group {
        members: vec![GroupMember { id: 21, weight: 256 }],
        resilient: Some(Resilient { buckets: 64, idle_ms: 5_000, unbalanced_ms: 600_000 }),
    };
    assert_eq!(last(command), Event::Nexthop(Nexthop { id: 22, fdb: false, kind }));
}
