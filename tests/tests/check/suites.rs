//! Every topology is as its own suite says. Tenants, which need VRFs, are in `tests/tenants`.

use fabric_tests::fabric::Fabric;

#[test]
fn two_sites_are_as_their_suite_says_also_when_a_link_is_lost_and_a_host_moves() {
    Fabric::two_sites_alone().passes("two-sites");
}

#[test]
fn a_pair_of_leafs_is_as_its_suite_says() {
    Fabric::pair().passes("pair");
}

#[test]
fn an_underlay_with_bfd_and_ipv6_is_as_its_suite_says() {
    Fabric::underlay().passes("underlay");
}

#[test]
fn anycast_services_are_as_their_suite_says() {
    Fabric::anycast().passes("anycast");
}

#[test]
fn servers_with_vteps_are_as_their_suite_says() {
    Fabric::evpn_on_host().passes("evpn-on-host");
}

#[test]
fn exits_and_providers_are_as_their_suite_says() {
    Fabric::exits().passes("exits");
}

#[test]
fn a_fabric_without_a_control_plane_is_as_its_suite_says() {
    Fabric::without_control_plane().passes("static");
}
