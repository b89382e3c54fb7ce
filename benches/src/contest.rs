//! A contest: Fabric, the kernel and bare redirects bring the same frames the same way, in turns.
//!
//! What arrives is compared byte by byte before time is taken; every frame has to arrive, in the
//! right length; every ratio is taken within a round.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use fabric_common::reason::Reason;
use serde_json::Value;

use crate::{
    answer::{DISCARD, FABRIC, KERNEL, LENGTHEN, REDIRECT, is_other_build, progress},
    fabric::Fabric,
    flow::{CAPTURES, Captured, Flow, OUTER, SOURCES},
    race::{BATCH, Contender, Course, Race},
    run::Rounds,
    traffic::Size,
};

/// What a question about a way of frames is asked with.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Which entries, in how many rounds.
    #[command(flatten)]
    pub rounds: Rounds,
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
    pub fn of(Arguments { rounds, .. }: &Arguments) -> Self {
        // Some 10 to 80 ms for each turn: a round that is over in a fifth of a second meets one state
        // of a machine whose host has other tenants.
        let (kernel_frames, compared) = if rounds.asked.quick { (25_000, 6) } else { (31_250, 64) };
        Self { rounds: rounds.number(120, 4), frames: 125_000, kernel_frames, compared }
    }

    /// What the report says about it.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, Value); 4] {
        let Self { rounds, frames, kernel_frames, .. } = *self;
        [
            ("rounds", rounds.into()),
            ("frames_per_turn", frames.into()),
            ("frames_per_turn_kernel", kernel_frames.into()),
            ("batch", BATCH.into()),
        ]
    }
}

/// How Fabric forwards.
pub struct Subject<'a> {
    /// Fabric, ready to forward.
    pub fabric: &'a mut Fabric,
    /// The program under test.
    pub program: &'static str,
    /// How it counts a frame that it forwarded.
    pub reason: Reason,
    /// How many bytes longer frames leave than they came.
    pub grows: i64,
}

/// Another thing that Fabric does on the same box, for comparison.
pub struct Yardstick {
    /// Name in tables and reports.
    pub name: &'static str,
    /// Fabric's program for it.
    pub program: &'static str,
    /// How it counts a frame that it forwarded.
    pub reason: Reason,
    /// How many bytes longer frames leave than they came.
    pub grows: i64,
    /// What is offered, and where.
    pub course: Course,
    /// To how many stations, a power of two.
    pub destinations: u32,
}

/// A [`Yardstick`], ready for its turn.
struct Beside {
    contender: Contender,
    reason: Reason,
    course: Course,
    destinations: u32,
}

/// A race and those who take part.
pub struct Contest<'a> {
    race: Race,
    yardstick: Option<Beside>,
    subject: Subject<'a>,
    destinations: u32,
    effort: Effort,
    contenders: Vec<Contender>,
}

impl<'a> Contest<'a> {
    /// Fabric, the kernel, the baselines and Fabric's other builds, with the race's traffic to
    /// `destinations` stations, a power of two.
    ///
    /// # Errors
    /// If a program cannot be loaded.
    pub fn line_up(
        mut race: Race,
        mut subject: Subject<'a>,
        destinations: u32,
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
        let Subject { fabric, program, grows, .. } = &mut subject;
        let grows = Some(*grows);
        let mut contenders = vec![
            contender(FABRIC, fabric.xdp(program)?.fd()?.try_clone()?, frames, grows),
            contender(KERNEL, race.baseline("kernel")?, kernel_frames, grows),
            contender(REDIRECT, race.baseline("redirect")?, frames, Some(0)),
            contender(DISCARD, race.baseline("discard")?, frames, None),
        ];
        if grows == Some(OUTER as i64) {
            contenders.push(contender(LENGTHEN, race.baseline("lengthen")?, frames, grows));
        }
        for object in &arguments.against {
            let name = object.file_stem().unwrap_or(object.as_os_str()).to_string_lossy();
            contenders.push(contender(&name, fabric.program_of(object, program)?, frames, grows));
        }
        Ok(Self { race, subject, destinations, effort, contenders, yardstick: None })
    }

    /// Adds another thing that Fabric does, which takes turns with the contenders.
    ///
    /// # Errors
    /// If Fabric has no such program.
    pub fn beside(mut self, yardstick: Yardstick) -> Result<Self> {
        let Yardstick { name, program, reason, grows, course, destinations } = yardstick;
        let program = self.subject.fabric.xdp(program)?.fd()?.try_clone()?;
        let (frames, grows) = (self.effort.frames, Some(grows));
        let contender = Contender { name: name.into(), program, frames, grows };
        self.yardstick = Some(Beside { contender, reason, course, destinations });
        Ok(self)
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
        if let Some(Beside { contender, course, destinations, .. }) = &mut self.yardstick {
            self.race.change(course)?;
            self.race.turn(contender, *destinations)?;
            self.race.change(course)?;
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
        let Self { race, subject, contenders, destinations, effort, yardstick } = self;
        let Subject { fabric, reason, .. } = subject;
        let number = contenders.len() + usize::from(yardstick.is_some());
        let mut times = vec![Vec::new(); number];
        for round in 1..=effort.rounds {
            fabric.beat()?;
            // Everybody starts as often as the others.
            for turn in 0..number {
                let turn = (turn + round as usize) % number;
                times[turn].push(match (contenders.get(turn), &mut *yardstick) {
                    (Some(contender), _) => timed(
                        race,
                        contender,
                        *destinations,
                        (fabric, *reason, is_fabric(contender)),
                    )?,
                    (None, Some(Beside { contender, reason, course, destinations })) => {
                        race.change(course)?;
                        let time = timed(race, contender, *destinations, (fabric, *reason, true))?;
                        race.change(course)?;
                        time
                    }
                    (None, None) => continue,
                });
            }
            progress(name, round, effort.rounds);
        }
        let names = contenders.iter().chain(yardstick.iter().map(|beside| &beside.contender));
        Ok(names.map(|contender| contender.name.clone()).zip(times).collect())
    }
}

/// A turn, of which Fabric forwards and counts with the reason all frames or none.
fn timed(
    race: &mut Race,
    contender: &Contender,
    destinations: u32,
    (fabric, reason, forwards): (&Fabric, Reason, bool),
) -> Result<f64> {
    let before = fabric.ended(reason);
    let time = race.turn(contender, destinations)?;
    let forwarded = fabric.ended(reason) - before;
    let expected = if forwards { contender.frames } else { 0 };
    ensure!(
        forwarded == u64::from(expected),
        "{}: Fabric forwarded {forwarded} frames instead of {expected}",
        contender.name
    );
    Ok(time)
}

fn is_fabric(contender: &Contender) -> bool {
    contender.name == FABRIC || is_other_build(&contender.name)
}

fn by_name<'a>(contenders: &'a [Contender], name: &str) -> Result<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name).context("not in the line-up")
}
