//! A contest: Fabric, the kernel and bare redirects bring the same frames the same way, in turns.
//!
//! What arrives is compared byte by byte before time is taken; every frame has to arrive, in the
//! right length; every ratio is taken within a round.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use comfy_table::Table;

use crate::{
    arena,
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{CAPTURES, Flow, SOURCES},
    leaf::{self, Leaf},
    processor,
    race::{BATCH, Contender, Race},
    report,
    samples::{self, Summary},
    traffic::{Size, Traffic},
};

/// What a question about a way of frames is asked with.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Only this entry, for instance encap-64k-macs.
    pub entry: Option<String>,
    /// All entries, also those that a usual run leaves out.
    #[arg(long, conflicts_with = "quick")]
    pub all: bool,
    /// Fewer entries, rounds and frames: to see that everything works, not to compare.
    #[arg(long)]
    pub quick: bool,
    /// Rounds in which every contender takes one turn [default: 40, or 6 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// An object of another build of fabric-ebpf with the same maps, as one more contender.
    #[arg(long, value_name = "OBJECT")]
    pub against: Vec<PathBuf>,
}

/// When an entry is measured without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Always.
    Quick,
    /// Unless `--quick` is given.
    Usual,
    /// Only with `--all`.
    All,
}

/// A question with numbers, and the answer that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name in the report.
    pub name: &'static str,
    /// When it is measured.
    pub when: When,
    /// Stations that frames go to, a power of two.
    pub destinations: u32,
    /// Length of frames.
    pub size: Size,
    /// Number of flows, a power of two; `None`: all that differ in stations and port.
    pub flows: Option<u64>,
    /// Remote VTEPs, a power of two.
    pub vteps: u32,
    /// At least so many times the kernel's rate.
    pub kernel_bar: Option<f64>,
    /// At most so many times the time of a bare redirect.
    pub redirect_bar: Option<f64>,
}

impl Entry {
    /// Frames of 64 bytes to `destinations` stations, as many flows as there can be, 64 VTEPs.
    #[must_use]
    pub const fn new(name: &'static str, when: When, destinations: u32) -> Self {
        Self {
            name,
            when,
            destinations,
            size: Size::Fixed(64),
            flows: None,
            vteps: leaf::VTEPS,
            kernel_bar: None,
            redirect_bar: None,
        }
    }

