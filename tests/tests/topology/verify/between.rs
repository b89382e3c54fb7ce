//! Facts of all switches, side by side: settings that do not fit, and packets that one sends and the other gets.

use fabric_tests::{
    fabric::{Fabric, PATIENCE, Readings, Verified, until},
    traffic,
};
use serde_json::Value;

use super::{LEAF, VNI, clean};

const OTHER: &str = "leaf02";
const SPINES: [&str; 2] = ["spine01", "spine02"];
const ALL: [&str; 4] = [LEAF, OTHER, SPINES[0], SPINES[1]];
/// Datagrams of a stream, of which one or another goes by the kernel: it looks at a host's packets now and then.
const SENT: u64 = 2_000;
const BY_KERNEL: u64 = 50;

pub(super) fn named(fabric: &Fabric) {
    // Of each two, so that what is under way in one is none.
    let fits = Readings::of(fabric, &[ALL, ALL].concat()).verify();
    assert_eq!((fits.status, said(&fits)), (0, vec![]), "{}", fits.document);
    settings(fabric);
    conserved(fabric);
    lost(fabric);
    clean(fabric);
}

/// What differs between boxes, with what the leafs say of it.
fn said(verified: &Verified) -> Vec<(String, Vec<String>)> {
    let all = verified.document["between"].as_array().expect("of several boxes");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let says = |one: &Value| -> Vec<String> {
        one["says"].as_object().into_iter().flat_map(|says| says.values().map(text)).collect()
    };
    all.iter()
        .map(|one| (format!("{} {}", text(&one["kind"]), text(&one["what"])), says(one)))
        .collect()
}

/// The one difference between the leafs.
#[track_caller]
fn one(fabric: &Fabric) -> (String, Vec<String>) {
    let verified = Readings::of(fabric, &[LEAF, OTHER]).verify();
    let mut said = said(&verified);
    assert_eq!((verified.status, said.len()), (1, 1), "{}", verified.document);
    said.remove(0)
}

/// The other leaf's tunnel is otherwise in one thing.
fn settings(fabric: &Fabric) {
    let vxlan = format!("vxlan{VNI}");
    let link = |line: &str| fabric.ip(OTHER, &format!("link set {vxlan} {line}"));
    let own = |name: &str| -> String {
        let said = fabric.ip(OTHER, &format!("-j -d link show {vxlan}"));
        let said: Value = serde_json::from_str(&said).expect("it is JSON");
        said[0][name].to_string()
    };
    let mtu = own("mtu");
    link("mtu 1400");
    let found = one(fabric);
    assert_eq!(found, (format!("vni {VNI}, MTU"), vec![mtu.clone(), "1400".into()]));
    link(&format!("mtu {mtu}"));
    link("type vxlan df set");
    let (what, says) = one(fabric);
    assert_eq!((what, says[1].as_str()), (format!("vni {VNI}, DF"), "set"));
    link(&format!("type vxlan df {}", says[0]));
    link("type vxlan tos inherit");
    let (what, says) = one(fabric);
    assert_eq!((what, says[1].as_str()), (format!("vni {VNI}, TOS"), "inherited"));
    link("type vxlan tos 0");

    // What a vxlan device is made with, of a VNI that is no network's.
    for (leaf, port, ttl) in [(LEAF, 4_789, "auto"), (OTHER, 8_472, "inherit")] {
        let local = fabric.vtep(leaf);
        let made = format!("type vxlan id 10777 local {local} dstport {port} ttl {ttl} nolearning");
        fabric.ip(leaf, &format!("link add vxlan10777 {made}"));
    }
    let verified = Readings::of(fabric, &[LEAF, OTHER]).verify();
    let pair = |what: &str, says: [&str; 2]| (what.to_owned(), says.map(str::to_owned).to_vec());
    let expected = [
        pair("vni 10777, TTL", ["fixed", "inherited"]),
        pair("vni 10777, UDP port", ["4789", "8472"]),
    ];
    assert_eq!(said(&verified), expected, "{}", verified.document);
    for leaf in [LEAF, OTHER] {
        fabric.ip(leaf, "link del vxlan10777");
    }
    clean(fabric);
}

/// By how much a counter of a box has grown.
fn grown(before: &Value, after: &Value, count: impl Fn(&Value) -> u64) -> u64 {
    count(after).checked_sub(count(before)).expect("counters only grow")
}

