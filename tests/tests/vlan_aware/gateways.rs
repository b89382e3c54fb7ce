//! VLAN devices on a VLAN-aware bridge as gateways.

use fabric_tests::gateway::{
    Shape, Site, downstream_vnis_are_carried, hosts_reach_every_network,
    outsiders_reach_every_network, the_kernel_gets_what_it_answers, tunnels_reach_every_network,
    what_does_not_fit_is_answered, what_ends_here_is_answered,
};

#[test]
fn vlan_devices_route_as_by_the_kernel() {
    let site = Site::new(Shape::Vlans);
    hosts_reach_every_network(&site);
    outsiders_reach_every_network(&site);
    tunnels_reach_every_network(&site);
    the_kernel_gets_what_it_answers(&site);
    what_ends_here_is_answered(&site);
    what_does_not_fit_is_answered(&site);
}

#[test]
fn routes_out_of_a_single_vxlan_device_lead_into_downstream_vnis() {
    downstream_vnis_are_carried(&Site::new(Shape::Vlans));
}
