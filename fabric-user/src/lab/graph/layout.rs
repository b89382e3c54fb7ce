//! Where everything goes. Lengths are in SVG user units.

use std::collections::HashMap;

use crate::lab::topology::{End, Function, Switch, Topology};

/// Outer margin of the picture.
pub(super) const MARGIN: f64 = 32.0;
/// Room for the title.
pub(super) const TITLE: f64 = 64.0;
/// Height of one line of the legend.
pub(super) const LEGEND_LINE: f64 = 26.0;
const SITE_PADDING: f64 = 26.0;
const SITE_HEAD: f64 = 34.0;
/// Room between two sites, for the labels of the links between them.
const SITE_GAP: f64 = 210.0;
const CARD_WIDTH: f64 = 156.0;
const SPINE_HEIGHT: f64 = 78.0;
const LEAF_HEIGHT: f64 = 92.0;
const SERVER_HEIGHT: f64 = 72.0;
const CARD_GAP: f64 = 30.0;
/// The same where a cable joins the two, with room for the names of its ports.
const CABLE_GAP: f64 = 110.0;
/// Room for the links between the tiers.
const TIER_GAP: f64 = 150.0;
/// Room for the links between leafs, or the last of their hosts, and servers.
const SERVER_GAP: f64 = 80.0;
/// Least room between two ports of a card, so that their names do not touch.
const PORT_PITCH: f64 = 40.0;
const HOST_TOP: f64 = 22.0;
const HOST_HEIGHT: f64 = 38.0;
const HOST_GAP: f64 = 8.0;
/// Hosts leave room on the left for the wire and the names of the ports.
pub(super) const HOST_INDENT: f64 = 46.0;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
}

impl Rect {
    fn center_x(&self) -> f64 {
        self.x + self.w / 2.0
    }
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// The side of a card where a link leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Top,
    Bottom,
    Left,
    Right,
}

/// A link as it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) a: Point,
    pub(super) a_side: Side,
    pub(super) b: Point,
    pub(super) b_side: Side,
}

/// The whole picture.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Sites in the order of the topology, with their names.
    pub(super) sites: Vec<(String, Rect)>,
    /// Switches and servers, by their index in the topology.
    pub(super) cards: Vec<Rect>,
    /// Hosts, by their index in the topology.
    pub(super) hosts: Vec<Rect>,
    /// Cables as [`drawn`] has them.
    pub(super) wires: Vec<Wire>,
    /// Where the legend begins.
    pub(super) legend_y: f64,
}

impl Layout {
    pub(super) fn of(topology: &Topology) -> Self {
        let (cards, hosts, sites) = place(topology);
        let wires = wires(topology, &cards);
        let right = sites.iter().map(|(_, site)| site.x + site.w).fold(0.0, f64::max);
        let bottom = sites.iter().map(|(_, site)| site.y + site.h).fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "a handful of networks")]
        let legend = topology.networks.len() as f64 * LEGEND_LINE;
        Self {
            // A line of the legend needs this much.
            width: (right + MARGIN).max(720.0),
            height: bottom + MARGIN + legend + MARGIN / 2.0,
            legend_y: bottom + MARGIN,
            sites,
            cards,
            hosts,
            wires,
        }
    }
}

