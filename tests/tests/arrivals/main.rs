//! Where tunnels end and by which way they begin, when filters, rules and addresses have a say. The
//! judge is the kernel of the same leaf: each question is asked with the bypass on, and again with it
//! off.

mod bound;
mod site;
mod sourceless;

use fabric_common::reason::Reason;
use site::{REPEATS, Site};

/// What the kernel delivers of a packet of LEAF2 that arrives at a port; Fabric has to as well.
#[track_caller]
fn delivered(site: &Site, port: usize, by_kernel: usize) {
    assert_eq!(site.judged(|site| site.arrive(port)), by_kernel, "as up{port} gets it");
}

#[test]
fn a_tunnel_ends_at_ports_that_the_kernel_accepts_it_from() {
    let site = Site::new();
    // The kernel is shown a source that it has not seen for long.
    site.settled(|site| {
        let before = site.met(Reason::Decapsulated);
        delivered(site, 0, REPEATS);
        site.met(Reason::Decapsulated) >= before + REPEATS as u64
    });
    let before = site.met(Reason::Decapsulated);

    // The second routed port, over which the underlay does not lead: the kernel's own work.
    delivered(&site, 1, REPEATS);
    site.sysctl("ipv4/conf/up1/rp_filter", "1");
    delivered(&site, 1, 0);
    site.sysctl("ipv4/conf/up1/rp_filter", "2");
    delivered(&site, 1, REPEATS);
    site.ip("addr del 203.0.113.2/31 dev up1");
    delivered(&site, 1, 0);
    assert_eq!(site.met(Reason::Decapsulated), before, "no tunnel ends there");
    assert!(site.met(Reason::VxlanInputNotUnderlay) > 0);
    assert_eq!(site.role("up1"), "routed");
}

#[test]
fn the_reverse_path_is_that_of_each_vtep() {
    let site = Site::new();
    // Another VTEP leads over the second port, which becomes one of the underlay.
    site.ip("route add 192.0.2.3/32 via 203.0.113.3 dev up1");
    site.bridge("fdb append 00:00:00:00:00:00 dev vx100 dst 192.0.2.3 self permanent");
    site.settled(|site| site.role("up1") == "underlay");
    delivered(&site, 1, REPEATS);
    for (strict, other) in [("up1", 0), ("all", 0)] {
        site.sysctl(&format!("ipv4/conf/{strict}/rp_filter"), "1");
        delivered(&site, 1, other);
        delivered(&site, 0, REPEATS);
    }
    assert!(site.met(Reason::VxlanInputReversePath) > 0);
    // With both ports as next hops it may come from either.
    site.ip(
        "route replace 192.0.2.2/32 nexthop via 203.0.113.1 dev up0 nexthop via 203.0.113.3 dev up1",
    );
    site.settled(|site| {
        let before = site.met(Reason::Decapsulated);
        delivered(site, 1, REPEATS);
        site.met(Reason::Decapsulated) >= before + REPEATS as u64
    });
    site.ip("route replace 192.0.2.2/32 via 203.0.113.3 dev up1");
    delivered(&site, 0, 0);
    delivered(&site, 1, REPEATS);
}

#[test]
fn a_tunnel_is_as_good_as_its_local_address() {
    let site = Site::new();
    for _ in 0..2 {
        assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
        site.ip("addr del 192.0.2.1/32 dev lo");
        site.settled(|site| site.problems().contains("has the local address 192.0.2.1, which no"));
        assert_eq!(site.judged(Site::leave), [0, 0]);
        delivered(&site, 0, 0);
        // Another one is not the same.
        site.ip("addr add 192.0.2.9/32 dev lo");
        assert_eq!(site.judged(Site::leave), [0, 0]);
        site.ip("addr del 192.0.2.9/32 dev lo");
        // On which interface it is makes no difference.
        site.ip("addr add 192.0.2.1/32 dev up1");
        site.settled(|site| site.problems().is_empty());
        delivered(&site, 0, REPEATS);
        site.ip("addr del 192.0.2.1/32 dev up1");
        site.ip("addr add 192.0.2.1/32 dev lo");
        site.settled(|site| site.problems().is_empty());
    }
}

#[test]
fn rules_for_a_tunnels_packets_are_followed_or_left_to_the_kernel() {
    let site = Site::new();
    site.ip("route add 192.0.2.0/24 via 203.0.113.3 dev up1 table 100");
    let to = |rule: &str, sent: [usize; 2], problem: &str| {
        site.ip(&format!("rule add {rule} pref 99"));
        site.settled(|site| site.problems().contains(problem));
        assert_eq!(site.judged(Site::leave), sent, "{rule}");
        site.ip("rule del pref 99");
        site.settled(|site| site.problems().is_empty());
    };
    let caught = [0, REPEATS];
    for rule in ["to 192.0.2.2", "from 192.0.2.1", "iif lo", "ipproto udp dport 4789"] {
        to(&format!("{rule} lookup 100"), caught, "");
    }
    for rule in
        ["to 192.0.2.3", "from 192.0.2.8/29", "iif up0", "ipproto tcp", "fwmark 1 to 192.0.2.3"]
    {
        to(&format!("{rule} lookup 100"), [REPEATS, 0], "");
    }
    to("fwmark 1 lookup 100", [REPEATS, 0], "may apply to some packets to it");
    to("to 192.0.2.2 prohibit", [0, 0], "refuses");
    to("lookup 100 suppress_prefixlength 24", [REPEATS, 0], "");
    assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
}
