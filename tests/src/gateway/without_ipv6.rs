//! Interfaces on which IPv6 is switched off, where the kernel neither takes nor sends it, whatever routes say.

use fabric_common::reason::Reason;

use super::site::{
    DOWNSTREAM_VNI, HOST1, HOST2, OUT0, OUTSIDE, REMOTE1, REMOTE2, REMOTE3, Site, VNIS, packets,
    station,
};
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
    let outwards = flows_outside(site);
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

/// IPv6 packets of a host to the outside, from so many addresses that each of two next hops gets some.
fn flows_outside(site: &Site) -> Vec<Vec<u8>> {
    let flow = |end| {
        let from = Station { mac: HOST1.mac, ..station(1, end) };
        let [_, v6] = packets(&from, &OUTSIDE, site.gateway_mac(1));
        v6.bytes()
    };
    (30..46).map(flow).collect()
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

/// The vxlan device of next hops that choose their tunnel: none leaves by it without IPv6, and none that is longer than
/// its MTU for IPv6, of which the kernel tells nobody.
pub fn downstream_vnis_follow_what_holds_for_ipv6_at_their_device(site: &Site) {
    const MTU: usize = 1_400;
    site.lead_downstream();
    let mac = site.gateway_mac(1);
    let [v4, v6] = packets(&HOST1, &REMOTE3, mac).map(|packet| packet.bytes());
    let longer = packets(&HOST1, &REMOTE3, mac)[1].clone().length(14 + MTU + 1).bytes();
    site.routed("acc1", &longer);
    site.set_ipv6_mtu("svd", MTU);
    let seen = site.judged("acc1", &longer, Reason::TransitOutputTooBig);
    assert_eq!(seen.len(), 1, "the kernel answers: {seen:02x?}");
    site.routed("acc1", &v6);
    site.set_ipv6_mtu("svd", 1_500);
    site.routed("acc1", &longer);
    site.switch_ipv6("svd", false);
    site.routed("acc1", &v4);
    // The object of the next hop stays.
    assert_eq!(site.judged("acc1", &v6, Reason::TransitRouteNotAccelerated), []);
    site.switch_ipv6("svd", true);
    site.know_router(true);
    site.lead_into(DOWNSTREAM_VNI, "");
    site.routed("acc1", &v6);
    assert_eq!(site.problems(), "");
}
