//! Real messages, recorded by `examples/record_events.rs` with the commands of `recorded/*.sh`.

use std::collections::BTreeMap;

use super::incremental::Incremental;
use crate::{
    model::*,
    observe::recording::{Line, read},
};

/// A leaf with a plain bridge on Linux 6.18.
pub(super) const LEAF: &str = include_str!("../recorded/leaf.jsonl");
/// A leaf with a VLAN-aware bridge on Debian's Linux 6.12.
pub(super) const VLAN_AWARE: &str = include_str!("../recorded/vlan_aware.jsonl");

pub(super) fn lines(recording: &str) -> Vec<Line> {
    read(recording.as_bytes()).unwrap()
}

/// What is known at the end of a step.
pub(super) struct Step {
    pub(super) desired: Desired,
    /// Of interfaces.
    pub(super) names: BTreeMap<u32, String>,
    /// Routing had to be read again.
    pub(super) stale: bool,
}

impl Step {
    fn at_end(follower: &Incremental, stale: bool) -> Self {
        let names = follower.network.links().map(|link| (link.ifindex, link.name.clone()));
        Self { desired: follower.desired(), names: names.collect(), stale }
    }
}

/// The steps of a recording by their names.
pub(super) fn steps(recording: &str) -> BTreeMap<String, Step> {
    let mut follower = Incremental::new(Policy::default());
    let (mut name, mut stale) = (String::from("start"), false);
    let mut steps = BTreeMap::new();
    for line in lines(recording) {
        match line {
            Line::Step(next) => {
                steps.insert(name, Step::at_end(&follower, stale));
                (name, stale) = (next, false);
            }
            Line::Listing(listing) => drop(follower.replace(listing)),
            Line::Event(event) => {
                stale |= follower.apply(event).routing_stale;
                follower.desired();
            }
            Line::Lost => {}
        }
    }
    steps.insert(name, Step::at_end(&follower, stale));
    steps
}

/// Where a host is, in words.
fn place(Step { desired, names, .. }: &Step, vlan: u16, host: &str) -> String {
    let mac = host.parse().unwrap();
    let domain = desired.structure.domains.keys().find(|key| key.vlan == vlan).expect("a domain");
    match desired.fdb.get(&FdbKey { domain: *domain, mac }) {
        Some(Target::Local(circuit)) => names[&circuit.bridge_port].clone(),
        Some(Target::Remote(vtep)) => vtep.remote.to_string(),
        Some(Target::Own | Target::Gateway(_)) => "own".into(),
        Some(Target::Segment(segment)) => format!("segment {}", segment.group),
        None => "kernel".into(),
    }
}

const LOCAL: &str = "02:aa:00:00:00:01";
const ROAMING: &str = "02:aa:00:00:00:02";

/// Next hops towards a VTEP with their weights, in words; empty if unreachable.
fn way(Step { desired, names, .. }: &Step, remote: &str) -> Vec<(String, u16)> {
    let remote: std::net::IpAddr = remote.parse().unwrap();
    let vtep = desired.structure.vteps.iter().find(|(key, _)| key.remote == remote);
    let Some(group) = vtep.and_then(|(_, group)| group.as_ref()) else {
        return Vec::new();
    };
    let name = |(NexthopKey { ifindex, gateway }, weight): &(NexthopKey, u16)| {
        (format!("{} {gateway}", names[ifindex]), *weight)
    };
    desired.structure.groups[group].members.iter().map(name).collect()
}

