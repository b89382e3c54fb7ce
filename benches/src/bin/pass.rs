//! What does a packet pay that Fabric's programs look at and leave to the kernel, next to a port
//! without any XDP program, and next to one with a program that does nothing else?
//!
//! Live frames enter the far end of a port's cable and end in the first hook of the kernel behind
//! all XDP programs. So the time holds the cable, the program, and the making of a socket buffer,
//! which is the same for all; what follows in the kernel would only add noise.

use std::{
    collections::{BTreeMap, HashSet},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use comfy_table::Table;
use fabric_benches::{
    answer::progress,
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{Flow, LENGTH, destination_mac},
    leaf::{ACCESS_MTU, Leaf, index},
    processor,
    race::{BATCH, Contender, End, Race, Way},
    report,
    run::{self, Rounds, When},
    samples::{self, Summary},
    tool,
};
use fabric_common::reason::Reason;
use fabric_user::{
    hashed::HashMap,
    model::{FdbKey, Target},
};
use serde::Serialize;

/// Why a packet is left to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// Everything is, while the bypass is on.
    Bypass,
    /// The bridge is to learn the source.
    UnknownSource,
    /// The bridge is to flood.
    UnknownDestination,
    /// The box is to route or to answer.
    OwnMac,
    /// It comes from the fabric and is no VXLAN packet.
    Underlay,
}

/// What is measured when, and what Fabric counts it as, if at the port that frames enter.
const ENTRIES: [(&str, When, Case, Option<Reason>); 5] = [
    ("pass-bypass", When::Usual, Case::Bypass, Some(Reason::PortInputBypassed)),
    ("pass-unknown-source", When::Usual, Case::UnknownSource, Some(Reason::SourceCheckUnknown)),
    (
        "pass-unknown-destination",
        When::Usual,
        Case::UnknownDestination,
        Some(Reason::BridgeLookupUnknown),
    ),
    ("pass-own-mac", When::Quick, Case::OwnMac, Some(Reason::BridgeLookupOwnMac)),
    ("pass-underlay", When::Quick, Case::Underlay, None),
];

impl Case {
    /// To how many stations the frames go: a bridge has one address, or two, of its own.
    const fn destinations(self) -> u32 {
        match self {
            Self::OwnMac => 1,
            _ => 1 << 10,
        }
    }
}

/// At most so many nanoseconds more than with a program that does nothing.
///
/// Not than without one: what a port takes to run any program is the port's, here some 10 to 25 ns, and no
/// program can have it back.
const BAR_NS: f64 = 10.0;

const FABRIC: &str = "fabric";
const TRIVIAL: &str = "trivial";
const NONE: &str = "none";

/// An entry of the report.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    entry: report::Entry,
    /// Baseline → median of the rounds' differences to it, in nanoseconds.
    tax_ns: BTreeMap<&'static str, f64>,
    /// Interquartile range of each.
    tax_spread: BTreeMap<&'static str, f64>,
}

fn main() -> ExitCode {
    run::end(run(&Rounds::parse()))
}

fn run(arguments: &Rounds) -> Result<Vec<Entry>> {
    arguments.asked.each(
        &ENTRIES,
        |entry| (entry.0, entry.1),
        processor::pin,
        |(name, _, case, reason), environment| {
            measure(name, *case, *reason, arguments, environment)
        },
    )
}

/// A port, with what is attached to it.
struct Lane {
    name: &'static str,
    race: Race,
    contender: Contender,
    destinations: u32,
}

impl Lane {
    /// From the far end of the cable into the port.
    fn new(name: &'static str, way: Way, frames: u32, destinations: u32) -> Result<Self> {
        let mut race = Race::along(way)?;
        let program = race.baseline("redirect")?;
        Ok(Self {
            name,
            race,
            contender: Contender { name: name.into(), program, frames, grows: Some(0) },
            destinations,
        })
    }

