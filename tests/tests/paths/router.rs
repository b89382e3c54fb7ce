//! What decides whether a router forwards at all: its settings and rules.

use std::fs;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{PATIENCE, until};

use crate::net::{Net, routed, until_fast};

pub(crate) const DESTINATIONS: [&str; 2] = ["172.16.2.10", "2001:db8:a2::10"];
/// An address of HOST1's to which the leaf has no way but the default route.
const SPOOFED: &str = "172.16.77.1";

/// Echo requests over IPv4 that reach HOST2 while HOST1 pings it.
fn arriving(net: &Net) -> u64 {
    let count = || {
        let snmp = fs::read_to_string("/proc/thread-self/net/snmp").expect("the kernel counts");
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let mut pairs = names.split(' ').zip(values.split(' '));
        let (_, value) = pairs.find(|(name, _)| *name == "InEchos").expect("it counts requests");
        value.parse::<u64>().expect("a number")
    };
    let before = net.at("host2").inside(count);
    net.ping("host1", DESTINATIONS[0]);
    net.at("host2").inside(count) - before
}

/// Fabric forwards none of the requests any more, and as many pings are answered as by the kernel alone.
pub(crate) fn until_the_kernels(net: &Net, to: &str, answered: u32) {
    assert_eq!(net.kernel_alone(|| net.ping("host1", to)), answered, "the kernel is right");
    until(PATIENCE, &format!("packets to {to} are the kernel's"), || {
        let before = net.met(Reason::Routed);
        // The answers come in through another port.
        net.ping("host1", to) == answered && net.met(Reason::Routed) <= before + u64::from(answered)
    });
}

#[test]
fn a_router_that_is_told_not_to_forward_does_not() {
    let mut net = routed();
    net.start();
    for (key, to) in [
        ("ipv4/conf/p1/forwarding", DESTINATIONS[0]),
        ("ipv4/ip_forward", DESTINATIONS[0]),
        ("ipv6/conf/all/forwarding", DESTINATIONS[1]),
    ] {
        until_fast(&net, "host1", to, &[Reason::Routed]);
        net.at("leaf").sysctl(key, "0");
        until_the_kernels(&net, to, 0);
        net.at("leaf").sysctl(key, "1");
        until_fast(&net, "host1", to, &[Reason::Routed]);
    }
}

#[test]
fn rules_that_take_some_packets_away_are_followed_by_all_of_their_family() {
    let mut net = routed();
    net.start();
    for (family, selector, to) in [
        ("-4", "from 172.16.1.10", DESTINATIONS[0]),
        ("-4", "to 172.16.2.0/24 ipproto icmp", DESTINATIONS[0]),
        ("-6", "from 2001:db8:a1::10", DESTINATIONS[1]),
    ] {
        until_fast(&net, "host1", to, &[Reason::Routed]);
        let rule = |action: &str| {
            let change = || {
                let line = format!("{family} rule {action} {selector} pref 100 blackhole");
                fabric_tests::device::run("ip", &line)
            };
            net.at("leaf").inside(change).expect("it takes the rule");
        };
        rule("add");
        until_the_kernels(&net, to, 0);
        rule("del");
        until_fast(&net, "host1", to, &[Reason::Routed]);
    }
}

#[test]
fn a_routed_port_with_a_reverse_path_filter_is_the_kernels() {
    let mut net = routed();
    net.start();
    until_fast(&net, "host1", DESTINATIONS[0], &[Reason::Routed]);
    net.at("host1").ip(&format!("addr add {SPOOFED}/32 dev lo\n"));
    // Strict, loose: a default route is a way back for the loose one.
    for (filter, arrives) in [("1", 0), ("2", 10)] {
        net.at("leaf").sysctl("ipv4/conf/p1/rp_filter", filter);
        net.until_named(&["p1", "rp_filter"]);
        until_the_kernels(&net, DESTINATIONS[0], 10);
        net.at("host1").ip(&format!("route replace default via 172.16.1.1 src {SPOOFED}\n"));
        assert_eq!(net.kernel_alone(|| arriving(&net)), arrives, "rp_filter {filter}");
        assert_eq!(arriving(&net), arrives, "rp_filter {filter}");
        net.at("host1").ip("route replace default via 172.16.1.1 src 172.16.1.10\n");
        net.at("leaf").sysctl("ipv4/conf/p1/rp_filter", "0");
        until_fast(&net, "host1", DESTINATIONS[0], &[Reason::Routed]);
    }
}
