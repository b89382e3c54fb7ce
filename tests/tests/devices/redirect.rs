//! A veth takes what XDP programs send to it only if its other end has GRO or a program.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B},
    fabric::{SOON, until},
    packet::Frame,
};

use crate::site::{BURST, Leaf};

#[test]
fn a_veth_whose_other_end_takes_nothing_gets_its_frames_from_the_kernel_until_it_does() {
    let leaf = Leaf::new();
    leaf.wait_target("h2", false);
    assert_eq!(leaf.burst(), BURST, "without GRO at the other end");
    assert!(leaf.count("h1", Reason::AccessFitNotATarget) > 0);
    assert_eq!(leaf.count("h1", Reason::Bridged), 0);

    leaf.router.peers_ethtool("-K q2 gro on");
    leaf.wait_target("h2", true);
    assert_eq!(leaf.burst(), BURST, "with GRO");
    assert_eq!(leaf.count("h1", Reason::Bridged), BURST as u64);

    leaf.router.peers_ethtool("-K q2 gro off");
    leaf.wait_target("h2", false);
    assert_eq!(leaf.burst(), BURST, "without GRO again");
    assert_eq!(leaf.count("h1", Reason::Bridged), BURST as u64);
    // Nobody was restarted, and nothing was an audit's to find.
    let state = leaf.router.state();
    assert_eq!((state.audits, state.audit_corrections), (0, 0));
}

/// The kernel announces at this end what changes at the other one only while that is up.
#[test]
fn what_the_other_end_changes_while_it_is_down_is_found_out() {
    let leaf = Leaf::new();
    leaf.router.peers_ethtool("-K q2 gro on");
    leaf.wait_target("h2", true);
    leaf.router.peers_ip("link set q2 down\n");
    leaf.router.peers_ethtool("-K q2 gro off");
    leaf.router.peers_ip("link set q2 up\n");
    leaf.wait_target("h2", false);
    assert_eq!(leaf.burst(), BURST);
}

/// What arrives on a port is forwarded, whether or not anything can be sent to it.
#[test]
fn a_port_that_is_no_target_still_sends_its_own_frames_by_the_fast_path() {
    let leaf = Leaf::new();
    leaf.router.peers_ethtool("-K q1 gro on");
    leaf.wait_target("h1", true);
    leaf.wait_target("h2", false);
    let frame = Frame::ipv4(&HOST_B, &HOST_A).bytes();
    assert_eq!(leaf.send("q2", "q1", &frame), BURST);
    // The first one shows the station to the bridge.
    assert_eq!(leaf.count("h2", Reason::Bridged), BURST as u64 - 1);
}

#[test]
fn a_route_over_a_port_that_is_no_target_is_the_kernels() {
    let leaf = Leaf::new();
    let router = &leaf.router;
    router.know_neighbours();
    router.ip(
        "nexthop add id 1 via 10.1.2.2 dev swp2\nnexthop add id 2 via 10.1.3.2 dev swp3\n\
         nexthop add id 10 group 1/2\nroute add 10.9.0.0/16 nhid 10\nroute add 10.8.0.0/16 nhid 1\n",
    );
    router.wait_way("10.9.0.1", "10.1.2.2 and 10.1.3.2");
    router.wait_way("10.8.0.1", "10.1.2.2");
    router.peers_ethtool("-K p2 gro off");
    // A part of the next hops would get all of the traffic.
    router.wait_way("10.9.0.1", "nothing");
    router.wait_way("10.8.0.1", "nothing");
    router.wait_way("10.1.2.2", "kernel");
    until(SOON, "the port is named", || leaf.is_named("swp2"));
    let packet = Frame::ipv4(&HOST_A, &HOST_B).change_ipv4(|ip| {
        (ip.source, ip.destination) = ([10, 1, 1, 2], [10, 8, 0, 1]);
    });
    let mut packet = packet.bytes();
    packet[..6].copy_from_slice(&router.mac("swp1"));
    assert_eq!(leaf.send("p1", "p2", &packet), BURST);
    router.peers_ethtool("-K p2 gro on");
    router.wait_way("10.9.0.1", "10.1.2.2 and 10.1.3.2");
    router.wait_way("10.8.0.1", "10.1.2.2");
    assert_eq!(leaf.send("p1", "p2", &packet), BURST);
}
