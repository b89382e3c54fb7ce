//! The answer, in a few lines or as JSON.

use std::net::IpAddr;

use fabric_common::{
    reason::{Reason, Verdict},
    schema::{
        fdb::{KIND_LOCAL, KIND_REMOTE, split_target},
        groups::Choice,
        ports,
        routes::{KIND_NEXTHOP, split_target as split_route},
    },
};
use serde_json::{Value, json};

use super::{Bridged, Flow, Look, Payload, Routed, Selection, arguments::protocol_name, flow::UDP};
use crate::{
    cli::{
        view::{View, gateway},
        ways::{self, prefix},
    },
    mac::Mac,
    observe::Prefix,
};

/// Lines for people and fields for programs.
pub(super) struct Answer<'a> {
    view: &'a View,
    lines: Vec<(&'static str, String)>,
    value: Value,
    reason: Reason,
}

impl<'a> Answer<'a> {
    fn new(view: &'a View, reason: Reason) -> Self {
        Self { view, lines: Vec::new(), value: json!({}), reason }
    }

    /// The answer for a packet that is routed.
    pub(super) fn routed(
        view: &'a View,
        port: Option<u32>,
        routing: u16,
        flow: Flow,
        found: Routed,
        range: Option<Prefix>,
    ) -> Self {
        let mut answer = Self::new(view, found.reason);
        answer.line("packet", format!("{}{}", packet(&flow), answer.arriving(port)));
        let of_ports: Vec<String> = view
            .contents
            .ports
            .iter()
            .filter(|(_, port)| ports::view(port.mac_and_view) == routing)
            .map(|(slot, _)| view.port(*slot))
            .collect();
        answer.line("view", format!("{routing}, of {}", of_ports.join(", ")));
        answer.value["view"] = json!(routing);
        answer.value["in"] = json!(port.map(|slot| view.port(slot)));
        let Some(target) = found.target else {
            answer.line("route", "none".into());
            answer.value["route"] = Value::Null;
            return answer.end();
        };
        let host = Prefix {
            address: flow.destination,
            length: if flow.destination.is_ipv4() { 32 } else { 128 },
        };
        let (entry, range) = if found.exact { ("host", Some(host)) } else { ("prefix", range) };
        let name = range.map_or_else(|| "a prefix".into(), |p| prefix(p.address, p.length));
        let kind = ways::kind(target);
        let index = ways::index(target);
        let to = index.map_or_else(|| kind.into(), |index| format!("{kind} {index}"));
        answer.line("route", format!("{name} ({entry}), {to}"));
        answer.value["route"] =
            json!({ "prefix": name, "entry": entry, "kind": kind, "index": index });
        if let Some(selection) = &found.selection {
            answer.selection(selection);
        } else if let (KIND_NEXTHOP, nexthop) = split_route(target) {
            answer.chosen(nexthop);
        }
        let port_be = flow.ports.map(|[_, destination]| destination.to_be());
        let to_tunnel = flow.protocol == UDP
            && port_be.is_some_and(|port_be| view.contents.settings.has_vxlan_port(port_be));
        if found.reason == Reason::TransitRouteLocal && to_tunnel {
            return answer
                .end_as("for a tunnel of this box: decapsulated if VNI and VTEP are known".into());
        }
        answer.end()
    }

    /// The answer for a frame in a bridge domain.
    pub(super) fn bridged(
        view: &'a View,
        port: Option<u32>,
        domain: u32,
        mac: Mac,
        payload: Payload,
        found: Bridged,
    ) -> Self {
        let mut answer = Self::new(view, found.reason);
        let what = match payload {
            Payload::Ip(flow) => packet(&flow),
            Payload::Other { source, ether_type } => format!("{ether_type:#06x} from {source}"),
        };
        answer.line("frame", format!("{what}, to {mac}{}", answer.arriving(port)));
        let entry = view.contents.domains.get(&domain);
        let bridge = entry.map_or_else(|| format!("domain {domain}"), |d| view.bridge_name(d));
        let vni = entry.map(|domain| domain.vni).filter(|vni| *vni != 0);
        let stretched = vni.map(|vni| format!(", VNI {vni}")).unwrap_or_default();
        answer.line("bridge", format!("{bridge}{stretched}"));
        answer.value["bridge"] = json!(bridge);
        answer.value["vni"] = json!(vni);
        answer.value["in"] = json!(port.map(|slot| view.port(slot)));
        match found.target.map(split_target) {
            None => answer.line("mac", "not known".into()),
            Some((KIND_LOCAL, circuit)) => answer.circuit(circuit),
            Some((KIND_REMOTE, vtep)) => answer.vtep(vtep, &found, entry.map(|d| d.udp_port_be)),
            Some(_) => answer.line("mac", "this box".into()),
        }
        if let Some(selection) = &found.selection {
            answer.selection(selection);
        }
        answer.end()
    }

    fn arriving(&self, port: Option<u32>) -> String {
        port.map(|slot| format!(", arriving on {}", self.view.port(slot))).unwrap_or_default()
    }

