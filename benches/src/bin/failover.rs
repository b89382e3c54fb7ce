//! How long are flows interrupted when a link to a spine fails, and what does it cost?
//!
//! A whole fabric with real FRR, and 20,000 packets a second of 1,000 flows through a leaf with four
//! underlay ports, of which one fails: it loses its carrier, or nothing arrives any more and BFD has to
//! notice. In turns Fabric forwards, and the kernel alone: then every node has its bypass on.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use comfy_table::Table;
use fabric_benches::{
    answer::{FABRIC, KERNEL, progress},
    daemon::Arguments,
    environment::Environment,
    plot::Timeline,
    processor,
    report::{self, Bar, Figures},
    run::{self, When},
    samples,
};
use fabric_common::reason::Reason;
use fabric_tests::fabric::{
    FLOWS, Fabric, Failure, Kind, Scene, Seen, lose_carrier, router_with, use_fabric_xdpd,
};
use serde_json::Value;

/// A failure under traffic, routed or in tunnels.
#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    kind: Kind,
    routed: bool,
}

/// How a link fails, and whether the flows are routed; `None` counts the stores of a loss.
type What = Option<(Kind, bool)>;

const ENTRIES: [(&str, When, What); 5] = [
    (STORES, When::Quick, None),
    ("failover-cut-routed", When::Quick, Some((Kind::Cut, true))),
    ("failover-cut-vxlan", When::Usual, Some((Kind::Cut, false))),
    ("failover-silent-routed", When::Usual, Some((Kind::Silent, true))),
    ("failover-silent-vxlan", When::Quick, Some((Kind::Silent, false))),
];
const STORES: &str = "failover-stores";
/// Routes and VTEPs behind a link.
const SIZES: [(u32, u32); 2] = [(10, 10), (10_000, 10_000)];

const UNDERLAY: [&str; 4] = ["swp1", "swp2", "swp3", "swp4"];
/// Packets a second, at the least.
const RATE: f64 = 20_000.0;
/// Outage of flows on a way that lost its carrier, from the kernel's link event on, at the most.
const CUT_MS: f64 = 10.0;
/// Times the detection time, at the most.
const SILENT: f64 = 3.0;
/// What a timeline shows of the time before the failure, and after it.
const SHOWN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));
const STEP: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let quick = arguments.asked.quick;
    let wanted = arguments.asked.wanted(&ENTRIES, |entry| (entry.0, entry.1))?;
    let failures: Vec<_> = (wanted.iter())
        .filter_map(|(name, _, what)| what.map(|(kind, routed)| Entry { name, kind, routed }))
        .collect();
    use_fabric_xdpd(arguments.program()?);
    let environment = Environment::read(processor::shared()?);
    let repetitions = if quick { 1 } else { 5 };
    let mut settings =
        report::settings([("repetitions", repetitions.into()), ("quick", quick.into())]);
    if failures.len() < wanted.len() {
        let found = count_stores(repetitions, settings.clone(), environment.clone())?;
        report::write(&report::path(), &[found])?;
    }
    if !failures.is_empty() {
        settings.extend(report::settings([
            ("topology", "underlay".into()),
            ("flows", FLOWS.flows.into()),
            ("bfd_detection_ms", ms(Fabric::DETECTION).into()),
        ]));
        let fabric = Fabric::underlay_alone();
        fabric.acquaint("vm11", "vm21");
        for entry in &failures {
            let rounds = fail(&fabric, entry, repetitions)?;
            let found = evaluate(entry, &rounds, settings.clone(), environment.clone())?;
            report::write(&report::path(), &[found])?;
        }
    }
    println!("written to target/bench/report.json");
    Ok(())
}

/// One failure and its end.
struct Round {
    failure: Failure,
    /// Packets that were lost from the mending of the link on, of all flows.
    lost_on_return: u64,
    timeline: Vec<(f64, f64)>,
}

impl Round {
    /// Milliseconds for which flows were interrupted: from the link event on, if there was one.
    fn outage(&self) -> f64 {
        ms(self.failure.lasted_from_event().unwrap_or_else(|| self.failure.lasted()))
    }
}

/// Contender → its rounds.
type Rounds = BTreeMap<&'static str, Vec<Round>>;

