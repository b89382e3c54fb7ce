//! `fabricctl audit` against a real NetBox, which runs beside the test in a network of its own: `cargo xtask test --long
//! netbox` starts this there.

mod audit;
mod data;
mod leaf;
mod server;

use std::{sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use audit::{Folder, audit, make_certificates, text};
use server::{Server, make_user, run_within};

/// How many rows more of another site there are.
const MANY: usize = 10_000;

/// The NetBox of all tests, filled by its API.
fn netbox() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        make_user();
        let server = Server::start(8000, 1000);
        let token = server.token(2, true);
        let tables: Vec<(String, Value)> = serde_json::from_str(data::ROWS).expect("it is JSON");
        for (table, rows) in &tables {
            server.make(&token, table, rows);
        }
        server
    })
}

/// Pages of a real NetBox, by which the ordinary tests' server is measured. `FABRIC_GOLDEN=write` writes them anew.
const PAGES: &str = "../fabric-user/src/audit/rest/recorded/pages-4.7.json";

fn without<'a>(all: &[&'a str], some: &[&str]) -> Vec<&'a str> {
    all.iter().copied().filter(|one| !some.contains(one)).collect()
}

#[test]
fn each_kind_of_fault_is_found_over_the_api_with_tokens_of_both_forms_and_nothing_else_is() {
    let (server, folder) = (netbox(), Folder::new("netbox-api"));
    for version in [1, 2] {
        let token = server.token(version, false);
        let said = audit(&folder, &token, &["--netbox", &server.url]);
        assert_eq!(said.ids(), data::FINDINGS, "{}", said.error);
        assert_eq!(said.not_asked(), [""; 0]);
        assert_eq!(said.code, Some(1));
    }
}

#[test]
fn what_its_exports_say_is_found_in_them_whatever_separates_their_columns() {
    let (server, folder) = (netbox(), Folder::new("netbox-files"));
    let token = server.token(2, true);
    for delimiter in ["comma", "semicolon", "pipe"] {
        server.change(&token, "users/config", &json!({ "csv_delimiter": delimiter }));
        let session = server.session();
        let export = |flag: &str, list| {
            let path = folder.write(&format!("{flag}.csv"), &session.export(list, "export"));
            [format!("--{flag}"), text(&path).to_owned()]
        };
        let arguments = [
            export("prefixes", "ipam/prefixes"),
            export("vlans", "ipam/vlans"),
            export("vrfs", "ipam/vrfs"),
            export("l2vpns", "vpn/l2vpns"),
            export("addresses", "ipam/ip-addresses"),
            export("devices", "dcim/devices"),
        ];
        let arguments: Vec<&str> = arguments.iter().flatten().map(String::as_str).collect();
        let said = audit(&folder, "", &arguments);
        let expected = without(&data::FINDINGS, &data::NOT_IN_FILES);
        assert_eq!(said.ids(), expected, "{delimiter}: {}", said.error);
        let [sentence] = said.not_asked()[..] else { panic!("{:?}", said.not_asked()) };
        assert!(sentence.contains("10.7.0.0/24"), "{sentence}");
        assert_eq!(said.code, Some(1));
    }
}

#[test]
fn an_export_in_another_language_is_refused_with_what_to_do() {
    let (server, folder) = (netbox(), Folder::new("netbox-language"));
    let token = server.token(2, true);
    let language = |name: &str| {
        server.change(&token, "users/config", &json!({ "locale": { "language": name } }));
    };
    language("de");
    let german = folder.write("prefixes.csv", &server.session().export("ipam/prefixes", "export"));
    language("en");
    let said = audit(&folder, "", &["--prefixes", text(&german)]);
    assert_eq!(said.code, Some(3));
    assert!(said.error.contains("with the interface in English"), "{}", said.error);
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named_and_nowhere_else() {
    let (server, folder) = (netbox(), Folder::new("netbox-tls"));
    make_certificates(&folder);
    let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|it| folder.path(it));
    let with_tls = Server::with_tls(8443, &certificate, &key);
    let token = server.token(2, false);
    let said = audit(&folder, &token, &["--netbox", &with_tls.url, "--ca", text(&ca)]);
    assert_eq!(said.ids(), data::FINDINGS, "{}", said.error);
    let said = audit(&folder, &token, &["--netbox", &with_tls.url]);
    assert_eq!(said.code, Some(3));
    assert!(said.error.contains("is not who it should be"), "{}", said.error);
    assert_eq!(said.error.lines().count(), 1, "{}", said.error);
}

