//! A prefix that two VTEPs announce: flows are spread over both, and those of the other one get through while one dies.

use std::{
    array,
    collections::BTreeSet,
    net::{IpAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until};
use fabric_user::lab::Mac;

use crate::{control_plane::configure, counted, flow::Flow};

/// The VTEPs. The second one is the spine: a leaf more would be another FRR to start, which takes an emulated machine
/// half a minute.
const VTEPS: [&str; 2] = ["leaf02", "spine01"];
/// An address of both in the tenant green, and who sends there.
const FLOW: Flow =
    Flow { from: "green1", to: [10, 7, 0, 1], prefix: "10.7.0.0/16", gets: VTEPS[0] };
/// The leaf of who sends, and its port.
const LEAF: (&str, &str) = ("leaf01", "swp13");
/// Flows, by UDP source ports from this one on.
const FLOWS: u16 = 24;
const FIRST_PORT: u16 = 20_000;
/// The discard service (RFC 863), which nobody offers here.
const DISCARD: u16 = 9;
/// Datagrams of a flow in one look, and how many of them are enough to say where it goes: the kernel sees one of a MAC
/// per quarter of the ageing time, and chooses by a hash of its own.
const DATAGRAMS: u64 = 4;
const ENOUGH: u64 = 3;
/// In one look the kernel may see so many of all flows.
const SAMPLED: u64 = 2;

/// Makes the spine a VTEP of green with a plain bridge, until the lab goes.
fn make_the_spine_a_vtep(fabric: &Fabric) {
    let [_, spine] = VTEPS;
    let (vtep, mac) = (fabric.vtep(spine), Mac::derived_from("spine01:green"));
    for line in [
        "link add name green type vrf table 14003",
        "link set dev green up",
        &format!("link add br4003 address {mac} type bridge"),
        "link set br4003 addrgenmode none",
        &format!("link add vxlan54003 type vxlan id 54003 local {vtep} dstport 4789 nolearning"),
        "link set vxlan54003 mtu 1500 master br4003 addrgenmode none",
        "link set vxlan54003 type bridge_slave learning off",
        "link set vxlan54003 up",
        "link set br4003 master green",
        "link set br4003 mtu 1500 up",
    ] {
        fabric.ip(spine, line);
    }
    configure(
        fabric,
        spine,
        &[
            "vrf green",
            "vni 54003",
            "exit-vrf",
            "router bgp 65100",
            "address-family l2vpn evpn",
            "advertise-all-vni",
            "exit-address-family",
            "exit",
            "router bgp 65100 vrf green",
            "bgp router-id 10.0.1.1",
            "address-family ipv4 unicast",
            "redistribute connected",
            "exit-address-family",
            "address-family l2vpn evpn",
            "advertise ipv4 unicast",
            "route-target import 65000:54003",
            "route-target export 65000:54003",
        ],
    );
}

/// Datagrams that have arrived at each VTEP: there is nobody who takes them.
fn arrived(fabric: &Fabric) -> [u64; 2] {
    VTEPS.map(|vtep| counted(fabric, vtep, "Udp", "NoPorts"))
}

/// Sends datagrams of one flow; how many arrived at each VTEP.
fn send(fabric: &Fabric, flow: u16) -> [u64; 2] {
    let before = arrived(fabric);
    let work = || {
        let socket = UdpSocket::bind(("0.0.0.0", FIRST_PORT + flow)).expect("the port is free");
        for _ in 0..DATAGRAMS {
            socket.send_to(&[0; 16], (IpAddr::from(FLOW.to), DISCARD)).expect("there is a way");
        }
    };
    fabric.netns(FLOW.from).enter(work).expect("the host is there");
    let start = Instant::now();
    loop {
        let now = arrived(fabric);
        let got: [u64; 2] = array::from_fn(|vtep| now[vtep] - before[vtep]);
        // What does not arrive is missed by who looks at it.
        if got.iter().sum::<u64>() == DATAGRAMS || start.elapsed() > Duration::from_secs(1) {
            return got;
        }
        thread::yield_now();
    }
}

/// Which VTEP each flow goes to by XDP, once all of them arrive, at those that are expected: the kernel has its route
/// before fabric-xdpd has read it.
fn ways(fabric: &Fabric, expected: &[usize]) -> Vec<usize> {
    let mut ways = Vec::new();
    until(PATIENCE, &format!("flows arrive at one VTEP each of {expected:?}, by XDP"), || {
        let before = Seen::at(fabric, LEAF.0);
        let got: Vec<[u64; 2]> = (0..FLOWS).map(|flow| send(fabric, flow)).collect();
        let routed = Seen::at(fabric, LEAF.0).since(&before).on(LEAF.1, Reason::Routed);
        ways = got.iter().filter_map(|got| got.iter().position(|&it| it >= ENOUGH)).collect();
        let used: BTreeSet<usize> = ways.iter().copied().collect();
        ways.len() == got.len()
            && used.iter().eq(expected)
            && routed + SAMPLED >= DATAGRAMS * u64::from(FLOWS)
    });
    ways
}

/// How many members the kernel's route has.
fn members(fabric: &Fabric) -> usize {
    let route = FLOW.route(fabric);
    match route.matches("nexthop ").count() {
        0 => route.matches("via ").count(),
        several => several,
    }
}

/// Asserts that `fabricctl lookup` sends a flow where it goes.
fn lookup_says(fabric: &Fabric, flow: u16, vtep: &str) {
    let (from, to) = ((FIRST_PORT + flow).to_string(), DISCARD.to_string());
    let says = FLOW.lookup_of(fabric, &["udp", &from, &to]);
    assert_eq!(says["station"]["vtep"]["remote"], fabric.vtep(vtep).to_string(), "{says}");
}

/// Case FRR-03: flows are spread over the VTEPs of a prefix.
pub(crate) fn a_prefix_of_two_vteps_is_spread_over_both(fabric: &Fabric) {
    // The way to the spine's VTEP is shorter by an AS.
    configure(fabric, LEAF.0, &["router bgp 65101 vrf green", "bgp bestpath as-path ignore"]);
    make_the_spine_a_vtep(fabric);
    for vtep in VTEPS {
        fabric.ip(vtep, "address add 10.7.0.1/32 dev green");
    }
    until(PATIENCE, "FRR has a route over both VTEPs", || members(fabric) == VTEPS.len());
    let whole = ways(fabric, &[0, 1]);
    println!("with both VTEPs flows go to {whole:?}; {}", FLOW.route(fabric).trim());
    for (vtep, name) in VTEPS.iter().enumerate() {
        let flow = whole.iter().position(|it| *it == vtep).expect("it gets some");
        lookup_says(fabric, flow as u16, name);
    }

    let [_, spine] = VTEPS;
    fabric.ip(spine, "link set vxlan54003 down");
    let survivors: Vec<u16> = (0..FLOWS).filter(|flow| whole[usize::from(*flow)] == 0).collect();
    let (mut sent, mut got) = (0, 0);
    until(PATIENCE, "FRR takes the dead VTEP out of the route", || {
        for flow in &survivors {
            sent += DATAGRAMS;
            got += send(fabric, *flow)[0];
        }
        members(fabric) == 1
    });
    assert!(got + SAMPLED >= sent, "flows of the living VTEP got {got} of {sent} through");
    ways(fabric, &[0]);
    println!("flows of the living VTEP got {got} of {sent} through; {}", FLOW.route(fabric).trim());

    fabric.ip(spine, "link set vxlan54003 up");
    until(PATIENCE, "FRR has a route over both VTEPs again", || members(fabric) == VTEPS.len());
    ways(fabric, &[0, 1]);
    for vtep in VTEPS {
        fabric.ip(vtep, "address del 10.7.0.1/32 dev green");
    }
    FLOW.is_withdrawn(fabric);
}
