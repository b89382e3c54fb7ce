//! How much do two CPUs with two pairs of ports carry, next to one?
//!
//! Two lanes share Fabric's programs and maps and nothing else: each has an access port, an underlay
//! port, a generator and a sink of its own, and a CPU on which all of that runs. A lane's time is taken
//! alone, and while the other lane sends all the time, which is checked. The bare redirect says
//! what the machine itself allows: two virtual CPUs may be one core.

use std::{collections::BTreeMap, process::ExitCode, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser as _;
use comfy_table::Table;
use fabric_benches::{
    answer::progress,
    arena,
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{LENGTH, OUTER},
    leaf::{ACCESS_MTU, Leaf, UNDERLAY_MTU, index},
    processor,
    race::{BATCH, Contender, Race},
    report,
    run::{self, Rounds, When},
    samples::{self, Summary},
    tool,
};
use fabric_user::kernel::programs::ACCESS;
use serde::Serialize;

const NAME: &str = "two-cores-encap";
const DESTINATIONS: u32 = 1 << 10;
const FRAMES: u32 = 500_000;
const QUICK_FRAMES: u32 = 200_000;
/// The lane that is not timed sends so many times as many frames; more if that was not enough, as
/// before and after its frames a turn takes a while.
const COMPANY: [u32; 4] = [6, 12, 24, 48];
/// Two CPUs carry at least so many times what one does.
const BAR: f64 = 1.9;

const FABRIC: &str = "fabric";
const REDIRECT: &str = "redirect";

/// The entry of the report.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    entry: report::Entry,
    /// Contender → median of the rounds' factors by which two lanes carry more than one.
    scaling: BTreeMap<&'static str, f64>,
    /// Interquartile range of each.
    scaling_spread: BTreeMap<&'static str, f64>,
}

