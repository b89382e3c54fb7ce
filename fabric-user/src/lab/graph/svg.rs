//! Drawing a layout.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::layout::{HOST_INDENT, LEGEND_LINE, Layout, MARGIN, Point, Rect, Side, Wire, drawn};
use crate::lab::status::LinkStatus;
use crate::lab::topology::{End, Function, Host, Network, Switch, Topology};

const INK: &str = "#1f2937";
const FAINT: &str = "#6b7280";
const WIRE: &str = "#94a3b8";
const DCI: &str = "#b45309";
/// Colours of networks, told apart also with impaired colour vision (after Okabe and Ito).
const NETWORKS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6d31"];
/// How far a wire between two cards of a row goes below them.
const BEND: f64 = 64.0;
/// Room between the cables of a bond.
const CABLE_PITCH: f64 = 4.0;
/// Width of an average character in units of the font size.
const CHARACTER: f64 = 0.56;

/// The ends of cables that carry no frames now, by node and port.
pub(super) struct Broken<'a>(HashSet<(&'a str, &'a str)>);

impl<'a> Broken<'a> {
    pub(super) fn of(links: &'a [LinkStatus]) -> Self {
        let broken = links.iter().filter(|link| link.complaint().is_some());
        let ends = broken.flat_map(|link| [&link.a, &link.b]);
        Self(ends.map(|end| (&*end.node, &*end.port)).collect())
    }

    fn has(&self, end: &End) -> bool {
        self.0.contains(&(&*end.node, &*end.port))
    }
}

/// How a wire is drawn.
#[derive(Clone, Copy)]
struct Stroke {
    colour: &'static str,
    width: f64,
    /// Dashes and what is between them; none for a whole line.
    dashes: Option<&'static str>,
}

const BROKEN: Stroke = Stroke { colour: "#dc2626", width: 2.0, dashes: Some("7 5") };

impl Stroke {
    const fn whole(colour: &'static str, width: f64) -> Self {
        Self { colour, width, dashes: None }
    }
}

impl fmt::Display for Stroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"stroke="{}" stroke-width="{}""#, self.colour, self.width)?;
        self.dashes.map_or(Ok(()), |dashes| write!(f, r#" stroke-dasharray="{dashes}""#))
    }
}

/// The text of the SVG file.
pub(super) fn draw(topology: &Topology, layout: &Layout, broken: &Broken<'_>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, topology, layout, broken);
    text
}

fn write_all(
    out: &mut String,
    topology: &Topology,
    layout: &Layout,
    broken: &Broken<'_>,
) -> fmt::Result {
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0} {h:.0}" width="{w:.0}" height="{h:.0}" font-family="Inter, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif">
<rect width="100%" height="100%" fill="#ffffff"/>"##,
        w = layout.width,
        h = layout.height + if broken.0.is_empty() { 0.0 } else { LEGEND_LINE },
    )?;
    title(out, topology)?;
    for (name, area) in &layout.sites {
        site(out, name, area)?;
    }
    let labels = topology.links.iter().map(|link| link.label.as_ref());
    let labels = labels.chain(std::iter::repeat(None));
    for (([a, b], label), wire) in drawn(topology).zip(labels).zip(&layout.wires) {
        let is_long = is_between_sites(topology, [a, b]);
        draw_wire(out, wire, is_long, broken.has(a))?;
        port_name(out, &wire.a, wire.a_side, &a.port)?;
        port_name(out, &wire.b, wire.b_side, &b.port)?;
        if let Some(label) = label {
            wire_label(out, wire, label, is_long)?;
        }
    }
    for (switch, card) in topology.switches.iter().zip(&layout.cards) {
        host_trunk(out, topology, layout, broken, switch, card)?;
        switch_card(out, topology, switch, card)?;
    }
    for (host, card) in topology.hosts.iter().zip(&layout.hosts) {
        host_card(out, topology, host, card)?;
    }
    legend(out, topology, layout, broken)?;
    out.write_str("</svg>\n")
}

