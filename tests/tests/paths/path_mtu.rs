//! The kernel learns by ICMP that the way to a VTEP carries less, or leads over another router, and tells
//! nobody. Hosts must not notice that Fabric is there.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use fabric_common::reason::Reason;
use fabric_tests::{
    device,
    fabric::{PATIENCE, until},
    packet::internet_checksum,
    wire::Wire,
};

use crate::net::{self, Net, routed, routed_into_tunnel, tunnel};

/// Bytes that must arrive.
const BYTES: usize = 500_000;

/// Sends from host1 to host2 over one connection; how many bytes arrived.
fn transfer(net: &Net) -> usize {
    let listener = net.at("host2").inside(|| TcpListener::bind("192.168.0.2:7777"));
    let listener = listener.expect("the address is there");
    thread::scope(|scope| {
        let received = scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
            let mut bytes = Vec::new();
            // A time-out ends it: then not all has arrived.
            let _whole = stream.read_to_end(&mut bytes);
            bytes.len()
        });
        let stream = net.at("host1").inside(|| TcpStream::connect("192.168.0.2:7777"));
        let mut stream = stream.expect("the host is reached");
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
        // If nothing gets through, what arrived says so.
        let _sent = stream.write_all(&[b'x'; BYTES]);
        let _closed = stream.shutdown(Shutdown::Write);
        received.join().expect("the thread only reads")
    })
}

/// Pings until Fabric forwards them.
fn until_fast(net: &Net) {
    until(PATIENCE, "Fabric forwards to the other host", || {
        let before = net.met(Reason::Encapsulated);
        net.ping("host1", "192.168.0.2") == 10 && net.met(Reason::Encapsulated) >= before + 8
    });
}

/// The link behind the router carries less than the one before it.
fn narrow(v6: bool, options: &str) -> Net {
    let mut net = tunnel(v6, options);
    cut(&net);
    net.start();
    until_fast(&net);
    net
}

/// The same, and the hosts are in two networks.
fn narrow_and_routed(v6: bool, options: &str) -> Net {
    let mut net = routed_into_tunnel(v6, options);
    cut(&net);
    net.start();
    for address in OTHER_HOST {
        net::until_fast(&net, "host1", address, &[Reason::Routed]);
    }
    net
}

fn cut(net: &Net) {
    net.at("router").ip("link set d2 mtu 1500\n");
    net.at("far").ip("link set up0 mtu 1500\n");
}

/// Addresses of the host behind the other leaf.
const OTHER_HOST: [&str; 2] = ["192.168.0.2", "fd00::2"];

const NAMED: [&str; 2] = ["path MTU of 1500 bytes", "left to the kernel"];

fn connections_are_not_stuck(v6: bool, options: &str) {
    let net = narrow(v6, options);
    assert_eq!(transfer(&net), BYTES);
    net.until_named(&NAMED);
    assert_eq!(transfer(&net), BYTES);
    // What was learned is forgotten after ten minutes, or by request.
    net.at("router").ip("link set d2 mtu 1600\n");
    net.at("far").ip("link set up0 mtu 1600\n");
    let family = if v6 { "-6" } else { "-4" };
    let flush = || device::run("ip", &format!("{family} route flush cache"));
    net.at("leaf").inside(flush).expect("ip can do that");
    net.until_unnamed(&["path MTU"]);
    until_fast(&net);
    assert_eq!(transfer(&net), BYTES);
}

#[test]
fn connections_over_ipv4_do_not_hang_where_the_way_carries_less() {
    connections_are_not_stuck(false, "df set");
}

#[test]
fn connections_over_ipv4_do_not_hang_with_an_inherited_df_bit() {
    connections_are_not_stuck(false, "df inherit");
}

#[test]
fn connections_over_ipv6_do_not_hang_where_the_way_carries_less() {
    connections_are_not_stuck(true, "");
}

/// Without the DF bit the router in between makes fragments, and nobody learns anything.
#[test]
fn a_way_that_carries_less_is_no_obstacle_for_packets_that_may_be_fragmented() {
    let net = narrow(false, "df unset");
    assert_eq!(transfer(&net), BYTES);
    assert_eq!(net.kernel_alone(|| transfer(&net)), BYTES);
    assert!(!net.names(&["path MTU"]));
}

/// A host learns by both families what the way to the other host carries, and that much gets there.
fn learns(net: &Net, mtu: u32) {
    for (address, headers) in OTHER_HOST.into_iter().zip([20 + 8, 40 + 8]) {
        let ping = |length: u32| format!("-M do -s {} {address}", length - headers);
        until(PATIENCE, &format!("the host learns {mtu} to {address}"), || {
            assert_eq!(net.at("host1").ping(1, &ping(1500)), 0, "longer than the way");
            let learned = net.at("host1").run("ip", &format!("route get {address}"));
            learned.contains(&format!(" mtu {mtu} "))
        });
        assert_eq!(net.ping("host1", &ping(mtu)), 10, "what fits, to {address}");
    }
}

