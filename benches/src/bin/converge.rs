//! How soon does a single change reach the traffic?
//!
//! A MAC address moves to another VTEP, or a nexthop object is replaced in place, by netlink as
//! zebra does it, while a flow of 100,000 packets a second goes there. In turns the real fabric-xdpd
//! follows and XDP forwards, and the kernel is alone. The same with 10,000 host routes behind what changes: a router
//! MAC address that moves, the route to a VTEP, the object that the routes refer to, and one of the routes.

use std::{
    cell::RefCell, collections::BTreeMap, net::Ipv4Addr, path::Path, process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use comfy_table::Table;
use fabric_benches::{
    answer::{FABRIC, KERNEL},
    daemon::{Arguments, Daemon, Room},
    environment::{self, Environment},
    flow::{Flow, LENGTH, OUTER, destination_mac, source_mac},
    leaf::{Leaf, index, mac_text, vtep_address},
    neighbours::{Neighbours, Place},
    nexthop_object::NexthopObjects,
    plot::Timeline,
    probe::{Change, PACE, Probe},
    processor,
    report::{self, Bar, Figures},
    routed, routes,
    routing_leaf::{self, OBJECTS, ROUTER_MACS, RoutingLeaf, SPINE_MACS, SPINES, UNDERLAY},
    run::{self, When},
    samples,
    spine::{Routes, Spine},
    tool,
};
use fabric_common::{
    reason::Reason,
    schema::{fdb, groups::Choice},
};
use fabric_user::kernel::maps::Maps;
use serde_json::Value;

const MAC_MOVE: &str = "converge-mac-move";
const NEXT_HOP: &str = "converge-next-hop";
const ROUTER_MAC: &str = "converge-router-mac";
const VTEP_ROUTE: &str = "converge-vtep-route";
const REMOTE_LEAF: &str = "converge-remote-leaf";
const HOST_ROUTE: &str = "converge-host-route";
const ALL: [&str; 6] = [MAC_MOVE, NEXT_HOP, ROUTER_MAC, VTEP_ROUTE, REMOTE_LEAF, HOST_ROUTE];

/// Changes of one contender, and in how many turns.
const CHANGES: u32 = 2_000;
const QUICK: u32 = 200;
const TURNS: u32 = 4;
/// Bars of the time from the request to the map.
const MEDIAN_US: f64 = 1_000.0;
const P99_US: f64 = 5_000.0;
/// Bar of the time from the request to the first packet, or from the kernel's answer ([`REMOTE_LEAF`]), where routes
/// are behind what changes.
const PACKET_US: f64 = 10_000.0;
/// Between two changes, after which the daemon sleeps.
const PAUSE: Duration = Duration::from_micros(500);
/// The same where the kernel tells of each of ten thousand routes after a change. One in ten of the usual number of
/// changes is made.
const LONG_PAUSE: Duration = Duration::from_millis(200);
/// Traffic before the first change: the first frames of a source are the kernel's.
const WARM_UP: Duration = Duration::from_millis(20);

/// MAC addresses of the two next hops; no interface has them, so that nothing answers.
const NEXT_MACS: [[u8; 6]; 2] = [[0x52, 0x54, 3, 2, 0, 0], [0x52, 0x54, 3, 2, 0, 1]];
/// Addresses of both.
const NEXT: [Ipv4Addr; 2] = [Ipv4Addr::new(172, 31, 0, 1), Ipv4Addr::new(172, 31, 0, 5)];
/// The object that the route refers to.
const OBJECT: u32 = 1;

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<Vec<Figures>> {
    let fabric_xdpd = arguments.program()?;
    let quick = arguments.asked.quick;
    let changes = if quick { QUICK } else { CHANGES };
    // Traffic and daemon have a CPU each, if there are two.
    let about = |name: &&'static str| (*name, When::Quick);
    arguments.asked.each(&ALL, about, processor::shared, |name, environment| {
        let series = match *name {
            MAC_MOVE => move_mac(&fabric_xdpd, changes)?,
            NEXT_HOP => replace_next_hop(&fabric_xdpd, changes)?,
            routed => behind_routes(&fabric_xdpd, changes, routed)?,
        };
        let settings = report::settings([
            ("changes", changes.into()),
            ("packets_per_second", (1.0 / PACE.as_secs_f64()).into()),
            ("quick", quick.into()),
        ]);
        let environment = Environment { bridge_nf: environment::bridge_nf(), ..environment };
        evaluate(name, &series, settings, environment)
    })
}

/// All changes of a contender.
#[derive(Default)]
struct Series {
    changes: Vec<Change>,
    sent: u64,
    lost: u64,
}

/// Contender → what it did.
type Found = BTreeMap<&'static str, Series>;

/// Whether maps have a way.
type Watch = Box<dyn Fn(&Maps, usize) -> bool>;

/// Finds in a daemon's maps what to watch.
type Find<'a> = &'a dyn Fn(&Maps) -> Result<Watch>;

/// A world with something to change.
struct World<'a> {
    probe: Probe,
    /// Has the kernel send the flow one way or the other.
    request: &'a dyn Fn(usize) -> Result<()>,
    /// Whether a frame went a way.
    went: &'a dyn Fn(&[u8], usize) -> bool,
    /// What says, of a daemon's maps, whether they have a way.
    watch: Option<Find<'a>>,
    /// What Fabric says of a frame of the flow.
    reason: Reason,
    /// Between two changes, for the daemon to fall asleep.
    pause: Duration,
}