#[test]
fn a_recorded_leaf_is_followed_through_learning_moves_failures_and_losses() {
    let steps = steps(LEAF);
    let at = |step: &str| &steps[step];
    let both = vec![(String::from("u1 192.0.2.0"), 1), (String::from("u2 fe80::52"), 3)];
    let only_u2 = |weight| vec![(String::from("u2 fe80::52"), weight)];

    let Step { desired, names, .. } = at("set up");
    let roles: Vec<_> =
        desired.structure.ports.values().map(|port| (port.name.as_str(), port.role)).collect();
    assert_eq!(roles, [("h1", Role::Access), ("h2", Role::Access)]);
    let domain = desired.structure.domains.values().next().expect("br10");
    assert_eq!(
        (domain.name.as_str(), domain.vni, domain.ageing_ms),
        ("br10", Some(10_010), 30_000)
    );
    assert!(!domain.overlay_learning);
    assert_eq!(names.values().filter(|name| name.starts_with("vx")).count(), 1);
    assert!(desired.fdb.values().all(|target| *target == Target::Own), "the bridge's addresses");
    assert!(!desired.fdb.is_empty());

    assert!(at("underlay").desired.structure.vteps.is_empty());
    assert_eq!(way(at("flood"), "10.0.0.2"), both);
    let underlay =
        at("flood").desired.structure.ports.values().filter(|port| port.role == Role::Underlay);
    assert_eq!(underlay.map(|port| port.name.as_str()).collect::<Vec<_>>(), ["u1", "u2"]);

    assert_eq!(place(at("local"), 0, LOCAL), "h1");
    assert_eq!(place(at("local"), 0, ROAMING), "kernel");
    assert_eq!(place(at("remote"), 0, ROAMING), "10.0.0.2");
    assert_eq!(place(at("remote moves here"), 0, ROAMING), "h2");

    let away = at("moves to another VTEP that has no route");
    assert_eq!(place(away, 0, ROAMING), "10.0.0.3");
    assert!(way(away, "10.0.0.3").is_empty());
    let problems = &away.desired.structure.problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].text, "VTEP 10.0.0.3: no route, left to the kernel");
    assert_eq!(way(at("route to the other VTEP"), "10.0.0.3"), only_u2(1));
    assert_eq!(at("route to the other VTEP").desired.structure.problems, []);

    assert_eq!(place(at("access port down"), 0, LOCAL), "kernel");
    assert!(at("access port down").desired.structure.ports.values().any(|port| port.name == "h1"));

    assert_eq!(way(at("underlay port loses carrier"), "10.0.0.2"), both, "nobody told us");
    assert_eq!(way(at("routing is read again"), "10.0.0.2"), only_u2(3));
    assert_eq!(way(at("underlay port comes back"), "10.0.0.2"), both);

    assert_eq!(place(at("messages are lost"), 0, ROAMING), "10.0.0.3", "nobody told us");
    assert_eq!(place(at("everything is read again"), 0, ROAMING), "kernel");
    assert_eq!(way(at("everything is read again"), "10.0.0.2"), both);

    let group = &at("next hop leaves the group").desired.structure.groups[&GroupKey::Object(20)];
    assert_eq!(group.members.len(), 1);
    assert_eq!(way(at("next hop leaves the group"), "10.0.0.2"), only_u2(1));

    let desired = &at("VNI removed").desired;
    assert!(desired.structure.domains.is_empty() && desired.structure.vteps.is_empty());
    assert!(desired.fdb.is_empty());
}

#[test]
fn a_recorded_vlan_aware_leaf_has_a_domain_per_vlan_and_tagged_circuits() {
    let steps = steps(VLAN_AWARE);
    let at = |step: &str| &steps[step];
    let tagged = |step: &str, port: &str| -> Vec<u16> {
        let ports = &at(step).desired.structure.ports;
        let port = ports.values().find(|each| each.name == port).expect("a port");
        port.tagged.keys().copied().collect()
    };
    let domains = |step: &str| -> Vec<(u16, Option<u32>)> {
        let domains = &at(step).desired.structure.domains;
        domains.iter().map(|(key, domain)| (key.vlan, domain.vni)).collect()
    };

    let desired = &at("VLANs of the ports").desired;
    assert_eq!(tagged("VLANs of the ports", "h2"), [200, 201, 202, 203, 300]);
    assert!(tagged("VLANs of the ports", "h1").is_empty());
    let h1 = desired.structure.ports.values().find(|port| port.name == "h1").unwrap();
    assert_eq!(h1.untagged.map(|circuit| circuit.domain.vlan), Some(200));
    let local_only = [201, 202, 203, 300].map(|vlan| (vlan, None));
    assert_eq!(domains("VLANs of the ports")[0], (200, Some(10_200)));
    assert_eq!(domains("VLANs of the ports")[1..], local_only);
    assert_eq!(desired.structure.problems, []);

    assert_eq!(place(at("MACs"), 200, LOCAL), "h2");
    assert_eq!(place(at("MACs"), 201, LOCAL), "kernel", "another VLAN");
    assert_eq!(place(at("MACs"), 200, ROAMING), "10.0.0.2");
    assert_eq!(way(at("MACs"), "10.0.0.2"), [(String::from("u1 192.0.2.0"), 1)]);

    assert_eq!(tagged("a VLAN leaves a port", "h2"), [200, 203, 300]);
    assert_eq!(at("everything is read again").desired, at("a VLAN leaves a port").desired);

    assert_eq!(tagged("a VLAN device becomes a port", "h3"), [200]);
    assert_eq!(place(at("a VLAN device becomes a port"), 200, "02:aa:00:00:00:03"), "h3.200");

    assert_eq!(domains("the bridge becomes plain"), [(0, Some(10_200))]);
    assert_eq!(place(at("the bridge becomes plain"), 0, LOCAL), "kernel", "known in VLAN 200 only");
}

#[test]
fn a_line_that_is_no_observation_is_named() {
    let error = read("{\"step\":\"a\"}\n\n{\"nonsense\":1}\n".as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("line 3 is no recorded observation"), "{error}");
}
