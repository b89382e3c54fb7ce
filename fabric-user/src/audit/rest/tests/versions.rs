//! What 3.7, 4.1, 4.2 and 4.7 answer is read as the same, whatever the pages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::audit::model::{Records, Sites, Table};

/// Everything that does not depend on the version.
fn told(records: &Records) -> Vec<String> {
    let mut told: Vec<String> = records
        .prefixes
        .iter()
        .map(|prefix| {
            let vlan = prefix.vlan.map(|vlan| records.vlans[vlan].to_string());
            format!(
                "{} {} {} {} {:?}",
                prefix.network,
                prefix.status,
                prefix.vrf,
                vlan.unwrap_or_else(|| "no VLAN".into()),
                prefix.sites
            )
        })
        .collect();
    told.extend(
        records.vlans.iter().map(|vlan| format!("{vlan} {} {:?}", vlan.status, vlan.sites)),
    );
    told.extend(
        records
            .l2vpns
            .iter()
            .map(|l2vpn| format!("{l2vpn} {} {:?} {:?}", l2vpn.is_vxlan, l2vpn.vlans, l2vpn.sites)),
    );
    told.extend(records.vrfs.iter().map(|vrf| format!("{} {:?}", vrf.name, vrf.rd)));
    told.extend(
        records.addresses.iter().map(|at| format!("{} {} {}", at.address, at.vrf, at.status)),
    );
    told.extend(records.devices.iter().map(|(name, site)| format!("{name} at {site}")));
    told
}

const EXPECTED: [&str; 17] = [
    "10.0.0.0/8 container the default VRF no VLAN Anywhere",
    "10.30.0.0/24 reserved the default VRF VLAN log (300) At({\"Site 2\"})",
    "10.200.0.0/24 active VRF tenant-a VLAN app (200) Anywhere",
    "2001:db8:200::/64 active VRF tenant-a VLAN app (200) Anywhere",
    "10.40.0.0/24 planned the default VRF no VLAN At({\"Site 1\"})",
    "VLAN app (200) active Anywhere",
    "VLAN log (300) active At({\"Site 2\"})",
    "VLAN old (400) deprecated At({\"Site 1\"})",
    "L2VPN app (10200) true [0] {}",
    "L2VPN core (77) false [] {\"Site 1\"}",
    "L2VPN later true [1] {}",
    "tenant-a Some(\"65100:1\")",
    "tenant-b None",
    "10.200.0.9 VRF tenant-a deprecated",
    "10.30.0.9 the default VRF reserved",
    "border1 at Site 1",
    "leaf1 at Site 2",
];