impl World<'_> {
    /// Takes turns.
    fn measure(&mut self, fabric_xdpd: &Path, changes: u32) -> Result<Found> {
        let mut found = Found::new();
        let mut way = 0;
        let room = Room { macs: 1_000, ..Room::default() };
        for _ in 0..TURNS {
            for name in [FABRIC, KERNEL] {
                let daemon =
                    (name == FABRIC).then(|| Daemon::start(fabric_xdpd, room)).transpose()?;
                let maps = daemon.as_ref().map(Daemon::maps).transpose()?;
                let series = found.entry(name).or_default();
                self.turn(maps.as_ref(), &mut way, changes / TURNS, series)?;
                if let Some(daemon) = daemon {
                    daemon.stop()?;
                }
            }
        }
        Ok(found)
    }

    fn turn(
        &mut self,
        maps: Option<&Maps>,
        way: &mut usize,
        changes: u32,
        series: &mut Series,
    ) -> Result<()> {
        let (request, went) = (self.request, self.went);
        let watched = maps.zip(self.watch);
        let watched = watched.map(|(maps, watch)| anyhow::Ok((maps, watch(maps)?))).transpose()?;
        self.probe.run(WARM_UP, |frame| went(frame, *way))?;
        let (sent, lost) = (self.probe.sent, self.probe.lost);
        let before = maps.map(|maps| maps.ended_anywhere(self.reason));
        for number in 0..changes {
            let new = 1 - *way;
            let [is_old, is_new] = [*way, new].map(|way| move |frame: &[u8]| went(frame, way));
            let has = watched.as_ref().map(|(maps, watch)| move || watch(maps, new));
            let has = has.as_ref().map(|has| -> &dyn Fn() -> bool { has });
            let change = self.probe.change(|| request(new), has, [&is_old, &is_new])?;
            series.changes.push(change);
            *way = new;
            // At no fixed distance from the last change.
            let pause = self.pause + Duration::from_micros(u64::from(number % 7) * 100);
            self.probe.run(pause, |frame| went(frame, new))?;
        }
        let sent = self.probe.sent - sent;
        series.sent += sent;
        series.lost += self.probe.lost - lost;
        if let (Some(maps), Some(before)) = (maps, before) {
            let by_fabric = maps.ended_anywhere(self.reason) - before;
            ensure!(by_fabric * 100 >= sent * 99, "Fabric forwards {by_fabric} of {sent} frames");
        }
        Ok(())
    }
}

/// A MAC address that moves between two VTEPs.
fn move_mac(fabric_xdpd: &Path, changes: u32) -> Result<Found> {
    let leaf = Leaf::build_empty()?;
    tool::output("ethtool", &["-K", "spine0", "gro", "on"])?;
    let flow = Flow { destination: 0, source: 0, port: 40_000 };
    let mac = destination_mac(flow.destination);
    let neighbours = RefCell::new(Neighbours::open()?);
    neighbours.borrow_mut().replace(source_mac(flow.source), Place::Port(leaf.access))?;
    let place =
        |vtep: usize| Place::Vtep { vxlan: leaf.vxlan, address: vtep_address(vtep as u32).into() };
    // Both VTEPs are known all the time: other MAC addresses are behind them.
    for vtep in 0..2 {
        neighbours.borrow_mut().replace(destination_mac(1 + vtep as u32), place(vtep))?;
    }
    let request = |vtep: usize| {
        let mut neighbours = neighbours.borrow_mut();
        neighbours.replace(mac, place(vtep))?;
        neighbours.requests.flush()
    };
    request(0)?;
    let watch = |maps: &Maps| -> Result<Watch> {
        let mut domains = maps.domains6.iter();
        let domain = domains.find(|(_, domain)| domain.vxlan == leaf.vxlan);
        let (index, _) = domain.context("the VNI is not in the maps")?;
        let key = fdb::key(index as u16, fdb::mac_number(mac));
        let at = [0, 1].map(|vtep| u32::from_ne_bytes(vtep_address(vtep).octets()));
        Ok(Box::new(move |maps, vtep| {
            let target = maps.fdb_table().get(key).map(fdb::split_target);
            target.is_some_and(|(kind, index)| {
                kind == fdb::KIND_REMOTE && maps.vteps.get(index).remote_be == at[vtep]
            })
        }))
    };
    let mut frame = [0; LENGTH];
    // SAFETY: the frame is longer than the headers.
    unsafe { flow.write(frame.as_mut_ptr() as usize, LENGTH as u16) };
    World {
        probe: Probe::open(leaf.host, leaf.sink, &frame, OUTER)?,
        request: &request,
        // The outer destination address, and behind the headers the frame as it was sent.
        went: &|arrived, vtep| {
            arrived.get(30..34) == Some(&vtep_address(vtep as u32).octets()[..])
                && arrived.get(OUTER..OUTER + 42) == frame.get(..42)
        },
        watch: Some(&watch),
        reason: Reason::Encapsulated,
        pause: PAUSE,
    }
    .measure(fabric_xdpd, changes)
}

