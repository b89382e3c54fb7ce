//! NetBox and a fabric in, findings out.

use super::*;
use crate::audit::{
    fabric::tests::{Made, fabric},
    model::{Address, L2vpn, Prefix, Sites, Table, Vlan, Vrf, VrfRecord},
    networks::parse,
};

/// What NetBox says, for a test.
#[derive(Default)]
struct Said(Records);

impl Said {
    fn prefix(
        &mut self,
        vrf: Option<&str>,
        text: &str,
        status: &str,
        vlan: Option<usize>,
        site: Option<&str>,
    ) {
        self.0.prefixes.push(Prefix {
            network: parse(text).unwrap(),
            vrf: vrf.map_or(Vrf::DEFAULT, Vrf::named),
            table: String::new(),
            status: status.into(),
            vlan,
            sites: site.map_or(Sites::Anywhere, |site| Sites::one(&site.into())),
        });
    }

    fn vlan(&mut self, vid: u16, name: &str, vni: Option<u32>, site: Option<&str>) -> usize {
        let place = self.0.vlans.len();
        let l2vpn = vni.map(|vni| {
            let known = self.0.l2vpns.iter().position(|l2vpn| l2vpn.identifier == Some(vni));
            known.unwrap_or_else(|| {
                self.l2vpn(name, vni);
                self.0.l2vpns.len() - 1
            })
        });
        if let Some(l2vpn) = l2vpn {
            self.0.l2vpns[l2vpn].vlans.push(place);
        }
        let sites = site.map_or(Sites::Anywhere, |site| Sites::one(&site.into()));
        self.0.vlans.push(Vlan { vid, name: name.into(), status: "active".into(), sites, l2vpn });
        place
    }

    fn l2vpn(&mut self, name: &str, vni: u32) {
        let (name, identifier) = (name.into(), Some(vni));
        self.0.l2vpns.push(L2vpn { name, identifier, is_vxlan: true, ..L2vpn::default() });
    }
}

/// Two sites with a leaf each, a network that is on both, and one that each has alone; NetBox says so.
fn healthy() -> (Said, Made, Made) {
    let mut said = Said::default();
    said.0.vrfs.push(VrfRecord { name: "red".into(), rd: None });
    let app = said.vlan(200, "app", Some(10200), None);
    let one = said.vlan(300, "log", Some(10300), Some("a"));
    let two = said.vlan(300, "web", Some(10301), Some("b"));
    said.prefix(None, "10.0.0.0/8", "container", None, None);
    said.prefix(Some("red"), "10.2.0.0/24", "active", Some(app), None);
    said.prefix(None, "10.3.0.0/24", "active", Some(one), Some("a"));
    said.prefix(None, "10.3.1.0/24", "active", Some(two), Some("b"));
    said.prefix(None, "10.255.0.0/24", "active", None, None);
    let leaf = |loopback: &str, vni: u32, gateway: &str| {
        let mut made = Made::default();
        made.vrf("red", Some(4007));
        let svi = made.network(200, Some(10200), Some("red"));
        made.address(svi, "10.2.0.1/24");
        let svi = made.network(300, Some(vni), None);
        made.address(svi, gateway);
        made.route_away(None, loopback);
        made
    };
    let mut one = leaf("10.255.0.2/32", 10300, "10.3.0.1/24");
    one.host_of_frr(10200, "10.2.0.7");
    one.host_of_frr(10300, "10.3.0.7");
    let mut two = leaf("10.255.0.1/32", 10301, "10.3.1.1/24");
    two.host_of_frr(10200, "10.2.0.7");
    (said, one, two)
}

fn compared(said: &Said, one: Made, two: Made) -> Vec<Finding> {
    let found = compare(&said.0, &fabric(vec![("leaf1", "a", one), ("leaf2", "b", two)]));
    assert!(found.unplaced.is_empty(), "{:?}", found.unplaced);
    found.findings
}

