//! Bridges in a VRF as gateways.

use fabric_tests::gateway::{
    Shape, Site, downstream_vnis_are_carried, hosts_reach_every_network,
    outsiders_reach_every_network, the_kernel_gets_what_it_answers, tunnels_reach_every_network,
    what_does_not_fit_is_answered, what_ends_here_is_answered,
};

#[test]
fn bridges_in_a_vrf_route_as_by_the_kernel() {
    let site = Site::new(Shape::BridgesInVrf);
    hosts_reach_every_network(&site);
    outsiders_reach_every_network(&site);
    tunnels_reach_every_network(&site);
    the_kernel_gets_what_it_answers(&site);
    what_ends_here_is_answered(&site);
    what_does_not_fit_is_answered(&site);
}

#[test]
fn routes_of_a_vrf_lead_into_downstream_vnis() {
    downstream_vnis_are_carried(&Site::new(Shape::BridgesInVrf));
}
