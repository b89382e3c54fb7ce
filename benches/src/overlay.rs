//! Contests on a leaf: frames between hosts and tunnels.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::Result;
use aya::programs::ProgramFd;
use clap::Parser as _;

use crate::{
    answer::{Question, answer},
    contest::{self, Arguments, Contest, Effort, Forwarder},
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::SOURCES,
    leaf::{self, Leaf, Plan},
    race::{BATCH, Race},
    report,
    traffic::{Size, Traffic},
    underlay::Underlay,
    wanted::When,
};

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
    /// What tunnels are made over.
    pub underlay: Underlay,
    /// At least so many times the kernel's rate.
    pub kernel_bar: Option<f64>,
    /// At most so many times the time of a bare redirect.
    pub redirect_bar: Option<f64>,
}

impl Entry {
    /// Frames of 64 bytes to `destinations` stations, as many flows as there can be, 64 VTEPs over
    /// IPv4.
    #[must_use]
    pub const fn new(name: &'static str, when: When, destinations: u32) -> Self {
        Self {
            name,
            when,
            destinations,
            size: Size::Fixed(64),
            flows: None,
            vteps: leaf::VTEPS,
            underlay: Underlay::Ipv4,
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

    /// The same over IPv6, with or without UDP checksums.
    #[must_use]
    pub const fn over_ipv6(self, checksum: bool) -> Self {
        Self { underlay: Underlay::Ipv6 { checksum }, ..self }
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
    contest::end(found.and_then(|found| then(&found)))
}

/// Measures the entries that are asked for.
///
/// # Errors
/// If something cannot be set up, or a frame does not arrive as it must.
pub fn run(
    direction: Direction,
    entries: &[Entry],
    arguments: &Arguments,
) -> Result<Vec<report::Entry>> {
    contest::run(
        entries,
        arguments,
        |entry| (entry.name, entry.when),
        |entry, environment| measure(direction, entry, arguments, environment),
    )
}

struct Side {
    fabric: Fabric,
    direction: Direction,
}

impl Forwarder for Side {
    fn beat(&mut self) -> Result<()> {
        self.fabric.beat()
    }

    fn program(&mut self) -> Result<ProgramFd> {
        self.fabric.program(self.direction.program())
    }

    fn program_of(&mut self, object: &Path) -> Result<ProgramFd> {
        self.fabric.program_of(object, self.direction.program())
    }

    fn forwarded(&self) -> Result<u64> {
        Ok(self.fabric.counted(self.direction.reason()))
    }
}

fn measure(
    direction: Direction,
    entry: &Entry,
    arguments: &Arguments,
    mut environment: Environment,
) -> Result<report::Entry> {
    let Entry {
        name, destinations, vteps, underlay, size, flows, kernel_bar, redirect_bar, ..
    } = *entry;
    println!("{name}: building a leaf with {destinations} MACs and {vteps} VTEPs");
    let plan = Plan { underlay, ..direction.plan(destinations, vteps) };
    let leaf = Leaf::build_for(&plan)?;
    environment.bridge_nf = environment::bridge_nf();
    let mut side = Side { fabric: Fabric::start_for(&leaf, &plan)?, direction };
    let mut race = Race::along(direction.way(&leaf))?;
    let tunnelled = direction == Direction::Decapsulate;
    race.traffic =
        Traffic { size, flows, vteps: tunnelled.then_some(vteps), underlay, ..race.traffic };
    let grows = direction.grows(underlay);
    let mut contest = Contest::line_up(race, &mut side, destinations, grows, arguments)?;
    contest.warm_up()?;
    contest.compare_bytes(|ours, kernels, packet| {
        direction.compare(underlay, ours, kernels, packet)
    })?;
    contest.check_generator()?;
    let times = contest.rounds(name)?;
    let question = Question { name, kernel_bar, redirect_bar };
    answer(&question, settings(direction, entry, arguments), environment, &times)
}

fn settings(
    direction: Direction,
    entry: &Entry,
    arguments: &Arguments,
) -> BTreeMap<String, serde_json::Value> {
    let effort = Effort::of(arguments);
    let Entry { destinations, size, flows, vteps, .. } = *entry;
    let possible = u64::from(destinations) * u64::from(SOURCES) * 32_768;
    let size = match size {
        Size::Fixed(bytes) => bytes.into(),
        Size::Imix => "7 of 64, 4 of 594, 1 of 1518".into(),
    };
    [
        ("direction", format!("{:?}", direction).to_lowercase().into()),
        ("frame_bytes", size),
        ("frame_bytes_mean", entry.size.mean().into()),
        ("destinations", destinations.into()),
        ("sources", SOURCES.into()),
        ("flows", flows.unwrap_or(possible).into()),
        ("vteps", vteps.into()),
        ("underlay", entry.underlay.text().into()),
        ("kernel_path", direction.kernel_path().into()),
        ("quick", arguments.quick.into()),
        ("rounds", effort.rounds.into()),
        ("frames_per_turn", effort.frames.into()),
        ("frames_per_turn_kernel", effort.kernel_frames.into()),
        ("batch", BATCH.into()),
    ]
    .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
    .into()
}