    fn line(&mut self, name: &'static str, text: String) {
        self.lines.push((name, text));
    }

    fn circuit(&mut self, index: u32) {
        let circuit = self.view.contents.circuits.get(&index);
        let port = circuit.map(|circuit| self.view.port(circuit.port.into()));
        let vlan = circuit.map(|circuit| circuit.vlan).filter(|vlan| *vlan != 0);
        let tag = vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
        let name = port.clone().unwrap_or_else(|| format!("circuit {index}"));
        self.line("mac", format!("behind {name}{tag}"));
        self.value["port"] = json!(port);
        self.value["vlan"] = json!(vlan);
    }

    fn vtep(&mut self, index: u32, found: &Bridged, udp_port_be: Option<u16>) {
        let Some(vtep) = self.view.contents.vteps.get(&index) else {
            return self.line("vtep", format!("number {index}, which has just gone"));
        };
        let (remote, local) = (vtep.remote(), vtep.local());
        let port = u16::from_be(udp_port_be.unwrap_or_default());
        let udp = found.source_port.map(|from| format!(", UDP {from} to {port}"));
        self.line("vtep", format!("{remote} from {local}{}", udp.unwrap_or_default()));
        self.value["vtep"] = json!({
            "remote": remote.to_string(),
            "local": local.to_string(),
            "source_port": found.source_port,
            "destination_port": port,
        });
    }

    fn selection(&mut self, selection: &Selection) {
        let group = self.view.contents.groups.get(&selection.group);
        let members = group.map_or(0, |group| group.shares.len());
        let kind = match group.map(|group| group.choice) {
            Some(Choice::Single { .. }) => "single nexthop".into(),
            Some(Choice::Spread { timed, .. }) => {
                let kind = if timed { "resilient, " } else { "" };
                format!("{kind}{}", crate::cli::format::count(members, "member"))
            }
            Some(Choice::Blackhole) => "blackhole".into(),
            _ => "no nexthop".into(),
        };
        self.line("group", format!("{}, {kind}", selection.group));
        let chosen = selection.looks.last().filter(|_| selection.nexthop.is_some());
        if selection.buckets > 0 {
            let bucket = selection.looks.first().and_then(|look| look.bucket).unwrap_or(0);
            self.line(
                "hash",
                format!("{:#010x}, bucket {bucket} of {}", selection.hash, selection.buckets),
            );
        }
        let dead = selection.looks.len() - usize::from(chosen.is_some());
        for look in selection.looks.iter().take(dead) {
            let text = self.dead(look);
            self.line("passed", text);
        }
        if let Some(look) = chosen {
            if let (Some(bucket), true) = (look.bucket, dead > 0) {
                self.line("instead", format!("bucket {bucket}"));
            }
            self.chosen(look.nexthop);
        }
        let passed: Vec<Value> = selection
            .looks
            .iter()
            .take(dead)
            .map(|look| json!({ "bucket": look.bucket, "nexthop": self.nexthop(look.nexthop) }))
            .collect();
        self.value["group"] = json!(selection.group);
        self.value["hash"] = json!(selection.hash);
        self.value["buckets"] = json!(selection.buckets);
        self.value["bucket"] = json!(chosen.and_then(|look| look.bucket));
        self.value["passed_over"] = json!(passed);
    }

    /// A member that was passed over.
    fn dead(&self, look: &Look) -> String {
        let bucket = look.bucket.map(|bucket| format!("bucket {bucket}: ")).unwrap_or_default();
        let Some(nexthop) = self.view.contents.nexthops.get(&look.nexthop) else {
            return format!("{bucket}no nexthop");
        };
        let port = self.view.port(nexthop.port.into());
        let death = self.view.death(nexthop).join(", ");
        format!("{bucket}{} on {port}, dead: {death}", gateway(nexthop))
    }

    fn chosen(&mut self, index: u32) {
        let Some(nexthop) = self.view.contents.nexthops.get(&index) else {
            return self.line("nexthop", format!("{index}, which has just gone"));
        };
        let mac = nexthop.macs.first_chunk().copied().map(Mac).unwrap_or(Mac([0; 6]));
        let port = self.view.port(nexthop.port.into());
        let death = self.view.death(nexthop);
        let alive =
            if death.is_empty() { "alive".into() } else { format!("dead: {}", death.join(", ")) };
        self.line(
            "nexthop",
            format!("{} on {port}, MAC {mac}, MTU {}, {alive}", gateway(nexthop), nexthop.mtu),
        );
        self.value["nexthop"] = self.nexthop(index);
    }

    fn nexthop(&self, index: u32) -> Value {
        let Some(nexthop) = self.view.contents.nexthops.get(&index) else {
            return json!({ "index": index });
        };
        let mac = nexthop.macs.first_chunk().copied().map(Mac).unwrap_or(Mac([0; 6]));
        let death = self.view.death(nexthop);
        json!({
            "index": index,
            "port": self.view.port(nexthop.port.into()),
            "gateway": gateway(nexthop).to_string(),
            "mac": mac.to_string(),
            "mtu": nexthop.mtu,
            "alive": death.is_empty(),
            "why_not": death,
        })
    }