fn title(out: &mut String, topology: &Topology) -> fmt::Result {
    let count = |number: usize, noun: &str| {
        format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
    };
    let of = |wanted| topology.switches.iter().filter(|it| it.function == wanted).count();
    let (servers, providers) = (of(Function::Server), of(Function::Provider));
    let facts = [
        count(topology.sites().len(), "site"),
        count(topology.switches.len() - servers - providers, "switch")
            .replace("switchs", "switches"),
        count(servers, "server"),
        count(providers, "provider"),
        count(topology.hosts.len(), "host"),
        count(topology.networks.len(), "network"),
    ];
    text(out, MARGIN, MARGIN + 18.0, 24.0, INK, "font-weight=\"700\"", &topology.name)?;
    text(
        out,
        MARGIN,
        MARGIN + 40.0,
        13.0,
        FAINT,
        "",
        &facts.join(" · ").replace(" · 0 servers", "").replace(" · 0 providers", ""),
    )
}

fn site(out: &mut String, name: &str, area: &Rect) -> fmt::Result {
    rect(out, area, 16.0, "#f8fafc", "#cbd5e1", 1.2)?;
    text(
        out,
        area.x + 18.0,
        area.y + 23.0,
        14.0,
        FAINT,
        "font-weight=\"700\" letter-spacing=\"1\"",
        name,
    )
}

fn is_between_sites(topology: &Topology, [a, b]: [&End; 2]) -> bool {
    let site = |end: &End| topology.switch(&end.node).map(|switch| switch.site.as_str());
    site(a) != site(b)
}

fn draw_wire(out: &mut String, wire: &Wire, is_long: bool, is_broken: bool) -> fmt::Result {
    let stroke = match (is_broken, is_long) {
        (true, _) => BROKEN,
        (false, true) => Stroke::whole(DCI, 2.4),
        (false, false) => Stroke::whole(WIRE, 1.6),
    };
    let Wire { a, b, .. } = wire;
    let Some(depth) = depth(wire) else {
        return line(out, *a, *b, stroke);
    };
    writeln!(
        out,
        r#"<path d="M {:.1} {:.1} C {:.1} {depth:.1}, {:.1} {depth:.1}, {:.1} {:.1}" fill="none" {stroke}/>"#,
        a.x, a.y, a.x, b.x, b.x, b.y
    )
}

/// Where the curve of a wire aims at whose ends are at the same side, around what stands between.
fn depth(wire: &Wire) -> Option<f64> {
    (wire.a_side == wire.b_side).then_some(wire.a.y.max(wire.b.y) + BEND)
}

fn wire_label(out: &mut String, wire: &Wire, label: &str, is_long: bool) -> fmt::Result {
    let straight = (wire.a.y + wire.b.y) / 2.0;
    // The middle of a Bézier curve with both inner points at the depth.
    let y = depth(wire).map_or(straight, |depth| straight / 4.0 + depth * 3.0 / 4.0);
    let middle = Point { x: (wire.a.x + wire.b.x) / 2.0, y };
    pill(out, middle, label, if is_long { DCI } else { FAINT })
}

/// Text on a white pill with a border, centred on a point.
fn pill(out: &mut String, at: Point, label: &str, colour: &str) -> fmt::Result {
    // Bold letters are wider.
    let w = width_of(label, 12.5) + 18.0;
    let area = Rect { x: at.x - w / 2.0, y: at.y - 9.5, w, h: 19.0 };
    rect(out, &area, 9.5, "#ffffff", colour, 1.2)?;
    text(out, at.x, at.y + 4.0, 11.0, colour, "text-anchor=\"middle\" font-weight=\"600\"", label)
}

fn port_name(out: &mut String, at: &Point, side: Side, port: &str) -> fmt::Result {
    let (x, y, anchor) = match side {
        Side::Top => (at.x, at.y - 5.0, "middle"),
        Side::Bottom => (at.x, at.y + 12.0, "middle"),
        Side::Left => (at.x - 6.0, at.y - 5.0, "end"),
        Side::Right => (at.x + 6.0, at.y - 5.0, "start"),
    };
    // A white outline keeps the name readable where it lies on a wire.
    let attributes = format!(
        "text-anchor=\"{anchor}\" paint-order=\"stroke\" stroke=\"#f8fafc\" stroke-width=\"3\""
    );
    text(out, x, y, 9.5, FAINT, &attributes, port)
}