/// What the driver of a port has received, and what the programs have counted there.
fn arrived(facts: &Value, port: &str, moment: &str) -> [u64; 2] {
    let fabric = &facts["fabric"];
    let received = &fabric["arrived"][port][moment]["packets"];
    let reasons = fabric["counted"]["ports"][port]["received"].as_object().expect("it is a port");
    let reasons = reasons.values().map(|count| count["packets"].as_u64().expect("a number"));
    [received.as_u64().expect("its driver runs the program"), reasons.sum()]
}

/// A stream goes from leaf to leaf, and each packet of it is accounted for.
fn conserved(fabric: &Fabric) {
    let mut readings = Readings::of(fabric, &[]);
    let [there, here] = [OTHER, LEAF].map(|leaf| readings.take(leaf));
    let report = fabric.send("vm11", "vm21", SENT);
    assert_eq!(report.lost(), 0, "{report:?}");
    let [after_here, after_there] = [LEAF, OTHER].map(|leaf| readings.take(leaf));
    let verified = readings.verify();
    assert_eq!((verified.status, said(&verified)), (0, vec![]), "{}", verified.document);
    let other_way = &verified.document["not_compared"][0];
    assert!(other_way.as_str().is_some_and(|it| it.contains("leaf02 has sent to ")));

    let vteps = [LEAF, OTHER].map(|leaf| fabric.vtep(leaf).to_string());
    let count = |facts: &Value, vtep: &str, way: &str| {
        facts["fabric"]["counted"]["vteps"][vtep][way]["packets"].as_u64().unwrap_or_default()
    };
    let sent = grown(&here, &after_here, |facts| count(facts, &vteps[1], "sent"));
    let got = grown(&there, &after_there, |facts| count(facts, &vteps[0], "received"));
    assert!(sent >= SENT - BY_KERNEL, "{sent} went by the programs");
    assert!(sent.abs_diff(got) <= BY_KERNEL, "{sent} sent, {got} received");

    // The host's port: nothing but the stream and a few questions arrive there.
    let [first, last] = [(&here, "after"), (&after_here, "before")]
        .map(|(facts, moment)| arrived(facts, "swp11", moment));
    let [received, counted] = [last[0] - first[0], last[1] - first[1]];
    assert!(received >= SENT, "{received} received");
    assert!(received.abs_diff(counted) <= BY_KERNEL, "{received} received, {counted} counted");

    // The programs have lost sight of a part.
    let mut forged = after_here;
    forged["taken_ms"] = (forged["taken_ms"].as_u64().expect("a time") + 1_000).into();
    let packets = &mut forged["fabric"]["arrived"]["swp11"]["before"]["packets"];
    *packets = (packets.as_u64().expect("a number") + 10_000).into();
    readings.keep(&forged);
    let verified = readings.verify();
    let [(what, _)] = &said(&verified)[..] else { panic!("{}", verified.document) };
    assert!(what.starts_with("port swp11 of ") && what.contains(" have no reason"), "{what}");
}

/// The spines discard what is for the other leaf.
fn lost(fabric: &Fabric) {
    let route = format!("blackhole {}/32 metric 1", fabric.vtep(OTHER));
    for spine in SPINES {
        fabric.ip(spine, &format!("route add {route}"));
    }
    let is_behind = |spine| {
        let verified = fabric.verify(spine, &[]);
        let differences = verified.document["differences"].as_array().expect("of one box");
        differences.iter().any(|one| one["differs"] == "maps")
    };
    for spine in SPINES {
        until(PATIENCE, "the spine's programs have the route", || !is_behind(spine));
    }
    let mut readings = Readings::of(fabric, &[OTHER, LEAF]);
    let sent = traffic::send_flows(&fabric.netns("vm11"), fabric.address("vm21"), SENT as u16, 1);
    sent.expect("they can be sent");
    for leaf in [LEAF, OTHER] {
        readings.take(leaf);
    }
    for spine in SPINES {
        fabric.ip(spine, &format!("route del {route}"));
    }
    let verified = readings.verify();
    let [(what, _)] = &said(&verified)[..] else { panic!("{}", verified.document) };
    assert!(
        what.starts_with("vtep from ") && what.ends_with(" packets or more are lost"),
        "{what}"
    );
    let number = what.rsplit(": ").next().and_then(|it| it.split(' ').next()).expect("a number");
    let number: u64 = number.parse().expect("a number");
    assert!((SENT - BY_KERNEL..=SENT + BY_KERNEL).contains(&number), "{what}");
}