/// A nexthop object that is replaced in place, under a route.
fn replace_next_hop(fabric_xdpd: &Path, changes: u32) -> Result<Found> {
    let spine = Spine::build(0, Routes::Hosts)?;
    tool::output("ethtool", &["-K", "next0", "gro", "on"])?;
    let [first, second] = NEXT_MACS.map(mac_text);
    let [one, two] = NEXT;
    tool::batch(
        "ip",
        &format!(
            "addr add 172.31.0.4/31 dev out0\n\
             neigh replace {one} lladdr {first} dev out0 nud permanent\n\
             neigh replace {two} lladdr {second} dev out0 nud permanent\n"
        ),
    )?;
    let objects = RefCell::new(NexthopObjects::open()?);
    let request = |next: usize| objects.borrow_mut().replace(OBJECT, NEXT[next], spine.outward);
    request(0)?;
    let flow = Flow { destination: 1, source: 1, port: 40_000 };
    let destination = Ipv4Addr::from(routed::destination4(flow.destination));
    tool::batch("ip", &format!("route add {destination}/32 nhid {OBJECT}\n"))?;
    let frame = routed::frame4(&flow);
    let watch = |maps: &Maps| -> Result<Watch> {
        let is_at = |maps: &Maps, group: u32, next: usize| {
            let nexthop = match maps.groups.get(group).choice() {
                Choice::Single { nexthop } => nexthop,
                Choice::Spread { chunk, .. } => maps.bucket(chunk, 0),
                Choice::Nothing | Choice::Blackhole => return false,
            };
            maps.nexthops.get(nexthop).macs[..6] == NEXT_MACS[next]
        };
        // The object's group is the only one that goes to one of the two.
        let mut groups = 1..maps.groups.len();
        let group = groups.find(|group| is_at(maps, *group, 0) || is_at(maps, *group, 1));
        let group = group.context("the object is not in the maps")?;
        Ok(Box::new(move |maps, next| is_at(maps, group, next)))
    };
    World {
        probe: Probe::open(index("client0")?, spine.sink, &frame, 0)?,
        request: &request,
        // The destination's MAC address; behind Ethernet, IPv4 with one hop less.
        went: &|arrived, next| {
            arrived.get(..6) == Some(&NEXT_MACS[next][..])
                && arrived.get(22) == Some(&(frame[22] - 1))
                && arrived.get(26..42) == frame.get(26..42)
        },
        watch: Some(&watch),
        reason: Reason::Routed,
        pause: PAUSE,
    }
    .measure(fabric_xdpd, changes)
}

/// A change with very many host routes behind it.
fn behind_routes(fabric_xdpd: &Path, changes: u32, name: &str) -> Result<Found> {
    let site = RoutingLeaf::build()?;
    tool::output("ethtool", &["-K", "spine0", "gro", "on"])?;
    let destination = routing_leaf::host(0);
    let neighbours = RefCell::new(Neighbours::open()?);
    let objects = RefCell::new(NexthopObjects::open()?);
    let routes = RefCell::new(routes::Routes::open()?);
    let request = |way: usize| -> Result<()> {
        match name {
            ROUTER_MAC => {
                let mut neighbours = neighbours.borrow_mut();
                neighbours.replace(ROUTER_MACS[0], site.behind(way))?;
                neighbours.requests.flush()
            }
            VTEP_ROUTE => objects.borrow_mut().replace(UNDERLAY, SPINES[way], site.leaf.routed),
            REMOTE_LEAF => {
                objects.borrow_mut().replace(OBJECTS[0], routing_leaf::ROUTERS[way], site.bridge)
            }
            _ => {
                let mut routes = routes.borrow_mut();
                routes.replace((destination.into(), 32), OBJECTS[way])?;
                routes.requests.flush()
            }
        }
    };
    let frame = routing_leaf::frame(destination);
    let went = |arrived: &[u8], way: usize| {
        let is_way = match name {
            VTEP_ROUTE => arrived.get(..6) == Some(&SPINE_MACS[way][..]),
            _ => arrived.get(30..34) == Some(&vtep_address(way as u32).octets()[..]),
        };
        is_way && arrived.get(OUTER + 26..OUTER + 42) == frame.get(26..42)
    };
    let (pause, changes) = match name {
        REMOTE_LEAF => (LONG_PAUSE, changes / 10),
        _ => (PAUSE, changes),
    };
    World {
        probe: Probe::open(site.leaf.host, site.leaf.sink, &frame, OUTER)?,
        request: &request,
        went: &went,
        watch: None,
        reason: Reason::Routed,
        pause,
    }
    .measure(fabric_xdpd, changes)
}