fn switch_card(out: &mut String, topology: &Topology, switch: &Switch, card: &Rect) -> fmt::Result {
    let (fill, edge) = match switch.function {
        Function::Spine => ("#eef2ff", "#6366f1"),
        Function::Border => ("#fff7ed", "#ea8c2d"),
        Function::Server => ("#fdf4ff", "#a855f7"),
        Function::Provider => ("#f1f5f9", "#64748b"),
        Function::Leaf | Function::Host => ("#ecfdf5", "#10a37f"),
    };
    rect(out, card, 10.0, fill, edge, 1.6)?;
    let left = card.x + 14.0;
    text(out, left, card.y + 24.0, 15.0, INK, "font-weight=\"700\"", &switch.name)?;
    let function = "text-anchor=\"end\" font-weight=\"600\"";
    text(out, card.x + card.w - 14.0, card.y + 23.0, 10.5, edge, function, switch.function.name())?;
    if switch.asn != 0 {
        text(out, left, card.y + 42.0, 11.5, FAINT, "", &format!("AS {}", switch.asn))?;
    }
    // Nobody hears of the loopback of a server in a network.
    let member = topology.member(&switch.name).and_then(|it| topology.network(&it.network));
    let inside = member.and_then(|network| network.own_addresses(&switch.name).first());
    let address = inside.map_or(IpAddr::V4(switch.loopback), |it| it.address).to_string();
    text(out, card.x + card.w - 14.0, card.y + 42.0, 11.5, FAINT, "text-anchor=\"end\"", &address)?;
    let mut x = left;
    let y = card.y + card.h - 28.0;
    let networks = switch.networks.iter().filter_map(|name| topology.network(name));
    for network in networks {
        let label = network.vlan.to_string();
        let w = width_of(&label, 10.5) + 12.0;
        rect(out, &Rect { x, y, w, h: 18.0 }, 5.0, colour(topology, network), "none", 0.0)?;
        text(
            out,
            x + w / 2.0,
            y + 13.0,
            10.5,
            "#ffffff",
            "text-anchor=\"middle\" font-weight=\"600\"",
            &label,
        )?;
        x += w + 6.0;
    }
    let services: Vec<&str> =
        topology.services_of(&switch.name).map(|service| service.name.as_str()).collect();
    if !services.is_empty() {
        text(out, x, card.y + card.h - 12.0, 11.5, edge, "", &services.join(", "))?;
    }
    if switch.fabric_xdpd {
        let w = width_of("XDP", 10.5) + 12.0;
        let area = Rect { x: card.x + card.w - 14.0 - w, y, w, h: 18.0 };
        rect(out, &area, 5.0, "#ffffff", edge, 1.0)?;
        text(
            out,
            area.x + w / 2.0,
            y + 13.0,
            10.5,
            edge,
            "text-anchor=\"middle\" font-weight=\"700\"",
            "XDP",
        )?;
    }
    Ok(())
}

/// The wire from a switch down to its hosts, with the names of the ports; the cables of a bond are apart.
fn host_trunk(
    out: &mut String,
    topology: &Topology,
    layout: &Layout,
    broken: &Broken<'_>,
    switch: &Switch,
    card: &Rect,
) -> fmt::Result {
    let x = card.x + 12.0;
    for (host, area) in topology.hosts.iter().zip(&layout.hosts) {
        if host.switch.node != switch.name {
            continue;
        }
        let cables: Vec<_> = host.cables().collect();
        let others = u32::try_from(cables.len()).unwrap_or(1) - 1;
        let last = area.y + area.h / 2.0 + CABLE_PITCH * f64::from(others) / 2.0;
        let mut y = last - CABLE_PITCH * f64::from(others);
        let (top, bottom) = (Point { x, y: card.y + card.h }, Point { x, y: last });
        line(out, top, bottom, Stroke::whole(WIRE, 1.6))?;
        let middle = card.x + 12.0 + (HOST_INDENT - 12.0) / 2.0;
        text(out, middle, y - 4.0, 9.5, FAINT, "text-anchor=\"middle\"", &host.switch.port)?;
        for [_, end] in cables {
            let stroke = match broken.has(end) {
                true => BROKEN,
                false => Stroke::whole(tint(topology, host), 1.6),
            };
            line(out, Point { x, y }, Point { x: area.x, y }, stroke)?;
            y += CABLE_PITCH;
        }
    }
    Ok(())
}

fn host_card(out: &mut String, topology: &Topology, host: &Host, card: &Rect) -> fmt::Result {
    let tint = tint(topology, host);
    rect(out, card, 7.0, "#ffffff", tint, 1.3)?;
    text(out, card.x + 10.0, card.y + 16.0, 12.0, INK, "font-weight=\"600\"", &host.name)?;
    text(out, card.x + 10.0, card.y + 30.0, 10.5, tint, "", &host.address.to_string())
}

