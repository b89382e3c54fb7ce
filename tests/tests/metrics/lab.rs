//! Metrics of a leaf in a lab.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ fabric-xdpd --metrics ← promtool, Prometheus
//! ```

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use fabric_tests::{
    dashboard,
    fabric::{Fabric, PATIENCE, fabricctl, until, until_or_say},
    prometheus::{Prometheus, Target, promtool},
    scrape::{OPEN, TEXT, get, metrics, metrics_once},
};
use fabric_user::metrics::exposition::Exposition;
use rustix::process::Signal;
use serde_json::Value;

const LEAF: &str = "leaf01";
const PORT: u16 = 9843;

/// A fabric whose first leaf serves metrics.
fn fabric() -> Fabric {
    let fabric = Fabric::pair();
    fabric.end_daemon(LEAF, Signal::TERM);
    fabric.start_daemon(LEAF, &["--metrics"]);
    fabric
}

fn asked(fabric: &Fabric, arguments: &[&str]) -> Value {
    let mut command = Command::new(fabricctl());
    command.args(arguments).args(["--json", "--instance", &fabric.lab().instance(LEAF)]);
    let output = command.output().expect("fabricctl can be run");
    serde_json::from_slice(&output.stdout).expect("fabricctl prints JSON")
}

/// The counters that are not zero, by the name of the metric and the label, from what `fabricctl counters` prints.
fn counted(document: &Value) -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    let mut count = |table: &str, label: &str, columns: &[(&str, &str)]| {
        for row in document[table].as_array().expect("it is a table") {
            let label = match &row[label] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            for (column, metric) in columns {
                for unit in ["packets", "bytes"] {
                    let value = row[*column][unit].as_u64().expect("it is a number");
                    let name = format!("fabric_{}_total", metric.replace("UNIT", unit));
                    *counted.entry((name, label.clone())).or_default() += value;
                }
            }
        }
    };
    let tunnels = |of| {
        [
            ("encapsulated", format!("{of}_transmit_UNIT")),
            ("decapsulated", format!("{of}_receive_UNIT")),
        ]
    };
    for (table, label) in [("vnis", "vni"), ("vteps", "vtep")] {
        let columns = tunnels(label);
        count(table, label, &columns.each_ref().map(|(column, metric)| (*column, metric.as_str())));
    }
    count("ports", "port", &[("sent", "port_transmit_UNIT"), ("received", "port_UNIT")]);
    count("reasons", "reason", &[("received", "reason_UNIT")]);
    counted.retain(|_, value| *value > 0);
    counted
}

/// The same from metrics.
fn exposed(page: &Exposition) -> BTreeMap<(String, String), u64> {
    let mut exposed = BTreeMap::new();
    for unit in ["packets", "bytes"] {
        for (of, label) in [
            ("vni_transmit", "vni"),
            ("vni_receive", "vni"),
            ("vtep_transmit", "vtep"),
            ("vtep_receive", "vtep"),
            ("port_transmit", "device"),
            ("port", "device"),
        ] {
            let name = format!("fabric_{of}_{unit}_total");
            for (labels, value) in page.series(&name) {
                *exposed.entry((name.clone(), labels[label].clone())).or_default() += value as u64;
            }
        }
        for (labels, value) in page.series(&format!("fabric_port_{unit}_total")) {
            let name = format!("fabric_reason_{unit}_total");
            *exposed.entry((name, labels["reason"].clone())).or_default() += value as u64;
        }
    }
    exposed.retain(|_, value| *value > 0);
    exposed
}

#[test]
fn metrics_are_what_fabricctl_counts_and_says() {
    let fabric = fabric();
    fabric.acquaint("vm11", "vm21");
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_900);
    until(PATIENCE, "the stream has sent", || stream.received() > 500);
    stream.stop().expect("the stream could send");

    // Protocols are never silent for long: both have to be asked between two packets.
    let netns = fabric.netns(LEAF);
    let (mut ours, mut theirs) = Default::default();
    until(PATIENCE, "the metrics are what fabricctl counts", || {
        let before = counted(&asked(&fabric, &["counters"]));
        let page = metrics(&netns, PORT).expect("metrics are served");
        (ours, theirs) = (exposed(&page), counted(&asked(&fabric, &["counters"])));
        before == theirs && ours == theirs
    });
    let vni = ours.get(&("fabric_vni_transmit_packets_total".into(), "10200".into()));
    assert!(vni.is_some_and(|packets| *packets >= 500), "{ours:?}");

    let page = metrics(&netns, PORT).expect("metrics are served");
    let status = asked(&fabric, &["status"]);
    for port in status["ports"].as_array().expect("there are ports") {
        let name = port["port"].as_str().expect("it has a name");
        let accelerated = page.value("fabric_port_accelerated", &[("device", name)]);
        assert_eq!(accelerated == Some(1.0), port["accelerated"] == true, "{port}");
        let mut info = page.series("fabric_port_info");
        let info = info.find(|(labels, _)| labels["device"] == name).expect("it has labels").0;
        assert_eq!(
            (info["role"].as_str(), info["mode"].as_str()),
            (port["role"].as_str().unwrap_or("none"), port["mode"].as_str().unwrap_or("none"),)
        );
    }
    for bridge in status["bridges"].as_array().expect("there are bridges") {
        let vni = bridge["vni"].to_string();
        for (origin, column) in [("local", "local_macs"), ("remote", "remote_macs")] {
            let macs = page.value("fabric_vni_macs", &[("vni", &vni), ("origin", origin)]);
            assert_eq!(macs, bridge[column].as_f64(), "{bridge}");
        }
    }
    for map in asked(&fabric, &["maps"])["maps"].as_array().expect("there are maps") {
        let name = map["map"].as_str().expect("it has a name");
        let entries = page.value("fabric_map_entries", &[("map", name)]);
        assert!(entries.is_none() || entries == map["used"].as_f64(), "{entries:?}: {map}");
    }
    let value = |name: &str| page.value(name, &[]);
    assert_eq!((value("fabric_in_sync"), value("fabric_bypassed")), (Some(1.0), Some(0.0)));
    let left = value("fabric_heartbeat_remaining_seconds").expect("the heart beats");
    let timeout = value("fabric_heartbeat_timeout_seconds").expect("it is known");
    assert!(left > 0.0 && left <= timeout, "{left} of {timeout}");

    // An address that comes, and moves.
    let moves = |page: &Exposition| page.sum("fabric_mac_moves_total", &[("to", "local")]);
    let applied = |page: &Exposition| page.sum("fabric_apply_duration_seconds_count", &[]);
    let before = moves(&page);
    for port in ["swp11", "swp12"] {
        fabric.run(
            LEAF,
            "bridge",
            &format!("fdb replace 02:00:00:00:77:77 dev {port} master static"),
        );
    }
    metrics_once(&netns, PORT, "the move is counted", |page| {
        let told = page.sum("fabric_netlink_messages_total", &[("kind", "mac")]);
        moves(page) > before && told >= 2.0 && applied(page) >= 1.0
    });
}

