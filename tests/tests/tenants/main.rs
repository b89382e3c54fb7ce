//! Tenants of a whole fabric with FRR: VRFs with an L3VNI each.
//!
//! - Every host reaches every other one of its tenant, in IPv4 and IPv6: in its own network behind the other leaf,
//!   and in another network by the L3VNI. Of two hosts with the same address it is the one of its own tenant.
//! - It reaches no host of another tenant.
//! - What is routed between leafs goes by XDP, in both directions, at both leafs.
//! - A host that moves has its gateway at its new place, and is reached there.
//! - What the control plane takes back or gives anew is followed ([`control_plane`]).
//! - Routes that another tenant imports go into the VNI that their leaf says ([`downstream`]), and those of two VTEPs
//!   to both ([`several_vteps`]).
//! - A server at two VTEPs is reached by both, and by one when the other has lost it ([`segment`]).
//! - What FRR says of a leaf's VRFs and routers is what the topology and the other leaf say ([`frr_facts`]).
//! - A network behind a host is reached by way of that host ([`overlay_index`]).
//!
//! Case FRR-01: leaf01 has a vxlan device for each VNI, leaf02 a single one for all where FRR takes that.
//!
//! Needs a kernel with VRF, VLAN and macvlan devices; `cargo xtask vm` boots one.
//!
//! ```text
//!  red1  10.1.0.11 ─┐                         ┌─ red2  10.1.0.12
//!  blue1 10.1.0.11 ─┤ leaf01 ─ spine ─ leaf02 ┤  red3  10.2.0.13
//!  green1 10.1.0.11 ┘  bridges       br0      ├─ blue2 10.1.0.12
//!                                             ├─ blue3 10.2.0.13
//!                                             └─ green2 10.2.0.12
//! ```

mod control_plane;
mod downstream;
mod flow;
mod frr_facts;
mod overlay_index;
mod segment;
mod several_vteps;
mod spread;

use std::{collections::BTreeSet, fs, net::IpAddr, process::Command, time::Instant};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until};
use fabric_user::lab::{Netns, topology::Host};

/// Pings of one measurement.
const PINGS: u64 = 40;
/// Of these the kernel may see so many at each leaf: one per MAC and quarter of the ageing time.
const SAMPLED: u64 = 4;

/// The tenant of a host.
fn tenant<'a>(fabric: &'a Fabric, host: &'a Host) -> Option<&'a String> {
    let topology = fabric.lab().topology();
    topology.network(host.network()?)?.tenant.as_ref()
}

/// Both addresses of a host.
fn addresses(host: &Host) -> [IpAddr; 2] {
    [host.address.into(), host.address6.expect("it has one").into()]
}

/// Whether an address answers a host.
fn answers(fabric: &Fabric, from: &str, address: IpAddr) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-n", "-c1", "-W1", &address.to_string()]);
    fabric.lab().exec(from, &mut ping).is_ok()
}

/// How many pings a host has got.
fn got(fabric: &Fabric, host: &str) -> u64 {
    let read = || {
        let v6 = fs::read_to_string("/proc/thread-self/net/snmp6").expect("proc is mounted");
        let echos6 = v6.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let echos6 = echos6.into_iter().find(|(title, _)| *title == "Icmp6InEchos");
        echos6.expect("it is counted").1.trim().parse::<u64>().expect("a number")
    };
    let echos6 = fabric.netns(host).enter(read).expect("the host is there");
    counted(&fabric.netns(host), "Icmp", "InEchos") + echos6
}

/// What a node has counted of a protocol over IPv4 (`/proc/net/snmp`).
fn counted(node: &Netns, protocol: &str, what: &str) -> u64 {
    let read = || {
        let text = fs::read_to_string("/proc/thread-self/net/snmp").expect("proc is mounted");
        let mut rows = text.lines().filter_map(|line| line.split_once(": "));
        let mut row = || rows.find(|(name, _)| *name == protocol).expect("two rows").1.to_owned();
        let [titles, values] = [row(), row()];
        let mut counted = titles.split_whitespace().zip(values.split_whitespace());
        let (_, value) = counted.find(|(title, _)| *title == what).expect("it is counted");
        value.parse().expect("a number")
    };
    node.enter(read).expect("the node is there")
}