fn ids(said: &Said, one: Made, two: Made) -> Vec<String> {
    compared(said, one, two).into_iter().map(|finding| finding.id).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn where_both_say_the_same_there_is_no_finding() {
    let (said, one, two) = healthy();
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn an_active_prefix_without_a_gateway_is_found_and_says_where_its_vlan_is() {
    let (mut said, mut one, mut two) = healthy();
    let vlan = said.vlan(500, "bare", Some(10500), None);
    said.prefix(Some("red"), "10.5.0.0/24", "active", Some(vlan), None);
    said.prefix(None, "10.6.0.0/24", "active", None, None);
    one.network(500, Some(10500), None);
    two.network(500, Some(10500), None);
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(
        told,
        ["prefix_without_gateway/default/10.6.0.0/24", "prefix_without_gateway/red/10.5.0.0/24"]
    );
    assert_eq!(found[1].netbox, "is active, in VLAN bare (500)");
    assert_eq!(
        found[1].fabric,
        "VLAN bare (500) is carried at leaf1 and leaf2 (VNI 10500), without an address in it"
    );
}

#[test]
fn a_prefix_whose_gateway_is_at_a_box_that_is_not_audited_is_no_finding() {
    let (mut said, mut one, two) = healthy();
    let vlan = said.vlan(500, "far", None, Some("c"));
    said.prefix(Some("red"), "10.5.0.0/24", "active", Some(vlan), None);
    said.prefix(None, "10.6.0.0/24", "active", Some(vlan), Some("c"));
    one.route_away(Some("red"), "10.5.0.0/24");
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn what_lies_nobody_knows_where_is_no_finding_and_is_told_of_apart() {
    let (mut said, one, two) = healthy();
    let vlan = said.vlan(500, "grouped", Some(10500), None);
    said.0.vlans[vlan].sites = Sites::Unknown;
    for (vrf, prefix) in [(None, "10.6.0.0/24"), (Some("green"), "10.5.0.0/24")] {
        said.prefix(vrf, prefix, "active", None, None);
        said.0.prefixes.last_mut().unwrap().sites = Sites::Unknown;
    }
    said.l2vpn("wire", 10950);
    said.0.l2vpns.last_mut().unwrap().interfaces = 2;
    let found = compare(&said.0, &fabric(vec![("leaf1", "a", one), ("leaf2", "b", two)]));
    assert_eq!(found.findings, []);
    let told: Vec<&str> = found.unplaced.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(
        told,
        [
            "prefix_without_gateway/default/10.6.0.0/24",
            "vrf_missing/green",
            "l2vpn_missing/10500",
            "l2vpn_missing/10950",
        ]
    );
    assert_eq!(found.unplaced[3].netbox, "has 2 interfaces in it");
}

#[test]
fn while_the_site_of_a_box_is_not_known_nothing_of_a_site_is_missed() {
    let (mut said, one, two) = healthy();
    said.prefix(None, "10.6.0.0/24", "active", None, Some("c"));
    said.prefix(None, "10.6.1.0/24", "active", None, Some("a"));
    let mut fabric = fabric(vec![("leaf1", "a", one), ("leaf2", "b", two)]);
    let ids = |found: Vec<Finding>| found.into_iter().map(|it| it.id).collect::<Vec<_>>();
    let found = compare(&said.0, &fabric);
    assert_eq!(ids(found.findings), ["prefix_without_gateway/default/10.6.1.0/24"]);
    assert!(found.unplaced.is_empty(), "{:?}", found.unplaced);
    fabric.boxes[1].site = None;
    let found = compare(&said.0, &fabric);
    assert_eq!(ids(found.findings), ["prefix_without_gateway/default/10.6.1.0/24"]);
    assert_eq!(ids(found.unplaced), ["prefix_without_gateway/default/10.6.0.0/24"]);
}

#[test]
fn a_prefix_without_a_site_lies_where_its_vlan_does() {
    let (mut said, one, two) = healthy();
    let far = said.vlan(500, "far", None, Some("c"));
    said.prefix(None, "10.5.0.0/24", "active", Some(far), None);
    said.prefix(Some("green"), "10.5.1.0/24", "active", Some(far), None);
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn an_active_prefix_that_only_holds_others_needs_no_gateway() {
    let (mut said, one, two) = healthy();
    said.prefix(None, "10.3.0.0/16", "active", None, None);
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn a_gateway_outside_prefixes_is_found_with_what_netbox_has_there() {
    let (mut said, mut one, two) = healthy();
    said.prefix(None, "10.7.0.0/24", "active", None, None);
    for (vid, address) in [(600, "10.6.0.1/24"), (700, "10.7.0.1/25"), (800, "10.0.0.1/8")] {
        let svi = one.network(vid, None, None);
        one.address(svi, address);
    }
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.netbox.as_str())).collect();
    assert_eq!(
        told,
        [
            ("gateway_outside/default/10.0.0.0/8", "10.0.0.0/8 is a container"),
            ("gateway_outside/default/10.6.0.0/24", "has no prefix there"),
            ("gateway_outside/default/10.7.0.0/25", "has 10.7.0.0/24 there"),
        ]
    );
}

#[test]
fn the_hosts_of_a_gateway_outside_prefixes_are_no_findings_of_their_own() {
    let (said, mut one, two) = healthy();
    let svi = one.network(600, None, None);
    one.address(svi, "172.16.6.1/24");
    one.host(svi, "172.16.6.7");
    assert_eq!(ids(&said, one, two), ["gateway_outside/default/172.16.6.0/24"]);
}

#[test]
fn another_vni_on_a_box_is_one_finding_that_names_whose_it_is() {
    let (mut said, one, _) = healthy();
    said.l2vpn("spare", 10201);
    let mut two = Made::default();
    two.vrf("red", Some(4007));
    for (vid, vni, vrf, gateway) in
        [(200, 10201, Some("red"), "10.2.0.1/24"), (300, 10301, None, "10.3.1.1/24")]
    {
        let svi = two.network(vid, Some(vni), vrf);
        two.address(svi, gateway);
    }
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(told, ["vni_other/leaf2/200"]);
    assert_eq!(found[0].netbox, "has VNI 10200");
    assert_eq!(found[0].fabric, "br200 has VNI 10201");
    assert!(found[0].likely.contains("L2VPN spare (10201)"), "{}", found[0].likely);
}

#[test]
fn a_stretched_vlan_without_its_vni_on_a_site_is_found_and_the_rule_is_said() {
    let (mut said, mut one, mut two) = healthy();
    said.vlan(500, "wide", Some(10500), None);
    let by_prefixes = said.vlan(600, "both", Some(10600), Some("a"));
    said.prefix(None, "10.6.0.0/24", "active", Some(by_prefixes), Some("a"));
    said.prefix(None, "10.6.1.0/24", "active", Some(by_prefixes), Some("b"));
    said.vlan(700, "east", Some(10700), Some("a"));
    said.vlan(701, "west", Some(10700), Some("b"));
    for (vid, vni, address) in
        [(500, 10500, None), (600, 10600, Some(["10.6.0.1/24", "10.6.1.1/24"])), (700, 10700, None)]
    {
        let svi = one.network(vid, Some(vni), None);
        for address in address.into_iter().flatten() {
            one.address(svi, address);
        }
    }
    two.network(701, None, None);
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.netbox.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "vni_missing/10500/b",
                "neither it nor its group has a site, so it is at all of a and b"
            ),
            ("vni_missing/10600/b", "its prefixes lie at a and b"),
            ("vni_missing/10700/b", "what is in it lies at a and b"),
        ]
    );
    assert_eq!(found[2].likely, "br701 of leaf2 has the VLAN and no vxlan device for it");
}

