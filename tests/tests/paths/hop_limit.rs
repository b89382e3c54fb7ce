//! The TTL of tunnels whose vxlan device sets none is that of the way, as the kernel finds it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::{
    device,
    fabric::{PATIENCE, until},
    wire::Wire,
};

use crate::net::{Net, tunnel, until_fast};

const HOST2: &str = "192.168.0.2";

/// Where the outer header has its TTL, the end of the destination, and the UDP destination port.
const fn places(v6: bool) -> [usize; 3] {
    if v6 { [21, 53, 56] } else { [22, 33, 36] }
}

/// The TTLs of packets to the VTEP of HOST2 while HOST1 pings that: what is flooded goes to others too.
fn ttls(net: &Net, v6: bool) -> BTreeSet<u8> {
    let wire = net.at("router").inside(|| Wire::open("d1")).expect("the port is there");
    net.ping("host1", HOST2);
    let [ttl, vtep, port] = places(v6);
    let (mut found, deadline) = (BTreeSet::new(), Instant::now() + Duration::from_millis(100));
    while let Some(packet) = wire.receive(deadline).expect("the wire works") {
        let is_vxlan = packet.get(port..port + 2) == Some(&4_789_u16.to_be_bytes());
        if is_vxlan && packet[vtep] == 2 {
            found.insert(packet[ttl]);
        }
    }
    found
}

/// Waits until Fabric writes the TTL that the kernel writes, which is known to be this one.
fn until_the_kernels(net: &Net, v6: bool, ttl: u8) {
    let kernel = net.kernel_alone(|| ttls(net, v6));
    assert_eq!(kernel, [ttl].into(), "the kernel is right");
    until(PATIENCE, &format!("Fabric writes the TTL {ttl}"), || {
        let before = net.met(Reason::Encapsulated);
        ttls(net, v6) == kernel && net.met(Reason::Encapsulated) >= before + 8
    });
}

fn fast(v6: bool, options: &str) -> Net {
    let mut net = tunnel(v6, options);
    net.start();
    until_fast(&net, "host1", HOST2, &[Reason::Encapsulated]);
    net
}

#[test]
fn over_ipv4_the_ttl_is_that_of_the_route_or_of_the_box() {
    let net = fast(false, "");
    until_the_kernels(&net, false, 64);
    net.at("leaf").ip("route change default via 10.1.0.2 hoplimit 10\n");
    until_the_kernels(&net, false, 10);
    net.at("leaf").sysctl("ipv4/ip_default_ttl", "77");
    until_the_kernels(&net, false, 10);
    net.at("leaf").ip("route change default via 10.1.0.2\n");
    until_the_kernels(&net, false, 77);
    net.at("leaf")
        .ip("nexthop add id 7 via 10.1.0.2 dev up0\nroute add 10.0.0.2/32 nhid 7 hoplimit 11\n");
    until_the_kernels(&net, false, 11);
    net.at("leaf").ip("route del 10.0.0.2/32\n");
    until_the_kernels(&net, false, 77);
}

#[test]
fn over_ipv6_the_hop_limit_is_that_of_the_route_or_of_the_port() {
    let net = fast(true, "");
    until_the_kernels(&net, true, 64);
    net.at("leaf").sysctl("ipv6/conf/up0/hop_limit", "33");
    until_the_kernels(&net, true, 33);
    // What new interfaces start with is nothing to those that are there, nor is what holds for none.
    net.at("leaf").sysctl("ipv6/conf/default/hop_limit", "99");
    net.at("leaf").sysctl("ipv6/conf/all/hop_limit", "98");
    until_the_kernels(&net, true, 33);
    net.at("leaf").ip("route change default via 2001:db8:1::2 hoplimit 10\n");
    until_the_kernels(&net, true, 10);
    net.at("leaf").ip("route change default via 2001:db8:1::2\n");
    until_the_kernels(&net, true, 33);
    net.at("leaf").sysctl("ipv6/conf/up0/hop_limit", "64");
    until_the_kernels(&net, true, 64);
}

/// Two more VTEPs, towards which the routes say nothing, make the one over the route with a hop limit the
/// kernel's.
fn another_way_is_the_kernels(v6: bool, options: &str, is_named: bool) {
    let net = fast(v6, options);
    let (family, vtep, via, length) = match v6 {
        true => ("-6", "2001:db8:ff::", "2001:db8:1::2", 128),
        false => ("-4", "10.0.0.", "10.1.0.2", 32),
    };
    for other in [3, 4] {
        net.at("leaf").bridge(&format!(
            "fdb append 00:00:00:00:00:00 dev vx100 dst {vtep}{other} self permanent\n"
        ));
    }
    net.at("leaf").ip(&format!("route add {vtep}2/{length} via {via} hoplimit 10\n"));
    let words = [&format!("VTEP {vtep}2"), "hop limit 10", "left to the kernel"];
    if is_named {
        net.until_named(&words);
        let kernel = net.kernel_alone(|| ttls(&net, v6));
        assert_eq!(ttls(&net, v6), kernel);
        assert_eq!(kernel, [10].into(), "the kernel is right");
    } else {
        until_the_kernels(&net, v6, 7);
        assert!(!net.names(&words));
    }
    let remove = || device::run("ip", &format!("{family} route del {vtep}2/{length}"));
    net.at("leaf").inside(remove).expect("the route is there");
    net.until_unnamed(&words);
    until_the_kernels(&net, v6, if is_named { 64 } else { 7 });
}

#[test]
fn over_ipv4_a_vtep_whose_way_has_another_hop_limit_is_the_kernels() {
    another_way_is_the_kernels(false, "", true);
}

#[test]
fn over_ipv6_a_vtep_whose_way_has_another_hop_limit_is_the_kernels() {
    another_way_is_the_kernels(true, "", true);
}

#[test]
fn a_vxlan_device_with_a_ttl_of_its_own_has_it_whatever_routes_say() {
    another_way_is_the_kernels(false, "ttl 7", false);
    another_way_is_the_kernels(true, "ttl 7", false);
}
