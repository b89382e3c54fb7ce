//! `maps settings`: one row per word.

use fabric_common::schema::settings::{
    HASH_FLOW_LABEL, HASH_INNER, HASH_OMIT4, HASH_OMIT6, HASH_SYMMETRIC, HASH_TUNNEL4,
    HASH_TUNNEL6, OMIT_ALL,
};
use serde::Serialize;

use crate::{
    cli::{
        format::duration,
        row::{Said, rows},
        view::View,
    },
    kernel::clock,
};

rows! {
    /// A setting of the programs.
    pub(super) struct Setting, "" {
        /// Its name.
        "SETTING" setting: &'static str,
        /// What it is: of `deadline` and `timeout` milliseconds (`deadline`: from now on, null for
        /// none), of `bypass` true or false, of `flow_hash` what counts, of `vxlan_ports` the ports, of
        /// the others a number.
        "VALUE" value: Said<Value>,
        /// What it is for.
        "WHAT" [wrapped] about: &'static str,
    }
}

/// The value of a setting.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Flag(bool),
    Number(u64),
    Milliseconds(Option<i64>),
    Ports(Vec<u16>),
    Fields(Vec<&'static str>),
}

pub(super) fn rows(view: &View) -> Vec<Setting> {
    let settings = &view.contents.settings;
    let number = |text: String, number: u64| Said::new(text, Value::Number(number));
    let left = view.heartbeat_ms();
    let deadline = match view.heartbeat() {
        None => "none".into(),
        Some(Ok(left)) => format!("in {} ms", left.as_millis()),
        Some(Err(over)) => format!("{} ago", duration(over)),
    };
    let timeout = clock::time(settings.timeout_jiffies.into(), settings.hz).as_millis() as u64;
    let buckets = |mask: u32| number((u64::from(mask) + 1).to_string(), u64::from(mask) + 1);
    let ports = settings.vxlan_ports_be.map(u16::from_be);
    let ports: Vec<u16> = ports.into_iter().filter(|port| *port != 0).collect();
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    let listed = if listed.is_empty() { "-".into() } else { listed.join(", ") };
    let bypass = settings.bypass != 0;
    [
        (
            "deadline",
            Said::new(deadline, Value::Milliseconds(left)),
            "without a heartbeat until then, the kernel carries all traffic",
        ),
        (
            "bypass",
            Said::new(if bypass { "on" } else { "off" }, Value::Flag(bypass)),
            "on hands all traffic to the kernel",
        ),
        (
            "timeout",
            number(format!("{timeout} ms"), timeout),
            "what each heartbeat adds to the present",
        ),
        (
            "seed",
            number(format!("{:#010x}", settings.seed), settings.seed.into()),
            "of the flow hash, differs per box",
        ),
        ("flow_hash", hash(settings.hash_flags), "what the flow hash takes into account"),
        (
            "hz",
            number(settings.hz.to_string(), settings.hz.into()),
            "the kernel's timer frequency: jiffies per second",
        ),
        (
            "fdb_buckets",
            buckets(settings.fdb_mask),
            "part of the map fdb that is in use; doubles when it is three quarters full",
        ),
        ("hosts_buckets", buckets(settings.hosts_mask), "the same of the map hosts"),
        ("hosts6_buckets", buckets(settings.hosts6_mask), "the same of the map hosts6"),
        (
            "vxlan_ports",
            Said::new(listed, Value::Ports(ports)),
            "UDP destination ports of the vxlan devices",
        ),
    ]
    .map(|(setting, value, about)| Setting { setting, value, about })
    .into()
}

/// What counts in the flow hash, and the options.
fn hash(flags: u32) -> Said<Value> {
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
    let (texts, keys): (Vec<&str>, Vec<&str>) =
        [("5-tuple", "5-tuple")].into_iter().chain(set.map(|(_, text, key)| (text, key))).unzip();
    Said::new(texts.join(", "), Value::Fields(keys))
}

const HASH_OMIT_ANY4: u32 = OMIT_ALL << HASH_OMIT4;
const HASH_OMIT_ANY6: u32 = OMIT_ALL << HASH_OMIT6;
