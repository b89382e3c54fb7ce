//! Both sides of the audit: NetBox's rows are in `data.json`, and here is what two leafs forward. Each kind of finding is
//! there at least once, and things of a site without an audited leaf, which are not to be missed.

use fabric_user::facts::Facts;

use crate::leaf::Leaf;

/// Tables with their rows, in the order in which they can be made: numbers that they name are those that an empty NetBox
/// gives.
pub(crate) const ROWS: &str = include_str!("data.json");

/// Two leafs at Amsterdam and Berlin.
pub(crate) fn leafs() -> [(&'static str, Facts); 2] {
    let mut one = Leaf::new("leaf1.example.net");
    one.vrf("red", Some(4007));
    one.vrf("tenant-b-(old)", None);
    one.vrf("stray", None);
    let app = one.network(200, Some(10200), Some("red"));
    one.gateway(app, "10.2.0.1/24");
    one.gateway(app, "2001:db8:2::1/64");
    one.host(10200, "10.2.0.7");
    one.host(10200, "192.168.7.9");
    for (vid, vni, vrf, address) in [
        (300, Some(10300), None, "10.3.0.1/24"),
        (400, Some(10400), Some("red"), "10.4.0.1/24"),
        (120, None, Some("tenant-b-(old)"), "10.12.0.1/24"),
        (600, None, None, "10.6.0.1/24"),
        (660, None, None, "10.66.0.1/24"),
        (800, None, None, "10.8.0.1/24"),
        (960, None, Some("stray"), "10.96.0.1/24"),
    ] {
        let network = one.network(vid, vni, vrf);
        one.gateway(network, address);
    }
    one.host(10300, "10.3.0.7");
    one.host(10400, "10.2.0.99");
    for vid in [500, 610, 620, 630, 650, 700, 810, 950] {
        one.network(vid, Some(10_000 + u32::from(vid)), None);
    }
    one.route_away(None, "10.255.0.2/32");
    one.route_away(Some("red"), "10.9.0.0/24");

    let mut two = Leaf::new("leaf2");
    two.vrf("red", Some(4007));
    let app = two.network(200, Some(10200), Some("red"));
    two.gateway(app, "10.2.0.1/24");
    two.gateway(app, "2001:db8:2::1/64");
    two.host(10200, "10.2.0.7");
    let web = two.network(300, Some(10301), None);
    two.gateway(web, "10.3.1.1/24");
    two.network(500, Some(10500), None);
    two.network(630, Some(10631), None);
    two.route_away(None, "10.255.0.1/32");
    [one.facts(), two.facts()]
}

/// What an audit finds over the API, in its order.
pub(crate) const FINDINGS: [&str; 22] = [
    "prefix_without_gateway/default/10.7.0.0/24",
    "prefix_without_gateway/red/10.5.0.0/24",
    "gateway_outside/default/10.6.0.0/24",
    "vni_missing/10610/Berlin",
    "vni_missing/10620/Berlin",
    "vni_missing/10950/Berlin",
    "vni_other/leaf2/630",
    "routed_not_active/red/10.9.0.0/24",
    "in_use/default/10.8.0.0/24",
    "in_use/red/10.2.0.7",
    "in_use/vlan/810/Amsterdam/old",
    "host_outside/red/192.168.7.0/24/vni10200",
    "host_elsewhere/red/10.2.0.0/24/400",
    "vrf_missing/green",
    "vrf_unknown/stray",
    "vrf_other/red/10.66.0.0/24",
    "l3vni_other/red",
    "l2vpn_missing/10900",
    "l2vpn_unknown/10700",
    "l2vpn_other/10650",
    "duplicate/red/10.2.0.0/24",
    "duplicate/vni/10200",
];

/// Those of them that its CSV exports do not say: where locations and groups of VLANs lie, and which interfaces an L2VPN
/// has.
pub(crate) const NOT_IN_FILES: [&str; 3] = [
    "prefix_without_gateway/default/10.7.0.0/24",
    "vni_missing/10620/Berlin",
    "vni_missing/10950/Berlin",
];
