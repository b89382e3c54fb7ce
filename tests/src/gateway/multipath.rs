//! A prefix behind two leafs, as zebra writes routes of type 5 that two VTEPs announce: a group of next hops, of which
//! each has the router MAC address of its VTEP.

use std::{collections::BTreeSet, net::IpAddr, time::Instant};

use fabric_common::reason::Reason;

use super::site::{HOST1, LEAF3_ROUTER, REMOTE3, ROUTER_MAC, Site, packets};
use crate::{addresses::Mac, fabric::PATIENCE, packet::Frame};

/// Enough that by chance none of two ways gets all.
const FLOWS: u16 = 32;

/// VTEPs, each with the destination MAC address of what is sent to it.
type Ways = BTreeSet<(IpAddr, Mac)>;

fn way(leaf: u8, router: Mac) -> (IpAddr, Mac) {
    (IpAddr::from([192, 0, 2, leaf]), router)
}

/// The ways of HOST1's flows of either family, once they are those that the kernel takes, by XDP.
#[track_caller]
fn lead(site: &Site, expected: &[(IpAddr, Mac)]) {
    let expected: Ways = expected.iter().copied().collect();
    let flow = |frame: &Frame| -> Vec<Vec<u8>> {
        let flows = (0..FLOWS).map(|flow| frame.clone().ports([1_000 + 7 * flow, 443]));
        flows.map(|frame| frame.bytes()).collect()
    };
    for frame in packets(&HOST1, &REMOTE3, site.gateway_mac(1)) {
        let (flows, start) = (flow(&frame), Instant::now());
        site.bypass(true);
        let kernel = site.ways("acc1", &flows);
        site.bypass(false);
        assert_eq!(kernel.iter().copied().collect::<Ways>(), expected, "the kernel's own");
        loop {
            let before = site.met_of(Reason::Routed);
            let ours = site.ways("acc1", &flows);
            let routed = site.met_of(Reason::Routed) - before;
            if ours.iter().copied().collect::<Ways>() == expected
                && [ours.len() as u64, routed] == [u64::from(FLOWS); 2]
            {
                break;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "ours: {ours:02x?}, {routed} by XDP\n{}",
                site.problems()
            );
        }
    }
}

/// Case FRR-03: flows are spread over both VTEPs, each with its own router MAC address, also when that changes, and
/// when one of the two withdraws the prefix.
pub fn two_leafs_of_a_prefix_have_their_own_router_macs(site: &Site) {
    const NEW: Mac = [2, 0, 0, 9, 3, 0x99];
    site.lead_to_two_leafs();
    let [second, third] = [way(2, ROUTER_MAC), way(3, LEAF3_ROUTER)];
    lead(site, &[second, third]);
    site.know_router_of_leaf3(NEW);
    lead(site, &[second, way(3, NEW)]);
    site.lead_to_leafs("31", "41");
    lead(site, &[second]);
    site.lead_to_leafs("31/32", "41/42");
    lead(site, &[second, way(3, NEW)]);
    site.lead_to_leafs("32", "42");
    lead(site, &[way(3, NEW)]);
    assert_eq!(site.problems(), "");
}
