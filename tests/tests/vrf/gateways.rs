//! Bridges in a VRF as gateways.

use fabric_tests::gateway::{
    Shape, Site, downstream_vnis_are_carried, hosts_reach_every_network,
    outsiders_reach_every_network, stations_of_one_network_reach_each_other,
    the_kernel_gets_what_it_answers, tunnels_reach_every_network, what_does_not_fit_is_answered,
    what_ends_here_is_answered,
};

fn route_as_by_the_kernel(site: &Site) {
    hosts_reach_every_network(site);
    outsiders_reach_every_network(site);
    tunnels_reach_every_network(site);
    the_kernel_gets_what_it_answers(site);
    what_ends_here_is_answered(site);
    what_does_not_fit_is_answered(site);
}

#[test]
fn bridges_in_a_vrf_route_as_by_the_kernel() {
    route_as_by_the_kernel(&Site::new(Shape::BridgesInVrf));
}

#[test]
fn bridges_in_a_vrf_route_above_an_underlay_in_another_vrf() {
    for site in [Site::new(Shape::BridgesInVrfs), Site::over_ipv6(Shape::BridgesInVrfs)] {
        stations_of_one_network_reach_each_other(&site);
        route_as_by_the_kernel(&site);
        assert_eq!(site.problems(), "");
    }
}

#[test]
fn routes_of_a_vrf_lead_into_downstream_vnis() {
    downstream_vnis_are_carried(&Site::new(Shape::BridgesInVrf));
}
