//! The answers themselves.

use std::collections::BTreeSet;

use super::*;
use crate::metrics::{family, metric::Kind};

#[tokio::test]
async fn both_formats_hold_the_same_values_under_the_same_names() {
    let (board, state, sight) = leaf();
    let again = (Arc::clone(&board), state.clone(), sight.clone());
    let open = read((board, state, sight), Format::OpenMetrics).await;
    let text = read(again, Format::Text).await;
    assert!(open.is_open && !text.is_open);
    let all = |page: &Exposition| {
        let samples = page.families.values().flat_map(|family| family.samples.clone());
        samples.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(all(&open), all(&text));
    assert_eq!(open.families["fabric_port"].kind, "info");
    assert_eq!(text.families["fabric_port_info"].kind, "gauge");
    assert_eq!(text.families["fabric_port_packets_total"].kind, "counter");
}

#[tokio::test]
async fn every_metric_is_there_with_its_labels_and_there_is_no_other() {
    let page = read(leaf(), Format::OpenMetrics).await;
    let known: BTreeSet<String> = family::all().flat_map(|metric| metric.series_names()).collect();
    let names: BTreeSet<String> = page.names().into_iter().map(str::to_owned).collect();
    assert_eq!(names, known);
    for metric in family::all().filter(|metric| metric.kind != Kind::Histogram) {
        let wanted: BTreeSet<&str> = metric.labels.iter().copied().collect();
        for (labels, _) in page.series(&metric.full_name()) {
            let found: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
            assert_eq!(found, wanted, "{}", metric.full_name());
        }
        assert!(!metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.help);
    }
}

#[tokio::test]
async fn values_are_those_of_the_leaf() {
    let page = read(leaf(), Format::Text).await;
    for (name, labels, expected) in [
        (
            "fabric_port_packets_total",
            &[("device", "h1"), ("verdict", "redirect"), ("reason", "bridged")][..],
            7.0,
        ),
        ("fabric_port_transmit_bytes_total", &[("device", "h1")], 400.0),
        ("fabric_vni_receive_packets_total", &[("vni", "10200")], 51.0),
        ("fabric_vni_transmit_bytes_total", &[("vni", "10200")], 5_000.0),
        ("fabric_vni_macs", &[("vni", "10200"), ("origin", "remote")], 3.0),
        ("fabric_vtep_transmit_packets_total", &[("vtep", "10.0.0.2")], 50.0),
        ("fabric_vrf_info", &[("vrf", "red"), ("vni", "104007")], 1.0),
        ("fabric_vrf_info", &[("vrf", "default"), ("vni", "")], 1.0),
        ("fabric_nexthop_members", &[("state", "dead")], 1.0),
        ("fabric_map_capacity", &[("map", "fdb")], 131_072.0),
        ("fabric_heartbeat_remaining_seconds", &[], 7.5),
        ("fabric_in_sync", &[], 1.0),
        ("fabric_bypassed", &[], 0.0),
        ("fabric_resyncs_total", &[], 2.0),
        ("fabric_port_fault", &[("device", "h1")], 1.0),
        ("fabric_start_time_seconds", &[], 1_700_000_000.5),
        ("fabric_apply_duration_seconds_bucket", &[("le", "0.001")], 1.0),
        ("fabric_apply_duration_seconds_bucket", &[("le", "0.00025")], 0.0),
        ("fabric_failover_duration_seconds_count", &[], 1.0),
    ] {
        assert_eq!(page.value(name, labels), Some(expected), "{name} {labels:?}");
    }
    let refused = page.series("fabric_port_info").find(|(labels, _)| labels["device"] == "h1");
    assert_eq!(refused.unwrap().0["refusal"], "a \"quoted\" \\ reason");
}

#[tokio::test]
async fn what_is_beyond_a_bound_has_no_series_and_is_counted() {
    let (board, state, mut sight) = leaf();
    sight.vnis = (1..=5_000).map(|vni| (vni, Vni::default())).collect();
    let page = read((board, state, sight), Format::OpenMetrics).await;
    assert_eq!(page.series("fabric_vni_receive_packets_total").count(), 4_096);
    assert_eq!(page.series("fabric_vni_macs").count(), 2 * 4_096);
    let dropped = |family| page.value("fabric_series_dropped", &[("family", family)]);
    assert_eq!((dropped("vni"), dropped("vtep")), (Some(904.0), Some(0.0)));
    assert_eq!(page.sum("fabric_vni_info", &[("vni", "4096")]), 1.0);
    assert_eq!(page.sum("fabric_vni_info", &[("vni", "4097")]), 0.0, "always the first ones");
}

#[tokio::test]
async fn without_maps_the_daemon_still_tells_of_itself() {
    let board = Arc::new(Board::default());
    let state = State { detached: true, ..State::default() };
    board.say(&state);
    let instance = crate::kernel::pins::Instance::new("metrics-without-maps").unwrap();
    let page = Source::new(instance, board).answer(Format::Text).await.unwrap();
    let page = Exposition::read(std::str::from_utf8(&page).unwrap()).unwrap();
    assert_eq!(page.value("fabric_bypassed", &[]), Some(1.0));
    assert_eq!(page.value("fabric_in_sync", &[]), Some(0.0));
    assert_eq!(page.value("fabric_heartbeat_remaining_seconds", &[]), None);
    assert_eq!(page.series("fabric_port_info").count(), 0);
    assert_eq!(page.series("fabric_build_info").count(), 1);
}