#[test]
fn a_vlan_of_one_site_is_missed_nowhere_else() {
    let (mut said, mut one, two) = healthy();
    said.vlan(500, "near", Some(10500), Some("a"));
    one.network(500, Some(10500), None);
    said.vlan(600, "far", Some(10600), Some("c"));
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn prefixes_that_are_routed_and_not_active_are_found_and_containers_are_not() {
    let (mut said, mut one, two) = healthy();
    said.prefix(None, "10.8.0.0/24", "planned", None, None);
    said.prefix(Some("red"), "10.9.0.0/24", "deprecated", None, None);
    let svi = one.network(800, None, None);
    one.address(svi, "10.8.0.1/24");
    one.route_away(Some("red"), "10.9.0.0/24");
    one.route_away(None, "10.0.0.0/8");
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.fabric.as_str())).collect();
    assert_eq!(
        told,
        [
            ("routed_not_active/default/10.8.0.0/24", "routed at leaf1, with its gateway at leaf1"),
            ("routed_not_active/red/10.9.0.0/24", "routed at leaf1"),
        ]
    );
}

#[test]
fn a_route_for_a_part_of_a_prefix_that_is_not_active_is_found_unless_the_part_has_its_own_status() {
    let (mut said, mut one, two) = healthy();
    said.prefix(None, "10.9.0.0/16", "deprecated", None, None);
    said.prefix(None, "10.9.2.0/24", "active", None, None);
    one.route_away(None, "10.9.2.0/24");
    let (same, again, other) = (said.0.clone(), one, two);
    let mut one = again.clone();
    assert_eq!(ids(&Said(same), again, other.clone()), NONE);
    one.route_away(None, "10.9.1.0/24");
    let found = compared(&said, one, other);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.fabric.as_str())).collect();
    let expected = "10.9.1.0/24 of it routed at leaf1";
    assert_eq!(told, [("routed_not_active/default/10.9.0.0/16", expected)]);
}