    /// The mean of two turns, one after the other, in nanoseconds a frame. The kernel gives each turn the
    /// pages that the one before gave back, last ones first, and on some machines a socket buffer is 25 ns
    /// quicker to make on them in one order than in the other, whoever is measured.
    fn two_turns(&mut self) -> Result<f64> {
        let mut turn = || self.race.turn(&self.contender, self.destinations);
        Ok((turn()? + turn()?) / 2.0)
    }
}

fn measure(
    name: &str,
    case: Case,
    reason: Option<Reason>,
    arguments: &Rounds,
    mut environment: Environment,
) -> Result<Entry> {
    println!("{name}: building a leaf");
    let quick = arguments.asked.quick;
    let rounds = arguments.number(120, 8);
    let frames = if quick { 15_625 } else { 62_500 };
    let destinations = case.destinations();
    let plan = Direction::Encapsulate.plan(destinations, 64);
    let leaf = Leaf::build_for(&plan)?;
    environment.bridge_nf = environment::bridge_nf();
    let mut desired = leaf.desired(&plan);
    arrange(&mut desired.fdb, case);
    let mut fabric = Fabric::start(desired)?;
    if case == Case::Bypass {
        fabric.maps().settings.update(0, |settings| settings.bypass = 1);
    }
    add_ports()?;

    let (far, port) = match case {
        Case::Underlay => (leaf.sink, leaf.routed),
        _ => (leaf.host, leaf.access),
    };
    // The generator only borrows the underlay port: some XDP program has to be attached there.
    let way = |far, port| Way { ingress: leaf.routed, egress: far, sink: port, end: End::Kernel };
    let lane = |name, way| Lane::new(name, way, frames, destinations);
    let mut lanes = [
        lane(FABRIC, way(far, port))?,
        lane(TRIVIAL, way(index("host2")?, index("access2")?))?,
        lane(NONE, way(index("host3")?, index("access3")?))?,
    ];
    let _trivial = lanes[1].race.attach_baseline("kernel", index("access2")?)?;
    for lane in &mut lanes {
        lane.two_turns()?;
        compare_bytes(lane)?;
    }
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 1..=rounds {
        fabric.beat()?;
        for turn in 0..lanes.len() {
            let turn = (turn + round as usize) % lanes.len();
            let lane = &mut lanes[turn];
            let counted = |fabric: &Fabric| reason.map_or(0, |reason| fabric.ended(reason));
            let before = counted(&fabric);
            times.entry(lane.name).or_default().push(lane.two_turns()?);
            let passed = counted(&fabric) - before;
            let expected = if lane.name == FABRIC && reason.is_some() { 2 * frames } else { 0 };
            ensure!(
                passed == u64::from(expected),
                "{}: Fabric counted {passed} frames as {case:?} instead of {expected}",
                lane.name
            );
        }
        progress(name, round, rounds);
    }
    evaluate(name, case, &times, quick, environment)
}

/// Makes the FDB say what the case is about.
fn arrange(fdb: &mut HashMap<FdbKey, Target>, case: Case) {
    let destinations: HashSet<_> = (0..case.destinations()).map(destination_mac).collect();
    match case {
        Case::Underlay | Case::Bypass => {}
        Case::UnknownSource => fdb.retain(|key, _| destinations.contains(&key.mac.0)),
        Case::UnknownDestination => fdb.retain(|key, _| !destinations.contains(&key.mac.0)),
        Case::OwnMac => {
            let owned = fdb.iter_mut().filter(|(key, _)| destinations.contains(&key.mac.0));
            owned.for_each(|(_, target)| *target = Target::Own);
        }
    }
}