    fn end(self) -> Self {
        let (reason, about) = (self.reason.name(), self.reason.describe().trim());
        let verdict = verdict(self.reason);
        self.end_as(format!("{verdict} ({reason}): {about}"))
    }

    fn end_as(mut self, text: String) -> Self {
        self.line("answer", text);
        let settings = &self.view.contents.settings;
        let idle = match self.view.heartbeat() {
            _ if settings.bypass != 0 => Some("bypass is on"),
            None => Some("there is no heartbeat yet"),
            Some(Err(_)) => Some("the heartbeat has expired"),
            Some(Ok(_)) => None,
        };
        if let Some(idle) = idle {
            self.line("but", format!("{idle}, so that the kernel carries all traffic now"));
        }
        self.value["reason"] = json!(self.reason.name());
        self.value["verdict"] = json!(verdict(self.reason));
        self.value["forwarded"] = json!(self.reason.verdict() == Verdict::Redirect);
        self.value["idle"] = json!(idle);
        self
    }

    /// True if something in the maps matched.
    pub(super) fn found(&self) -> bool {
        !matches!(self.reason, Reason::TransitRouteNone | Reason::BridgeLookupUnknown)
    }

    pub(super) fn json(&self) -> Value {
        self.value.clone()
    }

    /// One line per fact.
    pub(super) fn text(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.lines.iter().map(|(name, text)| format!("{name:<width$}  {text}\n")).collect()
    }
}

const fn verdict(reason: Reason) -> &'static str {
    match reason.verdict() {
        Verdict::Redirect => "forwarded",
        Verdict::Pass => "left to the kernel",
        Verdict::Drop => "dropped",
    }
}

/// `tcp 10.0.0.1:40000 to 10.0.0.2:443`.
fn packet(flow: &Flow) -> String {
    let end = |address: IpAddr, port: Option<u16>| match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    };
    let [source, destination] =
        flow.ports.map_or([None; 2], |[source, destination]| [Some(source), Some(destination)]);
    let protocol = protocol_name(flow.protocol);
    format!("{protocol} {} to {}", end(flow.source, source), end(flow.destination, destination))
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::{nexthops::FLAG_DOWN, routes};

    use super::*;
    use crate::cli::view::tests::leaf;

    fn flow() -> Flow {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        Flow {
            source: address("10.9.0.1"),
            destination: address("10.9.0.2"),
            protocol: 6,
            ports: Some([40_000, 443]),
            flow_label: 0,
        }
    }

    fn look(bucket: u32, nexthop: u32) -> Look {
        Look { bucket: Some(bucket), nexthop }
    }

    #[test]
    fn a_routed_packet_is_told_with_the_members_that_were_passed_over() {
        let mut view = leaf();
        view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
        for port in view.contents.ports.values_mut().take(2) {
            port.mac_and_view = ports::mac_and_view(0, 1);
        }
        let selection = Selection {
            group: 1,
            hash: 0x1234,
            buckets: 256,
            looks: vec![look(5, 1), look(163, 1), look(200, 2)],
            nexthop: Some(2),
            blackhole: false,
        };
        let found = Routed {
            exact: false,
            target: Some(routes::target(routes::KIND_GROUP, 1)),
            selection: Some(selection),
            nexthop: Some(2),
            reason: Reason::Routed,
        };
        let range = Prefix { address: "10.9.0.0".parse().unwrap(), length: 24 };
        let answer = Answer::routed(&view, Some(1), 1, flow(), found, Some(range));
        let expected = "\
packet   tcp 10.9.0.1:40000 to 10.9.0.2:443, arriving on swp1
view     1, of swp1, swp2
route    10.9.0.0/24 (prefix), group 1
group    1, 2 members
hash     0x00001234, bucket 5 of 256
passed   bucket 5: 192.0.2.1 on swp1, dead: neighbour
passed   bucket 163: 192.0.2.1 on swp1, dead: neighbour
instead  bucket 200
nexthop  fe80::1 on swp2, MAC 02:00:00:00:00:52, MTU 0, alive
answer   forwarded (routed): Routed from one port to another.
";
        assert_eq!(answer.text(), expected);
        let json = answer.json();
        assert_eq!(json["passed_over"][1]["nexthop"]["why_not"][0], "neighbour");
        assert_eq!((&json["bucket"], &json["nexthop"]["port"]), (&json!(200), &json!("swp2")));
        assert!(answer.found());
    }

    #[test]
    fn nothing_that_matches_and_a_bypass_are_said() {
        let mut view = leaf();
        view.contents.settings.bypass = 1;
        let found = Routed {
            exact: false,
            target: None,
            selection: None,
            nexthop: None,
            reason: Reason::TransitRouteNone,
        };
        let answer = Answer::routed(&view, None, 1, flow(), found, None);
        assert!(!answer.found());
        assert!(answer.text().contains("route   none\n"), "{}", answer.text());
        assert!(answer.text().contains("but     bypass is on, so that"), "{}", answer.text());
        assert_eq!(answer.json()["forwarded"], json!(false));
    }
}
