//! A prefix that two VTEPs announce: flows are spread over both, and those of the other one get through while one dies.

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::lab::Mac;

use crate::{
    control_plane::configure,
    flow::Flow,
    spread::{DISCARD, FIRST_PORT, Spread},
};

/// The VTEPs. The second one is the spine: a leaf more would be another FRR to start, which takes an emulated machine
/// half a minute.
const VTEPS: [&str; 2] = ["leaf02", "spine01"];
/// An address of both in the tenant green, and who sends there.
const FLOW: Flow =
    Flow { from: "green1", to: [10, 7, 0, 1], prefix: "10.7.0.0/16", gets: VTEPS[0] };
/// The leaf of who sends, and its port.
const LEAF: (&str, &str) = ("leaf01", "swp13");

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
    let spread = Spread {
        fabric,
        from: FLOW.from,
        at: LEAF,
        to: FLOW.to,
        receivers: VTEPS.map(|vtep| fabric.netns(vtep)),
        reason: Reason::Routed,
    };
    until(PATIENCE, "FRR has a route over both VTEPs", || members(fabric) == VTEPS.len());
    let whole = spread.ways(&[0, 1]);
    println!("with both VTEPs flows go to {whole:?}; {}", FLOW.route(fabric).trim());
    for (vtep, name) in VTEPS.iter().enumerate() {
        let flow = whole.iter().position(|it| *it == vtep).expect("it gets some");
        lookup_says(fabric, flow as u16, name);
    }

    let [_, spine] = VTEPS;
    fabric.ip(spine, "link set vxlan54003 down");
    spread
        .first_goes_on(&whole, "FRR takes the dead VTEP out of the route", || members(fabric) == 1);
    spread.ways(&[0]);

    fabric.ip(spine, "link set vxlan54003 up");
    until(PATIENCE, "FRR has a route over both VTEPs again", || members(fabric) == VTEPS.len());
    spread.ways(&[0, 1]);
    for vtep in VTEPS {
        fabric.ip(vtep, "address del 10.7.0.1/32 dev green");
    }
    FLOW.is_withdrawn(fabric);
}
