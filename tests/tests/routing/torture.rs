//! Add, delete and replace without pause while fabric-xdpd follows (MP-08). At the end the maps say
//! what the kernel says.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use fabric_tests::{
    fabric::{Router, SOON},
    random::Random,
};
use serde_json::Value;

const PREFIXES: usize = 200;
const STEPS: usize = 4000;

/// Prefix number `i` without its length, its length, and an address in it. Two of four are of IPv6.
fn prefix(i: usize) -> (String, u8, String) {
    let n = 1 + i / 4;
    match i % 4 {
        0 => (format!("10.30.{n}.0"), 24, format!("10.30.{n}.9")),
        1 => (format!("10.31.{n}.7"), 32, format!("10.31.{n}.7")),
        2 => (format!("2001:db8:30:{n:x}::"), 64, format!("2001:db8:30:{n:x}::9")),
        _ => (format!("2001:db8:31:{n:x}::7"), 128, format!("2001:db8:31:{n:x}::7")),
    }
}

/// A line of `ip` that the kernel may or may not accept just now.
fn line(random: &mut Random) -> String {
    let i = random.below(PREFIXES);
    let (network, length, _) = prefix(i);
    let v6 = i % 4 > 1;
    let port = 1 + random.below(4);
    let gateway = if v6 { format!("2001:db8:{port}::2") } else { format!("10.1.{port}.2") };
    let of_family = if v6 { 1000 } else { 0 };
    let object = of_family + 1 + random.below(8);
    let group = of_family + 100 + random.below(12);
    match random.below(16) {
        0..3 => format!("nexthop replace id {object} via {gateway} dev swp{port}"),
        3 => format!("nexthop del id {object}"),
        4..7 => {
            let members: BTreeSet<usize> =
                (0..=random.below(4)).map(|_| of_family + 1 + random.below(8)).collect();
            let weighted = members.iter().map(|id| format!("{id},{}", 1 + random.below(3)));
            let list: Vec<String> = weighted.collect();
            format!("nexthop replace id {group} group {}", list.join("/"))
        }
        7 => format!("nexthop del id {group}"),
        8..11 => format!("route replace {network}/{length} nhid {group}"),
        11 => format!("route replace {network}/{length} via {gateway}"),
        12 => format!("route replace blackhole {network}/{length}"),
        13 => format!("route replace unreachable {network}/{length}"),
        _ => format!("route del {network}/{length}"),
    }
}

/// What the kernel says about each prefix, in the words of [`Router::way`].
fn kernel(router: &Router) -> BTreeMap<String, String> {
    let objects: BTreeMap<u64, Value> = router
        .query("nexthop show")
        .into_iter()
        .filter_map(|object| Some((object["id"].as_u64()?, object)))
        .collect();
    let mut ways = BTreeMap::new();
    for route in [router.query("-4 route show"), router.query("-6 route show")].concat() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let way = match (route["type"].as_str(), route["nhid"].as_u64()) {
            (Some(kind @ ("blackhole" | "unreachable")), _) => kind.to_owned(),
            (_, Some(id)) => of_object(&objects, id),
            _ => text(&route["gateway"]),
        };
        // Of several for one prefix the kernel takes the first.
        ways.entry(text(&route["dst"])).or_insert(way);
    }
    ways
}

fn of_object(objects: &BTreeMap<u64, Value>, id: u64) -> String {
    let Some(object) = objects.get(&id) else { return "none".into() };
    let gateway = |value: &Value| value["gateway"].as_str().unwrap_or_default().to_owned();
    let Some(group) = object["group"].as_array() else { return gateway(object) };
    // The same gateway may be in the group by several objects.
    let mut weights: BTreeMap<String, u64> = BTreeMap::new();
    for member in group {
        let id = member["id"].as_u64().unwrap_or_default();
        let way = objects.get(&id).map(gateway).unwrap_or_default();
        *weights.entry(way).or_default() += member["weight"].as_u64().unwrap_or(1);
    }
    let divisor = weights.values().copied().fold(0, gcd);
    let text = |(way, weight): (&String, &u64)| match weight / divisor.max(1) {
        1 => way.clone(),
        weight => format!("{way}*{weight}"),
    };
    weights.iter().map(text).collect::<Vec<_>>().join(" and ")
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn differences(router: &Router) -> Vec<String> {
    let kernel = kernel(router);
    let prefixes: Vec<_> = (0..PREFIXES).map(prefix).collect();
    let found = router.ways(prefixes.iter().map(|(_, _, address)| address.as_str()));
    let compare = |((network, length, _), found): (&(String, u8, String), String)| {
        let is_host = matches!(length, 32 | 128);
        let key = if is_host { network.clone() } else { format!("{network}/{length}") };
        let expected = kernel.get(&key).map_or("none", String::as_str);
        (found != expected).then(|| format!("{key}: {found}, but the kernel: {expected}"))
    };
    prefixes.iter().zip(found).filter_map(compare).collect()
}

#[test]
fn the_maps_follow_a_kernel_that_changes_without_pause() {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    router.start();
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let lines: String = (0..STEPS).map(|_| line(&mut random) + "\n").collect();
        router.force_ip(&lines);
        router.assert_runs();
        let start = Instant::now();
        loop {
            let differences = differences(&router);
            if differences.is_empty() {
                break;
            }
            assert!(start.elapsed() < SOON, "{differences:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let state = router.state();
    assert_eq!(state.audit_corrections, 0, "{state:?}");
    let used = (0..PREFIXES).filter(|i| router.way(&prefix(*i).2) != "none").count();
    assert!(used > 20, "only {used} routes were left to compare");
}