fn legend(
    out: &mut String,
    topology: &Topology,
    layout: &Layout,
    broken: &Broken<'_>,
) -> fmt::Result {
    let mut y = layout.legend_y;
    let names = topology.networks.iter().map(|network| width_of(&network.name, 13.0));
    let facts_x = MARGIN + 106.0 + names.fold(0.0, f64::max);
    for network in &topology.networks {
        let area = Rect { x: MARGIN, y, w: 76.0, h: 18.0 };
        rect(out, &area, 5.0, colour(topology, network), "none", 0.0)?;
        let vlan = format!("VLAN {}", network.vlan);
        let white = "text-anchor=\"middle\" font-weight=\"600\"";
        text(out, area.x + area.w / 2.0, y + 13.0, 10.5, "#ffffff", white, &vlan)?;
        text(out, area.x + 90.0, y + 13.5, 12.0, INK, "font-weight=\"600\"", &network.name)?;
        let exits: Vec<&str> = topology.exits(&network.name).map(|it| it.name.as_str()).collect();
        let routes = match network.gateway {
            Some(gateway) => format!("gateway {} on", gateway.prefixed()),
            None => format!("routed by {}, on", exits.join(", ")),
        };
        let facts = format!("VNI {} · {routes} {}", network.vni, places(topology, network));
        text(out, facts_x, y + 13.5, 12.0, FAINT, "", &facts)?;
        y += LEGEND_LINE;
    }
    if !broken.0.is_empty() {
        let at = |x| Point { x, y: y + 9.0 };
        line(out, at(MARGIN), at(MARGIN + 76.0), BROKEN)?;
        text(out, MARGIN + 90.0, y + 13.5, 12.0, FAINT, "", "cut, silent or without a carrier")?;
    }
    Ok(())
}

/// Where this network lives: whole sites, then single switches.
fn places(topology: &Topology, network: &Network) -> String {
    let here = |switch: &&Switch| switch.networks.contains(&network.name);
    let (mut sites, mut names) = (Vec::new(), Vec::new());
    for site in topology.sites() {
        let leafs = topology.switches.iter().filter(|it| it.site == site);
        let mut leafs = leafs.filter(|it| it.function == Function::Leaf).peekable();
        if leafs.peek().is_some() && leafs.all(|leaf| here(&leaf)) {
            sites.push(site);
            let servers = topology.switches.iter().filter(|it| it.site == site);
            let servers = servers.filter(|it| it.function == Function::Server).filter(here);
            names.extend(servers.map(|server| server.name.clone()));
        } else {
            let switches = topology.switches.iter().filter(|it| it.site == site);
            names.extend(switches.filter(here).map(|switch| switch.name.clone()));
        }
    }
    if !sites.is_empty() {
        names.insert(0, format!("every leaf of {}", sites.join(" and ")));
    }
    names.join(" and ")
}

/// The colour of a host's network; on a routed port it has none.
fn tint(topology: &Topology, host: &Host) -> &'static str {
    let network = host.network().and_then(|name| topology.network(name));
    network.map_or(FAINT, |network| colour(topology, network))
}

fn colour(topology: &Topology, network: &Network) -> &'static str {
    let index = topology.networks.iter().position(|other| other.vni == network.vni).unwrap_or(0);
    NETWORKS[index % NETWORKS.len()]
}

fn width_of(text: &str, size: f64) -> f64 {
    f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX)) * size * CHARACTER
}

fn rect(
    out: &mut String,
    area: &Rect,
    radius: f64,
    fill: &str,
    edge: &str,
    width: f64,
) -> fmt::Result {
    let Rect { x, y, w, h } = area;
    writeln!(
        out,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" rx="{radius}" fill="{fill}" stroke="{edge}" stroke-width="{width}"/>"#
    )
}

fn line(out: &mut String, a: Point, b: Point, stroke: Stroke) -> fmt::Result {
    writeln!(
        out,
        r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" {stroke}/>"#,
        a.x, a.y, b.x, b.y
    )
}

fn text(
    out: &mut String,
    x: f64,
    y: f64,
    size: f64,
    fill: &str,
    attributes: &str,
    content: &str,
) -> fmt::Result {
    writeln!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{fill}" {attributes}>{}</text>"#,
        escaped(content)
    )
}

fn escaped(content: &str) -> String {
    content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