#[test]
fn a_wrong_token_and_one_that_may_view_prefixes_alone_are_said() {
    let (server, folder) = (netbox(), Folder::new("netbox-tokens"));
    for (token, word) in [("wrong", "Invalid v1 token"), ("nbt_a.b", "Invalid v2 token")] {
        let said = audit(&folder, token, &["--netbox", &server.url]);
        assert_eq!(said.code, Some(3));
        let error = format!(
            "fabricctl: {}/api/status/ does not accept the token (status 403): {word}\n",
            server.url
        );
        assert_eq!(said.error, error);
    }
    let token = server.token(2, true);
    let user = json!({ "username": "reader", "password": "Known 2 everybody!" });
    let user = server.make(&token, "users/users", &user);
    server.make(
        &token,
        "users/permissions",
        &json!({
            "name": "prefixes", "actions": ["view"], "object_types": ["ipam.prefix"],
            "users": [user["id"]],
        }),
    );
    let narrow = json!({ "user": user["id"], "version": 2, "write_enabled": false });
    let narrow = server.make(&token, "users/tokens", &narrow);
    let part = |name: &str| narrow[name].as_str().expect("it is shown once");
    let narrow = format!("nbt_{}.{}", part("key"), part("token"));
    let said = audit(&folder, &narrow, &["--netbox", &server.url]);
    assert!(said.ids().contains(&"gateway_outside/default/10.6.0.0/24"), "{}", said.error);
    let sentences = said.not_asked().join("\n");
    for table in ["VLANs", "VRFs", "L2VPNs", "IP addresses", "devices", "sites"] {
        assert!(sentences.contains(&format!("{table} are not read")), "{table}: {sentences}");
    }
}

#[test]
fn its_pages_are_still_those_that_are_recorded() {
    let server = netbox();
    let token = server.token(2, false);
    let mut pages = Vec::new();
    for first in ["limit=7&start=0&fields=id", "limit=7&ordering=id&fields=id"] {
        let mut next = Some(first.to_owned());
        while let Some(query) = next {
            let (headers, body) = server.page(&token, "ipam/prefixes", &query);
            let link = body["next"].as_str().and_then(|link| link.split_once('?'));
            next = link.map(|(_, query)| query.to_owned());
            pages.push(json!({ "query": query, "headers": headers, "body": body }));
        }
    }
    let lines: Vec<String> = pages.iter().map(Value::to_string).collect();
    let text =
        format!("[\n  {}\n]\n", lines.join(",\n  ")).replace(&server.url, "http://netbox.example");
    if std::env::var("FABRIC_GOLDEN").is_ok_and(|wish| wish == "write") {
        std::fs::write(PAGES, text).expect("it can be written");
    } else {
        assert_eq!(text, std::fs::read_to_string(PAGES).expect("they are recorded"));
    }
}

/// Last by its name, because its rows stay.
#[test]
fn with_ten_thousand_prefixes_more_all_are_read_within_ten_seconds_and_by_pages_of_fifty_as_well() {
    let (server, folder) = (netbox(), Folder::new("netbox-many"));
    run_within(&format!(
        "from ipam.models import Prefix; from dcim.models import Site; \
         from django.contrib.contenttypes.models import ContentType; \
         far = dict(scope_type=ContentType.objects.get_for_model(Site), scope_id=3, _site_id=3); \
         Prefix.objects.bulk_create([Prefix(prefix=f'172.{{16 + n // 4096}}.{{n // 16 % 256}}.\
         {{n % 16 * 16}}/28', status='active', **far) for n in range({MANY})])"
    ));
    let token = server.token(2, false);
    let said = audit(&folder, &token, &["--netbox", &server.url]);
    assert_eq!(said.ids(), data::FINDINGS, "{}", said.error);
    assert!(said.prefixes() > MANY as u64);
    println!("{} prefixes over the API: {:.1} s", said.prefixes(), said.took.as_secs_f32());
    assert!(said.took < Duration::from_secs(10), "{:?}", said.took);

    let small = Server::start(8050, 50);
    let said = audit(&folder, &token, &["--netbox", &small.url]);
    assert_eq!(said.ids(), data::FINDINGS, "{}", said.error);
    assert!(said.prefixes() > MANY as u64);
    println!("by pages of 50: {:.1} s", said.took.as_secs_f32());

    let export = server.session().export("ipam/prefixes", "export");
    let path = folder.write("prefixes.csv", &export);
    let sites = ["--site", "leaf1.example.net=Amsterdam", "--site", "leaf2=Berlin"];
    let said = audit(&folder, "", &[&["--prefixes", text(&path)][..], &sites].concat());
    assert!(said.prefixes() > MANY as u64, "{}", said.error);
    println!("out of their export: {:.1} s", said.took.as_secs_f32());
    assert!(said.took < Duration::from_secs(10), "{:?}", said.took);
}
