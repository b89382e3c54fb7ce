//! The answer, in a few lines or as JSON.

use std::net::IpAddr;

use fabric_common::{
    reason::{Reason, Verdict},
    schema::{
        fdb::{KIND_LOCAL, KIND_OWN, KIND_REMOTE, split_target},
        groups::Choice,
        ports,
        routes::{KIND_NEXTHOP, split_target as split_route},
    },
};
use serde::Serialize;

use super::{Bridged, Flow, Payload, Routed, arguments::protocol_name, flow::UDP};
use crate::{
    cli::{format::count, routes::Span, view::View, ways},
    kernel::selection::{Look, Selection},
    mac::Mac,
};

/// Lines for people and a document for programs.
pub(super) struct Answer<'a> {
    view: &'a View,
    lines: Vec<(&'static str, String)>,
    document: Document,
    reason: Reason,
    /// Something in the maps matched.
    found: bool,
}

/// What is printed as JSON.
#[derive(Debug, Default, Serialize)]
pub(super) struct Document {
    r#in: Option<String>,
    view: Option<u16>,
    route: Option<Route>,
    bridge: Option<String>,
    vni: Option<u32>,
    port: Option<String>,
    vlan: Option<u16>,
    vtep: Option<Vtep>,
    group: Option<Group>,
    nexthop: Option<Nexthop>,
    reason: Option<&'static str>,
    verdict: &'static str,
    forwarded: Option<bool>,
    idle: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Route {
    addresses: Option<Span>,
    entry: &'static str,
    kind: &'static str,
    index: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Vtep {
    remote: IpAddr,
    local: IpAddr,
    source_port: Option<u16>,
    destination_port: u16,
}

#[derive(Debug, Serialize)]
struct Group {
    index: u32,
    hash: u32,
    buckets: u32,
    bucket: Option<u32>,
    passed_over: Vec<Passed>,
}

#[derive(Debug, Serialize)]
struct Passed {
    bucket: Option<u32>,
    nexthop: Option<Nexthop>,
}

#[derive(Debug, Serialize)]
struct Nexthop {
    index: u32,
    port: String,
    gateway: IpAddr,
    mac: Option<Mac>,
    mtu: u32,
    alive: bool,
    why_not: Vec<&'static str>,
}

impl<'a> Answer<'a> {
    fn new(view: &'a View, port: Option<u32>, target: Option<u32>, reason: Reason) -> Self {
        let r#in = port.map(|slot| view.port(slot));
        let document = Document { r#in, ..Document::default() };
        Self { view, lines: Vec::new(), document, reason, found: target.is_some() }
    }

    /// The answer for a packet that is routed.
    pub(super) fn routed(
        view: &'a View,
        port: Option<u32>,
        routing: u16,
        flow: Flow,
        found: Routed,
        range: Option<Span>,
    ) -> Self {
        let mut answer = Self::new(view, port, found.target, found.reason);
        answer.line("packet", format!("{}{}", packet(&flow), answer.arriving()));
        let ports = view.contents.ports.iter();
        let of_ports = ports.filter(|(_, port)| ports::view(port.mac_and_view) == routing);
        let of_ports: Vec<String> = of_ports.map(|(slot, _)| view.port(*slot)).collect();
        answer.line("view", format!("{routing}, of {}", of_ports.join(", ")));
        answer.document.view = Some(routing);
        let Some(target) = found.target else {
            answer.line("route", "none".into());
            return answer.end();
        };
        let (entry, addresses) = match found.exact {
            true => ("host", Some(Span::of(flow.destination))),
            false => ("range", range),
        };
        let name = addresses.map_or_else(|| "a range".into(), |span| span.to_string());
        let (kind, index) = (ways::kind(target), ways::index(target));
        let to = index.map_or_else(|| kind.into(), |index| format!("{kind} {index}"));
        answer.line("route", format!("{name} ({entry}), {to}"));
        answer.document.route = Some(Route { addresses, entry, kind, index });
        if let Some(selection) = &found.selection {
            answer.selection(selection);
        } else if let (KIND_NEXTHOP, nexthop) = split_route(target) {
            answer.chosen(nexthop);
        }
        let port_be = flow.ports.map(|[_, destination]| destination.to_be());
        let to_tunnel = flow.protocol == UDP
            && port_be.is_some_and(|port_be| view.contents.settings.has_vxlan_port(port_be));
        if found.reason == Reason::TransitRouteLocal && to_tunnel {
            // What becomes of it is up to the VXLAN header.
            let text = format!("{TO_TUNNEL}: decapsulated if VNI and VTEP are known");
            return answer.end_as(TO_TUNNEL, None, text);
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
        let mut answer = Self::new(view, port, found.target, found.reason);
        let what = match payload {
            Payload::Ip(flow) => packet(&flow),
            Payload::Other { source, ether_type } => format!("{ether_type:#06x} from {source}"),
        };
        answer.line("frame", format!("{what}, to {mac}{}", answer.arriving()));
        let entry = view.contents.domains.get(&domain);
        let bridge = entry.map_or_else(|| format!("domain {domain}"), |d| view.bridge_name(d));
        let vni = view.vni(domain);
        let stretched = vni.map(|vni| format!(", VNI {vni}")).unwrap_or_default();
        answer.line("bridge", format!("{bridge}{stretched}"));
        (answer.document.bridge, answer.document.vni) = (Some(bridge), vni);
        match found.target.map(split_target) {
            None => answer.line("mac", "not known".into()),
            Some((KIND_LOCAL, circuit)) => answer.circuit(circuit),
            Some((KIND_REMOTE, vtep)) => answer.vtep(vtep, &found, entry.map(|d| d.udp_port_be)),
            Some((KIND_OWN, gateway)) if gateway != 0 => {
                answer.line("mac", format!("gateway {}", view.port(gateway)));
            }
            Some(_) => answer.line("mac", "this box".into()),
        }
        if let Some(selection) = &found.selection {
            answer.selection(selection);
        }
        answer.end()
    }

    fn arriving(&self) -> String {
        let port = self.document.r#in.as_ref();
        port.map(|port| format!(", arriving on {port}")).unwrap_or_default()
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
        (self.document.port, self.document.vlan) = (port, vlan);
    }

    fn vtep(&mut self, index: u32, found: &Bridged, udp_port_be: Option<u16>) {
        let Some(vtep) = self.view.contents.vteps.get(&index) else {
            return self.line("vtep", format!("number {index}, which has just gone"));
        };
        let (remote, local) = (vtep.remote(), vtep.local());
        let (source_port, destination_port) =
            (found.source_port, u16::from_be(udp_port_be.unwrap_or_default()));
        let udp = source_port.map(|from| format!(", UDP {from} to {destination_port}"));
        self.line("vtep", format!("{remote} from {local}{}", udp.unwrap_or_default()));
        self.document.vtep = Some(Vtep { remote, local, source_port, destination_port });
    }

    fn selection(&mut self, selection: &Selection) {
        let Selection { group, hash, choice, looks, nexthop } = selection;
        let shares = self.view.contents.groups.get(group).map_or(0, |group| group.shares.len());
        let members = count(shares, "member");
        let (kind, buckets) = match choice {
            Choice::Nothing => ("no nexthop".into(), 0),
            Choice::Blackhole => ("blackhole".into(), 0),
            Choice::Single { .. } => ("single nexthop".into(), 0),
            Choice::Spread { timed: false, count, .. } => (members, *count),
            Choice::Spread { count, .. } => (format!("resilient, {members}"), *count),
        };
        self.line("group", format!("{group}, {kind}"));
        if let Some(bucket) = looks.first().and_then(|look| look.bucket) {
            self.line("hash", format!("{hash:#010x}, bucket {bucket} of {buckets}"));
        }
        let (chosen, dead) = match (nexthop, looks.split_last()) {
            (Some(_), Some((chosen, dead))) => (Some(chosen), dead),
            _ => (None, &looks[..]),
        };
        let passed_over = dead.iter().map(|look| self.passed(look)).collect();
        if let Some(look) = chosen {
            if let (Some(bucket), false) = (look.bucket, dead.is_empty()) {
                self.line("instead", format!("bucket {bucket}"));
            }
            self.chosen(look.nexthop);
        }
        self.document.group = Some(Group {
            index: *group,
            hash: *hash,
            buckets,
            bucket: chosen.and_then(|look| look.bucket),
            passed_over,
        });
    }

    /// A member that was passed over.
    fn passed(&mut self, look: &Look) -> Passed {
        let bucket = look.bucket.map(|bucket| format!("bucket {bucket}: ")).unwrap_or_default();
        let nexthop = self.nexthop(look.nexthop);
        let what = match &nexthop {
            Some(Nexthop { gateway, port, why_not, .. }) => {
                format!("{gateway} on {port}, dead: {}", why_not.join(", "))
            }
            None => "no nexthop".into(),
        };
        self.line("passed", format!("{bucket}{what}"));
        Passed { bucket: look.bucket, nexthop }
    }

    fn chosen(&mut self, index: u32) {
        let nexthop = self.nexthop(index);
        let text = match &nexthop {
            None => format!("{index}, which has just gone"),
            Some(Nexthop { port, gateway, mac, mtu, alive, why_not, .. }) => {
                let alive =
                    if *alive { "alive".into() } else { format!("dead: {}", why_not.join(", ")) };
                let mac = mac.map_or_else(|| "not resolved".into(), |mac| mac.to_string());
                format!("{gateway} on {port}, MAC {mac}, MTU {mtu}, {alive}")
            }
        };
        self.line("nexthop", text);
        self.document.nexthop = nexthop;
    }

    fn nexthop(&self, index: u32) -> Option<Nexthop> {
        let nexthop = self.view.contents.nexthops.get(&index)?;
        let why_not = self.view.death(nexthop);
        Some(Nexthop {
            index,
            port: self.view.port(nexthop.port.into()),
            gateway: nexthop.address(),
            mac: nexthop.macs.first_chunk().copied().map(Mac).filter(|mac| !mac.is_zero()),
            mtu: nexthop.mtu,
            alive: why_not.is_empty(),
            why_not,
        })
    }

    fn end(self) -> Self {
        let (reason, about) = (self.reason.name(), self.reason.describe().trim());
        let verdict = verdict(self.reason);
        let known = Some(self.reason);
        self.end_as(verdict, known, format!("{verdict} ({reason}): {about}"))
    }

    /// `reason` is `None` if it is not known.
    fn end_as(mut self, verdict: &'static str, reason: Option<Reason>, text: String) -> Self {
        self.line("answer", text);
        let idle = self.view.idle();
        if let Some(idle) = idle {
            self.line("but", format!("{idle}, so that the kernel carries all traffic now"));
        }
        self.document.reason = reason.map(|reason| reason.name());
        self.document.verdict = verdict;
        self.document.forwarded = reason.map(|reason| reason.verdict() == Verdict::Redirect);
        self.document.idle = idle;
        self
    }

    /// True if something in the maps matched.
    pub(super) const fn found(&self) -> bool {
        self.found
    }

    pub(super) const fn document(&self) -> &Document {
        &self.document
    }

    /// One line per fact.
    pub(super) fn text(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.lines.iter().map(|(name, text)| format!("{name:<width$}  {text}\n")).collect()
    }
}

/// Said of packets for a tunnel that ends here.
const TO_TUNNEL: &str = "for a tunnel of this box";

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
    use fabric_common::schema::{fdb, nexthops::FLAG_DOWN, routes};

    use super::*;
    use crate::cli::{golden, print::Of, view::tests::leaf};

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

    /// The end of a packet that no group had to do with.
    fn ended(reason: Reason, target: Option<u32>) -> Routed {
        Routed { exact: false, target, selection: None, nexthop: None, reason }
    }

    /// The nexthops of these buckets were looked at until the last one.
    fn selected(looks: &[(u32, u32)]) -> Selection {
        let look = |(bucket, nexthop)| Look { bucket: Some(bucket), nexthop };
        Selection {
            group: 1,
            hash: 0x1234,
            choice: Choice::Spread { chunk: 1, count: 256, timed: false },
            looks: looks.iter().copied().map(look).collect(),
            nexthop: looks.last().map(|(_, nexthop)| *nexthop),
        }
    }

    #[test]
    fn a_routed_packet_is_told_with_the_members_that_were_passed_over() {
        let mut view = leaf();
        view.contents.nexthops.get_mut(&1).unwrap().flags = FLAG_DOWN;
        for port in view.contents.ports.values_mut().take(2) {
            port.mac_and_view = ports::mac_and_view(0, 1);
        }
        let target = Some(routes::target(routes::KIND_GROUP, 1));
        let selection = Some(selected(&[(5, 1), (163, 1), (200, 2)]));
        let found = Routed { selection, nexthop: Some(2), ..ended(Reason::Routed, target) };
        let range = "10.9.0.0/24".parse().ok();
        let answer = Answer::routed(&view, Some(1), 1, flow(), found, range);
        let expected = "\
packet   tcp 10.9.0.1:40000 to 10.9.0.2:443, arriving on swp1
view     1, of swp1, swp2
route    10.9.0.0/24 (range), group 1
group    1, 2 members
hash     0x00001234, bucket 5 of 256
passed   bucket 5: 192.0.2.1 on swp1, dead: neighbour
passed   bucket 163: 192.0.2.1 on swp1, dead: neighbour
instead  bucket 200
nexthop  fe80::1 on swp2, MAC 02:00:00:00:00:52, MTU 0, alive
answer   forwarded (routed): Routed from one port to another.
";
        assert_eq!(answer.text(), expected);
        golden::golden("lookup-routed", &Of::new("golden", answer.document()));
        let json = serde_json::to_value(answer.document()).unwrap();
        let group = &json["group"];
        assert_eq!(group["passed_over"][1]["nexthop"]["why_not"][0], "neighbour");
        assert_eq!((&group["bucket"], &json["nexthop"]["port"]), (&200.into(), &"swp2".into()));
        assert!(answer.found());
    }

    #[test]
    fn nothing_that_matches_and_a_bypass_are_said() {
        let mut view = leaf();
        view.contents.settings.bypass = 1;
        let found = ended(Reason::TransitRouteNone, None);
        let answer = Answer::routed(&view, None, 1, flow(), found, None);
        assert!(!answer.found());
        assert!(answer.text().contains("route   none\n"), "{}", answer.text());
        assert!(answer.text().contains("but     bypass is on, so that"), "{}", answer.text());
        assert_eq!(answer.document().forwarded, Some(false));
    }

    #[test]
    fn nothing_matches_where_no_route_is_whatever_else_is_wrong_with_the_packet() {
        let view = leaf();
        for target in [None, Some(routes::target(routes::KIND_LOCAL, 0))] {
            let found = ended(Reason::TransitInputMartian, target);
            let answer = Answer::routed(&view, None, 1, flow(), found, None);
            assert_eq!(answer.found(), target.is_some());
        }
    }

    #[test]
    fn a_packet_for_a_tunnel_of_the_box_is_no_packet_for_the_kernel() {
        let mut view = leaf();
        view.contents.settings.vxlan_ports_be[0] = 4789_u16.to_be();
        let to_tunnel = Flow { protocol: UDP, ports: Some([50_000, 4789]), ..flow() };
        let target = Some(routes::target(routes::KIND_LOCAL, 0));
        let found = Routed { exact: true, ..ended(Reason::TransitRouteLocal, target) };
        let answer = Answer::routed(&view, None, 1, to_tunnel, found.clone(), None);
        assert!(answer.text().contains("answer  for a tunnel of this box: decapsulated if"));
        let json = serde_json::to_value(answer.document()).unwrap();
        assert_eq!(json["verdict"], "for a tunnel of this box");
        assert!(json["reason"].is_null() && json["forwarded"].is_null());
        let answer = Answer::routed(&view, None, 1, flow(), found, None);
        assert_eq!(answer.document().reason, Some("transit_route_local"));
    }

    #[test]
    fn a_next_hop_that_is_not_resolved_has_no_mac() {
        let mut view = leaf();
        view.contents.nexthops.get_mut(&1).unwrap().macs = [0; 12];
        let found = ended(Reason::TransitRouteUnresolved, Some(routes::target(KIND_NEXTHOP, 1)));
        let answer = Answer::routed(&view, None, 1, flow(), found, None);
        assert!(answer.text().contains("MAC not resolved"), "{}", answer.text());
        assert!(serde_json::to_value(answer.document()).unwrap()["nexthop"]["mac"].is_null());
    }

    #[test]
    fn a_bridged_frame_is_told_with_its_tunnel() {
        let view = leaf();
        let found = Bridged {
            target: Some(fdb::target(KIND_REMOTE, 1)),
            source_port: Some(50_000),
            selection: Some(selected(&[(5, 1)])),
            reason: Reason::Encapsulated,
        };
        let (mac, payload) = (Mac([2, 0, 0, 0, 0, 3]), Payload::Ip(flow()));
        let answer = Answer::bridged(&view, Some(3), 1, mac, payload, found);
        let expected = "\
frame    tcp 10.9.0.1:40000 to 10.9.0.2:443, to 02:00:00:00:00:03, arriving on h1
bridge   br200, VNI 10200
vtep     10.0.0.2 from 10.0.0.1, UDP 50000 to 0
group    1, 2 members
hash     0x00001234, bucket 5 of 256
nexthop  192.0.2.1 on swp1, MAC 02:00:00:00:00:51, MTU 0, alive
answer   forwarded (encapsulated): Forwarded into a VXLAN tunnel.
";
        assert_eq!(answer.text(), expected);
        golden::golden("lookup-bridged", &Of::new("golden", answer.document()));
    }
}