/// Two more ports like the first, and on all of them what makes veth poll as a network card does,
/// which without XDP it only does for GRO.
fn add_ports() -> Result<()> {
    let queues = "numrxqueues 1 numtxqueues 1";
    let mut commands = String::new();
    for number in [2, 3] {
        commands += &format!(
            "link add name access{number} mtu {ACCESS_MTU} {queues} type veth \
                peer name host{number} {queues}\n\
             link set dev access{number} master bridge0\n\
             link set dev access{number} up\n\
             link set dev host{number} up\n"
        );
    }
    tool::batch("ip", &commands)?;
    for port in ["access0", "underlay0", "access2", "access3"] {
        tool::output("ethtool", &["-K", port, "gro", "on"])?;
    }
    Ok(())
}

/// What reaches the kernel must be what was offered.
fn compare_bytes(lane: &mut Lane) -> Result<()> {
    for number in 0..16 {
        let destination = number % lane.destinations;
        let flow = Flow { destination, source: number, port: 0x8000 | number as u16 };
        let packets = lane.race.capture(&lane.contender, &flow, lane.destinations, 1)?;
        let packet = packets.first().with_context(|| format!("{}: nothing arrived", lane.name))?;
        let expected = lane.race.traffic.packet(&lane.race.traffic.first(flow));
        ensure!(packet.bytes[..LENGTH] == expected, "{} changed {flow:?}", lane.name);
    }
    Ok(())
}

fn evaluate(
    name: &str,
    case: Case,
    times: &BTreeMap<&str, Vec<f64>>,
    quick: bool,
    environment: Environment,
) -> Result<Entry> {
    let of = |name: &str| times.get(name).context("a port has no times");
    let ours = of(FABRIC)?;
    let mut table = Table::new();
    table.set_header(["port with", "ns/frame", "spread", "fabric's time - its time"]);
    let (mut tax_ns, mut tax_spread) = (BTreeMap::new(), BTreeMap::new());
    let (mut ratios, mut ratio_spread) = (BTreeMap::new(), BTreeMap::new());
    let mut contenders_ns = BTreeMap::new();
    for name in [FABRIC, TRIVIAL, NONE] {
        let series = of(name)?;
        let Summary { median, iqr } = samples::summarize(series).context("no rounds")?;
        let differences: Vec<_> = ours.iter().zip(series).map(|(a, b)| a - b).collect();
        let tax = samples::summarize(&differences).context("no rounds")?;
        let ratio = samples::ratio(ours, series).context("no rounds")?;
        table.add_row([
            name.into(),
            format!("{median:.1}"),
            format!("{iqr:.1}"),
            format!("{:.1} (spread {:.1})", tax.median, tax.iqr),
        ]);
        contenders_ns.insert(name.into(), median);
        if name != FABRIC {
            tax_ns.insert(name, tax.median);
            tax_spread.insert(name, tax.iqr);
            ratios.insert(name.into(), ratio.median);
            ratio_spread.insert(name.into(), ratio.iqr);
        }
    }
    println!("{table}");
    let tax = |name| tax_ns.get(name).copied().context("no difference");
    let (tax, whole) = (tax(TRIVIAL)?, tax(NONE)?);
    let meets_bar = tax <= BAR_NS;
    println!(
        "{name}: {tax:.1} ns more than with a program that does nothing, {whole:.1} more than without \
         any; the bar for the first is at most {BAR_NS}: {}",
        report::word(meets_bar)
    );
    let time = samples::summarize(ours).context("no rounds")?;
    let settings = report::settings([
        ("case", format!("{case:?}").into()),
        ("frame_bytes", (LENGTH as u64 + 4).into()),
        ("destinations", case.destinations().into()),
        ("ports", "veth with GRO on; counted in the ingress hook of tc (tcx)".into()),
        ("quick", quick.into()),
        ("rounds", ours.len().into()),
        ("batch", BATCH.into()),
    ]);
    Ok(Entry {
        entry: report::Entry {
            name: name.into(),
            median_ns: time.median,
            mpps: 1_000.0 / time.median,
            ratios,
            spread: time.iqr,
            ratio_spread,
            contenders_ns,
            meets_bar,
            settings,
            environment,
        },
        tax_ns,
        tax_spread,
    })
}