#[test]
fn a_gateway_of_another_length_in_a_deprecated_prefix_is_one_finding() {
    let (mut said, mut one, two) = healthy();
    said.prefix(None, "10.8.0.0/24", "deprecated", None, None);
    let svi = one.network(800, None, None);
    one.address(svi, "10.8.0.1/25");
    assert_eq!(ids(&said, one, two), ["gateway_outside/default/10.8.0.0/25"]);
}

#[test]
fn an_address_that_was_given_up_and_is_a_boxs_own_is_found_and_a_reserved_one_is_not() {
    let (mut said, one, two) = healthy();
    let address = |address: &str, status: &str| Address {
        address: address.parse().unwrap(),
        vrf: Vrf::DEFAULT,
        status: status.into(),
    };
    said.0.addresses = vec![address("10.3.0.1", "deprecated"), address("10.3.1.1", "reserved")];
    let found = compared(&said, one, two);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&*found[0].id, &*found[0].fabric),
        ("in_use/default/10.3.0.1", "leaf1 has it itself")
    );
}

#[test]
fn what_another_box_has_itself_is_no_host() {
    let (mut said, mut one, mut two) = healthy();
    let vlan = said.vlan(500, "transfer", Some(10500), None);
    said.prefix(None, "10.5.0.0/24", "active", Some(vlan), None);
    for (made, address) in [(&mut one, "10.5.0.1/24"), (&mut two, "10.5.0.2/24")] {
        let svi = made.network(500, Some(10500), None);
        made.address(svi, address);
    }
    one.host_of_frr(10500, "10.5.0.2");
    said.0.addresses = vec![Address {
        address: "10.5.0.2".parse().unwrap(),
        vrf: Vrf::DEFAULT,
        status: "reserved".into(),
    }];
    assert_eq!(ids(&said, one, two), NONE);
}

#[test]
fn what_is_reserved_or_deprecated_and_in_use_is_found() {
    let (mut said, mut one, two) = healthy();
    let vlan = said.vlan(800, "old", Some(10800), Some("a"));
    said.0.vlans[vlan].status = "deprecated".into();
    said.prefix(None, "10.8.0.0/24", "reserved", None, None);
    let svi = one.network(800, Some(10800), None);
    one.address(svi, "10.8.0.1/24");
    one.host(svi, "10.8.0.7");
    let address = |address: &str, vrf| Address {
        address: address.parse().unwrap(),
        vrf,
        status: "deprecated".into(),
    };
    said.0.addresses = vec![
        address("10.2.0.7", Vrf::named("red")),
        address("10.2.0.7", Vrf::DEFAULT),
        address("10.8.0.7", Vrf::DEFAULT),
    ];
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(
        told,
        ["in_use/default/10.8.0.0/24", "in_use/red/10.2.0.7", "in_use/vlan/800/a/old"]
    );
    assert_eq!(found[0].fabric, "its gateway is at leaf1; 1 host in it: 10.8.0.7");
}

#[test]
fn hosts_outside_any_prefix_are_told_of_by_block() {
    let (said, mut one, two) = healthy();
    for last in 1..=6 {
        one.host_of_frr(10200, &format!("192.168.7.{last}"));
    }
    one.host_of_frr(10200, "2001:db8:7::1");
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.what.as_str())).collect();
    assert_eq!(
        told,
        [
            ("host_outside/red/192.168.7.0/24/vni10200", "6 hosts of 192.168.7.0/24 in br200"),
            ("host_outside/red/2001:db8:7::/64/vni10200", "1 host of 2001:db8:7::/64 in br200"),
        ]
    );
    assert!(found[0].fabric.contains("and 2 more"), "{}", found[0].fabric);
}

