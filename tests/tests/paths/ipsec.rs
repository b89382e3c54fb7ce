//! What an IPsec policy may match is left to the kernel, which has no keys here and so sends nothing.

use fabric_common::reason::Reason;

use crate::net::{Net, routed, tunnel, until_fast};

/// Fabric forwards nothing of it, and nothing arrives, as with the kernel alone.
fn refused(net: &Net, from: &str, to: &str, reason: Reason) {
    let before = net.met(reason);
    let arrived = net.ping(from, to);
    assert_eq!((arrived, net.met(reason) - before), (0, 0), "nobody has keys ({reason:?})");
    assert_eq!(net.kernel_alone(|| net.ping(from, to)), 0, "the kernel is right");
}

/// Fabric forwards nothing of it. The kernel is not asked: the route that a vxlan device has cached for a
/// processor outlives the end of a policy, and over IPv6 the begin of one as well (seen on 6.18).
fn left_to_the_kernel(net: &Net, from: &str, to: &str, reason: Reason) {
    let before = net.met(reason);
    net.ping(from, to);
    assert_eq!(net.met(reason), before, "{reason:?}");
}

const BOTH: [Reason; 2] = [Reason::Encapsulated, Reason::Decapsulated];

fn policies_between_vteps(v6: bool) {
    let mut net = tunnel(v6, "");
    net.start();
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
    let judge = if v6 { left_to_the_kernel } else { refused };
    let (local, remote, length) = match v6 {
        true => ("2001:db8:ff::1", "2001:db8:ff::2", 128),
        false => ("10.0.0.1", "10.0.0.2", 32),
    };
    let template = |from, to| format!("tmpl src {from} dst {to} proto esp mode transport");
    let to = format!("src {local}/{length} dst {remote}/{length} proto udp dport 4789 dir out");
    let from = format!("src {remote}/{length} dst {local}/{length} proto udp dport 4789 dir in");
    for (selector, template, reason) in [
        (&to, template(local, remote), Reason::Encapsulated),
        (&from, template(remote, local), Reason::Decapsulated),
    ] {
        net.at("leaf").ip(&format!("xfrm policy add {selector} {template}\n"));
        let named = ["IPsec policy", &format!("VTEP {remote}"), "left to the kernel"];
        net.until_named(&named);
        judge(&net, "host1", "192.168.0.2", reason);
        net.at("leaf").ip(&format!("xfrm policy del {selector}\n"));
        net.until_unnamed(&["IPsec"]);
        until_fast(&net, "host1", "192.168.0.2", &BOTH);
    }
    // Others are no obstacle, nor is one that a policy before it makes an exception from.
    net.at("leaf").ip(&format!(
            "xfrm policy add src {local}/{length} dst {remote}/{length} proto tcp dir out action block\n\
             xfrm policy add {to} priority 10\n\
             xfrm policy add src {local}/{length} dst {remote}/{length} dir out action block priority 20\n"
        ),
    );
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
    assert!(!net.names(&["IPsec"]));
    net.at("leaf").ip(&format!("xfrm policy del {to}\n"));
    net.until_named(&["IPsec"]);
    left_to_the_kernel(&net, "host1", "192.168.0.2", Reason::Encapsulated);
    net.at("leaf").ip("xfrm policy flush\n");
    net.until_unnamed(&["IPsec"]);
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
}

#[test]
fn policies_between_vteps_over_ipv4_are_the_kernels() {
    policies_between_vteps(false);
}

#[test]
fn policies_between_vteps_over_ipv6_are_the_kernels() {
    policies_between_vteps(true);
}

#[test]
fn a_policy_that_was_there_before_the_daemon_is_followed() {
    let mut net = tunnel(false, "");
    assert_eq!(net.ping("host1", "192.168.0.2"), 10, "the kernel alone forwards");
    net.at("leaf").ip("xfrm policy add src 0.0.0.0/0 dst 10.0.0.0/24 dir out action block\n");
    net.start();
    assert!(net.names(&["IPsec policy", "src 0.0.0.0/0 dst 10.0.0.0/24 dir out"]));
    refused(&net, "host1", "192.168.0.2", Reason::Encapsulated);
    net.at("leaf").ip("xfrm policy flush\n");
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
}