#[test]
fn each_version_is_read_as_the_same() {
    for netbox in NetBox::all() {
        let version = netbox.version;
        let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
        let records = read(&settings(&server), &["leaf1".into()]).unwrap();
        assert_eq!(told(&records), EXPECTED, "{version}");
        assert_eq!(records.version.as_deref(), Some(version));
        assert_eq!(records.source, format!("NetBox {version} at {}", server.url()));
        assert!(records.unknown.is_empty(), "{version}: {:?}", records.unknown);
        // There is a status of L2VPNs since 4.3.
        let status = records.l2vpns[2].status.as_deref();
        assert_eq!(status, (version == "4.7").then_some("planned"), "{version}");
        for asked in server.asked() {
            assert_eq!(asked.method, "GET");
            assert_eq!(asked.header("authorization"), Some(format!("Token {TOKEN}").as_str()));
            assert_eq!(asked.header("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn pages_give_the_same_as_all_at_once_by_offset_and_by_cursor() {
    for netbox in NetBox::all() {
        for largest in [1, 2, 3] {
            let (netbox, version) = (NetBox { largest, ..netbox.clone() }, netbox.version);
            let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
            let records = read(&settings(&server), &["leaf1".into()]).unwrap();
            assert_eq!(told(&records), EXPECTED, "{version}, pages of {largest}");
        }
    }
}

/// Addresses, headers and documents of pages of prefixes, by cursor and by offset.
#[derive(serde::Deserialize)]
struct Recorded {
    query: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

#[test]
fn the_pages_of_these_tests_are_those_that_a_running_netbox_has_given() {
    let recorded = include_str!("../recorded/pages-4.7.json");
    let recorded: Vec<Recorded> = serde_json::from_str(recorded).unwrap();
    let rows = recorded.iter().flat_map(|page| page.body["results"].as_array().unwrap());
    let rows: BTreeMap<u64, &Value> = rows.map(|row| (row["id"].as_u64().unwrap(), row)).collect();
    let mut netbox = NetBox { origin: Some("http://netbox.example".into()), ..NetBox::newest() };
    netbox.tables.insert("ipam/prefixes".into(), rows.into_values().cloned().collect());
    let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    for page in recorded {
        let address = format!("{}/api/ipam/prefixes/?{}", server.url(), page.query);
        let mut answer = agent.get(address).call().unwrap();
        for (name, value) in &page.headers {
            assert_eq!(answer.headers()[name], value.as_str(), "{}", page.query);
        }
        let body: Value = serde_json::from_reader(answer.body_mut().as_reader()).unwrap();
        for name in ["count", "next", "results"] {
            assert_eq!(body[name], page.body[name], "{name} of {}", page.query);
        }
    }
}

#[test]
fn the_second_form_of_tokens_has_its_own_word() {
    let netbox = NetBox::newest();
    let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
    let token = Token::new("nbt_abc.secret").unwrap();
    read(&Settings { token, ..settings(&server) }, &[]).unwrap();
    let is_bearer = |asked: &Asked| asked.header("authorization") == Some("Bearer nbt_abc.secret");
    assert!(server.asked().iter().all(is_bearer));
}

#[test]
fn behind_a_proxy_next_pages_are_asked_for_at_the_address_that_was_given() {
    let mut netbox = NetBox { largest: 1, ..NetBox::newest() };
    // The proxy has told NetBox neither that it speaks TLS nor its port, or not even its name.
    for origin in ["https://127.0.0.1:9", "http://inner.example:8001"] {
        netbox.origin = Some(origin.into());
        let netbox = netbox.clone();
        let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
        let records = read(&settings(&server), &["leaf1".into()]).unwrap();
        assert_eq!(told(&records), EXPECTED, "{origin}");
    }
}

#[test]
fn what_is_kept_from_the_token_is_not_read_and_everything_else_is() {
    let netbox = NetBox::newest();
    let server = Server::start(move |asked, stream| match asked.path.as_str() {
        "/api/vpn/l2vpns/" | "/api/ipam/ip-addresses/" => {
            let body = br#"{"detail":"You do not have permission to perform this action."}"#;
            server::reply(stream, "403 Forbidden", "content-type: application/json\r\n", body);
        }
        _ => netbox.answer(asked, stream),
    });
    let records = read(&settings(&server), &[]).unwrap();
    assert_eq!(records.prefixes.len(), 5);
    let unknown: Vec<Table> = records.unknown.keys().copied().collect();
    assert_eq!(unknown, [Table::L2vpns, Table::Addresses]);
    assert!(records.unknown[&Table::L2vpns].contains("do not have permission"));
}

#[test]
fn without_locations_and_groups_of_vlans_sites_and_vlans_are_read_all_the_same() {
    let mut netbox = NetBox::newest();
    let mut prefix = netbox.tables["ipam/prefixes"][1].clone();
    for (field, value) in [("id", json!(900)), ("prefix", json!("10.9.0.0/24"))] {
        prefix[field] = value;
    }
    (prefix["scope_type"], prefix["scope_id"]) = ("dcim.location".into(), 1.into());
    netbox.tables.get_mut("ipam/prefixes").unwrap().push(prefix);
    let server = Server::start(move |asked, stream| match asked.path.as_str() {
        "/api/dcim/locations/" | "/api/ipam/vlan-groups/" => {
            server::reply(stream, "403 Forbidden", "content-type: application/json\r\n", b"{}");
        }
        _ => netbox.answer(asked, stream),
    });
    let records = read(&settings(&server), &["leaf1".into()]).unwrap();
    let unknown: Vec<Table> = records.unknown.keys().copied().collect();
    assert_eq!(unknown, [Table::Places, Table::Groups]);
    assert!(!records.vlans.is_empty() && !records.sites.is_empty());
    let place = |network: &str| {
        let network = crate::audit::networks::parse(network);
        let mut prefixes = records.prefixes.iter();
        prefixes.find(|prefix| Some(prefix.network) == network).map(|prefix| prefix.sites.clone())
    };
    assert_eq!(place("10.9.0.0/24"), Some(Sites::Unknown));
    assert_eq!(place("10.40.0.0/24"), Some(Sites::one(&"Site 1".into())));
}

#[test]
fn a_version_that_nobody_has_tried_is_read_and_said() {
    let netbox = NetBox { version: "5.0", ..NetBox::newest() };
    let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
    let token = Token::new("nbt_abc.secret").unwrap();
    let records = read(&Settings { token, ..settings(&server) }, &[]).unwrap();
    assert_eq!(records.prefixes.len(), 5);
    let [doubt] = &records.doubts[..] else { panic!("{:?}", records.doubts) };
    assert!(doubt.starts_with("NetBox 5.0 is newer than those that were tried"), "{doubt}");
}

#[test]
fn one_request_may_take_a_quarter_of_the_time_and_half_a_minute_at_least() {
    let request = |seconds| Limits::within(Duration::from_secs(seconds)).request.as_secs();
    assert_eq!([request(10), request(60), request(120), request(1200)], [10, 30, 30, 300]);
}

#[test]
fn ten_thousand_prefixes_come_by_pages_of_fifty() {
    let mut netbox = NetBox { largest: 50, ..NetBox::newest() };
    let prefix = |id: usize| {
        let mut prefix = netbox.tables["ipam/prefixes"][1].clone();
        prefix["id"] = (1000 + id).into();
        prefix["prefix"] = format!("10.{}.{}.0/24", id / 256, id % 256).into();
        prefix
    };
    let all = (0..10_000).map(prefix).collect();
    netbox.tables.insert("ipam/prefixes".into(), all);
    let server = Server::start(move |asked, stream| netbox.answer(asked, stream));
    let records = read(&settings(&server), &[]).unwrap();
    assert_eq!(records.prefixes.len(), 10_000);
    assert_eq!(
        server.asked().iter().filter(|asked| asked.path == "/api/ipam/prefixes/").count(),
        200
    );
}