/// Case VN-08: a router says what the way between the VTEPs carries, and a host behind the bridge learns that without
/// the outer headers, which are 50 bytes long over IPv4 and 70 over IPv6.
#[test]
fn hosts_learn_what_the_way_between_vteps_carries_as_from_the_kernel_alone() {
    for (v6, options, mtu) in [(false, "df set", 1500 - 50), (true, "", 1500 - 70)] {
        let net = narrow(v6, options);
        net.kernel_alone(|| learns(&net, mtu));
        learns(&narrow(v6, options), mtu);
    }
}

/// Case VN-08: the same of a host whose packets a gateway routes into the tunnel.
#[test]
fn hosts_in_other_networks_learn_what_the_way_between_vteps_carries_as_from_the_kernel_alone() {
    for (v6, options, mtu) in
        [(false, "df set", 1500 - 50), (false, "df inherit", 1500 - 50), (true, "", 1500 - 70)]
    {
        let net = narrow_and_routed(v6, options);
        net.kernel_alone(|| learns(&net, mtu));
        let net = narrow_and_routed(v6, options);
        learns(&net, mtu);
        net.until_named(&NAMED);
        // What the way carries is forgotten, and by then it carries more.
        net.at("router").ip("link set d2 mtu 1600\n");
        net.at("far").ip("link set up0 mtu 1600\n");
        for family in ["-4", "-6"] {
            net.at("leaf").run("ip", &format!("{family} route flush cache"));
        }
        net.until_unnamed(&["path MTU"]);
        for address in OTHER_HOST {
            net::until_fast(&net, "host1", address, &[Reason::Routed]);
        }
    }
}

/// Without the DF bit nobody learns anything, also where a gateway routes into the tunnel.
#[test]
fn routed_packets_that_may_be_fragmented_on_the_way_between_vteps_get_there() {
    let net = narrow_and_routed(false, "df unset");
    let longest = |who: &str| {
        for (address, size) in [("192.168.0.2", 1500 - 28), ("fd00::2", 1500 - 48)] {
            let ping = format!("-M do -s {size} {address}");
            let what = format!("the longest packets reach {address} by {who}");
            until(PATIENCE, &what, || net.ping("host1", &ping) == 10);
        }
    };
    net.kernel_alone(|| longest("the kernel"));
    let before = net.met(Reason::Routed);
    longest("XDP");
    assert!(net.met(Reason::Routed) > before);
    assert!(!net.names(&["path MTU"]));
}

/// An ICMP message may come by a port that is none of ours, or while the daemon is away.
#[test]
fn what_the_kernel_learned_before_the_daemon_came_is_known() {
    let mut net = tunnel(false, "df set");
    net.at("router").ip("link set d2 mtu 1500\n");
    net.at("far").ip("link set up0 mtu 1500\n");
    assert_eq!(transfer(&net), BYTES, "the kernel alone");
    net.start();
    net.until_named(&NAMED);
    assert_eq!(transfer(&net), BYTES);
}

/// An ICMP redirect as the leaf's router would send it: the way to the other VTEP leads over another
/// address of the router.
fn redirect(leaf_mac: [u8; 6], router_mac: [u8; 6], gateway: [u8; 4]) -> Vec<u8> {
    let header = |protocol: u8, length: u16, source: [u8; 4], destination: [u8; 4]| {
        let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0];
        ip[2..4].copy_from_slice(&length.to_be_bytes());
        ip.extend([source, destination].concat());
        let sum = internet_checksum(&[&ip]).to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        ip
    };
    let (vteps, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [0xc0, 1, 0x12, 0xb5]);
    let mut icmp = [&[5, 1, 0, 0], &gateway[..], &header(17, 100, vteps[0], vteps[1])].concat();
    icmp.extend(ports);
    icmp.extend([0, 80, 0, 0]);
    // The kernel wants to see that it is about a VNI of its own (`vxlan_err_lookup`).
    icmp.extend([8, 0, 0, 0, 0, 0, 100, 0]);
    let sum = internet_checksum(&[&icmp]).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    let ip = header(1, 20 + icmp.len() as u16, [10, 1, 0, 2], vteps[0]);
    [&leaf_mac[..], &router_mac, &[8, 0], &ip, &icmp].concat()
}