/// Breaks and mends the link in turns of Fabric and of the kernel.
fn fail(fabric: &Fabric, entry: &Entry, repetitions: u32) -> Result<Rounds> {
    let (from, to) = if entry.routed { ("rack11", "rack21") } else { ("vm11", "vm21") };
    let scene = Scene { from, to, node: "leaf01", ports: &UNDERLAY, ipv6: false };
    let mut rounds = Rounds::new();
    for repetition in 1..=repetitions {
        progress(entry.name, repetition, repetitions);
        for name in [FABRIC, KERNEL] {
            for node in fabric.leafs() {
                fabric.bypass(&node, name == KERNEL);
            }
            let before = Seen::at(fabric, scene.node);
            let (failure, returned) = fabric.fail_and_return(scene, entry.kind);
            let seen = Seen::at(fabric, scene.node).since(&before);
            let by_fabric = seen.all(Reason::Routed) + seen.all(Reason::Encapsulated);
            let sent = failure.report.sent() + returned.sent();
            // The kernel has its turn only if Fabric forwards nothing, and the other way round.
            match name {
                KERNEL => ensure!(by_fabric == 0, "Fabric forwards {by_fabric} frames in bypass"),
                _ => ensure!(
                    by_fabric * 10 >= sent * 9,
                    "Fabric forwards {by_fabric} of {sent} packets"
                ),
            }
            let found = rounds.entry(name).or_default();
            found.push(Round {
                lost_on_return: returned.lost(|_| true),
                timeline: timeline(&failure),
                failure,
            });
        }
    }
    for node in fabric.leafs() {
        fabric.bypass(&node, false);
    }
    Ok(rounds)
}

/// Milliseconds from the failure on → packets that arrived in the step.
fn timeline(failure: &Failure) -> Vec<(f64, f64)> {
    let zero = failure.event.unwrap_or(failure.began);
    let steps = ((SHOWN.0 + SHOWN.1).as_nanos() / STEP.as_nanos()) as usize;
    let arrivals = zero.checked_sub(SHOWN.0).map(|from| failure.report.arrivals(from, STEP, steps));
    let times = (0..steps).map(|step| step as f64 * ms(STEP) - ms(SHOWN.0));
    times.zip(arrivals.unwrap_or_default().into_iter().map(|count| count as f64)).collect()
}

fn evaluate(
    entry: &Entry,
    rounds: &Rounds,
    settings: BTreeMap<String, Value>,
    environment: Environment,
) -> Result<Figures> {
    let mut figures = BTreeMap::new();
    let mut lines = BTreeMap::new();
    let mut table = Table::new();
    table.set_header([
        "",
        "outage, ms: median",
        "worst",
        "from the fault on: median",
        "worst",
        "packets lost: median",
        "flows elsewhere: lost packets",
        "moved, worst",
        "lost on return: sum",
        "worst",
    ]);
    for (name, rounds) in rounds {
        let of = |value: &dyn Fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
        let outages = of(&Round::outage);
        let whole = of(&|it| ms(it.failure.lasted()));
        let lost = of(&|it| it.failure.outage().map_or(0.0, |outage| outage.lost as f64));
        let others = of(&|it| it.failure.survivors_lost() as f64);
        let moved = of(&|it| it.failure.survivors_moved() as f64);
        let returned = of(&|it| it.lost_on_return as f64);
        let rates = of(&|it| it.failure.report.rate());
        let median = |values: &[f64]| samples::quantile(values, 0.5).context("no rounds");
        let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let all = [
            ("outage, median, ms", median(&outages)?),
            ("outage, worst, ms", worst(&outages)),
            ("outage from the fault on, median, ms", median(&whole)?),
            ("outage from the fault on, worst, ms", worst(&whole)),
            ("packets lost, median", median(&lost)?),
            ("packets lost of flows on other ways", others.iter().sum()),
            ("flows on other ways that moved, worst", worst(&moved)),
            ("packets lost on return, all rounds", returned.iter().sum()),
            ("packets lost on return, worst", worst(&returned)),
        ];
        let cells = all.map(|(_, value)| format!("{value:.2}").trim_end_matches(".00").to_owned());
        table.add_row(std::iter::once((*name).to_owned()).chain(cells));
        figures.extend(all.map(|(figure, value)| (format!("{name}: {figure}"), value)));
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        figures.insert(format!("{name}: rate, least, packets/s"), least);
        // The round whose outage is the median.
        let mut by_outage: Vec<&Round> = rounds.iter().collect();
        by_outage.sort_by(|a, b| a.outage().total_cmp(&b.outage()));
        let middle = by_outage.get((by_outage.len() - 1) / 2).context("no rounds")?;
        lines.insert((*name).to_owned(), middle.timeline.clone());
        for round in rounds {
            println!("{}: {name}: {}", entry.name, round.failure.summary());
        }
    }
    println!("{table}");
    let limit = match entry.kind {
        Kind::Cut => CUT_MS,
        Kind::Silent => SILENT * ms(Fabric::DETECTION),
    };
    let bars = [
        Bar::at_most("fabric: outage, worst, ms", limit),
        Bar::at_most("fabric: packets lost of flows on other ways", 0.0),
        Bar::at_most("fabric: flows on other ways that moved, worst", 0.0),
        Bar::at_most("fabric: packets lost on return, all rounds", 0.0),
        Bar::at_least("fabric: rate, least, packets/s", RATE),
    ];
    let figures = Figures::judged(entry.name, figures, bars, settings, environment);
    let (what, zero) = match entry.kind {
        Kind::Cut => ("loses its carrier", "link event"),
        Kind::Silent => ("falls silent", "failure"),
    };
    let traffic = if entry.routed { "routed" } else { "VXLAN" };
    let timeline = Timeline {
        title: format!("One of four underlay ports {what}: {traffic} packets that arrive"),
        x: format!("milliseconds from the {zero} on (the round with the median outage)"),
        y: "packets in 5 ms".into(),
        lines,
    };
    Ok(Figures { timeline: Some(timeline), ..figures })
}

