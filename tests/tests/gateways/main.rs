//! Where a bridge has an address, the kernel routes for its hosts: between the networks of a leaf, to the hosts
//! of another, by a router MAC, in and out.

use fabric_tests::gateway::{
    Shape, Site, a_prefix_behind_a_host_goes_where_that_host_is, downstream_vnis_are_carried,
    downstream_vnis_are_taken_over, downstream_vnis_die_with_their_device,
    downstream_vnis_follow_what_holds_for_ipv6_at_their_device,
    downstream_vnis_follow_what_next_hops_follow,
    downstream_vnis_go_from_the_address_that_the_kernel_sends_from,
    gateways_and_ways_through_them_are_shown, hosts_in_use_are_asked_for,
    hosts_reach_every_network, interfaces_without_ipv6_pass_none, outsiders_reach_every_network,
    stations_of_one_network_reach_each_other, the_device_of_downstream_vnis_is_chosen_as_a_port_is,
    the_kernel_gets_what_it_answers, tunnels_over_ipv6_need_it_at_the_port,
    tunnels_reach_every_network, two_leafs_of_a_prefix_have_their_own_router_macs,
    what_does_not_fit_is_answered, what_ends_here_is_answered,
    what_leads_nowhere_is_answered_as_by_the_kernel, what_no_router_forwards_goes_nowhere,
};

#[test]
fn a_host_reaches_every_network_by_its_gateway() {
    hosts_reach_every_network(&Site::new(Shape::Bridges));
}

#[test]
fn what_comes_from_outside_reaches_every_network() {
    outsiders_reach_every_network(&Site::new(Shape::Bridges));
}

#[test]
fn what_a_tunnel_brings_to_a_gateway_is_routed_on() {
    tunnels_reach_every_network(&Site::new(Shape::Bridges));
}

#[test]
fn what_the_kernel_answers_or_decides_goes_to_it() {
    the_kernel_gets_what_it_answers(&Site::new(Shape::Bridges));
}

#[test]
fn routes_into_downstream_vnis_are_carried_over_both_underlays() {
    downstream_vnis_are_carried(&Site::new(Shape::Bridges));
    downstream_vnis_are_carried(&Site::over_ipv6(Shape::Bridges));
}

#[test]
fn routes_into_downstream_vnis_follow_what_next_hops_follow() {
    downstream_vnis_follow_what_next_hops_follow(&Site::new(Shape::Bridges));
}

#[test]
fn the_single_vxlan_device_of_downstream_vnis_is_chosen_as_a_port_is() {
    the_device_of_downstream_vnis_is_chosen_as_a_port_is(&Site::new(Shape::Bridges));
}

#[test]
fn the_thread_that_watches_links_ends_downstream_vnis_with_their_device() {
    downstream_vnis_die_with_their_device(&Site::new(Shape::Bridges));
}

#[test]
fn a_source_address_that_changes_alone_is_that_of_downstream_vnis() {
    downstream_vnis_go_from_the_address_that_the_kernel_sends_from(&Site::new(Shape::Bridges));
}

#[test]
fn downstream_vnis_are_taken_over_by_the_next_daemon_as_they_are() {
    downstream_vnis_are_taken_over(&mut Site::new(Shape::Bridges));
}

#[test]
fn times_exceeded_and_mtus_are_told_as_by_the_kernel() {
    let site = Site::new(Shape::Bridges);
    what_ends_here_is_answered(&site);
    what_does_not_fit_is_answered(&site);
}

#[test]
fn gateways_route_over_an_ipv6_underlay_and_what_does_not_fit_there_is_answered() {
    let site = Site::over_ipv6(Shape::Bridges);
    hosts_reach_every_network(&site);
    tunnels_reach_every_network(&site);
    what_ends_here_is_answered(&site);
    what_does_not_fit_is_answered(&site);
}

#[test]
fn stations_of_one_network_are_bridged_beside_their_gateways() {
    stations_of_one_network_reach_each_other(&Site::new(Shape::Bridges));
    stations_of_one_network_reach_each_other(&Site::over_ipv6(Shape::Bridges));
}

#[test]
fn flows_to_a_prefix_of_two_vteps_have_the_router_mac_of_each() {
    two_leafs_of_a_prefix_have_their_own_router_macs(&Site::new(Shape::Bridges));
}

#[test]
fn packets_for_a_prefix_behind_a_host_follow_that_host() {
    a_prefix_behind_a_host_goes_where_that_host_is(&Site::new(Shape::Bridges));
}

#[test]
fn what_no_router_forwards_vanishes_at_gateways_as_by_the_kernel() {
    what_no_router_forwards_goes_nowhere(&Site::new(Shape::Bridges));
}

#[test]
fn routes_that_lead_nowhere_are_answered_through_gateways_as_by_the_kernel() {
    what_leads_nowhere_is_answered_as_by_the_kernel(&Site::new(Shape::Bridges));
}

#[test]
fn a_host_behind_a_gateway_is_asked_for_while_packets_go_to_it_and_not_otherwise() {
    let site = Site::new(Shape::Bridges);
    gateways_and_ways_through_them_are_shown(&site);
    hosts_in_use_are_asked_for(&site);
}

#[test]
fn where_ipv6_is_switched_off_none_is_routed_as_by_the_kernel() {
    interfaces_without_ipv6_pass_none(&Site::new(Shape::Bridges));
}

#[test]
fn downstream_vnis_have_ipv6_and_its_mtu_of_their_device() {
    downstream_vnis_follow_what_holds_for_ipv6_at_their_device(&Site::new(Shape::Bridges));
}

#[test]
fn tunnels_over_ipv6_end_where_it_is_switched_off_at_their_port() {
    tunnels_over_ipv6_need_it_at_the_port(&Site::over_ipv6(Shape::Bridges));
}
