//! The answer, in a few lines or as JSON.

use std::net::IpAddr;

use fabric_common::{
    reason::{Reason, Verdict},
    schema::{
        fdb::{KIND_LOCAL, KIND_OWN, split_target},
        groups::Choice,
        nexthops, ports,
        routes::{KIND_NEXTHOP, split_target as split_route},
    },
};

use super::{
    Bridged, Flow, Payload, Routed,
    arguments::protocol_name,
    document::{Document, Group, Leaked, Nexthop, Passed, Route, Sent, Station, Vtep, Way},
    flow::UDP,
    trace::station,
};
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

/// A packet that is routed.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    /// Index of the routing view.
    pub(super) view: u16,
    pub(super) flow: &'a Flow,
    pub(super) found: &'a Routed,
    /// Where it is not a host that matches: the addresses that are answered alike, in this view and in that
    /// of another VRF.
    pub(super) ranges: [Option<Span>; 2],
}

/// Where a packet or frame comes from.
#[derive(Clone, Copy)]
pub(super) enum From {
    /// Nobody has said.
    Anywhere,
    /// The port in this slot.
    Port(u32),
    /// A tunnel of this VTEP.
    Vtep(IpAddr),
}

impl<'a> Answer<'a> {
    fn new(view: &'a View, from: From, target: Option<u32>, reason: Reason) -> Self {
        let mut document = Document::default();
        match from {
            From::Anywhere => {}
            From::Port(slot) => document.r#in = Some(view.port(slot)),
            From::Vtep(address) => document.from_vtep = Some(address),
        }
        Self { view, lines: Vec::new(), document, reason, found: target.is_some() }
    }