    /// The same with other lengths.
    #[must_use]
    pub const fn size(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// The same with so many flows.
    #[must_use]
    pub const fn flows(self, flows: u64) -> Self {
        Self { flows: Some(flows), ..self }
    }

    /// The same with so many VTEPs.
    #[must_use]
    pub const fn vteps(self, vteps: u32) -> Self {
        Self { vteps, ..self }
    }

    /// At least so many times the kernel's rate is asked for.
    #[must_use]
    pub const fn kernel(self, bar: f64) -> Self {
        Self { kernel_bar: Some(bar), ..self }
    }

    /// At most so many times the time of a bare redirect is allowed.
    #[must_use]
    pub const fn redirect(self, bar: f64) -> Self {
        Self { redirect_bar: Some(bar), ..self }
    }
}

/// How much is measured.
struct Effort {
    rounds: u32,
    frames: u32,
    kernel_frames: u32,
    /// Flows whose packets are compared byte by byte.
    compared: u32,
}

impl Effort {
    fn of(arguments: &Arguments) -> Self {
        let usual = if arguments.quick {
            Self { rounds: 6, frames: 250_000, kernel_frames: 50_000, compared: 12 }
        } else {
            // Some 50 to 300 ms for each turn.
            Self { rounds: 40, frames: 500_000, kernel_frames: 125_000, compared: 64 }
        };
        Self { rounds: arguments.rounds.unwrap_or(usual.rounds), ..usual }
    }
}

const FABRIC: &str = "fabric";
const KERNEL: &str = "kernel";
const REDIRECT: &str = "redirect";

/// Runs a question's binary.
#[must_use]
pub fn main(direction: Direction, entries: &[Entry]) -> ExitCode {
    main_then(direction, entries, |_| Ok(()))
}

/// Runs a question's binary, and then looks at all that was found.
#[must_use]
pub fn main_then(
    direction: Direction,
    entries: &[Entry],
    then: impl FnOnce(&[report::Entry]) -> Result<()>,
) -> ExitCode {
    let found = run(direction, entries, &Arguments::parse());
    match found.and_then(|found| then(&found)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures the entries that are asked for, and writes the report.
///
/// # Errors
/// If something cannot be set up, or a frame does not arrive as it must.
pub fn run(
    direction: Direction,
    entries: &[Entry],
    arguments: &Arguments,
) -> Result<Vec<report::Entry>> {
    let until = match arguments {
        Arguments { all: true, .. } => When::All,
        Arguments { quick: true, .. } => When::Quick,
        _ => When::Usual,
    };
    let wanted: Vec<_> = entries
        .iter()
        .filter(|entry| match &arguments.entry {
            Some(name) => name == entry.name,
            None => entry.when <= until,
        })
        .collect();
    if wanted.is_empty() {
        let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
        bail!("there is no such entry; take one of {}", names.join(", "));
    }
    let environment = Environment::read(processor::pin()?);
    let mut found = Vec::new();
    for entry in wanted {
        // A fresh network for each entry: nothing of the one before is in the kernel's tables.
        arena::enter()?;
        let one = Contest { direction, entry, arguments, effort: Effort::of(arguments) }
            .measure(environment.clone())?;
        report::write(&report::path(), std::slice::from_ref(&one))?;
        found.push(one);
    }
    println!("written to target/bench/report.json");
    Ok(found)
}

struct Contest<'a> {
    direction: Direction,
    entry: &'a Entry,
    arguments: &'a Arguments,
    effort: Effort,
}

impl Contest<'_> {
    fn measure(&self, mut environment: Environment) -> Result<report::Entry> {
        let Entry { name, destinations, vteps, size, flows, .. } = *self.entry;
        println!("{name}: building a leaf with {destinations} MACs and {vteps} VTEPs");
        let plan = self.direction.plan(destinations, vteps);
        let leaf = Leaf::build_for(&plan)?;
        environment.bridge_nf = environment::bridge_nf();
        let mut fabric = Fabric::start_for(&leaf, &plan)?;
        let mut race = Race::along(self.direction.way(&leaf))?;
        let tunnelled = self.direction == Direction::Decapsulate;
        race.traffic = Traffic { size, flows, vteps: tunnelled.then_some(vteps) };
        let contenders = self.line_up(&mut race, &mut fabric)?;

        // Over almost every MAC: learns all routes, shows all sources to the bridge.
        for contender in &contenders {
            let frames = (4 * destinations).clamp(self.effort.frames / 2, 2_000_000);
            let name = contender.name.clone();
            let program = contender.program.try_clone()?;
            let grows = contender.grows;
            race.turn(&Contender { name, program, frames, grows }, destinations)?;
        }
        self.compare_bytes(&mut race, &contenders)?;
        self.check_generator(&mut race, &contenders)?;

        let mut times = vec![Vec::new(); contenders.len()];
        for round in 1..=self.effort.rounds {
            fabric.beat()?;
            // Everybody starts as often as the others.
            for turn in 0..contenders.len() {
                let turn = (turn + round as usize) % contenders.len();
                let (contender, times) = (&contenders[turn], &mut times[turn]);
                let before = fabric.counted(self.direction.reason())?;
                times.push(race.turn(contender, destinations)?);
                let forwarded = fabric.counted(self.direction.reason())? - before;
                let expected = if self.is_fabric(contender) { contender.frames } else { 0 };
                ensure!(
                    forwarded == u64::from(expected),
                    "{}: Fabric forwarded {forwarded} frames instead of {expected}",
                    contender.name
                );
            }
            progress(name, round, self.effort.rounds);
        }
        let times: BTreeMap<_, _> =
            contenders.iter().map(|contender| contender.name.clone()).zip(times).collect();
        self.evaluate(environment, &times)
    }

    fn line_up(&self, race: &mut Race, fabric: &mut Fabric) -> Result<Vec<Contender>> {
        let Effort { frames, kernel_frames, .. } = self.effort;
        let grows = Some(self.direction.grows());
        let contender = |name: &str, program, frames, grows| Contender {
            name: name.into(),
            program,
            frames,
            grows,
        };
        let program = self.direction.program();
        let mut contenders = vec![
            contender(FABRIC, fabric.program(program)?, frames, grows),
            contender(KERNEL, race.baseline("kernel")?, kernel_frames, grows),
            contender(REDIRECT, race.baseline("redirect")?, frames, Some(0)),
            contender("discard", race.baseline("discard")?, frames, None),
        ];
        for object in &self.arguments.against {
            let name = object.file_stem().unwrap_or(object.as_os_str()).to_string_lossy();
            contenders.push(contender(&name, fabric.program_of(object, program)?, frames, grows));
        }
        Ok(contenders)
    }

    fn is_fabric(&self, contender: &Contender) -> bool {
        ![KERNEL, REDIRECT, "discard"].contains(&contender.name.as_str())
    }

    /// The same frames through Fabric and through the kernel must arrive alike.
    fn compare_bytes(&self, race: &mut Race, contenders: &[Contender]) -> Result<()> {
        let destinations = self.entry.destinations;
        let kernel = by_name(contenders, KERNEL)?;
        let redirect = by_name(contenders, REDIRECT)?;
        let traffic = race.traffic;
        let lengths: BTreeSet<_> = traffic.size.lengths().into();
        for number in 0..self.effort.compared {
            let flow = Flow {
                destination: (u64::from(number) * u64::from(destinations)
                    / u64::from(self.effort.compared)) as u32
                    | (number & 1),
                source: number % SOURCES,
                port: 0x8000 | (number * 401) as u16,
            };
            // Lengths take turns.
            let length = lengths.iter().nth(number as usize % lengths.len());
            race.traffic.size = Size::Fixed(length.context("no length")? + 4);
            let packet = race.traffic.packet(&race.traffic.first(flow));
            let mut one = |contender: &Contender| {
                let packets = race.capture(contender, &flow, destinations, 1)?;
                let first = packets.into_iter().next();
                first.with_context(|| format!("{}: nothing captured", contender.name))
            };
            let kernels = one(kernel)?;
            for contender in contenders.iter().filter(|contender| self.is_fabric(contender)) {
                self.direction
                    .compare(&one(contender)?, &kernels, &packet)
                    .with_context(|| format!("{}, {flow:?}", contender.name))?;
            }
            let bare = one(redirect)?;
            ensure!(bare.bytes[..packet.len()] == packet, "the bare redirect changed {flow:?}");
        }
        race.traffic = traffic;
        Ok(())
    }

    /// What the generator writes must be valid, and as varied as promised.
    fn check_generator(&self, race: &mut Race, contenders: &[Contender]) -> Result<()> {
        let Entry { destinations, flows, .. } = *self.entry;
        let redirect = by_name(contenders, REDIRECT)?;
        let first = Flow::from_number(0, destinations - 1);
        // The first batches are what the pages held before the generator wrote to them.
        race.capture(redirect, &first, destinations, CAPTURES as u32 / 2)?;
        let packets = race.capture(redirect, &first, destinations, CAPTURES as u32)?;
        let mut seen = BTreeSet::new();
        for packet in &packets {
            let draw = race.drawn(packet).with_context(|| {
                format!("the generator wrote a wrong packet of {} bytes", packet.length)
            })?;
            ensure!(
                draw.flow.destination < destinations,
                "the generator wrote to station {}",
                draw.flow.destination
            );
            seen.insert(draw.flow.destination);
        }
        // Random draws from N leave 1/e of N undrawn after N draws; half is far below any chance.
        let flows = flows.unwrap_or(u64::MAX).min(u64::from(destinations)) as usize;
        let possible = (packets.len() - 2 * BATCH as usize).min(flows);
        ensure!(
            packets.len() == CAPTURES && seen.len() >= possible.div_ceil(2),
            "the generator reached {} destinations with {} frames",
            seen.len(),
            packets.len()
        );
        Ok(())
    }

    fn evaluate(
        &self,
        environment: Environment,
        times: &BTreeMap<String, Vec<f64>>,
    ) -> Result<report::Entry> {
        let entry = self.entry;
        let of = |name: &str| times.get(name).context("a contender has no times");
        let ours = of(FABRIC)?;
        let time = samples::summarize(ours).context("no rounds")?;
        let kernel = samples::ratio(of(KERNEL)?, ours).context("no rounds")?;
        let redirect = samples::ratio(ours, of(REDIRECT)?).context("no rounds")?;

        let mut table = Table::new();
        table.set_header(["contender", "ns/frame", "spread", "Mpps", "fabric's time / its time"]);
        let mut contenders_ns = BTreeMap::new();
        for (name, series) in times {
            let Summary { median, iqr } = samples::summarize(series).context("no rounds")?;
            let share = samples::ratio(ours, series).context("no rounds")?;
            table.add_row([
                name.clone(),
                format!("{median:.1}"),
                format!("{iqr:.1}"),
                format!("{:.2}", 1_000.0 / median),
                format!("{:.3} (spread {:.3})", share.median, share.iqr),
            ]);
            contenders_ns.insert(name.clone(), median);
        }
        println!("{table}");
        let kernel_met = say(entry, &kernel, "the kernel's rate", entry.kernel_bar, true);
        let redirect_met =
            say(entry, &redirect, "the time of a bare redirect", entry.redirect_bar, false);
        Ok(report::Entry {
            name: entry.name.into(),
            median_ns: time.median,
            mpps: 1_000.0 / time.median,
            ratios: [(KERNEL.into(), kernel.median), (REDIRECT.into(), redirect.median)].into(),
            spread: time.iqr,
            ratio_spread: [(KERNEL.into(), kernel.iqr), (REDIRECT.into(), redirect.iqr)].into(),
            contenders_ns,
            meets_bar: kernel_met && redirect_met,
            settings: self.settings(),
            environment,
        })
    }

    fn settings(&self) -> BTreeMap<String, serde_json::Value> {
        let Entry { destinations, size, flows, vteps, .. } = *self.entry;
        let possible = u64::from(destinations) * u64::from(SOURCES) * 32_768;
        let size = match size {
            Size::Fixed(bytes) => bytes.into(),
            Size::Imix => "7 of 64, 4 of 594, 1 of 1518".into(),
        };
        [
            ("direction", format!("{:?}", self.direction).to_lowercase().into()),
            ("frame_bytes", size),
            ("frame_bytes_mean", self.entry.size.mean().into()),
            ("destinations", destinations.into()),
            ("sources", SOURCES.into()),
            ("flows", flows.unwrap_or(possible).into()),
            ("vteps", vteps.into()),
            ("underlay", "IPv4, one nexthop, no UDP checksum".into()),
            ("kernel_path", self.direction.kernel_path().into()),
            ("quick", self.arguments.quick.into()),
            ("rounds", self.effort.rounds.into()),
            ("frames_per_turn", self.effort.frames.into()),
            ("frames_per_turn_kernel", self.effort.kernel_frames.into()),
            ("batch", BATCH.into()),
        ]
        .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
        .into()
    }
}

/// Says a ratio, and returns whether it meets the bar.
fn say(entry: &Entry, ratio: &Summary, what: &str, bar: Option<f64>, at_least: bool) -> bool {
    let Summary { median, iqr } = ratio;
    let figure = format!("{}: {median:.2} times {what} (spread {iqr:.2})", entry.name);
    let Some(bar) = bar else {
        println!("{figure}");
        return true;
    };
    let met = if at_least { *median >= bar } else { *median <= bar };
    let side = if at_least { "at least" } else { "at most" };
    println!("{figure}; the bar is {side} {bar}: {}", if met { "met" } else { "NOT met" });
    met
}

fn by_name<'a>(contenders: &'a [Contender], name: &str) -> Result<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name).context("not in the line-up")
}

/// One line that counts the rounds, for people only.
pub fn progress(name: &str, round: u32, rounds: u32) {
    let mut out = io::stdout();
    if out.is_terminal() {
        let end = if round == rounds { "\n" } else { "" };
        // A terminal that went away is no reason to stop measuring.
        let _ = write!(out, "\r{name}: round {round} of {rounds}{end}").and_then(|()| out.flush());
    }
}
