//! What is refused of tenants, of their networks and of IPv6 in networks.

use super::tests::{check, files_refused, with};

const PICTURE: &str = include_str!("../../../../../topologies/tenants.dot");
const INVENTORY: &str = include_str!("../../../../../topologies/tenants.toml");

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    files_refused(PICTURE, &with(INVENTORY, from, to), message);
}

#[test]
fn tenants_may_have_the_same_addresses_and_networks_of_one_tenant_may_not() {
    check(PICTURE, INVENTORY).expect("red and blue have the same addresses");
    refused(
        "tenant = \"blue\"",
        "tenant = \"red\"",
        "network red-web and network blue-web have overlapping subnets",
    );
    refused("10.1.0.12", "10.1.0.11", "address 10.1.0.11 of tenant red is used twice");
}

#[test]
fn a_number_of_a_tenant_that_is_used_or_out_of_range_is_refused() {
    refused("vni = 54001", "vni = 10101", "VNI 10101 is used twice");
    refused("vni = 54001", "vni = 0", "VNI 0 of tenant red is out of range");
    refused("vlan = 4001", "vlan = 101", "VLAN 101 on leaf01 is used twice");
    refused("vlan = 4001", "vlan = 4095", "VLAN 4095 of tenant red is out of range");
}

#[test]
fn a_tenant_without_networks_or_with_a_name_that_no_device_can_have_is_refused() {
    let more = |name: &str| format!("[tenants.{name}]\nvlan = 9\nvni = 9\n[tenants.red]");
    refused("[tenants.red]", &more("grey"), "tenant grey has no network");
    for name in ["lo", "br7", "vlan7", "a-name-that-is-too-long"] {
        refused("[tenants.red]", &more(name), &format!("tenant {name} cannot name its VRF device"));
    }
    let named = INVENTORY.replace("red]", "swp1]").replace("\"red\"", "\"swp1\"");
    files_refused(PICTURE, &named, "port swp1 of leaf01 is used twice");
}

#[test]
fn a_network_of_an_unknown_tenant_or_with_a_wrong_ipv6_gateway_is_refused() {
    refused(
        "tenant = \"red\"",
        "tenant = \"read\"",
        "network red-web is of the unknown tenant read",
    );
    for wrong in ["10.9.0.1/24", "fd00:1::1/127"] {
        let message = format!("gateway6 {wrong} of network red-web is not an IPv6 address");
        refused("fd00:1::1/64", wrong, &message);
    }
}

#[test]
fn an_ipv6_address_of_a_host_has_to_fit_its_network() {
    refused("fd00:1::11\"", "fd00:1::11/64\"", "address6 fd00:1::11/64 of host red1 has a prefix");
    refused("fd00:1::11\"", "fd00:7::11\"", "address6 fd00:7::11 of host red1 is outside");
    refused("gateway6 = \"fd00:1::1/64\"\n", "", "host red1 has an address6, and network red-web");
    refused("fd00:1::12\"", "fd00:1::11\"", "address fd00:1::11 of tenant red is used twice");
}

#[test]
fn tenants_and_vlan_aware_bridges_need_bgp() {
    let written = format!("fabric.control_plane = \"static\"\n{INVENTORY}");
    files_refused(PICTURE, &written, "tenant green needs BGP");
    files_refused(PICTURE, &written, "leaf02 cannot have VLAN-aware bridges");
}

#[test]
fn all_that_is_wrong_with_tenants_is_said_at_once_with_its_line() {
    let wrong = with(INVENTORY, "vni = 54002", "vni = 0");
    let wrong = with(&wrong, "tenant = \"green\"", "tenant = \"grey\"");
    let said = check(PICTURE, &wrong).expect_err("must be refused");
    for message in ["VNI 0 of tenant blue", "the unknown tenant grey"] {
        let line = said.lines().find(|it| it.contains(message)).expect(message);
        assert!(line.contains("tenants.toml line ") || line.contains("t.toml line "), "{line}");
    }
}