#[test]
fn a_host_in_another_vlans_prefix_is_found_with_both_vlans() {
    let (mut said, mut one, two) = healthy();
    let vlan = said.vlan(400, "db", Some(10400), Some("a"));
    said.prefix(Some("red"), "10.4.0.0/24", "active", Some(vlan), None);
    let svi = one.network(400, Some(10400), Some("red"));
    one.address(svi, "10.4.0.1/24");
    one.host_of_frr(10400, "10.2.0.99");
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(told, ["host_elsewhere/red/10.2.0.0/24/400"]);
    assert_eq!(found[0].netbox, "10.2.0.0/24 belongs to VLAN app (200)");
    assert!(found[0].fabric.ends_with("at leaf1, in VLAN db (400)"), "{}", found[0].fabric);
}

#[test]
fn vrfs_that_one_side_has_alone_are_one_finding_each_whatever_is_in_them() {
    let (mut said, mut one, two) = healthy();
    said.0.vrfs.push(VrfRecord { name: "green".into(), rd: None });
    said.prefix(Some("green"), "10.5.0.0/24", "active", None, None);
    said.prefix(Some("green"), "10.5.1.0/24", "active", None, None);
    one.vrf("blue", None);
    let svi = one.network(600, None, Some("blue"));
    one.address(svi, "10.6.0.1/24");
    one.host(svi, "10.6.0.7");
    one.host(svi, "10.7.0.7");
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.netbox.as_str())).collect();
    assert_eq!(
        told,
        [
            ("vrf_missing/green", "has 2 active prefixes in it"),
            ("vrf_unknown/blue", "has no VRF of that name"),
        ]
    );
}

#[test]
fn a_prefix_in_another_vrf_is_one_finding_and_not_a_missing_and_a_strange_one() {
    let (mut said, mut one, two) = healthy();
    said.prefix(Some("red"), "10.6.0.0/24", "active", None, None);
    let svi = one.network(600, None, None);
    one.address(svi, "10.6.0.1/24");
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(told, ["vrf_other/red/10.6.0.0/24"]);
    assert_eq!(found[0].fabric, "its gateway at leaf1 is in the default VRF");
}

#[test]
fn an_l3vni_is_compared_where_an_l2vpn_has_the_name_of_the_vrf() {
    let (mut said, one, two) = healthy();
    said.l2vpn("red", 4008);
    let found = compared(&said, one, two);
    let told: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(told, ["l3vni_other/red"]);
    assert_eq!(found[0].fabric, "is 4007 at leaf1 and leaf2");
    said.0.l2vpns.last_mut().unwrap().identifier = Some(4007);
    let (_, one, two) = healthy();
    assert_eq!(ids(&said, one, two), NONE);
    said.0.vrfs.push(VrfRecord { name: "bare".into(), rd: None });
    said.l2vpn("bare", 4009);
    let (_, mut one, two) = healthy();
    one.vrf("bare", None);
    let found = compared(&said, one, two);
    assert_eq!(found[0].id, "l3vni_other/bare");
    assert_eq!(found[0].fabric, "is missing at leaf1");
}

#[test]
fn l2vpns_that_one_side_has_alone_or_has_otherwise_are_found() {
    let (mut said, mut one, mut two) = healthy();
    said.vlan(500, "gone", Some(10500), None);
    let planned = said.vlan(600, "soon", Some(10600), Some("a"));
    let l2vpn = said.0.vlans[planned].l2vpn.unwrap();
    said.0.l2vpns[l2vpn].status = Some("planned".into());
    one.network(600, Some(10600), None);
    one.network(700, Some(10700), None);
    said.vlan(900, "alone", None, Some("b"));
    two.network(900, Some(10900), None);
    let found = compared(&said, one, two);
    let told: Vec<(&str, &str)> =
        found.iter().map(|finding| (finding.id.as_str(), finding.netbox.as_str())).collect();
    assert_eq!(
        told,
        [
            ("l2vpn_missing/10500", "has VLAN gone (500) in it"),
            ("l2vpn_unknown/10700", "has no L2VPN of that identifier"),
            ("l2vpn_unknown/10900", "has no VNI for VLAN alone (900)"),
            ("l2vpn_other/10600", "is planned"),
        ]
    );
}