#[test]
fn a_way_that_an_icmp_redirect_changed_is_the_kernels() {
    let mut net = tunnel(false, "");
    let [leaf, router] = [[2, 0, 0, 0xaa, 0, 1], [2, 0, 0, 0xaa, 0, 2]];
    let address = |port, mac| format!("link set {port} address {}\n", device::mac_text(mac));
    net.at("leaf").ip(&(address("up0", leaf) + "addr add 10.9.0.1/24 dev up0\n"));
    net.at("router").ip(&(address("d1", router) + "addr add 10.9.0.9/24 dev d1\n"));
    net.start();
    until_fast(&net);
    assert_eq!(net.ping("leaf", "10.9.0.9"), 10, "the other router is known");
    let frame = redirect(leaf, router, [10, 9, 0, 9]);
    let sent = net.at("router").inside(|| Wire::open("d1").and_then(|wire| wire.send(&frame)));
    sent.expect("the frame can be sent");
    net.until_named(&["VTEP 10.0.0.2", "ICMP redirect", "10.9.0.9 on up0"]);
    let before = net.met(Reason::Encapsulated);
    assert_eq!(net.ping("host1", "192.168.0.2"), 10);
    assert_eq!(net.met(Reason::Encapsulated), before);
    net.at("leaf").ip("route flush cache\n");
    net.until_unnamed(&["redirect"]);
    until_fast(&net);
}

/// A router's advertisement, or an operator, says that IPv6 packets may be no longer than that.
#[test]
fn a_smaller_mtu_for_ipv6_is_that_of_the_port() {
    let mut net = tunnel(true, "");
    net.start();
    until_fast(&net);
    let long = |net: &Net| {
        let ping = || device::run("ping", "-c 3 -i 0.1 -W 1 -s 1472 -M do 192.168.0.2");
        let answered = net.at("host1").inside(ping).is_ok();
        // It was told that its packets are too long.
        let forget = || device::run("ip", "route flush cache");
        net.at("host1").inside(forget).expect("ip can do that");
        answered
    };
    assert!(long(&net), "all links carry 1600 bytes");
    net.at("leaf").sysctl("ipv6/conf/up0/mtu", "1500");
    net.until_named(&["port up0", "MTU for IPv6 is 1500 bytes"]);
    let before = net.met(Reason::VxlanOutputUnderlayTooSmall);
    assert!(!long(&net));
    assert!(net.met(Reason::VxlanOutputUnderlayTooSmall) > before);
    assert!(!net.kernel_alone(|| long(&net)), "the kernel is right");
    until_fast(&net);
    net.at("leaf").sysctl("ipv6/conf/up0/mtu", "1600");
    net.until_unnamed(&["MTU for IPv6"]);
    assert!(long(&net));
    // Also if it is news of the port by which that is noticed.
    net.at("leaf").sysctl("ipv6/conf/up0/mtu", "1500");
    net.at("leaf").ip("link set up0 alias uplink\n");
    net.until_named(&["port up0", "MTU for IPv6 is 1500 bytes"]);
}

/// With `ip_forward_use_pmtu` the kernel forwards by what it learned for itself.
#[test]
fn routed_packets_to_where_the_kernel_knows_a_path_mtu_are_its_own_if_it_goes_by_that() {
    let mut net = routed();
    // The host does not know, or TCP would send nothing that is too long.
    net.at("router").ip("link set d2 mtu 1400\n");
    net.at("leaf").sysctl("ipv4/ip_forward_use_pmtu", "1");
    net.start();
    let counts = [Reason::Routed, Reason::TransitRouteNotAccelerated];
    let ping = || {
        let before = counts.map(|reason| net.met(reason));
        assert_eq!(net.ping("host1", "172.16.2.10"), 10);
        let [fast, left] = [0, 1].map(|at| net.met(counts[at]) - before[at]);
        (fast >= 18, left >= 10)
    };
    until(PATIENCE, "both directions are fast", || ping() == (true, false));
    let listener = net.at("host2").inside(|| TcpListener::bind("172.16.2.10:7777"));
    let _listener = listener.expect("the address is there");
    let stream = net.at("leaf").inside(|| TcpStream::connect("172.16.2.10:7777"));
    // Nobody reads it, and it fits into the receiver's buffer.
    stream.expect("the host is reached").write_all(&[b'x'; 20_000]).expect("it can be sent");
    net.until_named(&["routed packets to 172.16.2.10: the kernel has learned a path MTU"]);
    assert_eq!(ping(), (false, true));
    net.at("leaf").sysctl("ipv4/ip_forward_use_pmtu", "0");
    net.until_unnamed(&["routed packets"]);
    until(PATIENCE, "both directions are fast again", || ping() == (true, false));
}
