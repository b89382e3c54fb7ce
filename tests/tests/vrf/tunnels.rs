//! Tunnels outside VRFs whose uplinks are in one, or partly. The socket of a vxlan device without `dev` hears of
//! what arrives in a VRF only with `udp_l3mdev_accept` (`inet_bound_dev_eq`), whatever routes say.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{Mac, SPINE1_MAC, SPINE2_MAC},
    device::mac_text,
};

use crate::site::{REPEATS, Site};

const SPINES: [(&str, Mac); 2] = [("203.0.113.1", SPINE1_MAC), ("203.0.113.3", SPINE2_MAC)];

/// A leaf with the VRF blue, whose table is 100.
pub(crate) fn leaf() -> Site {
    let site = Site::new();
    site.ip("link add blue type vrf table 100");
    site.ip("link set blue up");
    site
}

/// Moves a port into a VRF or out of it. The kernel sets it down and up for that and forgets what was
/// behind it, but its address.
pub(crate) fn move_port(site: &Site, port: usize, to: &str) {
    let (spine, mac) = SPINES[port];
    site.ip(&format!("link set up{port} {to}"));
    site.ip(&format!("neigh replace {spine} lladdr {} dev up{port} nud permanent", mac_text(mac)));
}

/// Leads packets to LEAF2 over a port, in the main table or in that of a VRF.
fn lead(site: &Site, port: usize, table: &str) {
    let spine = SPINES[port].0;
    site.ip(&format!("route replace 192.0.2.2/32 via {spine} dev up{port} onlink {table}"));
}

/// That Fabric takes as many of the packets that arrive at a port out of the tunnel as the kernel; how
/// many XDP has taken.
#[track_caller]
fn arrive(site: &Site, port: usize, by_kernel: usize) -> u64 {
    let before = site.met(Reason::Decapsulated);
    assert_eq!(site.judged(|site| site.arrive(port)), by_kernel, "as up{port} gets it");
    site.met(Reason::Decapsulated) - before
}

#[test]
fn what_arrives_in_a_vrf_for_a_tunnel_outside_is_the_kernels_to_accept() {
    let site = leaf();
    assert!(arrive(&site, 0, REPEATS) > 0, "by XDP");
    move_port(&site, 1, "master blue");
    for (accept, delivered) in [("0", 0), ("1", REPEATS), ("0", 0)] {
        site.sysctl("ipv4/udp_l3mdev_accept", accept);
        assert_eq!(arrive(&site, 1, delivered), 0, "no tunnel ends in a VRF");
    }
    // The way to LEAF2 leads out by the VRF's port, by a route of the main table or by a rule.
    lead(&site, 1, "");
    site.settled(|site| site.role("up1") == "underlay");
    assert_eq!(site.judged(Site::leave), [0, REPEATS]);
    assert_eq!(arrive(&site, 1, 0), 0);
    site.sysctl("ipv4/udp_l3mdev_accept", "1");
    assert_eq!(arrive(&site, 1, REPEATS), 0);
    site.sysctl("ipv4/udp_l3mdev_accept", "0");
    lead(&site, 0, "");
    lead(&site, 1, "table 100");
    assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
    site.ip("rule add to 192.0.2.2 lookup 100 pref 99");
    assert_eq!(site.judged(Site::leave), [0, REPEATS]);
    assert_eq!(arrive(&site, 1, 0), 0);
    let encapsulated = site.met(Reason::Encapsulated);
    assert_eq!(site.judged(Site::leave), [0, REPEATS]);
    assert!(site.met(Reason::Encapsulated) > encapsulated, "by XDP");
}

#[test]
fn tunnels_end_at_a_port_that_moves_into_a_vrf_and_out_of_it_only_while_it_is_outside() {
    let site = leaf();
    for _ in 0..2 {
        assert!(arrive(&site, 0, REPEATS) > 0, "by XDP");
        move_port(&site, 0, "master blue");
        // Its routes went with the move.
        assert_eq!(site.judged(Site::leave), [0, 0]);
        assert_eq!(arrive(&site, 0, 0), 0);
        lead(&site, 0, "");
        assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
        assert_eq!(arrive(&site, 0, 0), 0);
        move_port(&site, 0, "nomaster");
        lead(&site, 0, "");
        assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
        site.settled(|site| arrive(site, 0, REPEATS) > 0);
    }
    site.settled(|site| site.problems().is_empty());
}
