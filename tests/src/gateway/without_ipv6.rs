//! Interfaces on which IPv6 is switched off, where the kernel neither takes nor sends it, whatever routes say.

use fabric_common::reason::Reason;

use super::site::{HOST1, HOST2, OUT0, OUTSIDE, REMOTE1, REMOTE2, Site, VNIS, packets, station};
use crate::{
    addresses::Station,
    fabric::{PATIENCE, until},
};

/// Arriving at a routed port, at a gateway, out of a tunnel at a gateway, and leaving by one of several next hops.
pub fn interfaces_without_ipv6_pass_none(site: &Site) {
    let mac = site.gateway_mac(1);
    let by_router = packets(&OUTSIDE, &HOST2, OUT0).map(|packet| packet.bytes());
    let by_host = packets(&HOST1, &HOST2, mac).map(|packet| packet.bytes());
    let by_tunnel =
        packets(&REMOTE1, &HOST2, mac).map(|packet| site.sent_by_leaf2(VNIS[0], &packet));
    // Of the host, from so many addresses that each next hop gets some.
    let outwards: Vec<_> = (30..46)
        .map(|end| {
            let from = Station { mac: HOST1.mac, ..station(1, end) };
            let [_, v6] = packets(&from, &OUTSIDE, mac);
            v6.bytes()
        })
        .collect();
    site.lead_outside_by_both();
    // The kernel and Fabric choose differently.
    until(PATIENCE, "they are routed", || {
        let before = site.met_of(Reason::Routed);
        outwards.iter().for_each(|packet| drop(site.send("acc1", packet)));
        site.met_of(Reason::Routed) >= before + outwards.len() as u64
    });
    let arrive_without = |port, [v4, v6]: &[Vec<u8>; 2]| {
        assert_eq!(site.judged(port, v6, Reason::TransitInputNotForwarding), []);
        site.routed(port, v4);
    };
    site.routed("out0", &by_router[1]);
    site.switch_ipv6("out0", false);
    arrive_without("out0", &by_router);
    // The object of the next hop stays, and the kernel chooses it.
    let seen = site.all_judged("acc1", &outwards, Reason::TransitRouteNotAccelerated);
    assert!(!seen.is_empty() && seen.len() < outwards.len(), "one of both next hops: {seen:?}");
    site.switch_ipv6("out0", true);
    site.routed("out0", &by_router[1]);

    site.routed("acc1", &by_host[1]);
    site.routed("up0", &by_tunnel[1]);
    let gateway = site.gateway(1);
    site.switch_ipv6(&gateway, false);
    arrive_without("acc1", &by_host);
    arrive_without("up0", &by_tunnel);
    site.switch_ipv6(&gateway, true);
    site.routed("acc1", &by_host[1]);
    site.routed("up0", &by_tunnel[1]);
    assert_eq!(site.problems(), "");
}

/// In neither direction, and that is named.
pub fn tunnels_over_ipv6_need_it_at_the_port(site: &Site) {
    let [into, _] = packets(&HOST1, &REMOTE1, REMOTE1.mac);
    let [out, _] = packets(&REMOTE2, &HOST2, HOST2.mac);
    let (into, out) = (into.bytes(), site.sent_by_leaf2(VNIS[1], &out));
    // By an object, which stays when IPv6 is switched off, unlike a route without one.
    site.lead_to_leaf2_by_an_object();
    site.judged("acc1", &into, Reason::Encapsulated);
    site.judged("up0", &out, Reason::Decapsulated);
    site.switch_ipv6("up0", false);
    assert_eq!(site.judged("up0", &out, Reason::VxlanInputNotUnderlay), []);
    assert_eq!(site.judged("acc1", &into, Reason::NexthopSelectEmptyGroup), []);
    let words = "on which IPv6 is switched off (net.ipv6.conf.up0.disable_ipv6)";
    until(PATIENCE, "it is named", || site.problems().contains(words));
    site.switch_ipv6("up0", true);
    site.know_spine();
    site.judged("up0", &out, Reason::Decapsulated);
    site.judged("acc1", &into, Reason::Encapsulated);
    until(PATIENCE, "nothing is named", || site.problems().is_empty());
}
