//! A contest: Fabric, the kernel and bare redirects bring the same frames the same way, in turns.
//!
//! What arrives is compared byte by byte before time is taken; every frame has to arrive, in the
//! right length; every ratio is taken within a round.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::ProgramFd;
use clap::Parser;

use crate::{
    answer::{DISCARD, FABRIC, KERNEL, REDIRECT, is_other_build, progress},
    arena,
    environment::Environment,
    flow::{CAPTURES, Captured, Flow, SOURCES},
    processor,
    race::{BATCH, Contender, Race},
    report,
    traffic::Size,
    wanted::{When, wanted},
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
    /// Rounds in which every contender takes one turn [default: 120, or 4 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// An object of another build of fabric-ebpf with the same maps, as one more contender.
    #[arg(long, value_name = "OBJECT")]
    pub against: Vec<PathBuf>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds in which every contender takes one turn.
    pub rounds: u32,
    /// Frames of a turn.
    pub frames: u32,
    /// Frames of the kernel's turns.
    pub kernel_frames: u32,
    /// Flows whose packets are compared byte by byte.
    pub compared: u32,
}

impl Effort {
    /// What the arguments ask for.
    #[must_use]
    pub fn of(arguments: &Arguments) -> Self {
        let usual = if arguments.quick {
            Self { rounds: 4, frames: 125_000, kernel_frames: 25_000, compared: 6 }
        } else {
            // Some 10 to 80 ms for each turn: a round that is over in a fifth of a second meets one state
            // of a machine whose host has other tenants.
            Self { rounds: 120, frames: 125_000, kernel_frames: 31_250, compared: 64 }
        };
        Self { rounds: arguments.rounds.unwrap_or(usual.rounds), ..usual }
    }
}

/// Fabric, ready to forward.
pub trait Forwarder {
    /// The daemon's sign of life; lasts for a minute.
    ///
    /// # Errors
    /// If the heartbeat program cannot run.
    fn beat(&mut self) -> Result<()>;

    /// The program under test.
    ///
    /// # Errors
    /// If its descriptor cannot be duplicated.
    fn program(&mut self) -> Result<ProgramFd>;

    /// The program under test of another build, on the same maps.
    ///
    /// # Errors
    /// If the object cannot be loaded.
    fn program_of(&mut self, object: &Path) -> Result<ProgramFd>;

    /// Frames that were forwarded so far.
    ///
    /// # Errors
    /// If the counters cannot be read.
    fn forwarded(&self) -> Result<u64>;
}

/// Ends a question's binary.
#[must_use]
pub fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures the entries that are asked for, and writes the report. `about` is an entry's name and
/// when it is measured.
///
/// # Errors
/// If something cannot be set up, or a frame does not arrive as it must.
pub fn run<E>(
    entries: &[E],
    arguments: &Arguments,
    about: impl Fn(&E) -> (&'static str, When),
    measure: impl Fn(&E, Environment) -> Result<report::Entry>,
) -> Result<Vec<report::Entry>> {
    let Arguments { quick, all, .. } = *arguments;
    let wanted = wanted(entries, arguments.entry.as_deref(), When::until(quick, all), about)?;
    let environment = Environment::read(processor::pin()?);
    let mut found = Vec::new();
    for entry in wanted {
        // A fresh network for each entry: nothing of the one before is in the kernel's tables.
        arena::enter()?;
        let one = measure(entry, environment.clone())?;
        report::write(&report::path(), std::slice::from_ref(&one))?;
        found.push(one);
    }
    println!("written to target/bench/report.json");
    Ok(found)
}

/// A race and those who take part.
pub struct Contest<'a, F> {
    /// Generator and sink, with the traffic set.
    pub race: Race,
    /// Fabric.
    pub forwarder: &'a mut F,
    /// Stations that frames go to, a power of two.
    pub destinations: u32,
    /// How much is measured.
    pub effort: Effort,
    contenders: Vec<Contender>,
}

impl<'a, F: Forwarder> Contest<'a, F> {
    /// Fabric, the kernel, the baselines and Fabric's other builds. Forwarded frames leave `grows`
    /// bytes longer than they came.
    ///
    /// # Errors
    /// If a program cannot be loaded.
    pub fn line_up(
        mut race: Race,
        forwarder: &'a mut F,
        destinations: u32,
        grows: i64,
        arguments: &Arguments,
    ) -> Result<Self> {
        let effort = Effort::of(arguments);
        let Effort { frames, kernel_frames, .. } = effort;
        let contender = |name: &str, program, frames, grows| Contender {
            name: name.into(),
            program,
            frames,
            grows,
        };
        let grows = Some(grows);
        let mut contenders = vec![
            contender(FABRIC, forwarder.program()?, frames, grows),
            contender(KERNEL, race.baseline("kernel")?, kernel_frames, grows),
            contender(REDIRECT, race.baseline("redirect")?, frames, Some(0)),
            contender(DISCARD, race.baseline("discard")?, frames, None),
        ];
        for object in &arguments.against {
            let name = object.file_stem().unwrap_or(object.as_os_str()).to_string_lossy();
            contenders.push(contender(&name, forwarder.program_of(object)?, frames, grows));
        }
        Ok(Self { race, forwarder, destinations, effort, contenders })
    }

