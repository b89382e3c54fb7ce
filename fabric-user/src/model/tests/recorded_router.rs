//! A router's real messages on Linux 6.18, recorded as those of `recorded.rs`.

use super::recorded::{Step, steps};
use crate::model::*;

const ROUTER: &str = include_str!("../recorded/router.jsonl");

impl Step {
    /// Where packets from a port to a prefix go, in words.
    fn way(&self, port: &str, prefix: &str) -> String {
        let port = self.desired.structure.ports.values().find(|each| each.name == port);
        let Some(view) = port.and_then(|port| port.view) else {
            return "not routed".into();
        };
        let way = self.desired.routes.iter().find_map(|(place, way)| {
            let RoutePlace { view: of, prefix: at } = place;
            (*of == view && at.to_string() == prefix).then_some(way)
        });
        match way {
            None => "no entry".into(),
            Some(Way::Group(key)) => self.group(key),
            Some(Way::Nexthop { key, .. }) => format!("host {}", self.hop(key)),
            Some(other) => format!("{other:?}").to_lowercase(),
        }
    }

    fn group(&self, key: &GroupKey) -> String {
        let group = &self.desired.structure.groups[key];
        if group.blackhole {
            return "discarding group".into();
        }
        let members = group.members.iter();
        let words: Vec<String> =
            members.map(|(key, weight)| format!("{} {weight}", self.hop(key))).collect();
        words.join(", ")
    }

    fn hop(&self, key: &NexthopKey) -> String {
        format!("{} {}", self.names[&key.ifindex], key.gateway)
    }

    /// Ports that route, with their families.
    fn routed(&self) -> Vec<(&str, bool, bool)> {
        let ports = self.desired.structure.ports.values();
        ports.map(|port| (port.name.as_str(), port.route4, port.route6)).collect()
    }
}

#[test]
fn a_recorded_router_is_followed_through_routes_rules_and_failures() {
    let steps = steps(ROUTER);
    let at = |step: &str| &steps[step];
    let way = |step: &str, prefix: &str| at(step).way("s1", prefix);
    let both = "s1 192.0.2.0 1, s2 fe80::52 3";

    assert!(at("set up").routed().is_empty(), "nothing is forwarded");
    let all = |four, six| [("s1", four, six), ("s2", four, six), ("s3", four, six)];
    assert_eq!(at("forwarding").routed(), all(true, true));
    assert_eq!(way("forwarding", "10.9.0.0/16"), both);
    assert_eq!(way("forwarding", "10.1.0.0/24"), "connected");
    assert_eq!(way("forwarding", "10.1.0.7/32"), "host s3 10.1.0.7");
    assert_eq!(way("forwarding", "10.1.0.255/32"), "local", "a broadcast");
    assert_eq!(way("forwarding", "2001:db8:1::/128"), "local", "routers' anycast");
    assert_eq!(way("forwarding", "127.0.0.0/8"), "no entry");
    let own: Vec<String> =
        at("forwarding").desired.structure.own.iter().map(ToString::to_string).collect();
    assert_eq!(own, ["10.0.0.9", "10.1.0.1", "192.0.2.1", "192.0.2.3", "2001:db8:1::1"]);
    assert_eq!(at("forwarding").desired.structure.problems, []);

    let step = "IPv6 next hops are appended and leave";
    assert_eq!(way(step, "2001:db8:9::/48"), "s3 2001:db8:1::8 1");
    assert_eq!(way("a second route of the same key", "10.9.0.0/16"), "s3 10.1.0.7 1");
    assert_eq!(way("only the second one is left", "10.9.0.0/16"), "s1 192.0.2.0 1");

    let step = at("a table of its own for the rack");
    assert_eq!(step.desired.structure.views.len(), 2);
    assert_eq!(step.way("s3", "10.66.0.0/16"), "blackhole");
    assert_eq!(step.way("s3", "0.0.0.0/0"), "unreachable");
    assert_eq!(step.way("s3", "10.9.0.0/16"), "no entry", "hidden by the default of table 1000");
    assert_eq!(step.way("s3", "10.0.0.9/32"), "local");
    assert_eq!(step.way("s1", "10.9.0.0/16"), "s1 192.0.2.0 1");

    let step = at("a rule by source");
    assert_eq!(step.routed(), all(false, true));
    let problem = &step.desired.structure.problems[0].text;
    assert!(problem.contains("`from 10.1.0.0/24 lookup 1000` (priority 200)"), "{problem}");
    assert_eq!(at("the rules are gone").routed(), all(true, true));
    assert_eq!(at("the rules are gone").desired.structure.views.len(), 1);

    assert!(!at("sources are checked").routed()[1].1);
    assert!(at("and no more").routed()[1].1);
    assert_eq!(way("and no more", "10.8.0.0/16"), both);

    let step = at("a nexthop becomes a blackhole in place");
    assert_eq!(step.way("s1", "10.7.0.0/16"), "discarding group");
    assert_eq!(way("and leads to a router again", "10.7.0.0/16"), "s1 192.0.2.0 1");
    let step = at("a nexthop is deleted with its routes");
    assert!(step.stale, "the kernel does not say that the route went too");
    assert_eq!(step.way("s1", "10.7.0.0/16"), "", "a group without members");
    assert_eq!(way("routing is read again", "10.7.0.0/16"), "no entry");

    let step = at("a port is set down");
    assert!(step.stale);
    assert_eq!(step.way("s1", "10.8.0.0/16"), both, "until the kernel is asked");
    assert_eq!(way("routing is read once more", "10.8.0.0/16"), "s1 192.0.2.0 1");
    let structure = |step: &str| &at(step).desired;
    assert_eq!(structure("everything is read again"), structure("routing is read once more"));

    assert_eq!(way("a port is gone", "10.8.0.0/16"), "s1 192.0.2.0 1");
    assert_eq!(way("the end", "10.1.0.0/24"), "no entry");
    assert_eq!(way("the end", "2001:db8:9::/48"), "no entry");
}