fn place(topology: &Topology) -> (Vec<Rect>, Vec<Rect>, Vec<(String, Rect)>) {
    let empty = Rect { x: 0.0, y: 0.0, w: 0.0, h: 0.0 };
    let mut cards = vec![empty; topology.switches.len()];
    let mut hosts = vec![empty; topology.hosts.len()];
    let mut sites = Vec::new();
    let names = topology.sites();
    let top = MARGIN + TITLE;
    let mut x = MARGIN;
    for (number, &site) in names.iter().enumerate() {
        let Rows { spines, lower, servers } = rows(topology, site, number * 2 < names.len());
        let row_width = |row: &[usize]| {
            row.iter().map(|&index| card_width(topology, &topology.switches[index])).sum::<f64>()
                + row.windows(2).map(|pair| gap(topology, pair)).sum::<f64>()
        };
        let inner = [&spines, &lower, &servers].map(|row| row_width(row));
        let inner = inner.into_iter().fold(CARD_WIDTH, f64::max);
        let mut put = |row: &[usize], y: f64, h: f64| {
            let mut at = x + SITE_PADDING + (inner - row_width(row)) / 2.0;
            for (place, &index) in row.iter().enumerate() {
                let w = card_width(topology, &topology.switches[index]);
                cards[index] = Rect { x: at, y, w, h };
                at += w + row.get(place..place + 2).map_or(0.0, |pair| gap(topology, pair));
            }
        };
        let spine_y = top + SITE_HEAD;
        let leaf_y = spine_y + SPINE_HEIGHT + TIER_GAP;
        put(&spines, spine_y, SPINE_HEIGHT);
        put(&lower, leaf_y, LEAF_HEIGHT);
        let most = lower.iter().map(|&leaf| hosts_of(topology, leaf)).max().unwrap_or(0);
        let column = f64::from(u32::try_from(most).unwrap_or(0)) * (HOST_HEIGHT + HOST_GAP);
        put(&servers, leaf_y + LEAF_HEIGHT + column + SERVER_GAP, SERVER_HEIGHT);
        sites.push((site.to_owned(), Rect { x, y: top, w: inner + 2.0 * SITE_PADDING, h: 0.0 }));
        x += inner + 2.0 * SITE_PADDING + SITE_GAP;
    }
    let mut bottom = cards.iter().map(|card| card.y + card.h).fold(top, f64::max);
    for (index, switch) in topology.switches.iter().enumerate() {
        let card = cards[index];
        let mut y = card.y + card.h + HOST_TOP;
        for (place, host) in hosts.iter_mut().zip(&topology.hosts) {
            if host.switch.node == switch.name {
                *place =
                    Rect { x: card.x + HOST_INDENT, y, w: card.w - HOST_INDENT, h: HOST_HEIGHT };
                bottom = bottom.max(y + HOST_HEIGHT);
                y += HOST_HEIGHT + HOST_GAP;
            }
        }
    }
    for (_, site) in &mut sites {
        site.h = bottom + SITE_PADDING - site.y;
    }
    (cards, hosts, sites)
}

/// The row of a switch, from top to bottom.
fn row_of(switch: &Switch) -> u8 {
    match switch.function {
        Function::Spine => 0,
        Function::Leaf | Function::Border | Function::Host => 1,
        Function::Server | Function::Provider => 2,
    }
}

/// The rows of a site from top to bottom, as indexes in the topology.
struct Rows {
    spines: Vec<usize>,
    lower: Vec<usize>,
    servers: Vec<usize>,
}

/// Spines, the row below, servers and providers. Borders stand on the side where the other sites are.
fn rows(topology: &Topology, site: &str, borders_right: bool) -> Rows {
    let of = |function: Function| {
        let switches = topology.switches.iter().enumerate();
        switches
            .filter(move |(_, switch)| switch.site == site && switch.function == function)
            .map(|(index, _)| index)
    };
    let lower: Vec<usize> = if borders_right {
        of(Function::Leaf).chain(of(Function::Border)).collect()
    } else {
        of(Function::Border).chain(of(Function::Leaf)).collect()
    };
    let mut servers: Vec<usize> = of(Function::Server).chain(of(Function::Provider)).collect();
    // Below their leafs and borders.
    let leaf_of = |&server: &usize| {
        let name = &topology.switches[server].name;
        let is_below = |end: &&End| lower_position(topology, &lower, Some(&end.node)) < lower.len();
        let leaf = drawn_at(topology, name).map(|(_, leaf)| leaf).find(is_below);
        lower_position(topology, &lower, leaf.map(|it| it.node.as_str()))
    };
    servers.sort_by_key(leaf_of);
    Rows { spines: of(Function::Spine).collect(), lower, servers }
}

/// The cables that are drawn from card to card: links, and those of servers in networks.
pub(super) fn drawn(topology: &Topology) -> impl Iterator<Item = [&End; 2]> {
    let links = topology.links.iter().map(|link| [&link.a, &link.b]);
    links.chain(topology.members.iter().map(|it| [&it.switch, &it.end]))
}

/// Ends of those at a node: its own and the other one.
fn drawn_at<'a>(topology: &'a Topology, node: &'a str) -> impl Iterator<Item = (&'a End, &'a End)> {
    drawn(topology).filter_map(move |[a, b]| match () {
        () if a.node == node => Some((a, b)),
        () if b.node == node => Some((b, a)),
        () => None,
    })
}