    /// Lets everyone reach almost every station: learns all routes, shows all sources to a bridge.
    ///
    /// # Errors
    /// If a frame does not arrive as it must.
    pub fn warm_up(&mut self) -> Result<()> {
        for contender in &self.contenders {
            let frames = (4 * self.destinations).clamp(self.effort.frames / 2, 2_000_000);
            let name = contender.name.clone();
            let program = contender.program.try_clone()?;
            let grows = contender.grows;
            self.race.turn(&Contender { name, program, frames, grows }, self.destinations)?;
        }
        Ok(())
    }

    /// The same frames through Fabric and through the kernel must arrive alike: `compare` gets
    /// Fabric's, the kernel's, and what was offered. The bare redirect must show the latter.
    ///
    /// # Errors
    /// With the first difference.
    pub fn compare_bytes(
        &mut self,
        compare: impl Fn(&Captured, &Captured, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let Self { race, contenders, destinations, effort, .. } = self;
        let kernel = by_name(contenders, KERNEL)?;
        let redirect = by_name(contenders, REDIRECT)?;
        let traffic = race.traffic;
        let lengths: BTreeSet<_> = traffic.size.lengths().into();
        for number in 0..effort.compared {
            let share = u64::from(number) * u64::from(*destinations) / u64::from(effort.compared);
            let flow = Flow {
                destination: share as u32 | (number & 1),
                source: number % SOURCES,
                port: 0x8000 | (number * 401) as u16,
            };
            // Lengths take turns.
            let length = lengths.iter().nth(number as usize % lengths.len());
            race.traffic.size = Size::Fixed(length.context("no length")? + 4);
            let packet = race.traffic.packet(&race.traffic.first(flow));
            let mut one = |contender: &Contender| {
                let packets = race.capture(contender, &flow, *destinations, 1)?;
                let first = packets.into_iter().next();
                first.with_context(|| format!("{}: nothing captured", contender.name))
            };
            let kernels = one(kernel)?;
            for contender in contenders.iter().filter(|contender| is_fabric(contender)) {
                compare(&one(contender)?, &kernels, &packet)
                    .with_context(|| format!("{}, {flow:?}", contender.name))?;
            }
            let bare = one(redirect)?;
            ensure!(bare.bytes[..packet.len()] == packet, "the bare redirect changed {flow:?}");
        }
        race.traffic = traffic;
        Ok(())
    }

    /// What the generator writes must be valid, and as varied as promised.
    ///
    /// # Errors
    /// If it is not.
    pub fn check_generator(&mut self) -> Result<()> {
        let Self { race, contenders, destinations, .. } = self;
        let destinations = *destinations;
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
        let flows = race.traffic.flows.unwrap_or(u64::MAX).min(u64::from(destinations)) as usize;
        let possible = (packets.len() - 2 * BATCH as usize).min(flows);
        ensure!(
            packets.len() == CAPTURES && seen.len() >= possible.div_ceil(2),
            "the generator reached {} destinations with {} frames",
            seen.len(),
            packets.len()
        );
        Ok(())
    }

    /// Takes time: the nanoseconds that a frame took, by contender, one figure a round. `name` is
    /// shown while it lasts.
    ///
    /// # Errors
    /// If a frame does not arrive as it must, or goes another way.
    pub fn rounds(&mut self, name: &str) -> Result<BTreeMap<String, Vec<f64>>> {
        let Self { race, forwarder, contenders, destinations, effort } = self;
        let mut times = vec![Vec::new(); contenders.len()];
        for round in 1..=effort.rounds {
            forwarder.beat()?;
            // Everybody starts as often as the others.
            for turn in 0..contenders.len() {
                let turn = (turn + round as usize) % contenders.len();
                let (contender, times) = (&contenders[turn], &mut times[turn]);
                let before = forwarder.forwarded()?;
                times.push(race.turn(contender, *destinations)?);
                let forwarded = forwarder.forwarded()? - before;
                let expected = if is_fabric(contender) { contender.frames } else { 0 };
                ensure!(
                    forwarded == u64::from(expected),
                    "{}: Fabric forwarded {forwarded} frames instead of {expected}",
                    contender.name
                );
            }
            progress(name, round, effort.rounds);
        }
        Ok(contenders.iter().map(|contender| contender.name.clone()).zip(times).collect())
    }
}

fn is_fabric(contender: &Contender) -> bool {
    contender.name == FABRIC || is_other_build(&contender.name)
}

fn by_name<'a>(contenders: &'a [Contender], name: &str) -> Result<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name).context("not in the line-up")
}