/// What the loss of a carrier costs with few and with many routes and VTEPs.
fn count_stores(
    repetitions: u32,
    mut settings: BTreeMap<String, Value>,
    environment: Environment,
) -> Result<Figures> {
    let mut figures = BTreeMap::new();
    let mut table = Table::new();
    table.set_header([
        "routes",
        "VTEPs",
        "stores: worst",
        "stores afterwards: worst",
        "event to store, us: median",
        "worst",
        "of it in fabric-xdpd, us: median",
        "worst",
    ]);
    for (routes, vteps) in SIZES {
        let router = router_with(routes, vteps);
        let losses: Vec<_> = (1..=2 * repetitions)
            .map(|repetition| {
                progress(STORES, repetition, 2 * repetitions);
                lose_carrier(&router)
            })
            .collect();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let from_event: Vec<_> = losses.iter().map(|loss| us(loss.from_event)).collect();
        let in_fabric_xdpd: Vec<_> = losses.iter().map(|loss| us(loss.in_fabric_xdpd)).collect();
        let quantile = |values: &[f64], share| samples::quantile(values, share).context("no loss");
        let most = |count: &dyn Fn(usize) -> u64| (0..losses.len()).map(count).max().unwrap_or(0);
        let all = [
            ("stores, worst", most(&|at| losses[at].stores) as f64),
            ("stores afterwards, worst", most(&|at| losses[at].later_stores) as f64),
            ("event to store, median, us", quantile(&from_event, 0.5)?),
            ("event to store, worst, us", quantile(&from_event, 1.0)?),
            ("of it in fabric-xdpd, median, us", quantile(&in_fabric_xdpd, 0.5)?),
            ("of it in fabric-xdpd, worst, us", quantile(&in_fabric_xdpd, 1.0)?),
        ];
        let cells = all.map(|(_, value)| format!("{value:.1}").trim_end_matches(".0").to_owned());
        table.add_row([routes, vteps].map(|it| it.to_string()).into_iter().chain(cells));
        figures.extend(all.map(|(name, value)| (format!("{routes} routes: {name}"), value)));
    }
    println!("{table}");
    let of = |routes: u32, name: &str| figures[&format!("{routes} routes: {name}")];
    let [few, many] = SIZES.map(|(routes, _)| routes);
    let same = ["stores, worst", "stores afterwards, worst"].map(|it| of(few, it) == of(many, it));
    let same = same == [true, true];
    let word = report::word(same);
    println!("{STORES}: as many stores with {few} routes as with {many}: {word}");
    let bars = [
        Bar::at_most(format!("{many} routes: stores, worst"), 1.0),
        Bar::at_most(format!("{many} routes: event to store, worst, us"), CUT_MS * 1e3),
    ];
    settings.insert("vteps".into(), SIZES.map(|(_, vteps)| vteps).to_vec().into());
    let found = Figures::judged(STORES, figures, bars, settings, environment);
    Ok(Figures { meets_bar: found.meets_bar && same, ..found })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
