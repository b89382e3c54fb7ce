//! vxlan devices without a local address: they send from the address that the route has, and take what is for
//! any address of the box.

use std::{collections::BTreeMap, net::IpAddr};

use fabric_common::reason::Reason;

use crate::site::{REPEATS, Site};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The kernel sends from this address to this spine, and the fast path as well.
#[track_caller]
fn sends_from(site: &Site, spine: usize, address: &str) {
    let mut expected = [BTreeMap::new(), BTreeMap::new()];
    expected[spine].insert(ip(address), REPEATS);
    assert_eq!(site.judged(Site::sources), expected);
    site.settled(|site| {
        let before = site.met(Reason::Encapsulated);
        site.sources() == expected && site.met(Reason::Encapsulated) >= before + REPEATS as u64 - 2
    });
}

/// The same over both ports, of which a flow chooses one: not necessarily the same as the kernel's.
#[track_caller]
fn all_from(site: &Site, address: &str) {
    let all =
        |site: &Site| -> BTreeMap<IpAddr, usize> { site.sources().into_iter().flatten().collect() };
    let expected = [(ip(address), REPEATS)].into();
    assert_eq!(site.judged(all), expected);
    site.settled(|site| {
        let before = site.met(Reason::Encapsulated);
        all(site) == expected && site.met(Reason::Encapsulated) >= before + REPEATS as u64 - 2
    });
}

/// What arrives for this address is taken by the kernel and by the fast path, or by neither.
#[track_caller]
fn takes(site: &Site, from: &str, to: &str, taken: bool) {
    let arrive = |site: &Site| site.arrive_for(0, ip(from), ip(to));
    assert_eq!(site.judged(arrive), if taken { REPEATS } else { 0 }, "for {to}");
    if taken {
        site.settled(|site| {
            let before = site.met(Reason::Decapsulated);
            arrive(site) == REPEATS && site.met(Reason::Decapsulated) >= before + REPEATS as u64
        });
    }
}

#[test]
fn over_ipv4_a_device_without_a_local_address_sends_from_the_address_of_the_route() {
    let site = Site::new();
    site.vxlan("", "192.0.2.2");
    sends_from(&site, 0, "203.0.113.0");
    // The route says it.
    site.ip("route replace 192.0.2.2/32 via 203.0.113.1 dev up0 src 192.0.2.1");
    sends_from(&site, 0, "192.0.2.1");
    // Another port has another address.
    site.ip("route replace 192.0.2.2/32 via 203.0.113.3 dev up1");
    sends_from(&site, 1, "203.0.113.2");
    // The port gets another address.
    site.ip("route replace 192.0.2.2/32 via 203.0.113.1 dev up0 onlink");
    sends_from(&site, 0, "203.0.113.0");
    site.ip("addr add 198.51.100.5/24 dev up0\naddr del 203.0.113.0/31 dev up0");
    sends_from(&site, 0, "198.51.100.5");
    // With the address the kernel takes the routes that have it as source.
    site.ip("addr add 192.0.2.7/32 dev lo\n\
             route replace 192.0.2.2/32 via 203.0.113.1 dev up0 onlink src 192.0.2.7");
    sends_from(&site, 0, "192.0.2.7");
    site.ip("addr del 192.0.2.7/32 dev lo");
    assert_eq!(site.judged(Site::leave), [0, 0]);
}

#[test]
fn a_source_that_depends_on_the_flow_is_the_kernels_to_choose() {
    let site = Site::new();
    site.vxlan("", "192.0.2.2");
    let both = "nexthop via 203.0.113.1 dev up0 nexthop via 203.0.113.3 dev up1";
    site.ip(&format!("route replace 192.0.2.2/32 {both}"));
    site.settled(|site| site.problems().contains("depends on the flow"));
    site.judged(Site::sources);
    site.ip(&format!("route replace 192.0.2.2/32 src 192.0.2.1 {both}"));
    site.settled(|site| site.problems().is_empty());
    all_from(&site, "192.0.2.1");
}

#[test]
fn over_ipv4_a_device_without_a_local_address_takes_what_is_for_any_address_of_the_box() {
    let site = Site::new();
    site.vxlan("", "192.0.2.2");
    sends_from(&site, 0, "203.0.113.0");
    for (to, taken) in
        [("203.0.113.0", true), ("192.0.2.1", true), ("203.0.113.2", true), ("192.0.2.9", false)]
    {
        takes(&site, "192.0.2.2", to, taken);
    }
    site.ip("addr add 192.0.2.9/32 dev lo");
    takes(&site, "192.0.2.2", "192.0.2.9", true);
    // It is one VTEP, to whichever address it sends.
    site.bridge("link set dev vx100 learning on");
    takes(&site, "192.0.2.2", "203.0.113.0", true);
    takes(&site, "192.0.2.2", "192.0.2.9", true);
    site.ip("addr del 192.0.2.1/32 dev lo");
    takes(&site, "192.0.2.2", "192.0.2.1", false);
}

#[test]
fn over_ipv6_a_device_without_a_local_address_sends_and_takes_as_the_kernel_does() {
    let site = Site::new();
    site.ip("addr add 2001:db8::1/128 dev lo\n\
             addr add 2001:db8:1::1/64 dev up0 nodad\naddr add 2001:db8:2::1/64 dev up1 nodad\n\
             neigh replace 2001:db8:1::2 lladdr 02:00:00:00:51:01 dev up0 nud permanent\n\
             neigh replace 2001:db8:2::2 lladdr 02:00:00:00:51:02 dev up1 nud permanent\n\
             route add 2001:db8:ff::2/128 via 2001:db8:1::2 dev up0");
    site.vxlan("remote 2001:db8:ff::2", "2001:db8:ff::2");
    sends_from(&site, 0, "2001:db8:1::1");
    for (to, taken) in [
        ("2001:db8:1::1", true),
        ("2001:db8::1", true),
        ("2001:db8:2::1", true),
        ("2001:db8::9", false),
    ] {
        takes(&site, "2001:db8:ff::2", to, taken);
    }
    // Another address is preferred.
    site.ip("addr add 2001:db8:1::7/64 dev up0 nodad\n\
             addr change 2001:db8:1::1/64 dev up0 preferred_lft 0");
    site.settled(|site| site.sources()[0].contains_key(&ip("2001:db8:1::7")));
    // The kernel goes on with the address that it has cached, until the route changes.
    site.ip("route replace 2001:db8:ff::2/128 via 2001:db8:1::2 dev up0");
    sends_from(&site, 0, "2001:db8:1::7");
    takes(&site, "2001:db8:ff::2", "2001:db8:1::1", true);
    site.ip("route replace 2001:db8:ff::2/128 via 2001:db8:1::2 dev up0 src 2001:db8::1");
    sends_from(&site, 0, "2001:db8::1");
    site.ip("route replace 2001:db8:ff::2/128 via 2001:db8:2::2 dev up1");
    sends_from(&site, 1, "2001:db8:2::1");
    // A nexthop object has the source of its first member for all of them.
    site.ip("nexthop add id 5 via 2001:db8:1::2 dev up0\n\
         nexthop add id 6 via 2001:db8:2::2 dev up1\nnexthop add id 7 group 6/5\n\
         route replace 2001:db8:ff::2/128 nhid 7");
    all_from(&site, "2001:db8:2::1");
}