fn lower_position(topology: &Topology, lower: &[usize], leaf: Option<&str>) -> usize {
    let is_it = |&index: &usize| Some(topology.switches[index].name.as_str()) == leaf;
    lower.iter().position(is_it).unwrap_or(lower.len())
}

fn hosts_of(topology: &Topology, leaf: usize) -> usize {
    let name = &topology.switches[leaf].name;
    topology.hosts.iter().filter(|host| host.switch.node == *name).count()
}

/// Room between two cards that stand side by side.
fn gap(topology: &Topology, pair: &[usize]) -> f64 {
    let names: Vec<&str> =
        pair.iter().map(|&index| topology.switches[index].name.as_str()).collect();
    let is_joined = drawn_at(topology, names[0])
        .any(|(_, peer)| names.last().is_some_and(|name| *name == peer.node));
    if is_joined { CABLE_GAP } else { CARD_GAP }
}

fn card_width(topology: &Topology, switch: &Switch) -> f64 {
    // Links to other sites and in the row leave at the side and need no room here.
    let inside = drawn_at(topology, &switch.name).filter(|(_, peer)| {
        topology
            .switch(&peer.node)
            .is_some_and(|peer| peer.site == switch.site && row_of(peer) != row_of(switch))
    });
    let links = u32::try_from(inside.count()).unwrap_or(u32::MAX - 1);
    CARD_WIDTH.max(PORT_PITCH * f64::from(links + 1))
}

fn wires(topology: &Topology, cards: &[Rect]) -> Vec<Wire> {
    let index_of: HashMap<&str, usize> = topology
        .switches
        .iter()
        .enumerate()
        .map(|(index, switch)| (switch.name.as_str(), index))
        .collect();
    let ends: Vec<[usize; 2]> =
        drawn(topology).map(|ends| ends.map(|end| index_of[end.node.as_str()])).collect();
    let sides: Vec<[Side; 2]> = ends
        .iter()
        .map(|&[a, b]| match is_hidden(cards, &cards[a], &cards[b]) {
            // Around what stands between, where there are no uplinks.
            true => [Side::Bottom, Side::Bottom],
            false => [side(&cards[a], &cards[b]), side(&cards[b], &cards[a])],
        })
        .collect();
    let anchor = |link: usize, end: usize| {
        let (own, own_side) = (ends[link][end], sides[link][end]);
        // All link ends on this side of this card, in the order of what they lead to.
        let mut here: Vec<(f64, usize)> = Vec::new();
        for (other, pair) in ends.iter().enumerate() {
            for (position, &card) in pair.iter().enumerate() {
                if card == own && sides[other][position] == own_side {
                    let peer = &cards[pair[1 - position]];
                    let key = match own_side {
                        Side::Top | Side::Bottom => peer.center_x(),
                        Side::Left | Side::Right => peer.y,
                    };
                    here.push((key, other));
                }
            }
        }
        here.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let place = here.iter().position(|&(_, other)| other == link).unwrap_or(0);
        let part = |count: usize| f64::from(u32::try_from(count).unwrap_or(0));
        let share = part(place + 1) / part(here.len() + 1);
        let card = &cards[own];
        match own_side {
            Side::Top => Point { x: card.x + card.w * share, y: card.y },
            Side::Bottom => Point { x: card.x + card.w * share, y: card.y + card.h },
            Side::Left => Point { x: card.x, y: card.y + card.h * share },
            Side::Right => Point { x: card.x + card.w, y: card.y + card.h * share },
        }
    };
    (0..ends.len())
        .map(|link| Wire {
            a: anchor(link, 0),
            a_side: sides[link][0],
            b: anchor(link, 1),
            b_side: sides[link][1],
        })
        .collect()
}

/// Whether other cards of their row stand between two.
fn is_hidden(cards: &[Rect], a: &Rect, b: &Rect) -> bool {
    let (left, right) = (a.x.min(b.x), a.x.max(b.x));
    let same_row = |y: f64| (y - a.y).abs() < 1.0;
    same_row(b.y) && cards.iter().any(|it| same_row(it.y) && left < it.x && it.x < right)
}

/// The side of `own` that faces `peer`.
fn side(own: &Rect, peer: &Rect) -> Side {
    if peer.y + peer.h <= own.y {
        Side::Top
    } else if own.y + own.h <= peer.y {
        Side::Bottom
    } else if peer.x > own.x {
        Side::Right
    } else {
        Side::Left
    }
}
