//! `maps settings`: one row per word.

use fabric_common::schema::settings::{
    HASH_FLOW_LABEL, HASH_INNER, HASH_OMIT4, HASH_OMIT6, HASH_SYMMETRIC, HASH_TUNNEL4,
    HASH_TUNNEL6, OMIT_ALL,
};
use serde_json::json;

use crate::cli::{
    clock,
    format::duration,
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("setting", "SETTING"),
    Column::text("value", "VALUE"),
    Column::text("about", "WHAT").wrapped(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let settings = &view.contents.settings;
    let mut sheet = Sheet::new(COLUMNS, "");
    let deadline = match view.heartbeat() {
        None => Cell::new("none", json!(null)),
        Some(Ok(left)) => {
            Cell::new(format!("in {} ms", left.as_millis()), json!(left.as_millis() as i64))
        }
        Some(Err(over)) => {
            Cell::new(format!("{} ago", duration(over)), json!(-(over.as_millis() as i64)))
        }
    };
    let timeout = clock::time(settings.timeout_jiffies.into(), settings.hz).as_millis() as u64;
    let ports = settings.vxlan_ports_be.map(u16::from_be);
    let ports: Vec<u16> = ports.into_iter().filter(|port| *port != 0).collect();
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    let bypass = settings.bypass != 0;
    let rows: [(&str, Cell, &str); 8] = [
        ("deadline", deadline, "without a heartbeat until then, the kernel carries all traffic"),
        (
            "bypass",
            Cell::new(if bypass { "on" } else { "off" }, bypass),
            "on hands all traffic to the kernel",
        ),
        (
            "timeout",
            Cell::new(format!("{timeout} ms"), timeout),
            "what each heartbeat adds to the present",
        ),
        (
            "seed",
            Cell::new(format!("{:#010x}", settings.seed), settings.seed),
            "of the flow hash, differs per box",
        ),
        ("flow_hash", hash(settings.hash_flags), "what the flow hash takes into account"),
        ("hz", settings.hz.into(), "the kernel's timer frequency: jiffies per second"),
        (
            "fdb_buckets",
            settings.fdb_mask.saturating_add(1).into(),
            "part of the map fdb that is in use; doubles when it is three quarters full",
        ),
        (
            "vxlan_ports",
            Cell::new(if listed.is_empty() { "-".into() } else { listed.join(", ") }, json!(ports)),
            "UDP destination ports of the vxlan devices",
        ),
    ];
    for (name, value, about) in rows {
        sheet.row([name.into(), value, about.into()]);
    }
    sheet
}

/// What counts in the flow hash, and the options.
fn hash(flags: u32) -> Cell {
    let options = [
        (HASH_FLOW_LABEL, "flow label", "flow_label"),
        (HASH_INNER, "inner headers of VXLAN", "inner"),
        (HASH_SYMMETRIC, "symmetric", "symmetric"),
        (HASH_OMIT_ANY4, "of routed IPv4 packets what the kernel's policy counts", "policy_ipv4"),
        (HASH_OMIT_ANY6, "of routed IPv6 packets what the kernel's policy counts", "policy_ipv6"),
        (HASH_TUNNEL4, "of tunnels over IPv4 their addresses", "tunnels_ipv4_by_addresses"),
        (HASH_TUNNEL6, "of tunnels over IPv6 their addresses", "tunnels_ipv6_by_addresses"),
    ];
    let set = options.into_iter().filter(|(flag, ..)| flags & flag != 0);
    let (texts, values): (Vec<&str>, Vec<&str>) =
        [("5-tuple", "5-tuple")].into_iter().chain(set.map(|(_, text, key)| (text, key))).unzip();
    Cell::new(texts.join(", "), json!(values))
}

const HASH_OMIT_ANY4: u32 = OMIT_ALL << HASH_OMIT4;
const HASH_OMIT_ANY6: u32 = OMIT_ALL << HASH_OMIT6;