#[test]
fn the_vni_of_one_vlan_under_another_vlan_is_found() {
    let (mut said, mut one, two) = healthy();
    said.vlan(500, "right", Some(10500), Some("a"));
    said.vlan(501, "wrong", None, Some("a"));
    one.network(501, Some(10500), None);
    assert_eq!(ids(&said, one, two), ["l2vpn_other/10500"]);
}

#[test]
fn what_netbox_has_twice_is_found_and_an_active_twin_counts() {
    let (mut said, one, two) = healthy();
    said.prefix(None, "10.3.0.0/24", "deprecated", None, None);
    said.l2vpn("copy", 10200);
    assert_eq!(ids(&said, one, two), ["duplicate/default/10.3.0.0/24", "duplicate/vni/10200"]);
}

#[test]
fn a_prefix_in_two_vrfs_of_one_name_is_no_duplicate() {
    let (mut said, one, two) = healthy();
    said.prefix(Some("red"), "10.2.0.0/24", "active", Some(0), None);
    said.0.prefixes.last_mut().unwrap().table = "7".into();
    assert_eq!(ids(&said, one.clone(), two.clone()), NONE);
    said.prefix(Some("red"), "10.2.0.0/24", "reserved", Some(0), None);
    said.0.prefixes.last_mut().unwrap().table = "7".into();
    let found = compared(&said, one, two);
    assert_eq!(found[0].netbox, "stands 2 times, as active and reserved");
}

#[test]
fn what_boxes_have_in_no_vrf_may_have_a_vrf_in_netbox() {
    let mut said = Said::default();
    said.0.vrfs = vec![VrfRecord { name: "Underlay".into(), rd: None }];
    said.prefix(Some("Underlay"), "10.3.0.0/24", "active", None, None);
    let mut made = Made::default();
    let svi = made.network(300, None, None);
    made.address(svi, "10.3.0.1/24");
    let mut fabric = fabric(vec![("leaf1", "a", made)]);
    let count = |fabric: &_| compare(&said.0, fabric).findings.len();
    assert_eq!(count(&fabric), 2, "one for each side");
    fabric.rename(&said.0, &[("default".to_owned(), "Underlay".to_owned())].into());
    assert_eq!(count(&fabric), 0);
}

#[test]
fn what_was_not_read_is_not_compared() {
    let (mut said, mut one, two) = healthy();
    one.network(700, Some(10700), None);
    one.vrf("blue", None);
    said.0.lacks(Table::L2vpns, "kept from the token");
    said.0.lacks(Table::Vrfs, "kept from the token");
    assert_eq!(ids(&said, one, two), NONE);
}

/// As many as a large fabric has: what is looked up for each of them has to be found at once.
#[test]
fn ten_thousand_prefixes_are_compared_with_as_many_gateways() {
    let mut said = Said::default();
    let mut one = Made::default();
    for number in 0..10_000_u32 {
        let (high, low) = (number >> 8, number & 0xff);
        let vid = (number % 4000 + 1) as u16;
        let vlan = said.vlan(vid, &format!("n{number}"), Some(10_000 + number), None);
        said.prefix(None, &format!("10.{high}.{low}.0/24"), "active", Some(vlan), None);
        if number % 100 == 0 {
            continue;
        }
        let svi = one.network(vid, Some(10_000 + number), None);
        one.address(svi, &format!("10.{high}.{low}.1/24"));
        one.host(svi, &format!("10.{high}.{low}.7"));
    }
    let found = compared(&said, one, Made::default());
    let of = |kind: Kind| found.iter().filter(|finding| finding.kind == kind).count();
    assert_eq!(of(Kind::PrefixWithoutGateway), 100);
    assert_eq!(of(Kind::L2vpnMissing), 100);
    // The other site has a box and none of them.
    assert_eq!(of(Kind::VniMissing), 9900);
    assert_eq!(found.len(), 10_100);
}