#[test]
fn promtool_is_content_with_the_metrics_of_a_leaf() {
    let fabric = fabric();
    fabric.acquaint("vm11", "vm21");
    let page = get(&fabric.netns(LEAF), PORT, "/metrics", TEXT).expect("metrics are served");
    let path = fabric.file("metrics.txt");
    fs::write(&path, page).expect("the lab's folder can be written");
    let input = fs::File::open(&path).expect("it was written");
    let (content, said) = promtool(&["check", "metrics"], input.into());
    assert!(content && said.is_empty(), "{said}");
}

/// The expressions of the dashboard's panels, with every choice at `all`.
fn expressions() -> Vec<String> {
    let all = [("$instance", ".*"), ("$device", ".*"), ("$vni", ".*"), ("$__rate_interval", "1m")];
    let questions = dashboard::panels(&all).into_iter().flat_map(|panel| panel.questions);
    questions.map(|question| question.expression).collect()
}

/// What a healthy leaf without VRFs does not have: packets that are dropped, and losses of links.
fn may_be_empty(expression: &str) -> bool {
    ["verdict=\"drop\"", "fabric_failover_duration", "fabric_vrf_info"]
        .iter()
        .any(|part| expression.contains(part))
}

#[test]
fn prometheus_scrapes_a_leaf_and_has_what_dashboard_and_alerts_ask_for() {
    let fabric = fabric();
    fabric.acquaint("vm11", "vm21");
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_910);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability/alerts.yml");
    let netns = fabric.netns(LEAF);
    let folder = fabric.file("of-prometheus");
    fs::create_dir_all(&folder).expect("the lab's folder can be written");
    let target = Target { address: "127.0.0.1:9843", instance: LEAF };
    let prometheus = Prometheus::scraping(&netns, &[target], &rules, &folder);

    let mut left = expressions();
    assert!(left.len() > 30, "{left:?}");
    let empty = std::cell::RefCell::new(Vec::new());
    until_or_say(
        PATIENCE,
        "every panel has something to show",
        || {
            left.retain(|expression| {
                let series = prometheus.query(expression);
                let series = series.unwrap_or_else(|error| panic!("{expression}: {error:#}"));
                series.is_empty() && !may_be_empty(expression)
            });
            empty.replace(left.clone());
            left.is_empty()
        },
        || format!("{:#?}", empty.borrow()),
    );
    // Of VXLAN into tunnels it has what was sent.
    let rate = "sum(rate(fabric_vni_transmit_packets_total{vni=\"10200\"}[10s])) > 100";
    until(PATIENCE, "Prometheus knows the stream's rate", || {
        !prometheus.query(rate).expect("it answers").is_empty()
    });
    stream.stop().expect("the stream could send");

    let metadata = prometheus.ask("targets/metadata").expect("it answers");
    let kind = |metric: &str| {
        let all = metadata.as_array().expect("it is a list");
        let found = all.iter().find(|it| it["metric"] == metric);
        found.unwrap_or_else(|| panic!("{metric} is unknown"))["type"].clone()
    };
    assert_eq!(kind("fabric_port_packets"), "counter");
    assert_eq!(kind("fabric_port"), "info");
    assert_eq!(kind("fabric_apply_duration_seconds"), "histogram");

    let known = prometheus.ask("rules").expect("it answers");
    let rules = known["groups"][0]["rules"].as_array().expect("there are rules");
    assert!(rules.len() >= 15, "{known}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
    }
    // The two formats say the same of what does not change from one moment to the next.
    let open = get(&netns, PORT, "/metrics", OPEN).expect("metrics are served");
    assert!(Exposition::read(&open).expect("it is an exposition").is_open);
}