    /// The answer for a packet that is routed.
    pub(super) fn routed(view: &'a View, from: From, packet: Packet<'_>) -> Self {
        let Packet { flow, found, .. } = packet;
        let mut answer = Self::new(view, from, found.target, found.reason);
        answer.line("packet", format!("{}{}", text_of(flow), answer.arriving()));
        answer.document.way = answer.way(packet);
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

    /// The answer for a frame in a bridge domain; `ranges` as in [`Packet`], of the packet that a gateway routes.
    pub(super) fn bridged(
        view: &'a View,
        from: From,
        domain: u32,
        mac: Mac,
        payload: &Payload,
        found: &Bridged,
        ranges: [Option<Span>; 2],
    ) -> Self {
        let mut answer = Self::new(view, from, found.target, found.reason);
        let what = match payload {
            Payload::Ip(flow) => text_of(flow),
            Payload::Other { source, ether_type } => format!("{ether_type:#06x} from {source}"),
        };
        answer.line("frame", format!("{what}, to {mac}{}", answer.arriving()));
        (answer.document.bridge, answer.document.vni) = answer.bridge(domain);
        if let (Some(routed), Payload::Ip(flow)) = (&found.routed, payload) {
            let (_, slot) = found.target.map(split_target).unwrap_or_default();
            let gateway = view.port(slot);
            answer.line("mac", format!("gateway {gateway}"));
            answer.document.gateway = Some(gateway);
            let routing = ports::view(view.contents.ports.get(&slot).map_or(0, |p| p.mac_and_view));
            answer.document.way = answer.way(Packet { view: routing, flow, found: routed, ranges });
            answer.found = routed.target.is_some();
        } else {
            answer.document.way.sent = answer.sent(domain, found);
        }
        answer.end()
    }

    fn arriving(&self) -> String {
        let port = self.document.r#in.as_ref().map(|port| format!(", arriving on {port}"));
        let vtep = self.document.from_vtep.map(|vtep| format!(", out of a tunnel of {vtep}"));
        port.or(vtep).unwrap_or_default()
    }

    fn line(&mut self, name: &'static str, text: String) {
        self.lines.push((name, text));
    }

    /// From the view to the next hop, and behind a gateway to where the frame goes.
    fn way(&mut self, packet: Packet<'_>) -> Way {
        let Packet { view: index, flow, found, ranges: [range, leaked] } = packet;
        let mut way = Way { view: Some(index), ..Way::default() };
        let destination = flow.destination;
        (way.vrf, way.route) = self.route(index, destination, (found.exact, found.target), range);
        let mut target = found.target;
        if let Some(leak) = found.leak {
            let (vrf, route) =
                self.route(leak.view, destination, (leak.exact, leak.target), leaked);
            way.leak = Some(Leaked { view: leak.view, vrf, route });
            target = leak.target;
        }
        let Some(target) = target else { return way };
        if let Some(selection) = &found.selection {
            self.selection(selection, &mut way.sent);
        } else if let (KIND_NEXTHOP, nexthop) = split_route(target) {
            way.sent.nexthop = self.chosen(nexthop);
        }
        if let (Some(frame), Some(nexthop)) = (&found.frame, found.nexthop) {
            way.station = self.station(nexthop, frame);
        }
        way
    }

    /// The VRF of a view, and what matches an address there, as [`Routed`] has it.
    fn route(
        &mut self,
        view: u16,
        destination: IpAddr,
        (exact, target): (bool, Option<u32>),
        range: Option<Span>,
    ) -> (Option<String>, Option<Route>) {
        let of_ports = self.view.ports_of(view);
        let vrf = of_ports.iter().find_map(|slot| self.view.vrf(*slot));
        let names: Vec<String> = of_ports.iter().map(|slot| self.view.port(*slot)).collect();
        let named = vrf.as_ref().map(|vrf| format!(" (VRF {vrf})")).unwrap_or_default();
        let ports = if names.is_empty() { "no port".into() } else { names.join(", ") };
        self.line("view", format!("{view}{named}, of {ports}"));
        let Some(target) = target else {
            self.line("route", "none".into());
            return (vrf, None);
        };
        let (entry, addresses) = match exact {
            true => ("host", Some(Span::of(destination))),
            false => ("range", range),
        };
        let name = addresses.map_or_else(|| "a range".into(), |span| span.to_string());
        let (kind, index) = (ways::kind(target), ways::index(target));
        let to = index.map_or_else(|| kind.into(), |index| format!("{kind} {index}"));
        self.line("route", format!("{name} ({entry}), {to}"));
        (vrf, Some(Route { addresses, entry, kind, index }))
    }

    /// The frame to a next hop behind a bridge.
    fn station(&mut self, nexthop: u32, frame: &Bridged) -> Option<Station> {
        let nexthop: &nexthops::Nexthop = self.view.contents.nexthops.get(&nexthop)?;
        let gateway = self.view.contents.ports.get(&nexthop.port.into())?;
        let (bridge, vni) = self.bridge(gateway.untagged_domain.into());
        let sent = self.sent(gateway.untagged_domain.into(), frame);
        Some(Station { bridge, vni, mac: station(nexthop), sent })
    }

    /// Name and VNI of a bridge domain.
    fn bridge(&mut self, domain: u32) -> (Option<String>, Option<u32>) {
        let bridge = self.view.bridge(domain).unwrap_or_else(|| format!("domain {domain}"));
        let vni = self.view.vni(domain);
        let stretched = vni.map(|vni| format!(", VNI {vni}")).unwrap_or_default();
        self.line("bridge", format!("{bridge}{stretched}"));
        (Some(bridge), vni)
    }

    /// Where the bridge sends a frame.
    fn sent(&mut self, domain: u32, found: &Bridged) -> Sent {
        let mut sent = Sent::default();
        match found.target.map(split_target) {
            None => self.line("mac", "not known".into()),
            Some((KIND_LOCAL, circuit)) => self.circuit(circuit, &mut sent),
            Some((KIND_OWN, gateway)) if gateway != 0 => {
                self.line("mac", format!("gateway {}", self.view.port(gateway)));
            }
            Some((KIND_OWN, _)) => self.line("mac", "this box".into()),
            Some(_) => self.tunnel(domain, found, &mut sent),
        }
        if let Some(selection) = &found.selection {
            self.selection(selection, &mut sent);
        }
        sent
    }

    fn circuit(&mut self, index: u32, sent: &mut Sent) {
        let circuit = self.view.contents.circuits.get(&index);
        let port = circuit.map(|circuit| self.view.port(circuit.port.into()));
        let vlan = circuit.map(|circuit| circuit.vlan).filter(|vlan| *vlan != 0);
        let tag = vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
        let name = port.clone().unwrap_or_else(|| format!("circuit {index}"));
        self.line("mac", format!("behind {name}{tag}"));
        (sent.port, sent.vlan) = (port, vlan);
    }

    fn tunnel(&mut self, domain: u32, found: &Bridged, sent: &mut Sent) {
        if let Some(index) = found.segment {
            let entry = self.view.contents.segments.get(&index);
            sent.segment = entry.map(|entry| entry.segment.id);
            let vteps = count(entry.map_or(0, |entry| entry.group.shares.len()), "VTEP");
            self.line(
                "segment",
                match sent.segment {
                    Some(id) => format!("nexthop group {id}, {vteps}"),
                    None => format!("number {index}, which has just gone"),
                },
            );
        }
        // Index 0 is what a segment without VTEPs has.
        let Some(vtep) = found.vtep.filter(|vtep| *vtep != 0) else {
            return self.line("vtep", "none".into());
        };
        let udp_port_be = self.view.contents.domains.get(&domain).map(|d| d.udp_port_be);
        sent.vtep = self.vtep(vtep, found.source_port, udp_port_be);
    }

    fn vtep(
        &mut self,
        index: u32,
        source_port: Option<u16>,
        udp_port_be: Option<u16>,
    ) -> Option<Vtep> {
        let Some(vtep) = self.view.contents.vteps.get(&index) else {
            self.line("vtep", format!("number {index}, which has just gone"));
            return None;
        };
        let (remote, local) = (vtep.remote(), vtep.local());
        let destination_port = u16::from_be(udp_port_be.unwrap_or_default());
        let udp = source_port.map(|from| format!(", UDP {from} to {destination_port}"));
        self.line("vtep", format!("{remote} from {local}{}", udp.unwrap_or_default()));
        Some(Vtep { remote, local, source_port, destination_port })
    }

    fn selection(&mut self, selection: &Selection, sent: &mut Sent) {
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
            sent.nexthop = self.chosen(look.nexthop);
        }
        sent.group = Some(Group {
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

    fn chosen(&mut self, index: u32) -> Option<Nexthop> {
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
        nexthop
    }

    fn nexthop(&self, index: u32) -> Option<Nexthop> {
        let nexthop = self.view.contents.nexthops.get(&index)?;
        let why_not = self.view.death(nexthop);
        Some(Nexthop {
            index,
            port: self.view.port(nexthop.port.into()),
            gateway: self.view.contents.gateway(index),
            mac: Some(station(nexthop)).filter(|mac| !mac.is_zero()),
            mtu: nexthop.mtu.into(),
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
        Verdict::Reply => "answered",
    }
}

/// `tcp 10.0.0.1:40000 to 10.0.0.2:443`.
fn text_of(flow: &Flow) -> String {
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
mod tests;