#[test]
fn a_policy_whose_time_is_up_is_none_any_more() {
    let mut net = tunnel(false, "");
    net.start();
    net.at("leaf").ip(
        "xfrm policy add src 0.0.0.0/0 dst 10.0.0.2/32 dir out action block limit time-hard 3\n",
    );
    net.until_named(&["IPsec"]);
    net.until_unnamed(&["IPsec"]);
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
}

#[test]
fn packets_that_the_default_policy_refuses_are_the_kernels() {
    let mut net = tunnel(false, "");
    net.start();
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
    for (direction, reason) in [("out", Reason::Encapsulated), ("in", Reason::Decapsulated)] {
        net.at("leaf").ip(&format!("xfrm policy setdefault {direction} block\n"));
        net.until_named(&["IPsec's default policy"]);
        refused(&net, "host1", "192.168.0.2", reason);
        net.at("leaf").ip(&format!("xfrm policy setdefault {direction} accept\n"));
        net.until_unnamed(&["IPsec"]);
        until_fast(&net, "host1", "192.168.0.2", &BOTH);
    }
}

#[test]
fn routed_packets_that_a_policy_may_match_are_the_kernels_and_others_are_not() {
    let mut net = routed();
    net.at("host2").ip("addr add 172.16.2.99/24 dev eth0\n");
    net.start();
    let routed = [Reason::Routed];
    let destinations = ["172.16.2.10", "2001:db8:a2::10"];
    for to in destinations {
        until_fast(&net, "host1", to, &routed);
    }
    for (direction, family, selector) in [
        ("out", 4, "src 172.16.1.0/24 dst 172.16.2.10/32"),
        ("fwd", 4, "src 172.16.1.0/24 dst 172.16.2.0/27"),
        ("out", 6, "src 2001:db8:a1::/64 dst 2001:db8:a2::/64"),
        ("fwd", 6, "src ::/0 dst 2001:db8:a2::10/128"),
    ] {
        let (to, other) = match family {
            4 => (destinations[0], destinations[1]),
            _ => (destinations[1], destinations[0]),
        };
        let template = match (direction, family) {
            ("fwd", _) => "action block",
            (_, 4) => "tmpl src 10.1.0.1 dst 192.0.2.9 proto esp mode tunnel",
            _ => "tmpl src 2001:db8:1::1 dst 2001:db8:9::9 proto esp mode tunnel",
        };
        net.at("leaf").ip(&format!("xfrm policy add {selector} dir {direction} {template}\n"));
        net.until_named(&["IPsec policy", selector]);
        refused_one_way(&net, to);
        until_fast(&net, "host1", other, &routed);
        if family == 4 {
            // Beside the policy's destinations.
            until_fast(&net, "host1", "172.16.2.99", &routed);
        }
        net.at("leaf").ip(&format!("xfrm policy del {selector} dir {direction}\n"));
        net.until_unnamed(&["IPsec"]);
        until_fast(&net, "host1", to, &routed);
    }
}

/// Only the requests are refused, which get no further than the router under test.
fn refused_one_way(net: &Net, to: &str) {
    let before = net.met(Reason::Routed);
    assert_eq!(net.ping("host1", to), 0);
    assert_eq!(net.met(Reason::Routed), before, "nothing to {to}");
    assert_eq!(net.kernel_alone(|| net.ping("host1", to)), 0, "the kernel is right");
}

#[test]
fn forwarded_packets_that_the_default_policy_refuses_are_the_kernels() {
    let mut net = routed();
    net.start();
    for direction in ["fwd", "out"] {
        for to in ["172.16.2.10", "2001:db8:a2::10"] {
            until_fast(&net, "host1", to, &[Reason::Routed]);
        }
        net.at("leaf").ip(&format!("xfrm policy setdefault {direction} block\n"));
        net.until_named(&["IPsec's default policy"]);
        for to in ["172.16.2.10", "2001:db8:a2::10"] {
            refused_one_way(&net, to);
        }
        net.at("leaf").ip(&format!("xfrm policy setdefault {direction} accept\n"));
        net.until_unnamed(&["IPsec"]);
    }
}