fn evaluate(
    name: &str,
    found: &Found,
    settings: BTreeMap<String, Value>,
    environment: Environment,
) -> Result<Figures> {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let mut figures = BTreeMap::new();
    let mut lines = BTreeMap::new();
    let mut table = Table::new();
    table.set_header(["from the request to", "median, us", "p99", "worst"]);
    let mut note = |what: String, line: &str, times: &[f64]| -> Result<()> {
        let of = |share| samples::quantile(times, share).context("nothing measured");
        let [median, p99, worst] = [of(0.5)?, of(0.99)?, of(1.0)?];
        let cells = [median, p99, worst].map(|value| format!("{value:.1}"));
        table.add_row(std::iter::once(what.clone()).chain(cells));
        for (share, value) in [("median", median), ("p99", p99), ("worst", worst)] {
            figures.insert(format!("{what}, {share}, us"), value);
        }
        let percents = (0..=200).map(|half| f64::from(half) / 2.0);
        let points = percents.map(|percent| Ok((percent, of(percent / 100.0)?)));
        lines.insert(line.to_owned(), points.collect::<Result<_>>()?);
        Ok(())
    };
    for (contender, series) in found {
        let packets: Vec<_> = series.changes.iter().map(|change| us(change.packet)).collect();
        note(format!("{contender}: first packet"), contender, &packets)?;
        if name == REMOTE_LEAF {
            let times = series.changes.iter().map(|change| us(change.packet - change.answer));
            let times: Vec<_> = times.collect();
            note(
                format!("{contender}: first packet, from the answer"),
                &format!("{contender} after its answer"),
                &times,
            )?;
        }
        let maps: Vec<_> = series.changes.iter().filter_map(|it| it.map).map(us).collect();
        if !maps.is_empty() {
            note(format!("{contender}: map"), "Fabric's map", &maps)?;
        }
    }
    println!("{table}");
    for (contender, series) in found {
        let late = series.changes.iter().map(|change| change.late as f64);
        let late: f64 = late.sum::<f64>() / series.changes.len().max(1) as f64;
        println!(
            "{name}: {contender}: {} of {} packets lost; after the kernel's answer {late:.1} packets \
             of a change went the old way",
            series.lost, series.sent
        );
        figures.insert(format!("{contender}: packets lost"), series.lost as f64);
        figures.insert(format!("{contender}: packets that went the old way, mean"), late);
    }
    let what = match name {
        MAC_MOVE => "A MAC address moves",
        NEXT_HOP => "A next hop is replaced",
        ROUTER_MAC => "A router MAC address moves",
        VTEP_ROUTE => "The way to a VTEP changes",
        REMOTE_LEAF => "The next hop of all routes changes",
        _ => "One of the routes changes",
    };
    let timeline = Timeline {
        title: format!("{what}: from the request to the first packet"),
        x: "share of changes that take no longer, percent".into(),
        y: "microseconds".into(),
        lines,
    };
    let mut bars = vec![Bar::at_most("fabric: packets lost", 0.0)];
    match name {
        MAC_MOVE | NEXT_HOP => bars.extend([
            Bar::at_most("fabric: map, median, us", MEDIAN_US),
            Bar::at_most("fabric: map, p99, us", P99_US),
        ]),
        // The kernel tells of the object, then of all routes, and then it answers, until which the probe's only
        // thread sends nothing.
        REMOTE_LEAF => {
            bars.push(Bar::at_most("fabric: first packet, from the answer, p99, us", PACKET_US));
        }
        _ => bars.push(Bar::at_most("fabric: first packet, p99, us", PACKET_US)),
    }
    let found = Figures::judged(name, figures, bars, settings, environment);
    Ok(Figures { timeline: Some(timeline), ..found })
}
