//! A prefix behind a host of a stretched network, as routes of type 5 with a gateway address say it (the overlay index of
//! RFC 9136 §4.1): as long as that host is known, zebra has a route by way of it.

use fabric_common::reason::Reason;

use super::site::{HOST1, HOST2, REMOTE1, Site, VNIS, packets, station};
use crate::addresses::Station;

/// In the network behind the host.
const BEHIND: Station = station(7, 7);

/// Case FRR-04: packets follow the host to wherever it is, and go nowhere without it.
pub fn a_prefix_behind_a_host_goes_where_that_host_is(site: &Site) {
    let sent = || packets(&HOST2, &BEHIND, site.gateway_mac(2)).map(|packet| packet.bytes());
    let goes_to = |host: &Station, port: &str, vni: Option<u32>| {
        for packet in sent() {
            let (at, tunnel, frame) = site.routed("acc2", &packet);
            assert_eq!((at, tunnel, &frame[..6]), (port, vni, &host.mac[..]));
        }
    };
    let goes_nowhere = || {
        for packet in sent() {
            site.judged("acc2", &packet, Reason::TransitRouteNone);
        }
    };
    goes_nowhere();
    site.lead_over(Some(&REMOTE1));
    goes_to(&REMOTE1, "up0", Some(VNIS[0]));
    site.lead_over(None);
    goes_nowhere();
    site.lead_over(Some(&HOST1));
    goes_to(&HOST1, "acc1", None);
    site.move_host1_to_leaf2();
    goes_to(&HOST1, "up0", Some(VNIS[0]));
    assert_eq!(site.problems(), "");
}