/// A pair of ports, with generator and sink.
struct Lane {
    cpu: usize,
    frames: u32,
    race: Race,
    contenders: [(&'static str, Contender); 2],
}

impl Lane {
    fn new(cpu: usize, frames: u32, leaf: &Leaf, fabric: &mut Fabric) -> Result<Self> {
        let mut race = Race::along(Direction::Encapsulate.way(leaf))?;
        let contender = |name: &str, program, grows| Contender {
            name: name.into(),
            program,
            frames,
            grows: Some(grows),
        };
        let redirect = race.baseline("redirect")?;
        let contenders = [
            (FABRIC, contender(FABRIC, fabric.xdp(ACCESS)?.fd()?.try_clone()?, OUTER as i64)),
            (REDIRECT, contender(REDIRECT, redirect, 0)),
        ];
        Ok(Self { cpu, frames, race, contenders })
    }

    /// Sends, and keeps on for so many times as long as usual.
    fn turn(&mut self, which: usize, times: u32) -> Result<f64> {
        processor::pin_to(self.cpu)?;
        let contender = &mut self.contenders[which].1;
        contender.frames = self.frames * times;
        self.race.turn(contender, DESTINATIONS)
    }
}

fn main() -> ExitCode {
    run::end(run(&Rounds::parse()))
}

fn run(arguments: &Rounds) -> Result<()> {
    arguments.asked.wanted(&[NAME], |name| (name, When::Quick))?;
    let cpus = processor::allowed()?;
    let [.., other, cpu] = cpus[..] else {
        println!("{NAME}: left out, as it needs two CPUs and there is one");
        return Ok(());
    };
    let mut environment = Environment::read(processor::pin()?);
    arena::enter()?;
    let plan = Direction::Encapsulate.plan(DESTINATIONS, 64);
    let leaf = Leaf::build_for(&plan)?;
    environment.bridge_nf = environment::bridge_nf();
    let second = add_ports(&leaf)?;
    let mut desired = leaf.desired(&plan);
    second.add_to(&mut desired, &plan);
    let mut fabric = Fabric::start(desired)?;
    let quick = arguments.asked.quick;
    let frames = if quick { QUICK_FRAMES } else { FRAMES };
    let mut lanes = [
        Lane::new(cpu, frames, &leaf, &mut fabric)?,
        Lane::new(other, frames, &second, &mut fabric)?,
    ];

    let rounds = arguments.number(20, 2);
    let mut times: BTreeMap<&str, [Vec<f64>; 4]> = BTreeMap::new();
    for round in 0..=rounds {
        fabric.beat()?;
        for (which, name) in [FABRIC, REDIRECT].into_iter().enumerate() {
            let [first, second] = &mut lanes;
            let took = [
                alone(first, which)?,
                alone(second, which)?,
                in_company(first, second, which)?,
                in_company(second, first, which)?,
            ];
            // The first round warms up.
            if round > 0 {
                let series = times.entry(name).or_default();
                series.iter_mut().zip(took).for_each(|(series, took)| series.push(took));
            }
        }
        progress(NAME, round, rounds);
    }
    let entry = evaluate(&times, quick, environment)?;
    report::write(&report::path(), &[entry])?;
    println!("written to target/bench/report.json");
    Ok(())
}

/// A second pair of ports. The kernel's bridge has no part in this: Fabric forwards every frame.
fn add_ports(leaf: &Leaf) -> Result<Leaf> {
    let queues = "numrxqueues 1 numtxqueues 1";
    tool::batch(
        "ip",
        &format!(
            "link add name access2 mtu {ACCESS_MTU} {queues} type veth peer name host2 {queues}\n\
             link add name access3 mtu {ACCESS_MTU} {queues} type veth peer name host3 {queues}\n\
             link add name underlay1 mtu {UNDERLAY_MTU} {queues} type veth \
                peer name spine1 mtu {UNDERLAY_MTU} {queues}\n\
             link set dev access2 up\n\
             link set dev host2 up\n\
             link set dev underlay1 up\n\
             link set dev spine1 up\n"
        ),
    )?;
    Ok(Leaf {
        access: index("access2")?,
        host: index("host2")?,
        other_access: index("access3")?,
        other_host: index("host3")?,
        routed: index("underlay1")?,
        sink: index("spine1")?,
        ..*leaf
    })
}

/// A lane's time while the other one rests.
fn alone(lane: &mut Lane, which: usize) -> Result<f64> {
    on_its_cpu(|| lane.turn(which, 1))
}

/// A lane's time while the other one sends from before to after.
fn in_company(lane: &mut Lane, other: &mut Lane, which: usize) -> Result<f64> {
    for times in COMPANY {
        if let Some(took) = in_company_of(lane, other, which, times)? {
            return Ok(took);
        }
    }
    bail!("a lane never sends as long as the other one is timed; is the machine overloaded?")
}

/// As [`in_company`]; `None` if the other lane, which sends `times` as many frames, was done before.
fn in_company_of(
    lane: &mut Lane,
    other: &mut Lane,
    which: usize,
    times: u32,
) -> Result<Option<f64>> {
    let arrivals = other.race.arrivals();
    let before = arrivals.count()?.frames;
    let total = u64::from(other.frames * times);
    thread::scope(|scope| {
        let company = scope.spawn(move || other.turn(which, times));
        // All of it on the CPU of the lane that is timed, as the other one is not to be had.
        let timed = scope.spawn(move || {
            processor::pin_to(lane.cpu)?;
            while arrivals.count()?.frames == before && !company.is_finished() {
                thread::sleep(Duration::from_micros(200));
            }
            let took = lane.turn(which, 1)?;
            let sent = arrivals.count()?.frames - before;
            company.join().map_err(|_| anyhow!("the other lane's thread failed"))??;
            Ok((sent < total).then_some(took))
        });
        timed.join().map_err(|_| anyhow!("the lane's thread failed"))?
    })
}

/// In a thread of its own, so that this one stays where it is.
fn on_its_cpu(turn: impl FnOnce() -> Result<f64> + Send) -> Result<f64> {
    thread::scope(|scope| {
        scope.spawn(turn).join().map_err(|_| anyhow!("the lane's thread failed"))?
    })
}

fn evaluate(
    times: &BTreeMap<&'static str, [Vec<f64>; 4]>,
    quick: bool,
    environment: Environment,
) -> Result<Entry> {
    let mut table = Table::new();
    table.set_header(["contender", "alone, ns", "", "in company, ns", "", "two carry"]);
    let (mut scaling, mut scaling_spread) = (BTreeMap::new(), BTreeMap::new());
    let mut contenders_ns = BTreeMap::new();
    let mut ours = None;
    for (name, series) in times {
        let [a, b, c, d] = series;
        let factors: Vec<_> = (0..a.len())
            .map(|i| 2.0 * (1.0 / c[i] + 1.0 / d[i]) / (1.0 / a[i] + 1.0 / b[i]))
            .collect();
        let factor = samples::summarize(&factors).context("no rounds")?;
        let mut row = vec![(*name).to_owned()];
        for series in series {
            let Summary { median, iqr } = samples::summarize(series).context("no rounds")?;
            row.push(format!("{median:.1} (spread {iqr:.1})"));
        }
        row.push(format!("{:.3} times as much (spread {:.3})", factor.median, factor.iqr));
        table.add_row(row);
        scaling.insert(*name, factor.median);
        scaling_spread.insert(*name, factor.iqr);
        let both: Vec<_> = c.iter().zip(d).map(|(c, d)| 1.0 / (1.0 / c + 1.0 / d)).collect();
        let both = samples::summarize(&both).context("no rounds")?;
        contenders_ns.insert((*name).to_owned(), both.median);
        if *name == FABRIC {
            ours = Some(both);
        }
    }
    println!("{table}");
    let ours = ours.context("Fabric has no times")?;
    let factor = scaling.get(FABRIC).copied().context("Fabric has no times")?;
    let meets_bar = factor >= BAR;
    println!(
        "{NAME}: two CPUs carry {factor:.2} times as much as one; the bar is at least {BAR}: {}",
        report::word(meets_bar)
    );
    let settings = report::settings([
        ("frame_bytes", (LENGTH as u64 + 4).into()),
        ("destinations", DESTINATIONS.into()),
        ("median_ns", "of both lanes together".into()),
        ("quick", quick.into()),
        ("rounds", times.values().next().map_or(0, |series| series[0].len()).into()),
        ("frames_per_turn", if quick { QUICK_FRAMES } else { FRAMES }.into()),
        ("batch", BATCH.into()),
    ]);
    Ok(Entry {
        entry: report::Entry {
            name: NAME.into(),
            median_ns: ours.median,
            mpps: 1_000.0 / ours.median,
            ratios: BTreeMap::new(),
            spread: ours.iqr,
            ratio_spread: BTreeMap::new(),
            contenders_ns,
            meets_bar,
            settings,
            environment,
        },
        scaling,
        scaling_spread,
    })
}