/// A host pings every address of the fabric: those of its tenant answer, no other ones do, and no host of another
/// tenant gets one.
fn reaches_the_own_tenant_and_no_other(fabric: &Fabric, from: &Host) {
    let hosts = &fabric.lab().topology().hosts;
    let own = |host: &&Host| tenant(fabric, host) == tenant(fabric, from) && host.name != from.name;
    let of_tenant: BTreeSet<IpAddr> = hosts.iter().filter(own).flat_map(addresses).collect();
    let all: BTreeSet<IpAddr> = hosts.iter().flat_map(addresses).collect();
    let before: Vec<u64> = hosts.iter().map(|host| got(fabric, &host.name)).collect();
    for &address in all.iter().filter(|it| !addresses(from).contains(it)) {
        if of_tenant.contains(&address) {
            let what = format!("{address} answers {}", from.name);
            until(PATIENCE, &what, || answers(fabric, &from.name, address));
        } else {
            assert!(!answers(fabric, &from.name, address), "{} reaches {address}", from.name);
        }
    }
    let reached = hosts.iter().zip(before);
    let reached = reached.filter(|(host, before)| got(fabric, &host.name) > *before);
    let reached: Vec<&str> = reached.map(|(host, _)| host.name.as_str()).collect();
    let expected: Vec<&str> = hosts.iter().filter(own).map(|host| host.name.as_str()).collect();
    assert_eq!(reached, expected, "get pings of {}", from.name);
}

/// Pings between two leafs come to be routed by XDP at both, there and back.
fn xdp_routes(fabric: &Fabric, from: &str, address: IpAddr) {
    let look = || ["leaf01", "leaf02"].map(|leaf| Seen::at(fabric, leaf));
    let mut routed = [0; 2];
    until(PATIENCE, &format!("pings of {from} to {address} go by XDP"), || {
        let before = look();
        let arguments = format!("-n -q -i 0.02 -c {PINGS} {address}");
        let said = fabric.run(from, "ping", &arguments);
        assert!(said.contains(" 0% packet loss"), "{said}");
        let after = look();
        for (leaf, count) in routed.iter_mut().enumerate() {
            *count = after[leaf].since(&before[leaf]).all(Reason::Routed);
        }
        // Each leaf routes what goes into the tunnel, and what comes out of it.
        routed.iter().all(|&count| count + SAMPLED >= 2 * PINGS)
    });
    println!("{PINGS} pings of {from} to {address} and their answers: {routed:?} routed by XDP");
}

/// Every host reaches its own tenant and no other, by XDP, also at another leaf.
fn tenants_are_apart(fabric: &Fabric) {
    let hosts = &fabric.lab().topology().hosts;
    for host in hosts {
        reaches_the_own_tenant_and_no_other(fabric, host);
    }
    let host = |name: &str| fabric.lab().topology().host(name).expect("drawn");
    for (from, to) in [("red1", "red3"), ("green1", "green2")] {
        for address in addresses(host(to)) {
            xdp_routes(fabric, from, address);
        }
    }
    fabric.lab().migrate("red1", "leaf02").expect("it can move");
    for host in ["red1", "red3"].map(host) {
        reaches_the_own_tenant_and_no_other(fabric, host);
    }
}

#[test]
fn hosts_reach_their_own_tenant_and_no_other_and_what_is_routed_goes_by_xdp() {
    let start = Instant::now();
    let fabric = Fabric::tenants();
    println!("The lab is ready after {:.0?}", start.elapsed());
    let step = |what: &str, step: fn(&Fabric)| {
        let start = Instant::now();
        step(&fabric);
        println!("{what}: {:.0?}", start.elapsed());
    };
    step(
        "FRR's facts",
        frr_facts::frr_has_the_vrfs_of_the_topology_and_the_routers_of_the_other_leaf,
    );
    // Not over ssh: that is what the other topologies are for, and an emulated processor takes long for its connections.
    step("Suite", |fabric| fabric.passes_here("tenants"));
    step("Tenants are apart, and XDP routes", tenants_are_apart);
    step("Downstream VNIs", downstream::what_red_imports_of_green_goes_into_the_vni_of_green);
    step("Several VTEPs", several_vteps::a_prefix_of_two_vteps_is_spread_over_both);
    step("Ethernet segment", segment::a_segment_is_spread_over_its_vteps_until_one_loses_it);
    step("Wrong L3VNI", control_plane::a_wrong_l3vni_is_followed_until_it_is_right);
    step("Leaked route", control_plane::a_leaked_route_goes_with_the_one_that_it_comes_from);
    step(
        "Overlay index",
        overlay_index::a_network_behind_a_host_is_reached_while_that_host_is_known,
    );
    step("Restart", control_plane::a_restart_leaves_nothing_behind_but_in_the_kernel);
}
